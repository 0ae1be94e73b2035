"""The activity as it happens, over a WebSocket that is connected again whenever it breaks.

The place in the log is kept here: after a break the stream goes on behind the last entry that was handed out,
so nothing is lost or doubled. What cannot be made up for is said: a gap, or another database.
"""

import json
import math
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, assert_never

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from attrs import frozen
from httpx2.websockets import (
    AsyncWebSocketSession,
    WebSocketDisconnect,
    WebSocketNetworkError,
    WebSocketUpgradeError,
)

from clients.api import client
from clients.api.errors import ApiError, BadAnswer, NoDaemon, Refused, TooSlow
from clients.api.locate import Where, locate
from supervisor.domain.views import EventView
from supervisor.domain.wire import READ_ERRORS, from_plain, problems_of

PROTOCOL = 1
_FRAME_LIMIT = 16 * 1024 * 1024
"""Bytes of one frame: 64 entries, each with a text of a person or an agent in it."""
_PING = 20.0
_STARTING = 503
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 10.0


@frozen
class Wanted:
    """Which entries are asked for. Empty means all."""

    kinds: tuple[str, ...] = ()
    agent: str | None = None
    ticket: str | None = None


@frozen
class Connected:
    """The stream is live; what was missed comes first."""

    epoch: str
    head: int
    oldest: int
    again: bool
    """It had been connected before."""


@frozen
class Disconnected:
    """The stream broke, or could not be made; it is tried again after `retry_in` seconds."""

    reason: str
    retry_in: float


@frozen
class Gap:
    """The log goes on with `oldest`: what was asked for, after `after`, is not in it (any more)."""

    after: int
    oldest: int


@frozen
class NewEpoch:
    """The daemon has another database than before: everything known must be read anew."""

    epoch: str


@frozen
class Happened:
    """One entry."""

    event: EventView


Message = Connected | Disconnected | Gap | NewEpoch | Happened


@frozen
class Place:
    """Where in which log a stream stands."""

    cursor: int | None
    """The last entry handed out; None: from the head on."""
    epoch: str | None = None


@frozen
class Hello:
    """The daemon's first frame."""

    epoch: str
    head: int
    oldest: int


Frame = Hello | Gap | tuple[EventView, ...]


def parse(text: str | bytes) -> Frame:
    """One frame. Raises BadAnswer. A frame of a kind that is not known has no entries."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise TypeError("expected a table")
        if "hello" in data:
            return _hello(data["hello"])
        if "gap" in data:
            return _gap(data["gap"])
        return tuple(from_plain(event, EventView) for event in data.get("events", ()))
    except READ_ERRORS as error:
        where, what = next(iter(problems_of(error, "frame").items()))
        raise BadAnswer(f"The stream cannot be understood: {where}: {what}.") from None


def _hello(hello: Mapping[str, Any]) -> Hello:
    if hello["protocol"] != PROTOCOL:
        message = f"The daemon speaks version {hello['protocol']} of the stream, this client {PROTOCOL}."
        raise BadAnswer(message, "Update whichever of the two is older.")
    return Hello(str(hello["epoch"]), int(hello["head"]), int(hello["oldest"]))


def _gap(gap: Mapping[str, Any]) -> Gap:
    return Gap(int(gap["after"]), int(gap["oldest"]))


def advance(place: Place, frame: Frame, known: bool) -> tuple[Place, list[Message]]:
    """Where the stream stands after a frame, and what there is to say. Pure.

    `known`: a stream was there before, so a first frame is a return.
    """
    match frame:
        case Hello(epoch=epoch, head=head, oldest=oldest):
            if place.epoch is not None and place.epoch != epoch:
                # Numbers of the old log mean nothing here; whoever listens reads the present state anew.
                return Place(head, epoch), [NewEpoch(epoch), Connected(epoch, head, oldest, known)]
            start = head if place.cursor is None else place.cursor
            return Place(start, epoch), [Connected(epoch, head, oldest, known)]
        case Gap(oldest=oldest):
            return Place(oldest - 1, place.epoch), [frame]
        case tuple():
            fresh = [event for event in frame if event.seq > (place.cursor or 0)]
            cursor = fresh[-1].seq if fresh else place.cursor
            return Place(cursor, place.epoch), [Happened(event) for event in fresh]
        case never:
            assert_never(never)


def delay(failures: int, jitter: float) -> float:
    """Seconds until the next try after so many failures in a row; `jitter` in 0..1 takes off up to half."""
    longest = min(_FIRST_DELAY * math.ldexp(1.0, min(failures, 16) - 1), _LONGEST_DELAY)
    return longest * (1 - jitter / 2)


@asynccontextmanager
async def follow(where: Where, since: int | None, wanted: Wanted) -> AsyncIterator["Stream"]:
    """Entries after `since`, or from now on, until the block is left.

    A reader that falls behind holds the daemon back, which closes the stream in the end; another one follows.
    """
    send, receive = anyio.create_memory_object_stream[Message | ApiError](64)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_Follower(where, wanted, send).run, Place(since))
        try:
            yield Stream(receive)
        finally:
            tasks.cancel_scope.cancel()
            receive.close()


class Stream:
    """An async iterator of messages. Raises what made the daemon refuse the stream, when it does."""

    def __init__(self, receive: MemoryObjectReceiveStream[Message | ApiError]) -> None:
        self._receive = receive

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Message:
        try:
            message = await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        if isinstance(message, ApiError):
            raise message
        return message


class _Follower:
    """Keeps one stream connected."""

    def __init__(self, where: Where, wanted: Wanted, out: MemoryObjectSendStream[Message | ApiError]) -> None:
        self._where = where
        self._wanted = wanted
        self._out = out
        self._place = Place(None)
        self._known = False
        self._live = False

    async def run(self, start: Place) -> None:
        """Connect again and again, until cancelled or refused."""
        self._place = start
        failures = 0
        with self._out:
            while True:
                self._live = False
                try:
                    reason = await self._once()
                except (Refused, BadAnswer) as error:
                    await self._out.send(error)
                    return
                if reason is None:
                    continue
                failures = 1 if self._live else failures + 1
                wait = delay(failures, random.random())
                await self._out.send(Disconnected(reason, wait))
                await anyio.sleep(wait)

    async def _once(self) -> str | None:
        """One connection, to its end: why it ended, or None to connect again at once."""
        reason = ""
        fatal: BaseException | None = None
        try:
            url = await self._address()
            async with self._http() as http, self._socket(http, url) as socket:
                return await self._read(socket)
        except* (Refused, BadAnswer) as group:
            fatal = _leaf(group)
        except* WebSocketUpgradeError as group:
            fatal = await _refusal(_leaf(group))
            reason = str(fatal)
        except* (NoDaemon, TooSlow) as group:
            reason = _first(group)
        except* (WebSocketDisconnect, WebSocketNetworkError, httpx2.HTTPError, OSError) as group:
            reason = _first(group)
        if fatal is not None and getattr(fatal, "status", 0) != _STARTING:
            raise fatal
        return reason

    async def _read(self, socket: AsyncWebSocketSession) -> str | None:
        epoch = self._place.epoch
        while True:  # noqa: ASYNC913  (each round receives)
            try:
                text = await socket.receive_text()
            except WebSocketDisconnect as error:
                return error.reason or f"the daemon closed the stream ({error.code})"
            except WebSocketNetworkError:
                return "the connection broke"
            self._place, said = advance(self._place, parse(text), self._known)
            self._live = self._known = True
            for message in said:
                await self._out.send(message)
            if epoch is not None and self._place.epoch != epoch:
                return None  # this subscription began at a number of the old log

    async def _address(self) -> str:
        if self._where.endpoint is not None:
            self._where = locate(self._where.state_dir)  # a new daemon may listen elsewhere
        base = self._where.stream_url
        if base is None:
            async with client.connect(self._where) as asked:
                return (await asked.status()).streams.activity
        return f"{base.rstrip('/').removesuffix('/api/v1')}/api/v1/activity"

    def _http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(headers=client.headers(self._where), trust_env=False, verify=False)

    def _socket(self, http: httpx2.AsyncClient, url: str) -> AbstractAsyncContextManager[AsyncWebSocketSession]:
        asked = {"since": self._place.cursor, "agent": self._wanted.agent, "ticket": self._wanted.ticket}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        if self._wanted.kinds:
            params["kinds"] = ",".join(self._wanted.kinds)
        return http.websocket(
            url,
            params=params,
            max_message_size_bytes=_FRAME_LIMIT,
            queue_size=8,
            keepalive_ping_interval_seconds=_PING,
            keepalive_ping_timeout_seconds=_PING,
            timeout=httpx2.Timeout(10.0, connect=5.0),
        )


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _first(group: BaseException) -> str:
    error = _leaf(group)
    if isinstance(error, httpx2.ConnectError):
        return "no daemon listens there now"
    return str(error) or type(error).__name__


async def _refusal(error: BaseException) -> Refused | BadAnswer:
    assert isinstance(error, WebSocketUpgradeError)
    response = error.response
    try:
        content = await response.aread()
    except (httpx2.HTTPError, httpx2.StreamError):
        content = b""
    found = client.refusal(response.status_code, response.headers.get("content-type", ""), content)
    if isinstance(found, BadAnswer) and response.status_code in (401, 403, _STARTING):
        return Refused(
            "stream_refused",
            f"The daemon refuses the stream: status {response.status_code}.",
            "",
            response.status_code,
        )
    return found
