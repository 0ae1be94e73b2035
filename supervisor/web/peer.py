"""One client at a WebSocket: sending to it with a deadline, asking whether it is there, and parting from it."""

from collections.abc import Awaitable, Callable

import structlog
import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection

log = structlog.get_logger()

SEND_DEADLINE = 30.0
PING_EVERY = 20.0
PONG_DEADLINE = 60.0
FAREWELL = 0.3
"""Seconds that a client has to answer our close."""
DONE, GOING_AWAY, POLICY, TOO_LONG, FAILED = 1000, 1001, 1008, 1009, 1011


@frozen
class Patience:
    """How long a client is waited for."""

    send: float = SEND_DEADLINE
    ping_every: float = PING_EVERY
    pong: float = PONG_DEADLINE


class Peer:
    """A connection that was accepted. `serve` ends when the client does, misbehaves, or does not read."""

    def __init__(self, socket: WebSocketConnection, stream: trio.SocketStream, patience: Patience) -> None:
        self._socket = socket
        self._stream = stream
        self._patience = patience
        self._torn = False
        """Half a frame may have gone out: nothing may follow it."""
        self._turn = trio.StrictFIFOLock()
        self._sending = trio.CancelScope(shield=True)
        self.code = GOING_AWAY
        """What the client is told at the end."""

    async def serve(self, *duties: Callable[[], Awaitable[None]]) -> None:
        """Do all these at once, until the first of them returns or the client leaves."""
        async with trio.open_nursery() as nursery:
            for duty in (*duties, self._ping, self._hurry):
                nursery.start_soon(self._until_end, duty, nursery.cancel_scope)

    async def part(self) -> None:
        """Say why we close, if the client can still hear it."""
        if not self._torn:
            with trio.move_on_after(FAREWELL):
                await self._socket.aclose(self.code)
        await trio.aclose_forcefully(self._stream)

    async def send(self, frame: str | bytes) -> None:
        """Send a frame. Raises ConnectionClosed, also for a client that does not take it in time."""
        async with self._turn:
            self._torn = True
            deadline = trio.current_time() + self._patience.send
            with trio.CancelScope(shield=True, deadline=deadline) as self._sending:
                await self._socket.send_message(frame)
                self._torn = False
                return
            log.info("client of a stream does not read; cut off")
            raise ConnectionClosed(None)

    async def hear(self, limit: int) -> str | bytes:
        """Its next message. Raises ConnectionClosed, also for one that is longer than `limit`."""
        message = await self._socket.get_message()
        if len(message) > limit:
            self.code = TOO_LONG
            raise ConnectionClosed(None)
        return message

    async def _until_end(self, duty: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        try:
            await duty()
        except ConnectionClosed:
            pass  # the client left, or was cut off
        except Exception as error:
            self.code = FAILED
            log.error("stream failed", exc_info=error)
        scope.cancel()

    async def _hurry(self) -> None:
        """Once we are to end, a frame that is on its way has a moment to be taken; then we can still say goodbye."""
        try:
            await trio.sleep_forever()
        finally:
            self._sending.deadline = min(self._sending.deadline, trio.current_time() + FAREWELL)

    async def _ping(self) -> None:
        while True:
            await trio.sleep(self._patience.ping_every)
            with trio.move_on_after(self._patience.pong) as scope:
                await self._socket.ping()
            if scope.cancelled_caught:
                self._torn = True
                return
