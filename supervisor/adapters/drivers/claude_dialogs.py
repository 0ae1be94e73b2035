"""Claude Code's dialogs on its screen, told apart for certain, and the keys that answer them.

Seen with 2.1.197; recorded screens are in the tests. A dialog stands below the screen's last rule, and nothing below
it. Only one that shows the whole of a request is taken for that request's: what is cut off, scrolled away, half
answered by a person or of another form is nobody's but the person's at the terminal.
"""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final, assert_never

from attrs import frozen

from supervisor.domain.review import Answered, Approved, Decision, Pending, Question, Rejected, Superseded

Keys = tuple[str, ...]

REFUSE: Final = ("Escape",)
_RULE: Final = "─"
_MARK: Final = "\u276f"
_OPTION = re.compile(rf" ?([{_MARK} ]) ?([1-9])\. (\S.*)")
_UNSAID: Final = "Run shell command"
"""What it shows of a command that has no description."""
_YES: Final = "Yes"
_YES_PLAN: Final = "Yes, manually approve edits"
_OTHER: Final = "Type something."
_ASIDE = re.compile(r"  [1-9]\. Chat about this")
_SLACK: Final = 8
"""Columns of a row that its text may leave free although the next word is no longer than they are."""


@frozen
class _Dialog:
    """What stands below the rule."""

    columns: int
    """The rule's length: the terminal's width."""
    rows: tuple[str, ...]
    """Above its options."""
    options: tuple[str, ...]
    below: tuple[str, ...]


def command_keys(command: str, description: str | None, decision: Decision, screen: str) -> Keys | None:
    """The keys, if the dialog asks whether this very command may be run."""
    dialog = _dialog(screen)
    if dialog is None or [row.strip() for row in dialog.rows[:2]] != ["Bash command", ""]:
        return None
    rest = _without(command, list(dialog.rows[2:]), dialog.columns)
    rest = _without(description or _UNSAID, rest, dialog.columns) if rest is not None else None
    if rest is None or rest[:1] != [""] or rest[-1].strip() != "Do you want to proceed?":
        return None
    notes = [row for row in rest[:-1] if row]
    if any(row.startswith("  ") for row in notes):
        return None  # more of a command than is known
    return _by_option(dialog, _YES, decision)


def plan_keys(path: str, decision: Decision, screen: str) -> Keys | None:
    """The keys, if the dialog asks whether the plan in this file is to be carried out."""
    dialog = _dialog(screen)
    if dialog is None or not _words(dialog.rows).endswith("Would you like to proceed?"):
        return None
    shown = "".join("".join(row.split()) for row in dialog.below)
    if not shown.endswith(f"/plans/{PurePath(path).name}"):
        return None
    return _by_option(dialog, _YES_PLAN, decision)


def question_keys(asked: Sequence[Question], decision: Decision, screen: str) -> Keys | None:
    """The keys, if the dialog asks this one question; one of several, or of several answers, takes more than a key."""
    dialog = _dialog(screen)
    if dialog is None or len(asked) != 1 or asked[0].multiple:
        return None
    [question] = asked
    rows = list(dialog.rows)
    if not rows or rows[0].strip() != f"☐ {question.header}".strip() or rows[1:2] != [""]:
        return None
    labels = tuple(option.label for option in question.options)
    left = _without(question.text, rows[2:], dialog.columns)
    if left is None or any(row.strip() for row in left) or dialog.options not in (labels, (*labels, _OTHER)):
        return None
    match decision:
        case Rejected():
            return REFUSE
        case Answered(answers=answers):
            chosen = answers.get(question.text)
            return (str(labels.index(chosen) + 1),) if chosen in labels else None
        case Approved() | Pending() | Superseded():
            return None
        case never:
            assert_never(never)


def _by_option(dialog: _Dialog, yes: str, decision: Decision) -> Keys | None:
    if yes not in dialog.options:
        return None  # a person is about to add something to it
    match decision:
        case Approved():
            return (str(dialog.options.index(yes) + 1),)
        case Rejected():
            return REFUSE
        case Answered() | Pending() | Superseded():
            return None
        case never:
            assert_never(never)


def _dialog(screen: str) -> _Dialog | None:
    """The dialog that nobody has begun to answer: its first option is the one that Enter would take."""
    lines = [line.rstrip() for line in screen.rstrip().splitlines()]
    rules = [number for number, line in enumerate(lines) if len(line) >= 10 and not line.strip(_RULE)]
    if len(rules) > 1 and rules[-1] + 1 < len(lines) and _ASIDE.fullmatch(lines[rules[-1] + 1]):
        lines = lines[: rules.pop()]
    if not rules:
        return None
    body = lines[rules[-1] + 1 :]
    found = [(number, match) for number, line in enumerate(body) if (match := _OPTION.fullmatch(line))]
    first = next((place for place in range(len(found) - 1, -1, -1) if found[place][1][2] == "1"), None)
    if first is None:
        return None
    found = found[first:]
    numbers, marks = [int(match[2]) for _, match in found], [match[1] for _, match in found]
    if numbers != list(range(1, len(found) + 1)) or marks != [_MARK, *[" "] * (len(found) - 1)]:
        return None
    options = tuple(match[3] for _, match in found)
    above, below = body[: found[0][0]], body[found[-1][0] + 1 :]
    while above and not above[-1]:
        above.pop()
    return _Dialog(len(lines[rules[-1]]), tuple(above), options, tuple(below))


def _words(rows: Sequence[str]) -> str:
    """The last paragraph."""
    start = max((number + 1 for number, row in enumerate(rows) if not row), default=0)
    return " ".join(" ".join(rows[start:]).split())


def _without(text: str, rows: list[str], columns: int) -> list[str] | None:
    """The rows below the ones that show this text and nothing else; None if they do not.

    A row ends where the text's own line does, or because it is full: after a word, or within one.
    """
    left = list(rows)
    for line in text.split("\n"):
        words = line.split()
        while True:
            if not left:
                return None
            row = left.pop(0)
            shown = row.split()
            whole = words[: len(shown)] == shown
            if whole and len(shown) == len(words):
                break
            last = len(shown) - 1
            within = not whole and last >= 0 and words[:last] == shown[:last]
            cut = within and len(words) > last and words[last].startswith(shown[last])
            if not shown or not (whole or cut):
                return None
            words = words[len(shown) :] if whole else [words[last][len(shown[last]) :], *words[last + 1 :]]
            if _width(row) + (_width(words[0]) + 1 if whole else 1) <= columns - _SLACK:
                return None  # the next word would have had room there
    return left


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
