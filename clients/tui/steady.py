"""Text whose width every terminal agrees on. Pure."""

import unicodedata

from clients.cli.text import clean, clean_lines

_MARKS_EACH = 2
"""Combining marks that stay on a character; terminals drop the rest, or let it spill over the lines around."""
_FLAG_A = 0x1F1E6


def steady(text: str) -> str:
    """One harmless line. What terminals join or widen each in their own way is taken apart, so that nothing shifts."""
    line = clean(text)
    return line if line.isascii() else _apart(line)


def steady_lines(text: str) -> str:
    """As `steady`, but lines stay."""
    lines = clean_lines(text)
    return lines if lines.isascii() else "\n".join(map(_apart, lines.split("\n")))


def _apart(line: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", line):
        point = ord(char)
        category = unicodedata.category(char)
        if category == "Cf" or 0xFE00 <= point <= 0xFE0F or 0x1F3FB <= point <= 0x1F3FF:
            continue  # joiners, variation selectors, skin tones
        if _FLAG_A <= point < _FLAG_A + 26:
            char = chr(ord("A") + point - _FLAG_A)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > _MARKS_EACH or not kept:
                continue
        else:
            marks = 0
        kept.append(char)
    return "".join(kept)
