"""The changes of an agent over the whole screen, with files that can be folded."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from clients.tui.diff import Patch, Shown
from clients.tui.screens import Reader


class Changes(Reader):
    """A patch, whose files can be folded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)"),
        Binding("up,k", "step(-1)"),
        Binding("enter", "fold"),
        Binding("f", "fold_all"),
        Binding("n,right_square_bracket", "file(1)"),
        Binding("N,left_square_bracket", "file(-1)"),
    ]

    def __init__(self, title: str, patch: Patch) -> None:
        self._patch = patch
        self._opened = patch.begin_open()
        self._shown = Shown(patch, self._opened)
        keys = "⏎ fold  f fold all  n next file  Y approve  X reject  Esc back"
        super().__init__(f"{title}   {keys}", self._shown, max(map(len, patch.lines)) + 2)

    def on_mount(self) -> None:
        self.lines.cursor = 0

    def on_click(self, event: events.Click) -> None:
        """A click on a file's name folds it."""
        index = self.lines.scroll_offset.y + event.screen_y - 1
        if self._shown.is_heading(index):
            self._to(index)
            self.action_fold()

    def action_step(self, step: int) -> None:
        """The next line, or the one before."""
        self._to((self.lines.cursor or 0) + step)

    def action_page(self, way: int) -> None:
        """A screenful."""
        self._to((self.lines.cursor or 0) + way * max(self.lines.size.height - 1, 1))

    def action_edge(self, way: int) -> None:
        """To the beginning or the end."""
        self._to(0 if way < 0 else len(self._shown))

    def action_fold(self) -> None:
        """Fold or unfold the file that the cursor is in."""
        file = self._shown.file_at(self.lines.cursor or 0)
        if file >= 0:
            self._open(self._opened ^ {file}, file)

    def action_fold_all(self) -> None:
        """All of them; if all are folded, unfold them."""
        file = self._shown.file_at(self.lines.cursor or 0)
        self._open(frozenset() if self._opened else frozenset(range(len(self._patch.files))), max(file, 0))

    def action_file(self, way: int) -> None:
        """To the next file's name, or the one before."""
        files = len(self._patch.files)
        if files:
            self._to(self._shown.heading_of((self._shown.file_at(self.lines.cursor or 0) + way) % files))

    def _open(self, opened: frozenset[int], file: int) -> None:
        self._opened = opened
        self._shown = Shown(self._patch, opened)
        self._show(self._shown, keep=True)
        if self._patch.files:
            self._to(self._shown.heading_of(file))

    def _to(self, index: int) -> None:
        lines = self.lines
        index = min(max(index, 0), max(len(self._shown) - 1, 0))
        lines.cursor = index
        top, high = lines.scroll_offset.y, max(lines.size.height - 1, 1)
        if not top <= index < top + high:
            lines.scroll_to(y=index if index < top else index - high + 1, animate=False)
        lines.refresh()
