"""Standing rules for what agents may do without asking a person. Pure.

A rule that denies errs towards denying, one that allows towards asking: neither is a sandbox, and a shell command can
do the same thing in many words. Plans and questions are a person's to answer, whatever the rules say.
"""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from attrs import frozen

from supervisor.domain.config import PermissionRule
from supervisor.domain.review import Request, ReviewKind

UNSAID: Final = "a rule of this project's Operator denies this"
"""What an agent is told by a rule that has no reason."""

COMMANDS: Final = ("command",)
PATHS: Final = ("file_path", "notebook_path", "path")
URLS: Final = ("url",)
"""Arguments of tools by which they say what they would do."""

_JOINED = re.compile(r"[;&|<>`(\r\n]|\$\{")
"""What joins another command to one, sends its output elsewhere, or has words computed."""
_PARTS = re.compile(r"[;&|<>`(){}\r\n]")
_BEFORE = re.compile(
    r"(?:(?:if|then|elif|else|while|until|do|time|exec|command|nohup|env|sudo|!|[A-Za-z_]\w*=\S*)\s+)+"
)
"""Words before the one that names what is run."""


@frozen
class Allow:
    """It may, by this rule."""

    rule: PermissionRule


@frozen
class Deny:
    """It may not; the agent is told the reason."""

    rule: PermissionRule
    reason: str


def ruling(rules: Iterable[PermissionRule], driver: str, request: Request) -> Allow | Deny | None:
    """What the rules say of a request of this driver's agent; None where a person is to be asked.

    Of the rules that fit one that denies wins, and among equals the first.
    """
    if request.kind is not ReviewKind.PERMISSION:
        return None
    deeds = _deeds(request.input)
    fitting = [rule for rule in rules if rule.driver in (None, driver) and _like(request.tool, rule.tool)]
    for rule in fitting:
        if rule.action == "deny" and _denies(rule.pattern, deeds):
            return Deny(rule, rule.reason.strip() or UNSAID)
    for rule in fitting:
        if rule.action == "allow" and _allows(rule.pattern, deeds):
            return Allow(rule)
    return None


@frozen
class _Deed:
    """One thing that a request would do."""

    argument: str
    said: str | None
    """None if it is said in a form that is not understood."""


def _deeds(arguments: str) -> tuple[_Deed, ...]:
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return (_Deed("", None),)
    found = ((name, given[name]) for name in (*COMMANDS, *PATHS, *URLS) if name in given)
    return tuple(_Deed(name, value if isinstance(value, str) else None) for name, value in found)


def _like(text: str, pattern: str) -> bool:
    """`*` and `?` stand for other characters, everything else for itself."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


# --- denying: any part that fits is enough ------------------------------------------------------------


def _denies(pattern: str, deeds: tuple[_Deed, ...]) -> bool:
    if not pattern.strip("*"):
        return True
    return any(_like(way, pattern) or _like(way.casefold(), pattern.casefold()) for way in _ways(deeds))


def _ways(deeds: tuple[_Deed, ...]) -> Iterator[str]:
    """In which ways what is done could be meant. Letters' cases do not count: on some disks they name the same file."""
    for deed in deeds:
        if deed.said is None:
            continue
        yield deed.said
        if deed.argument in PATHS:
            yield _led_to(deed.said)
        elif deed.argument in COMMANDS:
            for part in (deed.said, *_PARTS.split(deed.said)):
                plain = " ".join(part.split())
                yield part.lstrip()  # a blank at its end may be all that a pattern's last `*` stands for
                yield plain
                yield _BEFORE.sub("", plain, count=1) if _BEFORE.match(plain) else plain


# --- allowing: everything has to fit --------------------------------------------------------------------


def _allows(pattern: str, deeds: tuple[_Deed, ...]) -> bool:
    if not deeds:
        return not pattern.strip("*")
    return all(_allows_deed(pattern, deed) for deed in deeds)


def _allows_deed(pattern: str, deed: _Deed) -> bool:
    if deed.said is None:
        return False
    if deed.argument in COMMANDS:
        return _JOINED.search(deed.said) is None and _like(deed.said.strip(), pattern)
    if deed.argument in PATHS:
        # A path that goes back up is where it leads to, not where it begins.
        return _like(deed.said, pattern) and _like(_led_to(deed.said), pattern)
    return _like(deed.said, pattern)


def _led_to(path: str) -> str:
    """Without `.`, `..` and doubled slashes. Links are not known here."""
    return re.sub(r"^/+", "/", posixpath.normpath(path))
