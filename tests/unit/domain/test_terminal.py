"""The output parser: what it sees, that cuts do not matter, that nothing makes it fail, grow or slow down."""

import random
import sys
from collections.abc import Iterable
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.domain.terminal import (
    CSI_LIMIT,
    OSC_LIMIT,
    STRING_LIMIT,
    TITLE_LIMIT,
    Bell,
    BracketedPaste,
    Mode,
    Notified,
    ParserState,
    Printed,
    TerminalEvent,
    TerminalParser,
    TitleChanged,
)
from supervisor.domain.wire import from_json, to_json


def parse(*pieces: bytes) -> list[TerminalEvent]:
    parser = TerminalParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def told(events: Iterable[TerminalEvent]) -> tuple[list[TerminalEvent], int]:
    """The events without the printed counts, and the sum of those: what does not depend on the cuts."""
    listed = list(events)
    return (
        [event for event in listed if not isinstance(event, Printed)],
        sum(event.count for event in listed if isinstance(event, Printed)),
    )


ON, OFF = BracketedPaste(True), BracketedPaste(False)


@pytest.mark.parametrize(
    ("output", "events"),
    [
        # Titles
        (b"\x1b]0;\xe2\x9c\xb3 Claude Code\x07", [TitleChanged("✳ Claude Code")]),
        (b"\x1b]2;\xe2\xa0\x82 Claude Code\x1b\\", [TitleChanged("⠂ Claude Code")]),
        (b"\x1b]2;[ ! ] Action Required | projx\x07", [TitleChanged("[ ! ] Action Required | projx")]),
        (b"\x1b]0;a;b;c\x07", [TitleChanged("a;b;c")]),
        (b"\x1b]0;\x07", [TitleChanged("")]),
        (b"\x1b]0\x07", [TitleChanged("")]),
        (b"\x1b]0;same\x07\x1b]0;same\x07", [TitleChanged("same"), TitleChanged("same")]),
        (b"\x1b]1;icon\x07\x1b]10;?\x07\x1b]8;;http://x\x07", []),
        (b"\x1b]0;a\nb\tc\x01\x7f\x07", [TitleChanged("abc")]),
        ("\x1b]0;a\u0085b\u202ec\u2028d\x07".encode(), [TitleChanged("abcd")]),
        ("\x1b]0;👩\u200d💻 é\x07".encode(), [TitleChanged("👩\u200d💻 é")]),
        (b"\x1b]0;a\xffb\xe2\x9c\x07", [TitleChanged("a\ufffdb\ufffd")]),
        # A string that is cut off by CAN, SUB or another sequence was never said
        (b"\x1b]0;no\x18\x1b]0;no\x1a\x1b]0;no\x1b[0m\x1b]0;yes\x07", [TitleChanged("yes")]),
        (b"\x1b]0;no\x1b]0;yes\x07", [TitleChanged("yes")]),
        # Pastes
        (b"\x1b[?2004h", [ON]),
        (b"\x1b[?2004h\x1b[?2004l", [ON, OFF]),
        (b"\x1b[?25;2004;1049h\x1b[?1;02004l", [ON, OFF]),
        (b"\x1b[?12004h\x1b[?20041h\x1b[2004h\x1b[>2004h\x1b[?2004$p\x1b[?2004s", []),
        (b"\x1b[?2004h\x1bc", [ON, OFF]),
        (b"\x1b[?2004h\x1b[!p", [ON, OFF]),
        (b"\x1bc\x1b[!p", []),
        (b"\x1b[?20\x0004\nh", [ON]),
        (b"\x1b[?2004\x18h\x1b[?2004\xc3\xa9h", [Printed(4)]),
        (b"\x1b[?2\x1b[?2004h", [ON]),
        # Notifications
        (b"\x1b]9;Claude needs you\x07", [Notified("Claude needs you")]),
        (b"\x1b]9;4;1;50\x07\x1b]9;4;0\x1b\\\x1b]9;9;/tmp\x07", []),
        (b"\x1b]9;4;done\x07", [Notified("4;done")]),
        (b"\x1b]777;notify;Codex;turn; over\x07", [Notified("Codex: turn; over")]),
        (b"\x1b]777;notify;alone\x1b\\\x1b]777;notify;;body\x07", [Notified("alone"), Notified("body")]),
        (b"\x1b]777;precmd\x07", []),
        # Bells
        (b"\x07", [Bell()]),
        (b"\x1b[3\x071m", [Bell()]),
        (b"\x1b\x07", [Bell()]),
        # Strings that are not ours
        (b"\x1bPq\x07#0;2\x1b\\", []),
        (b"\x1bPtmux;\x1b\x1b]0;inner\x07\x1b\\", []),
        (b"\x1bPtmux;\x1b\x1b]0;inner\x1b\x1b\\\x1b]0;outer\x07", [TitleChanged("outer")]),
        (b"\x1b_G\x1b]0;inner\x07\x1b\\\x1b^p\x1b\\\x1bXs\x1b\\", []),
        (b"\x1bPq\x18\x07\x1b_x\x1a\x07", [Bell(), Bell()]),
        # Visible output
        (b"hello\r\n", [Printed(5)]),
        ("é✳".encode(), [Printed(5)]),
        (b"\r\n\t\0\x7f", []),
        (b"\x1b[1;31mred\x1b[0m \x1b(B\x1b#8\x1b7\x1b[2K\x1b[38:2::1:2:3mx", [Printed(5)]),
        (b"a\x07b\x1b]0;t\x07c", [Bell(), TitleChanged("t"), Printed(3)]),
        (b"\x1b\xc3\xa9", [Printed(2)]),
        (b"", []),
        # 8-bit controls are UTF-8 continuation bytes here
        (b"\x9b?2004h\x9d0;t\x07", [Bell(), Printed(11)]),
    ],
)
def test_what_the_output_says(output: bytes, events: list[TerminalEvent]) -> None:
    assert parse(output) == events
    assert told(parse(*(bytes([byte]) for byte in output))) == told(events)


def test_a_title_is_bounded_in_characters() -> None:
    assert parse(b"\x1b]0;" + "é".encode() * 1000 + b"\x07") == [TitleChanged("é" * TITLE_LIMIT)]


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("end", [b"\x07", b"\x1b\\"])
@pytest.mark.parametrize("cut", [1, 4000, 10_000])
def test_an_osc_above_its_limit_is_dropped_whole(excess: int, end: bytes, cut: int) -> None:
    output = b"\x1b]0;" + b"x" * (OSC_LIMIT - 2 + excess) + end + b"\x1b]0;after\x07"
    events = parse(*(output[at : at + cut] for at in range(0, len(output), cut)))
    assert events == [*([] if excess else [TitleChanged("x" * TITLE_LIMIT)]), TitleChanged("after")]


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("cut", [1, 100, 10_000])
def test_a_control_sequence_above_its_limit_does_nothing(excess: int, cut: int) -> None:
    output = b"\x1b[?2004;" + b"1" * (CSI_LIMIT - 6 + excess) + b"hshown"
    events = parse(*(output[at : at + cut] for at in range(0, len(output), cut)))
    assert told(events) == ([] if excess else [ON], 5)


@pytest.mark.parametrize("opening", [b"\x1b]0;", b"\x1b[", b"\x1bP", b"\x1b_", b"\x1b]0;\x1b", b"\x1bP\x1b", b"\x1b("])
def test_what_never_ends_is_held_in_bounds(opening: bytes) -> None:
    parser = TerminalParser()
    parser.feed(opening)
    for _ in range(20):
        parser.feed(b"1" * 10_000)
        assert len(parser.state.held) <= OSC_LIMIT + 1


def test_a_device_string_that_never_ends_is_given_up() -> None:
    parser = TerminalParser()
    parser.feed(b"\x1bP" + b"\x1b]0;not seen\x07" * (STRING_LIMIT // 10))
    assert parser.feed(b"\x1b]0;heard again\x07")[0] == TitleChanged("heard again")


def test_an_unfinished_title_does_not_hide_what_follows() -> None:
    endless = b"\x1b]0;" + b"x" * 100_000
    assert parse(endless, b"\x1b[?2004h\x07") == [ON, Bell()]
    assert parse(endless, b"\x07\x07") == [Bell()]


def test_an_adopter_goes_on_in_the_middle_of_a_title() -> None:
    first = TerminalParser()
    first.feed(b"\x1b[?2004h\x1b]0;one\x07\x1b]2;\xe2\x9c")
    state = first.state
    assert state == ParserState(Mode.OSC, "2;\xe2\x9c", 0, 22, "one", True)
    assert from_json(to_json(state), ParserState) == state
    second = TerminalParser(state)
    assert (second.title, second.bracketed_paste) == ("one", True)
    assert second.feed(b"\xb3 two\x07") == [TitleChanged("✳ two")]
    assert second.state == ParserState(offset=28, title="✳ two", bracketed_paste=True)


# Pieces that meet in interesting ways: openings without ends, ends without openings, halves of characters.
PIECES = [
    b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b\\", b"\x07", b"\x18", b"\x1a", b"\\", b"[", b"]",
    b";", b"?", b"0;", b"2;", b"9;", b"9;4;1", b"777;notify;a;b", b"\x1b]0;t", b"\x1b]2;", b"\x1b[?2004h",
    b"\x1b[?1;2004l", b"2004", b"h", b"l", b"!p", b"c", b"\x1bc", b"\x1b[!p", b"\x1b(B", b"\x1b[1;31m",
    b"text", b"\r\n", b"\xe2\x9c\xb3", b"\xe2", b"\xff", b"\0", b"\x7f", b"1" * 70, b"x" * 300, b"\x9b",
    b"y" * 5000,
]  # fmt: skip

outputs = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=40).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(output=outputs, data=st.data())
def test_cuts_do_not_matter(output: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(output)), max_size=30).map(sorted))
    whole, cut = TerminalParser(), TerminalParser()
    expected = told(whole.feed(output))
    pieces = [output[a:b] for a, b in pairwise([0, *cuts, len(output)])]
    assert told(event for piece in pieces for event in cut.feed(piece)) == expected
    assert whole.state == cut.state


@settings(max_examples=200, deadline=None)
@given(before=outputs, after=outputs)
def test_a_restored_parser_goes_on_as_the_first_would(before: bytes, after: bytes) -> None:
    first = TerminalParser()
    first.feed(before)
    second = TerminalParser(first.state)
    assert second.feed(after) == first.feed(after)
    assert second.state == first.state


def test_a_million_random_bytes() -> None:
    chance = random.Random(2004)
    output = chance.randbytes(1_000_000)
    parser, bytewise = TerminalParser(), TerminalParser()
    expected = told(parser.feed(output))
    assert told(event for byte in output for event in bytewise.feed(bytes([byte]))) == expected
    for event in expected[0]:
        if isinstance(event, TitleChanged | Notified):
            assert event.title.isprintable() if isinstance(event, TitleChanged) else event.text.isprintable()
    assert parser.state.offset == len(output)


def calls_while_parsing(output: bytes, cut: int) -> int:
    """How many functions the parser calls: work that does not depend on the machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    parser = TerminalParser()
    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        for at in range(0, len(output), cut):
            parser.feed(output[at : at + cut])
    finally:
        sys.setprofile(previous)
    return calls


HOSTILE = [
    b"\x1b", b"\x07", b"\x1b]", b"\x1b[", b"\x1bP\x1b", b"\x1b]0;\x1b", b"\x1b[?", b"1;",
    b"\x1b[?2004", b"\x1b]0;x",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("opening", [b"", b"\x1b]0;", b"\x1b[", b"\x1bP"])
@pytest.mark.parametrize("cut", [7, 1 << 20])
def test_work_grows_with_the_length_only(unit: bytes, opening: bytes, cut: int) -> None:
    few, many = (calls_while_parsing(opening + unit * count, cut) for count in (1_000, 4_000))
    assert many <= 4 * few + 100


class Scanned:
    """Stands in for a compiled pattern and counts the bytes that its searches pass over."""

    def __init__(self, pattern: "object", tally: list[int]) -> None:
        self._pattern, self._tally = pattern, tally

    def __getattr__(self, name: str) -> object:
        method = getattr(self._pattern, name)

        def counted(data: bytes, position: int = 0, end: int = sys.maxsize) -> object:
            found = method(data, position, end)
            self._tally[0] += (found.end() if found else min(end, len(data))) - position
            return found

        return counted


@pytest.mark.parametrize("cut", [1, 100, 1 << 20])
@pytest.mark.parametrize("unit", [*HOSTILE, b"plain text\r\n", b"\x1b[1mbold\x1b[0m", b"\x1b[" + b"1" * 200 + b"m"])
def test_no_byte_is_searched_twice(unit: bytes, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from supervisor.domain import terminal

    tally = [0]
    for name in ("_GROUND_STOP", "_CSI_BODY", "_OSC_STOP", "_STRING_STOP"):
        monkeypatch.setattr(terminal, name, Scanned(getattr(terminal, name), tally))
    output = unit * (20_000 // len(unit))
    parse(*(output[at : at + cut] for at in range(0, len(output), cut)))
    assert tally[0] <= 2 * len(output)
