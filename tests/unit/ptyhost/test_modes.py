"""The modes that a program set, read from its output wherever that was cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.ptyhost.modes import BRACKETED_PASTE, CURSOR_KEYS, ModeReader

EVERYTHING = (
    b"text\x1b[31mred\x1b]2;a title\x07\x1b[?1049h\x1b[2J\x1b[H\x1b[?2004h\x1b[?1;1006h\x1b[?25l\x1b=\x1b[4 q\x1b[2;20r"
    b"\x1b[>5u\x1b[>4;2m\x1b[4h\x1bPtmux;\x1b\x1b]0;the last\x07\x1b\\\x1b_Gi=1;AA\x1b\\more \xe6\xbc\xa2\x1b(B\x1b[K"
)
RESTORED = (
    b"\x1b]2;the last\x07\x1b[?1049h\x1b[?1h\x1b[?25l\x1b[?1006h\x1b[?2004h\x1b[4h\x1b="
    b"\x1b[2;20r\x1b[4 q\x1b[>4;2m\x1b[>5u"
)


def read(*pieces: bytes) -> ModeReader:
    reader = ModeReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def seen(reader: ModeReader) -> tuple[object, ...]:
    return (reader.modes.restored(), reader.offset, reader.blank, reader.turned, reader.at_rest)


def test_all_modes_are_set_again_elsewhere() -> None:
    whole = read(EVERYTHING)
    assert whole.modes.restored() == RESTORED
    assert read(whole.modes.restored()).modes.restored() == whole.modes.restored()


@pytest.mark.parametrize("at", range(1, len(EVERYTHING)))
def test_a_cut_anywhere_changes_nothing(at: int) -> None:
    assert seen(read(EVERYTHING[:at], EVERYTHING[at:])) == seen(read(EVERYTHING))


def test_single_bytes_change_nothing() -> None:
    assert seen(read(*(bytes([byte]) for byte in EVERYTHING))) == seen(read(EVERYTHING))


PIECES = st.sampled_from(
    b"\x1b|%b|[|]|?|2004|1049|47|h|l|;|c|J|2|P|\\|\x07|u|\x18|>|<|=|text|\n|0|!|p| q|r|m|\xe6\xbc\xa2".replace(
        b"%b", b"9" * 300
    ).split(b"|")
)


@given(st.lists(PIECES, max_size=60), st.lists(st.integers(0, 400), max_size=8))
def test_no_cuts_of_any_output_change_anything(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    at = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    assert seen(read(*(data[a:b] for a, b in pairwise(at)))) == seen(read(data))


@given(st.binary(max_size=3000))
def test_noise_neither_fails_nor_grows(data: bytes) -> None:
    reader = read(data, b"\x18\x1b\\\x1bc\x1b[?2004h")
    assert reader.modes.on(BRACKETED_PASTE)
    assert len(reader._held) <= 1100


def test_a_string_without_an_end_is_given_up() -> None:
    assert read(b"\x1bP" + b"x" * (1 << 20), b"\x1b[?2004h").modes.on(BRACKETED_PASTE)
    assert read(b"\x1b]0;" + b"x" * (1 << 21) + b"\x1b[?2004h").modes.on(BRACKETED_PASTE)


def test_a_reset_ends_all_and_leaves_nothing_on_the_screen() -> None:
    reader = read(EVERYTHING, b"\x1bc")
    assert reader.modes.restored() == b""
    assert reader.blank == len(EVERYTHING)


@pytest.mark.parametrize(
    ("output", "alternate"),
    [(b"\x1b[?1049h", True), (b"\x1b[?47h", True), (b"\x1b[?1049h\x1b[?1047l", False), (b"\x1b[?1049h\x1b[!p", True)],
)
def test_which_screen_is_shown(output: bytes, alternate: bool) -> None:
    assert read(output).modes.alternate is alternate


def test_keyboard_flags_are_a_stack_for_each_screen() -> None:
    reader = read(b"\x1b[>1u\x1b[?1049h\x1b[>5u\x1b[>7u\x1b[<u")
    assert reader.modes.restored().endswith(b"\x1b[>5u")
    reader.feed(b"\x1b[?1049l")
    assert reader.modes.restored() == b"\x1b[>1u"
    reader.feed(b"\x1b[=8;2u")
    assert reader.modes.restored() == b"\x1b[>9u"
    reader.feed(b"\x1b[>1u" * 100)
    assert reader.modes.restored().count(b"u") == 16


def test_defaults_are_not_told() -> None:
    assert read(b"\x1b[?25l\x1b[?7l\x1b[?1h\x1b[?25h\x1b[?7h\x1b[?1l\x1b[?9999h").modes.restored() == b""
    assert not read(b"\x1b[?1h\x1b[!p").modes.on(CURSOR_KEYS)
