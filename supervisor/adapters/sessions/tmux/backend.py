"""Sessions in a private tmux server, which outlives the daemon."""

import contextlib
import hashlib
import os
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from supervisor.adapters.sessions.tmux import launch
from supervisor.adapters.sessions.tmux.control import ControlClient, Refused, ServerId, bare
from supervisor.adapters.sessions.tmux.language import command, literal, sequence
from supervisor.adapters.sessions.tmux.panes import FORMAT, Pane, encode, read_panes
from supervisor.adapters.sessions.tmux.server import TmuxServer, directory_hash
from supervisor.adapters.sessions.tmux.session import BUFFER_PREFIX, TmuxSession, pipe_command
from supervisor.adapters.sessions.tmux.transcripts import DEFAULT_LIMIT, Transcripts
from supervisor.domain.errors import BackendError, OperatorError, SessionGone
from supervisor.domain.ids import AgentId
from supervisor.ports import Session, SessionSpec

LOOK_EVERY: Final = 3.0
"""Seconds between two looks at all panes, for what no event tells."""
_PATIENCE: Final = 30.0
"""Seconds without a server after which it is said that there will be none."""
_PAUSE: Final = 0.02
_LONG_PAUSE: Final = 0.5

log = structlog.get_logger()


class TmuxBackend:
    """A SessionBackend on tmux 3.3a or newer."""

    name = "tmux"

    def __init__(
        self,
        state_dir: Path,
        *,
        socket: Path | None = None,
        program: str | None = None,
        start_server: bool = True,
        transcript_limit: int = DEFAULT_LIMIT,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`socket`: where the server listens, default in the runtime directory. `program`: default `tmux`.

        `start_server`: False where a service manager keeps the server.
        `transcript_limit`: bytes of each transcript that are kept, at least.
        """
        self._state_dir = state_dir
        self._hash = directory_hash(state_dir)
        self._private = state_dir / "launch"
        self._logs = state_dir / "transcripts"
        self._program = program
        self._tmux = TmuxServer(state_dir, socket, program, start_server)
        self._transcripts = Transcripts(self._logs, transcript_limit)
        self._look_every = look_every
        self._control: ControlClient | None = None
        self._server: ServerId | None = None
        self._server_lives = False
        self._started = False
        self._sessions: dict[AgentId, TmuxSession] = {}
        self._unwatched: deque[TmuxSession] = deque()
        self._arrived = trio.Event()
        self._opening = trio.Lock()

    @property
    def socket(self) -> Path:
        """Where its server listens."""
        return self._tmux.path

    @property
    def server(self) -> ServerId | None:
        """The server it is connected to, or was last."""
        return self._server

    @property
    def control(self) -> ControlClient:
        """Raises BackendError before `run` has started."""
        if self._control is None:
            raise BackendError("the tmux backend does not run", hint="start the daemon")
        return self._control

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        for folder in (self._state_dir, self._private, self._logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._control is None:
            self._control = ControlClient(self._tmux.attach_argv(), self._tmux.env)
        with bare(BackendError):
            async with trio.open_nursery() as nursery:
                await nursery.start(self._transcripts.run)
                await nursery.start(self._stay_connected)
                await self._sweep_buffers()
                nursery.start_soon(self._watch_exits)
                nursery.start_soon(self._look_around)
                task_status.started()

    async def sessions(self) -> Sequence[Session]:
        panes = read_panes(await self._tmux.lines("list-panes", "-a", "-F", FORMAT), self._hash)
        return await self._adopt(panes)

    async def open(self, spec: SessionSpec) -> Session:
        async with self._opening:
            known = self._sessions.get(spec.agent_id)
            if known is not None and not known.closed and known.lost is None:
                return known
            return await self._open(spec)

    async def forget(self, agent_id: AgentId) -> None:
        session = self._sessions.get(agent_id)
        if session is not None and not session.closed and session.lost is None:
            raise BackendError(f"the session of {agent_id} is not closed", hint="close it first")
        self._sessions.pop(agent_id, None)
        await trio.to_thread.run_sync(self._transcripts.forget, agent_id)

    # --- opening and adopting --------------------------------------------------------------------

    async def _open(self, spec: SessionSpec) -> TmuxSession:
        if not spec.argv:
            raise BackendError("there is no program to start", hint="name one in the driver's command")
        name = _session_name(spec.agent_id, self._hash)
        script = self._private / f"{name}.sh"
        log = await trio.to_thread.run_sync(self._transcripts.prepare, spec.agent_id)
        await trio.to_thread.run_sync(launch.write_private, script, launch.script(spec, self._tmux.terminal))
        creation = self._creation(spec, name, script, log)
        try:
            blocks = await self.control.run(creation)
        except (Refused, SessionGone) as error:
            refusal: OperatorError = error
        else:
            (pane,) = read_panes(blocks[-1].rows, self._hash)
            return self._add(pane)
        script.unlink(missing_ok=True)
        if "duplicate session" in refusal.message:
            return await self._existing(spec.agent_id)
        await self._discard(name)
        raise BackendError(refusal.message, hint=refusal.hint)

    def _creation(self, spec: SessionSpec, name: str, script: Path, log: Path) -> str:
        """One list, which tmux runs through before it reads a byte of the program's output or anything else:
        there is no moment in which the session exists without its agent id or its transcript."""
        target = f"={name}:"
        agent = encode(spec.agent_id)
        title = "".join(c for c in spec.title if c.isprintable())[:80] or spec.agent_id
        size = ("-x", str(spec.columns), "-y", str(spec.rows))
        place = ("-s", name, "-n", literal(title), "-c", literal(spec.cwd))
        run = ("/usr/bin/env", "-i", "/bin/sh", str(script))
        return sequence(
            command("new-session", "-d", *size, *place, *run),
            command("set-option", "-t", target, "@operator_state", self._hash),
            command("set-option", "-t", target, "@operator_agent", agent),
            command("set-option", "-p", "-t", target, "@operator_pane", agent),
            command("set-option", "-p", "-F", "-t", target, "@operator_pid", "#{pane_pid}"),
            pipe_command(target, log),
            command("list-panes", "-t", target, "-F", FORMAT),
        )

    async def _discard(self, name: str) -> None:
        """Remove what a list that failed in the middle left of a session."""
        try:
            await self.control.run(command("kill-session", "-t", f"={name}"))
        except SessionGone:
            pass  # there was none

    async def _existing(self, agent_id: AgentId) -> TmuxSession:
        await self.sessions()
        found = self._sessions.get(agent_id)
        if found is None or found.closed or found.lost is not None:
            raise BackendError(f"a session with the name of {agent_id}'s exists already", hint="close it")
        return found

    async def _adopt(self, panes: Sequence[Pane]) -> list[Session]:
        found: dict[AgentId, TmuxSession] = {}
        # Of a session's panes the agent's own comes first; the others matter only where it is gone.
        for pane in sorted(panes, key=lambda pane: not pane.is_agents):
            known = self._sessions.get(pane.agent_id)
            if known is None or not known.shows(pane):
                known = self._add(pane)
            if not known.closed and found.setdefault(pane.agent_id, known) is known:
                await self._judge(known, pane)
        return list(found.values())

    def _add(self, pane: Pane) -> TmuxSession:
        session = TmuxSession(
            pane,
            self.control,
            lambda changed: self._transcripts.watch(pane.agent_id, changed),
            (self._program or "tmux", "-S", str(self.socket), "attach-session", "-t", f"={pane.name}"),
            self._private,
        )
        self._sessions[pane.agent_id] = session
        self._unwatched.append(session)
        self._arrived.set()
        return session

    # --- what happens to sessions ----------------------------------------------------------------

    async def _judge(self, session: TmuxSession, pane: Pane) -> None:
        """What a listing says about a session."""
        if session.over:
            return
        if not pane.is_agents:
            session.lose("its pane was closed")
        elif pane.replaced:
            session.lose("another program was started in its pane")
        elif pane.status is not None:
            session.ended(pane.status)
        elif not pane.piped and not pane.dead:
            try:
                await session.pipe()
            except (BackendError, SessionGone) as error:  # the next look tries again
                log.warning("transcript not written", agent=session.agent_id, error=error.message)

    async def _watch_exits(self) -> None:
        """Watch every agent's process; after a restart those of sessions that are known already too."""
        self._unwatched = deque(session for session in self._sessions.values() if not session.over)
        async with trio.open_nursery() as nursery:
            while True:
                while self._unwatched:
                    session = self._unwatched.popleft()
                    if not session.over:
                        nursery.start_soon(session.watch)
                self._arrived = trio.Event()
                await self._arrived.wait()

    async def _look_around(self) -> None:
        """See every few seconds what no event tells: panes that people closed, statuses that got stuck."""
        while True:
            await trio.sleep(self._look_every)
            await trio.to_thread.run_sync(launch.sweep, self._private)
            living = [session for session in self._sessions.values() if not session.over]
            try:
                blocks = await self.control.run(command("list-panes", "-a", "-F", FORMAT))
            except BackendError:
                self.control.reset()
                continue
            panes = {pane.id: pane for pane in read_panes(blocks[0].rows, self._hash)}
            for session in living:
                pane = panes.get(session.pane.id)
                if pane is None or not session.shows(pane):
                    session.lose("its pane was closed")
                else:
                    await self._judge(session, pane)

    async def _sweep_buffers(self) -> None:
        """Remove texts that a killed daemon left in tmux between loading and pasting."""
        blocks = await self.control.run(command("list-buffers", "-F", "#{buffer_name}"))
        for name in blocks[0].rows:
            if name.startswith(BUFFER_PREFIX):
                await self.control.run(command("delete-buffer", "-b", name))

    # --- the server ------------------------------------------------------------------------------

    async def _stay_connected(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep a control client attached, and a server there to attach to.

        While a server lives and does not answer, its sessions are neither lost nor replaced: it is asked
        again for ever. Where there is none and none comes, this raises BackendError.
        """
        failing_since: float | None = None
        async with trio.open_nursery() as nursery:

            def connected(server: ServerId) -> None:
                nonlocal failing_since
                failing_since = None
                if server != self._server or not self._server_lives:
                    self._server_ended(self._server)
                    self._server, self._server_lives = server, True
                    nursery.start_soon(self._watch_server, server)
                self._tmux.remember(server)
                if not self._started:
                    self._started = True
                    task_status.started()

            self._started = False
            while True:
                try:
                    await self._tmux.bring_up()
                    await self.control.serve(connected)
                except BackendError as error:
                    failing_since = failing_since or trio.current_time()
                    tired = trio.current_time() - failing_since > _PATIENCE
                    if not self._started or (tired and not self._server_lives):
                        raise
                    log.warning("tmux not reached", error=error.message)
                await trio.sleep(_PAUSE if failing_since is None else _LONG_PAUSE)

    async def _watch_server(self, server: ServerId) -> None:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(server.pid)
            try:
                await trio.lowlevel.wait_readable(handle)
            finally:
                os.close(handle)
        if server == self._server:
            self.control.reset()  # nothing more is written to the dead
        self._server_ended(server)

    def _server_ended(self, server: ServerId | None) -> None:
        if server is None:
            return
        if server == self._server:
            self._server_lives = False
        for session in self._sessions.values():
            if session.pane.server == server:
                session.lose(f"the tmux server (process {server.pid}) ended", server_gone=True)


def _session_name(agent_id: AgentId, state: str) -> str:
    """A name that people can read, that no other agent has, and that tmux does not change."""
    readable = re.sub(r"[^A-Za-z0-9_~-]", "_", agent_id)[:80]
    return f"{readable}-{hashlib.sha256(f'{state} {agent_id}'.encode()).hexdigest()[:8]}"
