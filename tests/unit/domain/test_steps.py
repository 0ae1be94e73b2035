"""The step engine: what follows from turns, prompts and exits, one by one."""

from datetime import datetime
from typing import Any

import pytest
from attrs import evolve

from supervisor.domain import phases, steps
from supervisor.domain.agent import (
    Activity,
    Delivery,
    DeliveryState,
    Exited,
    ExitStatus,
)
from supervisor.domain.ids import DeliveryId
from supervisor.domain.issue_type import IssueType, Mode, Step
from supervisor.domain.phases import (
    OVER,
    Broke,
    Limited,
    Progress,
    Prompting,
    Resting,
    StepsDone,
    Vanished,
    WithPerson,
    Working,
)
from supervisor.domain.steps import ERROR_REST, Checked, NeedsCheck, Scene, Wait
from supervisor.domain.ticket import Resume
from tests.unit.domain.samples import (
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


def scene(seen: Activity, all_steps: tuple[Step, ...] = STEPS, mode: Mode = ALONE, now: datetime = NOON) -> Scene:
    return Scene(seen, IssueType("T", all_steps, mode), now)


def observe(of: Progress, seen: Activity, given: Delivery | None, mode: Mode, now: datetime) -> steps.Next:
    return steps.observe(of, scene(seen, mode=mode, now=now), given)


def judge(of: Progress, seen: Activity, checked: Checked, all_steps: tuple[Step, ...], now: datetime) -> Progress:
    return steps.judge(of, scene(seen, all_steps, now=now), checked)


def begin(of: Progress, step: int, run: int = 1) -> Progress:
    return steps.begin(of, scene(activity()), step, run)


def look(phase: phases.Phase, state: Any, given: Delivery | None = None, turns: int = 0, mode: Mode = ALONE) -> Any:
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
    assert second == progress(Prompting(DeliveryId("A-1~1.1.1.0"), ""), step=1, began_at=NOON)
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


# --- turns that did not end well -------------------------------------------------------------------

ERROR = "API Error: 500"


def broken(turns: int, until: Any = None) -> Activity:
    return evolve(activity(IDLE, turns), turn_error=ERROR, limit_until=until)


def test_after_an_error_it_rests_ever_longer_and_is_told_to_go_on_until_its_turns_are_used_up() -> None:
    seen, rests = progress(WORKING), []
    for turns in (1, 2):
        seen = judge(seen, broken(turns), MISSING, STEPS, NOON)
        assert isinstance(seen.phase, Resting)
        rests.append(seen.phase.until - NOON)
        assert observe(seen, broken(turns), None, ALONE, NOON) == Wait()
        told = observe(seen, broken(turns), None, ALONE, seen.phase.until)
        assert isinstance(told, Progress)
        assert isinstance(told.phase, Prompting)
        assert told.phase.origin == "nudge"
        assert ERROR in told.phase.text
        seen = evolve(told, phase=Working(told.phase.delivery_id))
    assert rests == [ERROR_REST, 2 * ERROR_REST]
    asked = judge(seen, broken(3), MISSING, STEPS, NOON)
    assert asked.phase == WithPerson(f"its turn ended with an error: {ERROR}", 3)


def test_a_turn_that_a_person_begins_ends_the_rest() -> None:
    resting = progress(Resting(NOON + ERROR_REST, ERROR, 4))
    assert observe(resting, activity(RUNNING, 4), None, ALONE, NOON) == Wait()
    assert observe(resting, activity(IDLE, 5), None, ALONE, NOON) == NeedsCheck()
    over = judge(resting, activity(IDLE, 5), Checked(()), (DO,), NOON)
    assert over.phase == StepsDone(NOON)


@pytest.mark.parametrize("state", [RUNNING, ASKING, STARTING])
def test_nothing_is_typed_while_the_agent_is_not_at_rest(state: Any) -> None:
    """A person may have begun a turn, or a dialog may be open, when the rest is over."""
    resting = progress(Resting(NOON, ERROR, 4))
    assert observe(resting, activity(state, 4), None, ALONE, NOON + ERROR_REST) == Wait()


@pytest.mark.parametrize("phase", [WORKING, WithPerson("why", 1), Resting(NOON, ERROR, 1)])
def test_a_usage_limit_ends_the_attempt_whoever_is_at_it(phase: Any) -> None:
    until = NOON + 100 * ERROR_REST
    limited = judge(progress(phase), broken(2, until), Checked(()), STEPS, NOON)
    assert limited.phase == Limited(NOON, ERROR, until)
    assert isinstance(limited.phase, OVER)
    assert observe(limited, activity(IDLE, 3), None, ALONE, until) == Wait()


def test_a_limit_that_is_over_by_now_is_an_error_like_any_other() -> None:
    assert isinstance(judge(progress(WORKING), broken(1, NOON), MISSING, STEPS, NOON).phase, Resting)


def test_an_error_leaves_what_was_made_unjudged() -> None:
    assert isinstance(judge(progress(WORKING), broken(1), Checked(()), (DO,), NOON).phase, Resting)


@pytest.mark.parametrize("checked", [Checked(()), MISSING])
def test_who_interrupted_a_turn_decides_what_follows(checked: Checked) -> None:
    stopped = evolve(activity(IDLE, 2), interrupted=True)
    asked = judge(progress(WORKING), stopped, checked, STEPS, NOON)
    assert asked.phase == WithPerson("its turn was interrupted", 2)
    assert observe(asked, stopped, None, ALONE, NOON) == Wait()
    assert observe(asked, activity(IDLE, 3), None, ALONE, NOON) == NeedsCheck()


# --- the end of the agent ------------------------------------------------------------------------

ALIVE_PHASES = [PROMPTING, WORKING, WithPerson("why", 0), Resting(NOON, "why", 0)]


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
    def left(checked: Checked, step: int) -> phases.Phase:
        return judge(progress(WORKING, step=step), activity(EXITED, 1), checked, STEPS, NOON).phase

    assert left(Checked(()), 1) == StepsDone(NOON)
    assert left(Checked(()), 0) == phases.HandedOver(NOON, Resume(1, 1), "its agent has ended")
    assert left(MISSING, 0) == Broke(NOON, "the agent ended without *.md")


@pytest.mark.parametrize("phase", [StepsDone(NOON), Broke(NOON, "r"), Vanished(NOON, "r"), Limited(NOON, "r", NOON)])
@pytest.mark.parametrize("state", [IDLE, RUNNING, EXITED, FAILED, LOST])
def test_what_is_over_stays_over(phase: Any, state: Any) -> None:
    assert look(phase, state, delivery(REFUSED), turns=9) == Wait()
