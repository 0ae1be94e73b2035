"""Screens of Claude Code 2.1, where neither hook nor title nor file tells what is on them."""

from typing import Final

from supervisor.adapters.drivers.styled import DIM, INVERSE, read

DIALOGS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("Yes, I trust this folder",), "Claude Code asks whether this folder is to be trusted."),
    (("Detected a custom API key", "Do you want to use this API key"), "Claude Code asks whether to use the API key."),
    (("Bypass Permissions mode", "No, exit"), "Claude Code asks to accept the bypass of all permissions."),
    (("Choose the text style",), "Claude Code wants to be set up: choose a text style."),
    (("Select login method",), "Claude Code wants a login."),
    (("Unable to connect to Anthropic services",), "Claude Code cannot reach its services."),
)
"""Dialogs before its first prompt: what must stand on the screen, all of it, and what a person is told.

A screen that is none of them is never guessed at.
"""
_RULE: Final = "\u2500" * 10
_MARK: Final = "\u276f"
_SHELL: Final = "!"
"""What a composer begins with that takes a shell command."""
_INDENT: Final = "  "
FOOTER: Final = 6
"""Lines below a composer, at most: hints, and a status line of the user's own."""


def dialog(screen: str) -> str | None:
    """The question of a first-run dialog."""
    return next((question for marks, question in DIALOGS if all(mark in screen for mark in marks)), None)


def composer(screen: str) -> str | None:
    """The text in the composer, which stands between the last two rules; None if there is no composer.

    A composer for shell commands is never empty: its mark is text. A suggestion of Claude Code's own is none: it is
    dim, but for the cursor on its first character.
    """
    text, looks = read(screen)
    lines = text.split("\n")
    rules = [number for number, line in enumerate(lines) if line.startswith(_RULE)]
    begin = _top(lines, rules)
    if begin is None:
        return None
    start = sum(len(line) + 1 for line in lines[:begin])
    end = start + len("\n".join(lines[begin : rules[-1]]))
    shown = list(zip(text[start:end], looks[start:end], strict=True))
    typed = "".join(character for character, look in shown if look != DIM).removeprefix(_MARK).strip()
    suggested = len(typed) == 1 and (typed, INVERSE) in shown and any(look == DIM for _, look in shown)
    return "" if suggested else typed


def _top(lines: list[str], rules: list[int]) -> int | None:
    """The composer's first line. One that is taller than the screen shows only its end, and the rule below that."""
    if len(rules) > 1:
        begin = rules[-2] + 1
        return begin if begin < rules[-1] and lines[begin].startswith((_MARK, _SHELL)) else None
    above = lines[: rules[0]] if rules and len(lines) - rules[0] <= FOOTER else []
    return 0 if any(above) and all(line.startswith(_INDENT) for line in above if line) else None
