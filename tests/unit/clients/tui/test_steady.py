"""Text takes exactly the columns that are counted for it, on every terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from clients.cli.text import width
from clients.tui.steady import steady, steady_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold]x[/]", "plain [bold]x[/]"),
        ("e\u0301", "é"),
        ("a\u0300\u0301\u0302\u0303\u0304", "à\u0301\u0302"),
        ("\u0301x", "x"),
        ("👨‍👩‍👧", "👨👩👧"),
        ("👍🏽", "👍"),
        ("❤️", "❤"),
        ("🇩🇪", "DE"),
        ("\u202eevil", "evil"),
        ("a\x1b[2Jb\x07", "a\ufffd[2Jb\ufffd"),
        ("two\nlines", "two lines"),
    ],
)
def test_what_terminals_disagree_on_is_taken_apart(text: str, shown: str) -> None:
    assert steady(text) == shown


@given(st.text(max_size=60))
def test_nothing_in_it_steers_a_terminal(text: str) -> None:
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in steady(text))
    assert steady_lines(text).count("\n") >= text.count("\n")


@given(st.text(st.sampled_from("ab 日長é\u0301👨\u200d👩שم🇩🇪\ufe0f❤"), max_size=40))
def test_two_ways_to_count_its_columns_agree(text: str) -> None:
    assert width(steady(text)) == cell_len(steady(text))
