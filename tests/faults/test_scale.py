"""kill -9 of the daemon in the midst of a crowd: all are adopted, none is launched or prompted twice, all finish."""

from collections.abc import Iterator

import pytest
import trio

from tests.faults.test_kill_daemon import assert_worked_once
from tests.harness import Event, Place


@pytest.fixture
def crowd(request: pytest.FixtureRequest) -> Iterator[tuple[Place, list[str]]]:
    """As many tickets as agents may work at once."""
    size = request.config.getoption("--agents")
    place = Place(max_agents=size)
    try:
        yield place, [f"TASK-{number}" for number in range(1, size + 1)]
    finally:
        place.close()
    assert not place.agent_pids()


@pytest.mark.timeout(600)
async def test_a_crowd_survives_kills_of_its_daemon(crowd: tuple[Place, list[str]]) -> None:
    place, names = crowd
    for number, name in enumerate(names):
        # Between launch and end there is always somebody at each stage.
        script = (f"think {1 + number % 5}", f"append work.txt {name}\\n", f"commit Work on {name}", "say Done.")
        place.ticket(name, *script)
    await place.start()
    for event, share in (("start", 0.3), ("prompt", 0.6), ("turn-end", 0.5)):
        await until_seen(place, names, event, share)
        place.kill()
        began = trio.current_time()
        await place.start()
        print(f"ready {trio.current_time() - began:.2f} s after kill -9 when {share:.0%} had {event}ed")
        agents = await alive_by_ticket(place)
        assert all(len(each) == 1 for each in agents.values()), agents
    assert await place.until_over(*names, within=300) == dict.fromkeys(names, "done")
    for name in names:
        ticket = await place.get(f"/tickets/{name}")
        assert (ticket["status"], ticket["launches"], ticket["attempts"]) == ("done", 1, 0), ticket
        assert_worked_once(place, name)
    assert await place.stop() == 0


async def until_seen(place: Place, names: list[str], event: str, share: float) -> None:
    """Wait until that share of the agents themselves wrote this."""
    with trio.fail_after(120):
        while sum(any(entry["event"] == event for entry in place.journal(name)) for name in names) < share * len(names):  # noqa: ASYNC110  (nothing tells a test that one of many files has grown)
            await trio.sleep(0.05)


async def alive_by_ticket(place: Place) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for agent in (await place.get("/agents/active"))["agents"]:
        found.setdefault(agent["ticket_id"], []).append(agent)
    return found
