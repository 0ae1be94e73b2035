"""A rehearsal agent on a real terminal, for tests: what it printed, what it noted, and waiting for either."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import clients.cli.demo.rehearsal
from supervisor.domain.terminal import TerminalEvent, TerminalParser, TitleChanged

PROGRAM = str(Path(clients.cli.demo.rehearsal.__file__).parent)
DEADLINE = 20.0
IDLE, BUSY = "✳ rehearsal", "⠂ rehearsal"

Event = dict[str, Any]


def framed(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"\x1b[200~" + data + b"\x1b[201~"


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Rehearsal:
    """An agent on a terminal of its own, and all that it printed and noted."""

    def __init__(self, directory: Path, *options: str, journal: str | None = None, home: Path | None = None) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home or directory),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "TERM": "xterm",
        }
        if journal is not None:
            environment["REHEARSAL_JOURNAL"] = journal
        self.journal = directory / ".git" / ".rehearsal" / "journal.jsonl"
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-S", PROGRAM, *options],
            cwd=directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        self.bells: list[int] = []
        """Descriptors that become readable when something else happened that a test waits for."""
        self.output = b""
        self.parser = TerminalParser()
        self.said: list[TerminalEvent] = []

    def read(self, deadline: float) -> bool:
        """Read what comes next; False when nothing more can come."""
        ready, _, _ = select.select([self.master, *self.bells], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing came; so far: {self.output[-2000:]!r}, {self.events()}"
        for bell in self.bells:
            if bell in ready:
                os.read(bell, 4096)
        if self.master not in ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self.output += data
        self.said += self.parser.feed(data)
        return bool(data)

    def until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not happened():
            assert self.read(deadline), f"it ended: {self.output[-2000:]!r}"

    def events(self, name: str | None = None) -> list[Event]:
        if not self.journal.exists():
            return []
        lines = [json.loads(line) for line in self.journal.read_bytes().splitlines()]
        return [line for line in lines if name in (None, line["event"])]

    def event(self, name: str, count: int = 1) -> Event:
        """Wait for the so manieth event of this name. Each is followed by something on the screen."""
        self.until(lambda: len(self.events(name)) >= count)
        return self.events(name)[count - 1]

    def titles(self) -> list[str]:
        return [said.title for said in self.said if isinstance(said, TitleChanged)]

    def ready(self) -> Self:
        self.until(lambda: self.titles()[-1:] == [IDLE])
        return self

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def prompt(self, *script: str) -> None:
        self.send(framed("\n".join(f"rehearse: {line}" for line in script)))
        self.send(b"\r")

    def play(self, *script: str) -> Event:
        """Play a script to its end."""
        turns = len(self.events("turn-end"))
        self.prompt(*script)
        event = self.event("turn-end", turns + 1)
        self.ready()
        return event

    def ended(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while self.read(deadline):
            pass
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        if self.process.poll() is None:
            # Its children are in its group; as long as it was not waited for, the group's number is its own.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)
        if self.master >= 0:
            os.close(self.master)


Start = Callable[..., Rehearsal]


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
