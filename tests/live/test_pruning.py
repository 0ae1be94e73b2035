"""A store that forgets: nobody who reads or writes meanwhile notices, and who comes too late is told."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio_websocket

from supervisor.actors.activity import ActivityLog, Cursor, Gap
from supervisor.actors.store import Store, prune_for_ever
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter
from supervisor.domain.ids import Seq
from supervisor.domain.retention import Retention
from tests.fakes.served import TOKEN, serving

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEEP = Retention(entries=50, age=timedelta(0))


@pytest.fixture
async def store(tmp_path: Path, nursery: trio.Nursery) -> Store:
    store = Store(SqlDisk(tmp_path / "operator.db"))
    await nursery.start(store.run)
    return store


async def record(store: Store, count: int) -> None:
    await store.commit(entries=[Entry("a.b", NOON)] * count, durable=False)


async def test_only_those_who_come_too_late_are_told_of_a_gap(store: Store) -> None:
    log = ActivityLog(store, ring_size=10)
    await record(store, 1000)
    just_missed, late = log.cursor(Seq(949)), log.cursor(Seq(3))
    filtered = log.cursor(Seq(3), Filter(kinds=("a.*",)))
    batches = 0
    while await store.prune(KEEP, NOON):
        batches += 1
    assert batches > 1
    assert (log.oldest, log.head) == (951, 1000)
    for cursor, place in ((just_missed, 949), (late, 3), (filtered, 3)):
        assert await cursor.next_batch() == Gap(Seq(place), Seq(951))
        assert await all_of(cursor) == list(range(951, 1001))
    assert await all_of(log.cursor(Seq(950))) == list(range(951, 1001))
    page = await log.page(Seq(0), 3)
    assert [json.loads(text)["seq"] for text in page] == [951, 952, 953]


async def all_of(cursor: Cursor) -> list[int]:
    found: list[int] = []
    with trio.fail_after(5):
        while not found or found[-1] < 1000:
            batch = await cursor.next_batch()
            assert not isinstance(batch, Gap), batch
            found += [json.loads(text)["seq"] for text in batch]
    return found


async def test_a_stream_says_the_gap_and_goes_on() -> None:
    async with serving() as served:
        await served.house.happen("a.b", times=5000)  # more than the ring holds
        while await served.house.store.prune(KEEP, NOON):
            pass
        url = f"{served.stream_url}?since=7"
        headers = [(b"Authorization", f"Bearer {TOKEN}".encode())]
        async with trio_websocket.open_websocket_url(url, extra_headers=headers) as socket:
            with trio.fail_after(5):
                hello = json.loads(await socket.get_message())["hello"]
                assert (hello["oldest"], hello["head"]) == (4951, 5000)
                assert json.loads(await socket.get_message()) == {"gap": {"after": 7, "oldest": 4951}}
                events = json.loads(await socket.get_message())["events"]
        assert [each["seq"] for each in events] == list(range(4951, 5001))


async def test_who_writes_and_reads_meanwhile_loses_nothing(store: Store) -> None:
    log = ActivityLog(store)
    await record(store, 3000)
    read: list[int] = []

    async def follow(cursor: Cursor, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            batch = await cursor.next_batch()
            assert not isinstance(batch, Gap)
            read.extend(json.loads(text)["seq"] for text in batch)

    async with trio.open_nursery() as nursery:
        await nursery.start(follow, log.cursor())
        nursery.start_soon(prune_for_ever, store, KEEP, lambda: NOON, 0.0, 0.0)
        for _ in range(200):
            await record(store, 5)
        with trio.fail_after(10):
            while log.head - log.oldest >= 50 or len(read) < 1000:  # noqa: ASYNC110
                await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
    assert read == list(range(3001, 4001))
    assert await store.bounds() == (3951, 4000)


async def test_a_store_that_cannot_delete_is_tried_again(tmp_path: Path) -> None:
    """Somebody else has the database open, and keeps it."""
    disk = SqlDisk(tmp_path / "other.db", busy_timeout=0.01)
    another = Store(disk)
    async with trio.open_nursery() as nursery:
        await nursery.start(another.run)
        await record(another, 100)
        keeper = sqlite3.connect(tmp_path / "other.db", isolation_level=None)
        keeper.execute("BEGIN IMMEDIATE")
        tries: list[datetime] = []

        def now() -> datetime:
            tries.append(NOON)
            return NOON

        nursery.start_soon(prune_for_ever, another, KEEP, now, 0.01, 0.01)
        with trio.fail_after(10):
            while len(tries) < 3:  # noqa: ASYNC110  (the third begins when the second has failed)
                await trio.sleep(0.005)
            assert await another.bounds() == (1, 100)
            keeper.execute("ROLLBACK")
            keeper.close()
            while another.oldest != 51:  # noqa: ASYNC110
                await trio.sleep(0.005)
        nursery.cancel_scope.cancel()
