"""What a pty host and its clients say to each other: frames over a local socket.

A frame is its length after this field (4 bytes, big endian), its kind (1 byte), the length of its head (2 bytes),
the head, a JSON object or nothing, and the body, which is bytes.

A client says HELLO first. One that controls (the daemon) is told how far the output has come, and asks; one that
views gets a REPLAY that restores the screen in an empty terminal, and then every byte of OUTPUT.
"""

import json
import struct

VERSION = 1
FRAME_LIMIT = 16 * 1024 * 1024
"""Bytes of a frame that are accepted; who sends a longer one is cut off."""
HEAD_LIMIT = 0xFFFF

# From clients. Heads are given in braces.
HELLO = 1
"""{version, role: "control" or "view", columns?, rows?}"""
INPUT = 2
"""Keys of a person, as bytes."""
RESIZE = 3
"""{columns, rows}: a viewer's terminal has this size now."""
ASK = 4
"""{id, do, ...}; always answered by a REPLY of that id. `do`:
type {delivery} body: the text · submit {delivery} · keys {normal} body: `normal` bytes for normal, the rest for
application cursor keys · stamps · replay · resize {columns, rows} · stop {grace} · release"""

# From the host.
WELCOME = 65
"""{version, host, agent, end, columns, rows, exit?}"""
OUTPUT = 66
GROWN = 67
"""{end}: so many bytes of output there are by now."""
EXIT = 68
"""{code or signal, end}"""
RESIZED = 69
"""{columns, rows, end}: from that offset on the terminal has this size."""
REPLY = 70
"""{id, error?, ...}"""
REPLAY = 71
"""{end, exact, columns, rows} body: what restores the screen as it was after `end` bytes."""
REFUSED = 72
"""{reason}: the connection is closed."""

_HEADER = struct.Struct("!IBH")
_REST = _HEADER.size - 4

Head = dict[str, object]


class WireError(Exception):
    """The peer does not keep to the protocol."""


class Frame:
    """One message."""

    __slots__ = ("body", "head", "kind")

    def __init__(self, kind: int, head: Head, body: bytes = b"") -> None:
        self.kind = kind
        self.head = head
        self.body = body

    def number(self, name: str, low: int = 0, high: int = 2**63) -> int:
        """A whole number of the head. Raises WireError if it is missing or out of bounds."""
        value = self.head.get(name)
        if type(value) is not int or not low <= value <= high:
            raise WireError(f"{name} is not a number from {low} to {high}")
        return value

    def text(self, name: str) -> str:
        """A text of the head. Raises WireError if it is missing."""
        value = self.head.get(name)
        if not isinstance(value, str):
            raise WireError(f"{name} is not a text")
        return value


def encode(kind: int, head: Head | None = None, body: bytes = b"") -> bytes:
    """A frame as bytes."""
    said = json.dumps(head, separators=(",", ":")).encode("ascii") if head else b""
    if len(said) > HEAD_LIMIT or len(said) + len(body) + _REST > FRAME_LIMIT:
        raise WireError("the message is too long")
    return b"".join((_HEADER.pack(_REST + len(said) + len(body), kind, len(said)), said, body))


class Decoder:
    """Takes bytes as they come and gives the frames in them."""

    def __init__(self, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete by now. Raises WireError; the peer is not to be listened to any more then."""
        held = self._held
        held += data
        found = []
        at = 0
        while len(held) - at >= _HEADER.size:
            length, kind, head_length = _HEADER.unpack_from(held, at)
            if not _REST + head_length <= length <= self._limit:
                raise WireError("a frame of an impossible length")
            end = at + 4 + length
            if end > len(held):
                break
            body = at + _HEADER.size + head_length
            found.append(Frame(kind, _head(bytes(held[at + _HEADER.size : body])), bytes(held[body:end])))
            at = end
        del held[:at]
        return found


def _head(said: bytes) -> Head:
    if not said:
        return {}
    try:
        head = json.loads(said)
    except (ValueError, RecursionError):
        raise WireError("a head that is no JSON") from None
    if not isinstance(head, dict):
        raise WireError("a head that is no object")
    return head
