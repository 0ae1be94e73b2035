"""The step engine: what follows when a turn ends, an agent exits, an artifact is missing or a person decides. Pure."""

from datetime import datetime, timedelta
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain.agent import GONE, Activity, Asking, Delivery, DeliveryState, Exited, Idle, Lost
from supervisor.domain.agent import Running as AgentRunning
from supervisor.domain.agent import Starting as AgentStarting
from supervisor.domain.ids import DeliveryId
from supervisor.domain.issue_type import IssueType, Mode, Step
from supervisor.domain.phases import (
    OVER,
    Broke,
    Due,
    HandedOver,
    InReview,
    Limited,
    Phase,
    Progress,
    Prompting,
    Resting,
    Shelved,
    StepsDone,
    Vanished,
    WithPerson,
    Working,
)
from supervisor.domain.review import ReviewKind
from supervisor.domain.ticket import Resume

ERROR_REST = timedelta(seconds=10)
"""How long an agent is left alone after a turn that ended with an error; twice as long each further time."""


@frozen
class Scene:
    """What progress is judged by."""

    activity: Activity
    kind: IssueType
    now: datetime
    modes: bool = False
    """Whether a permission mode means something to the agent's CLI."""
    after_plan: str | None = None
    """The mode that the CLI is in once a plan was accepted with the next step's mode."""

    @property
    def gone(self) -> bool:
        return isinstance(self.activity.state, GONE)

    def step(self, progress: Progress) -> Step:
        return self.kind.steps[progress.step]


@frozen
class Checked:
    """What the worktree holds at a turn's end: globs without a file made or changed in this run."""

    missing: tuple[str, ...]


@frozen
class NeedsCheck:
    """The turn is over; whether its artifacts are there must be looked up before `judge`."""


@frozen
class NeedsReview:
    """What a person decides about must be gathered, and the review be opened."""


@frozen
class Wait:
    """Nothing to do."""


Next = Progress | NeedsCheck | NeedsReview | Wait


def observe(progress: Progress, scene: Scene, delivery: Delivery | None) -> Next:
    """What an agent's newest state means for its step, as far as that needs no look at the worktree."""
    if isinstance(progress.phase, OVER):
        return Wait()
    if isinstance(progress.phase, Due):
        return NeedsReview()
    if isinstance(progress.phase, InReview):
        return _observe_reviewed(progress, scene)
    activity, now = scene.activity, scene.now
    match activity.state:
        case Lost(reason=reason):
            return evolve(progress, phase=Vanished(now, reason))
        case Exited(status=status):
            if not status.ok:
                return evolve(progress, phase=Broke(now, f"the agent ended with {status}"))
            if scene.kind.mode is Mode.PAIRED:
                return evolve(progress, phase=StepsDone(now))
            if not _took_prompt(progress.phase, activity, delivery):
                return evolve(progress, phase=Broke(now, "the agent ended before it took its prompt"))
            return NeedsCheck()
        case AgentStarting() | AgentRunning() | Idle() | Asking():
            return _observe_alive(progress, scene, delivery)
        case never:
            assert_never(never)


def _observe_reviewed(progress: Progress, scene: Scene) -> Next:
    """Whoever types a prompt while a review waits has more to say than a verdict: what comes of it is judged anew.

    An agent that ends meanwhile is missed by nobody: its slot is free, and the verdict puts the ticket in line again.
    """
    if scene.gone and isinstance(progress.phase, InReview):
        return evolve(
            progress,
            phase=Shelved(scene.now, Resume(progress.step, progress.run, review_id=progress.phase.review_id)),
        )
    if isinstance(scene.activity.state, AgentRunning | Asking):
        return evolve(progress, phase=WithPerson(AT_TERMINAL, scene.activity.turns_ended))
    return Wait()


AT_TERMINAL = "a person went on at its terminal"


def _took_prompt(phase: Phase, activity: Activity, delivery: Delivery | None) -> bool:
    """Whether an agent that left had been given its prompt, whether or not that was observed before it left."""
    match phase:
        case Prompting(delivery_id=delivery_id):
            return delivery is not None and delivery.id == delivery_id and delivery.state in _ENTERED
        case Working(delivery_id=delivery_id):
            return delivery is None or delivery.id != delivery_id or delivery.state in _ENTERED
        case WithPerson(turns=turns, took_prompt=took_prompt):
            return took_prompt or activity.turns_ended > turns
        case _:
            return True


_ENTERED = (DeliveryState.SUBMITTED, DeliveryState.DELIVERED, DeliveryState.UNKNOWN)
"""Enter was pressed. A program that leaves at once is gone before anything else can be known of it."""


def _observe_alive(progress: Progress, scene: Scene, delivery: Delivery | None) -> Next:
    activity, autonomous = scene.activity, scene.kind.mode is Mode.AUTONOMOUS
    timed = _timed(progress, scene)
    if timed is not progress:
        return timed
    overdue = deadline(progress, scene.step(progress))
    if overdue is not None and scene.now >= overdue:
        return evolve(progress, phase=Broke(scene.now, f"step {scene.step(progress).name} took longer than it may"))
    if autonomous and plan_taken(progress, scene) and progress.step + 1 < len(scene.kind.steps):
        return _after_plan(progress, scene)
    match progress.phase:
        case Prompting(delivery_id=delivery_id) | Working(delivery_id=delivery_id):
            if delivery is None or delivery.id != delivery_id:
                return Wait()
            return _after_prompt(progress, activity, delivery, scene.kind.mode)
        case WithPerson(turns=turns):
            if autonomous and isinstance(activity.state, Idle) and activity.turns_ended > turns:
                return NeedsCheck()
            return Wait()
        case Resting(until=until, why=why, turns=turns):
            if not isinstance(activity.state, Idle):
                return Wait()  # a person has begun a turn meanwhile: its end is judged
            if activity.turns_ended > turns:
                return NeedsCheck()
            return _go_on(progress, why) if scene.now >= until else Wait()
        case _:
            return Wait()


def deadline(progress: Progress, step: Step) -> datetime | None:
    """When the run's time is used up; None if it has no limit, or waits for a person."""
    if step.max_time is None or progress.began_at is None or progress.asking_since is not None:
        return None
    if not isinstance(progress.phase, Prompting | Working | Resting):
        return None
    return progress.began_at + timedelta(seconds=step.max_time)


def _timed(progress: Progress, scene: Scene) -> Progress:
    """A run's time stands still while its agent waits for a person."""
    if scene.step(progress).max_time is None or progress.began_at is None:
        return progress
    state, asking = scene.activity.state, progress.asking_since
    if isinstance(state, Asking) and asking is None:
        return evolve(progress, asking_since=max(state.proof.since, progress.began_at))
    if not isinstance(state, Asking) and asking is not None:
        return evolve(progress, began_at=progress.began_at + max(scene.now - asking, timedelta()), asking_since=None)
    return progress


def plan_taken(progress: Progress, scene: Scene) -> bool:
    """Whether the plan that this step is to end with was accepted: by a verdict, or by the person at the terminal."""
    ends_by_plan = scene.step(progress).review is ReviewKind.PLAN and not isinstance(progress.phase, Prompting)
    return ends_by_plan and scene.activity.plans_taken > progress.plans


def _after_plan(progress: Progress, scene: Scene) -> Progress | Wait:
    """The CLI goes on by itself in the mode that it was given; the next step's prompt comes when that turn is over."""
    wanted = scene.kind.steps[progress.step + 1].permission_mode
    if scene.modes and scene.after_plan != wanted:
        return onward(progress, scene) if isinstance(scene.activity.state, Idle) else Wait()
    resume = _following(progress, scene)
    return begin(evolve(progress, mode=wanted), scene, resume.step, resume.run, resume=resume)


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
    return _nudge(progress, f"Your last turn ended with an error ({why}). Go on where you were.")


def _nudge(progress: Progress, text: str) -> Progress:
    nudged = evolve(progress, nudges=progress.nudges + 1)
    return evolve(nudged, phase=Prompting(delivery_id(nudged), text, "nudge", measured=True))


def _untaken(delivery: Delivery) -> str:
    return f"the prompt was not taken ({delivery.reason or delivery.state})"


def judge(progress: Progress, scene: Scene, checked: Checked) -> Progress:
    """What follows from a turn that ended with these artifacts missing.

    While a person is asked they are not interrupted: only a finished step goes on by itself.
    """
    step, activity, gone = scene.step(progress), scene.activity, scene.gone
    if not gone and activity.turn_error is not None:
        return _after_error(progress, activity, activity.turn_error, step, scene.now)
    if not gone and activity.interrupted:
        return evolve(progress, phase=WithPerson("its turn was interrupted", activity.turns_ended))
    if plan_taken(progress, scene):
        return onward(progress, scene)
    lacking = checked.missing
    if step.review is ReviewKind.PLAN and not step.artifacts:
        lacking = ("a proposed plan",)
    if not lacking:
        return onward(progress, scene) if step.review is None else evolve(progress, phase=Due(activity.turns_ended))
    missing = ", ".join(lacking)
    if gone:
        return evolve(progress, phase=Broke(scene.now, f"the agent ended without {missing}"))
    if isinstance(progress.phase, WithPerson):
        return evolve(progress, phase=WithPerson(f"a turn ended without {missing}", activity.turns_ended))
    if progress.nudges + 1 >= step.max_turns:
        why = f"{progress.nudges + 1} turns ended without {missing}"
        return evolve(progress, phase=WithPerson(why, activity.turns_ended))
    return _nudge(progress, f"The step {step.name} is not finished: nothing new matches {missing}. Make it, then stop.")


def _after_error(progress: Progress, activity: Activity, error: str, step: Step, now: datetime) -> Progress:
    if activity.limit_until is not None and activity.limit_until > now:
        return evolve(progress, phase=Limited(now, error, activity.limit_until))
    if isinstance(progress.phase, WithPerson) or progress.nudges + 1 >= step.max_turns:
        return evolve(progress, phase=WithPerson(f"its turn ended with an error: {error}", activity.turns_ended))
    rest = ERROR_REST * 2**progress.nudges
    return evolve(progress, phase=Resting(now + rest, error, activity.turns_ended))


def onward(progress: Progress, scene: Scene) -> Progress:
    """The step is done: the next one begins, or all are done."""
    resume = _following(progress, scene)
    if resume.step >= len(scene.kind.steps):
        return evolve(progress, phase=StepsDone(scene.now))
    return enter(progress, scene, resume)


def _following(progress: Progress, scene: Scene) -> Resume:
    """The next step. After a step that was run again it may be one that has been run before, too."""
    return Resume(progress.step + 1, progress.run, why=following_why(scene.step(progress), progress.run))


def following_why(step: Step, run: int) -> str:
    """Why a step begins after this run of the one before it, where it may not be the first time."""
    return f"it follows run {run} of step {step.name}" if run > 1 else ""


def enter(progress: Progress, scene: Scene, resume: Resume, text: str = "") -> Progress:
    """A run of a step, by this agent if it can, else by the ticket's next one."""
    step = resume.step
    if scene.gone:
        return evolve(progress, phase=HandedOver(scene.now, resume, "its agent has ended"))
    wanted = scene.kind.steps[step].permission_mode
    if scene.modes and wanted != progress.mode:
        why = f"step {scene.kind.steps[step].name} wants the permission mode {wanted or 'of the driver'}"
        return evolve(progress, phase=HandedOver(scene.now, resume, why))
    return begin(progress, scene, step, resume.run, text, resume)


def begin(
    progress: Progress, scene: Scene, step: int, run: int = 1, text: str = "", resume: Resume | None = None
) -> Progress:
    """The start of a run of a step by this agent; without a `text` its template is still to be rendered."""
    fresh = evolve(
        progress,
        step=step,
        run=run,
        nudges=0,
        baseline={},
        reason=resume.reason if resume else "",
        review_id=resume.review_id if resume else None,
        why=_why(resume) if resume else "",
        plans=scene.activity.plans_taken,
        began_at=scene.now,
        asking_since=None,
    )
    return evolve(fresh, phase=Prompting(delivery_id(fresh), text, "review" if text else "step"))


def _why(resume: Resume) -> str:
    return resume.why or (f"review {resume.review_id} was rejected" if resume.review_id is not None else "")


def delivery_id(progress: Progress) -> DeliveryId:
    """The same for the same prompt of the same run, so that asking twice delivers once."""
    return DeliveryId(f"{progress.agent_id}.{progress.step}.{progress.run}.{progress.nudges}")
