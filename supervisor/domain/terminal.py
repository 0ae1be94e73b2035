"""What a program says by its terminal output: titles, paste mode, notifications, bells, and that it printed.

The bytes come in pieces of any size and are read once, in linear time. Nothing in them makes the parser
fail, and what it holds is bounded, so an agent that prints garbage can at most hide its own signals.
"""

import re
from enum import StrEnum
from typing import Final

from attrs import frozen


@frozen
class TitleChanged:
    """The program set its title (OSC 0 or 2); said each time, also when the text is the same again."""

    title: str


@frozen
class BracketedPaste:
    """The program asked for framed pastes, or asked for them to end; a terminal reset ends them too."""

    enabled: bool


@frozen
class Notified:
    """The program asked the terminal to notify its user (OSC 9, or OSC 777;notify as "title: body")."""

    text: str


@frozen
class Bell:
    """BEL outside any string."""


@frozen
class Printed:
    """How many bytes of visible output one feed held: its last event, absent when there were none."""

    count: int


TerminalEvent = TitleChanged | BracketedPaste | Notified | Bell | Printed


class Mode(StrEnum):
    """What the next byte belongs to."""

    GROUND = "ground"
    ESCAPE = "escape"
    DESIGNATE = "designate"
    """After ESC and an intermediate byte, such as the `(` of ESC ( B."""
    CSI = "csi"
    OSC = "osc"
    OSC_ESCAPE = "osc-escape"
    """After an ESC inside an OSC: a backslash makes it the string's end."""
    STRING = "string"
    """DCS, SOS, PM or APC, whose content is none of our business."""
    STRING_ESCAPE = "string-escape"


@frozen
class ParserState:
    """Where a parser stands between two bytes: a new one with this state goes on as the old one would."""

    mode: Mode = Mode.GROUND
    held: str = ""
    """The unfinished CSI or OSC without its introducer. One character is one byte: JSON knows no bytes."""
    skipped: int = 0
    """How many bytes of the unfinished string were passed over."""
    offset: int = 0
    """How many bytes were fed in all."""
    title: str = ""
    bracketed_paste: bool = False


OSC_LIMIT: Final = 4096
"""A longer OSC is dropped whole: nobody's title is that long, and cutting it would make up a title."""
CSI_LIMIT: Final = 256
STRING_LIMIT: Final = 1 << 20
"""After so many bytes without its end a string is given up, or its parser would be deaf for good."""
TITLE_LIMIT: Final = 512

_CONTROLS: Final = bytes([*range(0x20), 0x7F])
# Colours and cursor movements, most of what a full-screen program writes, are passed over without leaving C:
# a sequence with digits only means nothing here. All short cuts are for sequences far below CSI_LIMIT, so
# that they and the byte-exact path never disagree.
_DULL: Final = re.compile(rb"(?:\x1b\[[0-9;:]{0,64}[\x40-\x7e])+")
_GROUND_STOP: Final = re.compile(rb"[\x07\x1b](?:(?<=\x07)|(?!\[[0-9;:]{0,64}[\x40-\x7e]))")
_WHOLE_CSI: Final = re.compile(rb"\x1b\[([\x30-\x3f]{0,64})([\x20-\x2f]{0,4})([\x40-\x7e])")
_CSI_BODY: Final = re.compile(rb"[\x20-\x3f]*")
_PARTS: Final = re.compile(rb"([\x30-\x3f]*)([\x20-\x2f]*)")
_OSC_STOP: Final = re.compile(rb"[\x07\x18\x1a\x1b]")
_STRING_STOP: Final = re.compile(rb"[\x18\x1a\x1b]")
# Controls, and the characters that break a line or turn the direction of what follows in a list of titles.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# OSC 9 is also ConEmu's: 9;4 is a progress bar and 9;9 the working directory, neither is for the user's eyes.
_NOT_A_NOTICE: Final = re.compile(rb"4;[0-4](?:;[0-9]*)*\Z|9;")

_BEL, _CAN, _SUB, _ESC = 0x07, 0x18, 0x1A, 0x1B


class TerminalParser:
    """Reads terminal output incrementally; the same bytes give the same events wherever they were cut."""

    def __init__(self, state: ParserState | None = None) -> None:
        start = ParserState() if state is None else state
        self._mode = start.mode
        self._held = bytearray(start.held, "latin-1")
        self._skipped = start.skipped
        self._offset = start.offset
        self._title = start.title
        self._bracketed_paste = start.bracketed_paste
        self._events: list[TerminalEvent] = []
        self._printed = 0
        self._steps = {
            Mode.GROUND: self._ground,
            Mode.ESCAPE: self._escape,
            Mode.DESIGNATE: self._designate,
            Mode.CSI: self._csi,
            Mode.OSC: self._osc,
            Mode.OSC_ESCAPE: self._osc_escape,
            Mode.STRING: self._string,
            Mode.STRING_ESCAPE: self._string_escape,
        }

    @property
    def state(self) -> ParserState:
        """A snapshot to continue from."""
        holds = self._mode in (Mode.CSI, Mode.OSC, Mode.OSC_ESCAPE)
        skips = self._mode in (Mode.STRING, Mode.STRING_ESCAPE)
        return ParserState(
            mode=self._mode,
            held=self._held.decode("latin-1") if holds else "",
            skipped=self._skipped if skips else 0,
            offset=self._offset,
            title=self._title,
            bracketed_paste=self._bracketed_paste,
        )

    @property
    def title(self) -> str:
        """The last title that was set, empty if none was."""
        return self._title

    @property
    def bracketed_paste(self) -> bool:
        """Whether the program wants its pastes framed now."""
        return self._bracketed_paste

    def feed(self, data: bytes) -> list[TerminalEvent]:
        """Take the next bytes of output and tell what they said, in order."""
        events: list[TerminalEvent] = []
        self._events, self._printed = events, 0
        position, end = 0, len(data)
        while position < end:
            # Each step uses up at least one byte, or leaves for a mode whose step does.
            position = self._steps[self._mode](data, position)
        self._offset += end
        if self._printed:
            events.append(Printed(self._printed))
        return events

    def _ground(self, data: bytes, position: int) -> int:
        end = len(data)
        while position < end:
            stop = _GROUND_STOP.search(data, position)
            at = stop.start() if stop else end
            if at > position:
                self._printed += _visible(data[position:at])
            if stop is None:
                return end
            if data[at] == _BEL:
                self._events.append(Bell())
                position = at + 1
            elif sequence := _WHOLE_CSI.match(data, at):
                self._control(sequence[1], sequence[2], sequence[3])
                position = sequence.end()
            else:
                self._mode = Mode.ESCAPE
                return at + 1
        return position

    def _escape(self, data: bytes, position: int) -> int:
        byte = data[position]
        if self._stray_control(byte):
            return position + 1
        self._mode = Mode.GROUND
        if byte >= 0x80:
            return position
        if byte == ord("["):
            self._begin(Mode.CSI)
        elif byte == ord("]"):
            self._begin(Mode.OSC)
        elif byte in b"PX^_":
            self._begin(Mode.STRING)
        elif byte < 0x30:
            self._mode = Mode.DESIGNATE
        elif byte == ord("c"):
            self._reset()
        return position + 1

    def _designate(self, data: bytes, position: int) -> int:
        byte = data[position]
        if self._stray_control(byte) or 0x20 <= byte < 0x30:
            return position + 1
        self._mode = Mode.GROUND
        return position if byte >= 0x80 else position + 1

    def _csi(self, data: bytes, position: int) -> int:
        body = _CSI_BODY.match(data, position)
        assert body is not None
        # One byte more than the limit marks the sequence as too long; the rest need not be kept.
        self._held += data[position : min(body.end(), position + CSI_LIMIT + 1 - len(self._held))]
        position = body.end()
        if position == len(data):
            return position
        byte = data[position]
        if self._stray_control(byte):
            return position + 1
        self._mode = Mode.GROUND
        if byte >= 0x80:
            return position
        if len(self._held) <= CSI_LIMIT and (parts := _PARTS.fullmatch(bytes(self._held))):
            self._control(parts[1], parts[2], bytes([byte]))
        return position + 1

    def _osc(self, data: bytes, position: int) -> int:
        stop = _OSC_STOP.search(data, position)
        at = stop.start() if stop else len(data)
        self._held += data[position : min(at, position + OSC_LIMIT + 1 - len(self._held))]
        if stop is None:
            return at
        if data[at] == _ESC:
            self._mode = Mode.OSC_ESCAPE
        else:
            self._mode = Mode.GROUND
            if data[at] == _BEL:
                self._command()
        return at + 1

    def _osc_escape(self, data: bytes, position: int) -> int:
        if data[position] == ord("\\"):
            self._mode = Mode.GROUND
            self._command()
            return position + 1
        # Another sequence begins inside the string: the string was never finished.
        self._mode = Mode.ESCAPE
        return position

    def _string(self, data: bytes, position: int) -> int:
        end = min(len(data), position + STRING_LIMIT - self._skipped)
        stop = _STRING_STOP.search(data, position, end)
        at = stop.start() + 1 if stop else end
        self._skipped += at - position
        if stop is not None:
            self._mode = Mode.STRING_ESCAPE if data[at - 1] == _ESC else Mode.GROUND
        elif self._skipped >= STRING_LIMIT:
            self._mode = Mode.GROUND
        return at

    def _string_escape(self, data: bytes, position: int) -> int:
        byte = data[position]
        if byte == _ESC:
            # tmux's pass-through doubles each ESC, so one may stand before the one that ends the string.
            return position + 1
        self._mode = Mode.GROUND if byte in b"\\\x18\x1a" else Mode.STRING
        return position + 1

    def _stray_control(self, byte: int) -> bool:
        """Act on a control character inside an escape sequence as terminals do; False if the byte is none."""
        if byte >= 0x20 and byte != 0x7F:
            return False
        if byte == _ESC:
            self._mode = Mode.ESCAPE
        elif byte in (_CAN, _SUB):
            self._mode = Mode.GROUND
        elif byte == _BEL:
            self._events.append(Bell())
        return True

    def _begin(self, mode: Mode) -> None:
        self._mode = mode
        self._held.clear()
        self._skipped = 0

    def _control(self, parameters: bytes, intermediates: bytes, final: bytes) -> None:
        if intermediates == b"!" and final == b"p":
            self._reset()
        elif not intermediates and final in (b"h", b"l") and parameters.startswith(b"?"):
            numbers = parameters[1:].split(b";")
            if any(number.lstrip(b"0") == b"2004" for number in numbers):
                self._set_paste(final == b"h")

    def _reset(self) -> None:
        # A reset says nothing about pastes unless they were on.
        if self._bracketed_paste:
            self._set_paste(False)

    def _set_paste(self, enabled: bool) -> None:
        self._bracketed_paste = enabled
        self._events.append(BracketedPaste(enabled))

    def _command(self) -> None:
        """Act on a finished OSC."""
        if len(self._held) > OSC_LIMIT:
            return
        number, _, text = bytes(self._held).partition(b";")
        if number in (b"0", b"2"):
            self._title = _clean(text)
            self._events.append(TitleChanged(self._title))
        elif number == b"9" and not _NOT_A_NOTICE.match(text):
            self._events.append(Notified(_clean(text)))
        elif number == b"777" and text.startswith(b"notify;"):
            title, _, body = text.removeprefix(b"notify;").partition(b";")
            self._events.append(Notified(_clean(b": ".join(part for part in (title, body) if part))))


def _visible(chunk: bytes) -> int:
    if _ESC in chunk:
        chunk = _DULL.sub(b"", chunk)
    return len(chunk.translate(None, _CONTROLS))


def _clean(text: bytes) -> str:
    return _UNPRINTABLE.sub("", text.decode("utf-8", "replace"))[:TITLE_LIMIT]
