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
class SaysIdle:
    """It has waited for a prompt for a while."""


@frozen
class SessionEnded:
    """It is about to exit."""

    reason: str


HookEvent = SessionBegan | PromptTaken | ToolUsed | Asked | TurnDone | TurnBroke | SaysIdle | SessionEnded


def hooked(activity: Activity, event: HookEvent, at: datetime) -> Activity:
    """The activity after a hook. The agent is alive: the caller has seen to that."""
    activity = evolve(activity, hook_at=at, hooks_missed=False)
    match event:
        case SessionBegan():
            return evolve(activity, ready=True)
        case PromptTaken():
            return to(reacted(_fresh(activity)), Running(Proof(at, Source.HOOK, "it has the prompt")))
        case ToolUsed(tool=tool):
            return to(reacted(activity), Running(Proof(at, Source.HOOK, f"it uses {tool}")))
        case Asked(question=question):
            return _asked(reacted(activity), question, Proof(at, Source.HOOK, question))
        case TurnDone(background=background):
            return _done(reacted(activity), background, at)
        case TurnBroke(error=error, limit_until=limit_until):
            over = turn_over(activity, Proof(at, Source.HOOK, f"its turn ended with an error: {error}"))
            return evolve(over, turn_error=error, limit_until=limit_until)
        case SaysIdle():
            return _says_idle(activity, Proof(at, Source.HOOK, "it waits for a prompt"))
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


def _done(activity: Activity, background: int, at: datetime) -> Activity:
    if background:
        evidence = f"its turn is over, {background} background tasks go on"
        return evolve(to(activity, Running(Proof(at, Source.HOOK, evidence))), background=background)
    match activity.state:
        case Running() | Asking() | Starting():
            return turn_over(activity, Proof(at, Source.HOOK, "its turn is over"))
        case Idle() | Exited() | Lost():
            return activity  # said twice
        case never:
            assert_never(never)


def _says_idle(activity: Activity, proof: Proof) -> Activity:
    match activity.state:
        case Running() if activity.submission is not None and not activity.submission.reacted:
            return activity  # said of the time before our Enter
        case Running() | Asking():
            return stopped(activity, proof)
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof))
        case Idle() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)
