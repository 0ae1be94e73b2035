"""What the terminal at hand can show, and how to write for it."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TextIO

from attrs import frozen

from clients.cli import marks
from clients.cli.text import pad

_CODES = {
    "muted": "2",
    "info": "36",
    "ok": "32",
    "attention": "1;33",
    "error": "31",
    "strong": "1",
    "black": "30",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "white": "37",
}

_ENDLESS = 10_000
"""Columns of what is no terminal: nothing is cut for a program that reads on."""


@frozen
class Terminal:
    """A place to write to."""

    color: bool = False
    signs: bool = True
    """It can show the marks; otherwise their likeness in ASCII stands for them."""
    columns: int = 80
    live: bool = False
    """A person watches, so a view may be drawn anew in place."""

    @property
    def more(self) -> str:
        """What stands where text was left out."""
        return "…" if self.signs else "~"

    @property
    def dot(self) -> str:
        """What stands between facts."""
        return "·" if self.signs else "-"

    def paint(self, role: str, text: str) -> str:
        """Text in the colour of a role."""
        code = _CODES.get(role)
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text else text

    def mark(self, mark: marks.Mark) -> str:
        """A mark in its colour."""
        return self.paint(mark.role, mark.sign if self.signs else mark.ascii)

    def type(self, name: str, columns: int = 0) -> str:
        """A ticket type in its colour."""
        return self.paint(marks.TYPES.get(name, ""), pad(name, columns))

    def facts(self, *facts: str) -> str:
        """Facts in a row; empty ones do not count."""
        return f" {self.dot} ".join(fact for fact in facts if fact)


def terminal(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Terminal:
    """What `stream`, or standard output, can show."""
    out = sys.stdout if stream is None else stream
    interactive = out.isatty() and environ.get("TERM", "") != "dumb"
    return Terminal(
        color=interactive and not environ.get("NO_COLOR"),
        signs=_can_encode(out.encoding),
        columns=max(shutil.get_terminal_size((100, 24)).columns, 40) if interactive else _ENDLESS,
        live=interactive,
    )


def _can_encode(encoding: str | None) -> bool:
    try:
        "".join(mark.sign for mark in (*marks.TICKETS.values(), *marks.AGENTS.values())).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
