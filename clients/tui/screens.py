"""Texts over the whole screen. Verdicts can be given on them, too."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Static

from clients.tui.lines import Lines

_CSS = "#title { height: 1; text-style: bold reverse; }"
WIDEST = 2000
"""Columns that can be reached sideways."""


class Reader(Screen[None], inherit_bindings=False):
    """A text over the whole screen."""

    CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave"),
        Binding("down,j", "move(1)"),
        Binding("up,k", "move(-1)"),
        Binding("pagedown,space", "page(1)"),
        Binding("pageup", "page(-1)"),
        Binding("home,g", "edge(-1)"),
        Binding("end,G", "edge(1)"),
        Binding("left,h", "sideways(-20)"),
        Binding("right", "sideways(20)"),
    ]

    def __init__(self, title: str, strips: Sequence[Strip], columns: int | None = None) -> None:
        """`columns`: of its widest line, where that need not be looked for."""
        super().__init__()
        self._title, self._strips = title, strips
        self._columns = columns or max((strip.cell_length for strip in strips), default=0)

    def compose(self) -> ComposeResult:
        yield Static(f" {self._title}", id="title", markup=False)
        yield Lines(id="text")

    @property
    def lines(self) -> Lines:
        """The text."""
        return self.query_one("#text", Lines)

    def on_mount(self) -> None:
        self._show(self._strips)

    def _show(self, strips: Sequence[Strip], *, keep: bool = False) -> None:
        self.lines.show(strips, keep=keep, columns=max(min(self._columns, WIDEST), self.lines.room))

    def action_leave(self) -> None:
        """Back to the board."""
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        """So many lines."""
        self.lines.move(step)

    def action_page(self, way: int) -> None:
        """A screenful."""
        self.lines.move(way * max(self.lines.size.height - 1, 1))

    def action_edge(self, way: int) -> None:
        """To the beginning or the end."""
        self.lines.scroll_to(y=0 if way < 0 else len(self.lines.strips), animate=False)

    def action_sideways(self, step: int) -> None:
        """Where lines are longer than the screen is wide."""
        self.lines.scroll_to(x=self.lines.scroll_offset.x + step, animate=False)


def text_strips(lines: Sequence[str]) -> list[Strip]:
    """Lines without any style but headings, which do not begin with a blank."""
    strong = Style(bold=True)
    return [Strip([Segment(line, None if line.startswith(" ") else strong)]) for line in lines]
