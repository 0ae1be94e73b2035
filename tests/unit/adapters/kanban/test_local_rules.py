"""Columns, writes, names and tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.kanban.local.names import alternatives, file_name, is_ticket_file, one_line, shown
from supervisor.adapters.kanban.local.rules import COMPLETED, IN_PROGRESS, QUEUE, Target, state_of, target_of
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, WriteKind

K = WriteKind


@pytest.mark.parametrize(
    ("kind", "column", "status", "expected"),
    [
        (K.STARTED, QUEUE, "", Target(IN_PROGRESS, "running", only_if_there=True)),
        (K.STARTED, IN_PROGRESS, "failed", Target(IN_PROGRESS, "running", only_if_there=True)),
        (K.STARTED, COMPLETED, "", "done"),
        (K.STARTED, COMPLETED, "cancelled", "cancelled"),
        (K.AWAITING, IN_PROGRESS, "", Target(IN_PROGRESS, "awaiting")),
        (K.AWAITING, COMPLETED, "", "done"),
        (K.FAILED, QUEUE, "", Target(IN_PROGRESS, "failed")),
        (K.FAILED, COMPLETED, "done", "done"),
        (K.DONE, IN_PROGRESS, "", Target(COMPLETED, "done")),
        (K.DONE, QUEUE, "queued", Target(COMPLETED, "done")),
        (K.DONE, COMPLETED, "running", Target(COMPLETED, "done")),
        (K.DONE, COMPLETED, "cancelled", "cancelled"),
        (K.CANCELLED, IN_PROGRESS, "", Target(COMPLETED, "cancelled")),
        (K.CANCELLED, COMPLETED, "cancelled", Target(COMPLETED, "cancelled")),
        (K.CANCELLED, COMPLETED, "done", "done"),
        (K.REQUEUED, IN_PROGRESS, "failed", Target(QUEUE, "queued")),
        (K.REQUEUED, QUEUE, "", Target(QUEUE, "queued")),
        (K.REQUEUED, COMPLETED, "done", Target(QUEUE, "queued")),
        (K.REQUEUED, COMPLETED, "cancelled", Target(QUEUE, "queued")),
        (K.REQUEUED, COMPLETED, "running", "done"),
    ],
)
def test_where_a_write_brings_a_file(kind: WriteKind, column: str, status: str, expected: Target | str) -> None:
    assert target_of(kind, column, status) == expected


@pytest.mark.parametrize("kind", list(WriteKind))
@pytest.mark.parametrize("column", [QUEUE, IN_PROGRESS])
def test_a_write_that_is_done_again_ends_in_the_same_place(kind: WriteKind, column: str) -> None:
    """Also one that was cut off between the status and the move."""
    once = target_of(kind, column, "")
    assert isinstance(once, Target)
    assert target_of(kind, column, once.status) == once
    assert target_of(kind, once.column, once.status) == once


def test_states() -> None:
    assert state_of(QUEUE, "cancelled") is BoardState.OPEN
    assert state_of(IN_PROGRESS, "done") is BoardState.IN_PROGRESS
    assert state_of(COMPLETED, "") is BoardState.DONE
    assert state_of(COMPLETED, "canceled") is BoardState.CANCELLED


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Rate limit: login!", "FEAT-7-rate-limit-login.md"),
        ("日本語 テスト", "FEAT-7-日本語-テスト.md"),
        ("🚀", "FEAT-7.md"),
        ("../../etc/passwd\n", "FEAT-7-etc-passwd.md"),
        ("", "FEAT-7.md"),
    ],
)
def test_file_names(title: str, name: str) -> None:
    assert file_name(TicketId("FEAT-7"), title) == name


@given(st.text(max_size=300), st.integers(1, 64))
def test_names_fit_and_stay_in_their_folder(title: str, size: int) -> None:
    name = file_name(TicketId("x" * size), title)
    assert is_ticket_file(name)
    assert "/" not in name
    assert "\0" not in name
    names = [each for each, _ in zip(alternatives(name), range(12), strict=False)]
    assert len(set(names)) == 12
    assert all(len(each.encode()) <= 255 and is_ticket_file(each) for each in names)


def test_a_name_of_full_length_gets_a_number_too() -> None:
    name = "é" * 126 + ".md"
    other = list(zip(alternatives(name), range(2), strict=False))[1][0]
    assert other.endswith("-2.md")
    assert len(other.encode()) <= 255


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.md", True),
        ("A.MD", True),
        ("مرحبا.md", True),
        (".a.md", False),
        (".#a.md", False),
        ("#a.md#", False),
        ("a.md~", False),
        (".a.md.swp", False),
        ("a.txt", False),
        (".md", False),
        (".operator-part-1", False),
    ],
)
def test_which_files_are_tickets(name: str, is_one: bool) -> None:
    assert is_ticket_file(name) is is_one


def test_names_can_be_shown() -> None:
    assert shown("a\nb\udcff\x1b") == "a" + "\N{REPLACEMENT CHARACTER}".join(["", "b", "", ""])
    assert len(shown("x" * 999)) == 200
    assert one_line(" a\t\n b\x07 ", 10) == "a b"
    assert one_line("x" * 20, 10) == "x" * 9 + "…"
