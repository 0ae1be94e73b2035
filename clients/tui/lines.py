"""A long text of which only the lines that are looked at are drawn."""

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class Lines(ScrollView, can_focus=False):
    """Shows strips; a sequence may make each only when it is asked for."""

    DEFAULT_CSS = """
    Lines { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.strips: Sequence[Strip] = ()
        self.cursor: int | None = None
        """The line that is marked, if one is."""
        self._base: Style | None = None

    def show(self, strips: Sequence[Strip], *, keep: bool = False, columns: int | None = None) -> None:
        """Show these. `keep`: stay at the same line. `columns`: of the widest line, if wider than the view."""
        self.strips = strips
        self.virtual_size = Size(columns or self.scrollable_content_region.width, len(strips))
        if not keep:
            self.scroll_to(0, 0, animate=False)
        self.refresh()

    def notify_style_update(self) -> None:
        """Other colours: work them out anew, once, and not for each line."""
        super().notify_style_update()
        self._base = None

    @property
    def room(self) -> int:
        """Columns that a line may have."""
        return max(self.scrollable_content_region.width, 10)

    def move(self, lines: int) -> None:
        """Read on, or back."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def render_line(self, y: int) -> Strip:
        """The line at this place of the view."""
        if self._base is None:
            self._base = self.rich_style
        left, top = self.scroll_offset
        wide = self.size.width
        index = top + y
        if index >= len(self.strips):
            return Strip.blank(wide, self._base)
        strip = self.strips[index].crop_extend(left, left + wide, self._base)
        return strip.apply_style(Style(reverse=True)) if index == self.cursor else strip
