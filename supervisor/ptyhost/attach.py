"""A person's terminal at an agent's: what `operator attach` runs. Ctrl-\\ d leaves; the agent goes on.

Ctrl-\\ twice passes one on to the agent.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import sys

from supervisor.ptyhost import wire

WITHIN = 5.0
"""Seconds that a host has to answer."""
_CHUNK = 64 * 1024
# Programs can have keys sent as sequences (kitty's, xterm's): then these are what the two keys look like.
_PREFIX = re.compile(rb"\x1c|\x1b\[92;5(?::1)?u|\x1b\[27;5;92~")
_LEAVE = re.compile(rb"d|\x1b\[100(?:;1(?::1)?)?u")
_RELEASED = re.compile(rb"\x1b\[[0-9]+;[0-9]+:3u")
"""The release of a key, which kitty's protocol may tell: nobody means anything by it here."""
_RESET = (
    b"\x1b[r\x1b[?1049l\x1b[?1047l\x1b[?47l\x1b[!p\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b[4l\x1b[0 q\x1b[>4m\x1b[=0u"
    b"\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l"
    b"\x1b[?2004l\x1b[?2031l\x1b[?2048l\x1b[999;1H\r\n"
)
"""What undoes every mode that an agent may have set, and goes below what it drew."""


class Keys:
    """Finds the keys for leaving among what a person types; they may come in pieces."""

    def __init__(self) -> None:
        self._held = b""
        self.leaves = False

    def feed(self, data: bytes) -> bytes:
        """What of it is for the agent."""
        if not self._held:
            found = _PREFIX.search(data)
            if found is None:
                return data
            before, self._held, data = data[: found.start()], found[0], data[found.end() :]
        else:
            before = b""
        if released := _RELEASED.match(data):
            data = data[released.end() :]
        if not data:
            return before
        if _LEAVE.match(data):
            self.leaves = True
            return before
        held, self._held = self._held, b""
        twice = _PREFIX.match(data)
        if twice:
            return before + held + self.feed(data[twice.end() :])
        return before + held + self.feed(data)


def attach(address: str) -> int:
    """Show an agent's terminal until it ends or the person leaves. 1 if it cannot be shown (any more)."""
    if sys.platform == "win32":
        print("operator: attach from a terminal is not there on Windows; use the editor", file=sys.stderr)
        return 1
    else:
        if not os.isatty(0) or not os.isatty(1):
            print("operator: there is no terminal here to attach", file=sys.stderr)
            return 1
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(WITHIN)
            connection.connect(address)
        except OSError as error:
            print(f"operator: the session is not there: {error.strerror or error}", file=sys.stderr)
            return 1
        with connection:
            return _Viewer(connection).run()


class _Viewer:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._decoder = wire.Decoder()
        self._keys = Keys()
        self._last = ""
        """Why it is over; empty while it is not."""
        self._code = 0

    def run(self) -> int:
        if sys.platform == "win32":
            return 1
        import termios
        import tty

        wake, waker = socket.socketpair()
        waker.setblocking(False)
        wake.setblocking(False)
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        before = termios.tcgetattr(0)
        try:
            tty.setraw(0)
            self._send(wire.encode(wire.HELLO, {"version": wire.VERSION, "role": "view", **_size()}))
            while not self._last:
                self._round(wake)
        except OSError as error:
            self._end(f"the session is gone: {error.strerror or error}", 1)
        except wire.WireError as error:
            self._end(f"its host cannot be understood: {error}", 1)
        finally:
            # Before anything else: also what could not be shown must not leave the terminal in a mode.
            termios.tcsetattr(0, termios.TCSADRAIN, before)
            try:
                _write(_RESET + f"[operator: {self._last or 'interrupted'}]\n".encode())
            except OSError:
                pass  # the terminal itself is gone
        return self._code

    def _round(self, wake: socket.socket) -> None:
        keys, news, woken = 0, self._socket.fileno(), wake.fileno()
        readable, _, _ = select.select([keys, news, woken], [], [])
        if woken in readable:
            wake.recv(_CHUNK)
        if news in readable:
            data = self._socket.recv(_CHUNK)
            if not data:
                self._end("its host cut the connection: it ended, or this terminal was too slow; attach again", 1)
                return
            for frame in self._decoder.feed(data):
                self._show(frame)
        if keys in readable and not self._last:
            data = os.read(0, _CHUNK)
            if typed := self._keys.feed(data):
                self._send(wire.encode(wire.INPUT, None, typed))
            if self._keys.leaves or not data:
                self._end("left; the agent goes on", 0)

    def _show(self, frame: wire.Frame) -> None:
        if frame.kind in (wire.OUTPUT, wire.REPLAY):
            _write(frame.body)
        elif frame.kind == wire.EXIT:
            code, number = frame.head.get("code"), frame.head.get("signal")
            self._end(f"the agent ended: {f'exit {code}' if number is None else f'signal {number}'}", 0)
        elif frame.kind == wire.REFUSED:
            self._end(f"its host refuses: {frame.head.get('reason')}", 1)

    def _signalled(self, number: int, _: object) -> None:
        if sys.platform != "win32" and number == signal.SIGWINCH:
            self._send(wire.encode(wire.RESIZE, _size()))
        else:
            self._end("left; the agent goes on", 0)

    def _send(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def _end(self, why: str, code: int) -> None:
        self._last, self._code = why, code


def _size() -> wire.Head:
    size = os.get_terminal_size(0)
    return {"columns": size.columns, "rows": size.lines}


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
