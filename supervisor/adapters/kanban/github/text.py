"""Text and times from GitHub, made harmless: bounded, and without control characters. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

TITLE_LIMIT = 1_000
"""Characters."""
BODY_LIMIT = 1_000_000
"""Bytes in UTF-8."""
OVERLAP = timedelta(minutes=2)
"""Read once more at each reading: an update is not seen the moment it is made."""
_CUT = "\n\n[cut here: the text is longer than 1 MB]"
_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def one_line(text: str, limit: int = TITLE_LIMIT) -> str:
    """A title or a name: what is no character of a line becomes a space, and too long a text is cut."""
    line = _LINE.sub(" ", encodable(text)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def several_lines(text: str) -> str:
    """A body: LF ends its lines, and control characters show as U+FFFD."""
    plain = _TEXT.sub("\ufffd", encodable(text[: BODY_LIMIT + 1]).replace("\r\n", "\n"))
    data = plain.encode()
    if len(data) <= BODY_LIMIT:
        return plain
    return data[: BODY_LIMIT - len(_CUT)].decode("utf-8", "ignore") + _CUT


def encodable(text: str) -> str:
    """JSON can name half a surrogate pair, which no other text can hold."""
    return text.encode("utf-8", "replace").decode()


def moment(text: object) -> datetime | None:
    """A time in ISO 8601; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_cursor(old: datetime | None, times: Sequence[datetime | None], began: datetime | None) -> str | None:
    """The newest update seen, by the board's clock, and never before the `old` cursor.

    It is not after the reading `began`, for of what changed since then some may have been missed. A board that
    says nothing of times yet is read on from when it was found empty.
    """
    newest = max((each for each in times if each is not None), default=old or began)
    if newest is None:
        return None
    bounded = min(newest, began) if began is not None else newest
    return iso(max(bounded, old) if old is not None else bounded)
