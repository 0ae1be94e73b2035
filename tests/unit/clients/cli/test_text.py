"""Widths, cutting, columns, and text that must not steer a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cli.text import clean, clean_lines, clusters, columns_of, cut, pad, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("plain", 5),
        ("naïve", 5),
        ("nai\u0308ve", 5),  # the same with a combining mark
        ("漢字", 4),
        ("\uff46\uff55", 4),
        ("한국", 4),
        ("\u1112\u1161\u11ab", 2),  # one syllable in three parts
        ("👩", 2),
        ("👩\u200d👩\u200d👧", 2),  # a family is one sign
        ("👍🏽", 2),  # with a skin tone
        ("❤\ufe0f", 2),  # asked to be an emoji
        ("a\u200bb", 2),  # a blank without width
    ],
)
def test_width_is_what_a_terminal_needs(text: str, columns: int) -> None:
    assert width(text) == columns


@given(st.text())
def test_clusters_lose_nothing(text: str) -> None:
    assert "".join(cluster for cluster, _ in clusters(text)) == text


@given(st.text(), st.integers(0, 40))
def test_what_is_cut_fits(text: str, columns: int) -> None:
    line = clean(text)
    assert width(cut(line, columns)) <= columns
    assert cut(line, columns, "~") == line or width(line) > columns


def test_a_sign_is_never_cut_in_two() -> None:
    assert cut("ab👩\u200d👩\u200d👧cd", 4) == "ab…"
    assert cut("漢字漢字", 4) == "漢…"
    assert cut("nai\u0308ve", 4) == "nai\u0308…"


@given(st.text())
def test_nothing_clean_can_steer_a_terminal(text: str) -> None:
    for char in clean(text):
        assert ord(char) >= 0x20
        assert not 0x7F <= ord(char) < 0xA0
        assert char not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"


def test_escape_sequences_are_defused() -> None:
    assert clean("\x1b]0;owned\x07red\x1b[31m\x9b1m") == "\ufffd]0;owned\ufffdred\ufffd[31m\ufffd1m"
    assert clean("two\nlines\tand a tab\r\n") == "two lines and a tab  "
    assert clean_lines("a\x1b[2J\r\nb\tc\n") == "a\ufffd[2J\nb    c\n"


def test_columns_line_up_by_width_and_the_widest_gives_way() -> None:
    rows = [["A", "漢字", "12"], ["BB", "a long title that is far too wide", "3"]]
    lines = ["  ".join(cells) for cells in columns_of(rows, 24, right=(2,))]
    assert lines == ["A   漢字              12", "BB  a long title th…   3"]
    assert all(width(line) == 24 for line in lines)


def test_the_last_column_is_not_filled() -> None:
    assert columns_of([["a", "b"], ["c", "longer"]], 80) == [["a", "b"], ["c", "longer"]]
    assert columns_of([], 80) == []


def test_pad_fills_by_width() -> None:
    assert pad("漢", 4) == "漢  "
    assert pad("漢", 4, right=True) == "  漢"
