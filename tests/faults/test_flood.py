"""One agent floods its terminal: nobody else notices, and what is kept of it is bounded, whole and rightly placed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest
import trio

from tests.bench import usage
from tests.bench.crowd import Crowd, stamp
from tests.bench.figures import at
from tests.harness import Event

MEGABYTES = 100
LIMIT = 2 * 1024 * 1024
"""The `transcript_limit` of this place."""
OTHERS = 20
EVERY = 0.2
"""Seconds between two titles of each of the others."""
LATE = 250.0
"""Milliseconds that half of the others' signals must not exceed: beyond it they wait for the flood, not for a busy
machine. Of one with nothing else to do, 99 of 100 are expected within 20."""
GROWTH = 40.0
"""MB that the daemon may grow by: what it reads of a flood at once, several times over."""
PIECE = 1024 * 1024
LINE = re.compile(rb"(\d{12}) the quick brown fox jumps over the lazy dog, again and again\r\n")


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd(1)
    config = made.place.config
    config.write_text(
        config.read_text().replace('backend = "tmux"\n', f'backend = "tmux"\ntranscript_limit = {LIMIT}\n')
    )
    try:
        yield made
    finally:
        made.close()


class Watched:
    """What was seen of the daemon while the flood ran."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.late: list[float] = []
        self.disk = 0
        self.resident = 0.0

    async def look(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Take the greatest of what disk and memory were, for ever."""
        folder = self._crowd.place.state / "transcripts"
        task_status.started()
        while True:
            self.disk = max(self.disk, sum(path.stat().st_blocks * 512 for path in folder.iterdir()))
            self.resident = max(self.resident, usage.memory([self._crowd.daemon()])[0])
            await trio.sleep(0.05)

    async def listen(self, since: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Note how late each title of the others is, for ever."""
        async with self._crowd.place.events(since) as stream:
            task_status.started()
            async for event in stream:
                said = stamp(event)
                if said is not None:
                    self.late.append(1000 * (monotonic() - said))


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_flood_through_the_whole_daemon(crowd: Crowd) -> None:
    await crowd.gather()
    seen, [name] = Watched(crowd), crowd.names
    async with crowd.place.client() as client:
        await crowd.add_beats(client, OTHERS)
        await crowd.order(client, lambda number: f"titles {EVERY} {number * EVERY / OTHERS}")
        before = usage.memory([crowd.daemon()])[0]
        head = (await client.get("/status")).json()["head"]
        async with trio.open_nursery() as nursery:
            await nursery.start(seen.look)
            await nursery.start(seen.listen, head)
            began = monotonic()
            await client.post(
                f"/agents/{name}/prompt", json={"text": f"rehearse: flood {MEGABYTES}\nrehearse: say Dry."}
            )
            lines = int((await crowd.place.until_journal(name, "flood", within=60))["lines"])
            took = monotonic() - began
            flooding = len(seen.late)
            await crowd.place.until_journal_has(
                name, lambda entry: entry["event"] == "turn-end" and entry["mono"] > began
            )
            await crowd.until_idle(client, [name])
            settled = monotonic() - began
            nursery.cancel_scope.cancel()
        await crowd.rest(client)
        late = seen.late[:flooding]
        print(f"{MEGABYTES} MB in {took:.1f} s, idle after {settled:.1f} s; signals of {OTHERS} others "
              f"p50 {at(0.5, late):.1f} ms, p99 {at(0.99, late):.1f} ms, max {max(late):.1f} ms, n={len(late)}; "
              f"transcript at most {seen.disk / 1e6:.1f} MB of disk with a limit of {LIMIT / 1e6:.1f}; "
              f"daemon {before:.0f} -> {seen.resident:.0f} MB")  # fmt: skip
        assert at(0.5, late) < LATE
        assert seen.disk < MEGABYTES * 1e6 / 4
        assert seen.resident - before < GROWTH
        await _kept_rightly(client, crowd.place.state / "transcripts", name, lines)
        await _told_rightly(client, name, head)


async def _kept_rightly(client: httpx2.AsyncClient, folder: Path, name: str, lines: int) -> None:
    """The transcript's tail is there, whole and where its offsets say; and no more of it than the limit allows."""
    begins, tail = await _tail(client, name)
    disk = sum(path.stat().st_blocks * 512 for path in folder.glob(f"{name}~*"))
    assert LIMIT <= len(tail) <= LIMIT + LIMIT // 4 + 64 * 1024
    assert disk < 1.5 * LIMIT
    numbers = [int(each[1]) for each in LINE.finditer(tail)]
    assert numbers == list(range(numbers[0], lines))
    assert tail.rstrip().count(f"{lines} lines".encode()) >= 1
    assert b"Dry." in tail
    for offset in (begins, begins + 1, begins + len(tail) // 2, begins + len(tail) - 7):
        answer = await client.get(f"/agents/{name}/transcript", params={"offset": offset, "limit": 1000})
        assert int(answer.headers["x-offset"]) == offset
        assert answer.content == tail[offset - begins : offset - begins + 1000]
    past = await client.get(f"/agents/{name}/transcript", params={"offset": begins + len(tail)})
    assert past.content == b""
    first = next(LINE.finditer(tail))
    length = len(first[0])
    # Lines are of one length, so a line's place tells how much was written before the first of them.
    assert 0 <= begins + first.start() - int(first[1]) * length < 64 * 1024


async def _tail(client: httpx2.AsyncClient, name: str) -> tuple[int, bytes]:
    """All that is kept, and where it begins."""
    answer = await client.get(f"/agents/{name}/transcript", params={"offset": 0, "limit": PIECE})
    begins, found = int(answer.headers["x-offset"]), answer.content
    while answer.content:
        answer = await client.get(f"/agents/{name}/transcript", params={"offset": begins + len(found), "limit": PIECE})
        assert int(answer.headers["x-offset"]) == begins + len(found)
        found += answer.content
    return begins, found


async def _told_rightly(client: httpx2.AsyncClient, name: str, head: int) -> None:
    """One turn that ran and ended; the flood itself is nobody's news."""
    state = (await client.get(f"/agents/{name}")).json()["state"]
    assert (state["name"], state["source"]) == ("idle", "title"), state
    asked: dict[str, Any] = {"since": head, "ticket": name, "kinds": "agent.*", "limit": 1000}
    told: list[Event] = json.loads((await client.get("/activity", params=asked)).content)["events"]
    assert [each["kind"] for each in told] == ["agent.running", "agent.idle"], told
