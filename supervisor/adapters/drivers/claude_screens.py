"""Screens of Claude Code 2.1, where neither hook nor title nor file tells what is on them."""

from typing import Final

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


def dialog(screen: str) -> str | None:
    """The question of a first-run dialog."""
    return next((question for marks, question in DIALOGS if all(mark in screen for mark in marks)), None)


def composer(screen: str) -> str | None:
    """The text in the composer, which stands between the last two rules; None if there is no composer."""
    lines = screen.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith(_RULE)]
    if len(rules) < 2:
        return None
    inside = lines[rules[-2] + 1 : rules[-1]]
    if not inside or not inside[0].startswith(_MARK):
        return None
    return "\n".join((inside[0].removeprefix(_MARK), *inside[1:])).strip()
