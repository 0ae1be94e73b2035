"""One agent's terminal in tmux."""

import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import trio

from supervisor.adapters.sessions import processes
from supervisor.adapters.sessions.news import News
from supervisor.adapters.sessions.tmux.control import Block, ControlClient
from supervisor.adapters.sessions.tmux.language import command, literal, literal_with_time, sequence, when
from supervisor.adapters.sessions.tmux.launch import write_private
from supervisor.adapters.sessions.tmux.panes import Pane, encode, read_status
from supervisor.adapters.sessions.tmux.replay import SETTLE, TRIES, Trail, looking, replay, shown
from supervisor.adapters.sessions.tmux.transcripts import Transcript
from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from supervisor.domain.ids import DeliveryId
from supervisor.ports import Attach, Replay, Stamps

BUFFER_PREFIX: Final = "operator-"
"""Begins the name of every paste buffer of ours."""

_STATUS_TRIES: Final = 16
_STATUS_PAUSE: Final = 0.003
_STATUS_PATIENCE: Final = 2.0
"""Seconds that the status of a stopped agent may take to become known."""
_FRESH: Final = 64 * 1024
"""Bytes at a transcript's end that are read without a thread."""
_FEW: Final = 128
"""Bytes that are passed on as key codes: tmux takes them apart in a time that grows with the square of their number."""
_DONE: Final = command("display-message", "-p", "done")
_DEAD: Final = command("display-message", "-p", "dead")


class TmuxSession:
    """A session whose agent was started by Operator. Made by the backend only."""

    def __init__(
        self,
        pane: Pane,
        control: ControlClient,
        watch_transcript: Callable[[Callable[[], None]], Transcript],
        attach: tuple[str, ...],
        private: Path,
    ) -> None:
        self.pane = pane
        self.agent_id = pane.agent_id
        self.session_id = pane.name
        self.pid: int | None = pane.pid if pane.is_agents else None
        self.closed = False
        self._control = control
        self._attach = attach
        self._private = private
        self._news = News()
        self._settled = trio.Event()
        self._exit: ExitStatus | None = None
        self._lost: str | None = None
        self._server_gone = False
        self._transcript = watch_transcript(self._news.came)
        self._trail = Trail(self._transcript)
        self._replaying = trio.Lock()
        process = processes.look_at(pane.pid)
        if process is not None and process.parent != pane.server.pid:
            process = None  # the number belongs to somebody else by now
        self._family = processes.Family(
            pane.pid, process.start if process is not None else None, frozenset({pane.server.pid})
        )

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
        return self._transcript.end

    def attach(self) -> Attach:
        return Attach(self._attach)

    async def changed(self, seen: int) -> int:
        return await self._news.after(seen)

    async def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        if self.end - offset <= _FRESH:
            # Written a moment ago, so it is in memory: a thread's wake-up would cost many times the reading.
            await trio.lowlevel.checkpoint()
            return self._transcript.read(offset, limit)
        return await trio.to_thread.run_sync(self._transcript.read, offset, limit)

    async def type(self, delivery_id: DeliveryId, text: str) -> None:
        stamp = command("set-option", "-p", "-t", self.pane.id, "@operator_typed", encode(delivery_id))
        if not text:  # tmux keeps no empty buffer
            await self._input(stamp)
            return
        await self._paste(_bytes(text), stamp, framed=True)

    async def submit(self, delivery_id: DeliveryId) -> None:
        await self._input(
            command("send-keys", "-t", self.pane.id, "Enter"),
            command("set-option", "-p", "-t", self.pane.id, "@operator_submitted", encode(delivery_id)),
        )

    async def press(self, *keys: str) -> None:
        await self._input(command("send-keys", "-t", self.pane.id, "--", *keys))

    async def write(self, data: bytes) -> None:
        if len(data) > _FEW:
            await self._paste(data)
        elif data:
            codes = (f"{byte:02x}" for byte in data)
            await self._input(command("send-keys", "-t", self.pane.id, "-H", *codes))

    async def replay(self) -> Replay:
        async with self._replaying:
            tries = 0
            while True:
                end = self.end
                found = shown(await self._run(looking(self.pane.id)), self.pane.id)
                await trio.sleep(SETTLE)
                tries, settled = tries + 1, self.end == end
                if settled or tries == TRIES:
                    break
            await trio.to_thread.run_sync(self._trail.follow, end)
            return replay(found, self._trail, end, settled=settled)

    async def stamps(self) -> Stamps:
        line = await self._formats("#{@operator_typed}|#{@operator_submitted}")
        typed, _, submitted = line.partition("|")
        return Stamps(
            DeliveryId(unquote(typed)) if typed else None, DeliveryId(unquote(submitted)) if submitted else None
        )

    async def screen(self, *, styled: bool = False) -> str:
        style = ["-e"] if styled else []
        blocks = await self._run(command("capture-pane", "-p", "-J", *style, "-t", self.pane.id))
        return "\n".join(row.rstrip() for row in blocks[0].rows).rstrip("\n")

    async def resize(self, columns: int, rows: int) -> None:
        size = ("-x", str(min(max(columns, 2), 1000)), "-y", str(min(max(rows, 2), 1000)))
        resize = command("resize-window", "-t", self.pane.id, *size)
        # Resizing pins the size for good; unpinned, it follows whoever attaches later.
        unpin = command("set-option", "-w", "-u", "-t", self.pane.id, "window-size")
        await self._run(when("#{?session_attached,,1}", self.pane.id, sequence(resize, unpin)))

    async def busy_children(self) -> bool:
        if self.pid is None:
            return False
        return await trio.to_thread.run_sync(self._family.worked)

    async def stop(self, grace: float) -> None:
        if self.pid is None:
            return
        await processes.end(self._family, grace)
        with trio.move_on_after(_STATUS_PATIENCE):
            await self._settled.wait()

    async def close(self) -> None:
        if self.closed:
            return
        if not self.over:
            raise BackendError(f"the agent {self.agent_id} still runs", hint="stop it first")
        if not self._server_gone:
            try:
                await self._control.run(command("kill-session", "-t", self.pane.session), server=self.pane.server)
            except SessionGone:
                pass  # somebody else closed it
        self.closed = True
        self._news.came()

    # --- what the backend does with it -----------------------------------------------------------

    def shows(self, pane: Pane) -> bool:
        """Whether a listed pane is in the tmux session that this is."""
        return (pane.server, pane.session) == (self.pane.server, self.pane.session)

    def ended(self, status: ExitStatus) -> None:
        """The agent's process ended."""
        if not self.over:
            self._exit = status
            self._settled.set()
            self._news.came()

    def lose(self, reason: str, *, server_gone: bool = False) -> None:
        """The terminal is gone, and nobody will know how the agent ended."""
        self._server_gone |= server_gone
        if not self.over:
            self._lost = reason
            self._settled.set()
            self._news.came()

    async def watch(self) -> None:
        """Wait for the agent's process to end and find out how."""
        await processes.ended(self.pane.pid, self.pane.server.pid)
        tries = 0
        while not self.over and not self.closed:
            try:
                status = await self._status(flush=tries > 0)
            except SessionGone as error:
                self.lose(error.message)
            except BackendError:
                # tmux is not there now. It comes back with the answer, or its death is noticed.
                await trio.sleep(0.1)
            else:
                tries += 1
                if status is not None or tries > _STATUS_TRIES:
                    self.ended(status or ExitStatus())
                else:
                    await trio.sleep(_STATUS_PAUSE * tries)

    async def pipe(self) -> None:
        """Have the output written to the transcript again where something ended that."""
        pipe = pipe_command(self.pane.id, self._transcript.path)
        await self._run(when("#{?pane_pipe,,1}", self.pane.id, pipe))

    async def _status(self, flush: bool) -> ExitStatus | None:
        """How the process ended, as tmux says.

        tmux 3.3a forgets to collect some of its children until the next one ends: `flush` gives it one, in
        the background, since that one's end may be overlooked as well and would be waited for.
        """
        before = (command("run-shell", "-b", "true"),) if flush else ()
        line = await self._formats("#{pane_dead_status}|#{pane_dead_signal}", *before)
        code, _, number = line.partition("|")
        return read_status(code, number)

    async def _formats(self, formats: str, *before: str) -> str:
        # Asked about an unknown pane, tmux prints blanks and says that all is well.
        ask = command("display-message", "-p", "-t", self.pane.id, "#{pane_id}|" + formats)
        blocks = await self._run(sequence(*before, ask))
        pane, _, line = blocks[-1].text.partition("|")
        if pane != self.pane.id:
            raise SessionGone("its pane was closed")
        return line

    async def _paste(self, data: bytes, *then: str, framed: bool = False) -> None:
        """Put bytes into the agent's input at once; `framed`: as a paste, if the program has asked for that."""
        buffer = f"{BUFFER_PREFIX}{secrets.token_hex(8)}"
        path = self._private / buffer
        paste = ("-d", "-r", *(("-p",) if framed else ()), "-b", buffer, "-t", self.pane.id)
        try:
            await trio.to_thread.run_sync(write_private, path, data)
            await self._input(
                command("paste-buffer", *paste),
                *then,
                first=command("load-buffer", "-b", buffer, literal(str(path))),
                if_dead=command("delete-buffer", "-b", buffer),
            )
        finally:
            path.unlink(missing_ok=True)

    async def _input(self, *commands: str, first: str = "", if_dead: str = "") -> None:
        """Run commands that put something into the agent's input, if it lives at that very moment.

        `first` comes before that moment. Pasting into a dead pane would end a tmux 3.3a server with all its
        sessions, so it is tmux that looks, after whatever makes it wait and right before the paste.
        """
        if self._exit is not None:
            raise SessionGone(f"the agent has ended: {self._exit}", hint="start a new attempt")
        # A person may have scrolled back, which swallows keys, or switched the pane's input off.
        ready = (command("copy-mode", "-q", "-t", self.pane.id), command("select-pane", "-e", "-t", self.pane.id))
        dead = sequence(*filter(None, (if_dead, _DEAD)))
        choice = when("#{pane_dead}", self.pane.id, dead, sequence(*ready, *commands, _DONE))
        blocks = await self._run(sequence(*filter(None, (first, choice))))
        if not any(block.lines == (b"done",) for block in blocks):
            raise SessionGone("the agent has ended", hint="start a new attempt")

    async def _run(self, line: str) -> list[Block]:
        if self.closed:
            raise SessionGone(f"the session {self.session_id} was closed")
        if self._lost is not None:
            raise SessionGone(f"the session {self.session_id} is gone: {self._lost}")
        return await self._control.run(line, server=self.pane.server)


def pipe_command(pane: str, path: Path) -> str:
    """Append everything the pane prints to a file. Without `-o`, which would end a pipe that is there."""
    return command("pipe-pane", "-t", pane, literal_with_time(f"exec cat >> {shlex.quote(str(path))}"))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
