"""HTTP/1.1 on loopback, for stand-ins: one handler for every request, answered whole, as a stream, or not at all."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import h11
import trio
from attrs import field, frozen

PIECE = 65536
BODY_LIMIT = 64_000_000
Headers = Iterable[tuple[str, str]]


class Drop(Exception):
    """Close the connection now, whatever was answered so far."""


@frozen
class Request:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Exchange:
    """A request and the ways to answer it."""

    def __init__(self, request: Request, connection: h11.Connection, stream: trio.SocketStream) -> None:
        self.request = request
        self.peer_gone = trio.Event()
        self._connection = connection
        self._stream = stream

    async def answer(
        self, status: int = 200, body: bytes = b"", headers: Headers = (), kind: str = "application/json"
    ) -> None:
        length = ("Content-Length", str(len(body)))
        await self._begin(status, [("Content-Type", kind), length, *headers])
        if self.request.method != "HEAD":
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def json(self, value: object, status: int = 200, headers: Headers = ()) -> None:
        await self.answer(status, json.dumps(value).encode(), headers)

    @asynccontextmanager
    async def streaming(self, kind: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        """A chunked answer: what is entered sends one piece."""
        await self._begin(200, [("Content-Type", kind), ("Cache-Control", "no-cache")])
        yield lambda piece: self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    async def _begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        await self._send(h11.Response(status_code=status, headers=headers, reason=b"Stand-in"))

    async def _send(self, event: h11.Event) -> None:
        await self._stream.send_all(self._connection.send(event) or b"")


Handler = Callable[[Exchange], Awaitable[None]]


async def serve(
    handler: Handler, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on 127.0.0.1 until cancelled; started with the port. A handler whose client goes is cancelled."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(partial(_converse, handler), listeners)


async def _converse(handler: Handler, stream: trio.SocketStream) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        while (request := await _receive(connection, stream)) is not None:
            await _handle(handler, Exchange(request, connection, stream), connection, stream)
            if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                return
            connection.start_next_cycle()
    except (Drop, trio.BrokenResourceError, h11.RemoteProtocolError):
        return
    finally:
        await trio.aclose_forcefully(stream)


async def _handle(handler: Handler, exchange: Exchange, connection: h11.Connection, stream: trio.SocketStream) -> None:
    """Run the handler; end it when the client closes its end."""
    failure: Drop | trio.BrokenResourceError | None = None

    async def watch(scope: trio.CancelScope) -> None:
        data = b"-"
        while data:
            try:
                data = await stream.receive_some(PIECE)
            except trio.BrokenResourceError:
                data = b""
            connection.receive_data(data)  # the next request, early, or the end
        exchange.peer_gone.set()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, nursery.cancel_scope)
        try:
            await handler(exchange)
        except (Drop, trio.BrokenResourceError) as caught:
            failure = caught
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _receive(connection: h11.Connection, stream: trio.SocketStream) -> Request | None:
    """The next request; None when the client is done."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                await stream.send_all(connection.send(go_on) or b"")
            connection.receive_data(await stream.receive_some(PIECE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_LIMIT:
                raise Drop
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("ascii", "replace").partition("?")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode("ascii"), path, query, headers, body)
