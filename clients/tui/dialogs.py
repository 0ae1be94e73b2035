"""What is asked of a person before an act: a text, a choice, or whether it is meant. None is an answer: not done."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from clients.tui.editor import Failed, edited
from clients.tui.steady import steady

_CSS = """
#box { width: 80%; max-width: 100; height: auto; max-height: 90%; border: round $primary; padding: 0 1; }
#asked { height: auto; max-height: 14; }
#keys { height: 1; text-style: dim; }
TextArea { height: 10; border: none; }
Input { border: none; height: 1; }
"""


class Write(ModalScreen[str | None]):
    """A text of several lines."""

    CSS = f"Write {{ align: center middle; }} {_CSS}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", priority=True),
        Binding("ctrl+e", "editor", priority=True),
        Binding("escape", "leave", priority=True),
    ]

    def __init__(self, asked: str, text: str = "", send: str = "send", empty: str = "") -> None:
        """`empty`: what is said where there is no text; it then stays open."""
        super().__init__()
        self._asked, self._text, self._send, self._empty = asked, text, send, empty

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(steady(self._asked), id="asked", markup=False)
            yield TextArea(self._text, soft_wrap=True, tab_behavior="indent", id="text")
            yield Static(f"^s {self._send}   ^e your editor   Esc leave", id="keys", markup=False)

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.focus()
        area.move_cursor(area.document.end if not self._text else (0, len(self._text.split("\n")[0])))

    def action_send(self) -> None:
        """What is there is the answer: with all keys that were pressed before this one."""
        self.query_one(TextArea).call_later(self._sent)

    def _sent(self) -> None:
        text = self.query_one(TextArea).text
        if text.strip():
            self.dismiss(text)
        else:
            self.app.notify(self._empty or "There is no text.", severity="warning", markup=False)

    def action_editor(self) -> None:
        """Go on in the person's own editor."""
        self.query_one(TextArea).call_later(self._edit)

    def _edit(self) -> None:
        area = self.query_one(TextArea)
        try:
            area.load_text(edited(self.app, area.text))
        except Failed as error:
            self.app.notify(str(error), severity="error", markup=False)
        area.move_cursor(area.document.end)

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


class Choose(ModalScreen[str | None]):
    """One of several, by number or by name; or, where that is allowed, own words."""

    CSS = f"Choose {{ align: center middle; }} {_CSS}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", priority=True)]

    def __init__(self, asked: str, options: Sequence[str], hint: str) -> None:
        super().__init__()
        self._asked, self._options, self._hint = asked, tuple(options), hint

    def compose(self) -> ComposeResult:
        lines = [steady(self._asked), *(f"  {n} {steady(each)}" for n, each in enumerate(self._options, 1))]
        with Vertical(id="box"):
            yield Static("\n".join(lines), id="asked", markup=False)
            yield Input(placeholder=self._hint)
            yield Static("⏎ send   Esc leave", id="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was typed is the answer; nothing is none."""
        if event.value.strip():
            self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


class Confirm(ModalScreen[bool]):
    """Before what cannot be undone."""

    CSS = f"Confirm {{ align: center middle; }} {_CSS}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "say(True)"), Binding("n,escape", "say(False)")]

    def __init__(self, asked: str) -> None:
        super().__init__()
        self._asked = asked

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(steady(self._asked), id="asked", markup=False)
            yield Static("y yes   n no", id="keys", markup=False)

    def action_say(self, meant: bool) -> None:
        """The answer."""
        self.dismiss(meant)
