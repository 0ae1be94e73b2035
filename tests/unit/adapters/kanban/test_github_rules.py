"""What GitHub's states, labels and columns mean, and what a write may do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.kanban.github.client import graphql_address, next_page
from supervisor.adapters.kanban.github.comment import LIMIT, composed, is_ours
from supervisor.adapters.kanban.github.refs import Ref, is_repo, waited_for
from supervisor.adapters.kanban.github.rules import (
    Option,
    Options,
    field_priority,
    label_priority,
    overruled,
    type_of,
)
from supervisor.adapters.kanban.github.text import BODY_LIMIT, moment, next_cursor, one_line, several_lines
from supervisor.domain.ticket import BoardState, WriteKind

K, S = WriteKind, BoardState


@pytest.mark.parametrize("kind", list(WriteKind))
@pytest.mark.parametrize("now", list(BoardState))
def test_what_a_person_closed_is_not_opened_or_closed_otherwise(kind: WriteKind, now: BoardState) -> None:
    against = {
        (each, closed) for each in (K.STARTED, K.AWAITING, K.FAILED) for closed in (S.DONE, S.CANCELLED)
    } | {(K.DONE, S.CANCELLED), (K.CANCELLED, S.DONE)}  # fmt: skip
    assert overruled(kind, now) is ((kind, now) in against)


def columns(*names: str, **states: str) -> Options:
    return Options("F", tuple(Option(name, name) for name in names), states)


def test_a_column_that_nobody_knows_means_what_those_around_it_do() -> None:
    options = columns("Inbox", "Todo", "Doing", "Paused", "Done", "Paid")
    meant = [options.state(each.id) for each in options.options]
    assert meant == [S.OPEN, S.OPEN, S.IN_PROGRESS, S.IN_PROGRESS, S.DONE, S.DONE]
    assert options.state(None) is S.OPEN
    assert options.state("gone") is S.OPEN


def test_a_configured_name_means_what_it_is_configured_for() -> None:
    options = columns("Done", "Todo", "Agents", requeued="done", started="agents", done="todo")
    assert [options.state(each) for each in ("Done", "Todo", "Agents")] == [S.OPEN, S.DONE, S.IN_PROGRESS]
    assert options.target(K.DONE, None) == Option("Todo", "Todo")


@pytest.mark.parametrize(
    ("kind", "now", "target"),
    [
        (K.STARTED, "In Review", "In Progress"),
        (K.AWAITING, "In Progress", "In Review"),
        (K.FAILED, "In Review", None),
        (K.FAILED, "Todo", "In Progress"),
        (K.REQUEUED, "Done", "Todo"),
        (K.DONE, "Todo", "Done"),
        (K.CANCELLED, "Todo", "Cancelled"),
        (K.NOTED, "Todo", None),
    ],
)
def test_where_a_write_brings_an_item(kind: WriteKind, now: str, target: str | None) -> None:
    options = columns("Backlog", "Todo", "In Progress", "In Review", "Done", "Cancelled")
    found = options.target(kind, now)
    assert (found.name if isinstance(found, Option) else found) == target


def test_a_board_without_columns_for_it_names_what_is_missing() -> None:
    assert columns("Todo").target(K.STARTED, None) == "In Progress"
    assert columns("Todo", awaiting="QA").target(K.AWAITING, None) == "QA"
    assert columns("Todo", started="Go").target(K.FAILED, None) == "Go"
    assert columns("A", "Done").target(K.REQUEUED, None) == Option("A", "A")


@pytest.mark.parametrize(
    ("label", "priority"),
    [
        ("P1", 1), ("p4", 4), ("P0", 1), ("priority: high", 2), ("Priority/Critical", 1), ("prio-3", 3),
        ("priority low", 4), ("high", None), ("P5", None), ("P1x", None), ("priority", None), ("php", None),
    ],
)  # fmt: skip
def test_labels_that_are_priorities(label: str, priority: int | None) -> None:
    assert label_priority(label) == priority


@pytest.mark.parametrize(
    ("value", "priority"), [("High", 2), ("P3", 3), ("1", 1), (2.0, 2), (2.5, None), ("soon", None), (0, None)]
)
def test_values_of_a_priority_field(value: str | float, priority: int | None) -> None:
    assert field_priority(value) == priority


def test_a_configured_type_wins_over_an_equal_name() -> None:
    assert type_of(["task", "Bug"], {"bug": "FIX"}, ("TASK",)) == "FIX"
    assert type_of(["x", "task"], {}, ("FEAT", "Task")) == "Task"
    assert type_of(["x"], {"y": "FIX"}, ("FEAT",)) is None


def test_references_in_lines_that_begin_so() -> None:
    text = "Blocked by: #1, a/b#2\n* is blocked by https://github.com/a/c/issues/3\nis not blocked by #4\n#5"
    assert waited_for(text, "A/R") == (Ref("A/R", 1), Ref("a/b", 2), Ref("a/c", 3))
    assert waited_for("blocked by #1, ../..#2, a/R#0, A/r#7", "a/r") == (Ref("a/r", 1), Ref("a/r", 7))
    assert waited_for("blocked by #1", None) == ()
    assert len(waited_for("blocked by " + " ".join(f"#{n}" for n in range(1, 99)), "a/r")) == 20
    assert Ref("a/b.c", 2).key == "b.c-2"
    assert not is_repo("a/..")


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from([None, "https://example.org/pr/1"]))
def test_a_comment_is_found_again_and_composing_it_twice_changes_nothing(old: str, new: str, link: str | None) -> None:
    first = composed(None, "T-1", old, link)
    assert is_ours(first, "T-1")
    assert not is_ours(first, "T-10")
    assert not is_ours("> " + first, "T-1")
    second = composed(first, "T-1", new, None)
    assert composed(second, "T-1", new, None) == second
    assert composed(second, "T-1", "", link) == second
    assert (link or "") in second


def test_a_comment_keeps_its_link_when_its_text_is_cut() -> None:
    body = composed(None, "T-1", "x" * 100_000, "https://example.org")
    assert len(body) <= LIMIT
    assert body.endswith("Work: <https://example.org>")
    assert composed(body, "T-1", "x" * 100_000, None) == body


@given(st.text(), st.integers(1, 20))
def test_a_line_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert not any(each in line for each in "\n\r\x00\x1b\x7f\x9b\u2028")
    line.encode()


def test_a_body_keeps_its_lines_and_is_cut_between_characters() -> None:
    assert several_lines("a\r\nb\tc\x1b[2J\ud800") == "a\nb\tc\ufffd[2J?"
    cut = several_lines("é" * BODY_LIMIT)
    assert len(cut.encode()) <= BODY_LIMIT
    assert cut.endswith("MB]")


def test_where_graphql_is() -> None:
    assert graphql_address("https://api.github.com") == "https://api.github.com/graphql"
    assert graphql_address("https://git.example.org/api/v3") == "https://git.example.org/api/graphql"


def test_the_next_page_of_a_link_header() -> None:
    link = '<https://x/1?page=1>; rel="prev", <https://x/1?a=b,c&page=3>; rel="next", <https://x/9>; rel="last"'
    assert next_page(link) == "https://x/1?a=b,c&page=3"
    assert next_page('<https://x/1>; rel="prev"') is None
    assert next_page("") is None


def test_the_cursor_goes_forward_and_not_beyond_the_boards_clock() -> None:
    early, middle, late = (moment(f"2026-01-0{day}T00:00:00Z") for day in (1, 2, 3))
    assert next_cursor(None, [], None) is None
    assert next_cursor(None, [], middle) == "2026-01-02T00:00:00Z"
    assert next_cursor(early, [], late) == "2026-01-01T00:00:00Z"
    assert next_cursor(early, [middle, None], late) == "2026-01-02T00:00:00Z"
    assert next_cursor(early, [late], middle) == "2026-01-02T00:00:00Z"
    assert next_cursor(middle, [early], early) == "2026-01-02T00:00:00Z"
    assert moment("yesterday") is None
    assert moment(7) is None
