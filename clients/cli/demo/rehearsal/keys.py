"""What comes in at the keyboard: bytes in pieces of any size become keys and pastes, those become prompts."""

import re
from enum import Enum

PASTE_BEGIN = b"\x1b[200~"
PASTE_END = b"\x1b[201~"
REPLY_LIMIT = 4096
"""A sequence that is longer without its end is no key."""


class Kind(Enum):
    """What a piece of input is."""

    TEXT = "text"
    PASTE = "paste"
    ENTER = "enter"
    INTERRUPT = "ctrl-c"
    ESCAPE = "escape"
    CLEAR = "clear"
    ERASE = "erase"
    KEY = "key"
    """Any other key or a terminal's answer to a question: known to be neither text nor a command."""


Input = tuple[Kind, bytes]

_TEXT = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]+")
# CSI; SS3; OSC, DCS, APC, PM and SOS, which terminals answer with; Alt and a character.
_SEQUENCE = re.compile(
    rb"\x1b(?:\[[\x20-\x3f]*[\x40-\x7e]|O[\x20-\x7e]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[O\]PX^_\x00-\x1f\x7f])"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[\x20-\x3f]*|O|[\]PX^_][^\x07\x1b]*(?:\x1b\Z)?)?")
_CONTROLS = {
    0x03: Kind.INTERRUPT,
    0x08: Kind.ERASE,
    0x0D: Kind.ENTER,
    0x15: Kind.CLEAR,
    0x7F: Kind.ERASE,
}


class Decoder:
    """Takes input apart without losing a byte, wherever it was cut."""

    def __init__(self, pastes: bool = True) -> None:
        self._pastes = pastes
        self._held = b""
        self._paste: bytearray | None = None

    @property
    def undecided(self) -> bool:
        """An ESC stands at the end: a key alone, or the first byte of more. Only time can tell."""
        # No key sends the beginning of a control sequence with parameters: the rest of that will come.
        return bool(self._held) and (self._held == b"\x1b[" or not self._held.startswith(b"\x1b["))

    @property
    def pasting(self) -> bool:
        """A paste has begun and not ended."""
        return self._paste is not None

    def feed(self, data: bytes) -> list[Input]:
        """Take the next bytes and tell what they are."""
        found: list[Input] = []
        data, self._held = self._held + data, b""
        while data:
            data = self._take(data, found) if self._paste is None else self._take_paste(data, found)
        return found

    def expire(self) -> list[Input]:
        """Nothing followed for a while: what was held is a key, not the beginning of one."""
        held, self._held = self._held, b""
        return [(Kind.ESCAPE if held == b"\x1b" else Kind.KEY, held)] if held else []

    def _take_paste(self, data: bytes, found: list[Input]) -> bytes:
        paste = self._paste
        assert paste is not None
        # The end may have been cut in two; looking again at a whole paste would take quadratic time.
        start = max(0, len(paste) - len(PASTE_END) + 1)
        paste += data
        end = paste.find(PASTE_END, start)
        if end < 0:
            return b""
        found.append((Kind.PASTE, bytes(paste[:end])))
        self._paste = None
        return bytes(paste[end + len(PASTE_END) :])

    def _take(self, data: bytes, found: list[Input]) -> bytes:
        position = 0
        while position < len(data):
            if text := _TEXT.match(data, position):
                found.append((Kind.TEXT, text[0]))
                position = text.end()
            elif data[position] != 0x1B:
                byte = data[position : position + 1]
                found.append((_CONTROLS.get(byte[0], Kind.KEY), byte))
                position += 1
            elif whole := _SEQUENCE.match(data, position):
                position = whole.end()
                if whole[0] == PASTE_BEGIN and self._pastes:
                    self._paste = bytearray()
                    break
                found.append((Kind.KEY, whole[0]))
            else:
                position = self._take_part(data, position, found)
        return data[position:]

    def _take_part(self, data: bytes, position: int, found: list[Input]) -> int:
        part = _UNFINISHED.match(data, position)
        assert part is not None
        if part.end() == len(data) and len(part[0]) <= REPLY_LIMIT:
            self._held = part[0]
        else:
            found.append((Kind.ESCAPE if part[0] == b"\x1b" else Kind.KEY, part[0]))
        return part.end()


class Composer:
    """The text that a person, or Operator, has entered and not yet submitted."""

    def __init__(self) -> None:
        self._text = bytearray()

    def __bool__(self) -> bool:
        return bool(self._text)

    def insert(self, data: bytes) -> None:
        """Add at the end, verbatim."""
        self._text += data

    def erase(self) -> None:
        """Remove the last character, all of its bytes."""
        while self._text and self._text.pop() & 0xC0 == 0x80:
            pass

    def take(self) -> bytes:
        """Hand out the text and be empty."""
        text = bytes(self._text)
        self._text.clear()
        return text

    def tail(self, limit: int) -> str:
        """The last characters, as far as `limit` bytes reach, to be shown."""
        return self._text[-limit:].decode("utf-8", "replace")
