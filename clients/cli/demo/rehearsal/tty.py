"""The terminal that the agent runs in, or the pipes in its place."""

import os
import select
import termios
import time
import tty as modes

PIECE = 65536
PIPE_PIECE = 4096
"""What a pipe that is ready for writing takes for certain, on Linux and macOS."""


class Tty:
    """Reads from and writes to a terminal; a write is buffered, never waited for."""

    def __init__(self, source: int = 0, sink: int = 1) -> None:
        self.source = source
        self.interactive = os.isatty(source)
        self.broken = False
        self._saved = termios.tcgetattr(source) if self.interactive else None
        self._pending = bytearray()
        self._piece = PIPE_PIECE
        self.sink = sink
        try:
            # O_NONBLOCK belongs to an open file, and this one is shared with whoever started us and with our
            # children. The same terminal opened again is ours alone.
            self.sink = os.open(os.ttyname(sink), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._piece = PIECE
        except OSError:
            pass

    @property
    def backlog(self) -> int:
        """How many bytes still wait to be written."""
        return len(self._pending)

    def size(self) -> tuple[int, int]:
        """Columns and rows; 80 by 24 where nobody can tell."""
        try:
            columns, rows = os.get_terminal_size(self.sink)
        except OSError:
            columns, rows = 0, 0
        return columns or 80, rows or 24

    def enter(self) -> None:
        """Switch to raw mode. What was typed before stays to be read."""
        if self.interactive:
            modes.setraw(self.source, termios.TCSANOW)

    def restore(self) -> None:
        """Leave the terminal as it was found."""
        if self._saved is not None:
            try:
                termios.tcsetattr(self.source, termios.TCSANOW, self._saved)
            except termios.error:
                pass  # the terminal is gone

    def read(self) -> bytes | None:
        """The bytes that are there; None when there will be no more."""
        try:
            return os.read(self.source, PIECE) or None
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        """Put bytes in line."""
        if not self.broken:
            self._pending += data

    def flush(self) -> None:
        """Write as much as the terminal takes now."""
        while self._pending:
            piece = bytes(self._pending[: self._piece])
            try:
                written = os.write(self.sink, piece)
            except BlockingIOError:
                return
            except OSError:
                self.broken = True
                self._pending.clear()
                return
            del self._pending[:written]
            if self._piece == PIPE_PIECE:
                return  # it may block now: ask again whether it is ready

    def drain(self, seconds: float) -> None:
        """Write all, if somebody reads it within `seconds`."""
        deadline = time.monotonic() + seconds
        while self._pending and (left := deadline - time.monotonic()) > 0:
            if select.select([], [self.sink], [], left)[1]:
                self.flush()
