"""What an agent CLI says by its hooks, in one vocabulary for all CLIs, and what follows from it. Pure.

Hooks are trusted before everything but the process's exit. They can be lost, late, doubled or out of order: what
they lead to is corrected by a title or status file that keeps saying otherwise (`domain.signals`).
"""

from datetime import datetime
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain.agent import Activity, Asking, Exited, Idle, Lost, Proof, Running, Source, Starting
from supervisor.domain.moves import reacted, stopped, to, turn_over


@frozen
class SessionBegan:
    """The CLI runs, or has taken up an earlier conversation."""

    conversation_id: str | None


@frozen
class PromptTaken:
    """It has a prompt, ours or a person's: the acknowledgement of a delivery."""


@frozen
class ToolUsed:
    """It begins or has ended the use of a tool."""

    tool: str


@frozen
class Asked:
    """A dialog is open, or about to be."""

    question: str
    reminder: bool = False
    """It has been open for a while: said of a dialog that may be known better by now."""


@frozen
class TurnDone:
    """Its turn is over. `background` tasks of it go on."""

    background: int = 0


@frozen
class TurnBroke:
    """Its turn ended with an error."""

    error: str
    limit_until: datetime | None = None
    """When the usage limit ends, if that was the error."""


@frozen
class TurnStopped:
    """A person stopped its turn."""


@frozen
class SaysIdle:
    """It has waited for a prompt for a while."""


@frozen
class SessionEnded:
    """It is about to exit."""

    reason: str


TurnEnd = TurnDone | TurnBroke | TurnStopped
"""How a turn ended."""
HookEvent = SessionBegan | PromptTaken | ToolUsed | Asked | TurnEnd | SaysIdle | SessionEnded


def hooked(activity: Activity, event: HookEvent, at: datetime, source: Source = Source.HOOK) -> Activity:
    """The activity after a hook, or after what the CLI's files tell in its place (`source`).

    The agent is alive: the caller has seen to that.
    """
    activity = evolve(activity, hook_at=at, hooks_missed=False)
    match event:
        case SessionBegan():
            return evolve(activity, ready=True)
        case PromptTaken():
            return to(reacted(_fresh(activity)), Running(Proof(at, source, "it has the prompt")))
        case ToolUsed(tool=tool):
            return to(reacted(activity), Running(Proof(at, source, f"it uses {tool}")))
        case Asked(question=question, reminder=reminder):
            known = reminder and isinstance(activity.state, Asking)
            return activity if known else _asked(reacted(activity), question, Proof(at, source, question))
        case TurnDone(background=background):
            return _done(reacted(activity), background, at, source)
        case TurnBroke(error=error, limit_until=limit_until):
            over = turn_over(activity, Proof(at, source, f"its turn ended with an error: {error}"))
            return evolve(over, turn_error=error, limit_until=limit_until)
        case TurnStopped():
            return stopped(activity, Proof(at, source, "its turn was stopped"))
        case SaysIdle():
            return _says_idle(activity, Proof(at, source, "it waits for a prompt"))
        case SessionEnded():
            return activity  # its exit is on the way and says more
        case never:
            assert_never(never)


def _fresh(activity: Activity) -> Activity:
    """A new prompt: what went on in the background belongs to the turn before."""
    return evolve(activity, background=0, turn_error=None, limit_until=None, interrupting=False, interrupted=False)


def _asked(activity: Activity, question: str, proof: Proof) -> Activity:
    """Another question is another state, though it has the same name."""
    if isinstance(activity.state, Asking) and activity.state.question == question:
        return activity
    return evolve(activity, state=Asking(proof, question), stalled=None)


def _done(activity: Activity, background: int, at: datetime, source: Source) -> Activity:
    if background:
        evidence = f"its turn is over, {background} background tasks go on"
        return evolve(to(activity, Running(Proof(at, source, evidence))), background=background)
    match activity.state:
        case Running() | Asking() | Starting():
            return turn_over(activity, Proof(at, source, "its turn is over"))
        case Idle() | Exited() | Lost():
            return activity  # said twice
        case never:
            assert_never(never)


def _says_idle(activity: Activity, proof: Proof) -> Activity:
    match activity.state:
        case Running() if activity.submission is not None and not activity.submission.reacted:
            return activity  # said of the time before our Enter
        case Running() if activity.background:
            return activity  # it waits for those tasks, too
        case Running() | Asking():
            return stopped(activity, proof)
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof))
        case Idle() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)
