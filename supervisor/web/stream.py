"""The streams' port: who may have which, and the activity, live, each subscriber with a cursor of its own into the log.

A subscriber that reads slowly is behind, and loses nothing; one that does not read at all is cut off. Neither
costs memory or makes anybody else wait. Terminals are in `terminal.py`.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn
from urllib.parse import parse_qsl, unquote

import structlog
import trio
from attrs import frozen
from trio_websocket import WebSocketRequest, wrap_server_stream

from supervisor.actors.activity import Gap
from supervisor.domain.errors import Invalid
from supervisor.domain.ids import Seq
from supervisor.domain.wire import to_json
from supervisor.web.activity import Wanted
from supervisor.web.glue import explained
from supervisor.web.house import Gate, House
from supervisor.web.linger import until_cancelled
from supervisor.web.peer import POLICY, Patience, Peer
from supervisor.web.problems import MEDIA_TYPE, Refusal, problem
from supervisor.web.reading import read_query
from supervisor.web.security import Security, chosen_protocol
from supervisor.web.terminal import KEYS, Viewer

log = structlog.get_logger()

PATH = "/api/v1/activity"
TERMINAL = re.compile(r"/api/v1/agents/([^/]{1,300})/terminal", re.ASCII)
PROTOCOL = 1

HANDSHAKE = 10.0
SUBSCRIBERS = 1000
UNDECIDED = 100
"""Connections beyond the subscribers that may be in their handshake, to be told that there is no room."""
CHATTER = 100
"""Messages that a client may send; they mean nothing."""
MESSAGE_LIMIT = 4096


@frozen
class Limits(Patience):
    """What tests need to be shorter."""

    handshake: float = HANDSHAKE
    subscribers: int = SUBSCRIBERS


_Made = Callable[[Peer], "_Subscriber | Viewer"]


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
        subscriber: _Subscriber | Viewer | None = None
        with talk:
            with trio.move_on_after(self._limits.handshake):
                request = await wrap_server_stream(nursery, stream, max_message_size=KEYS)
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

    async def _admitted(self, request: WebSocketRequest, stream: trio.SocketStream) -> "_Subscriber | Viewer | None":
        found = self._sought(request)
        if isinstance(found, Refusal):
            headers = {"Content-Type": MEDIA_TYPE, **found.headers}
            await request.reject(
                found.problem.status,
                extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                body=to_json(found.problem).encode(),
            )
            return None
        socket = await request.accept(subprotocol=chosen_protocol(request.proposed_subprotocols))
        return found(Peer(socket, stream, self._limits))

    def _sought(self, request: WebSocketRequest) -> Refusal | _Made:
        """What makes what a handshake asks for, or why it is refused."""
        protocols = request.proposed_subprotocols
        host = request._event.host  # trio-websocket keeps it to itself; a test of the handshake holds this
        refusal = self._security.source(host, _header(request, b"origin"))
        refusal = refusal or self._security.stream_bearer(_header(request, b"authorization"), protocols)
        if refusal is not None:
            return refusal
        path, _, query = request.path.partition("?")
        terminal = TERMINAL.fullmatch(path)
        if path != PATH and terminal is None:
            return Refusal(problem(404, "no_route", "There is no such stream.", hint=f"The activity is at {PATH}."))
        if self._gate.subscribers >= self._limits.subscribers:
            busy = problem(503, "no_room", "There are as many streams as there may be.")
            return Refusal(busy, {"Retry-After": "10"})
        try:
            house = self._gate.house
            return partial(_subscriber, house, _wanted(query)) if terminal is None else _viewer(house, terminal[1])
        except Exception as error:
            return explained(error, "stream")


def _subscriber(house: House, wanted: Wanted, peer: Peer) -> "_Subscriber":
    return _Subscriber(peer, house, wanted)


def _viewer(house: House, ref: str) -> "_Made":
    """Raises NotFound, and SessionGone for an agent without a session."""
    agent_id = house.fleet.resolve(unquote(ref))
    session, backend = house.fleet.session(agent_id), house.fleet.agents[agent_id].backend
    return lambda peer: Viewer(peer, agent_id, backend, session)


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
    """One client and its cursor."""

    def __init__(self, peer: Peer, house: House, wanted: Wanted) -> None:
        self._peer = peer
        self._log = house.activity
        self._wanted = wanted

    async def run(self) -> None:
        """Serve the client to its end."""
        await self._peer.serve(self._feed, self._listen)

    async def part(self) -> None:
        """Say why we close, if the client can still hear it."""
        await self._peer.part()

    async def _feed(self) -> NoReturn:
        log = self._log
        since = None if self._wanted.since is None else Seq(self._wanted.since)
        cursor = log.cursor(since, self._wanted.filter)
        hello = {"protocol": PROTOCOL, "epoch": log.epoch, "head": log.head, "oldest": log.oldest}
        await self._peer.send(json.dumps({"hello": hello}))
        while True:
            await self._peer.send(_frame(await cursor.next_batch()))

    async def _listen(self) -> None:
        for _ in range(CHATTER):
            await self._peer.hear(MESSAGE_LIMIT)
        self._peer.code = POLICY


def _frame(batch: Gap | Sequence[str]) -> str:
    """Entries were encoded when they were recorded; here they are only joined."""
    if isinstance(batch, Gap):
        return json.dumps({"gap": {"after": batch.requested, "oldest": batch.oldest}})
    return f'{{"events":[{",".join(batch)}]}}'
