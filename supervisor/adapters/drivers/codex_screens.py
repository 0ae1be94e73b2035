"""Screens of Codex 0.169, where neither hook nor title tells what is on them; recorded ones are in the tests."""

import re
from typing import Final, assert_never

from supervisor.adapters.drivers.styled import DIM, PLAIN, read
from supervisor.domain.review import Answered, Approved, Decision, Pending, Rejected, Superseded

DIALOGS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("Folder access", "Trust this folder?"), "Codex asks whether this folder is to be trusted."),
    (("Hooks need review",), "Codex asks whether to trust hooks that are new or changed."),
    (("Lifecycle hooks from config", "t trust all"), "Codex asks whether to trust hooks that are new or changed."),
    (("Choose how you want to use Codex", "Sign in with ChatGPT"), "Codex wants a login."),
    (("Update available!", "Skip until next version"), "Codex asks whether it is to be updated."),
)
"""Dialogs before its first prompt: what must stand on the screen, all of it, and what a person is told.

A screen that is none of them is never guessed at.
"""
MARK: Final = "\u203a"
_LOADING: Final = "     loading"
"""Stands below its name until it knows its model: until then it takes no prompt."""
_OPTION: Final = re.compile(rf"{MARK} \d+\. ")
ASKS: Final = "  Would you like to run the following command?"
_YES: Final = f"{MARK} 1. Yes, proceed (y)"
_LAST: Final = "  Press enter to confirm or esc to cancel"


def dialog(screen: str) -> str | None:
    """The question of a first-run dialog."""
    return next((question for marks, question in DIALOGS if all(mark in screen for mark in marks)), None)


def prompt_shown(screen: str) -> bool:
    """Whether it shows its composer, and has begun its work."""
    lines = [line.rstrip() for line in screen.splitlines()]
    marked = [line for line in lines if line.startswith(MARK)]
    return bool(marked) and _OPTION.match(marked[-1]) is None and _LOADING not in lines


def composer(screen: str) -> str | None:
    """The text in the composer; None if there is none. A suggestion of Codex's own is none: it is dim.

    The composer begins with the last mark that is neither dim, as those before earlier prompts are, nor inverse, as
    that of an option. A footer follows behind an empty line.
    """
    text, looks = read(screen)
    begin = next(
        (place for place in range(len(text) - 1, -1, -1) if _is_mark(text, looks, place)),
        None,
    )
    if begin is None:
        return None
    end = text.rstrip().rfind("\n\n", begin)
    shown = zip(text[begin + 1 : end], looks[begin + 1 : end], strict=True) if end > begin else ()
    return "".join(character for character, look in shown if look != DIM).strip()


def _is_mark(text: str, looks: str, place: int) -> bool:
    first = text[place] == MARK and looks[place] == PLAIN and (place == 0 or text[place - 1] == "\n")
    return first and _OPTION.match(text, place) is None


def command_keys(command: str, decision: Decision, screen: str) -> tuple[str, ...] | None:
    """The keys, if the dialog asks whether this very command may be run and nobody has begun to answer it.

    Of a command that is wrapped or has several lines the screen does not show every blank: nobody's but a person's.
    """
    lines = [line.rstrip() for line in screen.rstrip().splitlines()]
    if ASKS not in lines or lines[-1] != _LAST:
        return None
    block = lines[len(lines) - 1 - lines[::-1].index(ASKS) :]
    shown = [line for line in block if line.startswith("  $ ")]
    behind = [line for line in block[block.index(shown[0]) + 1 :] if line] if len(shown) == 1 else []
    if shown != [f"  $ {command}"] or behind[:1] != [_YES]:
        return None
    match decision:
        case Approved():
            return ("y",)
        case Rejected():
            return ("Escape",)
        case Answered() | Pending() | Superseded():
            return None
        case never:
            assert_never(never)
