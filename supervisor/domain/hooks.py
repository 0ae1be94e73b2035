"""What an agent CLI says by its hooks, in one vocabulary for all CLIs, and what follows from it. Pure.

Hooks are trusted before everything but the process's exit. They can be lost, late, doubled or out of order: what
they lead to is corrected by a title or status file that keeps saying otherwise (`domain.signals`).
"""

from datetime import datetime
from typing import assert_never

from attrs import evolve, frozen

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
from supervisor.domain.moves import REMEMBERED, begun, ended, fresh, reacted, stopped, to, unanswered, without_tasks


@frozen
class SessionBegan:
    """The CLI runs, or has taken up an earlier conversation."""

    conversation_id: str | None


@frozen
class PromptTaken:
    """It has a prompt, ours or a person's: the acknowledgement of a delivery."""

    turn: str | None = None
    """Here and below: the CLI's own name for the turn; None where it gives none."""


@frozen
class ToolUsed:
    """It begins or has ended the use of a tool."""

    tool: str
    turn: str | None = None


@frozen
class PlanTaken:
    """A plan that it proposed was accepted, by a hook's answer or at the terminal; its turn goes on."""

    call: str | None = None
    """The CLI's own name for the proposal: told twice, it was accepted once."""
    turn: str | None = None


@frozen
class Asked:
    """A dialog is open, or about to be."""

    question: str
    reminder: bool = False
    """It has been open for a while: said of a dialog that may be known better by now."""
    turn: str | None = None
    shown: bool = True
    """A dialog shows it while the hook waits for its answer."""


@frozen
class TurnDone:
    """Its turn is over. `background` tasks of it go on."""

    background: int = 0
    turn: str | None = None


@frozen
class TurnBroke:
    """Its turn ended with an error."""

    error: str
    limit_until: datetime | None = None
    """When the usage limit ends, if that was the error."""
    turn: str | None = None


@frozen
class TurnStopped:
    """A person stopped its turn."""


@frozen
class SaysIdle:
    """It has waited for a prompt for a while."""

    turn: str | None = None


@frozen
class SessionEnded:
    """It is about to exit."""

    reason: str


TurnEnd = TurnDone | TurnBroke | TurnStopped
"""How a turn ended."""
HookEvent = SessionBegan | PromptTaken | ToolUsed | PlanTaken | Asked | TurnEnd | SaysIdle | SessionEnded


def hooked(activity: Activity, event: HookEvent, at: datetime, *, status_file: bool) -> Activity:
    """The activity after a hook. The agent is alive: the caller has seen to that.

    A `status_file` can tell when a dialog is closed, which hooks of tools that run beside it cannot.
    """
    activity = evolve(activity, hook_at=at)
    match event:
        case SessionBegan(conversation_id=conversation_id):
            return evolve(activity, ready=True, conversation_id=conversation_id or activity.conversation_id)
        case SessionEnded():
            return activity  # its exit is on the way and says more
        case TurnStopped():
            return stopped(activity, Proof(at, Source.HOOK, "its turn was stopped"))
        case PromptTaken() | ToolUsed() | PlanTaken() | Asked() | TurnDone() | TurnBroke() | SaysIdle():
            if event.turn in activity.past_turns:
                return _told_late(activity, event, at)
            return _told(activity, event, at, status_file)
        case never:
            assert_never(never)


OfTurn = PromptTaken | ToolUsed | PlanTaken | Asked | TurnDone | TurnBroke | SaysIdle


def _told(activity: Activity, event: OfTurn, at: datetime, status_file: bool) -> Activity:
    """Of a turn that is not known to be over."""
    known = event.turn is not None and event.turn == activity.turn
    at_dialog = known and status_file and isinstance(activity.state, Asking)
    match event:
        case PromptTaken(turn=turn):
            new = begun(activity, turn) if turn else evolve(fresh(begun(activity, None)), heard=True)
            taken = reacted(evolve(new, ready=True))
            return taken if at_dialog else to(taken, Running(Proof(at, Source.HOOK, "it has the prompt")))
        case ToolUsed(turn=turn) | PlanTaken(turn=turn):
            used = reacted(begun(activity, turn))
            if isinstance(event, PlanTaken):
                used = _plan_taken(used, event.call)
            return used if at_dialog else to(used, Running(Proof(at, Source.HOOK, _used(event))))
        case Asked(question=question, reminder=reminder, turn=turn, shown=shown):
            asking = reacted(begun(activity, turn))
            known_better = reminder and isinstance(activity.state, Asking)
            return asking if known_better else _asked(asking, Asking(Proof(at, Source.HOOK, question), question, shown))
        case TurnDone() | TurnBroke():
            return _end_told(activity, _over(event, at), status_file)
        case SaysIdle(turn=turn):
            return _says_idle(activity, turn, Proof(at, Source.HOOK, "it waits for a prompt"))
        case never:
            assert_never(never)


def _used(event: ToolUsed | PlanTaken) -> str:
    return f"it uses {event.tool}" if isinstance(event, ToolUsed) else "its plan was accepted"


def _plan_taken(activity: Activity, call: str | None) -> Activity:
    """One more, unless it was counted: a proposal without a name is counted each time that it is told."""
    if call is None:
        return evolve(activity, plans_taken=activity.plans_taken + 1)
    if call in activity.plan_calls:
        return activity
    calls = (*activity.plan_calls, call)[-REMEMBERED:]
    return evolve(activity, plans_taken=activity.plans_taken + 1, plan_calls=calls)


def _told_late(activity: Activity, event: OfTurn, at: datetime) -> Activity:
    """Of a turn that is over. Only the last one's end still tells something: that it ended otherwise than thought."""
    match activity.state:
        case Idle():
            owed = activity.heard
        case Running():
            owed = activity.background > 0
        case _:
            owed = False
    last = activity.turn is None and event.turn == activity.past_turns[-1]
    if not (owed and last) or not isinstance(event, TurnDone | TurnBroke):
        return activity
    end = _over(event, at)
    if end.background and isinstance(activity.state, Idle):
        return evolve(activity, ending=evolve(end, sure=False))  # those tasks may have ended by now
    return ended(evolve(activity, interrupting=False, interrupted=False), end)


def _over(event: TurnDone | TurnBroke, at: datetime) -> TurnOver:
    match event:
        case TurnDone(background=0, turn=turn):
            return TurnOver(Proof(at, Source.HOOK, "its turn is over"), turn)
        case TurnDone(background=background, turn=turn):
            evidence = f"its turn is over, {background} background tasks go on"
            return TurnOver(Proof(at, Source.HOOK, evidence), turn, background)
        case TurnBroke(error=error, limit_until=limit_until, turn=turn):
            proof = Proof(at, Source.HOOK, f"its turn ended with an error: {error}")
            return TurnOver(proof, turn, error=error, limit_until=limit_until)
        case never:
            assert_never(never)


def _asked(activity: Activity, asking: Asking) -> Activity:
    """Another question is another state, though it has the same name."""
    if isinstance(activity.state, Asking) and activity.state.question == asking.question:
        return activity
    follows = isinstance(activity.state, Asking)
    return evolve(without_tasks(activity), state=evolve(asking, follows=follows), stalled=None)


def hook_answered(activity: Activity, question: str, at: datetime) -> Activity:
    """The hook that asked this was given its answer. Of a dialog that is shown, the terminal tells what came of it."""
    state = activity.state
    if not isinstance(state, Asking) or state.shown or state.question != question:
        return activity
    return to(activity, Running(Proof(at, Source.HOOK, "its hook was answered")))


def _end_told(activity: Activity, end: TurnOver, status_file: bool) -> Activity:
    """Believe an end at once if it is that of the turn under way and nothing speaks against it.

    While the title says busy, hooks of the user's own may still keep the turn from ending.
    """
    sure = end.turn is None or end.turn == activity.turn
    busy = activity.title_says is Meaning.BUSY or _title_lags(activity, status_file)
    told = activity.ending
    again = told is not None and told.turn == end.turn
    if told is not None and again and (told.error is not None or end.error is None):
        end = evolve(told, background=end.background)  # nothing follows an error; and said twice is said at first
    waits = evolve(activity, ending=evolve(end, sure=sure))
    match activity.state:
        case Idle():
            return activity if end.turn is None else waits  # said twice; or of a turn that nobody has seen
        case Starting():
            return waits if busy else ended(activity, end)
        case Running():
            return waits if busy or not sure or unanswered(activity) else ended(activity, end)
        case Asking():
            open_yet = status_file or activity.title_says is Meaning.ASKING
            return waits if busy or not sure or open_yet else ended(activity, end)
        case Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _title_lags(activity: Activity, status_file: bool) -> bool:
    """Whether the title does not yet say that this turn began; or the hook is so late that the title came first."""
    if activity.title_says is not Meaning.IDLE or activity.title_since is None:
        return False
    return status_file or (activity.title_speaks and activity.title_since <= activity.state.proof.since)


def _says_idle(activity: Activity, turn: str | None, proof: Proof) -> Activity:
    match activity.state:
        case Running() | Asking():
            another = turn is not None and activity.turn is not None and turn != activity.turn
            if another or unanswered(activity) or activity.background or activity.title_says is Meaning.BUSY:
                return activity
            return ended(activity, activity.ending) if activity.ending is not None else stopped(activity, proof)
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof))
        case Idle() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def as_recorded(activity: Activity, end: TurnEnd, proof: Proof, behind: bool = False) -> Activity:
    """The turn ended as its CLI's own record says; `behind`: tasks of it go on."""
    match end:
        case TurnDone(background=background):
            return ended(activity, TurnOver(proof, activity.turn, max(background, int(behind))))
        case TurnBroke(error=error, limit_until=limit_until):
            return ended(activity, TurnOver(proof, activity.turn, error=error, limit_until=limit_until))
        case TurnStopped():
            return evolve(stopped(activity, proof), interrupted=True)
        case never:
            assert_never(never)
