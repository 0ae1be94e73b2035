"""What follows from an agent's terminal title. Pure.

A title is weaker than a hook: where hooks speak, it is believed once it has contradicted them for a while. Where
nothing else speaks, it is believed at once.
"""

from datetime import datetime, timedelta
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
from supervisor.domain.contradiction import (
    CONTRADICTION,
    HELD_UP,
    STATUS_LAG,
    title_believed_at,
    title_is_believed,
    told_at,
)
from supervisor.domain.hooks import TurnEnd, as_recorded
from supervisor.domain.moves import (
    at_work,
    ended,
    fresh,
    other_end_counted,
    reacted,
    stopped,
    to,
    turn_over,
    unanswered,
    without_tasks,
)


def titled(
    activity: Activity, text: str, meaning: Meaning | None, at: datetime, *, status_file: bool, patient: bool = False
) -> Activity:
    """The activity after a title. Where there is a `status_file`, that is asked before a title is believed.

    `patient`: it flickers, so it is not believed at once even where no hook has spoken yet.
    """
    patient = patient or status_file
    seen = evolve(activity, title=text)
    if meaning is None:
        return seen
    if title_believed_at(activity, patient) is not None and meaning is not activity.title_says:
        seen = _changed(seen, meaning, Proof(at, Source.TITLE, text))
    if meaning is not activity.title_says:
        seen = evolve(seen, title_says=meaning, title_since=at)
    if meaning is Meaning.BUSY:
        seen = reacted(evolve(seen, title_speaks=True))
    if meaning is Meaning.ASKING:
        seen = _dialog_shown(evolve(seen, title_asks=True))
    if title_believed_at(seen, patient) is None:
        return _believe(seen, meaning, Proof(at, Source.TITLE, text))
    return seen if status_file else settled(seen, at, patient=patient)


def is_fresh(activity: Activity, meaning: Meaning | None) -> bool:
    """Whether a title may be that of the CLI's own beginning: some show a spinner before they have any prompt."""
    return meaning is not Meaning.ASKING and activity.hook_at is None and not was_prompted(activity)


def noted(activity: Activity, text: str, meaning: Meaning | None, at: datetime) -> Activity:
    """The activity after a title that decides nothing."""
    seen = evolve(activity, title=text, title_speaks=activity.title_speaks or meaning is Meaning.BUSY)
    return seen if meaning in (None, seen.title_says) else evolve(seen, title_says=meaning, title_since=at)


def _changed(activity: Activity, meaning: Meaning, proof: Proof) -> Activity:
    """What another title tells where it is not believed at once: of an end that a hook told, or that none did."""
    state, end, since = activity.state, activity.ending, activity.title_since
    meanwhile = since is not None and since > state.proof.since
    if meaning is Meaning.BUSY:
        if isinstance(state, Asking) and state.shown and since is not None:
            early = timedelta() if state.follows else STATUS_LAG
            if since > state.proof.since - early:
                return at_work(activity, proof)  # the dialog came, and has gone
        again = fresh(activity) if activity.background else activity
        unheard = isinstance(state, Running) and meanwhile and not activity.background
        return evolve(again, turns_ended=again.turns_ended + 1, turn=None, heard=False) if unheard else again
    if meaning is not Meaning.IDLE:
        return activity
    at_once = end is not None and end.sure and not activity.held_up and proof.since < end.proof.since + HELD_UP
    if end is not None and at_once and isinstance(state, Running):
        return ended(activity, end)  # not at a dialog, where the title looks like this, too
    if isinstance(state, Idle) and meanwhile and activity.title_says is Meaning.BUSY:
        if end is not None and since is not None and end.proof.since >= since:
            return activity  # that is this turn's, though nobody saw it begin
        return evolve(other_end_counted(activity), ending=TurnOver(proof, sure=False))  # no hook has told of this turn
    return activity


def _dialog_shown(activity: Activity) -> Activity:
    """What only a hook has asked so far, the terminal asks now."""
    state = activity.state
    return evolve(activity, state=evolve(state, shown=True)) if isinstance(state, Asking) else activity


def settled(activity: Activity, at: datetime, *, patient: bool, end: TurnEnd | None = None) -> Activity:
    """An interrupt fires no hook: a title that keeps contradicting the last hook is right in the end.

    `end`: how the turn ended by the CLI's record, if that is known.
    """
    if activity.ending is not None and activity.title_says not in (Meaning.BUSY, Meaning.ASKING):
        return ended(activity, activity.ending) if at >= told_at(activity) + CONTRADICTION else activity
    if not title_is_believed(activity, at, patient) or activity.title_says is None:
        return activity
    proof = Proof(at, Source.TITLE, activity.title)
    if activity.title_says is Meaning.IDLE:
        return stopped(activity, proof) if end is None else as_recorded(activity, end, proof)
    return _believe(activity, activity.title_says, proof)


def _believe(activity: Activity, meaning: Meaning, proof: Proof) -> Activity:
    match meaning:
        case Meaning.BUSY | Meaning.BACKGROUND:
            return at_work(activity, proof)
        case Meaning.ASKING:
            return to(reacted(other_end_counted(without_tasks(activity))), Asking(proof, activity.title))
        case Meaning.IDLE:
            return _idle(activity, proof)
        case never:
            assert_never(never)


def _idle(activity: Activity, proof: Proof) -> Activity:
    """Idle is what any title without a mark means; only from one that has said busy does it tell something."""
    if not activity.title_speaks:
        return _asks_no_more(activity, proof) if isinstance(activity.state, Asking) else activity
    match activity.state:
        case Running() | Asking():
            if unanswered(activity):
                return activity  # the title from before our Enter: it says nothing about this prompt
            return turn_over(activity, proof)
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof))
        case Idle() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _asks_no_more(activity: Activity, proof: Proof) -> Activity:
    """Whoever was asked has answered; of a title that never says busy, silence tells when the work is done."""
    if was_prompted(activity):
        return to(activity, Running(proof))
    return to(activity, Idle(proof) if activity.ready else Starting(proof))


def was_prompted(activity: Activity) -> bool:
    """Whether there is, or was, a turn."""
    return activity.submission is not None or activity.turns_ended > 0
