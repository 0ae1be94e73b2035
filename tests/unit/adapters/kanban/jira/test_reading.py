"""What Jira's answers mean, and what they can do to nobody."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.kanban.jira.reading import (
    CLOSED_AS,
    OURS,
    Issue,
    Names,
    Site,
    Status,
    blockers,
    issue_of,
    moment,
    priority_of,
    ranks_of,
    state_of,
    type_of,
)
from supervisor.domain.ticket import BoardProblem, BoardState

SITE = Site("https://x.atlassian.net", "UTC")
NAMES = Names("ENG", cancelled="Parked", types={"Bug": "FIX", "spike-label": "SPIKE"}, known=("FEAT", "FIX", "TASK"))


def bean(**fields: Any) -> dict[str, Any]:
    status = {"id": "1", "name": "To Do", "statusCategory": {"key": "new"}}
    usual = {"summary": "title", "status": status, "project": {"key": "ENG"}, "updated": "2026-11-24T10:00:00.000+0100"}
    return {"id": "10001", "key": "ENG-1", "fields": usual | fields}


@pytest.mark.parametrize(
    ("name", "category", "resolution", "state"),
    [
        ("To Do", "new", "", BoardState.OPEN),
        ("In Progress", "indeterminate", "", BoardState.IN_PROGRESS),
        ("Cancelled by mistake", "indeterminate", "", BoardState.IN_PROGRESS),
        ("Done", "done", "", BoardState.DONE),
        ("Done", "done", "Fixed", BoardState.DONE),
        ("Done", "done", "Won't Do", BoardState.CANCELLED),
        ("Closed", "done", "Duplicate", BoardState.CANCELLED),
        ("Won\u2019t Fix", "done", "", BoardState.CANCELLED),
        ("CANCELED", "done", "", BoardState.CANCELLED),
        ("Rejected", "done", "", BoardState.CANCELLED),
        ("parked", "done", "", BoardState.CANCELLED),
        ("Limbo", "undefined", "", None),
        ("Limbo", "", "", None),
    ],
)
def test_a_state_is_told_by_its_category(name: str, category: str, resolution: str, state: BoardState | None) -> None:
    assert state_of(Status("1", name, category), resolution, NAMES) is state


def test_done_is_cancelled_where_operator_meant_it_so() -> None:
    done = {"id": "7", "name": "Done", "statusCategory": {"key": "done"}}
    for status, state in (("7", BoardState.CANCELLED), ("8", BoardState.DONE)):
        found = issue_of(bean(status=done) | {"properties": {CLOSED_AS: {"status": status}}}, SITE, NAMES)
        assert isinstance(found, Issue)
        assert found.ticket.state is state


@pytest.mark.parametrize(
    ("own", "labels", "kind"),
    [
        ("Bug", (), "FIX"),
        ("bug", (), "FIX"),
        ("Task", (), "TASK"),
        ("Story", (), None),
        ("Story", ("web", "feat"), "FEAT"),
        ("Task", ("Spike-Label",), "SPIKE"),
        ("Bug", ("FEAT",), "FEAT"),
    ],
)
def test_a_type_is_told_by_a_label_or_else_by_jiras_own(own: str, labels: tuple[str, ...], kind: str | None) -> None:
    assert type_of(own, labels, NAMES) == kind


def test_priorities_are_told_by_name_or_else_by_their_order() -> None:
    names = ["Highest", "High", "Medium", "Low", "Lowest"]
    assert [priority_of({"id": "x", "name": name}, SITE) for name in names] == [1, 2, 3, 4, 4]
    ranks = ranks_of([{"id": str(n), "name": f"P{n}"} for n in range(6)])
    site = Site(None, None, ranks=ranks)
    assert [priority_of({"id": str(n), "name": f"P{n}"}, site) for n in range(6)] == [1, 2, 3, 4, 4, 4]
    assert priority_of({"id": "9", "name": "odd"}, site) is None
    assert priority_of(None, site) is None


def link(
    side: str, category: str, *, inward: str = "is blocked by", outward: str = "blocks", name: str = "Blocks"
) -> Any:
    there = {"key": "ENG-9", "fields": {"status": {"id": "1", "name": "x", "statusCategory": {"key": category}}}}
    return {"type": {"name": name, "inward": inward, "outward": outward}, f"{side}Issue": there}


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ([link("inward", "new")], ("ENG-9",)),
        ([link("inward", "indeterminate")], ("ENG-9",)),
        ([link("inward", "done")], ()),
        ([link("outward", "new")], ()),
        ([link("outward", "new", inward="blocks", outward="is blocked by")], ("ENG-9",)),
        ([link("inward", "new", inward="blocks", outward="is blocked by")], ()),
        ([link("inward", "new", inward="wird blockiert von", outward="hindert")], ("ENG-9",)),
        ([link("inward", "new", inward="relates to", outward="relates to", name="Relates")], ()),
        ([{"type": {"name": "Blocks", "inward": "is blocked by"}, "inwardIssue": {"key": "ENG-8"}}], ("ENG-8",)),
        ("x", ()),
    ],
)
def test_what_blocks_is_told_by_the_links_direction_and_the_others_category(links: Any, found: tuple[str, ...]) -> None:
    assert blockers(links) == found


def test_times_are_read_in_utc() -> None:
    assert moment("2026-11-24T10:00:00.123+0100") == datetime(2026, 11, 24, 9, 0, 0, 123000, tzinfo=UTC)
    assert [moment(each) for each in ("soon", "2026-11-24T10:00:00", None, 3, "0001-01-01T00:00:00+0100")] == [None] * 5


def test_a_record_without_a_name_is_a_problem() -> None:
    for odd in (None, 3, {}, {"id": "1"}, {"key": "ENG-1"}, {"id": 7, "key": "ENG-1"}):
        assert isinstance(issue_of(odd, SITE, NAMES), BoardProblem)


def test_what_was_written_here_keeps_its_project_and_driver() -> None:
    found = issue_of(bean() | {"properties": {OURS: {"project": "api", "driver": 7}}}, SITE, NAMES)
    assert isinstance(found, Issue)
    assert (found.ticket.project, found.ticket.driver) == ("api", None)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "key", "name", "type"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*bean()["fields"], "labels", "issuelinks", "priority", "description"]), VALUES))
def test_no_record_makes_it_crash_and_all_of_it_can_be_stored(fields: dict[str, Any]) -> None:
    found = issue_of(bean(**fields), SITE, NAMES)
    assert isinstance(found, Issue)
    ticket = found.ticket
    assert ticket.title
    json.dumps([ticket.title, ticket.body, ticket.labels, ticket.blocked_by]).encode()
    "".join((ticket.title, ticket.body, *ticket.labels)).encode()


def test_lone_surrogates_are_replaced() -> None:
    found = issue_of(
        json.loads('{"id": "1", "key": "ENG-1", "fields": {"summary": "a\\ud800b", "labels": ["\\udfff"]}}'),
        SITE,
        NAMES,
    )
    assert isinstance(found, Issue)
    assert (found.ticket.title, found.ticket.labels) == ("a\ufffdb", ("\ufffd",))
