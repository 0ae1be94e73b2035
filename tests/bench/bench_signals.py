"""From what an agent's terminal shows, or its end, to the event on the activity stream."""

import random
from collections.abc import AsyncIterator
from time import monotonic

import httpx2
import pytest
import trio

from tests.bench.crowd import Crowd, killed, stamp
from tests.bench.figures import Figures
from tests.harness import Event

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
METRONOMES = 25
SIGNALS = 50
"""Titles a second, of all metronomes together."""
ROUNDS = 3
WATCHED = 7.0
"""Seconds of each round."""
KILLS = 15


@pytest.mark.parametrize("crowd", [100, 200], indirect=True)
async def test_title_to_event(crowd: Crowd, figures: Figures) -> None:
    async with crowd.place.client() as client:
        await crowd.add_beats(client, METRONOMES)
        every, dice = METRONOMES / SIGNALS, random.Random(7)
        await crowd.order(client, lambda _: f"titles {every} {dice.uniform(0, every):.3f}")
        async with crowd.place.events(since=await _head(client)) as stream:
            rounds = [await _lateness(stream) for _ in range(ROUNDS)]
        await crowd.rest(client)
    rate = sum(map(len, rounds)) / ROUNDS / WATCHED
    figures.rounds(f"{crowd.size} agents, {rate:.0f} signals/s: title to event", rounds, "ms", 10)


async def _lateness(stream: AsyncIterator[Event]) -> list[float]:
    """In ms, of all stamps of one round."""
    late: list[float] = []
    until = monotonic() + WATCHED
    async for event in stream:
        now, said = monotonic(), stamp(event)
        if said is not None:
            late.append(1000 * (now - said))
        if now > until:
            break
    return late


@pytest.mark.parametrize("crowd", [100], indirect=True)
async def test_output_of_a_mute_agent_to_running(crowd: Crowd, figures: Figures) -> None:
    """It never sets a title: a line of its own after a silence says that it works again."""
    late: list[float] = []
    async with crowd.place.client() as client:
        await crowd.mute(client)
        for _ in range(15):
            await crowd.until_idle(client, ["MUTE-1"])
            async with crowd.place.events(since=await _head(client)) as stream:
                await client.post("/agents/MUTE-1/prompt", json={"text": "lines 60 1.2"})
                running = await _next(stream, "MUTE-1", "agent.running")  # the prompt itself
                await _next(stream, "MUTE-1", "agent.idle")
                running = await _next(stream, "MUTE-1", "agent.running")
                seen = monotonic()
            assert running["data"]["source"] == "output"
            printed = [entry for entry in crowd.place.journal("MUTE-1") if entry["event"] == "print"][-1]
            late.append(1000 * (seen - printed["mono"]))
    figures.tail("100 agents, output of one without titles to running", late, "ms", 20)


@pytest.mark.parametrize("crowd", [100], indirect=True)
async def test_kill_to_event(crowd: Crowd, figures: Figures) -> None:
    late: list[float] = []
    async with crowd.place.client() as client:
        names = [f"KILL-{number}" for number in range(KILLS)]
        for name in names:
            crowd.place.ticket(name, "hang forever")
        await crowd.launch_all(client, names)
        for name in names:
            await crowd.place.until_journal(name, "prompt")
            pid = crowd.place.journal(name)[0]["pid"]
            async with crowd.place.events(since=await _head(client)) as stream:
                moment = killed(pid)
                exited = await _next(stream, name, "agent.exited")
                late.append(1000 * (monotonic() - moment))
            assert exited["data"]["evidence"] == "signal 9"
            await client.post(f"/tickets/{name}/cancel")
    figures.tail("100 agents, one killed to seen with its status", late, "ms", 50)


async def _next(stream: AsyncIterator[Event], ticket: str, kind: str) -> Event:
    with trio.fail_after(20):
        async for event in stream:
            if event["ticket"] == ticket and event["kind"] == kind:
                return event
    raise AssertionError("the stream ended")


async def _head(client: httpx2.AsyncClient) -> int:
    head: int = (await client.get("/status")).json()["head"]
    return head
