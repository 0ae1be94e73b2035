"""The activity stream on real sockets: what is told, nothing of it lost, and to whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from supervisor.web.stream import Limits
from tests.fakes.listening import events, frame, shake, subscribed, subscribers
from tests.fakes.served import TOKEN, Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


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


async def test_there_is_room_for_so_many() -> None:
    async with serving(limits=Limits(subscribers=2)) as served:
        async with subscribed(served) as first, subscribed(served) as second:
            await frame(first)
            await frame(second)
            await refused(served, 503, "no_room")
        await subscribers(served, 0)
        async with subscribed(served) as third:
            await frame(third)
