"""signal + state -> state. One pure, total function decides what an agent is doing.

Sources in order of trust: process exit > hook > Operator's own Enter > title > output and silence.
A weaker source never overrules a fresh stronger one; a stronger one that went stale is corrected.
"""

from datetime import datetime, timedelta
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain.agent import (
    GONE,
    Activity,
    Asking,
    Exited,
    ExitStatus,
    Idle,
    Lost,
    Meaning,
    Proof,
    Running,
    Source,
    Starting,
    Submission,
)
from supervisor.domain.files import looked
from supervisor.domain.hooks import HookEvent, TurnEnd, hook_answered, hooked
from supervisor.domain.ids import DeliveryId
from supervisor.domain.moves import prompted, reacted, to, turn_over
from supervisor.domain.titles import is_fresh, noted, settled, titled, was_prompted


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
    source: Source = Source.OUTPUT


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


@frozen
class Hooked:
    """The agent's CLI called its hook."""

    at: datetime
    event: HookEvent


@frozen
class Settled:
    """Time has passed in which the title said other than the hooks did, and no hook came.

    Where the CLI has a status file, it agrees with the title.
    """

    at: datetime
    end: TurnEnd | None = None
    """How the last turn ended by the CLI's record; None if that is not known."""


@frozen
class HookAnswered:
    """A hook that asked a person was given its answer."""

    at: datetime
    question: str


@frozen
class Interrupting:
    """Operator pressed the key that stops a turn."""

    at: datetime


@frozen
class DialogSeen:
    """The screen shows a dialog that is known by name, before the agent was ever ready."""

    at: datetime
    question: str


@frozen
class Looked:
    """The CLI's own status file was read; where that says that it rests, its record of the conversation as well."""

    at: datetime
    meaning: Meaning
    evidence: str
    end: TurnEnd | None = None
    """How the last turn ended; None if that is not recorded."""
    newer: bool = False
    """What was heard just now is older: it was said while nobody listened, and read after a restart."""


Signal = (
    ProcessExited
    | SessionLost
    | Hooked
    | HookAnswered
    | Settled
    | Interrupting
    | DialogSeen
    | Looked
    | Titled
    | Printed
    | BecameReady
    | Entered
    | Quiet
    | StallChecked
)


@frozen
class Rules:
    """How a driver's agents show what they do."""

    idle_after: float = 10.0
    """Seconds of silence that end a turn when neither title nor prompt pattern ever spoke."""
    has_prompt_pattern: bool = False
    status_file: bool = False
    """Whether its CLI has a status file: then that says when it is ready, and a dialog may be open before."""
    screen_tells_ready: bool = False
    """Whether only its screen shows that it is ready, for a dialog of a first run takes pasted text as well; and its
    title flickers, which hooks and its record do not."""
    record: bool = False
    """Whether its record of the conversation tells how a turn ended, though no status file tells what it does."""
    ready_within: float = 30.0
    """Seconds in which a CLI that can show that it is ready must do so; then a person is to look."""
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
            return to(activity, Exited(Proof(at, Source.EXIT, str(status)), status))
        case SessionLost(at=at, reason=reason):
            return to(activity, Lost(Proof(at, Source.BACKEND, reason), reason))
        case Hooked(at=at, event=event):
            return hooked(activity, event, at, status_file=rules.status_file)
        case HookAnswered(at=at, question=question):
            return hook_answered(activity, question, at)
        case Settled(at=at, end=end):
            return settled(activity, at, patient=rules.status_file or rules.screen_tells_ready, end=end)
        case Interrupting():
            return evolve(activity, interrupting=isinstance(activity.state, Running | Asking))
        case DialogSeen(at=at, question=question):
            return _dialog_seen(activity, question, Proof(at, Source.SCREEN, question))
        case Looked(at=at, meaning=meaning, evidence=evidence, end=end, newer=newer):
            return looked(activity, meaning, evidence, end, at, newer=newer)
        case Titled(at=at, text=text, meaning=meaning) if rules.screen_tells_ready and is_fresh(activity, meaning):
            return noted(activity, text, meaning, at)
        case Titled(at=at, text=text, meaning=meaning):
            patient = rules.screen_tells_ready
            return titled(activity, text, meaning, at, status_file=rules.status_file, patient=patient)
        case Printed(at=at):
            return _printed(evolve(activity, last_output=at, stalled=None), at, rules)
        case BecameReady(at=at, evidence=evidence, source=source):
            return _became_ready(activity, at, evidence, source)
        case Entered(at=at, delivery_id=delivery_id):
            entered = prompted(activity, Submission(delivery_id, at))
            return to(entered, Running(Proof(at, Source.SUBMIT, f"prompt {delivery_id} entered")))
        case Quiet():
            return _quiet(activity, signal, rules)
        case StallChecked(at=at, seconds=seconds):
            return _stalled(activity, at, seconds)
        case never:
            assert_never(never)


def _correct_gone(activity: Activity, signal: Signal) -> Activity:
    """An exit is final; a loss is corrected only by learning how the process really ended."""
    if isinstance(activity.state, Lost) and isinstance(signal, ProcessExited):
        return to(activity, Exited(Proof(signal.at, Source.EXIT, str(signal.status)), signal.status))
    return activity


def _dialog_seen(activity: Activity, question: str, proof: Proof) -> Activity:
    if isinstance(activity.state, Starting):
        return to(activity, Asking(proof, question))
    another = asks_before_start(activity) and isinstance(activity.state, Asking) and activity.state.question != question
    return evolve(activity, state=Asking(proof, question)) if another else activity


def _printed(activity: Activity, at: datetime, rules: Rules) -> Activity:
    """Output means work only where nothing better ever spoke, and not before the first prompt: that is a greeting."""
    if activity.title_speaks or activity.hook_at is not None or rules.status_file:
        return activity
    if isinstance(activity.state, Idle) and was_prompted(activity):
        return to(reacted(activity), Running(Proof(at, Source.OUTPUT, "it writes")))
    return reacted(activity)


def _became_ready(activity: Activity, at: datetime, evidence: str, source: Source) -> Activity:
    ready = evolve(activity, ready=True)
    if isinstance(activity.state, Starting) or asks_before_start(activity):
        return to(ready, Idle(Proof(at, source, evidence)))
    return ready


def asks_before_start(activity: Activity) -> bool:
    """Whether it waits for a person before it was ever ready: for an answer, or for a look at what it shows."""
    return isinstance(activity.state, Asking) and not activity.ready


def _quiet(activity: Activity, signal: Quiet, rules: Rules) -> Activity:
    proof = Proof(signal.at, Source.SILENCE, f"silent for {signal.seconds:.0f} s")
    if signal.prompt_shown:
        proof = Proof(signal.at, Source.SCREEN, "its prompt is shown")
    enough = signal.prompt_shown or (
        not rules.has_prompt_pattern and signal.seconds >= rules.idle_after and not signal.busy_child
    )
    match activity.state:
        case Starting(proof=since) if rules.status_file or rules.screen_tells_ready:
            late = signal.at - since.since >= timedelta(seconds=rules.ready_within)
            return to(activity, Asking(proof, "It does not get ready: look at its terminal.")) if late else activity
        case Starting():
            return to(evolve(activity, ready=True), Idle(proof)) if enough else activity
        case Running():
            return _quiet_while_running(activity, signal, rules, proof, enough)
        case Idle() | Asking() | Exited() | Lost():
            return activity
        case never:
            assert_never(never)


def _quiet_while_running(activity: Activity, signal: Quiet, rules: Rules, proof: Proof, enough: bool) -> Activity:
    if not activity.title_speaks and activity.hook_at is None and not rules.status_file:
        return turn_over(activity, proof) if enough else activity
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
