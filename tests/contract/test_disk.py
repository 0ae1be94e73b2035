"""What every Disk does, whatever it is made of."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain import review
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.agent import Activity, Agent, Delivery, DeliveryState
from supervisor.domain.errors import Conflict, Invalid, StoreError
from supervisor.domain.ids import AgentId, DeliveryId, Seq, TicketId
from supervisor.domain.phases import Progress, Working
from supervisor.domain.review import Review
from supervisor.domain.ticket import BoardWrite, Body, CollectionState, Done, Queued, Ticket, WriteKind
from supervisor.ports import Disk, Record, Setting
from tests import strategies

Make = Callable[[Path], Disk]
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEYS: dict[type[Record], str] = {
    Ticket: "id",
    Body: "ticket_id",
    Agent: "id",
    Activity: "agent_id",
    Delivery: "id",
    Progress: "agent_id",
    Review: "id",
    BoardWrite: "id",
    CollectionState: "name",
    Setting: "name",
}
MAKERS = [pytest.param(SqlDisk, id="sqlite")]


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.fixture
def disk(make: Make, tmp_path: Path) -> Iterator[Disk]:
    disk = make(tmp_path / "operator.db")
    disk.open()
    yield disk
    disk.close()


def ticket(name: str, **more: Any) -> Ticket:
    fields: dict[str, Any] = {"title": "t", "type": "TASK", "status": Queued(NOON)}
    fields |= {"created_at": NOON, "updated_at": NOON}
    return Ticket(id=TicketId(name), **(fields | more))


def entry(seq: int, kind: str = "a.b", **more: Any) -> Recorded:
    return Recorded(Seq(seq), Entry(kind, NOON + timedelta(seconds=seq), **more))


def test_a_new_one_is_empty(disk: Disk) -> None:
    assert disk.epoch
    assert disk.head() == (1, 0)
    assert disk.entries(Seq(0), 10, Filter()) == []
    for kind in get_args(Record):
        assert disk.load(kind) == []
        assert disk.get(kind, "x") is None


def test_records_and_entries_come_back_together(disk: Disk) -> None:
    disk.commit([ticket("A-1"), Body(TicketId("A-1"), "text")], [entry(1), entry(2)], durable=True)
    assert disk.get(Ticket, "A-1") == ticket("A-1")
    assert disk.get(Body, "A-1") == Body(TicketId("A-1"), "text")
    assert disk.entries(Seq(0), 10, Filter()) == [entry(1), entry(2)]
    assert disk.head() == (1, 2)


def test_a_record_replaces_the_one_of_its_key_and_the_later_put_wins(disk: Disk) -> None:
    disk.commit([Setting("a", "1"), Setting("b", "1")], [], durable=False)
    disk.commit([Setting("a", "2"), Setting("c", "1"), Setting("a", "3")], [], durable=False)
    disk.commit([Setting("b", "2")], [], durable=False)
    assert disk.load(Setting) == [Setting("a", "3"), Setting("b", "2"), Setting("c", "1")]


def test_many_records_in_one_commit(disk: Disk) -> None:
    disk.commit([Setting(f"{n:05}", "old") for n in range(0, 3000, 2)], [], durable=True)
    disk.commit([Setting(f"{n:05}", "new") for n in range(3000)], [], durable=True)
    assert disk.load(Setting) == [Setting(f"{n:05}", "new") for n in range(3000)]


def test_nothing_to_commit_is_no_error(disk: Disk) -> None:
    disk.commit([], [], durable=True)
    assert disk.head() == (1, 0)


def test_records_are_found_by_their_indexed_fields_in_order_of_their_keys(disk: Disk) -> None:
    done, waiting = ticket("b", status=Done(NOON)), ticket("a", collection="one", external_id="7")
    other = ticket("c", collection="two", external_id="7")
    disk.commit([other, done, waiting], [], durable=False)
    assert disk.load(Ticket) == [waiting, done, other]
    assert disk.load(Ticket, {"status": "queued"}) == [waiting, other]
    assert disk.load(Ticket, {"status": "queued", "collection": "two"}) == [other]
    assert disk.load(Ticket, {"external_id": "7", "collection": "one"}) == [waiting]
    assert disk.load(Ticket, {"id": "b"}) == [done]
    disk.commit([evolve(waiting, status=Done(NOON))], [], durable=False)
    assert disk.load(Ticket, {"status": "queued"}) == [other]


def test_the_order_is_that_of_the_keys_and_of_nothing_else(disk: Disk) -> None:
    one = Progress(TicketId("z"), AgentId("1"), Working(DeliveryId("d")))
    two = Progress(TicketId("a"), AgentId("2"), Working(DeliveryId("d")))
    disk.commit([two, one], [], durable=False)
    assert disk.load(Progress) == [one, two]


def test_flags_states_and_numbers_are_looked_up_too(disk: Disk) -> None:
    def write(number: int, done: bool) -> BoardWrite:
        name = TicketId("A-1")
        return BoardWrite(f"w{number}", number, "one", name, "7", WriteKind.DONE, NOON, done=done)

    disk.commit([write(2, False), write(1, True), write(3, False)], [], durable=False)
    assert [each.number for each in disk.load(BoardWrite, {"done": False, "collection": "one"})] == [2, 3]
    assert [each.number for each in disk.load(BoardWrite, {"number": 1})] == [1]
    delivery = Delivery(DeliveryId("d"), AgentId("A-1~1"), "text", NOON, DeliveryState.TYPED)
    disk.commit([delivery], [], durable=False)
    assert disk.load(Delivery, {"agent_id": "A-1~1", "state": DeliveryState.TYPED}) == [delivery]
    assert disk.load(Delivery, {"state": DeliveryState.PENDING}) == []


def test_a_field_that_is_not_looked_up_is_a_mistake_of_the_caller(disk: Disk) -> None:
    with pytest.raises(ValueError, match="title"):
        disk.load(Ticket, {"title": "t"})


@pytest.mark.parametrize(
    ("spoiled", "error"),
    [
        (ticket("A-2", collection="one", external_id="7"), Conflict),
        (Setting("half \ud83d", "v"), Invalid),
        (ticket("A-2", collection="half \ud83d"), Invalid),
        (BoardWrite("w", 2**70, "c", TicketId("A-1"), "7", WriteKind.DONE, NOON), Invalid),
    ],
    ids=["external id twice", "key", "field", "number"],
)
def test_a_record_at_fault_is_refused_and_nothing_of_its_commit_is_written(
    disk: Disk, spoiled: Record, error: type[Exception]
) -> None:
    disk.commit([ticket("A-1", collection="one", external_id="7")], [entry(1)], durable=True)
    with pytest.raises(error):
        disk.commit([Setting("a", "1"), spoiled, Setting("b", "1")], [entry(2)], durable=True)
    assert disk.load(Setting) == []
    assert disk.head() == (1, 1)
    disk.commit([Setting("a", "1")], [entry(2)], durable=True)
    assert disk.head() == (1, 2)


def test_an_entry_at_fault_is_refused_alike(disk: Disk) -> None:
    disk.commit([], [entry(1)], durable=True)
    with pytest.raises(Conflict):
        disk.commit([Setting("a", "1")], [entry(2), entry(1)], durable=True)
    with pytest.raises(Invalid):
        disk.commit([Setting("a", "1")], [entry(2, data={"x": float("inf")})], durable=True)
    assert disk.head() == (1, 1)
    assert disk.load(Setting) == []


def test_tickets_without_an_external_id_do_not_collide(disk: Disk) -> None:
    disk.commit([ticket("a"), ticket("b"), ticket("c", collection="one"), ticket("d", collection="one")], [], True)
    assert len(disk.load(Ticket)) == 4


def test_entries_are_read_in_portions(disk: Disk) -> None:
    disk.commit([], [entry(n) for n in range(1, 11)], durable=False)
    assert [each.seq for each in disk.entries(Seq(0), 3, Filter())] == [1, 2, 3]
    assert [each.seq for each in disk.entries(Seq(3), 3, Filter())] == [4, 5, 6]
    assert [each.seq for each in disk.entries(Seq(8), 3, Filter())] == [9, 10]
    assert disk.entries(Seq(10), 3, Filter()) == []


NAMES = st.sampled_from(["a", "A", "a.b", "a.b.c", "a.", "ab.c", "%.x", "_", "*", ".*", "a.*", "ä.ö", "a/b"])


@given(
    entries=st.lists(st.tuples(NAMES, st.none() | NAMES, st.none() | NAMES), max_size=12),
    wanted=st.builds(
        Filter,
        st.lists(NAMES | NAMES.map(lambda name: name + ".*"), max_size=3).map(tuple),
        st.none() | NAMES,
        st.none() | NAMES,
    ),
    limit=st.integers(1, 15),
    after=st.integers(0, 12),
)
@pytest.mark.parametrize("make", MAKERS)
@settings(deadline=None)
def test_a_filter_means_here_what_it_means_in_the_domain(
    make: Make, entries: list[Any], wanted: Filter, limit: int, after: int
) -> None:
    told = [
        entry(seq, kind, ticket=ticket_id, agent=agent_id) for seq, (kind, ticket_id, agent_id) in enumerate(entries, 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        disk = make(Path(folder) / "operator.db")
        disk.open()
        try:
            disk.commit([], told, durable=False)
            found = disk.entries(Seq(after), limit, wanted)
        finally:
            disk.close()
    assert found == [each for each in told if each.seq > after and wanted.wants(each.entry)][:limit]


def test_it_is_the_same_after_it_was_closed(make: Make, tmp_path: Path) -> None:
    disk = make(tmp_path / "operator.db")
    disk.open()
    epoch = disk.epoch
    disk.commit([ticket("A-1")], [entry(1)], durable=False)
    disk.close()
    disk.close()
    for use in (
        lambda: disk.commit([Setting("a", "1")], [], True),
        lambda: disk.get(Ticket, "A-1"),
        disk.head,
    ):
        with pytest.raises(StoreError):
            use()
    disk.open()
    assert (disk.epoch, disk.head(), disk.load(Ticket)) == (epoch, (1, 1), [ticket("A-1")])
    disk.close()


def test_a_copy_that_was_put_in_its_place_is_another_epoch(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "operator.db"
    disk = make(path)
    disk.open()
    disk.commit([Setting("a", "1")], [], durable=True)
    disk.close()
    shutil.copyfile(path, tmp_path / "backup")
    (tmp_path / "backup").rename(path)
    restored = make(path)
    restored.open()
    assert restored.epoch != disk.epoch
    assert restored.load(Setting) == [Setting("a", "1")]
    restored.close()


def test_reads_come_from_any_thread_while_another_writes(disk: Disk) -> None:
    def read(_: int) -> bool:
        oldest, newest = disk.head()
        found = disk.entries(Seq(0), 1000, Filter())
        settings = disk.load(Setting)
        return (
            oldest == 1
            and [each.seq for each in found] == list(range(1, len(found) + 1))
            and len(found) >= newest
            and (not settings or int(settings[0].value) >= len(found))
        )

    with ThreadPoolExecutor(1) as writer, ThreadPoolExecutor(2) as readers:
        writes = [writer.submit(disk.commit, [Setting("n", str(n))], [entry(n)], n % 20 == 0) for n in range(1, 201)]
        checks = list(readers.map(read, range(60)))
        for write in writes:
            write.result()
    assert all(checks)
    assert disk.head() == (1, 200)


# --- against a model --------------------------------------------------------------------------------


def key_of(record: Record) -> str:
    if isinstance(record, Review):
        return review.key_of(record.id)
    return str(getattr(record, KEYS[type(record)]))


@frozen
class Commit:
    puts: list[Record]
    entries: list[Entry]
    durable: bool


@frozen
class Reopen:
    pass


_KEY = st.sampled_from(["a", "b", "B", "ä", "日本", "a b", "'; --", "x" * 64]) | st.text(min_size=1, max_size=5)
_GIVEN = dict.fromkeys(("id", "ticket_id", "agent_id", "name", "collection", "external_id"), _KEY)


def _records() -> st.SearchStrategy[Record]:
    def of(kind: type[Any]) -> st.SearchStrategy[Any]:
        given_fields = {name: strategy for name, strategy in _GIVEN.items() if name in strategies.fields_of(kind)}
        if kind is Review:
            given_fields["id"] = st.integers(1, 12)
        made = strategies.record(kind, **given_fields)
        if kind is Ticket:  # its own id, or none: what collides is tested above
            return st.tuples(made, st.booleans()).map(
                lambda drawn: evolve(drawn[0], external_id=drawn[0].id if drawn[1] else None, collection="c")
            )
        return made

    return st.one_of([of(kind) for kind in get_args(Record)])


_ENTRY = strategies.record(Entry, kind=st.text(max_size=5), ticket=st.none() | _KEY, agent=st.none() | _KEY)
_STEPS = st.lists(
    st.builds(Commit, st.lists(_records(), max_size=4), st.lists(_ENTRY, max_size=3), st.booleans())
    | st.builds(Reopen),
    max_size=8,
)


@pytest.mark.parametrize("make", MAKERS)
@given(steps=_STEPS)
@settings(deadline=None, max_examples=60)
def test_it_holds_what_a_dictionary_would(make: Make, steps: list[Commit | Reopen]) -> None:
    model: dict[type[Any], dict[str, Record]] = {kind: {} for kind in get_args(Record)}
    told: list[Recorded] = []
    with tempfile.TemporaryDirectory() as folder:
        disk = make(Path(folder) / "operator.db")
        disk.open()
        try:
            for step in steps:
                if isinstance(step, Reopen):
                    disk.close()
                    disk.open()
                    continue
                new = [Recorded(Seq(len(told) + n), each) for n, each in enumerate(step.entries, 1)]
                disk.commit(step.puts, new, step.durable)
                told += new
                for put in step.puts:
                    model[type(put)][key_of(put)] = put
            for kind, records in model.items():
                assert disk.load(kind) == [records[key] for key in sorted(records)]
                for key, record in records.items():
                    assert disk.get(kind, key) == record
            assert disk.entries(Seq(0), 1000, Filter()) == told
            assert disk.head() == (1, len(told))
        finally:
            disk.close()
