"""What a board's record means for a ticket: each status against each move that a person can make at the board."""

from typing import Any

import attrs
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain import board
from supervisor.domain.board import Outcome, closed, created, deleted, digest, is_elsewhere, merged, relocated
from supervisor.domain.ids import TicketId
from supervisor.domain.queue import Route
from supervisor.domain.ticket import (
    ENDED,
    HELD_BY_AGENT,
    BoardState,
    BoardTicket,
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
from tests import strategies
from tests.unit.domain.samples import AGENT, NOON, after, ticket

RECORD = BoardTicket("1", "ENG-1", "title", "body", state=BoardState.OPEN)
KNOWN = created(RECORD, "jira", TicketId("ENG-1"), "TASK", NOON)
LATER = after(60)

QUEUED = Queued(NOON)
RETRY = Parked(NOON, ParkReason.RETRY, "exit 1", after(600))
HELD = Parked(NOON, ParkReason.HELD, "a person moved it to in progress")
BLOCKED = Parked(NOON, ParkReason.BLOCKED, "by B-1")
LAUNCHING = Launching(NOON, AGENT)
RUNNING = Running(NOON, AGENT)
DONE = Done(NOON)
FAILED = Failed(NOON, "r")
CANCELLED = Cancelled(NOON, "r")


def read(known: Ticket, record: BoardTicket = RECORD, *, trust: bool = True, **route: Any) -> Outcome:
    return merged(known, record, Route(**route), "TASK", LATER, trust_state=trust)


def seen(status: TicketStatus, state: BoardState, **changes: Any) -> Ticket:
    return evolve(KNOWN, status=status, board_state=state, **changes)


def moved_to(state: BoardState) -> BoardTicket:
    return evolve(RECORD, state=state)


# --- new records ---------------------------------------------------------------------------------


def test_a_new_record_waits_and_carries_all_that_its_board_says() -> None:
    record = BoardTicket(
        external_id="1", external_key="ENG-1", title="t", body="b", type="FIX", priority=2, project="api",
        driver="claude", labels=("l",), blocked_by=("B-1",), url="u", alias="a", updated_at=after(-9), problem="p",
    )  # fmt: skip
    assert created(record, "jira", TicketId("ENG-1"), "TASK", NOON) == ticket(
        "ENG-1", title="t", type="FIX", created_at=after(-9), collection="jira", external_id="1", external_key="ENG-1",
        url="u", priority=2, project="api", driver="claude", labels=("l",), blocked_by=("B-1",), problem="p", alias="a",
        body_digest=digest("b"), board_state=BoardState.OPEN,
    )  # fmt: skip
    assert created(RECORD, "jira", TicketId("ENG-1"), "SPIKE", NOON).type == "SPIKE"
    assert created(RECORD, "jira", TicketId("ENG-1"), "SPIKE", NOON).created_at == NOON


def test_what_a_person_has_begun_already_is_left_to_them() -> None:
    found = created(moved_to(BoardState.IN_PROGRESS), "jira", TicketId("ENG-1"), "TASK", NOON)
    assert isinstance(found.status, Parked)
    assert found.status.reason is ParkReason.HELD


# --- moves ---------------------------------------------------------------------------------------

OPEN, IN_PROGRESS, GONE = BoardState.OPEN, BoardState.IN_PROGRESS, (BoardState.DONE, BoardState.CANCELLED)
TAKEN = Parked(LATER, ParkReason.HELD, "a person moved it to in progress")


@pytest.mark.parametrize("state", GONE)
@pytest.mark.parametrize(
    ("status", "on_closed", "cancelled", "is_closed"),
    [
        *((status, "finish", True, True) for status in (QUEUED, RETRY, HELD, BLOCKED)),
        *((status, "finish", False, True) for status in (LAUNCHING, RUNNING)),
        *((status, "stop", True, True) for status in (QUEUED, RETRY, LAUNCHING, RUNNING)),
        *((status, how, False, False) for status in (DONE, FAILED, CANCELLED) for how in ("finish", "stop")),
    ],
)
def test_closed_on_the_board(
    status: TicketStatus, on_closed: str, cancelled: bool, is_closed: bool, state: BoardState
) -> None:
    found = read(seen(status, OPEN), moved_to(state), on_closed=on_closed)
    expected = Cancelled(LATER, f"closed on the board ({state})") if cancelled else status
    assert found.ticket.status == expected
    assert (found.closed, found.conflict, found.changed) == (is_closed, None, ("state",))
    assert found.ticket.closed_on_board is is_closed
    assert found.ticket.board_state is state
    # Reading the same again says nothing new.
    assert read(found.ticket, moved_to(state), on_closed=on_closed) == Outcome(found.ticket)


@pytest.mark.parametrize(
    ("status", "expected", "conflict"),
    [
        (QUEUED, QUEUED, False),
        (BLOCKED, BLOCKED, False),
        (RETRY, Queued(LATER), False),
        (HELD, Queued(LATER), False),
        (LAUNCHING, LAUNCHING, True),
        (RUNNING, RUNNING, True),
        (DONE, Queued(LATER), False),
        (FAILED, Queued(LATER), False),
        (CANCELLED, Queued(LATER), False),
    ],
)
def test_moved_back_into_the_queue(status: TicketStatus, expected: TicketStatus, conflict: bool) -> None:
    known = seen(status, BoardState.DONE, attempts=3, losses=2, closed_on_board=True)
    found = read(known, moved_to(OPEN))
    assert found.ticket.status == expected
    assert (found.conflict is not None, found.closed) == (conflict, False)
    if isinstance(status, ENDED):
        assert (found.ticket.attempts, found.ticket.losses) == (0, 0)
    else:
        assert (found.ticket.attempts, found.ticket.losses) == (3, 2)
    if isinstance(status, ENDED + HELD_BY_AGENT):
        assert not found.ticket.closed_on_board


@pytest.mark.parametrize(
    ("status", "expected", "conflict"),
    [
        *((status, TAKEN, False) for status in (QUEUED, RETRY, BLOCKED)),
        *((status, status, False) for status in (LAUNCHING, RUNNING)),
        *((status, status, True) for status in (DONE, FAILED, CANCELLED)),
    ],
)
def test_moved_to_in_progress(status: TicketStatus, expected: TicketStatus, conflict: bool) -> None:
    found = read(seen(status, OPEN), moved_to(IN_PROGRESS))
    assert found.ticket.status == expected
    assert (found.conflict is not None, found.closed) == (conflict, False)
    assert found.ticket.board_state is IN_PROGRESS


def test_what_is_reopened_while_its_agent_works_is_not_closed_any_more() -> None:
    known = seen(RUNNING, OPEN)
    shut = read(known, moved_to(BoardState.DONE)).ticket
    assert shut.closed_on_board
    assert not read(shut, moved_to(IN_PROGRESS)).ticket.closed_on_board
    assert not read(shut, moved_to(OPEN)).ticket.closed_on_board


@pytest.mark.parametrize("status", [QUEUED, RETRY, LAUNCHING, RUNNING, DONE, FAILED, CANCELLED])
@pytest.mark.parametrize("state", list(BoardState))
def test_a_state_that_may_be_from_before_our_own_write_is_ignored(status: TicketStatus, state: BoardState) -> None:
    known = seen(status, OPEN)
    assert read(known, moved_to(state), trust=False) == Outcome(known)
    renamed = read(known, evolve(moved_to(state), title="new"), trust=False)
    assert renamed == Outcome(evolve(known, title="new", updated_at=LATER), ("title",))


@pytest.mark.parametrize("kind", list(board.STATE_AFTER))
def test_our_own_write_read_back_is_nobodys_move(kind: WriteKind) -> None:
    state = board.STATE_AFTER[kind]
    for status in (QUEUED, RETRY, RUNNING, DONE, FAILED, CANCELLED):
        known = seen(status, state)
        assert read(known, moved_to(state)) == Outcome(known)


# --- deletion ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "on_closed", "expected"),
    [
        (QUEUED, "finish", Cancelled(LATER, "deleted on the board")),
        (RETRY, "finish", Cancelled(LATER, "deleted on the board")),
        (RUNNING, "finish", RUNNING),
        (RUNNING, "stop", Cancelled(LATER, "deleted on the board")),
    ],
)
def test_deleted_is_closed(status: TicketStatus, on_closed: str, expected: TicketStatus) -> None:
    route = Route(on_closed=on_closed)
    found = deleted(seen(status, OPEN), route, LATER)
    assert found.ticket.status == expected
    assert found.closed
    assert found.ticket.closed_on_board
    assert not deleted(found.ticket, route, LATER).closed


@pytest.mark.parametrize("status", [DONE, FAILED, CANCELLED])
def test_what_has_ended_cannot_be_deleted_into_anything_else(status: TicketStatus) -> None:
    found = deleted(seen(status, OPEN), Route(), LATER)
    assert found.ticket.status == status
    assert not found.closed


def test_a_record_that_comes_back_is_open_again() -> None:
    gone = deleted(seen(QUEUED, OPEN), Route(), LATER).ticket
    back = read(gone, moved_to(OPEN))
    assert back.ticket.status == Queued(LATER)
    assert not back.ticket.closed_on_board


def test_closing_says_why() -> None:
    assert closed(KNOWN, Route(), "the reason", LATER).ticket.status == Cancelled(LATER, "the reason")


# --- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "new"}, "title"),
        ({"body": "new"}, "body_digest"),
        ({"type": "FIX"}, "type"),
        ({"external_key": "ENG-2"}, "external_key"),
        ({"url": "u"}, "url"),
        ({"priority": 1}, "priority"),
        ({"project": "p"}, "project"),
        ({"driver": "d"}, "driver"),
        ({"labels": ("l",)}, "labels"),
        ({"blocked_by": ("b",)}, "blocked_by"),
        ({"alias": "a"}, "alias"),
        ({"problem": "p"}, "problem"),
    ],
)
@pytest.mark.parametrize("status", [QUEUED, RUNNING, DONE])
def test_a_changed_field_is_taken_over_and_named(status: TicketStatus, change: dict[str, Any], field: str) -> None:
    known = seen(status, OPEN)
    found = read(known, evolve(RECORD, **change))
    assert found.changed == (field,)
    assert found.ticket.updated_at == LATER
    assert found.ticket.status == status
    back = read(found.ticket, RECORD)
    assert back.changed == (field,)
    assert evolve(back.ticket, updated_at=NOON) == known


def test_a_type_that_is_not_given_any_more_is_the_default() -> None:
    known = read(KNOWN, evolve(RECORD, type="FIX")).ticket
    assert read(known, RECORD).ticket.type == "TASK"


def test_a_record_that_cannot_be_understood_changes_nothing_else() -> None:
    record = evolve(RECORD, title="title", labels=("l",), blocked_by=("b",), type="FIX", body="text")
    known = read(KNOWN, record).ticket
    broken = BoardTicket("1", "1.md", "1.md", "", problem="line 3 is no YAML")
    found = read(known, broken)
    assert found == Outcome(evolve(known, problem="line 3 is no YAML", updated_at=LATER), ("problem",))
    assert read(found.ticket, record).ticket == evolve(known, updated_at=LATER)
    for state in BoardState:
        said = read(found.ticket, evolve(broken, state=state))
        assert (said.ticket.status, said.ticket.board_state, said.closed) == (QUEUED, OPEN, False)
    done = evolve(known, status=DONE, board_state=BoardState.DONE)
    assert read(done, broken).ticket.status == DONE  # a state that is not told does not queue it again


@given(text=strategies.ANY_TEXT, other=strategies.ANY_TEXT)
def test_any_text_has_a_digest_and_no_two_texts_the_same(text: str, other: str) -> None:
    assert (digest(text) == digest(other)) == (text == other)


@given(record=strategies.record(BoardTicket), trust=st.booleans(), finish=st.sampled_from(["finish", "stop"]))
def test_reading_any_record_twice_changes_nothing_the_second_time(
    record: BoardTicket, trust: bool, finish: str
) -> None:
    first = read(KNOWN, record, trust=trust, on_closed=finish)
    again = read(first.ticket, record, trust=trust, on_closed=finish)
    assert again == Outcome(first.ticket)


# --- the table of the README ---------------------------------------------------------------------------

REVIEWED = Parked(NOON, ParkReason.REVIEW, "review 1 waits for a verdict")
STATUSES = {"queued": QUEUED, "running": RUNNING, "awaiting": REVIEWED, "done": DONE}
HELD_NOW = Parked(LATER, ParkReason.HELD, "a person moved it to in progress")
FINISHED = Done(LATER, note="closed as done on the board")


def gone(state: BoardState) -> Cancelled:
    return Cancelled(LATER, f"closed on the board ({state})")


MOVES: dict[str, tuple[BoardState, BoardState, dict[str, TicketStatus]]] = {
    "moved to in progress": (
        OPEN, IN_PROGRESS, {"queued": HELD_NOW, "running": RUNNING, "awaiting": HELD_NOW, "done": DONE}
    ),
    "moved back into the queue": (
        IN_PROGRESS, OPEN, {"queued": QUEUED, "running": RUNNING, "awaiting": Queued(LATER), "done": Queued(LATER)}
    ),
    "closed as done": (
        IN_PROGRESS, BoardState.DONE,
        {"queued": gone(BoardState.DONE), "running": RUNNING, "awaiting": FINISHED, "done": DONE},
    ),
    "closed as cancelled": (
        IN_PROGRESS, BoardState.CANCELLED,
        {
            "queued": gone(BoardState.CANCELLED), "running": RUNNING, "awaiting": gone(BoardState.CANCELLED),
            "done": DONE,
        },
    ),
    "re-opened": (
        BoardState.DONE, OPEN,
        {"queued": QUEUED, "running": RUNNING, "awaiting": Queued(LATER), "done": Queued(LATER)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(STATUSES))
@pytest.mark.parametrize("what", list(MOVES))
def test_what_a_move_at_the_board_does(what: str, name: str) -> None:
    before, after_it, expected = MOVES[what]
    found = read(seen(STATUSES[name], before), moved_to(after_it))
    assert found.ticket.status == expected[name]
    assert found.ticket.board_state is after_it


@pytest.mark.parametrize("name", list(STATUSES))
def test_what_a_deletion_does(name: str) -> None:
    cancelled = Cancelled(LATER, "deleted on the board")
    expected = {"queued": cancelled, "running": RUNNING, "awaiting": cancelled, "done": DONE}
    assert deleted(seen(STATUSES[name], OPEN), Route(), LATER).ticket.status == expected[name]


@pytest.mark.parametrize("name", list(STATUSES))
@pytest.mark.parametrize("change", [{"title": "new"}, {"body": "new"}, {"external_key": "OPS-7"}, {"labels": ("x",)}])
def test_an_edit_a_rename_and_other_labels_move_nothing_by_themselves(name: str, change: dict[str, Any]) -> None:
    found = read(seen(STATUSES[name], OPEN), evolve(RECORD, **change))
    assert (found.ticket.status, len(found.changed)) == (STATUSES[name], 1)


def test_who_is_assigned_is_not_even_read() -> None:
    assert not [each for each in attrs.fields(BoardTicket) if "assign" in each.name]


# --- another place ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [QUEUED, RETRY, LAUNCHING, RUNNING, DONE, CANCELLED])
def test_a_ticket_whose_collection_reads_another_place_is_left_alone_and_found_again(status: TicketStatus) -> None:
    known = seen(status, OPEN)
    apart = relocated(known, "linear eng", "linear ops", LATER)
    assert is_elsewhere(apart.external_id)
    assert not is_elsewhere(known.external_id)
    waits = isinstance(status, Queued | Parked)
    assert isinstance(apart.status, Parked) if waits else apart.status == status
    assert relocated(apart, "linear eng", "linear ops", LATER) == apart  # it is done once only
    third = relocated(apart, "linear ops", "linear web", LATER)
    assert third == apart
    back = relocated(third, "linear web", "linear eng", LATER)
    assert back.external_id == known.external_id
    assert back.status == (Queued(LATER) if waits else status)
