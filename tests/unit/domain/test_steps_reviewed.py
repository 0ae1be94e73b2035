"""The step engine: steps that end with a review, and runs whose time is limited."""

from datetime import datetime
from typing import Any

import pytest
from attrs import evolve

from supervisor.domain import steps
from supervisor.domain.agent import (
    Activity,
    Delivery,
    DeliveryState,
)
from supervisor.domain.durations import Duration
from supervisor.domain.ids import DeliveryId, ReviewId
from supervisor.domain.issue_type import IssueType, Step
from supervisor.domain.phases import (
    Broke,
    Due,
    HandedOver,
    InReview,
    Progress,
    Prompting,
    Resting,
    Shelved,
    WithPerson,
    Working,
)
from supervisor.domain.review import ReviewKind
from supervisor.domain.steps import AT_TERMINAL, Checked, NeedsReview, Scene, Wait
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
    after,
    delivery,
    progress,
)

PLAN = Step("plan", "p", ("*.md",), review=ReviewKind.PLAN)
REVIEWED = (PLAN, Step("build", "p"))
WORKING = Working(PROMPT)
PROMPTING = Prompting(PROMPT, "text")
IN_REVIEW = InReview(ReviewId(7), 2)
MISSING = Checked(("*.md",))


def scene(seen: Activity, all_steps: tuple[Step, ...] = REVIEWED, now: datetime = NOON) -> Scene:
    return Scene(seen, IssueType("T", all_steps), now)


def judge(of: Progress, seen: Activity, checked: Checked, all_steps: tuple[Step, ...], now: datetime) -> Progress:
    return steps.judge(of, scene(seen, all_steps, now=now), checked)


# --- reviews -------------------------------------------------------------------------------------


def test_a_step_with_a_review_ends_with_it_and_not_before_its_artifacts_are_there() -> None:
    assert judge(progress(WORKING), activity(IDLE, 2), Checked(()), REVIEWED, NOON).phase == Due(2)
    assert isinstance(judge(progress(WORKING), activity(IDLE, 2), MISSING, REVIEWED, NOON).phase, Prompting)
    due = progress(Due(2))
    for state in (IDLE, RUNNING, EXITED):
        assert steps.observe(due, scene(activity(state, 2), REVIEWED), None) == NeedsReview()


def test_a_plan_without_a_file_must_be_proposed() -> None:
    proposed = (evolve(REVIEWED[0], artifacts=()), REVIEWED[1])
    asked = judge(progress(WORKING), activity(IDLE, 2), Checked(()), proposed, NOON)
    assert isinstance(asked.phase, Prompting)
    assert "a proposed plan" in asked.phase.text


def test_whoever_goes_on_at_the_terminal_has_overtaken_the_review() -> None:
    def seen(state: Any) -> steps.Next:
        return steps.observe(progress(IN_REVIEW), scene(activity(state, 2), REVIEWED), None)

    assert seen(IDLE) == seen(STARTING) == Wait()
    for state in (RUNNING, ASKING):
        assert seen(state) == progress(WithPerson(AT_TERMINAL, 2))


@pytest.mark.parametrize("state", [EXITED, FAILED, KILLED, LOST])
def test_a_review_outlives_its_agent_and_needs_no_slot(state: Any) -> None:
    seen = steps.observe(progress(IN_REVIEW, step=1, run=3), scene(activity(state, 2), REVIEWED), None)
    assert isinstance(seen, Progress)
    assert seen.phase == Shelved(NOON, Resume(1, 3, review_id=ReviewId(7)))


@pytest.mark.parametrize("phase", [WORKING, WithPerson("why", 0), Resting(NOON, "why", 0)])
def test_a_plan_that_was_taken_ends_its_step(phase: Any) -> None:
    taken = activity(RUNNING, 0, plans_taken=1)
    moved = steps.observe(progress(phase), scene(taken, REVIEWED), delivery(DeliveryState.DELIVERED))
    assert isinstance(moved, Progress)
    assert (moved.step, moved.plans, moved.phase) == (1, 1, Prompting(DeliveryId("A-1~1.1.1.0"), ""))
    old = steps.observe(progress(phase, plans=1), scene(taken, REVIEWED), delivery(DeliveryState.DELIVERED))
    assert not isinstance(old, Progress)


def test_after_a_plan_a_mode_that_cannot_be_set_waits_for_the_turn_s_end_and_the_next_agent() -> None:
    build = (REVIEWED[0], evolve(REVIEWED[1], permission_mode="bypassPermissions"))

    def seen(state: Any, after_plan: str) -> Any:
        shown = Scene(activity(state, 0, plans_taken=1), IssueType("T", build), NOON, True, after_plan)
        found = steps.observe(progress(WORKING, mode="plan"), shown, delivery(DeliveryState.DELIVERED))
        return found.phase if isinstance(found, Progress) else found

    assert seen(RUNNING, "default") == Wait()
    assert isinstance(seen(IDLE, "default"), HandedOver)
    assert isinstance(seen(RUNNING, "bypassPermissions"), Prompting)


# --- time ----------------------------------------------------------------------------------------

DO = Step("do", "prompt", ("*.md",), max_turns=3)
TIMED = (evolve(DO, max_time=Duration(60)),)


def at(of: Progress, state: Any, seconds: float, given: Delivery | None = None) -> steps.Next:
    return steps.observe(of, scene(activity(state), TIMED, now=after(seconds)), given)


@pytest.mark.parametrize("phase", [PROMPTING, WORKING, Resting(after(900), "why", 0)])
def test_a_run_that_takes_longer_than_it_may_is_over(phase: Any) -> None:
    begun = progress(phase, began_at=NOON)
    assert not isinstance(at(begun, RUNNING, 59), Progress)
    assert steps.deadline(begun, TIMED[0]) == after(60)
    late = at(begun, RUNNING, 60)
    assert isinstance(late, Progress)
    assert late.phase == Broke(after(60), "step do took longer than it may")


def test_no_time_runs_while_a_person_is_waited_for() -> None:
    begun = progress(WORKING, began_at=NOON)
    asking = evolve(ASKING, proof=evolve(PROOF, since=after(20)))
    waits = at(begun, asking, 20)
    assert waits == evolve(begun, asking_since=after(20))
    assert isinstance(waits, Progress)
    assert steps.deadline(waits, TIMED[0]) is None
    assert at(waits, asking, 5000) == Wait()
    goes_on = at(waits, RUNNING, 5000)
    assert goes_on == evolve(begun, began_at=after(4980))
    assert isinstance(goes_on, Progress)
    assert at(goes_on, RUNNING, 5039) == Wait()
    assert isinstance(at(goes_on, RUNNING, 5040), Progress)


@pytest.mark.parametrize("phase", [WithPerson("why", 0), IN_REVIEW, Due(0)])
def test_whoever_waits_for_a_person_is_never_late(phase: Any) -> None:
    assert steps.deadline(progress(phase, began_at=NOON), TIMED[0]) is None
    assert not isinstance(at(progress(phase, began_at=NOON), IDLE, 9000), Progress)
