"""Text for a terminal: made harmless, measured as it is displayed, cut and set in columns. Pure."""

import unicodedata
from collections.abc import Iterator, Sequence

_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"
_BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}
"""Marks that turn the order of what follows: a title could disguise itself with them."""
_LINE_ENDS = {0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029}


def clean(text: str) -> str:
    """One line of text that cannot steer a terminal: controls become U+FFFD, line ends and tabs blanks."""
    return "".join(map(_harmless, text))


def clean_lines(text: str) -> str:
    """As `clean`, but lines and tabs stay."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(clean(line.replace("\t", "    ")) for line in lines)


def _harmless(char: str) -> str:
    point = ord(char)
    if 0x20 <= point < 0x7F:
        return char
    if point == 0x09 or point in _LINE_ENDS:
        return " "
    if point in _BIDI:
        return ""
    if point < 0x20 or 0x7F <= point < 0xA0 or 0xD800 <= point < 0xE000:
        return "\N{REPLACEMENT CHARACTER}"
    return char


def width(text: str) -> int:
    """How many columns a terminal needs for it."""
    return len(text) if text.isascii() else sum(columns for _, columns in clusters(text))


def clusters(text: str) -> Iterator[tuple[str, int]]:
    """What is drawn as one, with its width: a character and all that combines with it."""
    held, columns, joined = "", 0, False
    for char in text:
        extends = held != "" and (_extends(char) or (joined and unicodedata.category(char) == "So"))
        joined = char == _JOINER and held != ""
        if extends:
            held += char
            columns = 2 if char == _EMOJI_STYLE else columns
            continue
        if held:
            yield held, columns
        held, columns = char, _columns(char)
    if held:
        yield held, columns


def _extends(char: str) -> bool:
    point = ord(char)
    if 0x1F3FB <= point <= 0x1F3FF or 0x1160 <= point <= 0x11FF:
        return True  # skin tones; the second and third part of a Korean syllable
    return unicodedata.category(char) in ("Mn", "Me", "Cf")


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def cut(text: str, columns: int, more: str = "…") -> str:
    """As much as fits, with `more` at its end where something was left out."""
    if width(text) <= columns:
        return text
    room = columns - width(more)
    if room < 0:
        return "." * columns
    kept, used = [], 0
    for cluster, wide in clusters(text):
        if used + wide > room:
            break
        kept.append(cluster)
        used += wide
    return "".join(kept).rstrip() + more


def pad(text: str, columns: int, right: bool = False) -> str:
    """Filled up with blanks to so many columns; to the left of it where `right` is set."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def columns_of(
    rows: Sequence[Sequence[str]], limit: int, more: str = "…", right: Sequence[int] = ()
) -> list[list[str]]:
    """Rows with each column as wide as its widest cell; the widest column gives way where all are too wide.

    Two blanks between columns are counted, but are the caller's to write. The last column is not filled.
    """
    if not rows:
        return []
    widths = [max(width(row[index]) for row in rows) for index in range(len(rows[0]))]
    excess = sum(widths) + 2 * (len(widths) - 1) - limit
    if excess > 0:
        widest = max(range(len(widths)), key=lambda index: widths[index])
        widths[widest] = max(widths[widest] - excess, 8)
    last = len(widths) - 1
    fitted = [[cut(cell, wide, more) for cell, wide in zip(row, widths, strict=True)] for row in rows]
    return [
        [
            cell if index == last and index not in right else pad(cell, widths[index], index in right)
            for index, cell in enumerate(row)
        ]
        for row in fitted
    ]
