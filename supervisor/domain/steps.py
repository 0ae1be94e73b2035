"""The step engine: what follows when a turn ends, an agent exits, or an artifact is missing. Pure."""

from datetime import datetime, timedelta
from typing import assert_never

from attrs import evolve, field, frozen

from supervisor.domain.agent import Activity, Asking, Delivery, DeliveryState, Exited, Idle, Lost
from supervisor.domain.agent import Running as AgentRunning
from supervisor.domain.agent import Starting as AgentStarting
from supervisor.domain.ids import AgentId, DeliveryId, TicketId
from supervisor.domain.issue_type import Mode, Step

ERROR_REST = timedelta(seconds=10)
"""How long an agent is left alone after a turn that ended with an error; twice as long each further time."""
NOTHING = DeliveryId("")
"""The delivery of a progress that has not begun."""


@frozen
class Prompting:
    """The step's prompt (or a nudge) is intended; its delivery has this id and this text."""

    delivery_id: DeliveryId
    text: str
    origin: str = "step"


@frozen
class Working:
    """The prompt is in; its turn has not been judged yet."""

    delivery_id: DeliveryId


@frozen
class WithPerson:
    """Operator can go no further by itself: a person prompts the agent, finishes or cancels the ticket."""

    why: str
    turns: int
    """How many turns had ended when the person was asked: one more is judged anew."""
    took_prompt: bool = True
    """Whether the agent had taken the step's prompt; without it, its leaving is no end of a turn."""


@frozen
class StepsDone:
    """The last step ended."""

    at: datetime
    no_changes: bool = False
    """Neither a commit nor a changed file came of it."""
    dirty: bool = False


@frozen
class Broke:
    """This attempt is over without success."""

    at: datetime
    reason: str


@frozen
class Vanished:
    """The session was lost: no attempt is used up."""

    at: datetime
    reason: str


@frozen
class Resting:
    """A turn ended with an error that may pass: the agent is told to go on when `until` comes."""

    until: datetime
    why: str
    turns: int
    """How many turns had ended: one more, begun by a person, is judged anew."""


@frozen
class Limited:
    """The agent's CLI has reached its usage limit: no attempt is used up."""

    at: datetime
    reason: str
    until: datetime


Phase = Prompting | Working | WithPerson | Resting | StepsDone | Broke | Vanished | Limited
OVER = (StepsDone, Broke, Vanished, Limited)


@frozen
class Progress:
    """How far one agent has come with its ticket's steps. The review actor alone writes it."""

    ticket_id: TicketId
    agent_id: AgentId
    phase: Phase
    step: int = 0
    run: int = 1
    nudges: int = 0
    baseline: dict[str, str] = field(factory=dict)
    """Fingerprints of what matched the step's artifact globs when this run of the step began."""


@frozen
class Checked:
    """What the worktree holds at a turn's end: globs without a file made or changed in this run."""

    missing: tuple[str, ...]


@frozen
class NeedsCheck:
    """The turn is over; whether its artifacts are there must be looked up before `judge`."""


@frozen
class Wait:
    """Nothing to do."""


def observe(
    progress: Progress, activity: Activity, delivery: Delivery | None, mode: Mode, now: datetime
) -> Progress | NeedsCheck | Wait:
    """What an agent's newest state means for its step, as far as that needs no look at the worktree."""
    if isinstance(progress.phase, OVER):
        return Wait()
    match activity.state:
        case Lost(reason=reason):
            return evolve(progress, phase=Vanished(now, reason))
        case Exited(status=status):
            if not status.ok:
                return evolve(progress, phase=Broke(now, f"the agent ended with {status}"))
            if mode is Mode.PAIRED:
                return evolve(progress, phase=StepsDone(now))
            if not _took_prompt(progress.phase, activity, delivery):
                return evolve(progress, phase=Broke(now, "the agent ended before it took its prompt"))
            return NeedsCheck()
        case AgentStarting() | AgentRunning() | Idle() | Asking():
            return _observe_alive(progress, activity, delivery, mode, now)
        case never:
            assert_never(never)


def _took_prompt(phase: Phase, activity: Activity, delivery: Delivery | None) -> bool:
    """Whether an agent that left had been given its prompt, whether or not that was observed before it left."""
    match phase:
        case Prompting(delivery_id=delivery_id):
            return delivery is not None and delivery.id == delivery_id and delivery.state in _ENTERED
        case Working(delivery_id=delivery_id):
            return delivery is None or delivery.id != delivery_id or delivery.state in _ENTERED
        case WithPerson(turns=turns, took_prompt=took_prompt):
            return took_prompt or activity.turns_ended > turns
        case Resting() | StepsDone() | Broke() | Vanished() | Limited():
            return True
        case never:
            assert_never(never)


_ENTERED = (DeliveryState.SUBMITTED, DeliveryState.DELIVERED, DeliveryState.UNKNOWN)
"""Enter was pressed. A program that leaves at once is gone before anything else can be known of it."""


def _observe_alive(
    progress: Progress, activity: Activity, delivery: Delivery | None, mode: Mode, now: datetime
) -> Progress | NeedsCheck | Wait:
    match progress.phase:
        case Prompting(delivery_id=delivery_id) | Working(delivery_id=delivery_id):
            if delivery is None or delivery.id != delivery_id:
                return Wait()
            return _after_prompt(progress, activity, delivery, mode)
        case WithPerson(turns=turns):
            if mode is Mode.AUTONOMOUS and isinstance(activity.state, Idle) and activity.turns_ended > turns:
                return NeedsCheck()
            return Wait()
        case Resting(until=until, why=why, turns=turns):
            if isinstance(activity.state, Idle) and activity.turns_ended > turns:
                return NeedsCheck()
            return _go_on(progress, why) if now >= until else Wait()
        case StepsDone() | Broke() | Vanished() | Limited():
            return Wait()
        case never:
            assert_never(never)


def _after_prompt(
    progress: Progress, activity: Activity, delivery: Delivery, mode: Mode
) -> Progress | NeedsCheck | Wait:
    """The prompt has an id, and this is what is known of it."""
    match delivery.state:
        case DeliveryState.PENDING | DeliveryState.TYPED:
            return Wait()  # until Enter is pressed, no turn is this prompt's
        case DeliveryState.REFUSED:
            return evolve(progress, phase=WithPerson(_untaken(delivery), activity.turns_ended, took_prompt=False))
        case DeliveryState.UNKNOWN:
            # It may be taken yet: a turn that ends after Enter is judged, also one that has ended meanwhile.
            return evolve(progress, phase=WithPerson(_untaken(delivery), delivery.turns_before, took_prompt=False))
        case DeliveryState.SUBMITTED | DeliveryState.DELIVERED:
            if isinstance(progress.phase, Prompting):
                return evolve(progress, phase=Working(delivery.id))
            over = isinstance(activity.state, Idle) and activity.turns_ended > delivery.turns_before
            return NeedsCheck() if over and mode is Mode.AUTONOMOUS else Wait()
        case never:
            assert_never(never)


def _go_on(progress: Progress, why: str) -> Progress:
    nudged = evolve(progress, nudges=progress.nudges + 1)
    text = f"Your last turn ended with an error ({why}). Go on where you were."
    return evolve(nudged, phase=Prompting(delivery_id(nudged), text, "nudge"))


def _untaken(delivery: Delivery) -> str:
    return f"the prompt was not taken ({delivery.reason or delivery.state})"


def judge(progress: Progress, activity: Activity, checked: Checked, steps: tuple[Step, ...], now: datetime) -> Progress:
    """What follows from a turn that ended with these artifacts missing.

    While a person is asked they are not interrupted: only a finished step goes on by itself.
    A phase `Prompting` in the answer carries an empty text when the next step's own template is to be
    rendered, and a finished text when it is a nudge.
    """
    step = steps[progress.step]
    gone = isinstance(activity.state, Exited)
    if not gone and activity.turn_error is not None:
        return _after_error(progress, activity, activity.turn_error, step, now)
    if not gone and activity.interrupted:
        return evolve(progress, phase=WithPerson("its turn was interrupted", activity.turns_ended))
    if not checked.missing:
        if progress.step + 1 >= len(steps):
            return evolve(progress, phase=StepsDone(now))
        if gone:
            return evolve(progress, phase=Broke(now, f"the agent ended after step {step.name}"))
        return begin(progress, progress.step + 1)
    missing = ", ".join(checked.missing)
    if gone:
        return evolve(progress, phase=Broke(now, f"the agent ended without {missing}"))
    if isinstance(progress.phase, WithPerson):
        return evolve(progress, phase=WithPerson(f"a turn ended without {missing}", activity.turns_ended))
    if progress.nudges + 1 >= step.max_turns:
        why = f"{progress.nudges + 1} turns ended without {missing}"
        return evolve(progress, phase=WithPerson(why, activity.turns_ended))
    nudged = evolve(progress, nudges=progress.nudges + 1)
    text = f"The step {step.name} is not finished: nothing new matches {missing}. Make it, then stop."
    return evolve(nudged, phase=Prompting(delivery_id(nudged), text, "nudge"))


def _after_error(progress: Progress, activity: Activity, error: str, step: Step, now: datetime) -> Progress:
    if activity.limit_until is not None and activity.limit_until > now:
        return evolve(progress, phase=Limited(now, error, activity.limit_until))
    if isinstance(progress.phase, WithPerson) or progress.nudges + 1 >= step.max_turns:
        return evolve(progress, phase=WithPerson(f"its turn ended with an error: {error}", activity.turns_ended))
    rest = ERROR_REST * 2**progress.nudges
    return evolve(progress, phase=Resting(now + rest, error, activity.turns_ended))


def begin(progress: Progress, step: int, run: int = 1) -> Progress:
    """The start of a run of a step; its prompt is still to be rendered."""
    fresh = evolve(progress, step=step, run=run, nudges=0, baseline={})
    return evolve(fresh, phase=Prompting(delivery_id(fresh), ""))


def delivery_id(progress: Progress) -> DeliveryId:
    """The same for the same prompt of the same run, so that asking twice delivers once."""
    return DeliveryId(f"{progress.agent_id}.{progress.step}.{progress.run}.{progress.nudges}")
