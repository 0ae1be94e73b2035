"""What stands between the server's protocol and the application."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

import trio

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Any, Receive, Send], Awaitable[None]]

DRAIN = 1.0


def drained(app: Asgi) -> Asgi:
    """Hold an answer's end back until its request has been read, or `DRAIN` seconds.

    An answer that ends before its request does ends the connection: a client that is still sending would lose it.
    """

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        read = trio.Event()

        async def receiving() -> Message:
            message = await receive()
            if not message.get("more_body", False):
                read.set()
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                with trio.move_on_after(DRAIN):
                    await read.wait()
            await send(message)

        await app(scope, receiving, sending)

    return wrapped


def http_only(app: Asgi) -> Asgi:
    """Streams have a port of their own: a WebSocket here is refused at its handshake."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await app(scope, receive, send)

    return wrapped


def slashes_kept(app: Asgi) -> Asgi:
    """Keep `%2F` within its part of the path: a board's key may hold a slash. Who takes the path apart decodes it."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope["raw_path"].decode("ascii")
            kept = raw.replace("%25", "%2525").replace("%2F", "%252F").replace("%2f", "%252F")
            scope = {**scope, "path": unquote(kept)}
        await app(scope, receive, send)

    return wrapped
