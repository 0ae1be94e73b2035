from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.kanban.linear.mapping import (
    MAX_BODY,
    MAX_TITLE,
    OVERLAP,
    Kinds,
    cursor_after,
    issue_of,
    many_lines,
    one_line,
    page_of,
    since,
    web_address,
)
from supervisor.domain.errors import BoardError, BoardPagination, BoardPayload
from supervisor.domain.ticket import BoardState, BoardTicket

KINDS = Kinds({"Bug": "FIX"}, frozenset({"FIX", "FEAT", "TASK"}))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def names(*labels: str) -> dict[str, Any]:
    return {"nodes": [{"name": each} for each in labels], "pageInfo": {"hasNextPage": False}}


def blocker(key: str, kind: str, **more: Any) -> dict[str, Any]:
    issue = {"identifier": key, "archivedAt": None, "trashed": None, "state": {"type": kind}} | more
    return {"type": "blocks", "issue": issue}


def node(**changed: Any) -> dict[str, Any]:
    return {
        "id": "0f6f2a2e-0000-4000-8000-000000000001",
        "identifier": "ENG-7",
        "title": "Title",
        "description": "Body",
        "priority": 2.0,
        "url": "https://linear.app/acme/issue/ENG-7",
        "updatedAt": "2026-05-01T12:00:00.123Z",
        "archivedAt": None,
        "trashed": None,
        "state": {"id": "s1", "name": "Todo", "type": "unstarted"},
        "labels": names(),
        "inverseRelations": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    } | changed


def read(**changed: Any) -> BoardTicket:
    issue = issue_of(node(**changed), KINDS)
    assert issue is not None
    return issue.ticket


def test_an_issue_becomes_a_ticket() -> None:
    labels = names("web", "bug")
    blockers = {"nodes": [blocker("ENG-3", "started"), blocker("OPS-1", "backlog")], "pageInfo": {"hasNextPage": False}}
    assert read(labels=labels, inverseRelations=blockers) == BoardTicket(
        external_id="0f6f2a2e-0000-4000-8000-000000000001",
        external_key="ENG-7",
        title="Title",
        body="Body",
        type="FIX",
        state=BoardState.OPEN,
        priority=2,
        labels=("bug", "web"),
        blocked_by=("ENG-3", "OPS-1"),
        url="https://linear.app/acme/issue/ENG-7",
        updated_at=datetime(2026, 5, 1, 12, 0, 0, 123000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("triage", BoardState.OPEN), ("backlog", BoardState.OPEN), ("unstarted", BoardState.OPEN),
        ("started", BoardState.IN_PROGRESS), ("completed", BoardState.DONE), ("canceled", BoardState.CANCELLED),
        ("duplicate", BoardState.CANCELLED),
    ],
)  # fmt: skip
def test_states_are_read_by_their_type_whatever_they_are_called(kind: str, state: BoardState) -> None:
    ticket = read(state={"id": "s", "name": "Fertig?", "type": kind})
    assert (ticket.state, ticket.problem) == (state, None)


@pytest.mark.parametrize(
    ("relations", "blocked_by"),
    [
        ([blocker("ENG-3", "completed"), blocker("ENG-4", "canceled"), blocker("ENG-5", "triage")], ("ENG-5",)),
        (
            [blocker("ENG-3", "started", archivedAt="2026-01-01T00:00:00Z"), blocker("ENG-4", "started", trashed=True)],
            (),
        ),
        ([blocker("ENG-3", "started") | {"type": "related"}, blocker("ENG-4", "x") | {"type": "duplicate"}], ()),
        ([blocker("ENG-9", "started"), blocker("ENG-10", "started"), blocker("ENG-9", "started")], ("ENG-10", "ENG-9")),
        ([blocker("ENG-3", "brand-new")], ("ENG-3",)),
    ],
)
def test_only_what_blocks_and_is_not_over_blocks(relations: list[Any], blocked_by: tuple[str, ...]) -> None:
    ticket = read(inverseRelations={"nodes": relations, "pageInfo": {"hasNextPage": False}})
    assert (ticket.blocked_by, ticket.problem) == (blocked_by, None)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ((), None), (("web",), None), (("feat",), "FEAT"), (("Feat", "BUG"), "FIX"), (("fix",), "FIX"),
        (("spike",), None), (("task", "feat"), "FEAT"),
    ],
)  # fmt: skip
def test_labels_tell_the_type(labels: tuple[str, ...], kind: str | None) -> None:
    assert read(labels=names(*labels)).type == kind


@pytest.mark.parametrize(
    "changed",
    [
        {"identifier": 7}, {"identifier": "../../etc"}, {"identifier": "ENG-7\n"}, {"identifier": None},
        {"title": None}, {"title": ""}, {"title": "  "}, {"title": " \n "}, {"title": ["x"]}, {"description": {"a": 1}},
        {"priority": "high"}, {"priority": 7}, {"priority": True}, {"priority": None},
        {"updatedAt": "yesterday"}, {"updatedAt": 12},
        {"state": None}, {"state": {"id": "s", "name": "x", "type": "brand-new"}}, {"state": {"name": "x"}},
        {"labels": None}, {"labels": {"nodes": [None]}}, {"labels": {"nodes": [{"name": 3}]}}, {"inverseRelations": 3},
        {"inverseRelations": {"nodes": [{"type": "blocks", "issue": None}]}},
        {"inverseRelations": {"nodes": [blocker("rm -rf /", "started")]}},
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_a_problem_of_that_record_alone(changed: dict[str, Any]) -> None:
    ticket = read(**changed)
    assert ticket.problem
    assert ticket.external_id == "0f6f2a2e-0000-4000-8000-000000000001"


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"id": None}, {"id": ""}, {"id": "a b"}, {"id": "x" * 65}])
def test_what_cannot_be_named_is_no_ticket(value: Any) -> None:
    assert issue_of(value, KINDS) is None


def test_a_page_keeps_the_good_and_names_the_bad() -> None:
    connection = {"nodes": [node(), None, node(id="b", title=3)], "pageInfo": {"hasNextPage": False}}
    page = page_of(connection, KINDS, {0: "timed out"}, 4)
    assert [(each.ticket.external_id, each.ticket.problem is not None) for each in page.issues] == [
        ("0f6f2a2e-0000-4000-8000-000000000001", True),
        ("b", True),
    ]
    assert [each.where for each in page.problems] == ["page 4, issue 2"]
    assert page.next is None


@pytest.mark.parametrize(
    ("connection", "error"),
    [
        (None, BoardPayload),
        ({"nodes": 7, "pageInfo": {}}, BoardPayload),
        ({"nodes": []}, BoardPayload),
        ({"nodes": [], "pageInfo": {}}, BoardPayload),
        ({"nodes": [], "pageInfo": {"hasNextPage": "no"}}, BoardPayload),
        ({"nodes": [], "pageInfo": {"hasNextPage": True}}, BoardPagination),
        ({"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": ""}}, BoardPagination),
    ],
)
def test_a_page_whose_end_is_not_known_is_an_error(connection: Any, error: type[BoardError]) -> None:
    with pytest.raises(error):
        page_of(connection, KINDS, {}, 1)


def test_texts_are_bounded_and_harmless() -> None:
    assert one_line("a\tb\r\n c\x00\x1b[31m\x9b\ud800") == "a b c[31m\ufffd"
    assert one_line("  kept as it is  ") == "  kept as it is  "
    assert len(one_line("x" * 5000)) == MAX_TITLE
    assert many_lines("a\r\nb\rc\td\x00\x1b]0;x\x07 \n") == "a\nb\nc\td]0;x \n"
    assert len(many_lines("é" * MAX_BODY).encode()) <= MAX_BODY


@pytest.mark.parametrize("value", ["javascript:alert(1)", "https://a b", "https://x\n", "x" * 3000, None, 3, "//x"])
def test_addresses_that_are_none_are_left_out(value: object) -> None:
    assert web_address(value) is None


def json_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([*node(), "nodes", "pageInfo", "name", "type", "issue"])
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner))


@given(json_of(st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_nothing_that_a_board_says_breaks_the_reading(value: Any) -> None:
    issue_of(value, KINDS)
    issue = issue_of(node() | value if isinstance(value, dict) else value, KINDS)
    if issue is not None:
        issue.ticket.title.encode()
        issue.ticket.body.encode()


def test_the_cursor_is_the_newest_change_seen_and_never_after_the_reading_began() -> None:
    seen = [read(updatedAt="2026-05-01T11:00:00Z"), read(updatedAt="2026-05-01T11:30:00Z"), read(updatedAt="never")]
    assert cursor_after(seen, None, NOON) == "2026-05-01T11:30:00+00:00"
    assert cursor_after(seen, None, datetime(2026, 5, 1, 11, 10, tzinfo=UTC)) == "2026-05-01T11:10:00+00:00"
    assert cursor_after([], "2026-05-01T10:00:00+00:00", NOON) == "2026-05-01T10:00:00+00:00"
    assert cursor_after(seen, "2026-05-01T11:59:00+00:00", NOON) == "2026-05-01T11:59:00+00:00"
    assert cursor_after([], None, NOON) is None


@pytest.mark.parametrize("cursor", [None, "", "x", "2026-13-01", "0001-01-01T00:00:00+00:00"])
def test_a_cursor_that_is_none_means_everything(cursor: str | None) -> None:
    assert since(cursor) is None


def test_changes_are_read_again_from_before_the_cursor() -> None:
    assert since(NOON.isoformat()) == NOON - OVERLAP
    assert timedelta(minutes=2) == OVERLAP
