"""The client on trio and on asyncio, against the real edge: streams that break and come back."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from attrs import evolve

from clients.api.client import Client, connect
from clients.api.errors import Refused
from clients.api.locate import Where, locate
from clients.api.stream import Connected, Disconnected, Gap, Happened, Message, NewEpoch
from supervisor.daemon.sockets import bind
from supervisor.domain.views import Endpoint
from supervisor.domain.wire import to_json
from supervisor.web.security import Security
from supervisor.web.stream import serve_stream
from tests.fakes.house import NOON
from tests.fakes.served import TOKEN, Served, serving


def name_it(served: Served, state: Path) -> Where:
    (state / "token").write_text(TOKEN)
    url, stream = f"http://127.0.0.1:{served.port}", f"ws://127.0.0.1:{served.stream_port}"
    made = Endpoint(os.getpid(), "0.1.0", url, stream, None, str(state / "token"), NOON)
    (state / "endpoint.json").write_text(to_json(made))
    return locate(state, environ={})


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving() as made:
        yield made


async def look(client: Client) -> list[object]:
    """Every route that only looks."""
    agents = (await client.agents()).agents
    of_agent = [
        await client.agent(agents[0].id),
        await client.attach(agents[0].id),
        await client.screen(agents[0].id),
        await client.transcript(agents[0].id),
        await client.diff(agents[0].id),
        await client.history(agents[0].id),
    ]
    return [
        await client.health(),
        await client.status(),
        await client.queue_status(),
        await client.kanban(),
        await client.tickets(),
        await client.ticket("ENG-1"),
        await client.active_agents(),
        await client.collections(),
        await client.issue_types(),
        await client.activity(),
        *of_agent,
    ]


async def test_every_route_is_understood_on_both_loops(served: Served, tmp_path: Path) -> None:
    await served.house.queue.launch(served.house.queue.find("ENG-1").id, False)
    where = name_it(served, tmp_path)

    async def asked() -> list[object]:
        async with connect(where) as client:
            return await look(client)

    on_trio = await asked()
    on_asyncio = await trio.to_thread.run_sync(lambda: asyncio.run(asked()))
    assert on_trio == on_asyncio
    piece = on_trio[13]
    assert getattr(piece, "offset", None) == 4
    assert getattr(piece, "data", None) == b"456789"


async def collected(where: Where, count: int, since: int | None, **wanted: str) -> list[Message]:
    found: list[Message] = []
    async with connect(where) as client, client.stream(since, **wanted) as stream:
        async for message in stream:
            found.append(message)
            if len(found) == count:
                break
    return found


async def test_a_stream_on_both_loops(served: Served, tmp_path: Path) -> None:
    where = name_it(served, tmp_path)
    await served.house.happen("agent.running", "ENG-1", "ENG-1~1", times=199)
    await served.house.happen("agent.idle", "ENG-1", "ENG-1~2")
    with trio.fail_after(20):
        on_trio = await collected(where, 201, 0)
        on_asyncio = await trio.to_thread.run_sync(lambda: asyncio.run(collected(where, 201, 0)))
        one = await collected(where, 2, 0, agent="ENG-1~2")
    assert on_trio == on_asyncio
    assert isinstance(on_trio[0], Connected)
    assert [each.event.seq for each in on_trio if isinstance(each, Happened)] == list(range(1, 201))
    assert isinstance(one[1], Happened)
    assert one[1].event.seq == 200


async def moved(served: Served, nursery: trio.Nursery, state: Path) -> None:
    """The same daemon's stream on another port, as after a restart with port 0."""
    bound = bind("127.0.0.1", 0, 0, None, None)
    await bound.rest.aclose()
    await nursery.start(serve_stream, served.gate, Security(TOKEN), [bound.stream])
    name_it(evolve(served, stream_port=bound.stream_port), state)


async def test_a_stream_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    where = name_it(served, tmp_path)
    said: list[Message] = []
    await served.house.happen("a.one")
    async with trio.open_nursery() as nursery, connect(where) as client:
        with trio.fail_after(20):
            async with client.stream(0) as stream:
                async for message in stream:
                    said.append(message)
                    match message:
                        case Happened(event=event) if event.seq == 1:
                            await served.stream.stop()
                        case Disconnected():
                            await served.house.happen("a.two")
                            await moved(served, nursery, tmp_path)
                        case Happened(event=event) if event.seq == 2:
                            break
        nursery.cancel_scope.cancel()
    assert [each.event.seq for each in said if isinstance(each, Happened)] == [1, 2]
    assert [each.again for each in said if isinstance(each, Connected)] == [False, True]


async def test_another_database_is_told_and_followed(tmp_path: Path) -> None:
    async with serving() as first, serving() as second:
        where = name_it(first, tmp_path)
        await first.house.happen("a.old", times=5)
        await second.house.happen("a.restored")
        said: list[Message] = []
        async with connect(where) as client, client.stream(4) as stream:
            with trio.fail_after(20):
                async for message in stream:
                    said.append(message)
                    match message:
                        case Happened(event=event) if event.kind == "a.old":
                            name_it(second, tmp_path)
                            await first.stream.stop()
                        case Connected(head=1) if len(said) > 4:
                            await second.house.happen("a.new")
                        case Happened(event=event) if event.kind == "a.new":
                            break
    kinds = [type(each) for each in said]
    assert kinds == [Connected, Happened, Disconnected, NewEpoch, Connected, Connected, Happened]
    assert said[3] == NewEpoch(second.house.activity.epoch)


async def test_a_gap_is_told(served: Served, tmp_path: Path) -> None:
    where = name_it(served, tmp_path)
    await served.house.happen("a.b", times=3)
    with trio.fail_after(20):
        found = await collected(where, 5, 999)
    assert found[1] == Gap(999, 1)
    assert [each.event.seq for each in found if isinstance(each, Happened)] == [1, 2, 3]


async def test_a_stream_that_is_refused_says_so(served: Served, tmp_path: Path) -> None:
    where = name_it(served, tmp_path)
    (tmp_path / "token").write_text("wrong")
    with trio.fail_after(20), pytest.RaisesGroup(pytest.RaisesExc(Refused), flatten_subgroups=True):
        await collected(where, 1, 0)
