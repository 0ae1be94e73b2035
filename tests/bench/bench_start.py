"""How long a daemon takes to be ready, and to know again what 10, 100 and 200 agents do after it was killed."""

from statistics import median
from time import monotonic

import pytest
import trio

from tests.bench import usage
from tests.bench.crowd import Crowd, each
from tests.bench.figures import Figures
from tests.harness import Place

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
STARTS = 7
KILLS = 3


async def test_start_to_ready(figures: Figures) -> None:
    firsts, nexts, stops, used = [], [], [], []
    place = Place()
    try:
        await place.start()  # compiles what is not compiled yet
        await place.stop()
        for _ in range(STARTS):
            fresh = Place()
            try:
                firsts.append(await _timed(fresh))
            finally:
                fresh.close()
            nexts.append(await _timed(place))
            assert place.daemon is not None
            used.append(usage.seconds([place.daemon.pid]))
            began = monotonic()
            await place.stop()
            stops.append(monotonic() - began)
    finally:
        place.close()
    figures.spread("first start to ready, with its database and tmux server", firsts, "s", 0.7)
    figures.spread("start to ready", nexts, "s", 0.7, f"processor {median(used):.2f}")
    figures.spread("SIGTERM to exit", stops, "s")


async def _timed(place: Place) -> float:
    began = monotonic()
    await place.start()
    return monotonic() - began


@pytest.mark.parametrize("crowd", [10, 100, 200], indirect=True)
async def test_adopts_all_after_kill_9(crowd: Crowd, figures: Figures) -> None:
    """A tenth of the agents works when the daemon dies, and is idle when the next one starts."""
    ready, known = [], []
    for _ in range(KILLS):
        await _put_to_work(crowd, crowd.names[:: max(1, crowd.size // 10)])
        before = crowd.counts(crowd.names)
        began = monotonic()
        await crowd.place.start()
        ready.append(monotonic() - began)
        async with crowd.place.client() as client:
            await crowd.until_idle(client, crowd.names)
            known.append(monotonic() - began)
            agents = await crowd.states(client)
            assert {agents[name]["id"] for name in crowd.names} == {f"{name}~1" for name in crowd.names}
        await trio.sleep(0.5)  # what was typed twice would arrive now
        assert crowd.counts(crowd.names) == before
    figures.spread(f"{crowd.size} agents, kill -9, start to ready", ready, "s")
    figures.spread(f"{crowd.size} agents, kill -9, start to all states known", known, "s", 2.0)


async def _put_to_work(crowd: Crowd, names: list[str]) -> None:
    """Have them begin a turn that ends after the daemon was killed."""
    ends = {name: _ended(crowd, name) for name in names}
    async with crowd.place.client() as client:

        async def prompt(name: str) -> None:
            answer = await client.post(f"/agents/{name}/prompt", json={"text": "rehearse: think 0.6"})
            assert answer.json()["delivery"] in ("typed", "delivered"), answer.text

        await each(prompt, names)
        states = await crowd.states(client)
        assert any(states[name]["state"]["name"] == "running" for name in names)
    crowd.place.kill()
    with trio.fail_after(30):
        for name, count in ends.items():
            await crowd.place.until_journal_has(name, lambda _, n=name, c=count: _ended(crowd, n) > c)


def _ended(crowd: Crowd, name: str) -> int:
    return sum(entry["event"] == "turn-end" for entry in crowd.place.journal(name))
