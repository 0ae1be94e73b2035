"""From where a terminal's output has to be repeated so that another terminal shows the same screen."""

from __future__ import annotations

import re
from collections import deque

from supervisor.ptyhost import transcript
from supervisor.ptyhost.modes import ModeReader, Modes

LIMIT = 1024 * 1024
"""Bytes of output that are repeated at most."""
_EVERY = 16 * 1024
"""Bytes between two places from which output could be repeated."""
_BEHIND = 128 * 1024
"""Bytes of the main screen's output that are repeated for what is behind the alternate screen."""
_LINE = re.compile(rb"\A[^\x1b\n]{0,4096}(?=[\x1b\n])")
_CLEAN = b"\x1b[!p\x1b[0m\x1b[H\x1b[2J"


class Replay:
    """What one viewer is told first."""

    def __init__(self, end: int, exact: bool, data: bytes) -> None:
        self.end = end
        """How much output it stands for."""
        self.exact = exact
        """False: something that was drawn long ago and not since may be missing; a new size makes programs redraw."""
        self.data = data


class Restorer:
    """Follows the output and remembers where it could be taken up: between two sequences, with the modes there."""

    def __init__(self, folder: str, start: int) -> None:
        self._folder = folder
        self._start = start
        """Where the output of this terminal began in the transcript; an earlier one may be before it."""
        self._reader = ModeReader()
        self._points: deque[tuple[int, Modes]] = deque([(start, Modes())])
        self._clean = self._points[0]
        """The last place before the screen was known to be empty."""
        self._turned = self._points[0]
        """The last place before the alternate screen was entered."""

    @property
    def modes(self) -> Modes:
        """Those at the end of what was read."""
        return self._reader.modes

    def feed(self, data: bytes) -> None:
        """Take the next output; it is in the transcript already."""
        reader = self._reader
        blank, turned = reader.blank, reader.turned
        reader.feed(data)
        if reader.blank != blank:
            self._clean = self._points[-1]
        if reader.turned != turned:
            self._turned = self._points[-1]
        end = self._start + reader.offset
        # Never in the middle of a sequence; nor of a character, which an ASCII byte is not.
        if reader.at_rest and data[-1] < 0x80 and end - self._points[-1][0] >= _EVERY:
            self._points.append((end, Modes(reader.modes)))
        while end - self._points[0][0] > LIMIT and len(self._points) > 1:
            self._points.popleft()

    def replay(self) -> Replay:
        """What restores the screen as it is now in any terminal."""
        end = self._start + self._reader.offset
        begin, modes = self._clean
        exact = end - begin <= LIMIT
        if not exact:
            begin, modes = self._points[0]
        data = [_CLEAN]
        turned_at = self._start + self._reader.turned
        if modes.alternate and turned_at - self._turned[0] <= _BEHIND:
            data += [self._turned[1].restored(), self._output(self._turned[0], turned_at)]
        output = self._output(begin, end)
        # Half a line of text would stand where it does not belong until it is drawn over.
        data += [modes.restored(), output if exact else _LINE.sub(b"", output, count=1)]
        return Replay(end, exact, b"".join(data))

    def _output(self, begin: int, end: int) -> bytes:
        found = []
        at = begin
        while at < end:
            at, data = transcript.read(self._folder, at, end - at)
            if not data:
                break
            found.append(data)
            at += len(data)
        return b"".join(found)
