"""A cursor hands out exactly what was recorded, in order, however slow its reader is."""

import json
import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervisor.actors.activity import BATCH, ActivityLog, Cursor, Gap
from supervisor.actors.store import Store
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.errors import StoreError
from supervisor.domain.ids import AgentId, Seq, TicketId
from supervisor.domain.wire import to_event

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operator.db"


@pytest.fixture
async def store(path: Path, nursery: trio.Nursery) -> Store:
    store = Store(SqlDisk(path))
    await nursery.start(store.run)
    return store


@pytest.fixture
def log(store: Store) -> ActivityLog:
    return ActivityLog(store)


def said(kind: str = "a.b", **more: Any) -> Entry:
    return Entry(kind, NOON, **more)


async def record(store: Store, count: int, kind: str = "a.b") -> None:
    await store.commit(entries=[said(kind)] * count, durable=False)


def seqs(batch: Gap | tuple[str, ...]) -> list[int]:
    assert not isinstance(batch, Gap)
    return [json.loads(text)["seq"] for text in batch]


async def read(cursor: Cursor, count: int) -> list[int]:
    found: list[int] = []
    with trio.fail_after(20):
        while len(found) < count:
            batch = seqs(await cursor.next_batch())
            assert 1 <= len(batch) <= BATCH
            found += batch
    return found


def prune(path: Path, before: int) -> None:
    other = sqlite3.connect(path)
    other.execute("DELETE FROM entries WHERE seq < ?", (before,))
    other.commit()
    other.close()


async def test_an_entry_is_read_as_it_goes_over_the_wire(store: Store, log: ActivityLog) -> None:
    entry = said("agent.idle", ticket=TicketId("A-1"), agent=AgentId("A-1~1"), data={"why": "höok", "n": 1})
    cursor = log.cursor(Seq(0))
    await store.commit(entries=[entry])
    (text,) = await cursor.next_batch()
    assert text == to_event(Recorded(Seq(1), entry))
    assert json.loads(text) == {
        "seq": 1,
        "at": "2026-11-24T12:00:00.000000Z",
        "kind": "agent.idle",
        "ticket": "A-1",
        "agent": "A-1~1",
        "data": {"why": "höok", "n": 1},
    }


async def test_all_readers_share_one_encoding(store: Store, log: ActivityLog) -> None:
    one, two = log.cursor(Seq(0)), log.cursor(Seq(0))
    await record(store, 1)
    (first,), (second,) = await one.next_batch(), await two.next_batch()
    assert first is second


async def test_without_a_place_it_begins_now(store: Store, log: ActivityLog) -> None:
    await record(store, 5)
    cursor = log.cursor()
    await record(store, 2)
    assert await read(cursor, 2) == [6, 7]


async def test_it_begins_after_its_place_and_sleeps_until_there_is_more(
    store: Store, log: ActivityLog, nursery: trio.Nursery
) -> None:
    await record(store, 5)
    cursor = log.cursor(Seq(3))
    assert await read(cursor, 2) == [4, 5]
    found: list[list[int]] = []

    async def next_one() -> None:
        found.append(seqs(await cursor.next_batch()))

    nursery.start_soon(next_one)
    await wait_all_tasks_blocked()
    assert found == []
    await record(store, 3)
    await wait_all_tasks_blocked()
    assert found == [[6, 7, 8]]


@pytest.mark.parametrize("ring_size", [1, 7, 64, 4096])
async def test_batches_are_bounded_and_come_from_ring_and_store_alike(store: Store, ring_size: int) -> None:
    log = ActivityLog(store, ring_size)
    cursor = log.cursor(Seq(0))
    await record(store, 300)
    assert await read(cursor, 300) == list(range(1, 301))


async def test_what_was_recorded_before_it_was_made_is_there_too(store: Store) -> None:
    await record(store, 100)
    log = ActivityLog(store)
    await record(store, 10)
    assert await read(log.cursor(Seq(0)), 110) == list(range(1, 111))
    assert seqs(await log.page(Seq(0), 3)) == [1, 2, 3]


async def test_large_entries_make_the_ring_shorter_and_nothing_is_lost(store: Store) -> None:
    log = ActivityLog(store, ring_characters=10_000)
    for _ in range(20):
        await store.commit(entries=[said(data={"text": "x" * 2000})])
    assert len(log._ring) == 4
    assert await read(log.cursor(Seq(0)), 20) == list(range(1, 21))
    await store.commit(entries=[said(data={"text": "x" * 20_000})])
    assert await read(log.cursor(Seq(20)), 1) == [21]


LAST = said("the.end", agent=AgentId("one"), ticket=TicketId("two"))
"""Wanted by all of them, so that each knows when it has everything."""
WANTED = [
    Filter(),
    Filter(kinds=("a.b", "the.end")),
    Filter(kinds=("a.*", "c.d", "the.*")),
    Filter(agent=AgentId("one")),
    Filter(ticket=TicketId("two"), kinds=("c.*", "the.end")),
    Filter(kinds=("the.end",)),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ring_size", [1, 16, 4096])
async def test_every_reader_gets_exactly_what_it_wants_at_any_speed(store: Store, seed: int, ring_size: int) -> None:
    luck = random.Random(seed)
    log = ActivityLog(store, ring_size)
    everything: list[Recorded] = []
    found: list[tuple[Filter, list[str]]] = []

    async def write() -> None:
        while len(everything) < 600:
            entries = [
                said(
                    luck.choice(["a.b", "a.c", "c.d", "c.e"]),
                    agent=luck.choice([None, AgentId("one")]),
                    ticket=luck.choice([None, TicketId("two")]),
                )
                for _ in range(luck.choice([1, 1, 3, 40]))
            ]
            everything.extend(await store.commit(entries=entries, durable=False))
        everything.extend(await store.commit(entries=[LAST]))

    async def follow(wanted: Filter, pace: float) -> None:
        cursor, got = log.cursor(Seq(0), wanted), [""]
        while '"the.end"' not in got[-1]:
            batch = await cursor.next_batch()
            assert not isinstance(batch, Gap)
            got += batch
            await trio.sleep(luck.uniform(0, pace))
        found.append((wanted, got[1:]))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for wanted in WANTED:
                for pace in (0, 0.01):
                    nursery.start_soon(follow, wanted, pace)
            nursery.start_soon(write)
    for wanted, got in found:
        assert got == [to_event(each) for each in everything if wanted.wants(each.entry)]
    assert len(found) == 2 * len(WANTED)


async def test_a_sleeper_is_moved_past_what_it_does_not_want(path: Path, nursery: trio.Nursery) -> None:
    store = Store(SqlDisk(path))
    await nursery.start(store.run)
    log = ActivityLog(store, ring_size=2)
    cursor = log.cursor(None, Filter(kinds=("wanted.*",)))
    found: list[list[int]] = []

    async def next_one() -> None:
        found.append(seqs(await cursor.next_batch()))

    nursery.start_soon(next_one)
    await wait_all_tasks_blocked()
    await record(store, 100)
    prune(path, 100)  # whoever went back for them would find a gap
    await record(store, 1, "wanted.now")
    await wait_all_tasks_blocked(0.01)
    assert found == [[101]]
    assert cursor.after == 101


async def test_one_that_finds_nothing_in_the_store_sleeps_too(store: Store, nursery: trio.Nursery) -> None:
    log = ActivityLog(store, ring_size=2)
    await record(store, 200)
    cursor = log.cursor(Seq(0), Filter(kinds=("wanted.*",)))
    nursery.start_soon(cursor.next_batch)
    with trio.fail_after(20):
        await wait_all_tasks_blocked(0.05)
    assert cursor.after == 200


async def test_readers_that_left_leave_nothing_behind(store: Store, log: ActivityLog) -> None:
    async with trio.open_nursery() as nursery:
        for n in range(50):
            nursery.start_soon(log.cursor(None, Filter(agent=AgentId(f"{n // 2}"))).next_batch)
        await wait_all_tasks_blocked()
        assert len(log._asleep) == 25
        nursery.cancel_scope.cancel()
    assert not log._asleep


# --- gaps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [Filter(), Filter(kinds=("a.*",)), Filter(kinds=("never.*", "late.*"))])
async def test_what_was_pruned_is_said_and_the_rest_follows(store: Store, path: Path, wanted: Filter) -> None:
    log = ActivityLog(store, ring_size=10)
    await record(store, 200)
    prune(path, 151)
    cursor = log.cursor(Seq(20), wanted)
    assert await cursor.next_batch() == Gap(Seq(20), Seq(151))
    assert log.oldest == 151
    await record(store, 1, "late.one")
    late = [201] if wanted.wants(said("late.one")) else []
    rest = [seq for seq in range(151, 201) if wanted.wants(said())] + late
    assert await read(cursor, len(rest)) == rest


async def test_pruning_under_a_slow_reader_is_said_too(store: Store, path: Path) -> None:
    log = ActivityLog(store, ring_size=10)
    cursor = log.cursor(Seq(0))
    await record(store, 300)
    assert await read(cursor, BATCH) == list(range(1, 65))
    prune(path, 101)
    assert await cursor.next_batch() == Gap(Seq(64), Seq(101))
    assert await read(cursor, 200) == list(range(101, 301))


async def test_pruning_just_up_to_its_place_is_no_gap(store: Store, path: Path) -> None:
    log = ActivityLog(store, ring_size=10)
    await record(store, 200)
    prune(path, 101)
    assert await read(log.cursor(Seq(100)), 100) == list(range(101, 201))


async def test_a_place_beyond_the_head_belongs_to_another_log(store: Store, log: ActivityLog) -> None:
    await record(store, 5)
    cursor = log.cursor(Seq(900))
    assert await cursor.next_batch() == Gap(Seq(900), Seq(1))
    assert await read(cursor, 5) == [1, 2, 3, 4, 5]


async def test_a_log_without_entries_has_no_gap(store: Store, log: ActivityLog) -> None:
    assert (log.oldest, log.head) == (1, 0)
    cursor = log.cursor(Seq(0))
    await record(store, 1)
    assert await read(cursor, 1) == [1]


# --- pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ring_size", [1, 4096])
async def test_pages_join(store: Store, ring_size: int) -> None:
    log = ActivityLog(store, ring_size)
    for n in range(1, 41):
        await record(store, 1, "even.x" if n % 2 == 0 else "odd.x")
    found: list[int] = []
    while page := seqs(await log.page(Seq(found[-1] if found else 0), 7)):
        assert len(page) <= 7
        found += page
    assert found == list(range(1, 41))
    assert seqs(await log.page(Seq(30), 3, Filter(kinds=("even.*",)))) == [32, 34, 36]
    assert await log.page(Seq(40), 10) == ()
    assert await log.page(Seq(1000), 10) == ()


async def test_a_store_that_fails_leaves_the_cursor_where_it_stood(path: Path) -> None:
    cursors: list[Cursor] = []
    async with trio.open_nursery() as nursery:
        store = Store(SqlDisk(path))
        await nursery.start(store.run)
        log = ActivityLog(store, ring_size=2)
        cursors.append(log.cursor(Seq(3)))
        await record(store, 100)
        nursery.cancel_scope.cancel()
    with pytest.raises(StoreError):
        await cursors[0].next_batch()
    assert cursors[0].after == 3
