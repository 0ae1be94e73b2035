"""Which regular expressions could search a short line for ever, as far as their shape tells."""

import re

_TOKEN = re.compile(
    r"(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<open>\((?:\?(?:P<\w+>|[^)<]?[:=!>]|<[=!]|[aiLmsux-]+:)?)?)"
    r"|(?P<close>\))"
    r"|(?P<many>(?:[*+]|\{\d*,(?:\d{2,})?\}|\{\d{2,}\}))"
    r"|(?P<choice>\|)"
    r"|(?P<any>.)",
    re.DOTALL,
)

_WIDE = re.compile(r"\.|\\[SDW]|\[\^.*\]", re.DOTALL)
"""What matches nearly every character."""
_WIDE_LIMIT = 2
"""Repeats of such that a pattern may have: each multiplies the work by the line's length."""


def takes_too_long(pattern: str) -> bool:
    """Whether a pattern repeats a group that itself repeats or offers a choice, or has many wide repeats.

    The work such a pattern does can double with each character; it errs on the side of refusing.
    """
    groups = [False]  # whether the group that is open repeats something or offers a choice
    last, last_is_risky, wide = "", False, 0
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token[0]
        if kind == "many":
            if last_is_risky:
                return True
            wide += _WIDE.fullmatch(last) is not None
            groups[-1] = True
            last, last_is_risky = "", False
        elif kind == "open":
            groups.append(False)
            last, last_is_risky = "", False
        elif kind == "close" and len(groups) > 1:
            last, last_is_risky = "", groups.pop()
            groups[-1] = groups[-1] or last_is_risky
        else:
            if kind == "choice":
                groups[-1] = True
            last, last_is_risky = text, False
    return wide > _WIDE_LIMIT
