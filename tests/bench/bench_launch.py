"""From a person's `launch` to the agent's process: what Operator adds to making the worktree."""

from datetime import datetime
from time import monotonic

import httpx2
import pytest

from tests.bench.crowd import Crowd
from tests.bench.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
LAUNCHES = 12


@pytest.mark.parametrize("crowd", [10, 100, 200], indirect=True)
async def test_ticket_to_process(crowd: Crowd, figures: Figures) -> None:
    names = [f"TASK-{number}" for number in range(1, LAUNCHES + 1)]
    worktrees, beyond, spoke = [], [], []
    async with crowd.place.client() as client:
        for name in names:
            crowd.place.ticket(name, "say Here.")
        await crowd.until_known(client, names)
        for name in names:
            asked = monotonic()
            wall = datetime.now().timestamp()
            answer = await client.post(f"/tickets/{name}/launch")
            assert answer.status_code in (200, 202), answer.text
            start = await crowd.place.until_journal(name, "start")
            times = await _times(client, name)
            worktree = times["agent.prepared"] - times["agent.planned"]
            worktrees.append(1000 * worktree)
            beyond.append(1000 * (times["agent.starting"] - wall - worktree))
            spoke.append(1000 * (start["mono"] - asked - worktree))
            await crowd.place.until(lambda event, name=name: event["kind"] == "ticket.done" and event["ticket"] == name)
    at = f"{crowd.size} agents beside it"
    figures.spread(f"{at}: worktree", worktrees, "ms")
    figures.spread(f"{at}: launch to process, beyond the worktree", beyond, "ms", 150)
    figures.spread(f"{at}: launch to the agent's own first act, beyond it", spoke, "ms", None, "with a Python's start")


async def _times(client: httpx2.AsyncClient, ticket: str) -> dict[str, float]:
    """When each kind of entry came first, in seconds since the epoch."""
    answer = await client.get("/activity", params={"ticket": ticket, "limit": 100})
    found: dict[str, float] = {}
    for event in answer.json()["events"]:
        found.setdefault(event["kind"], datetime.fromisoformat(event["at"]).timestamp())
    return found
