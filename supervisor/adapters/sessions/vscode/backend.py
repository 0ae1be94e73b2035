"""Sessions in pty hosts, each of which outlives the daemon, every editor and every browser."""

import os
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from supervisor.adapters.sessions.vscode import launch, places
from supervisor.adapters.sessions.vscode.places import Places, Record
from supervisor.adapters.sessions.vscode.screen import Screen
from supervisor.adapters.sessions.vscode.session import VscodeSession
from supervisor.domain.errors import BackendError
from supervisor.domain.ids import AgentId
from supervisor.ports import Session, SessionSpec

DEFAULT_LIMIT: Final = 16 * 1024 * 1024
LINGER: Final = 24 * 3600.0
"""Seconds for which a host whose agent has ended waits for a daemon to hear of it."""
REST: Final = 600.0
"""Seconds for which it can still be attached to after that; then its files tell the rest."""
STALL: Final = 10.0
"""Seconds after which a host cuts off a viewer that takes nothing."""
_SCREENS: Final = 32
"""Emulators that are kept: half a megabyte each. Another one reads the transcript anew."""
_RECORD_WITHIN: Final = 5.0
"""Seconds that a host which is just starting may take to write its record."""
_LOOK: Final = 0.02
_KNOWN_WITHIN: Final = 3.0
"""Seconds that hosts have to say how their agents are, before a listing goes on without."""

log = structlog.get_logger()


class VscodeBackend:
    """A SessionBackend on pty hosts, which an editor shows in its integrated terminal."""

    name = "vscode"

    def __init__(
        self,
        state_dir: Path,
        *,
        transcript_limit: int = DEFAULT_LIMIT,
        linger: float = LINGER,
        rest: float = REST,
        stall: float = STALL,
    ) -> None:
        """`transcript_limit`: bytes of each transcript that are kept, at least."""
        self._places = Places(state_dir)
        self._limit = transcript_limit
        self._linger = linger
        self._rest = rest
        self._stall = stall
        self._sessions: dict[AgentId, VscodeSession] = {}
        self._screens: OrderedDict[AgentId, tuple[VscodeSession, Screen]] = OrderedDict()
        self._unattended: deque[VscodeSession] = deque()
        self._arrived = trio.Event()
        self._opening = trio.Lock()
        self._runs = False

    @property
    def folder(self) -> Path:
        """Where all hosts have a folder of their own."""
        return self._places.folder

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            self._places.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BackendError(f"{self._places.folder} cannot be made: {error.strerror}") from error
        self._unattended = deque(session for session in self._sessions.values() if not session.closed)
        self._runs = True
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    while self._unattended:
                        nursery.start_soon(self._unattended.popleft().attend)
                    self._arrived = trio.Event()
                    await self._arrived.wait()
        finally:
            self._runs = False

    async def sessions(self) -> Sequence[Session]:
        self._must_run()
        async with self._opening:
            found = [await self._found(name) for name in self._places.names()]
        present = [session for session in found if session is not None]
        with trio.move_on_after(_KNOWN_WITHIN):
            for session in present:
                await session.known.wait()
            await trio.lowlevel.checkpoint()
        return [session for session in present if not session.closed]

    async def open(self, spec: SessionSpec) -> Session:
        self._must_run()
        if not spec.argv:
            raise BackendError("there is no program to start", hint="name one in the driver's command")
        async with self._opening:
            known = await self._found(self._places.name(spec.agent_id))
            if known is not None:
                await known.known.wait()
            if known is None or known.closed or known.lost is not None:
                known = await self._open(spec)
        await known.known.wait()
        return known

    async def forget(self, agent_id: AgentId) -> None:
        session = self._sessions.get(agent_id)
        hosted = session is None and places.is_hosted(self._places.folder_of(agent_id))
        if hosted or (session is not None and not session.closed and session.lost is None):
            raise BackendError(f"the session of {agent_id} is not closed", hint="close it first")
        self._sessions.pop(agent_id, None)
        self._screens.pop(agent_id, None)
        await trio.to_thread.run_sync(self._places.forget, agent_id)

    # --- opening and adopting --------------------------------------------------------------------

    async def _open(self, spec: SessionSpec) -> VscodeSession:
        folder = self._places.folder_of(spec.agent_id)
        handle = places.lock(folder)
        if handle is None:
            raise BackendError(f"a pty host of {spec.agent_id} is just ending", hint="try again")
        try:
            socket = self._places.socket_of(spec.agent_id)
            await launch.start(
                spec, folder, socket, handle, limit=self._limit, linger=self._linger, rest=self._rest, stall=self._stall
            )
        finally:
            os.close(handle)
        record = self._places.record(folder.name)
        if record is None:
            raise BackendError(f"the pty host of {spec.agent_id} left no record", hint="is the disk full?")
        return self._add(record)

    async def _found(self, name: str) -> VscodeSession | None:
        """The session of a folder; None if there is none (any more)."""
        record = self._places.record(name) or await self._awaited(name)
        if record is None:
            return None
        known = self._sessions.get(record.agent_id)
        if known is not None and known.record == record:
            return None if known.closed else known
        return self._add(record)

    async def _awaited(self, name: str) -> Record | None:
        """The record of a host that is starting: whoever started it may have been killed meanwhile.

        Raises BackendError for a host without one: then nothing can be said of its agent.
        """
        folder = self._places.folder / name
        patience = trio.current_time() + _RECORD_WITHIN
        while trio.current_time() < patience:
            if not places.is_hosted(folder):
                return self._places.record(name)
            if (record := self._places.record(name)) is not None:
                return record
            await trio.sleep(_LOOK)
        raise BackendError(
            f"a pty host runs without a record in {folder}", hint="see what its process does, and end it"
        )

    def _add(self, record: Record) -> VscodeSession:
        name = self._places.name(record.agent_id)
        session = VscodeSession(record, self._places.folder / name, name, self._screen_of)
        self._sessions[record.agent_id] = session
        self._unattended.append(session)
        self._arrived.set()
        return session

    def _screen_of(self, session: VscodeSession) -> Screen:
        """A session's emulator, of which the least used ones are given up."""
        known = self._screens.pop(session.agent_id, None)
        screen = known[1] if known is not None and known[0] is session else Screen(str(session.folder), session.size)
        self._screens[session.agent_id] = (session, screen)
        if len(self._screens) > _SCREENS:
            self._screens.popitem(last=False)
        return screen

    def _must_run(self) -> None:
        if not self._runs:
            raise BackendError("the vscode backend does not run", hint="start the daemon")
