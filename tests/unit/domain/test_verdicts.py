"""What a verdict on a step's end leads to, with an agent and without one."""

from typing import Any

import pytest
from attrs import evolve

from supervisor.domain.agent import Idle, Lost
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId
from supervisor.domain.issue_type import IssueType, Step
from supervisor.domain.phases import HandedOver, InReview, Progress, Prompting, StepsDone, Working
from supervisor.domain.review import Answered, Approved, Decision, Rejected, Review, ReviewKind, Superseded
from supervisor.domain.steps import Scene
from supervisor.domain.ticket import Done, Parked, ParkReason, Queued, Resume, Running, Ticket
from supervisor.domain.verdicts import approved, concerns, redo_note, redo_text, rejected, settled_review, taken_up
from tests.unit.domain.samples import (
    AGENT,
    CHANGES,
    IDLE,
    LOST,
    NOON,
    activity,
    after,
    progress,
    review,
    ticket,
)

PLAN = Step("plan", "p", review=ReviewKind.PLAN, permission_mode="plan")
BUILD = Step("build", "p")
OFFER = Step("offer", "p", review=ReviewKind.PR, on_reject="build")
KIND = IssueType("T", (PLAN, BUILD, OFFER))
REASON = "Näher.\n\n  ✓ "


def scene(state: Idle | Lost = IDLE, *, modes: bool = False, kind: IssueType = KIND) -> Scene:
    return Scene(activity(state, 3), kind, after(60), modes)


def reviewed(step: int = 0, run: int = 1, mode: str | None = "plan") -> Progress:
    return progress(InReview(ReviewId(31), 3), step=step, run=run, mode=mode, nudges=1, baseline={"a": "1"})


# --- with an agent --------------------------------------------------------------------------------


def test_an_approved_step_is_followed_by_the_next_in_the_same_session() -> None:
    moved = approved(reviewed(), scene())
    assert (moved.step, moved.run, moved.nudges, moved.baseline) == (1, 1, 0, {})
    assert moved.phase == Prompting(DeliveryId("A-1~1.1.1.0"), "")
    assert (moved.reason, moved.review_id, moved.why, moved.began_at) == ("", None, "", after(60))


def test_in_another_mode_the_next_agent_goes_on() -> None:
    moved = approved(reviewed(), scene(modes=True))
    assert moved.phase == HandedOver(after(60), Resume(1, 1), "step build wants the permission mode of the driver")
    assert approved(reviewed(mode=None), scene(modes=True)).phase == Prompting(DeliveryId("A-1~1.1.1.0"), "")


def test_after_the_last_step_all_is_done() -> None:
    assert approved(reviewed(step=2), scene()).phase == StepsDone(after(60))


def test_a_rejection_is_told_in_the_same_conversation_and_the_step_runs_again() -> None:
    moved = rejected(reviewed(), scene(modes=True), review(), REASON)
    assert isinstance(moved.phase, Prompting)
    assert (moved.phase.delivery_id, moved.phase.origin) == ("A-1~1.0.2.0", "review")
    assert moved.phase.text == redo_text(review(), REASON)
    assert moved.phase.text.count(REASON) == 1
    assert (moved.step, moved.run, moved.reason, moved.review_id) == (0, 2, REASON, ReviewId(31))
    assert moved.why == "review 31 was rejected"


def test_a_rejection_may_lead_to_an_earlier_step_and_what_follows_it_says_why() -> None:
    again = rejected(reviewed(step=2), scene(), review(ReviewKind.PR, step="offer"), REASON)
    assert (again.step, again.run) == (1, 2)
    following = approved(evolve(again, phase=Working(DeliveryId("d"))), scene())
    assert (following.step, following.run, following.why) == (2, 2, "it follows run 2 of step build")
    assert following.reason == ""


def test_a_step_that_left_the_configuration_is_not_looked_for() -> None:
    lost = evolve(OFFER, on_reject="gone")
    moved = rejected(reviewed(step=1), scene(kind=IssueType("T", (PLAN, lost))), review(), REASON)
    assert (moved.step, moved.run) == (1, 2)


@pytest.mark.parametrize("verdict", ["approved", "rejected"])
def test_of_an_agent_that_is_gone_the_next_one_is_told(verdict: str) -> None:
    gone = scene(LOST)
    moved = approved(reviewed(), gone) if verdict == "approved" else rejected(reviewed(), gone, review(), REASON)
    resume = Resume(1, 1) if verdict == "approved" else Resume(0, 2, REASON, ReviewId(31))
    assert moved.phase == HandedOver(after(60), resume, "its agent has ended")


# --- the next agent -------------------------------------------------------------------------------


def test_a_new_ticket_begins_with_its_first_step() -> None:
    begun = taken_up(ticket(), AGENT, scene(), "plan")
    assert (begun.step, begun.run, begun.mode, begun.why, begun.plans) == (0, 1, "plan", "", 0)
    assert begun.phase == Prompting(DeliveryId("A-1~1.0.1.0"), "")


def test_the_next_agent_takes_up_where_the_last_one_came_to_and_knows_why() -> None:
    resume = Resume(1, 4, REASON, ReviewId(31), "its last agent ended in it")
    begun = taken_up(ticket(resume=resume), AgentId("A-1~2"), scene(), None)
    assert (begun.step, begun.run, begun.reason, begun.review_id) == (1, 4, REASON, ReviewId(31))
    assert begun.why == "its last agent ended in it"
    assert isinstance(begun.phase, Prompting)
    assert (begun.phase.text, begun.phase.origin) == ("", "step")  # its own prompt, and the reason with it


def test_of_a_shortened_issue_type_the_last_step_is_taken_up() -> None:
    assert taken_up(ticket(resume=Resume(9, 2)), AGENT, scene(), None).step == 2


def test_plans_of_before_count_for_no_new_run() -> None:
    seen = evolve(scene(), activity=activity(IDLE, plans_taken=2))
    assert taken_up(ticket(), AGENT, seen, None).plans == 2


# --- without an agent -----------------------------------------------------------------------------

WAITING = ticket(
    status=Parked(NOON, ParkReason.REVIEW, "review 31 waits"),
    agent_id=AGENT,
    resume=Resume(2, 3, review_id=ReviewId(31)),
)


def settled(decision: Decision, waiting: Ticket = WAITING, **changes: Any) -> Ticket:
    given = {"subject": CHANGES, "decision": decision} | changes
    moved = settled_review(waiting, review(ReviewKind.PR, step="offer", **given), KIND, after(60))
    assert moved is not None
    return moved


def test_a_ticket_waits_while_its_review_is_pending() -> None:
    assert settled_review(WAITING, review(ReviewKind.PR), KIND, after(60)) is None


@pytest.mark.parametrize(
    ("commits", "dirty", "unchanged"), [(2, False, False), (0, False, True), (0, True, False), (1, True, False)]
)
def test_an_approved_branch_is_the_end(commits: int, dirty: bool, unchanged: bool) -> None:
    done = settled(Approved(NOON, "ada"), subject=evolve(CHANGES, commits=commits, dirty=dirty))
    assert done.status == Done(after(60), no_changes=unchanged, dirty=dirty)
    assert done.resume == Resume()


@pytest.mark.parametrize("decision", [Approved(NOON, "ada"), Answered(NOON, "ada", {})])
def test_after_a_step_in_the_middle_the_next_agent_takes_up_the_next_one(decision: Decision) -> None:
    waiting = evolve(WAITING, resume=evolve(WAITING.resume, step=0))
    moved = settled(decision, waiting)
    assert moved.status == Queued(after(60))
    assert moved.resume == Resume(1, 3, why="it follows run 3 of step plan")


def test_a_rejected_branch_goes_back_to_the_step_that_it_names() -> None:
    moved = settled(Rejected(NOON, "ada", REASON))
    assert moved.status == Queued(after(60))
    assert moved.resume == Resume(1, 4, REASON, ReviewId(31))


def test_a_pull_request_that_was_closed_leaves_the_ticket_to_a_person_and_a_retry_knows_why() -> None:
    moved = settled(Superseded(NOON, "its pull request was closed without merging"))
    assert moved.status == Parked(after(60), ParkReason.HELD, "its pull request was closed without merging")
    assert moved.resume == Resume(2, 4, why="its pull request was closed without merging")


# --- what a review is about -----------------------------------------------------------------------

RUNNING_TICKET = ticket(status=Running(NOON, AGENT), agent_id=AGENT)


@pytest.mark.parametrize(
    ("of", "held", "still"),
    [
        (review(), RUNNING_TICKET, True),
        (review(), evolve(RUNNING_TICKET, status=Running(NOON, AgentId("A-1~2"))), False),
        (review(), evolve(RUNNING_TICKET, status=Queued(NOON)), False),
        (review(), evolve(RUNNING_TICKET, status=Done(NOON)), False),
        (review(), WAITING, True),
        (review(number=30), WAITING, False),
        (review(), evolve(WAITING, status=Queued(NOON)), False),
        (review(), evolve(WAITING, status=Parked(NOON, ParkReason.HELD)), False),
    ],
)
def test_a_review_ends_with_what_it_is_about(of: Review, held: Ticket, still: bool) -> None:
    assert concerns(of, held) is still


def test_the_reason_stands_in_what_is_told_once_and_unchanged() -> None:
    assert redo_text(review(), REASON).count(REASON) == redo_note(REASON).count(REASON) == 1
