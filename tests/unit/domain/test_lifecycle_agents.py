"""A ticket from agent to agent: what the next one takes up, and why, whoever took it from the last one."""

from typing import Any

import pytest
from attrs import evolve

from supervisor.domain import phases
from supervisor.domain.agent import Opened, Retired
from supervisor.domain.config import QueueConfig
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId
from supervisor.domain.lifecycle import Limits, board_write, settle, taken_again
from supervisor.domain.phases import (
    Broke,
    Due,
    HandedOver,
    InReview,
    Limited,
    Prompting,
    Shelved,
    StepsDone,
    Vanished,
    WithPerson,
    Working,
)
from supervisor.domain.ticket import (
    Launching,
    Parked,
    ParkReason,
    Resume,
    Running,
    Ticket,
    WriteKind,
)
from tests.unit.domain.samples import (
    AGENT,
    EXITED,
    FAILED,
    IDLE,
    NOON,
    activity,
    after,
    agent,
    progress,
    ticket,
)

LIMITS = Limits(QueueConfig())
LAUNCHED = ticket(status=Launching(NOON, AGENT), agent_id=AGENT, launches=1)
AT_WORK = evolve(LAUNCHED, status=Running(NOON, AGENT))
LATER = after(60)

PROMPTING = Prompting(DeliveryId("d"), "text")
WORKING = Working(DeliveryId("d"))
WITH_PERSON = WithPerson("why", 1)
IN_REVIEW = InReview(ReviewId(3), 1)
RETIRED = Retired(after(50), "its process ended")


def settled(held: Ticket, phase: Any, state: Any, step: phases.Phase | None, limits: Limits = LIMITS) -> Ticket | None:
    return settle(
        held,
        agent(phase),
        None if state is None else activity(state),
        None if step is None else progress(step),
        limits,
        LATER,
    )


# --- reviews, and other agents --------------------------------------------------------------------

HANDED = HandedOver(after(55), Resume(1, 1, "no", ReviewId(3)), "step build wants the permission mode plan")
SHELVED = Shelved(after(55), Resume(2, 3, review_id=ReviewId(4)))


def test_the_next_agent_follows_at_once_but_not_beside_the_last_one() -> None:
    assert settled(AT_WORK, Opened(7), IDLE, HANDED) is None
    moved = settled(AT_WORK, RETIRED, EXITED, HANDED)
    assert moved is not None
    newer = AgentId("A-1~2")
    assert moved.status == Launching(LATER, newer)
    assert (moved.agent_id, moved.launches, moved.resume) == (newer, 2, HANDED.resume)
    assert (moved.attempts, moved.losses) == (0, 0)
    assert board_write(AT_WORK.status, moved.status) is None


def test_a_branch_waits_for_its_verdict_without_an_agent() -> None:
    moved = settled(AT_WORK, Opened(7), IDLE, SHELVED)
    assert moved is not None
    assert moved.status == Parked(LATER, ParkReason.REVIEW, "review 4 waits for a verdict")
    assert moved.resume == SHELVED.resume
    assert board_write(AT_WORK.status, moved.status) is WriteKind.AWAITING


@pytest.mark.parametrize("step", [IN_REVIEW, Due(1)])
@pytest.mark.parametrize("phase", [Opened(7), RETIRED])
def test_while_a_review_is_pending_its_ticket_stays_where_it_is(step: phases.Phase, phase: Any) -> None:
    assert settled(AT_WORK, phase, EXITED, step) is None


@pytest.mark.parametrize(
    "step",
    [Broke(after(55), "exit 1"), Vanished(after(55), "gone"), Limited(after(55), "limit", after(600))],
)
def test_the_next_agent_takes_up_the_step_in_which_the_last_one_ended(step: phases.Phase) -> None:
    last = progress(step, step=2, run=3, reason="no", review_id=ReviewId(3))
    moved = settle(AT_WORK, agent(RETIRED), activity(FAILED), last, LIMITS, LATER)
    assert moved is not None
    assert moved.resume == Resume(2, 4, "no", ReviewId(3), "its last agent ended in it")
    assert taken_again(moved, last) == moved


def test_a_usage_limit_takes_no_attempt() -> None:
    moved = settled(AT_WORK, RETIRED, EXITED, Limited(after(55), "limit", after(600)))
    assert moved is not None
    assert moved.status == Parked(LATER, ParkReason.USAGE_LIMIT, "limit", after(600))
    assert (moved.attempts, moved.losses) == (0, 0)


STOPPED = evolve(AT_WORK, status=Parked(NOON, ParkReason.HELD, "a person stopped its agent"), resume=Resume(1, 1))


@pytest.mark.parametrize("step", [PROMPTING, WORKING, WITH_PERSON, IN_REVIEW, Due(1), Broke(after(55), "exit 1")])
def test_a_ticket_that_was_taken_from_its_agent_is_taken_up_in_that_step(step: phases.Phase) -> None:
    """What was done before it is done; and that it begins again has a reason."""
    again = taken_again(STOPPED, progress(step, step=2, run=3, reason="no", review_id=ReviewId(3)))
    assert again.resume == Resume(2, 4, "no", ReviewId(3), "its last agent was taken off it")


def test_a_step_before_the_one_it_was_launched_for_is_where_a_rejection_led() -> None:
    jumped = evolve(STOPPED, resume=Resume(2, 1))
    assert taken_again(jumped, progress(WORKING, step=0, run=2)).resume.step == 0


def test_a_branch_that_nobody_decided_about_is_offered_again() -> None:
    given_up = evolve(STOPPED, resume=SHELVED.resume)
    again = taken_again(given_up, progress(SHELVED, step=2, run=3))
    assert again.resume == Resume(2, 4, why="review 4 was given up with its ticket")
    for decided in (Resume(1, 4, "no", ReviewId(4)), Resume(3, 3)):
        moved = evolve(STOPPED, resume=decided)
        assert taken_again(moved, progress(SHELVED, step=2, run=3)) == moved


def test_what_was_done_and_is_wanted_again_begins_anew_with_a_reason() -> None:
    again = taken_again(evolve(STOPPED, resume=Resume()), progress(StepsDone(NOON), step=2, run=3))
    assert again.resume == Resume(0, 4, why="all of it was done, and is wanted once more")


def test_an_agent_that_handed_over_has_said_where_to() -> None:
    assert taken_again(STOPPED, progress(HANDED, step=0)).resume == HANDED.resume


def test_only_the_ticket_s_last_agent_says_where_it_came_to() -> None:
    assert taken_again(STOPPED, None) == STOPPED
    newer = evolve(STOPPED, agent_id=AgentId("A-1~2"))
    assert taken_again(newer, progress(WORKING, step=2)) == newer
