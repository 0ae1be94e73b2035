"""One writer for many askers: who waits together is stored together, and nobody pays for another's mistake."""

import os
import random
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervisor.actors import store as store_module
from supervisor.actors.store import Store
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.errors import ActorGone, Conflict, Invalid, StoreCorrupt, StoreError
from supervisor.domain.ids import Seq, TicketId
from supervisor.domain.ticket import Body, Queued, Ticket
from supervisor.ports import Record, Setting

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class WatchedDisk(SqlDisk):
    """The real one; it tells whether commits were durable, and when one has ended."""

    def __init__(self, path: Path, busy_timeout: float = 60.0) -> None:
        super().__init__(path, busy_timeout)
        self.path = path
        self.durable: list[bool] = []
        self.ended = threading.Event()
        self.then: Callable[[], None] = lambda: None
        """Called in the writer's thread when a commit is on the disk and nobody knows it yet."""

    def commit(self, puts: Sequence[Record], entries: Sequence[Recorded], durable: bool) -> None:
        self.durable.append(durable)
        try:
            super().commit(puts, entries, durable)
            self.then()
        finally:
            self.ended.set()

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """No commit gets on until the yielded function is called or the block is left."""
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield lambda: other.execute("ROLLBACK") and None
        finally:
            other.close()


@pytest.fixture
def disk(tmp_path: Path) -> WatchedDisk:
    return WatchedDisk(tmp_path / "operator.db")


@pytest.fixture
async def store(disk: WatchedDisk, nursery: trio.Nursery) -> Store:
    store = Store(disk)
    await nursery.start(store.run)
    return store


def said(text: str) -> Entry:
    return Entry("a.b", NOON, data={"text": text})


def ticket(name: str, external_id: str) -> Ticket:
    fields: dict[str, Any] = {"title": "t", "type": "TASK", "status": Queued(NOON)}
    return Ticket(TicketId(name), created_at=NOON, updated_at=NOON, collection="c", external_id=external_id, **fields)


def collected(store: Store) -> list[list[int]]:
    """The entries of each transaction from now on, by their `seq`."""
    transactions: list[list[int]] = []
    store.subscribe(lambda entries: transactions.append([each.seq for each in entries]))
    return transactions


async def outcomes(*asks: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What each ask returned or raised, asked in this order at once."""
    found: list[Any] = [None] * len(asks)

    async def one(place: int) -> None:
        try:
            found[place] = await asks[place]()
        except Exception as error:
            found[place] = error

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for place in range(len(asks)):
                nursery.start_soon(one, place)
                await wait_all_tasks_blocked()
    return found


async def test_an_answer_means_that_it_is_stored(store: Store, disk: WatchedDisk) -> None:
    told = await store.commit(Setting("a", "1"), entries=[said("one"), said("two")])
    assert told == (Recorded(Seq(1), said("one")), Recorded(Seq(2), said("two")))
    other = sqlite3.connect(disk.path)
    assert other.execute("SELECT count(*) FROM entries").fetchone() == (2,)
    other.close()
    assert store.head == 2
    assert await store.get(Setting, "a") == Setting("a", "1")
    assert await store.load(Setting, name="a") == [Setting("a", "1")]
    assert await store.load(Setting, name="b") == []
    assert await store.entries(Seq(1), 10) == [told[1]]
    assert await store.entries(Seq(0), 10, Filter(kinds=("x.*",))) == []
    assert await store.bounds() == (1, 2)


async def test_it_goes_on_counting_where_it_stood(disk: WatchedDisk) -> None:
    for round_ in range(3):
        async with trio.open_nursery() as nursery:
            store = Store(disk)
            await nursery.start(store.run)
            assert (store.oldest, store.head, store.epoch) == (1, round_, disk.epoch)
            (told,) = await store.commit(entries=[said("x")])
            assert told.seq == round_ + 1
            nursery.cancel_scope.cancel()


async def test_who_waits_together_is_stored_together(store: Store, disk: WatchedDisk) -> None:
    transactions = collected(store)
    async with trio.open_nursery() as nursery:
        with disk.locked() as release:
            for n in range(21):
                nursery.start_soon(lambda n=n: store.commit(Setting(f"{n}", "1"), entries=[said(f"{n}")]))
                await wait_all_tasks_blocked()
            assert transactions == []
            release()
    assert transactions == [[1], list(range(2, 22))]
    assert [each.entry.data["text"] for each in await store.entries(Seq(0), 99)] == [f"{n}" for n in range(21)]
    assert len(await store.load(Setting)) == 21


async def test_the_line_is_bounded_and_who_finds_no_place_waits(disk: WatchedDisk, nursery: trio.Nursery) -> None:
    store = Store(disk, in_line=8)
    await nursery.start(store.run)
    transactions = collected(store)
    async with trio.open_nursery() as askers:
        with disk.locked() as release:
            for n in range(21):
                askers.start_soon(lambda n=n: store.commit(entries=[said(f"{n}")]))
                await wait_all_tasks_blocked()
            release()
    assert list(chain(*transactions)) == list(range(1, 22))
    assert max(map(len, transactions)) == 8


async def test_a_transaction_is_durable_if_one_member_needs_it(store: Store, disk: WatchedDisk) -> None:
    await store.commit(Setting("a", "1"), durable=False)
    await store.commit(Setting("a", "2"))
    with disk.locked() as release:
        async with trio.open_nursery() as nursery:
            for durable in (False, False, True, False):
                nursery.start_soon(lambda durable=durable: store.commit(Setting("a", "3"), durable=durable))
                await wait_all_tasks_blocked()
            release()
    assert disk.durable == [False, True, False, True]


async def test_a_mistake_fails_only_the_one_who_made_it(store: Store, disk: WatchedDisk) -> None:
    await store.commit(ticket("A-1", "7"), entries=[said("first")])
    with disk.locked() as release:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: store.commit(Setting("held", "1")))
            await wait_all_tasks_blocked()

            async def release_soon() -> None:
                await wait_all_tasks_blocked(0.05)
                release()

            nursery.start_soon(release_soon)
            found = await outcomes(
                lambda: store.commit(Setting("a", "1"), entries=[said("a1"), said("a2")]),
                lambda: store.commit(Setting("b", "1"), ticket("A-2", "7"), entries=[said("b")]),
                lambda: store.commit(Setting("c", "1"), entries=[said("c")]),
                lambda: store.commit(Setting("d", "1"), entries=[Entry("a.b", NOON, data={"x": float("nan")})]),
                lambda: store.commit(object(), entries=[said("e")]),  # type: ignore[arg-type]
                lambda: store.commit(entries=[said("f")]),
            )
    assert [each.seq for each in found[0]] == [2, 3]
    assert type(found[1]) is Conflict
    assert [each.seq for each in found[2]] == [4]
    assert type(found[3]) is Invalid
    assert type(found[4]) is KeyError
    assert [each.seq for each in found[5]] == [5]
    assert [each.name for each in await store.load(Setting)] == ["a", "c", "held"]
    assert [each.entry.data["text"] for each in await store.entries(Seq(0), 99)] == ["first", "a1", "a2", "c", "f"]


async def test_a_disk_that_fails_fails_all_takes_no_number_and_may_recover(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    disk = WatchedDisk(tmp_path / "operator.db", busy_timeout=0.05)
    store = Store(disk)
    await nursery.start(store.run)
    transactions = collected(store)
    with disk.locked():
        found = await outcomes(*[lambda: store.commit(Setting("a", "1"), entries=[said("x")])] * 5)
        assert [type(each) for each in found] == [StoreError] * 5
        assert len({id(each) for each in found}) == 5
        assert all(each.hint for each in found)
        assert await store.load(Setting) == []
    assert transactions == []
    (told,) = await store.commit(Setting("a", "1"), entries=[said("y")])
    assert told.seq == 1
    assert transactions == [[1]]


async def test_an_asker_that_is_cancelled_does_not_take_its_request_back(store: Store, disk: WatchedDisk) -> None:
    with disk.locked() as release:
        async with trio.open_nursery() as nursery:
            for name in ("in hand", "in line"):
                nursery.start_soon(lambda name=name: store.commit(Setting(name, "1"), entries=[said(name)]))
                await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        release()
    (told,) = await store.commit(entries=[said("after")])
    assert told.seq == 3
    assert [each.name for each in await store.load(Setting)] == ["in hand", "in line"]


async def test_entries_are_handed_over_after_they_are_stored_and_before_the_answer(
    store: Store, disk: WatchedDisk
) -> None:
    order: list[object] = []

    def listen(entries: Sequence[Recorded]) -> None:
        other = sqlite3.connect(disk.path)
        order.append((other.execute("SELECT count(*) FROM entries").fetchone()[0], store.head, len(entries)))
        other.close()

    store.subscribe(listen)
    await store.commit(entries=[said("x"), said("y")])
    order.append("answered")
    await store.commit(Setting("a", "1"))
    assert order == [(2, 2, 2), "answered"]


async def test_entries_that_nobody_was_told_of_are_not_read_either(store: Store, disk: WatchedDisk) -> None:
    await store.commit(entries=[said("x")])
    seen: list[int] = []
    disk.then = lambda: seen.extend(each.seq for each in trio.from_thread.run(store.entries, Seq(0), 10))
    await store.commit(entries=[said("y")])
    assert seen == [1]
    assert len(await store.entries(Seq(0), 10)) == 2


async def test_reads_do_not_wait_for_the_writer(store: Store, disk: WatchedDisk) -> None:
    await store.commit(Setting("a", "1"), entries=[said("x")])
    with disk.locked() as release:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.commit, Setting("a", "2"))
            await wait_all_tasks_blocked()
            with trio.fail_after(5):
                assert await store.load(Setting) == [Setting("a", "1")]
                assert len(await store.entries(Seq(0), 10)) == 1
            release()
    assert await store.load(Setting) == [Setting("a", "2")]


async def test_what_is_in_line_is_stored_before_it_ends(disk: WatchedDisk) -> None:
    store = Store(disk, in_line=8)
    transactions = collected(store)
    found: list[Any] = []

    async def ask(n: int) -> None:
        found.append(await store.commit(Setting(f"{n:02}", "1"), entries=[said(f"{n}")]))

    with trio.fail_after(30):
        async with trio.open_nursery() as askers, trio.open_nursery() as nursery:
            await nursery.start(store.run)
            with disk.locked() as release:
                for n in range(20):
                    askers.start_soon(ask, n)
                    await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
                release()
    assert list(chain(*transactions)) == list(range(1, 21))
    assert len(found) == 20
    assert os.listdir(disk.path.parent) == ["operator.db"]
    with pytest.raises(ActorGone):
        await store.commit(Setting("late", "1"))
    with pytest.raises(StoreError):
        await store.load(Setting)


async def test_a_disk_that_hangs_does_not_keep_it_from_ending(
    disk: WatchedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "DRAIN_WITHIN", 0.1)
    store = Store(disk)
    found: list[Any] = []

    async def ask(n: int) -> None:
        found.extend(await outcomes(lambda: store.commit(Setting(f"{n}", "1"), entries=[said(f"{n}")])))

    with ExitStack() as stack, trio.fail_after(10):
        async with trio.open_nursery() as askers, trio.open_nursery() as nursery:
            await nursery.start(store.run)
            stack.enter_context(disk.locked())
            for n in range(3):
                askers.start_soon(ask, n)
                await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert [type(each) for each in found] == [ActorGone] * 3
        assert not disk.ended.is_set()
    # The commit that hung was one transaction: it is there whole now. The others were never begun.
    assert disk.ended.wait(30)
    disk.close()
    disk.open()
    assert (disk.load(Setting), disk.head()) == ([Setting("0", "1")], (1, 1))
    disk.close()


async def test_a_database_that_cannot_be_opened_is_said_to_whoever_starts_it(
    disk: WatchedDisk, nursery: trio.Nursery
) -> None:
    disk.path.write_text("these are my notes")
    store = Store(disk)
    with pytest.raises(StoreCorrupt):
        await nursery.start(store.run)
    with pytest.raises(ActorGone):
        await store.commit(Setting("a", "1"))


async def test_a_crash_of_the_store_leaves_no_asker_waiting(disk: WatchedDisk) -> None:
    store = Store(disk)

    def crash(_: Sequence[Recorded]) -> None:
        raise RuntimeError("crashed")

    store.subscribe(crash)
    found: list[Any] = []
    with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            with trio.CancelScope(shield=True):
                found = await outcomes(lambda: store.commit(entries=[said("x")]))
    assert [type(each) for each in found] == [ActorGone]


@pytest.mark.parametrize("seed", range(3))
async def test_numbers_have_no_gaps_whatever_askers_do(store: Store, seed: int) -> None:
    luck = random.Random(seed)
    answered: list[Recorded] = []

    async def asker(name: int) -> None:
        for n in range(20):
            puts: list[Record] = [Body(TicketId(f"{name}-{n}"), "x")]
            if luck.random() < 0.2:
                puts += [ticket(f"{name}-{n}", "same")]
            entries = [said(f"{name}-{n}-{each}") for each in range(luck.randrange(3))]
            with trio.move_on_after(luck.choice([30, 30, 0.001])):
                try:
                    answered.extend(await store.commit(*puts, entries=entries, durable=luck.random() < 0.1))
                except Conflict:
                    pass

    async with trio.open_nursery() as nursery:
        for name in range(20):
            nursery.start_soon(asker, name)
    await store.commit()
    stored = await store.entries(Seq(0), 10_000)
    assert [each.seq for each in stored] == list(range(1, store.head + 1))
    assert {each.seq: each for each in stored}.items() >= {each.seq: each for each in answered}.items()
    assert len({each.seq for each in answered}) == len(answered)
    assert len(await store.load(Ticket)) == 1
    # Whatever was told has the records that it was told with.
    bodies = {each.ticket_id for each in await store.load(Body)}
    assert {str(each.entry.data["text"]).rpartition("-")[0] for each in stored} <= bodies
