"""Subscribers to the stream: good ones, hand-made ones, and ones that do not read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import frozen
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    wrap_client_stream,
)

from tests.fakes.served import TOKEN, Served

BEARER = [(b"authorization", f"Bearer {TOKEN}".encode())]
Events = list[dict[str, Any]]


@asynccontextmanager
async def subscribed(served: Served, query: str = "", **options: Any) -> AsyncIterator[WebSocketConnection]:
    """A subscriber on a connection of ours, since trio-websocket leaves one open that the server has closed."""
    options.setdefault("extra_headers", BEARER)
    resource = f"/api/v1/activity{'?' if query else ''}{query}"
    async with (
        await trio.open_tcp_stream("127.0.0.1", served.stream_port) as stream,
        trio.open_nursery() as nursery,
    ):
        yield await wrap_client_stream(nursery, stream, "localhost", resource, **options)
        nursery.cancel_scope.cancel()


async def frame(socket: WebSocketConnection) -> dict[str, Any]:
    with trio.fail_after(10):
        found = json.loads(await socket.get_message())
    assert isinstance(found, dict)
    return found


async def events(socket: WebSocketConnection, count: int) -> Events:
    """The next events, whatever frames they come in; no frame is empty or too large."""
    found: Events = []
    while len(found) < count:
        batch = (await frame(socket))["events"]
        assert 1 <= len(batch) <= 64
        found += batch
    return found


@frozen
class Shaken:
    """The answer to a handshake that was made by hand: its head, and its problem if it is one."""

    status: int
    headers: dict[bytes, bytes]
    problem: dict[str, Any]


async def handshake(
    served: Served, *, path: str = "/api/v1/activity", host: str = "localhost", **headers: str
) -> trio.SocketStream:
    """A connection on which a handshake was sent; `headers` with underscores, and with a token if not given."""
    wanted = {"Authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): text for name, text in headers.items()}
    lines = "".join(f"{name}: {text}\r\n" for name, text in wanted.items() if text)
    stream = await trio.open_tcp_stream("127.0.0.1", served.stream_port)
    await stream.send_all(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{lines}"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode("latin1")
    )
    return stream


async def shake(served: Served, **asked: str) -> Shaken:
    async with await handshake(served, **asked) as stream:
        got = b""
        with trio.fail_after(5):
            while b"\r\n\r\n" not in got:
                chunk = await stream.receive_some()
                assert chunk, "closed without an answer"
                got += chunk
            head, _, body = got.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            named = {name.lower(): text for name, text in (line.split(b": ", 1) for line in lines)}
            length = int(named.get(b"content-length", b"0"))
            while len(body) < length:
                body += await stream.receive_some()
    status = int(first.split()[1])
    if status != 101:
        assert named[b"content-type"] == b"application/problem+json"
        assert json.loads(body)["status"] == status
    return Shaken(status, named, json.loads(body) if status != 101 else {})


async def subscribers(served: Served, count: int) -> None:
    """Wait until there are so many."""
    with trio.fail_after(10):
        while served.gate.subscribers != count:  # noqa: ASYNC110  (it is a number to look at, and rings no bell)
            await trio.sleep(0.005)


async def closing(socket: WebSocketConnection, chatting: bool = False) -> int:
    """Read, or talk, until the server closes: with which code."""
    try:
        while True:
            await (socket.send_message("hello?") if chatting else socket.get_message())
    except ConnectionClosed as closed:
        return closed.reason.code if closed.reason is not None else 0


async def stalled(served: Served) -> trio.SocketStream:
    """A subscriber that reads its hello and then nothing more."""
    stream = await handshake(served)
    got = b""
    while b'"hello"' not in got:
        got += await stream.receive_some()
    return stream
