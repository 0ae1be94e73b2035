"""Where a session backend lives in a test: its state directory and whatever outlives the backend in it.

As a program it is the daemon of somebody who is about to be killed:
    python -m tests.fakes.session_places KIND STATE_DIR AGENT_ID ARGUMENT...
opens a session that runs ARGUMENT..., types and stamps a text, says `opened PID`, and serves for ever.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import trio

from supervisor.adapters.sessions.processes import look_at
from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.adapters.sessions.vscode import VscodeBackend
from supervisor.domain.agent import ExitStatus
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.ports import Session, SessionBackend, SessionSpec

PROGRAM = Path(__file__).parent / "terminal_program.py"
TMUX = os.environ.get("OPERATOR_TEST_TMUX")
"""Another tmux to test with."""


class Place(Protocol):
    """Where the sessions of one state directory live, with whatever outlives a backend."""

    kind: str
    state_dir: Path

    def backend(self) -> SessionBackend:
        """One more daemon's view of it; only events may tell it anything, not a look every few seconds."""

    def end(self) -> None:
        """End what outlived the backends, by its process id."""


class TmuxPlace:
    """A tmux server of its own, which is certainly gone afterwards."""

    kind = "tmux"

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    @property
    def socket(self) -> Path:
        return self.state_dir.with_suffix(".sock")

    def backend(self, **options: Any) -> TmuxBackend:
        chosen = {"socket": self.socket, "program": TMUX, "look_every": 3600.0} | options
        return TmuxBackend(self.state_dir, **chosen)

    def end(self) -> None:
        try:
            _, pid, start = json.loads((self.state_dir / "tmux.json").read_text())
        except FileNotFoundError:
            return
        process = look_at(pid)
        if process is not None and process.start == start:
            os.kill(pid, signal.SIGKILL)
        self.socket.unlink(missing_ok=True)


class VscodePlace:
    """Pty hosts, all of which are certainly gone afterwards, with their agents."""

    kind = "vscode"

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def backend(self, **options: Any) -> VscodeBackend:
        return VscodeBackend(self.state_dir, **options)

    def records(self) -> list[dict[str, Any]]:
        """What the hosts that are there say of themselves."""
        return [json.loads(path.read_text()) for path in self.state_dir.glob("hosts/*/record")]

    def end(self) -> None:
        for record in self.records():
            for pid, start in ((record["host"], record["host_start"]), (record["pid"], record["start"])):
                process = look_at(pid)
                if process is not None and process.start == start:
                    os.kill(pid, signal.SIGKILL)


PLACES: dict[str, Callable[[Path], Place]] = {"tmux": TmuxPlace, "vscode": VscodePlace}


P = TypeVar("P", bound=Place)
B = TypeVar("B", bound=SessionBackend)


@contextmanager
def place_of(kind: Callable[[Path], P]) -> Iterator[P]:
    """A place with a short path, since a socket's may not be long."""
    folder = Path(tempfile.mkdtemp(prefix="op-", dir="/tmp"))
    place = kind(folder / "state")
    try:
        yield place
    finally:
        place.end()
        shutil.rmtree(folder)


@asynccontextmanager
async def running(backend: B) -> AsyncIterator[B]:
    """A backend that serves while the body runs."""
    async with trio.open_nursery() as nursery:
        await nursery.start(backend.run)
        yield backend
        nursery.cancel_scope.cancel()


def spec(agent_id: str, *argv: str, **fields: Any) -> SessionSpec:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return SessionSpec(AgentId(agent_id), argv, **{"cwd": "/", "env": env} | fields)


def reader(agent_id: str, kept: Path, *options: str, **fields: Any) -> SessionSpec:
    return spec(agent_id, sys.executable, "-S", "-E", str(PROGRAM), str(kept), *options, **fields)


async def said(session: Session, wanted: bytes, within: float = 10.0) -> bytes:
    """Wait until the transcript holds some bytes, and return all of it."""
    text, seen = b"", 0
    with trio.fail_after(within):
        while True:
            while piece := (await session.read(len(text), 1 << 20))[1]:
                text += piece
            if wanted in text:
                return text
            seen = await session.changed(seen)


async def exit_of(session: Session, within: float = 10.0) -> ExitStatus | None:
    """Wait until the session's end is known."""
    seen = 0
    with trio.fail_after(within):
        while session.exit is None and session.lost is None:
            seen = await session.changed(seen)
    return session.exit


async def open_reader(backend: SessionBackend, agent_id: str, kept: Path, *options: str) -> Session:
    """A session whose program is ready for input."""
    session = await backend.open(reader(agent_id, kept, *options))
    await said(session, b"ready")
    return session


def is_alive(pid: int) -> bool:
    process = look_at(pid)
    return process is not None and process.alive


async def _serve_until_killed(kind: str, state_dir: str, agent_id: str, *argv: str) -> None:
    async with running(PLACES[kind](Path(state_dir)).backend()) as backend:
        session = await backend.open(spec(agent_id, *argv))
        await said(session, b"ready")
        await session.type(DeliveryId("before the kill"), "typed")
        print(f"opened {session.pid}", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_serve_until_killed, *sys.argv[1:])
