"""Dialogs: what stands in the composer's place and takes all keys, until one of them answers it.

Below a rule each has what is asked, its choices, and at most a line more: as Claude Code's, so that who tells those
apart on a screen does so with these.
"""

from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.keys import Composer, Kind
from clients.cli.demo.rehearsal.screen import RULE, Screen

POINTER = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
"""Stands before the choice that Enter takes."""
TAIL = 400
REFUSED = "refused"
FEEDBACK = "feedback"


class Dialog:
    """One dialog: the choices by their digit, and what became of it."""

    def __init__(
        self, kind: str, rows: list[str], choices: list[tuple[str, str]], below: "list[str] | None" = None
    ) -> None:
        self.kind = kind
        self._rows = rows
        self._below = below or []
        self._choices = choices
        """Each outcome and its text; the first one is what Enter takes."""
        self.by_enter: str | None = choices[0][0]
        self.by_escape = REFUSED
        self.outcome: str | None = None
        """What the person chose."""
        self.typing: Composer | None = None
        """What is typed beside the choice FEEDBACK, once that was taken."""
        self.text = ""

    def shown(self) -> list[str]:
        """Its rows on the screen."""
        rows = [RULE, *self._rows]
        for number, (outcome, text) in enumerate(self._choices, 1):
            if outcome == FEEDBACK and self.typing is not None:
                text = self.typing.tail(TAIL).replace("\n", "⏎")
            chosen = outcome == FEEDBACK if self.typing is not None else number == 1
            rows.append(f" {POINTER if chosen else ' '} {number}. {text}")
        return rows + self._below

    def choose(self, outcome: str | None) -> bool:
        """Take a choice; False if that is none."""
        if outcome == FEEDBACK and self.typing is None:
            self.typing = Composer()
        else:
            self.outcome = outcome
        return outcome is not None

    def outcome_of(self, key: str) -> str | None:
        """What a digit chooses."""
        number = int(key) if key.isascii() and key.isdigit() else 0
        return self._choices[number - 1][0] if 0 < number <= len(self._choices) else None


class Dialogs:
    """The open dialogs; the last one takes the keys."""

    def __init__(self, screen: Screen, journal: Journal) -> None:
        self._screen = screen
        self._journal = journal
        self._open: list[Dialog] = []

    @property
    def current(self) -> Dialog | None:
        """The dialog that takes the keys now."""
        return self._open[-1] if self._open else None

    def open(self, dialog: Dialog) -> None:
        """Show a dialog."""
        self._open.append(dialog)
        self._journal.note("dialog", kind=dialog.kind)
        self._draw()

    def close(self, dialog: Dialog, by: str) -> None:
        """Take it off the screen, if it is still there."""
        if dialog in self._open:
            self._open.remove(dialog)
            self._journal.note("dialog-end", kind=dialog.kind, by=by, outcome=dialog.outcome)
            self._draw()

    def take(self, kind: Kind, data: bytes) -> bytes:
        """Give a piece of input to the dialog; what is left of a text after it closed."""
        dialog = self.current
        assert dialog is not None
        left = b""
        if kind is Kind.TEXT and dialog.typing is None:
            left = self._keys(dialog, data)
        elif kind is Kind.ESCAPE:
            dialog.choose(dialog.by_escape)
        elif kind is Kind.ENTER:
            self._enter(dialog)
        elif dialog.typing is not None and kind in (Kind.TEXT, Kind.PASTE):
            dialog.typing.insert(data)
        elif dialog.typing is not None and kind is Kind.ERASE:
            dialog.typing.erase()
        else:
            self._lost(kind, data)
        if dialog.outcome is not None:
            self.close(dialog, "person")
        self._draw()
        return left

    def _keys(self, dialog: Dialog, data: bytes) -> bytes:
        """Each character is a key. Those that mean nothing here are lost."""
        text = data.decode("utf-8", "surrogateescape")
        for index, key in enumerate(text):
            if dialog.choose(dialog.outcome_of(key)):
                rest = text[index + 1 :].encode("utf-8", "surrogateescape")
                if dialog.typing is None:
                    return rest
                dialog.typing.insert(rest)
                return b""
        self._lost(Kind.TEXT, data)
        return b""

    def _enter(self, dialog: Dialog) -> None:
        if dialog.typing is not None:
            if dialog.typing:
                dialog.text = dialog.typing.take().decode("utf-8", "replace")
                dialog.choose(FEEDBACK)
        elif not dialog.choose(dialog.by_enter):
            self._lost(Kind.ENTER, b"\r")

    def _lost(self, kind: Kind, data: bytes) -> None:
        self._journal.note_bytes("dialog-key", data, key=kind.value)

    def _draw(self) -> None:
        self._screen.show(self.current.shown() if self.current is not None else [])
