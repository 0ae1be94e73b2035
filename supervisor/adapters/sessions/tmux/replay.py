"""What makes an empty terminal show what a pane of tmux shows.

tmux tells content, cursor and most modes; the rest is read from the transcript. What a pane prints reaches the
transcript a moment after the screen, so a screen is only known to belong to an offset where nothing came since.
"""

import codecs
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from supervisor.adapters.sessions.tmux.control import Block
from supervisor.adapters.sessions.tmux.language import command, sequence
from supervisor.adapters.sessions.tmux.transcripts import Transcript
from supervisor.domain.errors import SessionGone
from supervisor.ports import Replay
from supervisor.ptyhost.modes import ALTERNATE, ModeReader, Modes

SETTLE: Final = 0.05
"""Seconds after which what was on the screen is in the transcript."""
TRIES: Final = 10
"""Screens that are taken until one is not overtaken by output."""

_READ: Final = 1024 * 1024
_EMPTY: Final = b"\x1b[!p\x1b[0m\x1b[H\x1b[2J"
_SWITCH: Final = b"\x1b[?1049h\x1b[H\x1b[2J"
# tmux shows line drawing in the second character set.
_LINES, _NO_LINES = b"\x1b)0", b"\x0f\x1b)B\x1b[0m"
_FLAGS: Final = {
    1: "keypad_cursor_flag",
    6: "origin_flag",
    7: "wrap_flag",
    25: "cursor_flag",
    1000: "mouse_standard_flag",
    1002: "mouse_button_flag",
    1003: "mouse_all_flag",
    1005: "mouse_utf8_flag",
    1006: "mouse_sgr_flag",
}
"""tmux's names for private modes."""
_NUMBERS: Final = (
    "pane_width", "pane_height", "cursor_x", "cursor_y", "alternate_on", "alternate_saved_x", "alternate_saved_y",
    "scroll_region_upper", "scroll_region_lower", "insert_flag", "keypad_flag", *_FLAGS.values(),
)  # fmt: skip


@frozen
class Shown:
    """What a pane shows at one moment."""

    rows: tuple[bytes, ...]
    saved: tuple[bytes, ...]
    """The main screen's, while the alternate one is shown."""
    numbers: dict[str, int]


def looking(pane: str) -> str:
    """The commands whose answer `shown` reads; tmux lets nothing happen between them."""
    formats = "|".join(("#{pane_id}", *(f"#{{{name}}}" for name in _NUMBERS)))
    return sequence(
        command("capture-pane", "-p", "-e", "-N", "-t", pane),
        command("capture-pane", "-p", "-e", "-N", "-a", "-q", "-t", pane),
        command("display-message", "-p", "-t", pane, formats),
    )


def shown(blocks: Sequence[Block], pane: str) -> Shown:
    """What tmux answered. Raises SessionGone where there is no such pane."""
    screen, saved, told = blocks
    found, *values = told.text.split("|")
    if found != pane:
        raise SessionGone("its pane was closed")
    numbers = {name: int(value) if value.isdecimal() else 0 for name, value in zip(_NUMBERS, values, strict=False)}
    return Shown(screen.lines, saved.lines, dict.fromkeys(_NUMBERS, 0) | numbers)


class Trail:
    """The modes at the end of a transcript, which it follows from one replay to the next. For one thread at a time.

    Modes that were set in output which was freed before it was read are not known, but for those that tmux tells.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._reader = ModeReader()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    @property
    def modes(self) -> Modes:
        return self._reader.modes

    @property
    def whole(self) -> int | None:
        """How far what was read can be shown: not half a character. None in the middle of a sequence."""
        half, _ = self._decoder.getstate()
        return self._offset - len(half) if self._reader.at_rest else None

    def follow(self, end: int) -> None:
        """Read on to an offset."""
        while self._offset < end:
            start, data = self._transcript.read(self._offset, min(_READ, end - self._offset))
            if not data:  # somebody removed it
                self._skip()
                self._offset = end
                return
            if start != self._offset:
                self._skip()
            self._reader.feed(data)
            self._decoder.decode(data)
            self._offset = start + len(data)

    def _skip(self) -> None:
        modes = self._reader.modes
        self._reader = ModeReader()
        self._reader.modes = Modes(modes)
        self._decoder.reset()


def replay(shown: Shown, trail: Trail, end: int, *, settled: bool) -> Replay:
    """What shows it elsewhere. `trail` was followed to `end`; `settled`: no output came to that end since."""
    numbers, whole = shown.numbers, trail.whole
    modes = _modes(numbers, trail.modes)
    pieces = [_EMPTY, _LINES]
    if numbers["alternate_on"]:
        saved = _at(numbers["alternate_saved_x"], numbers["alternate_saved_y"])
        pieces += [_drawn(shown.saved), saved, _SWITCH]
    row = numbers["cursor_y"] - (numbers["scroll_region_upper"] if modes.private.get(6) else 0)
    pieces += [_drawn(shown.rows), _NO_LINES, modes.restored(), _at(numbers["cursor_x"], row)]
    return Replay(
        offset=end if whole is None else whole,
        columns=numbers["pane_width"],
        rows=numbers["pane_height"],
        exact=settled and whole is not None,
        data=b"".join(pieces),
    )


def _drawn(rows: Sequence[bytes]) -> bytes:
    # Colours go on from one row to the next.
    return b"".join(b"\x1b[%d;1H%b" % (number, row) for number, row in enumerate(rows, 1) if row) + b"\x0f\x1b[0m"


def _at(column: int, row: int) -> bytes:
    return b"\x1b[%d;%dH" % (max(row, 0) + 1, column + 1)


def _modes(numbers: dict[str, int], read: Modes) -> Modes:
    """What tmux tells, and for the rest what was read; the alternate screen is on already."""
    modes = Modes(read)
    modes.kitty = {False: list(read.kitty.get(bool(numbers["alternate_on"]), ()))}
    for number in ALTERNATE:
        modes.private.pop(number, None)
    modes.private |= {number: bool(numbers[name]) for number, name in _FLAGS.items()}
    modes.insert, modes.keypad = bool(numbers["insert_flag"]), bool(numbers["keypad_flag"])
    upper, lower = numbers["scroll_region_upper"], numbers["scroll_region_lower"]
    everything = (upper, lower) == (0, numbers["pane_height"] - 1)
    modes.region = b"" if everything else b"%d;%d" % (upper + 1, lower + 1)
    return modes
