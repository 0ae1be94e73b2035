"""A person's terminal at the other end of an agent's terminal socket, with an emulator for its screen."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import avt
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

LARGEST = 16 * 1024 * 1024


class Onlooker:
    """What came so far, and what it looks like."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.hello: dict[str, Any] = {}
        self.told: list[dict[str, Any]] = []
        """All text frames but the greeting."""
        self.output: list[tuple[int, bytearray]] = []
        """The agent's bytes without replays: stretches, each with the offset it begins at."""
        self.replays = 0
        self._restores = False
        """The next binary frame is a replay."""
        self._screen = avt.Vt(80, 24, 0)
        self._shown = bytearray()

    @property
    def screen(self) -> list[str]:
        """The rows that are not blank."""
        text = self._shown.decode("utf-8", "ignore")
        self._shown = bytearray()
        self._screen.feed_str(text)
        rows = (line.text for line in self._screen.view())
        return [row.rstrip() for row in rows if row.strip()]

    def leave_alternate(self) -> None:
        """Look at what is behind a full-screen program."""
        self._shown += b"\x1b[?1049l"

    @property
    def seen(self) -> bytearray:
        """The agent's bytes since the last stretch began."""
        return self.output[-1][1]

    async def next(self) -> str | bytes:
        """Take the next frame."""
        frame = await self.socket.get_message()
        if isinstance(frame, str):
            self._take(json.loads(frame))
        elif self._restores:
            self._restores, self._shown = False, bytearray(frame)
            self.replays += 1
        else:
            self.output[-1][1].extend(frame)
            self._shown += frame
        return frame

    def _take(self, said: dict[str, Any]) -> None:
        ((kind, what),) = said.items()
        if kind == "hello":
            self.hello = what
        else:
            self.told.append(said)
        if kind in ("hello", "replay"):
            self._restores = True
            self._screen, self._shown = avt.Vt(what["columns"], what["rows"], 0), bytearray()
            self.output.append((what["offset"], bytearray()))

    async def until(self, met: Callable[["Onlooker"], bool], within: float = 20.0) -> None:
        """Take frames until something holds."""
        with trio.move_on_after(within) as scope:
            while not met(self):
                await self.next()
        assert not scope.cancelled_caught, (self.told, bytes(self.seen[-500:]), self.screen)

    async def until_shown(self, text: str, within: float = 20.0) -> None:
        """Look until a row of the screen holds a text."""
        await self.until(lambda each: any(text in row for row in each.screen), within)

    async def until_told(self, kind: str, within: float = 20.0) -> Any:
        """Wait for a text frame; what it says."""
        await self.until(lambda each: any(kind in said for said in each.told), within)
        return next(said[kind] for said in self.told if kind in said)

    async def closed(self, within: float = 20.0) -> int:
        """Take all that comes until the daemon closes; its code."""
        with trio.fail_after(within):
            try:
                while True:
                    await self.next()
            except ConnectionClosed as closed:
                return closed.reason.code if closed.reason is not None else 0

    async def type(self, keys: bytes) -> None:
        await self.socket.send_message(keys)

    async def resize(self, columns: int, rows: int) -> None:
        await self.socket.send_message(json.dumps({"resize": {"columns": columns, "rows": rows}}))


@asynccontextmanager
async def looking(stream_url: str, agent: str, headers: Mapping[str, str]) -> AsyncIterator[Onlooker]:
    """Sit down at an agent's terminal; greeted, and with the first screen shown.

    On a connection of ours, since trio-websocket leaves one open that the server has closed.
    """
    address = urlsplit(stream_url)
    given = [(name.encode(), text.encode()) for name, text in headers.items()]
    async with (
        await trio.open_tcp_stream(str(address.hostname), address.port or 0) as stream,
        trio.open_nursery() as nursery,
    ):
        socket = await wrap_client_stream(
            nursery,
            stream,
            "localhost",
            f"/api/v1/agents/{agent}/terminal",
            extra_headers=given,
            max_message_size=LARGEST,
        )
        made = Onlooker(socket)
        await made.until(lambda each: each.replays > 0)
        yield made
        nursery.cancel_scope.cancel()
