"""The agent's terminal and process, as the host uses them; one class for each kind of system."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

SMALLEST, LARGEST = 2, 1000


class Ended:
    """How the agent's process ended: one of the two is set."""

    def __init__(self, code: int | None = None, signal: int | None = None) -> None:
        self.code = code
        self.signal = signal

    def told(self) -> dict[str, object]:
        """As it stands in messages and in the status file."""
        return {"code": self.code} if self.signal is None else {"signal": self.signal}


class Terminal:
    """A pseudo-terminal with a program in it. Nothing here waits."""

    pid: int

    def fileno(self) -> int:
        """What becomes readable when there is output, and writable when there is room for input."""
        raise NotImplementedError

    def read(self, limit: int) -> bytes:
        """Output, as much as there is up to `limit`; nothing if there is none."""
        raise NotImplementedError

    def write(self, data: bytes | memoryview) -> int:
        """Pass on input; how much of it was taken."""
        raise NotImplementedError

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size, which the program is told."""
        raise NotImplementedError

    def ended(self) -> Ended | None:
        """How the program ended, once it has; what it printed before can be read by then."""
        raise NotImplementedError

    def signal(self, rung: int) -> None:
        """Ask the program and what shares its process group to go: 0 hangs up, 1 terminates, 2 kills."""
        raise NotImplementedError

    def group_lives(self) -> bool:
        """Whether anybody of its process group is left; asked often enough that no other group has its number."""
        raise NotImplementedError

    def wake_on_exit(self, waker: socket.socket) -> None:
        """Have a byte written to this socket whenever `ended` may have changed."""
        raise NotImplementedError


def open_terminal(argv: Sequence[str], cwd: str, env: Mapping[str, str], columns: int, rows: int) -> Terminal:
    """Start a program in a new terminal. Raises OSError, and then nothing was started."""
    if sys.platform == "win32":
        from supervisor.ptyhost.windows import WindowsTerminal

        return WindowsTerminal(argv, cwd, env, columns, rows)
    else:
        from supervisor.ptyhost.posix import PosixTerminal

        return PosixTerminal(argv, cwd, env, columns, rows)


def within(size: int) -> int:
    """A number of columns or rows that a terminal can have."""
    return min(max(size, SMALLEST), LARGEST)
