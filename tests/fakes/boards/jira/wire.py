"""A small HTTP server on loopback, and the ways in which one can fail: by order, and so many times."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11
import trio
from attrs import define, field, frozen

Serve = Callable[["Asked"], "Answer"]
KINDS = (
    "401",
    "403",
    "404",
    "429",
    "503",
    "500",
    "html",
    "half",
    "silent",
    "odd",
    "no_json",
    "cut_before",
    "cut_after",
)


@frozen
class Asked:
    method: str
    path: str
    """Unquoted, without its query."""
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@frozen
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(factory=dict)


@define
class Troubles:
    """What goes wrong next. `on`: only with requests whose method and path contain this."""

    waiting: list[tuple[str, str]] = field(factory=list)
    met: Counter[str] = field(factory=Counter)

    def add(self, kind: str, times: int = 1, *, on: str = "") -> None:
        assert kind in KINDS, kind
        self.waiting += [(kind, on)] * times

    def next(self, asked: Asked) -> str | None:
        for at, (kind, on) in enumerate(self.waiting):
            if on in f"{asked.method} {asked.path}":
                del self.waiting[at]
                self.met[kind] += 1
                return kind
        return None


_HTML = b"<!doctype html><title>Log in</title><p>Please log in."
_ODD = {"issues": 3, "id": [], "transitions": "x", "comments": None, "isLast": "yes", "accountId": {}, "values": 1}
_REFUSALS = {
    "401": Answer(401, {"errorMessages": ["You are not authenticated."]}),
    "403": Answer(403, {"errorMessages": ["You do not have the permission to see the specified issue."]}),
    "404": Answer(404, {"message": "no such page"}),
    "429": Answer(429, {"errorMessages": ["Too many."]}, {"Retry-After": "7", "RateLimit-Reason": "jira-burst-based"}),
    "503": Answer(503, {"errorMessages": ["Busy."]}, {"Retry-After": "3"}),
    "500": Answer(500, {"errorMessages": ["Internal server error"]}),
    "odd": Answer(200, _ODD),
}


@asynccontextmanager
async def listening(serve: Serve, troubles: Troubles) -> AsyncIterator[str]:
    """Serve until the block is left; the address, such as `http://127.0.0.1:4711`."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        handler = partial(_connection, serve=serve, troubles=troubles)
        nursery.start_soon(partial(trio.serve_listeners, handler, [listener]))
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


async def _connection(stream: trio.SocketStream, *, serve: Serve, troubles: Troubles) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        async with stream:
            while True:
                asked = await _receive(connection, stream)
                if asked is None or not await _answer(connection, stream, asked, serve, troubles):
                    return
                connection.start_next_cycle()
    except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
        return


async def _receive(connection: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    request: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            case h11.Request():
                request = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                assert request is not None
                target = urlsplit(request.target.decode())
                headers = {name.decode().lower(): value.decode() for name, value in request.headers}
                query = dict(parse_qsl(target.query, keep_blank_values=True))
                return Asked(request.method.decode(), unquote(target.path), query, headers, body)
            case _:
                return None


async def _answer(
    connection: h11.Connection, stream: trio.SocketStream, asked: Asked, serve: Serve, troubles: Troubles
) -> bool:
    """False if the connection is at its end."""
    trouble = troubles.next(asked)
    match trouble:
        case "cut_before":
            return False
        case "silent":
            await trio.sleep_forever()
        case "cut_after":
            serve(asked)
            return False
        case "html":
            return await _send(connection, stream, 200, _HTML, {"Content-Type": "text/html; charset=utf-8"})
        case "no_json":
            return await _send(connection, stream, 200, b'{"issues": [', {})
        case "half":
            answer = serve(asked)
            return await _send(connection, stream, answer.status, _encoded(answer), answer.headers, cut=True)
    answer = _REFUSALS[trouble] if trouble in _REFUSALS else serve(asked)
    return await _send(connection, stream, answer.status, _encoded(answer), answer.headers)


def _encoded(answer: Answer) -> bytes:
    return b"" if answer.body is None else json.dumps(answer.body).encode()


async def _send(
    connection: h11.Connection,
    stream: trio.SocketStream,
    status: int,
    body: bytes,
    headers: dict[str, str],
    *,
    cut: bool = False,
) -> bool:
    told = {"Content-Type": "application/json;charset=UTF-8", "Content-Length": str(len(body) if status != 204 else 0)}
    lines = [(name.encode(), value.encode()) for name, value in (told | headers).items()]
    data = connection.send(h11.Response(status_code=status, headers=lines)) or b""
    if cut:
        await stream.send_all(data + body[: len(body) // 2])
        return False
    if body and status != 204:
        data += connection.send(h11.Data(body)) or b""
    await stream.send_all(data + (connection.send(h11.EndOfMessage()) or b""))
    return True
