"""The queue's records in memory: finding one, who waits for whom, what is due, and indexes that never drift."""

from collections import Counter
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.actors.queue.shelf import Shelf
from supervisor.domain import queue
from supervisor.domain.errors import Ambiguous, NotFound
from supervisor.domain.ids import TicketId, is_ticket_id
from supervisor.domain.queue import Route
from supervisor.domain.ticket import (
    HELD_BY_AGENT,
    WAITING,
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
)
from tests.unit.domain import samples
from tests.unit.domain.samples import AGENT, NOON, after, ticket


def shelf(*tickets: Ticket, settings: queue.Settings | None = None) -> Shelf:
    made = Shelf(settings or samples.settings())
    made.load(tickets)
    return made


def ids(tickets: Any) -> list[str]:
    return [each.id for each in tickets]


# --- finding -------------------------------------------------------------------------------------


def test_a_ticket_is_found_by_its_id_its_key_or_its_alias() -> None:
    full = shelf(
        ticket("repo-7", collection="gh", external_id="77", external_key="owner/repo#7", alias="seven"), ticket("A-1")
    )
    assert ids([full.find("repo-7"), full.find("owner/repo#7"), full.find("seven")]) == ["repo-7"] * 3
    found = full.by_external("gh", "77")
    assert found is not None
    assert found.id == "repo-7"
    assert full.by_external("jira", "77") is None
    assert ids(full.of_collection("gh")) == ["repo-7"]
    with pytest.raises(NotFound, match="no ticket seve"):
        full.find("seve")


def test_a_name_that_two_tickets_have_is_refused_and_both_are_named() -> None:
    full = shelf(ticket("A-1", alias="fix"), ticket("A-2", external_key="fix"), ticket("fix-1", alias="A-1"))
    with pytest.raises(Ambiguous, match="A-1 or A-2"):
        full.find("fix")
    assert full.find("A-1").id == "A-1"  # an id is never ambiguous
    full.put(ticket("A-1", alias="other"))
    assert full.find("fix").id == "A-2"
    assert full.find("other").id == "A-1"


# --- ids -----------------------------------------------------------------------------------------


def test_a_board_keeps_its_key_where_it_can() -> None:
    full = shelf(ticket("ENG-1"))
    assert full.free_id("jira", "ENG-2") == "ENG-2"
    assert full.free_id("jira", "owner/repo#2") == "owner-repo-2"
    assert full.free_id("jira", "ENG-1") == "jira-ENG-1"
    assert full.free_id("jira", "eng-1") == "jira-eng-1"
    assert full.free_id("jira", "ENG-2", taken=(TicketId("eng-2"),)) == "jira-ENG-2"


def test_a_key_that_leaves_nothing_or_nothing_of_its_own_still_gets_an_id_of_its_own() -> None:
    full = shelf()
    for key in ("日本", "中文", "x" * 300, "x" * 299, "a/b", "a b", "a_b", "A/B", "yarn.lock", "..", "", "\ud800"):
        found = full.free_id("board", key)
        assert found is not None, key
        assert is_ticket_id(found)
        full.put(ticket(found))
    assert len({each.casefold() for each in full.tickets}) == 12


@given(keys=st.lists(st.text(st.sampled_from("aAbB/ .-é"), max_size=4), unique=True, max_size=12))
def test_no_two_keys_of_a_board_share_an_id(keys: list[str]) -> None:
    full = shelf()
    for key in keys:
        found = full.free_id("c", key)
        assert found is not None
        full.put(ticket(found))
    assert len({each.casefold() for each in full.tickets}) == len(keys)


# --- blockers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "free"),
    [
        (Queued(NOON), False),
        (Parked(NOON, ParkReason.HELD), False),
        (Launching(NOON, AGENT), False),
        (Running(NOON, AGENT), False),
        (Failed(NOON, "r"), False),
        (Done(NOON), True),
        (Cancelled(NOON, "r"), True),
    ],
)
@pytest.mark.parametrize("name", ["B-1", "key", "alias"])
def test_a_blocker_blocks_until_it_is_done_or_not_wanted(status: TicketStatus, free: bool, name: str) -> None:
    waiting = ticket("A-1", blocked_by=(name,))
    full = shelf(ticket("B-1", external_key="key", alias="alias", status=status), waiting)
    assert full.open_blockers(waiting) == ([] if free else [name])
    expected = Queued(NOON) if free else Parked(after(1), ParkReason.BLOCKED, f"by {name}")
    assert full.assessed(waiting, after(1)) == expected


def test_a_blocker_that_nobody_knows_blocks() -> None:
    waiting = ticket("A-1", blocked_by=("B-1", "B-2"))
    full = shelf(waiting, ticket("B-2", status=Done(NOON)))
    assert full.open_blockers(waiting) == ["B-1"]
    full.put(ticket("B-1", status=Done(NOON)))
    assert full.open_blockers(waiting) == []


def test_a_name_that_two_blockers_have_means_both() -> None:
    waiting = ticket("A-1", blocked_by=("x",))
    full = shelf(waiting, ticket("B-1", alias="x", status=Done(NOON)), ticket("B-2", alias="x"))
    assert full.open_blockers(waiting) == ["x"]
    full.put(ticket("B-2", alias="x", status=Done(NOON)))
    assert full.open_blockers(waiting) == []


def test_those_who_wait_for_a_ticket_are_found_by_each_of_its_names() -> None:
    done = ticket("B-1", external_key="key", alias="alias")
    full = shelf(
        done,
        ticket("A-1", blocked_by=("B-1",)),
        ticket("A-2", blocked_by=("key", "other"), status=Parked(NOON, ParkReason.BLOCKED)),
        ticket("A-3", blocked_by=("alias", "key")),
        ticket("A-4", blocked_by=("other",)),
        ticket("A-5", blocked_by=("B-1",), status=Running(NOON, AGENT)),
    )
    assert ids(full.dependents(done)) == ["A-1", "A-2", "A-3"]
    full.put(ticket("A-1"))
    assert ids(full.dependents(done)) == ["A-2", "A-3"]


def test_who_does_not_wait_keeps_his_status() -> None:
    full = shelf(settings=samples.settings(projects={}))
    for status in (Running(NOON, AGENT), Done(NOON), Failed(NOON, "r")):
        assert full.assessed(ticket(status=status, blocked_by=("x",)), after(1)) is status
    assert isinstance(full.assessed(ticket(), after(1)), Parked)


# --- what is due ---------------------------------------------------------------------------------


def retry(id: str, seconds: float, **changes: Any) -> Ticket:
    return ticket(id, status=Parked(NOON, ParkReason.RETRY, "r", after(seconds)), **changes)


def test_what_is_due_is_given_when_its_time_comes_and_once() -> None:
    full = shelf(retry("A-2", 20), retry("A-1", 10), ticket("A-3"), ticket("A-4", status=Parked(NOON, ParkReason.HELD)))
    assert full.next_due() == after(10)
    assert full.due(after(9)) == []
    assert ids(full.due(after(10))) == ["A-1"]
    assert full.due(after(11)) == []
    assert full.next_due() == after(20)
    assert ids(full.due(after(99))) == ["A-2"]
    assert full.next_due() is None


def test_a_record_that_changes_while_it_waits_is_still_due_once() -> None:
    full = shelf(retry("A-1", 10))
    for title in ("a", "b", "c"):
        full.put(retry("A-1", 10, title=title))
    assert [each.title for each in full.due(after(10))] == ["c"]
    assert full.next_due() is None


def test_what_is_put_back_with_the_same_time_is_due_again() -> None:
    full = shelf(retry("A-1", 10))
    assert ids(full.due(after(10))) == ["A-1"]
    full.put(retry("A-1", 10, title="changed before it was moved"))
    assert ids(full.due(after(10))) == ["A-1"]


def test_what_waits_no_longer_or_for_longer_is_not_due() -> None:
    full = shelf(retry("A-1", 10), retry("A-2", 10), retry("A-3", 10))
    full.put(ticket("A-1"))
    full.put(retry("A-2", 30))
    full.put(retry("A-3", 30))
    full.put(retry("A-3", 10))
    assert ids(full.due(after(10))) == ["A-3"]
    assert ids(full.due(after(30))) == ["A-2"]


# --- indexes -------------------------------------------------------------------------------------

NAMES = st.sampled_from(["A-1", "A-2", "A-3", "A-4", "x", "y"])
STATUSES: st.SearchStrategy[TicketStatus] = st.sampled_from(
    [
        Queued(NOON),
        Queued(after(5)),
        *(
            Parked(NOON, reason, "", until)
            for reason in (ParkReason.RETRY, ParkReason.BLOCKED)
            for until in (None, after(9))
        ),
        Launching(NOON, AGENT),
        Running(NOON, AGENT),
        Done(NOON),
        Failed(NOON, "r"),
        Cancelled(NOON, "r"),
    ]
)
TICKETS = st.builds(
    ticket,
    st.sampled_from(["A-1", "A-2", "A-3", "A-4"]),
    type=st.sampled_from(["TASK", "FIX", "SPIKE", "NONE"]),
    status=STATUSES,
    created_at=st.sampled_from([NOON, after(1)]),
    priority=st.none() | st.integers(1, 3),
    collection=st.sampled_from([None, "c"]),
    labels=st.sampled_from([(), ("ready",)]),
    alias=st.none() | NAMES,
    external_key=st.none() | NAMES,
    blocked_by=st.lists(NAMES, max_size=3).map(tuple),
)
LABELLED = samples.settings(collections={"c": Route(labels=("ready",))})


def _names(each: Ticket) -> set[str]:
    return {name for name in (each.id, each.alias, each.external_key) if name is not None}


@given(puts=st.lists(TICKETS, max_size=30))
@settings(max_examples=200)
def test_indexes_say_what_a_look_at_all_tickets_would(puts: list[Ticket]) -> None:
    full, model = shelf(settings=LABELLED), dict[TicketId, Ticket]()
    for put in puts:
        full.put(put)
        model[put.id] = put
    assert full.tickets == model
    assert +full.counts == Counter(each.status_name for each in model.values())
    waiting = [each for each in model.values() if isinstance(each.status, WAITING)]
    assert +full.waiting_types == Counter(each.type for each in waiting)
    assert ids(full.held()) == sorted(each.id for each in model.values() if isinstance(each.status, HELD_BY_AGENT))
    in_line = [
        each
        for each in waiting
        if isinstance(each.status, Queued) and each.type != "NONE" and (each.collection is None or each.labels)
    ]
    in_line.sort(key=lambda each: queue.order_key(each, LABELLED))
    assert full.line(100) == in_line
    assert full.line(2) == in_line[:2]
    assert ids(full.due(after(100))) == sorted(
        each.id for each in waiting if isinstance(each.status, Parked) and each.status.until is not None
    )
    for each in model.values():
        assert ids(full.dependents(each)) == sorted(
            other.id for other in waiting if _names(each) & set(other.blocked_by)
        )
        for ref in each.blocked_by:
            assert (ref in full.open_blockers(each)) == _blocks(ref, model)
        assert full.find(each.id) == each


def _blocks(ref: str, model: dict[TicketId, Ticket]) -> bool:
    exact = model.get(TicketId(ref))
    named = [exact] if exact is not None else [each for each in model.values() if ref in _names(each)]
    return not named or not all(isinstance(each.status, Done | Cancelled) for each in named)


def test_a_ticket_leaves_the_line_when_it_is_taken_and_when_it_is_not_wanted_any_more() -> None:
    full = shelf(ticket("A-1", collection="c", labels=("ready",)), ticket("A-2"), settings=LABELLED)
    assert ids(full.line(9)) == ["A-1", "A-2"]
    full.put(evolve(full.find("A-2"), status=Launching(NOON, AGENT)))
    full.put(evolve(full.find("A-1"), labels=()))
    assert full.line(9) == []
    assert len(full.backlog) == 0
