"""One agent's terminal in a pty host."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio

from supervisor.adapters.sessions import processes
from supervisor.adapters.sessions.news import News
from supervisor.adapters.sessions.vscode.connection import Connection
from supervisor.adapters.sessions.vscode.keys import pressed
from supervisor.adapters.sessions.vscode.launch import python
from supervisor.adapters.sessions.vscode.places import Record
from supervisor.adapters.sessions.vscode.screen import Screen, Size
from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from supervisor.domain.ids import DeliveryId
from supervisor.ports import Attach, Replay, Stamps
from supervisor.ptyhost import files, transcript, wire

_FRESH: Final = 64 * 1024
"""Bytes at a transcript's end that are read without a thread: they were written a moment ago and are in memory."""
_STATUS_PATIENCE: Final = 2.0
"""Seconds that the status of a stopped agent may take to become known."""
_DEATH_PATIENCE: Final = 0.5
"""Seconds that a host's process has to be gone after its connection ended, and its agent after that."""
_SURVIVOR_GRACE: Final = 1.0
_RETRY: Final = 0.05
_LONGEST_RETRY: Final = 1.0
_SIZES: Final = 64
"""Changes of size that are remembered for the emulator; programs redraw after each."""

log = structlog.get_logger()


class VscodeSession:
    """A session whose agent was started by Operator. Made by the backend only."""

    def __init__(self, record: Record, folder: Path, name: str, screen: Callable[["VscodeSession"], Screen]) -> None:
        """`screen` keeps the emulators of all sessions."""
        self.record = record
        self.folder = folder
        self.agent_id = record.agent_id
        self.session_id = name
        self.pid: int | None = record.pid
        self.closed = False
        self.known = trio.Event()
        """Set once its host was spoken to, or is known to be gone."""
        self.size = Size(0, record.columns, record.rows)
        """The first one that is known of."""
        self.sizes: list[Size] = []
        self._screen_of = screen
        self._looking = trio.Lock()
        self._connection: Connection | None = None
        self._turned = trio.Event()
        """Set when it is connected, or will not be any more."""
        self._host_gone = False
        self._end = transcript.end_of(str(folder))
        self._news = News()
        self._settled = trio.Event()
        self._exit: ExitStatus | None = None
        self._lost: str | None = None
        start = record.start if record.boot == files.boot_id() else None
        self._family = processes.Family(record.pid, start, frozenset({record.host}))

    @property
    def exit(self) -> ExitStatus | None:
        return self._exit

    @property
    def lost(self) -> str | None:
        return self._lost

    @property
    def over(self) -> bool:
        """Whether its end is known, one way or the other."""
        return self._exit is not None or self._lost is not None

    @property
    def end(self) -> int:
        return self._end

    def attach(self) -> Attach:
        return Attach((*python(), "attach", self.record.socket))

    async def changed(self, seen: int) -> int:
        return await self._news.after(seen)

    async def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        folder = str(self.folder)
        if self._end - offset <= _FRESH:
            await trio.lowlevel.checkpoint()
            return transcript.read(folder, offset, limit)
        return await trio.to_thread.run_sync(transcript.read, folder, offset, limit)

    async def type(self, delivery_id: DeliveryId, text: str) -> None:
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            data = text.encode("utf-8", "replace")
        await self._input("type", {"delivery": delivery_id}, data)

    async def submit(self, delivery_id: DeliveryId) -> None:
        await self._input("submit", {"delivery": delivery_id})

    async def press(self, *keys: str) -> None:
        sent = pressed(*keys)
        await self._input("keys", {"normal": len(sent.normal)}, sent.normal + sent.application)

    async def write(self, data: bytes) -> None:
        # Keys that are the same in both modes. A host of an earlier version knows this, and it is acknowledged.
        await self._input("keys", {"normal": len(data)}, data + data)

    async def replay(self) -> Replay:
        columns, rows = self._last_size
        if self._host_gone:  # its files tell the rest
            text = await self.screen(styled=True)
            return Replay(self._end, columns, rows, exact=True, data=text.replace("\n", "\r\n").encode())
        frame = await self._ask("replay")
        return Replay(frame.number("end"), columns, rows, frame.head.get("exact") is True, frame.body)

    async def stamps(self) -> Stamps:
        self._must_be_there()
        written = files.read(str(self.folder), files.STAMPS) if self._host_gone else None
        head = (await self._ask("stamps")).head if written is None else written
        typed, submitted = (head.get(name) for name in ("typed", "submitted"))
        return Stamps(
            DeliveryId(typed) if isinstance(typed, str) else None,
            DeliveryId(submitted) if isinstance(submitted, str) else None,
        )

    async def screen(self, *, styled: bool = False) -> str:
        self._must_be_there()
        async with self._looking:
            return await trio.to_thread.run_sync(self._look, self._screen_of(self), styled)

    async def resize(self, columns: int, rows: int) -> None:
        size: wire.Head = {"columns": min(max(columns, 2), 1000), "rows": min(max(rows, 2), 1000)}
        await self._ask("resize", size)

    async def busy_children(self) -> bool:
        return await trio.to_thread.run_sync(self._family.worked)

    async def stop(self, grace: float) -> None:
        if self.record.boot != files.boot_id():
            return  # its numbers mean other processes by now
        await processes.end(self._family, grace)
        with trio.move_on_after(_STATUS_PATIENCE):
            await self._settled.wait()

    async def close(self) -> None:
        if self.closed:
            return
        if not self.over:
            raise BackendError(f"the agent {self.agent_id} still runs", hint="stop it first")
        if self._host_lives():
            await self._ask("release")
        else:
            files.remove(str(self.folder), files.RECORD)
            files.remove("/", self.record.socket)
        self.closed = True
        self._news.came()

    # --- what the backend does with it -----------------------------------------------------------

    async def attend(self) -> None:
        """Be connected to its host as long as that lives; then say what became of the agent."""
        pause, told = _RETRY, ""
        while not self.closed:
            try:
                connection, welcome = await Connection.to(self.record.socket)
            except BackendError as error:
                if not self._host_lives():
                    break
                if error.message != told:
                    log.warning("pty host not reached", agent=self.agent_id, error=error.message)
                told = error.message
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RETRY)
                continue
            pause, told = _RETRY, ""
            try:
                self._welcome(welcome)
                self._connection = connection
                self._turned.set()
                self.known.set()
                await connection.run(self._heard)
            finally:
                self._connection = None
                self._turned = trio.Event()
            if await _gone_within(self.record.host, self.record.host_start, _DEATH_PATIENCE):
                break
        try:
            if not self.closed:
                await self._judge()
        finally:
            self._host_gone = True
            self._turned.set()
            self.known.set()

    async def _judge(self) -> None:
        """Its host is gone: say how the agent ended if that was written down, and else the truth about it."""
        self._end = max(self._end, transcript.end_of(str(self.folder)))
        said = files.read(str(self.folder), files.STATUS)
        if said is not None:
            self._ended(_status(said))
            return
        record = self.record
        host, agent = f"its pty host (process {record.host})", f"the agent's own process ({record.pid})"
        if record.boot != files.boot_id():
            self._lose("the machine was started anew")
        elif await _gone_within(record.pid, record.start, _DEATH_PATIENCE):
            self._lose(f"{host} was ended, and {agent} ended with it")
        else:
            self._lose(f"{host} was ended; {agent} outlived it, without a terminal, and is being ended")
            # It can neither be shown nor typed to any more, and the next one works in the same folder.
            try:
                await processes.end(self._family, _SURVIVOR_GRACE)
            except BackendError as error:
                log.error("agent without a terminal", agent=self.agent_id, error=error.message)

    def _welcome(self, frame: wire.Frame) -> None:
        size = Size(0, frame.number("columns", 1, 10_000), frame.number("rows", 1, 10_000))
        if not self.known.is_set():
            self.size = size
        elif (size.columns, size.rows) != self._last_size:
            self._resized(Size(frame.number("end"), size.columns, size.rows))
        self._grown(frame.number("end"))

    def _heard(self, frame: wire.Frame) -> None:
        match frame.kind:
            case wire.GROWN:
                self._grown(frame.number("end"))
            case wire.EXIT:
                self._grown(frame.number("end"))
                self._ended(_status(frame.head))
            case wire.RESIZED:
                columns, rows = frame.number("columns", 1, 10_000), frame.number("rows", 1, 10_000)
                self._resized(Size(frame.number("end"), columns, rows))

    @property
    def _last_size(self) -> tuple[int, int]:
        last = self.sizes[-1] if self.sizes else self.size
        return last.columns, last.rows

    def _resized(self, size: Size) -> None:
        self.sizes.append(size)
        if len(self.sizes) > _SIZES:
            self.size = self.sizes.pop(0)

    def _grown(self, end: int) -> None:
        if end > self._end:
            self._end = end
            self._news.came()

    def _ended(self, status: ExitStatus) -> None:
        if not self.over:
            self._exit = status
            self._settled.set()
            self._news.came()

    def _lose(self, reason: str) -> None:
        if not self.over:
            self._lost = reason
            self._settled.set()
            self._news.came()

    # --- asking ----------------------------------------------------------------------------------

    def _look(self, screen: Screen, styled: bool) -> str:
        screen.follow(self._end, self.sizes)
        return screen.styled() if styled else screen.text()

    async def _input(self, do: str, head: wire.Head, body: bytes = b"") -> None:
        if self._exit is not None:
            raise SessionGone(f"the agent has ended: {self._exit}", hint="start a new attempt")
        await self._ask(do, head, body)

    async def _ask(self, do: str, head: wire.Head | None = None, body: bytes = b"") -> wire.Frame:
        self._must_be_there()
        while (connection := self._connection) is None:
            if self._host_gone:
                raise SessionGone(f"the pty host of {self.session_id} has ended")
            await self._turned.wait()
            self._must_be_there()
        try:
            return await connection.ask(do, head, body)
        except BackendError:
            if self._host_lives():
                raise
        with trio.move_on_after(2 * _DEATH_PATIENCE):
            await self._settled.wait()
        self._must_be_there()
        raise SessionGone(f"the pty host of {self.session_id} has ended")

    def _must_be_there(self) -> None:
        if self.closed:
            raise SessionGone(f"the session {self.session_id} was closed")
        if self._lost is not None:
            raise SessionGone(f"the session {self.session_id} is gone: {self._lost}")

    def _host_lives(self) -> bool:
        return _lives(self.record.host, self.record.host_start)


def _status(said: dict[str, object]) -> ExitStatus:
    code, number = said.get("code"), said.get("signal")
    return ExitStatus(code if type(code) is int else None, number if type(number) is int else None)


def _lives(pid: int, start: int) -> bool:
    process = processes.look_at(pid)
    return process is not None and process.alive and process.start == start


async def _gone_within(pid: int, start: int, patience: float) -> bool:
    """Whether a process is gone, or is so within some seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if not _lives(pid, start):
            return True
        with trio.move_on_after(patience):
            await trio.lowlevel.wait_readable(handle)
            return True
        return False
    finally:
        os.close(handle)
