"""What the demo shows while it runs: a small board that is drawn anew in place, or plain lines."""

import sys
from collections.abc import Sequence
from datetime import datetime

from clients.cli import marks
from clients.cli.events import line
from clients.cli.terminal import Terminal
from clients.cli.text import clean, columns_of, cut
from clients.cli.times import since
from supervisor.domain.views import EventView, TicketView

_EVENTS = 8


def frame(
    tickets: Sequence[TicketView],
    events: Sequence[EventView],
    note: Sequence[str],
    now: datetime,
    elapsed: float,
    out: Terminal,
) -> list[str]:
    """The board, under it what happened last, and what a person is shown."""
    ended = sum(ticket.status in ("done", "failed", "cancelled") for ticket in tickets)
    lines = [
        out.facts(out.paint("strong", "Operator"), f"{ended} of {len(tickets)} tickets ended", f"{elapsed:.0f} s"),
        "",
    ]
    rows = [
        [each.id, each.status, since(each.since, now), clean(each.title), clean(each.reason or "")] for each in tickets
    ]
    for ticket, cells in zip(tickets, columns_of(rows, out.columns - 4, out.more, right=(2,)), strict=True):
        lines.append(f" {out.mark(marks.of_ticket(ticket.status))} {'  '.join(cells).rstrip()}")
    lines.append("")
    lines += [f" {line(event, out)}" for event in events[-_EVENTS:]]
    return [*lines, *([""] if note else []), *(f" {fitted(text, out)}" for text in note)]


class Live:
    """Shows the same place again and again on a terminal; elsewhere each entry is a line of its own."""

    def __init__(self, out: Terminal, started: datetime) -> None:
        self._out = out
        self._started = started
        self._events: list[EventView] = []
        self._note: Sequence[str] = ()
        self._drawn = 0

    def happened(self, event: EventView) -> None:
        """Take in one entry."""
        self._events.append(event)
        del self._events[: -4 * _EVENTS]
        if not self._out.live:
            print(line(event, self._out), flush=True)

    def note(self, lines: Sequence[str]) -> None:
        """What a person is shown now."""
        self._note = lines
        if not self._out.live:
            for text in lines:
                print(fitted(text, self._out), flush=True)

    def draw(self, tickets: Sequence[TicketView], now: datetime) -> None:
        """Show the present state, if this is a place where that can be done."""
        if not self._out.live:
            return
        elapsed = (now - self._started).total_seconds()
        lines = frame(tickets, self._events, self._note, now, elapsed, self._out)
        back = f"\x1b[{self._drawn}A\r" if self._drawn else ""
        sys.stdout.write(back + "".join(f"\x1b[K{text}\n" for text in lines) + "\x1b[J")
        sys.stdout.flush()
        self._drawn = len(lines)


def fitted(text: str, out: Terminal) -> str:
    """One line of foreign text, as wide as the terminal."""
    return cut(clean(text), out.columns - 2, out.more)
