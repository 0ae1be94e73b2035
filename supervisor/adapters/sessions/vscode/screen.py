"""What a terminal shows, worked out from its transcript by a terminal emulator."""

import codecs
import re
from collections.abc import Iterable
from typing import Final

import avt
from attrs import frozen
from avt.util import TextUnwrapper

from supervisor.ptyhost import transcript

_READ: Final = 256 * 1024
_PIECE: Final = 16 * 1024
"""Bytes that the emulator takes at once: it lets nobody else run meanwhile, for some milliseconds if lines scroll."""
_SCROLLING: Final = re.compile(rb"(?:[^\x1b]+|\x1b\[[0-9;:]{0,64}m)*+")
"""Lines of text and their colours, and nothing that would move about on the screen."""
_COLOURS: Final = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_COLOURS_KEPT: Final = 16
_PLAIN: Final = "\x1b[0m"


@frozen
class Size:
    """The size that a terminal has from an offset of its output on."""

    offset: int
    columns: int
    rows: int


class Screen:
    """One terminal's emulator, which has read its output to some offset. For one thread at a time."""

    def __init__(self, folder: str, size: Size) -> None:
        self._folder = folder
        self._emulator = avt.Vt(size.columns, size.rows, 0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0
        self._held = b""
        """A piece that scrolls, of which perhaps nothing will be left to see."""
        self._scrolled = 0
        """How many pieces before that scroll, too: then no sequence is cut between them."""

    def follow(self, end: int, sizes: Iterable[Size]) -> None:
        """Read on to `end`; the size changes where it did. `sizes`: all changes, in order."""
        for size in sizes:
            if size.offset >= self._offset:
                self._read_to(min(size.offset, end))
                if (size.columns, size.rows) != self._emulator.size:
                    self._emulator.resize(size.columns, size.rows)
        self._read_to(end)

    def text(self) -> str:
        """What is shown, a line that was too long for one row as one line."""
        unwrapper = TextUnwrapper()
        found = [unwrapper.push(line) for line in self._emulator.view()]
        return _joined([*(line for line in found if line is not None), unwrapper.flush() or ""])

    def styled(self) -> str:
        """The same, with the SGR sequences that it is shown in."""
        unwrapper = TextUnwrapper()
        lines: list[str] = []
        cells: list[avt.Cell] = []
        for line in self._emulator.view():
            cells += line.cells
            if unwrapper.push(line) is not None:
                lines.append(_styled(cells))
                cells = []
        return _joined([*lines, _styled(cells)])

    def _read_to(self, end: int) -> None:
        while self._offset < end:
            at, data = transcript.read(self._folder, self._offset, min(_READ, end - self._offset))
            if not data:
                break
            for start in range(0, len(data), _PIECE):
                self._take(data[start : start + _PIECE])
            self._offset = at + len(data)
        self._feed(self._held)
        self._held = b""

    def _take(self, piece: bytes) -> None:
        """Feed a piece of output; but what is between two others that scroll it away is passed over.

        Scrolling is what costs an emulator time, and of a flood of lines only the last can be seen.
        """
        rows = self._emulator.size[1]
        scrolls = _SCROLLING.fullmatch(piece) is not None and piece.count(b"\r\n") >= 2 * rows
        if scrolls and self._scrolled > 1:
            self._held = b"".join(_COLOURS.findall(self._held)[-_COLOURS_KEPT:])
        self._feed(self._held)
        self._scrolled = self._scrolled + 1 if scrolls else 0
        self._held = piece if scrolls else b""
        if not scrolls:
            self._feed(piece)

    def _feed(self, data: bytes) -> None:
        if data:
            self._emulator.feed_str(self._decoder.decode(data))


def _joined(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def _styled(cells: list[avt.Cell]) -> str:
    """A line with a sequence wherever it begins to look different."""
    while cells and cells[-1].char == " " and cells[-1].is_default():
        cells.pop()
    shown: list[str] = []
    look = _PLAIN
    for cell in cells:
        if cell.width == 0:  # the second half of a wide character
            continue
        sequence = _sequence(cell.pen)
        if sequence != look:
            shown.append(sequence)
            look = sequence
        shown.append(cell.char)
    return "".join(shown) + (_PLAIN if look != _PLAIN else "")


def _sequence(pen: avt.Pen) -> str:
    if pen.is_default():
        return _PLAIN
    looks = (pen.bold, pen.faint, pen.italic, pen.underline, pen.blink, pen.inverse, pen.strikethrough)
    numbers = [number for on, number in zip(looks, ("1", "2", "3", "4", "5", "7", "9"), strict=True) if on]
    numbers += [*_color("38", pen.foreground), *_color("48", pen.background)]
    return f"\x1b[{';'.join(['0', *numbers])}m"


def _color(kind: str, color: avt.Color | None) -> list[str]:
    if isinstance(color, avt.Color.RGB):
        return [kind, "2", str(color[0]), str(color[1]), str(color[2])]
    if isinstance(color, avt.Color.Indexed):
        return [kind, "5", str(color[0])]
    return []
