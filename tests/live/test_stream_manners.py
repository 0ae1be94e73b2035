"""The activity stream among clients that misbehave or do not read: nobody is in another's way, and it ends quickly."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from trio_websocket import (
    WebSocketConnection,
)

from supervisor.web.stream import Limits
from tests.fakes.listening import Events, closing, events, frame, handshake, shake, stalled, subscribed, subscribers
from tests.fakes.served import Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


async def refused(served: Served, status: int, code: str, **asked: str) -> dict[str, Any]:
    shaken = await shake(served, **asked)
    assert (shaken.status, shaken.problem.get("code")) == (status, code)
    return shaken.problem


# --- misbehaviour -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/activity HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000,
        b"",
    ],
)
async def test_garbage_ends_its_own_connection_only(served: Served, garbage: bytes) -> None:
    async with subscribed(served) as witness:
        await frame(witness)
        stream = await trio.open_tcp_stream("127.0.0.1", served.stream_port)
        try:
            await stream.send_all(garbage)
            with trio.move_on_after(0.3):
                await stream.receive_some()
        except trio.BrokenResourceError:
            pass  # cut off: as good an answer as any
        await stream.aclose()
        await served.house.happen("ticket.queued")
        assert len(await events(witness, 1)) == 1


@pytest.mark.parametrize(
    "rude",
    [
        b"\x81\x05hello",  # not masked
        b"\xff" * 40,
        b"\x88\x81\x00\x00\x00\x00\x01",  # a close with half a code
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",  # 8 EB are announced
        b"\xc1\x80\x00\x00\x00\x00",  # a reserved bit
        b"\x88\x80\x00\x00\x00\x00" + b"\x89\x80\x00\x00\x00\x00" * 50,  # pings after a close
    ],
)
async def test_broken_frames_harm_nobody_else(served: Served, rude: bytes) -> None:
    async with subscribed(served) as witness:
        await frame(witness)
        async with await handshake(served) as stream:
            assert b"101" in await stream.receive_some()
            await stream.send_all(rude)
            try:
                with trio.move_on_after(0.3):
                    while await stream.receive_some():
                        pass
            except trio.BrokenResourceError:
                pass  # cut off
        await served.house.happen("ticket.queued")
        assert len(await events(witness, 1)) == 1


async def test_what_clients_say_means_nothing_until_it_is_too_much(served: Served) -> None:
    async with subscribed(served) as socket:
        await frame(socket)
        for _ in range(50):
            await socket.send_message("hello?")
        await served.house.happen("ticket.queued")
        assert len(await events(socket, 1)) == 1
        with trio.fail_after(5):
            assert await closing(socket, chatting=True) == 1008


async def test_a_large_message_ends_the_stream(served: Served) -> None:
    async with subscribed(served) as socket:
        await frame(socket)
        await socket.send_message("x" * 5000)
        with trio.fail_after(5):
            assert await closing(socket) == 1009


async def test_a_handshake_that_never_ends_is_cut_off() -> None:
    async with serving(limits=Limits(handshake=0.1)) as served:
        stream = await trio.open_tcp_stream("127.0.0.1", served.stream_port)
        await stream.send_all(b"GET /api/v1/activity HTTP/1.1\r\nHost: loc")
        with trio.fail_after(5):
            try:
                assert await stream.receive_some() == b""
            except trio.BrokenResourceError:
                pass  # cut off
        await stream.aclose()


async def test_a_client_that_is_there_no_more_is_noticed() -> None:
    """It keeps the connection, but answers no ping."""
    async with serving(limits=Limits(ping_every=0.05, pong=0.2)) as served, subscribed(served) as alive:
        await frame(alive)
        async with await stalled(served):
            await subscribers(served, 2)
            await subscribers(served, 1)
            await served.house.happen("ticket.queued")
            assert len(await events(alive, 1)) == 1


# --- those who do not read, and the end -------------------------------------------------------------


FLOOD = 20_000
FILLING = "x" * 400


async def test_who_does_not_read_keeps_nobody_waiting_and_is_cut_off() -> None:
    async with serving(limits=Limits(send=1.0)) as served, subscribed(served) as good:
        await frame(good)
        stuck = [await stalled(served) for _ in range(10)]
        seen: Events = []

        async def produce() -> None:
            for _ in range(FLOOD // 500):
                await served.house.happen("agent.output", times=500, filling=FILLING)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            with trio.fail_after(60):
                seen += await events(good, FLOOD)
        assert [each["seq"] for each in seen] == list(range(1, FLOOD + 1))
        await subscribers(served, 1)
        await served.house.happen("agent.output")
        assert len(await events(good, 1)) == 1
        for stream in stuck:
            await stream.aclose()


async def test_stopping_tells_who_listens_and_waits_for_nobody_else(served: Served) -> None:
    closed: list[int] = []

    async def read(socket: WebSocketConnection) -> None:
        closed.append(await closing(socket))

    async with AsyncExitStack() as stack:
        queries = ["kinds=ticket.*"] * 4 + [""]  # one is in the middle of much when the end comes
        good = [await stack.enter_async_context(subscribed(served, query)) for query in queries]
        stuck = [await stack.enter_async_context(await stalled(served)) for _ in range(10)]
        half = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", served.stream_port))
        await half.send_all(b"GET /api/v1/activity HTTP/1.1\r\n")
        async with trio.open_nursery() as nursery:
            for socket in good:
                nursery.start_soon(read, socket)
            await served.house.happen("agent.output", times=FLOOD, filling=FILLING)
            with trio.fail_after(5):
                assert await served.stream.stop() < 1.0
        assert closed == [1001] * 5
        assert len(stuck) == 10
    with pytest.raises(OSError):  # noqa: PT011  (any of the ways in which nobody listens)
        await trio.open_tcp_stream("127.0.0.1", served.stream_port)
    async with served.client() as client:
        assert (await client.get("health")).status_code == 200


async def test_an_idle_stop_is_quick(served: Served) -> None:
    async with subscribed(served) as socket:
        await frame(socket)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(closing, socket)
            assert await served.stream.stop() < 0.2
