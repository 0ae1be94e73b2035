"""The activity stream on real sockets: nothing lost, nobody in another's way, and a quick end."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import frozen
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    wrap_client_stream,
)

from supervisor.web.stream import Limits
from tests.fakes.served import TOKEN, Served, serving

BEARER = [(b"authorization", f"Bearer {TOKEN}".encode())]
Events = list[dict[str, Any]]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


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


async def refused(served: Served, status: int, code: str, **asked: str) -> dict[str, Any]:
    shaken = await shake(served, **asked)
    assert (shaken.status, shaken.problem.get("code")) == (status, code)
    return shaken.problem


# --- what is told -----------------------------------------------------------------------------------


async def test_the_first_frame_is_hello_and_then_come_events_from_now_on(served: Served) -> None:
    await served.house.happen("ticket.queued", "ENG-1", times=3)
    async with subscribed(served) as socket:
        assert await frame(socket) == {
            "hello": {"protocol": 1, "epoch": served.house.activity.epoch, "head": 3, "oldest": 1}
        }
        await served.house.happen("ticket.running", "ENG-1", "ENG-1~1", note="ünïcödé \U0001f600")
        (event,) = await events(socket, 1)
    assert event.keys() == {"seq", "at", "kind", "ticket", "agent", "data"}
    assert (event["seq"], event["kind"], event["ticket"], event["agent"]) == (4, "ticket.running", "ENG-1", "ENG-1~1")
    assert event["data"] == {"n": 0, "note": "ünïcödé \U0001f600"}


async def test_what_was_missed_comes_first(served: Served) -> None:
    await served.house.happen("ticket.queued", times=200)
    async with subscribed(served, "since=50") as socket:
        assert (await frame(socket))["hello"]["head"] == 200
        await served.house.happen("ticket.done")
        assert [each["seq"] for each in await events(socket, 151)] == list(range(51, 202))


async def test_only_what_is_wanted_comes(served: Served) -> None:
    async with subscribed(served, "since=0&kinds=agent.*,ticket.done&agent=A~1&ticket=A") as socket:
        await frame(socket)
        for kind in ("agent.running", "agent.idle", "ticket.done", "ticket.queued", "agentish.x"):
            await served.house.happen(kind, "A", "A~1")
            await served.house.happen(kind, "A", "A~2")
            await served.house.happen(kind, "B", "A~1")
        await served.house.happen("agent.exited", "A", "A~1")
        found = await events(socket, 4)
    assert [each["kind"] for each in found] == ["agent.running", "agent.idle", "ticket.done", "agent.exited"]


async def test_a_place_that_this_log_never_had_is_a_gap(served: Served) -> None:
    await served.house.happen("ticket.queued", times=3)
    async with subscribed(served, "since=900") as socket:
        await frame(socket)
        assert await frame(socket) == {"gap": {"after": 900, "oldest": 1}}
        assert [each["seq"] for each in await events(socket, 3)] == [1, 2, 3]


async def test_over_reconnects_every_entry_comes_exactly_once(served: Served) -> None:
    total = 3000

    async def produce() -> None:
        for _ in range(total // 100):
            await served.house.happen("agent.output", times=100)
            await trio.lowlevel.checkpoint()

    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        while len(seen) < total:
            async with subscribed(served, f"since={seen[-1] if seen else 0}") as socket:
                assert "hello" in await frame(socket)
                for _ in range(7):
                    if len(seen) < total:
                        seen += [each["seq"] for each in (await frame(socket))["events"]]
    assert seen == list(range(1, total + 1))


# --- who may listen ---------------------------------------------------------------------------------


async def test_without_a_token_the_handshake_is_refused(served: Served) -> None:
    for given in ("", "Bearer wrong", TOKEN, f"Basic {TOKEN}"):
        await refused(served, 401, "unauthorized", Authorization=given)
    await refused(served, 401, "unauthorized", path=f"/api/v1/activity?token={TOKEN}", Authorization="")


async def test_a_browser_brings_the_token_as_a_subprotocol(served: Served) -> None:
    offered = ["operator.v1", f"operator.bearer.{TOKEN}"]
    async with subscribed(served, extra_headers=[], subprotocols=offered) as socket:
        assert socket.subprotocol == "operator.v1"
        assert "hello" in await frame(socket)
    wrong = "operator.v1, operator.bearer.wrong"
    await refused(served, 401, "unauthorized", Authorization="", Sec_WebSocket_Protocol=wrong)


async def test_foreign_pages_are_refused_and_own_ones_are_not(served: Served) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        await refused(served, 403, "origin_refused", Origin=origin)
    for origin in ("http://localhost:3000", "vscode-webview://0a1b"):
        assert (await shake(served, Origin=origin)).status == 101


async def test_rebound_names_are_refused(served: Served) -> None:
    for host in (f"evil.example:{served.stream_port}", "127.0.0.1.evil.example", "xn--bcher-kva.example"):
        await refused(served, 403, "host_refused", host=host)
    for host in (f"localhost:{served.stream_port}", "[::1]:1", "127.0.0.1"):
        assert (await shake(served, host=host)).status == 101


@pytest.mark.parametrize(
    "path",
    ["/", "/api/v1/activity/", "//api/v1/activity", "http://localhost/api/v1/activity", "/api/v1/%61ctivity", "*"],
)
async def test_other_paths_are_unknown(served: Served, path: str) -> None:
    await refused(served, 404, "no_route", path=path)


async def test_a_wrong_question_names_its_fields(served: Served) -> None:
    problem = await refused(served, 422, "invalid", path="/api/v1/activity?since=-1&what=x")
    assert problem["fields"].keys() == {"since", "what"}
    many = "&".join(f"a{number}=1" for number in range(50))
    await refused(served, 422, "invalid", path=f"/api/v1/activity?{many}")


async def test_while_starting_streams_wait(served: Served) -> None:
    served.gate.close()
    await refused(served, 503, "unavailable")
    assert (await shake(served)).headers[b"retry-after"] == b"1"


async def subscribers(served: Served, count: int) -> None:
    """Wait until there are so many."""
    with trio.fail_after(10):
        while served.gate.subscribers != count:  # noqa: ASYNC110  (it is a number to look at, and rings no bell)
            await trio.sleep(0.005)


async def test_there_is_room_for_so_many() -> None:
    async with serving(limits=Limits(subscribers=2)) as served:
        async with subscribed(served) as first, subscribed(served) as second:
            await frame(first)
            await frame(second)
            await refused(served, 503, "no_room")
        await subscribers(served, 0)
        async with subscribed(served) as third:
            await frame(third)


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


async def closing(socket: WebSocketConnection, chatting: bool = False) -> int:
    """Read, or talk, until the server closes: with which code."""
    try:
        while True:
            await (socket.send_message("hello?") if chatting else socket.get_message())
    except ConnectionClosed as closed:
        return closed.reason.code if closed.reason is not None else 0


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


async def stalled(served: Served) -> trio.SocketStream:
    """A subscriber that reads its hello and then nothing more."""
    stream = await handshake(served)
    got = b""
    while b'"hello"' not in got:
        got += await stream.receive_some()
    return stream


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
