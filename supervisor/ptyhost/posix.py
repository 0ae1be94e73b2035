"""The terminal and process of an agent on Linux, macOS and the BSDs."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import sys
import termios

from supervisor.ptyhost.terminal import Ended, Terminal, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

assert sys.platform != "win32"

_RUNGS = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)
_IUTF8 = 0x4000
"""So that the terminal's own line editing removes whole characters. The number is the same on Linux and macOS."""
_NOT_FOUND, _NOT_RUN = 127, 126


class PosixTerminal(Terminal):
    """A pseudo-terminal whose program leads a session of its own.

    The host keeps the program's end open as well: then reading never fails because nobody has it open for a moment.
    """

    def __init__(self, argv: Sequence[str], cwd: str, env: Mapping[str, str], columns: int, rows: int) -> None:
        self._master, self._slave = os.openpty()
        self._status: Ended | None = None
        modes = termios.tcgetattr(self._slave)
        modes[0] |= _IUTF8
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)
        self.resize(columns, rows)
        self.pid = os.fork()
        if self.pid == 0:
            _become(self._slave, argv, cwd, env)
        os.set_blocking(self._master, False)

    def fileno(self) -> int:
        return self._master

    def read(self, limit: int) -> bytes:
        try:
            return os.read(self._master, limit)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""  # nobody but us has it open

    def write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", within(rows), within(columns), 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def ended(self) -> Ended | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._status = Ended(code=code) if code >= 0 else Ended(signal=-code)
        return self._status

    def signal(self, rung: int) -> None:
        try:
            os.killpg(self.pid, _RUNGS[rung])
            os.killpg(self.pid, signal.SIGCONT)  # a stopped process acts on nothing but KILL until it is continued
        except (ProcessLookupError, PermissionError):
            pass  # gone; macOS says the latter of a group of which only an unreaped leader is left

    def group_lives(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def wake_on_exit(self, waker: socket.socket) -> None:
        # A handler is needed, or the signal wakes nobody; what it means is looked at in the loop.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)


def _become(slave: int, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
    """In the child: become the program. What keeps it from that is said on its terminal."""
    code = _NOT_RUN
    try:
        os.login_tty(slave)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            # Python and the host ignore some, and so may whatever started them: that is inherited.
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.chdir(cwd)
        code = _NOT_FOUND
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        where = cwd if code == _NOT_RUN else argv[0]
        code = code if isinstance(error, FileNotFoundError) else _NOT_RUN
        os.write(2, os.fsencode(f"{where}: {error.strerror}\r\n"))
    finally:
        os._exit(code)
