"""A pty host in a test, and the clients that talk to it."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import avt
import trio

from supervisor.adapters.sessions.processes import look_at
from supervisor.adapters.sessions.vscode import launch, places
from supervisor.ptyhost import files, wire
from tests.fakes.session_places import spec

WITHIN = 10.0


class Peer:
    """One connection, and what was heard on it so far."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.frames: list[wire.Frame] = []
        self.ended = False
        self._decoder = wire.Decoder()
        self._number = 0

    async def say(self, kind: int, head: wire.Head | None = None, body: bytes = b"") -> None:
        await self.stream.send_all(wire.encode(kind, head, body))

    async def hear(self) -> bool:
        """Take what comes next; False at the end."""
        try:
            data = await self.stream.receive_some(1 << 20)
        except trio.BrokenResourceError:
            data = b""
        self.ended = not data
        self.frames += self._decoder.feed(bytes(data))
        return bool(data)

    async def until(self, met: Callable[[], Any], within: float = WITHIN) -> Any:
        """Listen until something is so."""
        with trio.fail_after(within):
            while not (found := met()):
                assert await self.hear(), "the host cut the connection"
        return found

    async def ask(
        self, do: str, head: wire.Head | None = None, body: bytes = b"", within: float = WITHIN
    ) -> wire.Frame:
        self._number += 1
        number = self._number
        await self.say(wire.ASK, {"id": number, "do": do, **(head or {})}, body)
        found: wire.Frame = await self.until(lambda: self.first(wire.REPLY, id=number), within)
        return found

    def first(self, kind: int, **head: object) -> wire.Frame | None:
        return next((f for f in self.frames if f.kind == kind and f.head.items() >= head.items()), None)

    @property
    def shown(self) -> bytes:
        """All that a viewer's terminal was sent."""
        return b"".join(frame.body for frame in self.frames if frame.kind in (wire.REPLAY, wire.OUTPUT))

    async def until_shown(self, text: bytes, within: float = WITHIN) -> bytes:
        await self.until(lambda: text in self.shown, within)
        return self.shown

    async def until_end(self, within: float = WITHIN) -> None:
        """Listen until the host cuts the connection."""
        with trio.fail_after(within):
            while await self.hear():
                pass


class Hosted:
    """A host with its agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        record = files.read(str(folder), files.RECORD)
        assert record is not None
        self.record: dict[str, Any] = record
        self.host: int = self.record["host"]
        self.agent: int = self.record["pid"]

    @asynccontextmanager
    async def peer(self, role: str = "control", **head: object) -> AsyncIterator[Peer]:
        """A client that was let in."""
        stream = await trio.open_unix_socket(str(self.socket))
        async with stream:
            peer = Peer(stream)
            await peer.say(wire.HELLO, {"version": wire.VERSION, "role": role, **head})
            await peer.until(lambda: peer.first(wire.WELCOME))
            yield peer

    def status(self) -> dict[str, object]:
        """What the status file says, but for the time."""
        found = files.read(str(self.folder), files.STATUS) or {}
        return {name: value for name, value in found.items() if name != "at"}

    async def gone(self, pid: int, within: float = WITHIN) -> None:
        """Wait until a process is gone."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            with trio.fail_after(within):
                await trio.lowlevel.wait_readable(handle)
        finally:
            os.close(handle)


@asynccontextmanager
async def hosted(
    *argv: str, limit: int = 1 << 24, linger: float = 60.0, rest: float = 60.0, stall: float = 10.0, **fields: Any
) -> AsyncIterator[Hosted]:
    """A host that runs a program; both are certainly gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="op-", dir="/tmp"))
    try:
        handle = places.lock(folder)
        assert handle is not None
        wanted = spec("A-1~1", *argv, **{"columns": 100, "rows": 30} | fields)
        await launch.start(
            wanted, folder, folder / "socket", handle, limit=limit, linger=linger, rest=rest, stall=stall
        )
        os.close(handle)
        made = Hosted(folder)
        try:
            yield made
        finally:
            for pid, start in (("host", "host_start"), ("pid", "start")):
                process = look_at(made.record[pid])
                if process is not None and process.start == made.record[start]:
                    os.kill(made.record[pid], signal.SIGKILL)
    finally:
        shutil.rmtree(folder)


def rows(data: bytes, columns: int = 100, lines: int = 30) -> list[str]:
    """What an empty terminal shows after it was sent this."""
    emulator = avt.Vt(columns, lines, 0)
    emulator.feed_str(data.decode("utf-8", "replace"))
    return [line.text.rstrip() for line in emulator.view()]
