"""Keys by tmux's names, as the bytes that a terminal sends for them."""

import re
from typing import Final

from attrs import frozen

_PLAIN: Final = {
    "Enter": b"\r",
    "Escape": b"\x1b",
    "Tab": b"\t",
    "Space": b" ",
    "BSpace": b"\x7f",
    "BTab": b"\x1b[Z",
    "IC": b"\x1b[2~",
    "Insert": b"\x1b[2~",
    "DC": b"\x1b[3~",
    "Delete": b"\x1b[3~",
    "PPage": b"\x1b[5~",
    "PageUp": b"\x1b[5~",
    "PgUp": b"\x1b[5~",
    "NPage": b"\x1b[6~",
    "PageDown": b"\x1b[6~",
    "PgDn": b"\x1b[6~",
    **{f"F{number}": b"\x1bO" + b"PQRS"[number - 1 : number] for number in range(1, 5)},
    **{
        f"F{number}": b"\x1b[%d~" % code
        for number, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)
    },
}
_CURSOR: Final = {"Up": b"A", "Down": b"B", "Right": b"C", "Left": b"D", "End": b"F", "Home": b"H"}
"""These differ while a program has switched the cursor keys to application mode."""
_MODIFIED: Final = re.compile(r"((?:[CMS]-)+)(.+)", re.DOTALL)
_SHIFT, _META, _CONTROL = 1, 2, 4


@frozen
class Pressed:
    """What keys send: normally, and in application mode."""

    normal: bytes
    application: bytes


def pressed(*names: str) -> Pressed:
    """What the keys of these names send. A name that is none is text, as in tmux."""
    each = [_key(name) for name in names]
    return Pressed(b"".join(key.normal for key in each), b"".join(key.application for key in each))


def _key(name: str) -> Pressed:
    if name in _CURSOR:
        return Pressed(b"\x1b[" + _CURSOR[name], b"\x1bO" + _CURSOR[name])
    known = _PLAIN.get(name)
    if known is None:
        found = _MODIFIED.fullmatch(name)
        known = _modified(found[1], found[2]) if found else None
    sent = known if known is not None else name.encode("utf-8", "surrogateescape")
    return Pressed(sent, sent)


def _modified(modifiers: str, name: str) -> bytes | None:
    bits = sum(bit for letter, bit in (("S", _SHIFT), ("M", _META), ("C", _CONTROL)) if f"{letter}-" in modifiers)
    if name in _CURSOR:
        return b"\x1b[1;%d" % (bits + 1) + _CURSOR[name]
    base = _PLAIN.get(name) or (name.encode() if len(name) == 1 else None)
    if base is None:
        return None
    if bits & _CONTROL:
        base = _control(name)
        if base is None:
            return None
    return b"\x1b" + base if bits & _META else base


def _control(name: str) -> bytes | None:
    """What a key sends with Control: a letter's place in the alphabet, and what terminals made of the rest."""
    if name == "Space":
        return b"\0"
    if len(name) == 1 and "@" <= name.upper() <= "_":
        return bytes([ord(name.upper()) & 0x1F])
    return {"?": b"\x7f", "Enter": b"\r", "Tab": b"\t", "BSpace": b"\x08"}.get(name)
