"""How fast the store is. Prints rates; for another disk's: `python -m tests.bench.bench_store FOLDER`."""

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing

from supervisor.actors.activity import ActivityLog, Gap
from supervisor.actors.store import Store
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.agent import Activity, Proof, Running, Source
from supervisor.domain.ids import AgentId, Seq, TicketId
from supervisor.domain.ticket import Queued, Ticket

pytestmark = pytest.mark.bench

NOW = datetime.now(UTC)


def ticket(n: int) -> Ticket:
    return Ticket(TicketId(f"A-{n}"), "t" * 60, "TASK", Queued(NOW), NOW, NOW, labels=("backend", "urgent"))


def activity(n: int) -> Activity:
    return Activity(AgentId(f"A-{n}~1"), Running(Proof(NOW, Source.HOOK, "prompt submitted")))


def entry(kind: str = "agent.running") -> Entry:
    data = {"source": "hook", "evidence": "x" * 150}
    return Entry(kind, NOW, ticket=TicketId("A-1"), agent=AgentId("A-1~1"), data=dict(data))


def line(what: str, count: float, seconds: float, unit: str = "/s") -> None:
    print(f"{what:58} {count / seconds:12,.0f} {unit}")


def on_the_disk(path: Path) -> None:
    disk = SqlDisk(path)
    begun = time.perf_counter()
    disk.open()
    line("disk: create", 1000 * (time.perf_counter() - begun), 1, "ms")
    for durable, name in ((False, "NORMAL"), (True, "FULL")):
        begun = time.perf_counter()
        for n in range(2000):
            disk.commit([activity(n % 500)], [], durable)
        line(f"disk: commits of one record, {name}", 2000, time.perf_counter() - begun)
    begun = time.perf_counter()
    for batch in range(300):
        disk.commit([], [Recorded(Seq(batch * 100 + n), entry()) for n in range(1, 101)], False)
    line("disk: entries, 100 a commit, NORMAL", 30_000, time.perf_counter() - begun)
    begun = time.perf_counter()
    disk.commit([ticket(n) for n in range(10_000)], [], True)
    line("disk: 10,000 tickets in one commit", 1000 * (time.perf_counter() - begun), 1, "ms")
    begun = time.perf_counter()
    disk.load(Ticket)
    line("disk: load 10,000 tickets", 1000 * (time.perf_counter() - begun), 1, "ms")
    begun = time.perf_counter()
    for n in range(1000):
        disk.get(Ticket, f"A-{n}")
    line("disk: gets", 1000, time.perf_counter() - begun)
    disk.close()
    begun = time.perf_counter()
    disk.open()
    size = path.stat().st_size / 1e6
    line(f"disk: open with its check, {size:.0f} MB", 1000 * (time.perf_counter() - begun), 1, "ms")
    disk.close()


async def commits(store: Store, askers: int, each: int, durable: bool) -> None:
    async def ask(asker: int) -> None:
        for _ in range(each):
            await store.commit(activity(asker), entries=[entry()], durable=durable)

    begun = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for asker in range(askers):
            nursery.start_soon(ask, asker)
    name = "FULL" if durable else "NORMAL"
    line(f"store: record and entry, {askers} askers, {name}", askers * each, time.perf_counter() - begun)


async def catching_up(log: ActivityLog) -> None:
    cursor, count, begun = log.cursor(Seq(0)), 0, time.perf_counter()
    while cursor.after < log.head:
        batch = await cursor.next_batch()
        assert not isinstance(batch, Gap)
        count += len(batch)
    line("activity: one cursor from the beginning", count, time.perf_counter() - begun)


async def paced(store: Store, log: ActivityLog, what: str, wanted: Callable[[int], Filter]) -> None:
    """100 subscribers beside 100 commits a second for 3 s: what it costs, and how late the entries are."""
    late: list[float] = []
    sent: dict[int, float] = {}

    async def follow(n: int) -> None:
        cursor = log.cursor(None, wanted(n))
        while True:
            await cursor.next_batch()
            late.append(time.perf_counter() - sent.get(cursor.after, time.perf_counter()))

    used = -1.0
    async with trio.open_nursery() as nursery:
        for n in range(100):
            nursery.start_soon(follow, n)
        await trio.testing.wait_all_tasks_blocked()
        store.subscribe(lambda told: sent.update({each.seq: time.perf_counter() for each in told}))
        used = time.process_time()
        begun = trio.current_time()
        for n in range(300):
            await trio.sleep_until(begun + n * 0.01)
            await store.commit(entries=[entry()], durable=False)
        await trio.testing.wait_all_tasks_blocked()
        used = time.process_time() - used
        nursery.cancel_scope.cancel()
    line(f"activity: 100 {what} x 100 events/s, share of a core", 100 * used, 3, "%")
    if late:
        late.sort()
        line("          recorded to handed out, p99", 1e6 * late[int(len(late) * 0.99)], 1, "us")


async def with_the_store(path: Path) -> None:
    store = Store(SqlDisk(path))
    log = ActivityLog(store)
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        runs: list[tuple[int, int, bool]] = [(1, 1000, False), (1, 500, True), (100, 50, False), (100, 50, True)]
        for askers, each, durable in runs:
            await commits(store, askers, each, durable)
        await catching_up(log)
        measures: dict[str, Callable[[int], Filter]] = {
            "no subscribers (wanting nothing)": lambda _: Filter(kinds=("never",)),
            "idle subscribers (other agents)": lambda n: Filter(agent=AgentId(f"{n}")),
            "subscribers to all": lambda _: Filter(),
        }
        for what, wanted in measures.items():
            await paced(store, log, what, wanted)
        nursery.cancel_scope.cancel()


def test_the_disk(tmp_path: Path) -> None:
    print()
    on_the_disk(tmp_path / "one.db")


async def test_the_store(tmp_path: Path) -> None:
    print()
    await with_the_store(tmp_path / "two.db")


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=folder) as made:
        on_the_disk(Path(made) / "one.db")
        task: Callable[[Path], Awaitable[None]] = with_the_store
        trio.run(task, Path(made) / "two.db")


if __name__ == "__main__":
    main()
