"""The one control-mode client that carries every hot command to tmux, and its framing."""

import os
import re
import secrets
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import trio
from attrs import define, field, frozen

from supervisor.adapters.sessions.tmux.language import command
from supervisor.domain.errors import BackendError, SessionGone

DEADLINE = 5.0
"""Seconds that tmux has for one command."""
WAITING = 64
"""Commands that may wait to be written; the next one waits for room, within its own deadline."""
REPLY_LIMIT = 64 * 1024 * 1024

_BLOCK = re.compile(rb"%begin (\d+ \d+ 1)")
_GONE = re.compile(r"(can't find|no such) (pane|session|window)|target pane has exited")


class Refused(BackendError):
    """tmux ran the list up to a command that it refused."""


@frozen
class ServerId:
    """One life of a tmux server. What another life knows under the same pane id is a stranger."""

    pid: int
    started: int
    """tmux's own start time, in seconds since the epoch."""


@frozen
class Block:
    """What one command printed."""

    ok: bool
    lines: tuple[bytes, ...]

    @property
    def rows(self) -> list[str]:
        return [line.decode("utf-8", "replace") for line in self.lines]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)


@define(eq=False)
class _Request:
    line: bytes
    server: ServerId | None
    marker: bytes = field(factory=lambda: secrets.token_hex(12).encode())
    lines: list[bytes] = field(factory=list)
    size: int = 0
    done: trio.Event = field(factory=trio.Event)
    error: BackendError | SessionGone | None = None
    abandoned: bool = False

    @property
    def wire(self) -> bytes:
        return self.line + b"\ndisplay-message -p " + self.marker + b"\n"

    def fail(self, error: BackendError | SessionGone) -> None:
        self.error = error
        self.done.set()


class ControlClient:
    """Sends command lists over one `tmux -C attach` and gives each its answer.

    After each list it asks tmux to print a random marker: everything up to it belongs to the list, however
    many blocks that were, and no screen content can pretend to be the end of its own block.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, deadline: float = DEADLINE) -> None:
        self._argv = tuple(argv)
        self._env = dict(env)
        self._deadline = deadline
        self._send, self._receive = trio.open_memory_channel[_Request](WAITING)
        self._pending: deque[_Request] = deque()
        self._process: trio.Process | None = None
        self._conversation: trio.CancelScope | None = None
        self._server: ServerId | None = None
        self._last_lines: deque[bytes] = deque(maxlen=4)

    @property
    def pid(self) -> int | None:
        """The client's own process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def run(self, line: str, server: ServerId | None = None) -> list[Block]:
        """Run a command list and return what each command printed.

        `server`: the life of the server the list was written for; another one never gets to see it.
        Raises SessionGone when tmux does not know the target, Refused when a command fails, and BackendError
        when tmux does not answer in time or the connection ends: then the list may or may not have been run.
        """
        request = _Request(os.fsencode(line), server)
        with trio.move_on_after(self._deadline):
            try:
                await self._send.send(request)
                await request.done.wait()
            finally:
                request.abandoned = not request.done.is_set()
        if request.abandoned:
            raise BackendError(
                f"tmux did not answer within {self._deadline:g} s", hint="see whether the machine is overloaded"
            )
        if request.error is not None:
            raise request.error
        return _checked(blocks_of(request.lines))

    async def serve(self, connected: Callable[[ServerId], None]) -> None:
        """Be connected until the connection ends. `connected` is called before any waiting command is sent.

        Raises BackendError when no connection comes about.
        """
        try:
            process = await trio.lowlevel.open_process(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._env,
                start_new_session=True,
            )
        except OSError as error:
            raise BackendError(f"tmux cannot be run: {error}", hint="install tmux 3.3a or newer") from error
        self._process = process
        try:
            with bare(BackendError):
                await self._converse(process, connected)
        finally:
            self._process, self._conversation, self._server = None, None, None
            self._fail_pending()
            # A client whose output nobody reads outlives us, and keeps a dying server alive.
            process.kill()
            with trio.move_on_after(1, shield=True):
                await _close(process)
                await process.wait()

    def reset(self) -> None:
        """End the connection at once, for one that has stopped answering or whose server is gone.

        What waits to be sent waits for the next one.
        """
        if self._conversation is not None:
            self._conversation.cancel()

    async def _converse(self, process: trio.Process, connected: Callable[[ServerId], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        async with trio.open_nursery() as nursery:
            self._conversation = nursery.cancel_scope
            nursery.start_soon(self._read, process.stdout, nursery.cancel_scope)
            self._server = await self._greet(process.stdin)
            connected(self._server)
            await self._write(process.stdin)

    async def _greet(self, stdin: trio.abc.SendStream) -> ServerId:
        hello = _Request(command("display-message", "-p", "#{pid} #{start_time}").encode(), None)
        self._pending.append(hello)
        with trio.move_on_after(self._deadline):
            try:
                await stdin.send_all(hello.wire)
            except trio.BrokenResourceError:
                raise self._refusal() from None
            await hello.done.wait()
        if hello.error is not None:
            raise hello.error
        if not hello.done.is_set():
            raise BackendError("tmux did not answer when it was attached to", hint="is its server stopped?")
        pid, started = _checked(blocks_of(hello.lines))[0].text.split()
        return ServerId(int(pid), int(started))

    async def _write(self, stdin: trio.abc.SendStream) -> None:
        async for request in self._receive:
            if request.abandoned:
                continue
            if request.server not in (None, self._server):
                request.fail(SessionGone("the tmux server it ran in is gone"))
                continue
            self._pending.append(request)
            try:
                await stdin.send_all(request.wire)
            except trio.BrokenResourceError:
                await trio.sleep_forever()  # the reader sees the end, and ends this

    async def _read(self, stdout: trio.abc.ReceiveStream, conversation: trio.CancelScope) -> None:
        rest = b""
        async for chunk in stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            if len(rest) > REPLY_LIMIT:
                raise BackendError("tmux sent a line without end")
        if self._server is None and self._pending:
            self._pending.popleft().fail(self._refusal())
            return
        conversation.cancel()

    def _take(self, line: bytes) -> None:
        self._last_lines.append(line)
        if not self._pending:
            return  # a notification
        request = self._pending[0]
        if line == request.marker:
            self._pending.popleft()
            request.done.set()
            return
        request.size += len(line)
        if request.size > REPLY_LIMIT:
            raise BackendError("tmux sent an answer without end")
        if not request.abandoned:
            request.lines.append(line)

    def _refusal(self) -> BackendError:
        said = b"; ".join(line for line in self._last_lines if not line.startswith((b"%begin", b"%end")))
        return BackendError(f"tmux let nobody attach: {said.decode('utf-8', 'replace') or 'it said nothing'}")

    def _fail_pending(self) -> None:
        while self._pending:
            self._pending.popleft().fail(BackendError("the connection to tmux ended before it answered"))


def blocks_of(lines: Sequence[bytes]) -> list[Block]:
    """The blocks among the lines of one reply; what is between them are notifications.

    A block ends with the last line that says so under its own number: a line of output may look like one,
    but then stands before it.
    """
    found: list[Block] = []
    at = 0
    while at < len(lines):
        begin = _BLOCK.fullmatch(lines[at])
        if begin is None:
            at += 1
            continue
        ends = (b"%end " + begin[1], b"%error " + begin[1])
        last = next((i for i in range(len(lines) - 1, at, -1) if lines[i] in ends), None)
        if last is None:
            break
        found.append(Block(lines[last] == ends[0], tuple(lines[at + 1 : last])))
        at = last + 1
    return found


def _checked(blocks: list[Block]) -> list[Block]:
    for block in blocks:
        if not block.ok:
            if _GONE.search(block.text):
                raise SessionGone(f"tmux: {block.text}")
            raise Refused(f"tmux refused: {block.text}")
    return blocks


async def _close(process: trio.Process) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await trio.aclose_forcefully(stream)


@contextmanager
def bare(kind: type[Exception]) -> Iterator[None]:
    """Let a group that holds nothing but one kind of error out as that error: callers handle it by its class."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours, others = group.split(kind)
        if ours is None or others is not None:
            raise
        error: BaseException = ours
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None  # noqa: ASYNC123  (it is raised once, here)
