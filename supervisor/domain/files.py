"""What follows from what an agent's CLI writes about itself: its status file, and its record of the conversation.

They tell what neither title nor hooks do: a dialog from an empty prompt, a turn that a person stopped from one that
ended, and that tasks go on behind a turn. They are written a little later than the rest is said.
"""

from datetime import datetime
from typing import assert_never

from attrs import evolve

from supervisor.domain.agent import (
    Activity,
    Asking,
    Exited,
    Idle,
    Lost,
    Meaning,
    Proof,
    Running,
    Source,
    Starting,
    TurnOver,
)
from supervisor.domain.contradiction import CONTRADICTION, HELD_UP, STATUS_LAG, told_at
from supervisor.domain.hooks import TurnBroke, TurnDone, TurnEnd, TurnStopped, as_recorded
from supervisor.domain.moves import (
    at_work,
    ended,
    other_end_counted,
    reacted,
    stopped,
    to,
    turn_over,
    unanswered,
    without_tasks,
)

OPEN_DIALOG = "A dialog is open at its terminal."


def looked(
    activity: Activity, meaning: Meaning, evidence: str, end: TurnEnd | None, at: datetime, *, newer: bool
) -> Activity:
    """The activity after a look. `end`: how the last turn ended by the record, where the file says that it did.

    `newer`: the file cannot lag behind what was heard last.
    """
    if at < told_at(activity) + STATUS_LAG and not newer:
        return activity
    proof = Proof(at, Source.STATUS, evidence)
    match meaning:
        case Meaning.BUSY:
            return _busy(activity, proof)
        case Meaning.ASKING:
            return _asking(activity, proof)
        case Meaning.IDLE | Meaning.BACKGROUND:
            return _at_rest(activity, meaning, end, proof)
        case never:
            assert_never(never)


def _busy(activity: Activity, proof: Proof) -> Activity:
    if isinstance(activity.state, Idle) and activity.title_speaks and activity.title_says is not Meaning.BUSY:
        return activity  # hook and title agree against it
    return at_work(without_tasks(activity), proof)


def _asking(activity: Activity, proof: Proof) -> Activity:
    """A dialog is open, so whatever end was told is not that of this turn."""
    open_turn = evolve(reacted(other_end_counted(without_tasks(activity))), ending=None)
    return to(open_turn, Asking(proof, OPEN_DIALOG))


def _at_rest(activity: Activity, meaning: Meaning, end: TurnEnd | None, proof: Proof) -> Activity:
    behind = meaning is Meaning.BACKGROUND
    match activity.state:
        case Idle():
            return activity if activity.ending is None else _unseen(activity, activity.ending, behind, end, proof)
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof))
        case Running() | Asking():
            return _no_longer_at_work(activity, behind, end, proof)
        case Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _no_longer_at_work(activity: Activity, behind: bool, end: TurnEnd | None, proof: Proof) -> Activity:
    if activity.title_says is Meaning.BUSY:
        return activity  # one of the two lags
    told = activity.ending
    if told is not None:
        another = isinstance(end, TurnStopped) and _is_old(activity, told, proof)
        if end is None or (told.sure and not another):
            return ended(activity, _with(told, behind))
        return _untold(evolve(other_end_counted(activity), ending=None), behind, end, proof)
    if unanswered(activity):
        return activity  # it may not have our prompt yet
    if activity.background:
        return _behind(activity, behind, proof)
    return _untold(activity, behind, end, proof)


def _is_old(activity: Activity, told: TurnOver, proof: Proof) -> bool:
    """Whether an end was told so long before, or so long after, the agent came to rest that it may be another's."""
    rested = activity.title_since
    late = rested is not None and told.proof.since >= rested + STATUS_LAG
    return late or proof.since >= told.proof.since + HELD_UP


def _unseen(activity: Activity, told: TurnOver, behind: bool, end: TurnEnd | None, proof: Proof) -> Activity:
    """A turn has ended that nobody saw under way; or one long ago, told late. Which the last was, is recorded."""
    if end is not None:
        return as_recorded(activity, end, proof, behind)
    counted = other_end_counted(activity)
    return counted if told.error is None else ended(activity, told)


def _with(told: TurnOver, behind: bool) -> TurnOver:
    """The end that a hook told is true. What goes on behind a turn that ended well, the file knows as well."""
    return evolve(told, background=max(told.background, int(behind))) if told.error is None else told


def _behind(activity: Activity, behind: bool, proof: Proof) -> Activity:
    """Tasks of a turn that is over. Only a file that has told of them tells when they have ended."""
    if behind:
        return evolve(activity, background_shown=True)
    return turn_over(activity, proof) if activity.background_shown else activity


def _untold(activity: Activity, behind: bool, end: TurnEnd | None, proof: Proof) -> Activity:
    """No hook told of the end. A hook may be late, and so may the record; but not if we pressed the key ourselves."""
    recorded = isinstance(end, TurnDone | TurnBroke)
    patience = STATUS_LAG if recorded or activity.interrupting else CONTRADICTION
    if proof.since < told_at(activity) + patience:
        return activity
    return stopped(activity, proof) if end is None else as_recorded(activity, end, proof, behind)
