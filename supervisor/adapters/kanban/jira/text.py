"""What a board says, made harmless: bounded, storable, and without control characters. Pure."""

import re

MAX_TITLE = 1000
"""Characters."""
MAX_BODY = 1 << 20
"""Bytes of UTF-8."""
_UNSTORABLE = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BODY_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]|[\ufdd0-\ufdef\ufffe\uffff]")
_CUT = "\n\n(cut: it is longer than 1 MB)"


def line(value: object, limit: int = MAX_TITLE) -> str:
    """One line of text; empty if it is no text at all."""
    if not isinstance(value, str):
        return ""
    return _CONTROLS.sub(" ", _UNSTORABLE.sub("\ufffd", value[: 4 * limit])).strip()[:limit]


def prose(value: str) -> str:
    """Text of several lines: line feeds and tabs stay, other control characters go."""
    return _BODY_CONTROLS.sub("", _UNSTORABLE.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n")))


def body(value: str) -> str:
    """A ticket's body, at most `MAX_BODY` bytes of it."""
    data = value.encode()
    if len(data) <= MAX_BODY:
        return value
    return data[: MAX_BODY - len(_CUT)].decode("utf-8", "ignore") + _CUT
