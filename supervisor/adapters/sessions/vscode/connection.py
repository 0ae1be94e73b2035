"""The daemon's side of one connection to a pty host."""

import itertools
from collections.abc import Callable
from typing import Final

import trio

from supervisor.domain.errors import BackendError, SessionGone
from supervisor.ptyhost import wire

WITHIN: Final = 5.0
"""Seconds that a host has to let us in."""
_CHUNK: Final = 64 * 1024
_GONE: Final = "gone"
"""What a host answers for an agent that has ended."""


class _Answer:
    def __init__(self) -> None:
        self.came = trio.Event()
        self.frame: wire.Frame | None = None


class Connection:
    """An open one. Any number of tasks may ask at the same time; what they ask is done in order."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._decoder = wire.Decoder()
        self._early: list[wire.Frame] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, _Answer] = {}
        self._sending = trio.StrictFIFOLock()

    @staticmethod
    async def to(address: str) -> "tuple[Connection, wire.Frame]":
        """Connect, and hear the welcome. Raises BackendError."""
        with trio.move_on_after(WITHIN):
            try:
                stream = await trio.open_unix_socket(address)
            except OSError as error:
                raise BackendError(f"the pty host at {address} does not answer: {error.strerror}") from error
            try:
                connection = Connection(stream)
                return connection, await connection._welcomed()
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
        raise BackendError(f"the pty host at {address} did not answer within {WITHIN:g} s", hint="is it stopped?")

    async def _welcomed(self) -> wire.Frame:
        try:
            await self._stream.send_all(wire.encode(wire.HELLO, {"version": wire.VERSION, "role": "control"}))
            while not self._early:
                self._early = await self._receive()
        except (trio.BrokenResourceError, wire.WireError) as error:
            raise BackendError("the pty host cut the connection") from error
        first = self._early.pop(0)
        if first.kind != wire.WELCOME:
            reason = first.head.get("reason", "it does not say welcome")
            raise BackendError(
                f"the pty host cannot be spoken to: {reason}", hint="it belongs to another version of Operator"
            )
        return first

    async def run(self, heard: Callable[[wire.Frame], None]) -> None:
        """Pass on what the host tells by itself, until the connection ends. Then nobody is answered any more."""
        try:
            for frame in self._early:
                self._take(frame, heard)
            while True:
                for frame in await self._receive():
                    self._take(frame, heard)
        except (trio.BrokenResourceError, trio.ClosedResourceError, wire.WireError):
            pass  # the same as its end: who needs it connects again
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)
            for answer in self._answers.values():
                answer.came.set()

    async def ask(self, do: str, head: wire.Head | None = None, body: bytes = b"") -> wire.Frame:
        """Have the host do something. Deadlines are the caller's. Raises BackendError and SessionGone.

        A BackendError says that it is not known whether it was done.
        """
        number = next(self._numbers)
        answer = self._answers[number] = _Answer()
        try:
            await self._send(wire.encode(wire.ASK, {"id": number, "do": do, **(head or {})}, body))
            await answer.came.wait()
        except wire.WireError as error:
            raise BackendError(f"this cannot be told to a pty host: {error}") from error
        finally:
            del self._answers[number]
        if answer.frame is None:
            raise BackendError("the connection to the pty host ended before it answered")
        if "error" in answer.frame.head:
            message = str(answer.frame.head.get("message", ""))
            raise SessionGone(message) if answer.frame.head["error"] == _GONE else BackendError(message)
        return answer.frame

    async def _send(self, frame: bytes) -> None:
        async with self._sending:
            try:
                await self._stream.send_all(frame)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise BackendError("the connection to the pty host ended") from error
            except trio.Cancelled:
                self._stream.socket.close()  # half a frame may be out: nothing can follow it
                raise

    async def _receive(self) -> list[wire.Frame]:
        data = await self._stream.receive_some(_CHUNK)
        if not data:
            raise trio.BrokenResourceError
        return self._decoder.feed(bytes(data))

    def _take(self, frame: wire.Frame, heard: Callable[[wire.Frame], None]) -> None:
        if frame.kind != wire.REPLY:
            heard(frame)
            return
        answer = self._answers.get(frame.number("id"))
        if answer is not None:
            answer.frame = frame
            answer.came.set()
