"""The life of a ticket, row by row: what becomes of it from what became of its agent."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain import phases
from supervisor.domain.agent import LaunchFailed, Opened, Planned, Prepared, Retired
from supervisor.domain.config import QueueConfig
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId
from supervisor.domain.lifecycle import Limits, board_write, settle
from supervisor.domain.phases import (
    Broke,
    InReview,
    Prompting,
    StepsDone,
    Vanished,
    WithPerson,
    Working,
)
from supervisor.domain.ticket import (
    ENDED,
    HELD_BY_AGENT,
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Running,
    Ticket,
    TicketStatus,
    WriteKind,
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
    RUNNING,
    STARTING,
    STATES,
    activity,
    after,
    agent,
    progress,
    ticket,
)

GONE = (EXITED, FAILED, KILLED, LOST)
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


# --- while its agent is at it --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "state", "step"),
    [
        (Planned(), None, None),
        (Prepared(), None, None),
        (Opened(7), STARTING, None),
        (Opened(7), IDLE, PROMPTING),
        (Opened(7), EXITED, PROMPTING),
    ],
)
def test_it_stays_launching_until_the_prompt_is_in(phase: Any, state: Any, step: Any) -> None:
    assert settled(LAUNCHED, phase, state, step) is None


@pytest.mark.parametrize("step", [WORKING, WITH_PERSON])
def test_it_runs_once_the_prompt_is_in_and_has_its_branch_by_then(step: phases.Phase) -> None:
    moved = settled(LAUNCHED, Opened(7), RUNNING, step)
    assert moved == evolve(LAUNCHED, status=Running(LATER, AGENT), branch="operator/A-1")
    assert settled(moved, Opened(7), RUNNING, step) is None


@pytest.mark.parametrize(
    ("phase", "state"), [*((Opened(7), state) for state in STATES), *((RETIRED, state) for state in GONE)]
)
@pytest.mark.parametrize("step", [PROMPTING, WORKING, WITH_PERSON])
def test_what_an_agent_leaves_is_judged_by_its_steps_and_by_nothing_sooner(phase: Any, state: Any, step: Any) -> None:
    assert settled(AT_WORK, phase, state, step) is None


def test_an_agent_that_is_not_known_yet_says_nothing() -> None:
    assert settle(LAUNCHED, None, None, None, LIMITS, LATER) is None


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [LAUNCHED, AT_WORK])
@pytest.mark.parametrize("state", [IDLE, EXITED, KILLED])
def test_after_its_last_step_it_is_done(held: Ticket, state: Any) -> None:
    moved = settled(held, Opened(7), state, StepsDone(after(55), no_changes=True, dirty=False))
    assert moved == evolve(held, status=Done(LATER, no_changes=True, dirty=False), branch="operator/A-1")
    moved = settled(held, RETIRED, state, StepsDone(after(55), no_changes=False, dirty=True))
    assert moved is not None
    assert moved.status == Done(LATER, no_changes=False, dirty=True)


@pytest.mark.parametrize(("used", "seconds"), [(0, 10), (1, 20)])
def test_a_broken_attempt_is_retried_when_its_time_comes(used: int, seconds: float) -> None:
    moved = settled(evolve(AT_WORK, attempts=used, losses=3), Opened(7), FAILED, Broke(after(55), "exit 1"))
    assert moved is not None
    assert moved.status == Parked(LATER, ParkReason.RETRY, "exit 1", LATER + timedelta(seconds=seconds))
    assert (moved.attempts, moved.losses) == (used + 1, 3)


def test_the_last_attempt_fails_it_with_the_reason() -> None:
    moved = settled(evolve(AT_WORK, attempts=2), RETIRED, FAILED, Broke(after(55), "exit 1"))
    assert moved is not None
    assert moved.status == Failed(LATER, "exit 1; 3 of 3 attempts used")
    assert moved.attempts == 3


def test_one_attempt_may_be_all_there_is() -> None:
    moved = settled(AT_WORK, RETIRED, FAILED, Broke(after(55), "x"), Limits(QueueConfig(max_attempts=1)))
    assert moved is not None
    assert isinstance(moved.status, Failed)


def test_a_lost_session_takes_no_attempt_and_has_a_limit_of_its_own() -> None:
    held = AT_WORK
    waits = []
    for _ in range(5):
        moved = settled(held, Opened(7), LOST, Vanished(after(55), "the server died"))
        assert moved is not None
        assert isinstance(moved.status, Parked)
        assert moved.status.reason is ParkReason.RETRY
        assert moved.status.until is not None
        waits.append((moved.status.until - LATER).total_seconds())
        held = evolve(moved, status=AT_WORK.status)
    assert waits == [0.5, 1, 2, 4, 8]
    assert (held.attempts, held.losses) == (0, 5)
    moved = settled(held, Opened(7), LOST, Vanished(after(55), "the server died"))
    assert moved is not None
    assert moved.status == Parked(LATER, ParkReason.LOST, "the server died; lost 6 times")


def test_no_number_of_losses_overflows() -> None:
    patient = Limits(QueueConfig(max_losses=10**6))
    moved = settled(evolve(AT_WORK, losses=5_000), RETIRED, LOST, Vanished(after(55), "x"), patient)
    assert moved is not None
    assert isinstance(moved.status, Parked)
    assert moved.status.until == LATER + timedelta(seconds=300)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (LOST, Parked(LATER, ParkReason.RETRY, "session lost: the server died", LATER + timedelta(seconds=0.5))),
        (
            EXITED,
            Parked(
                LATER,
                ParkReason.RETRY,
                "the agent ended with exit 0 before it took its prompt",
                LATER + timedelta(seconds=10),
            ),
        ),
        (
            KILLED,
            Parked(
                LATER,
                ParkReason.RETRY,
                "the agent ended with signal 9 before it took its prompt",
                LATER + timedelta(seconds=10),
            ),
        ),
        (None, Parked(LATER, ParkReason.CRASHED, "its process ended")),
    ],
)
def test_an_agent_that_was_over_before_its_steps_began(state: Any, outcome: TicketStatus) -> None:
    moved = settled(LAUNCHED, RETIRED, state, None)
    assert moved is not None
    assert moved.status == outcome


@pytest.mark.parametrize("state", [STARTING, RUNNING, IDLE, ASKING])
@pytest.mark.parametrize("step", [None, PROMPTING, WORKING, WITH_PERSON])
def test_one_that_was_given_up_while_it_lived_needs_a_person(state: Any, step: Any) -> None:
    moved = settled(AT_WORK, Retired(NOON, "its supervision kept crashing"), state, step)
    assert moved is not None
    assert moved.status == Parked(LATER, ParkReason.CRASHED, "its supervision kept crashing")
    assert (moved.attempts, moved.losses) == (0, 0)


# --- launches that failed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "attempts", "losses"),
    [
        ("driver_failed", Parked(LATER, ParkReason.NO_DRIVER, "why"), 0, 0),
        ("closed_on_board", Cancelled(LATER, "why"), 0, 0),
        ("stopped", Parked(LATER, ParkReason.HELD, "why"), 0, 0),
        *(
            (code, Parked(LATER, ParkReason.RETRY, "session lost: why", LATER + timedelta(seconds=0.5)), 0, 1)
            for code in ("backend_failed", "session_gone", "unavailable", "actor_gone", "too_slow")
        ),
        *(
            (code, Parked(LATER, ParkReason.RETRY, "why", LATER + timedelta(seconds=10)), 1, 0)
            for code in ("workspace_failed", "anything_else")
        ),
    ],
)
def test_a_launch_that_failed_counts_for_what_it_was(
    code: str, status: TicketStatus, attempts: int, losses: int
) -> None:
    moved = settled(LAUNCHED, LaunchFailed(after(55), code, "why"), None, None)
    assert moved is not None
    assert moved.status == status
    assert (moved.attempts, moved.losses) == (attempts, losses)
    assert moved.branch == "operator/A-1"


def test_what_was_closed_on_its_board_is_not_closed_there_again() -> None:
    moved = settled(LAUNCHED, LaunchFailed(after(55), "closed_on_board", "why"), None, None)
    assert moved is not None
    assert moved.closed_on_board


@pytest.mark.parametrize("step", [Broke(after(55), "exit 1"), Vanished(after(55), "the server died")])
def test_what_was_closed_on_its_board_meanwhile_is_not_tried_again(step: phases.Phase) -> None:
    moved = settled(evolve(AT_WORK, closed_on_board=True), RETIRED, FAILED, step)
    assert moved is not None
    assert isinstance(moved.status, Cancelled)
    assert "closed on the board" in moved.status.reason


# --- never twice ---------------------------------------------------------------------------------

PHASES = st.sampled_from(
    [Planned(), Prepared(), Opened(7), RETIRED, *(LaunchFailed(NOON, code, "w") for code in ("driver_failed", "x"))]
)
STEPS = st.sampled_from([None, PROMPTING, WORKING, WITH_PERSON, StepsDone(NOON), Broke(NOON, "b"), Vanished(NOON, "v")])


@given(
    held=st.sampled_from([LAUNCHED, AT_WORK]),
    looks=st.lists(st.tuples(PHASES, st.sampled_from([None, *STATES]), STEPS), max_size=6),
    used=st.integers(0, 3),
    closed=st.booleans(),
)
def test_a_ticket_leaves_its_agent_once_whatever_is_seen_afterwards(
    held: Ticket, looks: list[tuple[Any, Any, Any]], used: int, closed: bool
) -> None:
    seen = evolve(held, attempts=used, closed_on_board=closed)
    left = 0
    for phase, state, step in looks:
        moved = settled(seen, phase, state, step)
        if moved is None:
            continue
        assert isinstance(seen.status, HELD_BY_AGENT)
        assert type(moved.status) is not type(seen.status)
        assert (moved.attempts - seen.attempts) + (moved.losses - seen.losses) in (0, 1)
        left += not isinstance(moved.status, HELD_BY_AGENT)
        seen = moved
    assert left <= 1


def test_only_the_agent_that_holds_a_ticket_moves_it() -> None:
    newer = AgentId("A-1~2")
    relaunched = evolve(AT_WORK, status=Running(NOON, newer), agent_id=newer)
    assert settled(relaunched, RETIRED, EXITED, StepsDone(NOON)) is None


# --- what boards are told ------------------------------------------------------------------------

STATUSES: tuple[TicketStatus, ...] = (
    Queued(NOON),
    Parked(NOON, ParkReason.RETRY),
    Launching(NOON, AGENT),
    Running(NOON, AGENT),
    Done(NOON),
    Failed(NOON, "r"),
    Cancelled(NOON, "r"),
)
TOLD = {
    Launching: WriteKind.STARTED,
    Done: WriteKind.DONE,
    Failed: WriteKind.FAILED,
    Cancelled: WriteKind.CANCELLED,
}


@pytest.mark.parametrize(("before", "now"), list(product(STATUSES, STATUSES)))
def test_a_board_is_told_of_starts_ends_and_returns_to_the_queue(before: TicketStatus, now: TicketStatus) -> None:
    expected = TOLD.get(type(now))
    if isinstance(now, Queued | Parked) and isinstance(before, ENDED):
        expected = WriteKind.REQUEUED
    if type(before) is type(now) or (isinstance(now, Launching) and isinstance(before, Running)):
        expected = None  # the second: a ticket's next agent follows at once, in another permission mode
    assert board_write(before, now) is expected
