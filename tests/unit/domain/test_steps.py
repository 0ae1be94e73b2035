"""The step engine: what follows from turns, prompts and exits, one by one and in any order whatsoever."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.domain import steps
from supervisor.domain.agent import (
    GONE,
    Activity,
    Asking,
    Delivery,
    DeliveryState,
    Exited,
    ExitStatus,
    Idle,
    Lost,
    Running,
    Starting,
)
from supervisor.domain.delivery import outcome_of
from supervisor.domain.ids import DeliveryId
from supervisor.domain.issue_type import Mode, Step
from supervisor.domain.steps import (
    NOTHING,
    OVER,
    Broke,
    Checked,
    NeedsCheck,
    Progress,
    Prompting,
    StepsDone,
    Vanished,
    Wait,
    WithPerson,
    Working,
    begin,
    judge,
    observe,
)
from tests.unit.domain.samples import (
    AGENT,
    ASKING,
    EXITED,
    FAILED,
    IDLE,
    KILLED,
    LOST,
    NOON,
    PROMPT,
    PROOF,
    RUNNING,
    STARTING,
    activity,
    delivery,
    progress,
)

ALONE, PAIRED = Mode.AUTONOMOUS, Mode.PAIRED
DO = Step("do", "prompt", ("*.md",), max_turns=3)
STEPS = (DO, Step("show", "prompt"))
PROMPTING = Prompting(PROMPT, "text")
WORKING = Working(PROMPT)
PENDING, TYPED, SUBMITTED, DELIVERED, REFUSED, UNKNOWN = DeliveryState
OTHER = DeliveryId("A-1~1.cafe")


def look(phase: steps.Phase, state: Any, given: Delivery | None = None, turns: int = 0, mode: Mode = ALONE) -> Any:
    """The phase that follows, or NeedsCheck or Wait."""
    found = observe(progress(phase), activity(state, turns), given, mode, NOON)
    return found.phase if isinstance(found, Progress) else found


# --- prompts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [STARTING, IDLE, RUNNING, ASKING])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_step_works_once_its_prompt_was_entered(state: Any, mode: Mode) -> None:
    for given in (SUBMITTED, DELIVERED):
        assert look(PROMPTING, state, delivery(given), mode=mode) == WORKING
    for given in (PENDING, TYPED):
        assert look(PROMPTING, state, delivery(given), mode=mode) == Wait()
    assert look(PROMPTING, state, None, mode=mode) == Wait()
    assert look(PROMPTING, state, delivery(DELIVERED, id=OTHER), mode=mode) == Wait()


@pytest.mark.parametrize("phase", [PROMPTING, WORKING])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_prompt_that_was_not_taken_needs_a_person(phase: Any, mode: Mode) -> None:
    refused = look(phase, IDLE, delivery(REFUSED, reason="no paste"), turns=2, mode=mode)
    assert refused == WithPerson("the prompt was not taken (no paste)", 2, took_prompt=False)
    unknown = look(phase, ASKING, delivery(UNKNOWN, turns_before=2), turns=2, mode=mode)
    assert unknown == WithPerson("the prompt was not taken (unknown)", 2, took_prompt=False)


def test_a_prompt_that_is_only_typed_ends_no_turn_of_before() -> None:
    """Its `turns_before` is not known before Enter: the last step's turn must not be judged again."""
    assert look(PROMPTING, IDLE, delivery(TYPED, turns_before=0), turns=3) == Wait()
    assert look(WORKING, IDLE, delivery(TYPED, turns_before=0), turns=3) == Wait()


# --- turns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [SUBMITTED, DELIVERED])
def test_a_turn_that_ended_after_the_prompt_is_looked_at(given: DeliveryState) -> None:
    assert look(WORKING, IDLE, delivery(given, turns_before=2), turns=2) == Wait()
    assert look(WORKING, IDLE, delivery(given, turns_before=2), turns=3) == NeedsCheck()
    assert look(WORKING, RUNNING, delivery(given, turns_before=2), turns=3) == Wait()
    assert look(WORKING, ASKING, delivery(given, turns_before=2), turns=3) == Wait()


@pytest.mark.parametrize("phase", [WORKING, WithPerson("why", 0)])
def test_beside_a_person_a_turns_end_means_nothing(phase: Any) -> None:
    assert look(phase, IDLE, delivery(DELIVERED), turns=9, mode=PAIRED) == Wait()


@pytest.mark.parametrize("ended", [0, 1])
def test_a_prompt_that_was_taken_after_all_is_judged(ended: int) -> None:
    """It seemed lost, then the agent worked: whether its turn ended before or after a person was asked."""
    lost = delivery(UNKNOWN, turns_before=4)
    asked = observe(progress(WORKING), activity(ASKING if ended == 0 else IDLE, 4 + ended), lost, ALONE, NOON)
    assert isinstance(asked, Progress)
    assert isinstance(asked.phase, WithPerson)
    assert observe(asked, activity(IDLE, 4), None, ALONE, NOON) == Wait()
    assert observe(asked, activity(RUNNING, 5), None, ALONE, NOON) == Wait()
    over = activity(IDLE, 5)
    assert observe(asked, over, None, ALONE, NOON) == NeedsCheck()
    assert judge(asked, over, Checked(()), (DO,), NOON).phase == StepsDone(NOON)


# --- judging -------------------------------------------------------------------------------------

MISSING = Checked(("*.md",))


def test_a_finished_step_is_followed_by_the_next_and_the_last_one_by_the_end() -> None:
    second = judge(progress(WORKING, nudges=2, baseline={"a.md": "1"}), activity(), Checked(()), STEPS, NOON)
    assert second == progress(Prompting(DeliveryId("A-1~1.1.1.0"), ""), step=1)
    assert judge(evolve(second, phase=WORKING), activity(), Checked(()), STEPS, NOON).phase == StepsDone(NOON)


def test_a_missing_artifact_is_asked_for_and_named_until_the_turns_are_used_up() -> None:
    seen = progress(WORKING)
    ids = []
    for turns in range(1, 3):
        seen = judge(seen, activity(IDLE, turns), MISSING, STEPS, NOON)
        assert isinstance(seen.phase, Prompting)
        assert "*.md" in seen.phase.text
        assert seen.phase.origin == "nudge"
        ids.append(seen.phase.delivery_id)
        seen = evolve(seen, phase=Working(seen.phase.delivery_id))
    assert ids == ["A-1~1.0.1.1", "A-1~1.0.1.2"]
    seen = judge(seen, activity(IDLE, 3), MISSING, STEPS, NOON)
    assert seen.phase == WithPerson("3 turns ended without *.md", 3)


def test_one_turn_may_be_all_a_step_gets() -> None:
    found = judge(progress(WORKING), activity(IDLE, 1), MISSING, (evolve(DO, max_turns=1),), NOON)
    assert found.phase == WithPerson("1 turns ended without *.md", 1)


def test_while_a_person_is_asked_nobody_else_types() -> None:
    asked = progress(WithPerson("the prompt was not taken", 1, took_prompt=False))
    still = judge(asked, activity(IDLE, 2), MISSING, STEPS, NOON)
    assert still == evolve(asked, phase=WithPerson("a turn ended without *.md", 2))
    assert observe(still, activity(IDLE, 2), None, ALONE, NOON) == Wait()
    assert observe(still, activity(IDLE, 3), None, ALONE, NOON) == NeedsCheck()
    assert judge(still, activity(IDLE, 3), Checked(()), STEPS, NOON) == begin(still, 1)


# --- the end of the agent ------------------------------------------------------------------------

ALIVE_PHASES = [PROMPTING, WORKING, WithPerson("why", 0)]


@pytest.mark.parametrize("phase", ALIVE_PHASES)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_lost_or_failed_agent_ends_its_steps(phase: Any, mode: Mode) -> None:
    assert look(phase, LOST, mode=mode) == Vanished(NOON, "the server died")
    assert look(phase, FAILED, mode=mode) == Broke(NOON, "the agent ended with exit 1")
    assert look(phase, KILLED, mode=mode) == Broke(NOON, "the agent ended with signal 9")
    unknown = Exited(PROOF, ExitStatus())
    assert look(phase, unknown, mode=mode) == Broke(NOON, "the agent ended with exit status unknown")


@pytest.mark.parametrize("phase", ALIVE_PHASES)
def test_a_person_ends_a_paired_ticket_by_leaving(phase: Any) -> None:
    assert look(phase, EXITED, mode=PAIRED) == StepsDone(NOON)


@pytest.mark.parametrize("phase", [PROMPTING, WORKING])
@pytest.mark.parametrize("given", [SUBMITTED, DELIVERED, UNKNOWN])
def test_leaving_well_after_the_prompt_is_the_end_of_a_turn_however_fast_it_was(
    phase: Any, given: DeliveryState
) -> None:
    assert look(phase, EXITED, delivery(given)) == NeedsCheck()


@pytest.mark.parametrize("phase", [PROMPTING, WORKING])
@pytest.mark.parametrize("given", [PENDING, TYPED, REFUSED])
def test_leaving_before_the_prompt_is_no_success(phase: Any, given: DeliveryState) -> None:
    assert look(phase, EXITED, delivery(given)) == Broke(NOON, "the agent ended before it took its prompt")


def test_leaving_while_a_person_is_asked_is_a_turns_end_only_if_the_prompt_was_ever_taken() -> None:
    assert look(WithPerson("why", 2), EXITED, turns=2) == NeedsCheck()
    untaken = WithPerson("why", 2, took_prompt=False)
    assert look(untaken, EXITED, turns=2) == Broke(NOON, "the agent ended before it took its prompt")
    assert look(untaken, EXITED, turns=3) == NeedsCheck()


def test_a_prompting_without_its_delivery_or_a_working_one_is_believed() -> None:
    assert isinstance(look(PROMPTING, EXITED, None), Broke)
    assert look(WORKING, EXITED, None) == NeedsCheck()


def test_an_agent_that_left_is_judged_by_what_it_left() -> None:
    def left(checked: Checked, step: int) -> steps.Phase:
        return judge(progress(WORKING, step=step), activity(EXITED, 1), checked, STEPS, NOON).phase

    assert left(Checked(()), 1) == StepsDone(NOON)
    assert left(Checked(()), 0) == Broke(NOON, "the agent ended after step do")
    assert left(MISSING, 0) == Broke(NOON, "the agent ended without *.md")


@pytest.mark.parametrize("phase", [StepsDone(NOON), Broke(NOON, "r"), Vanished(NOON, "r")])
@pytest.mark.parametrize("state", [IDLE, RUNNING, EXITED, FAILED, LOST])
def test_what_is_over_stays_over(phase: Any, state: Any) -> None:
    assert look(phase, state, delivery(REFUSED), turns=9) == Wait()


# --- anything in any order -----------------------------------------------------------------------

KINDS = st.lists(
    st.builds(
        Step,
        name=st.sampled_from(["plan", "build", "show"]),
        prompt=st.just("p"),
        artifacts=st.sampled_from([(), ("*.md",), ("*.md", "*.png")]),
        max_turns=st.integers(1, 3),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


class AnyOrder(RuleBasedStateMachine):
    """Agent, session, worktree and person do what they like; the engine is driven as its actor drives it."""

    steps: tuple[Step, ...] = ()

    @initialize(kinds=KINDS, mode=st.sampled_from(Mode))
    def set_out(self, kinds: tuple[Step, ...], mode: Mode) -> None:
        self.steps, self.mode = kinds, mode
        self.progress = begin(progress(Working(NOTHING)), 0)
        self.activity: Activity = activity(STARTING)
        self.deliveries: dict[DeliveryId, Delivery] = {}
        self.texts: dict[DeliveryId, str] = {}
        self.made: set[str] = set()
        self.judged = 0
        self.nudges: dict[int, int] = {}

    @property
    def alive(self) -> bool:
        return not isinstance(self.activity.state, GONE)

    # What the review actor does.

    @rule()
    def look(self) -> None:
        for _ in range(20):
            before = self.progress
            if not self._one_move():
                return
            assert not isinstance(before.phase, OVER)
        raise AssertionError("it never comes to rest")

    def _one_move(self) -> bool:
        phase = self.progress.phase
        if isinstance(phase, Prompting):
            self._deliver(phase)
            phase = self.progress.phase
        named = phase.delivery_id if isinstance(phase, Prompting | Working) else None
        given = self.deliveries.get(named) if named is not None else None
        seen = observe(self.progress, self.activity, given, self.mode, NOON)
        if isinstance(seen, Wait):
            return False
        if isinstance(seen, NeedsCheck):
            if self.alive:
                assert self.activity.turns_ended > self.judged, "a turn was judged twice"
                self.judged = self.activity.turns_ended
            lacking = tuple(glob for glob in self.steps[self.progress.step].artifacts if glob not in self.made)
            seen = judge(self.progress, self.activity, Checked(lacking), self.steps, NOON)
            if seen.step != self.progress.step:
                self.made.clear()
        self.progress = seen
        return True

    def _deliver(self, phase: Prompting) -> None:
        text = phase.text or f"step {self.progress.step}, run {self.progress.run}"
        self.progress = evolve(self.progress, phase=evolve(phase, text=text))
        assert self.texts.setdefault(phase.delivery_id, text) == text, "one id for two prompts"
        if phase.origin == "nudge":
            self.nudges[self.progress.step] = max(self.nudges.get(self.progress.step, 0), self.progress.nudges)
        if self.alive and phase.delivery_id not in self.deliveries:
            self.deliveries[phase.delivery_id] = Delivery(phase.delivery_id, AGENT, text, NOON)

    # What the session does.

    def _open(self, *among: DeliveryState) -> Delivery | None:
        found = [each for each in self.deliveries.values() if each.state in among]
        return found[0] if found and self.alive else None

    @rule(refuse=st.booleans())
    def type(self, refuse: bool) -> None:
        if (found := self._open(PENDING)) is not None and isinstance(self.activity.state, Idle):
            self.deliveries[found.id] = evolve(found, state=REFUSED if refuse else TYPED)

    @rule()
    def enter(self) -> None:
        if (found := self._open(TYPED)) is not None and isinstance(self.activity.state, Idle):
            self.deliveries[found.id] = evolve(found, state=SUBMITTED, turns_before=self.activity.turns_ended)
            self.activity = evolve(self.activity, state=Running(PROOF))

    @rule(taken=st.booleans())
    def prove(self, taken: bool) -> None:
        if (found := self._open(SUBMITTED)) is not None:
            self.deliveries[found.id] = evolve(found, state=DELIVERED if taken else UNKNOWN)
            if not taken and isinstance(self.activity.state, Running):
                self.activity = evolve(self.activity, state=Asking(PROOF, "no reaction"))

    # What the agent does.

    @rule(state=st.sampled_from([Idle(PROOF), Running(PROOF), Asking(PROOF, "?")]))
    def turn_into(self, state: Any) -> None:
        """Become ready, begin by a person's own prompt, end a turn, ask, be answered."""
        if not self.alive:
            return
        ends = isinstance(state, Idle) and isinstance(self.activity.state, Running | Asking)
        self.activity = evolve(self.activity, state=state, turns_ended=self.activity.turns_ended + ends)

    @rule(glob=st.sampled_from(["*.md", "*.png"]))
    def make(self, glob: str) -> None:
        self.made.add(glob)

    @precondition(lambda self: self.steps)
    @rule(end=st.sampled_from([Lost(PROOF, "r"), *(Exited(PROOF, ExitStatus(code=code)) for code in (0, 1))]))
    def end(self, end: Any) -> None:
        if not self.alive:
            return
        self.activity = evolve(self.activity, state=end)
        for each in self.deliveries.values():
            if each.state in (PENDING, TYPED, SUBMITTED):
                outcome = outcome_of(each, self.activity) or evolve(each, state=REFUSED)
                self.deliveries[each.id] = outcome

    # What holds whatever happens.

    @invariant()
    def nudges_are_bounded(self) -> None:
        for step, count in getattr(self, "nudges", {}).items():
            assert count < self.steps[step].max_turns

    def teardown(self) -> None:
        """If everybody does their part from here on, it ends; what does not end waits for somebody who is named."""
        if not self.steps:
            return
        for _ in range(40):
            self.look()
            if isinstance(self.progress.phase, OVER):
                return
            assert self.alive, f"its agent is gone, and nothing follows: {self.progress.phase}"
            self._do_their_part()
        raise AssertionError(f"it never ends: {self.progress} {self.activity} {self.deliveries}")

    def _do_their_part(self) -> None:
        phase, state = self.progress.phase, self.activity.state
        self.made |= {"*.md", "*.png"}
        if isinstance(state, Starting | Asking | Running):
            self.turn_into(Idle(PROOF))
            return
        self.type(False)
        self.enter()
        self.prove(True)
        if isinstance(self.activity.state, Idle) and isinstance(phase, WithPerson):
            self.turn_into(Running(PROOF))
        if self.mode is Mode.PAIRED and isinstance(phase, Working | WithPerson):
            self.end(Exited(PROOF, ExitStatus(code=0)))


AnyOrder.TestCase.settings = settings(max_examples=400, stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase
