"""The terminal and process of an agent on Windows: a ConPTY, through the library pywinpty."""

from __future__ import annotations

import codecs
import importlib
import socket
import subprocess
import threading

from supervisor.ptyhost.terminal import Ended, Terminal, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class _Pty(Protocol):
        """What is used of `winpty.PTY`."""

        pid: int

        def spawn(self, appname: str, cmdline: str | None, cwd: str | None, env: str | None) -> bool: ...
        def read(self, blocking: bool = False) -> str: ...
        def write(self, to_write: str) -> int: ...
        def set_size(self, cols: int, rows: int) -> None: ...
        def isalive(self) -> bool: ...
        def get_exitstatus(self) -> int | None: ...


class WindowsTerminal(Terminal):
    """A pseudo-console. It can only be waited for by threads, so they carry its bytes to and from a socket."""

    def __init__(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], columns: int, rows: int) -> None:
        try:
            winpty = importlib.import_module("winpty")
        except ImportError as error:
            raise OSError("the library pywinpty is not installed") from error
        self._pty: _Pty = winpty.PTY(within(columns), within(rows))
        block = "".join(f"{name}={value}\0" for name, value in env.items()) + "\0"
        program, arguments = argv[0], subprocess.list2cmdline(list(argv[1:]))
        if not self._pty.spawn(program, arguments or None, cwd, block):
            raise OSError(f"{program} cannot be started")
        self.pid = self._pty.pid
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._waker: socket.socket | None = None
        for work in (self._carry_output, self._carry_input):
            threading.Thread(target=work, daemon=True).start()

    def fileno(self) -> int:
        return self._ours.fileno()

    def read(self, limit: int) -> bytes:
        try:
            return self._ours.recv(limit)
        except BlockingIOError:
            return b""

    def write(self, data: bytes | memoryview) -> int:
        try:
            return self._ours.send(data)
        except BlockingIOError:
            return 0

    def resize(self, columns: int, rows: int) -> None:
        self._pty.set_size(within(columns), within(rows))

    def ended(self) -> Ended | None:
        if self._pty.isalive():
            return None
        code = self._pty.get_exitstatus()
        return Ended(code=code if code is not None else 1)

    def signal(self, rung: int) -> None:
        # There are no signals here: a program can be interrupted, or ended with all that it started.
        if rung == 0:
            self.write(b"\x03")
        else:
            subprocess.run(
                ["taskkill", "/T", "/PID", str(self.pid), *(["/F"] if rung == 2 else [])],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=5.0,
                check=False,
            )

    def group_lives(self) -> bool:
        return self._pty.isalive()

    def wake_on_exit(self, waker: socket.socket) -> None:
        self._waker = waker

    def _carry_output(self) -> None:
        while True:
            try:
                text = self._pty.read(True)
            except OSError:
                break
            if text:
                self._theirs.sendall(text.encode("utf-8", "surrogateescape"))
        if self._waker is not None:
            self._waker.send(b"\0")

    def _carry_input(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := self._theirs.recv(65536):
            if text := decoder.decode(data):
                self._pty.write(text)
