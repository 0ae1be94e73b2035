"""What of a terminal's state its screen does not show: modes that the program set, read from its output.

The bytes come in pieces of any size; the same bytes leave the same modes wherever they were cut. Nothing in them
makes the reader fail, and what it holds is bounded.
"""

from __future__ import annotations

import re

_GROUND, _SEQUENCE, _STRING = 0, 1, 2
_BEL, _ESC = 0x07, 0x1B

_SEQUENCE_LIMIT = 256
_TITLE_LIMIT = 1024
_STRING_LIMIT = 1 << 20
"""After so many bytes without its end a string is given up, or its reader would be deaf for good."""
_KITTY_LIMIT = 16

BRACKETED_PASTE = 2004
CURSOR_KEYS = 1
ALTERNATE = frozenset({47, 1047, 1049})
_ON_BY_DEFAULT = frozenset({7, 25})
_KEPT = (
    frozenset({CURSOR_KEYS, 5, 6, 9, 12, 45, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 2031, 2048})
    | frozenset({BRACKETED_PASTE})
    | _ON_BY_DEFAULT
    | ALTERNATE
)
"""Private modes (DECSET) that are to be set again in another terminal."""

_CSI = re.compile(rb"\x1b\[([<=>?]?)([0-9;:]*)([ -/]*)([@-~])")
_ESCAPE = re.compile(rb"\x1b[ -/]*[0-Z\\`-~]")
_UNFINISHED = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;:]*[ -/]*|[ -/]*)\Z")
_DULL = re.compile(rb"(?:\x1b\[[0-9;:]{0,32}[ABCDEFGHKLMPXdfmst][^\x1b]*)+")
"""Sequences that move the cursor, write or colour: most of what a full-screen program prints."""
_STRINGS = (b"]", b"P", b"X", b"^", b"_")
_STRING_STOP = re.compile(rb"[\x07\x18\x1a\x1b]")
_UNPRINTABLE = re.compile(rb"[\x00-\x1f\x7f]")


class Modes:
    """The modes at one point of the output."""

    private: dict[int, bool]
    insert: bool
    keypad: bool
    cursor: bytes
    """The shape it has, as DECSCUSR's parameter."""
    region: bytes
    title: bytes
    other_keys: bytes
    """xterm's modifyOtherKeys, as its parameters."""
    kitty: dict[bool, list[int]]
    """kitty's keyboard flags, a stack for each of the two screens; the key is: alternate."""

    def __init__(self, kept: Modes | None = None) -> None:
        """Those of a new terminal, or a copy."""
        self.private = dict(kept.private) if kept else {}
        self.insert = kept.insert if kept else False
        self.keypad = kept.keypad if kept else False
        self.cursor = kept.cursor if kept else b""
        self.region = kept.region if kept else b""
        self.title = kept.title if kept else b""
        self.other_keys = kept.other_keys if kept else b""
        self.kitty = {on: list(flags) for on, flags in kept.kitty.items()} if kept else {}

    def on(self, number: int) -> bool:
        """Whether a private mode is set."""
        return self.private.get(number, number in _ON_BY_DEFAULT)

    @property
    def alternate(self) -> bool:
        """Whether the program draws on the alternate screen."""
        return any(self.private.get(number, False) for number in ALTERNATE)

    def restored(self) -> bytes:
        """What sets these modes in a new terminal."""
        said = [b"\x1b]2;%b\x07" % self.title] if self.title else []
        said += [b"\x1b[?%dh" % number for number in sorted(ALTERNATE) if self.private.get(number)]
        said += [
            b"\x1b[?%d%b" % (number, b"h" if on else b"l")
            for number, on in sorted(self.private.items())
            if number not in ALTERNATE and on != (number in _ON_BY_DEFAULT)
        ]
        said += [b"\x1b[4h"] * self.insert + [b"\x1b="] * self.keypad
        said += [b"\x1b[%br" % self.region] if self.region else []
        said += [b"\x1b[%b q" % self.cursor] if self.cursor else []
        said += [b"\x1b[>%bm" % self.other_keys] if self.other_keys else []
        said += [b"\x1b[>%du" % flags for flags in self.kitty.get(self.alternate, ())]
        return b"".join(said)


class ModeReader:
    """Reads output incrementally."""

    def __init__(self) -> None:
        self.modes = Modes()
        self.offset = 0
        """How many bytes were read."""
        self.blank = 0
        """Where the screen was last known to be empty: at the sequence that made it so."""
        self.turned = 0
        """Where the alternate screen was last entered."""
        self._state = _GROUND
        self._held = b""
        """The unfinished sequence, with its ESC, or what is kept of a string."""
        self._skipped = 0
        self._is_title = False
        self._escaped = False
        """The last byte was an ESC inside a string."""

    @property
    def at_rest(self) -> bool:
        """Whether the next byte begins something new."""
        return self._state == _GROUND

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        held = self._held if self._state == _SEQUENCE else b"\x1b" if self._escaped else b""
        if self._state == _SEQUENCE:
            self._state, self._held = _GROUND, b""
        self._escaped = False
        base, data = self.offset - len(held), held + data
        at, end = 0, len(data)
        while at < end:
            at = self._ground(data, at, base) if self._state == _GROUND else self._string(data, at)
        self.offset = base + end

    def _ground(self, data: bytes, at: int, base: int) -> int:
        """Read on from `at` to the next sequence that matters, and past it."""
        at = data.find(b"\x1b", at)
        if at < 0:
            return len(data)
        if dull := _DULL.match(data, at):
            return dull.end()
        if data[at + 1 : at + 2] in _STRINGS:
            self._state, self._held, self._skipped = _STRING, b"", 0
            self._is_title = data[at + 1] == ord("]")
            return at + 2
        sequence = _CSI.match(data, at) or _ESCAPE.match(data, at)
        if sequence is not None and len(sequence[0]) <= _SEQUENCE_LIMIT:
            if sequence.re is _CSI:
                self._control(sequence[1], sequence[2], sequence[3], sequence[4], base + at)
            else:
                self._simple(sequence[0], base + at)
            return sequence.end()
        if len(data) - at <= _SEQUENCE_LIMIT and _UNFINISHED.match(data, at):
            self._state, self._held = _SEQUENCE, data[at:]
            return len(data)
        return at + 1

    def _string(self, data: bytes, at: int) -> int:
        """Read on in an OSC, DCS or the like: to its end, or to the byte that says there will be none."""
        stop = _STRING_STOP.search(data, at, at + _STRING_LIMIT - self._skipped)
        to = stop.start() if stop else min(len(data), at + _STRING_LIMIT - self._skipped)
        self._held += data[at : min(to, at + _TITLE_LIMIT + 1 - len(self._held))]
        self._skipped += to - at
        if stop is None:
            if self._skipped >= _STRING_LIMIT:
                self._state, self._held = _GROUND, b""
            return to
        if data[to] == _ESC and to + 1 == len(data):
            self._escaped = True
            return to + 1
        ends = data[to] == _BEL or data[to : to + 2] == b"\x1b\\"
        if ends and self._is_title:
            self._titled(self._held)
        elif data[to] == _BEL:  # ends an OSC only
            return to + 1
        self._state, self._held = _GROUND, b""
        if data[to] == _ESC:  # what ends no string begins something else
            return to + 2 if ends else to
        return to + 1

    # --- what the sequences do ----------------------------------------------------------------------

    def _control(self, prefix: bytes, parameters: bytes, between: bytes, final: bytes, at: int) -> None:
        modes = self.modes
        match prefix, between, final:
            case b"?", b"", b"h" | b"l":
                for number in parameters.split(b";"):
                    self._set(number, final == b"h", at)
            case b"", b"", b"h" | b"l" if parameters == b"4":
                modes.insert = final == b"h"
            case b"", b"", b"J" if parameters == b"2":
                self.blank = at
            case b"", b"", b"r":
                modes.region = parameters
            case b"", b" ", b"q":
                modes.cursor = parameters
            case b"", b"!", b"p":
                for reset in (1, 6, 7, 25):
                    modes.private.pop(reset, None)
                modes.insert = modes.keypad = False
                modes.region = b""
            case b">", b"", b"m":
                modes.other_keys = parameters
            case b">" | b"<" | b"=", b"", b"u":
                self._keyboard(prefix, parameters)

    def _simple(self, sequence: bytes, at: int) -> None:
        if sequence == b"\x1bc":
            self.modes = Modes()
            self.blank = at
        elif sequence in (b"\x1b=", b"\x1b>"):
            self.modes.keypad = sequence == b"\x1b="

    def _set(self, said: bytes, on: bool, at: int) -> None:
        number = int(said) if said.isdigit() and len(said) < 6 else 0
        if number not in _KEPT:
            return
        if number in ALTERNATE:
            if on and not self.modes.alternate:
                self.turned = at
            if not on:  # each of the three leaves it
                for other in ALTERNATE:
                    self.modes.private.pop(other, None)
            if on and number != 47:  # which shows what was there before
                self.blank = at
        self.modes.private[number] = on

    def _keyboard(self, prefix: bytes, parameters: bytes) -> None:
        stack = self.modes.kitty.setdefault(self.modes.alternate, [])
        numbers = [int(each) if each.isdigit() and len(each) < 4 else 0 for each in parameters.split(b";")]
        if prefix == b">":
            stack.append(numbers[0])
            del stack[:-_KITTY_LIMIT]
        elif prefix == b"<":
            del stack[-max(1, numbers[0]) :]
        elif not stack:
            stack.append(numbers[0])
        else:
            how = numbers[1] if len(numbers) > 1 else 1
            flags = numbers[0]
            stack[-1] = flags if how == 1 else stack[-1] | flags if how == 2 else stack[-1] & ~flags

    def _titled(self, command: bytes) -> None:
        number, _, text = command.partition(b";")
        if number in (b"0", b"2") and len(command) <= _TITLE_LIMIT:
            self.modes.title = _UNPRINTABLE.sub(b"", text)
