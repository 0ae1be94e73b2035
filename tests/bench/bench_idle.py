"""What a daemon with nothing to do uses, and one whose agents all spin their titles."""

import pytest
import trio

from tests.bench import usage
from tests.bench.crowd import Crowd, each
from tests.bench.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
WATCHED = 20.0
"""Seconds over which an idle daemon is watched."""
SPIN = 8.0
"""Seconds over which a busy one is."""


@pytest.mark.parametrize("crowd", [100, 200], indirect=True)
async def test_idle(crowd: Crowd, figures: Figures) -> None:
    daemon, server, helpers = crowd.daemon(), crowd.server(), crowd.helpers()
    await trio.sleep(3)
    clients, cats = helpers.get("tmux: client", []), helpers.get("cat", [])
    kinds = {"daemon": [daemon], "tmux server": [server], "helpers": [*clients, *cats]}
    before = {name: usage.seconds(pids) for name, pids in kinds.items()}
    await trio.sleep(WATCHED)
    share = {name: 100 * (usage.seconds(pids) - before[name]) / WATCHED for name, pids in kinds.items()}
    note = ", ".join(f"{name} {value:.2f}" for name, value in share.items())
    at = f"{crowd.size} idle agents"
    figures.row(f"{at}: processor of daemon and tmux, of one core", sum(share.values()), "%", 2.0, note)
    resident, proportional = usage.memory([daemon])
    figures.row(f"{at}: daemon's memory, resident", resident, "MB", 120, f"proportional {proportional:.0f}")
    figures.row(f"{at}: tmux server's memory, resident", usage.memory([server])[0], "MB")
    resident, proportional = usage.memory(cats)
    note = f"resident, shared counted each time, {resident:.0f}; control clients: {len(clients)}"
    figures.row(f"{at}: {len(cats)} transcript writers, proportional", proportional, "MB", None, note)


@pytest.mark.parametrize("crowd", [100, 200], indirect=True)
async def test_all_spin_their_titles(crowd: Crowd, figures: Figures) -> None:
    """Ten titles a second from each: nothing of it is news."""
    async with crowd.place.client() as client:

        async def spin(name: str) -> None:
            await client.post(f"/agents/{name}/prompt", json={"text": f"rehearse: think {SPIN + 30}"})

        await each(spin, crowd.names)
        await trio.sleep(3)
        head = (await client.get("/status")).json()["head"]
        daemon, server = [crowd.daemon()], [crowd.server()]
        before = usage.seconds(daemon), usage.seconds(server)
        await trio.sleep(SPIN)
        used = [100 * (usage.seconds(each) - was) / SPIN for each, was in zip((daemon, server), before, strict=True)]
        told = (await client.get("/status")).json()["head"] - head
        note = f"tmux server {used[1]:.0f} %, {told} entries told meanwhile"
        figures.row(f"{crowd.size} agents spin their titles at 10 Hz: daemon's processor", used[0], "%", None, note)

        async def rest(name: str) -> None:
            await client.post(f"/agents/{name}/interrupt")

        await each(rest, crowd.names)
        await crowd.until_idle(client, crowd.names)
