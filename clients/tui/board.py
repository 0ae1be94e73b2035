"""The list of tickets: it keeps its order while a person's hand is on it."""

from datetime import UTC, datetime
from time import monotonic

from attrs import frozen
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from clients.cli.text import width
from clients.cli.times import since
from clients.tui.paint import board_line
from clients.tui.rows import Layout, Line, Row, Section, arrived, layout_of, lines_of

HAND_RESTS = 4.0
"""Seconds after the last key in the list until it may be put in order again."""
_LONGEST_ID = 14


@frozen
class _Drawn:
    """A line as it was drawn last."""

    line: Line
    selected: bool
    age: str
    strip: Strip


class Board(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows in sections. Which row is selected is known by its ticket, wherever it stands."""

    DEFAULT_CSS = """
    Board { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    class Selected(Message):
        """Another row is selected, or the selected one says something new."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    class Held(Message):
        """Rows need a person that are not shown yet, as the list stands still."""

        def __init__(self, keys: tuple[str, ...]) -> None:
            super().__init__()
            self.keys = keys

    class Opened(Message):
        """The selected row was clicked twice."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: dict[str, Row] = {}
        self.wanted = ""
        self._current: dict[str, Row] = {}
        self._layout: Layout = {}
        self._lines: list[Line] = []
        self._selected: str | None = None
        self._touched = -HAND_RESTS
        self._id_columns = 6
        self._drawn: dict[int, _Drawn] = {}
        self._told: Row | None = None

    def on_mount(self) -> None:
        self.set_interval(2.0, self._tick)

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self.rows.get(self._selected) if self._selected is not None else None

    # --- what is known --------------------------------------------------------------------------------

    def update(self, rows: dict[str, Row]) -> None:
        """Show what is known now: at once in rows that are shown, and in a new order as soon as no hand is on it."""
        self._current = rows
        if self._layout and monotonic() - self._touched < HAND_RESTS:
            self.rows = {**self.rows, **self._current}
            self._redraw(self._layout)
            self.post_message(self.Held(arrived(self._layout, layout_of(self._current.values(), self.wanted))))
            return
        self.release()

    def release(self) -> None:
        """Put the list in order now; the selected row stays selected, and where it is on the screen."""
        self._touched = -HAND_RESTS
        place = self._index()
        offset = self.scroll_offset.y
        self.rows = dict(self._current)
        self._redraw(layout_of(self.rows.values(), self.wanted))
        self.post_message(self.Held(()))
        now = self._index()
        if now is None:
            self._select_near(place)
        elif place is not None and now != place:
            self.scroll_to(y=offset + now - place, animate=False)
            self._see(now)

    def filter(self, wanted: str) -> None:
        """Show only rows in which these words occur."""
        self.wanted = wanted
        self.release()

    def clear(self) -> None:
        """Forget all: another daemon comes."""
        self._current, self.rows, self._selected = {}, {}, None
        self._redraw({})

    def _redraw(self, layout: Layout) -> None:
        self._layout = layout
        before, self._lines = self._lines, lines_of(layout, self.rows)
        columns = min(max((width(key) for keys in layout.values() for key in keys), default=6), _LONGEST_ID)
        if columns != self._id_columns or len(before) != len(self._lines):
            self._id_columns = columns
            self._drawn.clear()
            self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
            self.refresh()
        else:
            for index, (old, new) in enumerate(zip(before, self._lines, strict=True)):
                if old != new:
                    self.refresh_line(index)
        if self.selected != self._told:
            self._told = self.selected
            self.post_message(self.Selected(self._told))

    def _tick(self) -> None:
        """Ages grow; and a hand that has come to rest lets the list be put in order."""
        if self._touched > 0 and monotonic() - self._touched >= HAND_RESTS:
            self.release()
        now = datetime.now(UTC)
        for index in range(self.scroll_offset.y, min(self.scroll_offset.y + self.size.height, len(self._lines))):
            row, drawn = self._lines[index], self._drawn.get(index)
            if isinstance(row, Row) and drawn is not None and since(row.since, now) != drawn.age:
                del self._drawn[index]
                self.refresh_line(index)

    # --- the cursor -----------------------------------------------------------------------------------

    def move(self, step: int) -> None:
        """So many rows down, or up; headings are stepped over."""
        indexes = self._indexes()
        if not indexes:
            return
        here = self._index()
        place = indexes.index(here) if here in indexes else 0
        self._touch()
        self._select_line(indexes[min(max(place + step, 0), len(indexes) - 1)])

    def move_to_end(self, last: bool) -> None:
        """To the first row or the last one."""
        indexes = self._indexes()
        if indexes:
            self._touch()
            self._select_line(indexes[-1 if last else 0])

    def next_that_needs(self) -> bool:
        """To the next row that needs a person, behind the selected one and around; whether there is one."""
        self.release()
        keys = self._layout.get(Section.NEEDS_YOU, ())
        if not keys:
            return False
        place = keys.index(self._selected) + 1 if self._selected in keys else 0
        self._touch()
        self.select(keys[place % len(keys)])
        return True

    def select(self, key: str) -> None:
        """Select this row, if it is there."""
        index = next((n for n, line in enumerate(self._lines) if isinstance(line, Row) and line.key == key), None)
        if index is not None:
            self._select_line(index)

    def on_click(self, event: events.Click) -> None:
        """Select what is clicked; a second click sits down at it."""
        index = self.scroll_offset.y + event.y
        if index < len(self._lines) and isinstance(self._lines[index], Row):
            self._touch()
            self._select_line(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def _touch(self) -> None:
        self._touched = monotonic()

    def _indexes(self) -> list[int]:
        return [index for index, line in enumerate(self._lines) if isinstance(line, Row)]

    def _index(self) -> int | None:
        wanted = self._selected
        return next((n for n, line in enumerate(self._lines) if isinstance(line, Row) and line.key == wanted), None)

    def _select_near(self, place: int | None) -> None:
        indexes = self._indexes()
        if indexes:
            self._select_line(min(indexes, key=lambda index: abs(index - (place or 0))))
        else:
            self._selected = None
            self.post_message(self.Selected(None))

    def _select_line(self, index: int) -> None:
        row = self._lines[index]
        assert isinstance(row, Row)
        before, self._selected = self._index(), row.key
        self._see(index)
        for changed in {before, index} - {None}:
            self.refresh_line(changed or 0)
        self._told = row
        self.post_message(self.Selected(row))

    def _see(self, index: int) -> None:
        """Scroll no further than it takes to see a line, with the heading above the first."""
        top, high = self.scroll_offset.y, max(self.size.height, 1)
        if index <= top:
            self.scroll_to(y=max(index - 1, 0), animate=False)
        elif index >= top + high:
            self.scroll_to(y=index - high + 1, animate=False)

    # --- drawing --------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._drawn.clear()
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """The line at this place of the view."""
        index = self.scroll_offset.y + y
        if index >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        line = self._lines[index]
        selected = isinstance(line, Row) and line.key == self._selected
        drawn = self._drawn.get(index)
        if drawn is None or drawn.line != line or drawn.selected != selected:
            now, columns = datetime.now(UTC), self.scrollable_content_region.width
            strip = board_line(line, columns, selected, now, self._id_columns).apply_style(self.rich_style)
            drawn = _Drawn(line, selected, since(line.since, now) if isinstance(line, Row) else "", strip)
            self._drawn[index] = drawn
        return drawn.strip
