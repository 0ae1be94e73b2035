"""The activity, live: one WebSocket for each subscriber, each with a cursor of its own into the log.

A subscriber that reads slowly is behind, and loses nothing; one that does not read at all is cut off. Neither
costs memory or makes anybody else wait.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn
from urllib.parse import parse_qsl

import structlog
import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from supervisor.actors.activity import Gap
from supervisor.domain.errors import Invalid
from supervisor.domain.ids import Seq
from supervisor.domain.wire import to_json
from supervisor.web.activity import Wanted
from supervisor.web.glue import explained
from supervisor.web.house import Gate, House
from supervisor.web.linger import until_cancelled
from supervisor.web.problems import MEDIA_TYPE, Refusal, problem
from supervisor.web.reading import read_query
from supervisor.web.security import Security, chosen_protocol

log = structlog.get_logger()

PATH = "/api/v1/activity"
PROTOCOL = 1

HANDSHAKE = 10.0
SEND_DEADLINE = 30.0
PING_EVERY = 20.0
PONG_DEADLINE = 60.0
SUBSCRIBERS = 1000
UNDECIDED = 100
"""Connections beyond the subscribers that may be in their handshake, to be told that there is no room."""
CHATTER = 100
"""Messages that a client may send; they mean nothing."""
MESSAGE_LIMIT = 4096
FAREWELL = 0.3
"""Seconds that a client has to answer our close."""
GOING_AWAY, POLICY, FAILED = 1001, 1008, 1011


@frozen
class Limits:
    """What tests need to be shorter."""

    send: float = SEND_DEADLINE
    ping_every: float = PING_EVERY
    pong: float = PONG_DEADLINE
    handshake: float = HANDSHAKE
    subscribers: int = SUBSCRIBERS


async def serve_stream(
    gate: Gate,
    security: Security,
    listeners: list[trio.SocketListener],
    *,
    limits: Limits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then each client is told with close 1001. The listeners are closed."""
    server = _Server(gate, security, limits or Limits())
    await until_cancelled(partial(server.serve, listeners), task_status=task_status)


class _Server:
    def __init__(self, gate: Gate, security: Security, limits: Limits) -> None:
        self._gate = gate
        self._security = security
        self._limits = limits

    async def serve(
        self, listeners: list[trio.SocketListener], stopping: trio.Event, task_status: trio.TaskStatus[None]
    ) -> None:
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            accept = partial(self._accepted, connections, stopping)
            await accepting.start(partial(trio.serve_listeners, accept, listeners, handler_nursery=connections))
            task_status.started()
            await stopping.wait()
            accepting.cancel_scope.cancel()

    async def _accepted(self, connections: trio.Nursery, stopping: trio.Event, stream: trio.SocketStream) -> None:
        """One connection, in a fence: whatever a peer provokes ends its own connection only."""
        if len(connections.child_tasks) > self._limits.subscribers + UNDECIDED:
            return  # what serves listeners closes it
        try:
            async with trio.open_nursery() as nursery:
                await self._talk(nursery, stopping, stream)
                nursery.cancel_scope.cancel()
        except Exception as error:
            log.info("stream ended by a fault", error=repr(error)[:500])

    async def _talk(self, nursery: trio.Nursery, stopping: trio.Event, stream: trio.SocketStream) -> None:
        talk = trio.CancelScope()
        nursery.start_soon(_cancel_at, stopping, talk)
        subscriber: _Subscriber | None = None
        with talk:
            with trio.move_on_after(self._limits.handshake):
                request = await wrap_server_stream(nursery, stream, max_message_size=MESSAGE_LIMIT)
                subscriber = await self._admitted(request, stream)
            if subscriber is None:
                return
            self._gate.subscribers += 1
            try:
                await subscriber.run()
            finally:
                self._gate.subscribers -= 1
        if subscriber is not None:
            await subscriber.part()

    async def _admitted(self, request: WebSocketRequest, stream: trio.SocketStream) -> "_Subscriber | None":
        found = self._sought(request)
        if isinstance(found, Refusal):
            headers = {"Content-Type": MEDIA_TYPE, **found.headers}
            await request.reject(
                found.problem.status,
                extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                body=to_json(found.problem).encode(),
            )
            return None
        house, wanted = found
        socket = await request.accept(subprotocol=chosen_protocol(request.proposed_subprotocols))
        return _Subscriber(socket, stream, house, wanted, self._limits)

    def _sought(self, request: WebSocketRequest) -> Refusal | tuple[House, Wanted]:
        """What a handshake asks for, or why it is refused."""
        protocols = request.proposed_subprotocols
        host = request._event.host  # trio-websocket keeps it to itself; a test of the handshake holds this
        refusal = self._security.source(host, _header(request, b"origin"))
        refusal = refusal or self._security.stream_bearer(_header(request, b"authorization"), protocols)
        if refusal is not None:
            return refusal
        path, _, query = request.path.partition("?")
        if path != PATH:
            return Refusal(problem(404, "no_route", "There is no such stream.", hint=f"The activity is at {PATH}."))
        if self._gate.subscribers >= self._limits.subscribers:
            busy = problem(503, "no_room", "There are as many streams as there may be.")
            return Refusal(busy, {"Retry-After": "10"})
        try:
            return self._gate.house, _wanted(query)
        except Exception as error:
            return explained(error, "stream")


def _header(request: WebSocketRequest, name: bytes) -> str | None:
    found = [value.decode("latin1") for each, value in request.headers if each == name]
    return ", ".join(found) or None


def _wanted(query: str) -> Wanted:
    try:
        given = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Invalid("The request cannot be understood.", {"query": str(error)}) from None
    return read_query(given, Wanted)


async def _cancel_at(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


class _Subscriber:
    """One client and its cursor. Ends when the client does, misbehaves, or does not read."""

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: trio.SocketStream,
        house: House,
        wanted: Wanted,
        limits: Limits,
    ) -> None:
        self._socket = socket
        self._stream = stream
        self._log = house.activity
        self._wanted = wanted
        self._limits = limits
        self._code = GOING_AWAY
        self._torn = False
        """Half a frame may have gone out: nothing may follow it."""
        self._sending = trio.CancelScope(shield=True)

    async def run(self) -> None:
        """Serve the client to its end."""
        async with trio.open_nursery() as nursery:
            for duty in (self._feed, self._listen, self._ping, self._hurry):
                nursery.start_soon(self._until_end, duty, nursery.cancel_scope)

    async def _until_end(self, duty: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        try:
            await duty()
        except ConnectionClosed:
            pass  # the client left, or was cut off
        except Exception as error:
            self._code = FAILED
            log.error("stream failed", exc_info=error)
        scope.cancel()

    async def part(self) -> None:
        """Say why we close, if the client can still hear it."""
        if not self._torn:
            with trio.move_on_after(FAREWELL):
                await self._socket.aclose(self._code)
        await trio.aclose_forcefully(self._stream)

    async def _feed(self) -> NoReturn:
        log = self._log
        since = None if self._wanted.since is None else Seq(self._wanted.since)
        cursor = log.cursor(since, self._wanted.filter)
        hello = {"protocol": PROTOCOL, "epoch": log.epoch, "head": log.head, "oldest": log.oldest}
        await self._send(json.dumps({"hello": hello}))
        while True:
            await self._send(_frame(await cursor.next_batch()))

    async def _send(self, frame: str) -> None:
        self._torn = True
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self._limits.send) as self._sending:
            await self._socket.send_message(frame)
            self._torn = False
            return
        log.info("subscriber does not read; cut off")
        raise ConnectionClosed(None)

    async def _hurry(self) -> None:
        """Once we are to end, a frame that is on its way has a moment to be taken; then we can still say goodbye."""
        try:
            await trio.sleep_forever()
        finally:
            self._sending.deadline = min(self._sending.deadline, trio.current_time() + FAREWELL)

    async def _listen(self) -> None:
        for _ in range(CHATTER):
            await self._socket.get_message()
        self._code = POLICY

    async def _ping(self) -> None:
        while True:
            await trio.sleep(self._limits.ping_every)
            with trio.move_on_after(self._limits.pong) as scope:
                await self._socket.ping()
            if scope.cancelled_caught:
                self._torn = True
                return


def _frame(batch: Gap | Sequence[str]) -> str:
    """Entries were encoded when they were recorded; here they are only joined."""
    if isinstance(batch, Gap):
        return json.dumps({"gap": {"after": batch.requested, "oldest": batch.oldest}})
    return f'{{"events":[{",".join(batch)}]}}'
