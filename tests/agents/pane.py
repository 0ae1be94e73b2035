"""One program in a tmux of its own: keys in, and its titles, screen and exit as events."""

import os
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import frozen

from supervisor.domain.terminal import TerminalParser, TitleChanged
from tests.fakes.seen import WITHIN, Seen

CONFIG = """
set -g remain-on-exit on
set -g history-limit 5000
"""


@frozen
class Title:
    """A title that the program set, and when."""

    text: str
    at: float


@frozen
class End:
    """How the program ended: one of the two is known."""

    status: int | None
    signal: int | None
    at: float
    """When its process was gone."""


class Pane:
    """The only pane of its tmux server."""

    def __init__(self, directory: Path) -> None:
        self.titles: Seen[Title] = Seen()
        self.pid = 0
        self._socket = directory / "tmux"
        self._config = directory / "tmux.conf"
        self._fifo = directory / "output"
        self._printed = trio.Event()

    async def tmux(self, *arguments: str, data: bytes = b"") -> str:
        """Run a tmux command; what it printed."""
        command = ["tmux", "-S", str(self._socket), "-f", str(self._config), *arguments]
        done = await trio.run_process(command, stdin=data, capture_stdout=True, capture_stderr=True, check=False)
        assert not done.returncode, (arguments, done.stderr)
        return done.stdout.decode()

    async def open(self, command: Sequence[str], directory: Path, env: Mapping[str, str]) -> int:
        """Start the program; a descriptor of all that it prints."""
        self._config.write_text(CONFIG)
        os.mkfifo(self._fifo, 0o600)
        # Open for writing too: no end of file while no writer is there.
        output = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        size = ["-x", "160", "-y", "50"]
        start = ["new-session", "-d", "-s", "agent", *size, "-c", str(directory), "exec " + shlex.join(command)]
        pipe = ["pipe-pane", "-t", "=agent:", f"exec cat > {shlex.quote(str(self._fifo))}"]
        whole = ["tmux", "-S", str(self._socket), "-f", str(self._config), *start, ";", *pipe]
        await trio.run_process(whole, env=dict(env), stdin=subprocess.DEVNULL)
        self.pid = int(await self.tmux("display-message", "-p", "-t", "=agent:", "#{pane_pid}"))
        return output

    async def read(self, output: int) -> None:
        """Turn output into titles and wake-ups, for ever."""
        parser = TerminalParser()
        async with trio.lowlevel.FdStream(output) as stream:
            while True:
                data = await stream.receive_some(65536)
                now = trio.current_time()
                for event in parser.feed(bytes(data)):
                    if isinstance(event, TitleChanged):
                        self.titles.add(Title(event.title, now))
                printed, self._printed = self._printed, trio.Event()
                printed.set()

    async def screen(self) -> str:
        return await self.tmux("capture-pane", "-p", "-t", "=agent:")

    async def until_screen(self, met: str | Callable[[str], bool], within: float = WITHIN) -> str:
        """Wait until the screen shows a text, or is as it should be; looked at whenever something was printed."""
        screen = ""
        with trio.move_on_after(within):
            while True:
                printed = self._printed
                screen = await self.screen()
                if met in screen if isinstance(met, str) else met(screen):
                    return screen
                await printed.wait()
        raise AssertionError(f"the screen did not show {met} within {within} s:\n{screen}")

    async def paste(self, text: str, *, enter: bool = False) -> None:
        """Paste a text as a terminal would, framed; with Enter in the same breath, or without."""
        submit = [";", "send-keys", "-t", "=agent:", "Enter"] if enter else []
        paste = ["paste-buffer", "-d", "-p", "-r", "-b", "prompt", "-t", "=agent:"]
        await self.tmux("load-buffer", "-b", "prompt", "-", ";", *paste, *submit, data=text.encode())

    async def keys(self, *keys: str) -> None:
        await self.tmux("send-keys", "-t", "=agent:", *keys)

    async def ended(self, within: float = WITHIN) -> End:
        """Wait until the program is gone."""
        ask = ["display-message", "-p", "-t", "=agent:", "#{pane_dead_status},#{pane_dead_signal}"]
        told = ","
        with trio.fail_after(within):
            await wait_gone(self.pid)
            at = trio.current_time()
            while told == ",":  # tmux 3.3a may forget to look after its children until the next one ends: give it one
                told = (await self.tmux("run-shell", "true", ";", *ask)).strip()
        status, signal = (int(part) if part else None for part in told.split(","))
        return End(status, signal, at)

    async def close(self) -> None:
        """End the server, and with it the program."""
        await self.tmux("kill-server")
        await wait_gone(self.pid)


async def wait_gone(pid: int) -> None:
    """Until this process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def running(command: Sequence[str], directory: Path, env: Mapping[str, str], place: Path) -> AsyncIterator[Pane]:
    """Run a program in a tmux server whose socket is in `place`, until the block ends."""
    pane = Pane(place)
    output = await pane.open(command, directory, env)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pane.read, output)
        try:
            yield pane
        finally:
            with trio.move_on_after(5, shield=True):
                await pane.close()
            nursery.cancel_scope.cancel()
