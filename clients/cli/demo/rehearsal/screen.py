"""What the agent shows: its title with the spinner, finished lines, and the composer's row below them."""

import re
import time

from clients.cli.demo.rehearsal.tty import Tty

IDLE = "✳"
FRAMES = ("⠂", "⠐")
FRAME_SECONDS = 0.1
RULE = "─" * 40
"""Stands above a dialog, and on both sides of a framed composer."""
PROMPT, BUSY_PROMPT, FRAMED_PROMPT = "> ", "… ", "\u276f "
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text that cannot steer a terminal."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def cut(text: str, columns: int) -> str:
    """The end of a text that fits into so many columns; a wide character counts two, in doubt too."""
    for index in range(len(text) - 1, -1, -1):
        columns -= 2 if ord(text[index]) >= 0x1100 else 1
        if columns < 0:
            return text[index + 1 :]
    return text


def head(text: str, columns: int) -> str:
    """The beginning of a text that fits into so many columns."""
    for index, character in enumerate(text):
        columns -= 2 if ord(character) >= 0x1100 else 1
        if columns < 0:
            return text[:index]
    return text


class Screen:
    """Draws on a terminal. Only the spinner is drawn by itself, when `tick` is called."""

    def __init__(self, tty: Tty, name: str, titles: bool, pastes: bool, framed: bool = False) -> None:
        """`framed`: the composer stands between two rules, as Claude Code's does."""
        self._tty = tty
        self._framed = framed
        self._name = name
        self._titles = titles
        self._pastes = pastes
        self._busy = False
        self._still = False
        self._fixed_title: str | None = None
        self._frame = 0
        self._next_frame: float | None = None
        self._composer = ""
        self._stale = False
        self._waiting = False
        self._rows: list[str] = []
        self._drawn = 1
        """How many rows the composer or the dialog in its place take on the screen."""
        self.composing = True
        """Whether the composer's row is shown."""

    def open(self) -> None:
        """Say to the terminal what it should do for us; also after something confused it."""
        if self._pastes:
            self._tty.write(b"\x1b[?2004h")
        self._set_title()

    def close(self) -> None:
        """Take back what was asked of the terminal."""
        self._lift()
        if self._pastes:
            self._tty.write(b"\x1b[?2004l")
        self._tty.write(b"\r\x1b[K")

    def line(self, text: str) -> None:
        """Print a finished line above the composer."""
        self.raw(b"\r\x1b[K" + printable(text).encode("utf-8", "replace") + b"\r\n")

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._lift()
        self._tty.write(data)
        self._stale = True

    def compose(self, text: str) -> None:
        """Show this text as the composer's."""
        self._composer = text
        self._stale = True

    def show(self, rows: list[str]) -> None:
        """Show a dialog of these rows instead of the composer; of no rows: the composer again."""
        self._rows, self._stale = rows, True

    def render(self) -> None:
        """Draw the composer's row, or the dialog's, if anything has changed it."""
        if self._stale and self.composing:
            self._lift()
            columns, rows = self._tty.size()
            end = cut(printable(self._composer.replace("\n", "⏎").replace("\t", " ")), columns - 3)
            block = self._rows or ([RULE, FRAMED_PROMPT + end, RULE] if self._framed else [])
            if block:
                shown = [head(printable(row), columns - 1) for row in block[-max(1, rows - 1) :]]
                self._drawn, text = len(shown), "\r\n".join(shown)
            else:
                text = (BUSY_PROMPT if self._busy else PROMPT) + end
            self._tty.write(b"\r\x1b[K" + text.encode("utf-8", "replace"))
            self._stale = False

    def _lift(self) -> None:
        """Take a dialog off the screen: what comes next stands in its place, and it below that."""
        if self._drawn > 1:
            self._tty.write(b"\x1b[%dA\r\x1b[J" % (self._drawn - 1))
            self._drawn = 1

    def busy(self) -> None:
        """Begin to look busy."""
        self._busy, self._still, self._fixed_title, self._frame, self._stale = True, False, None, 0, True
        self._waiting = False
        self._next_frame = time.monotonic() + FRAME_SECONDS if self._titles else None
        self._set_title()

    def idle(self) -> None:
        """Look idle."""
        self._busy, self._fixed_title, self._next_frame, self._stale = False, None, None, True
        self._set_title()

    def stand_still(self, still: bool) -> None:
        """Stop or go on to move the spinner: a program that hangs prints nothing at all."""
        self._still = still
        if self._next_frame is not None:
            self._next_frame = time.monotonic() + FRAME_SECONDS

    def wait(self, waiting: bool) -> None:
        """Look idle in the title while a person is asked something, then busy again."""
        self._waiting = waiting
        if self._next_frame is not None:
            self._next_frame = time.monotonic() + FRAME_SECONDS
        self._set_title()

    def fix_title(self, title: str) -> None:
        """Show this very title until the turn ends, set the other way than the usual one."""
        self._fixed_title = title
        if self._titles:
            self._tty.write(b"\x1b]2;" + printable(title).encode("utf-8", "replace") + b"\x1b\\")

    def hush(self) -> None:
        """Never touch the title again."""
        self._titles, self._next_frame = False, None

    def next_tick(self) -> float | None:
        """When the spinner wants to move."""
        resting = self._still or self._waiting or self._fixed_title is not None
        return None if resting else self._next_frame

    def tick(self, now: float) -> None:
        """Move the spinner if it is time."""
        due = self.next_tick()
        if due is not None and now >= due:
            self._frame = (self._frame + 1) % len(FRAMES)
            self._next_frame = now + FRAME_SECONDS
            self._set_title()

    def _set_title(self) -> None:
        if self._titles and self._fixed_title is None:
            mark = FRAMES[self._frame] if self._busy and not self._waiting else IDLE
            title = f"{mark} {printable(self._name)}"
            self._tty.write(b"\x1b]0;" + title.encode("utf-8", "replace") + b"\x07")
