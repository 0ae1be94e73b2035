"""A person's terminal at a pty host, with a real terminal around the client."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from supervisor.adapters.sessions.vscode import launch
from supervisor.ptyhost import wire
from supervisor.ptyhost.attach import Keys
from tests.fakes.pty_peer import Hosted, hosted, rows
from tests.fakes.session_places import PROGRAM

READER = (sys.executable, "-S", "-E", str(PROGRAM))


class Person:
    """A terminal with an attach client in it."""

    def __init__(self, made: Hosted, columns: int, lines: int) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        argv = [*launch.python(), "attach", str(made.socket)]
        self.client = subprocess.Popen(
            argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True, env={}, cwd="/"
        )
        os.set_blocking(self.master, False)
        self.seen = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    async def until(self, text: bytes) -> None:
        """Look until the terminal was sent something."""
        with trio.fail_after(10):
            while text not in self.seen:
                await trio.lowlevel.wait_readable(self.master)
                self.seen += os.read(self.master, 65536)

    async def left(self) -> int:
        """Wait until the client has ended, and see that the terminal is as it was; the client's exit code."""
        with trio.fail_after(10):
            code = await trio.to_thread.run_sync(self.client.wait, abandon_on_cancel=True)
        try:
            self.seen += os.read(self.master, 1 << 20)
        except BlockingIOError:
            pass
        assert termios.tcgetattr(self.slave) == self.before
        return code


@asynccontextmanager
async def person(made: Hosted, columns: int = 100, lines: int = 30) -> AsyncIterator[Person]:
    sits = Person(made, columns, lines)
    try:
        yield sits
    finally:
        sits.client.kill()
        sits.client.wait()
        os.close(sits.master)
        os.close(sits.slave)


async def test_a_person_sees_types_and_leaves(tmp_path: Path) -> None:
    async with hosted(*READER, str(tmp_path / "kept")) as made, made.peer("view") as other:
        await other.until_shown(b"ready")
        async with person(made, 90, 25) as sits:
            await sits.until(b"ready")
            await other.until_shown(b"size 90x25")
            sits.type(b"abc\x03\x1b[A")
            await sits.until(b"total 7")
            sits.resize(80, 20)
            os.kill(sits.client.pid, signal.SIGWINCH)
            await other.until_shown(b"size 80x20")
            sits.type(b"\x1c\x1c")
            await sits.until(b"total 8")
            sits.type(b"\x1cd")
            assert await sits.left() == 0
            assert b"the agent goes on" in sits.seen
            assert b"\x1b[?2004l" in sits.seen  # which the agent had switched on
        await other.say(wire.INPUT, None, b"!")
        await other.until_shown(b"total 9")
        assert (tmp_path / "kept").read_bytes() == b"abc\x03\x1b[A\x1c!"


async def test_an_end_is_told_and_can_be_looked_at_later() -> None:
    async with hosted("sh", "-c", "echo up; read line; echo bye; exit 3") as made:
        async with person(made) as sits:
            await sits.until(b"up")
            sits.type(b"\r")
            assert await sits.left() == 0
            assert b"bye" in sits.seen
            assert b"the agent ended: exit 3" in sits.seen
        async with person(made) as late:
            assert await late.left() == 0
            assert any("bye" in row for row in rows(late.seen))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_client_that_is_ended_leaves_the_terminal_as_it_was(number: signal.Signals) -> None:
    async with hosted("sh", "-c", "printf '\\033[?1049h\\033[?1003hup'; exec cat") as made, person(made) as sits:
        await sits.until(b"up")
        os.kill(sits.client.pid, number)
        assert await sits.left() == 0
        assert b"\x1b[?1003l" in sits.seen
        assert b"\x1b[?1049l" in sits.seen


async def test_a_killed_host_is_told() -> None:
    async with hosted("sh", "-c", "echo up; exec cat") as made, person(made) as sits:
        await sits.until(b"up")
        os.kill(made.host, signal.SIGKILL)
        assert await sits.left() == 1
        assert b"its host cut the connection" in sits.seen


async def test_there_is_nobody_or_no_terminal(tmp_path: Path) -> None:
    argv = [*launch.python(), "attach", str(tmp_path / "nobody")]
    done = await trio.run_process(argv, capture_stderr=True, stdin=b"", check=False)
    assert (done.returncode, b"no terminal" in done.stderr) == (1, True)
    made = await trio.run_process(
        ["script", "-qec", " ".join(argv), "/dev/null"], capture_stdout=True, stdin=b"", check=False
    )
    assert b"the session is not there" in made.stdout


@pytest.mark.parametrize(
    ("typed", "passed", "leaves"),
    [
        ((b"abc",), b"abc", False),
        ((b"ab\x1cdcd",), b"ab", True),
        ((b"a\x1c", b"d"), b"a", True),
        ((b"\x1cx",), b"\x1cx", False),
        ((b"\x1c\x1cd",), b"\x1cd", False),
        ((b"\x1c", b"\x1c", b"\x1cd"), b"\x1c", True),
        ((b"\x1b[92;5u\x1b[100u",), b"", True),
        ((b"\x1b[92;5u\x1b[92;5:3u", b"d"), b"", True),
        ((b"\x1b[27;5;92~d",), b"", True),
        ((b"\x1b[92;5ux",), b"\x1b[92;5ux", False),
    ],
)
def test_the_keys_for_leaving(typed: tuple[bytes, ...], passed: bytes, leaves: bool) -> None:
    keys = Keys()
    assert b"".join(map(keys.feed, typed)) == passed
    assert keys.leaves is leaves
