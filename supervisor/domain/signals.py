"""signal + state -> state. One pure, total function decides what an agent is doing.

Sources in order of trust: process exit > hook > Operator's own Enter > title > output and silence.
A weaker source never overrules a fresh stronger one; a stronger one that went stale is corrected.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain.agent import (
    GONE,
    Activity,
    AgentState,
    Asking,
    Exited,
    ExitStatus,
    Idle,
    Lost,
    Proof,
    Running,
    Source,
    Starting,
    Submission,
)
from supervisor.domain.ids import DeliveryId


class Meaning(StrEnum):
    """What a title or a hook says its agent is doing."""

    BUSY = "busy"
    IDLE = "idle"
    ASKING = "asking"


@frozen
class ProcessExited:
    """The agent's own process ended."""

    at: datetime
    status: ExitStatus


@frozen
class SessionLost:
    """The session is gone and nothing knows how its process ended."""

    at: datetime
    reason: str


@frozen
class Titled:
    """The agent set its terminal title; `meaning` is the driver's reading of it, None if it says nothing."""

    at: datetime
    text: str
    meaning: Meaning | None


@frozen
class Printed:
    """The agent wrote to its terminal."""

    at: datetime
    count: int


@frozen
class BecameReady:
    """The agent can take a pasted prompt."""

    at: datetime
    evidence: str


@frozen
class Entered:
    """Operator pressed Enter after a prompt."""

    at: datetime
    delivery_id: DeliveryId


@frozen
class Quiet:
    """Nothing was written for `seconds`; `busy_child` when a child process of the agent uses the processor."""

    at: datetime
    seconds: float
    busy_child: bool
    prompt_shown: bool = False
    """The driver's prompt pattern matches the screen's last line."""


@frozen
class StallChecked:
    """No progress was seen for the step's limit although the process lives."""

    at: datetime
    seconds: float


Signal = ProcessExited | SessionLost | Titled | Printed | BecameReady | Entered | Quiet | StallChecked


@frozen
class Rules:
    """How a driver's agents show what they do."""

    idle_after: float = 10.0
    """Seconds of silence that end a turn when neither title nor prompt pattern ever spoke."""
    has_prompt_pattern: bool = False
    stall_after: float = 1800.0
    """Seconds without any output after which a working agent is called stalled."""
    reaction_within: float = 10.0
    """Seconds in which a title-speaking agent must show that it took a prompt."""


def next(activity: Activity, signal: Signal, rules: Rules) -> Activity:
    """The agent's activity after one more observation. Total: no order of signals is an error."""
    if isinstance(activity.state, GONE):
        return _correct_gone(activity, signal)
    match signal:
        case ProcessExited(at=at, status=status):
            return _to(activity, Exited(Proof(at, Source.EXIT, str(status)), status))
        case SessionLost(at=at, reason=reason):
            return _to(activity, Lost(Proof(at, Source.BACKEND, reason), reason))
        case Titled():
            return _titled(activity, signal)
        case Printed(at=at):
            return _printed(evolve(activity, last_output=at, stalled=None), at)
        case BecameReady(at=at, evidence=evidence):
            return _became_ready(activity, at, evidence)
        case Entered(at=at, delivery_id=delivery_id):
            entered = evolve(activity, submission=Submission(delivery_id, at))
            return _to(entered, Running(Proof(at, Source.SUBMIT, f"prompt {delivery_id} entered")))
        case Quiet():
            return _quiet(activity, signal, rules)
        case StallChecked(at=at, seconds=seconds):
            return _stalled(activity, at, seconds)
        case never:
            assert_never(never)


def _correct_gone(activity: Activity, signal: Signal) -> Activity:
    """An exit is final; a loss is corrected only by learning how the process really ended."""
    if isinstance(activity.state, Lost) and isinstance(signal, ProcessExited):
        return _to(activity, Exited(Proof(signal.at, Source.EXIT, str(signal.status)), signal.status))
    return activity


def _to(activity: Activity, state: AgentState) -> Activity:
    """Take a state; the same state again keeps its first proof, so `since` stays true."""
    if type(state) is type(activity.state):
        return activity
    keep = None if isinstance(state, GONE) else activity.submission
    return evolve(activity, state=state, submission=keep, stalled=None)


def _turn_over(activity: Activity, proof: Proof) -> Activity:
    turns = activity.turns_ended + 1
    return evolve(activity, state=Idle(proof), turns_ended=turns, ready=True, submission=None, stalled=None)


def _reacted(activity: Activity) -> Activity:
    if activity.submission is None or activity.submission.reacted:
        return activity
    return evolve(activity, submission=evolve(activity.submission, reacted=True))


def _titled(activity: Activity, signal: Titled) -> Activity:
    seen = evolve(activity, title=signal.text)
    if signal.meaning is None:
        return seen
    proof = Proof(signal.at, Source.TITLE, signal.text)
    match signal.meaning:
        case Meaning.BUSY:
            return _to(_reacted(evolve(seen, title_speaks=True)), Running(proof))
        case Meaning.ASKING:
            return _to(_reacted(seen), Asking(proof, signal.text))
        case Meaning.IDLE:
            return _idle_title(seen, proof)
        case never:
            assert_never(never)


def _idle_title(activity: Activity, proof: Proof) -> Activity:
    """Idle is what any title without a mark means; only from one that has said busy does it tell something."""
    if not activity.title_speaks:
        return _asks_no_more(activity, proof) if isinstance(activity.state, Asking) else activity
    match activity.state:
        case Running() | Asking():
            if activity.submission is not None and not activity.submission.reacted:
                return activity  # the title from before our Enter: it says nothing about this prompt
            return _turn_over(activity, proof)
        case Starting():
            return _to(evolve(activity, ready=True), Idle(proof))
        case Idle() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _asks_no_more(activity: Activity, proof: Proof) -> Activity:
    """Whoever was asked has answered; of a title that never says busy, silence tells when the work is done."""
    if _was_prompted(activity):
        return _to(activity, Running(proof))
    return _to(activity, Idle(proof) if activity.ready else Starting(proof))


def _was_prompted(activity: Activity) -> bool:
    return activity.submission is not None or activity.turns_ended > 0


def _printed(activity: Activity, at: datetime) -> Activity:
    """Output means work only where no title ever spoke, and not before the first prompt: that is a greeting."""
    if activity.title_speaks:
        return activity
    if isinstance(activity.state, Idle) and _was_prompted(activity):
        return _to(_reacted(activity), Running(Proof(at, Source.OUTPUT, "it writes")))
    return _reacted(activity)


def _became_ready(activity: Activity, at: datetime, evidence: str) -> Activity:
    ready = evolve(activity, ready=True)
    if isinstance(activity.state, Starting):
        return _to(ready, Idle(Proof(at, Source.OUTPUT, evidence)))
    return ready


def _quiet(activity: Activity, signal: Quiet, rules: Rules) -> Activity:
    proof = Proof(signal.at, Source.SILENCE, f"silent for {signal.seconds:.0f} s")
    if signal.prompt_shown:
        proof = Proof(signal.at, Source.SCREEN, "its prompt is shown")
    enough = signal.prompt_shown or (
        not rules.has_prompt_pattern and signal.seconds >= rules.idle_after and not signal.busy_child
    )
    match activity.state:
        case Starting():
            return _to(evolve(activity, ready=True), Idle(proof)) if enough else activity
        case Running():
            return _quiet_while_running(activity, signal, rules, proof, enough)
        case Idle() | Asking() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _quiet_while_running(
    activity: Activity, signal: Quiet, rules: Rules, proof: Proof, enough: bool
) -> Activity:
    if not activity.title_speaks:
        return _turn_over(activity, proof) if enough else activity
    waiting = activity.submission
    if waiting is None or waiting.reacted:
        return activity  # a title that says busy is believed, however silent the agent is
    if signal.at - waiting.at < timedelta(seconds=rules.reaction_within) or signal.busy_child:
        return activity
    evidence = f"no reaction to prompt {waiting.delivery_id}"
    asking = Asking(Proof(signal.at, Source.TITLE, evidence), "The agent shows no reaction to its prompt.")
    return evolve(activity, state=asking, stalled=None)


def _stalled(activity: Activity, at: datetime, seconds: float) -> Activity:
    if not isinstance(activity.state, Running) or activity.stalled is not None:
        return activity
    proof = Proof(at, Source.SILENCE, f"no progress for {seconds:.0f} s")
    return evolve(activity, stalled=proof)
