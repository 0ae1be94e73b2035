"""What every Disk deletes when it is told what to keep: all that may go, nothing else, a little at a time."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.agent import (
    SETTLED,
    Agent,
    Delivery,
    DeliveryState,
    LaunchFailed,
    LaunchPhase,
    Opened,
    Planned,
    Retired,
)
from supervisor.domain.ids import AgentId, DeliveryId, Seq, TicketId
from supervisor.domain.retention import Retention
from supervisor.domain.ticket import BoardWrite, WriteKind
from supervisor.ports import Disk, Record

Make = Callable[[Path], Disk]
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALL = Filter()
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


def log_of(disk: Disk, ages: list[int]) -> None:
    """Entries of these ages, in minutes."""
    entries = [
        Recorded(Seq(seq), Entry("a.b", NOON - timedelta(minutes=age), data={"n": seq}))
        for seq, age in enumerate(ages, 1)
    ]
    disk.commit([], entries, durable=False)


def seqs(disk: Disk) -> list[int]:
    return [each.seq for each in disk.entries(Seq(0), 10_000, ALL)]


@pytest.mark.parametrize("make", MAKERS)
@given(
    ages=st.lists(st.integers(min_value=-5, max_value=20), max_size=40).map(lambda ages: sorted(ages, reverse=True))
    | st.lists(st.integers(min_value=-5, max_value=20), max_size=40),  # clocks are set back now and then
    kept=st.integers(min_value=1, max_value=20),
    age=st.integers(min_value=0, max_value=15),
    limit=st.integers(min_value=1, max_value=12),
)
@settings(max_examples=40)
def test_the_oldest_entries_go_and_no_other(make: Make, ages: list[int], kept: int, age: int, limit: int) -> None:
    keep = Retention(entries=kept, age=timedelta(minutes=age))
    with tempfile.TemporaryDirectory() as folder:
        disk = make(Path(folder) / "operator.db")
        disk.open()
        log_of(disk, ages)
        before = seqs(disk)
        while gone := disk.prune(keep, NOON, limit):
            assert gone <= limit
            assert seqs(disk) == before[gone:]
            before = before[gone:]
        left, head = seqs(disk), len(ages)
        disk.close()
    assert left == list(range(head - len(left) + 1, head + 1))
    assert len(left) >= min(kept, head)
    assert all(ages[seq - 1] >= age for seq in range(1, head - len(left) + 1))
    if len(left) > kept:
        assert ages[left[0] - 1] < age  # it is because of its age that it stays


def test_numbers_go_on_from_what_stays(make: Make, tmp_path: Path) -> None:
    disk = make(tmp_path / "operator.db")
    disk.open()
    log_of(disk, [100] * 10)
    assert disk.prune(Retention(entries=1), NOON + timedelta(days=60), 100) == 9
    disk.close()
    again = make(tmp_path / "operator.db")
    again.open()
    assert again.head() == (10, 10)
    again.close()


def test_no_retention_deletes_the_whole_log() -> None:
    with pytest.raises(ValueError, match="entries"):
        Retention(entries=0)


# --- what is settled --------------------------------------------------------------------------------

WEEK = timedelta(days=7)
KEEP = Retention()


def agent(name: str, phase: LaunchPhase) -> Agent:
    return Agent(
        id=AgentId(name),
        ticket_id=TicketId(name.partition("~")[0]),
        ticket_type="TASK",
        title="t",
        project="p",
        driver="d",
        backend="tmux",
        started_at=NOON - 2 * WEEK,
        phase=phase,
    )


def delivery(owner: str, state: DeliveryState) -> Delivery:
    return Delivery(DeliveryId(f"{owner}.{state}"), AgentId(owner), "text", NOON - 2 * WEEK, state)


def names(disk: Disk, kind: type[Record]) -> set[str]:
    return {str(each.id) for each in disk.load(kind)}  # type: ignore[union-attr]  # all kinds here have one


def test_texts_for_agents_that_were_over_long_ago_go_once_they_are_settled(disk: Disk) -> None:
    phases: dict[str, LaunchPhase] = {
        "LONG~1": Retired(NOON - WEEK, "done"),
        "FAILED~1": LaunchFailed(NOON - WEEK, "code", "why"),
        "JUST~1": Retired(NOON - WEEK + timedelta(seconds=1), "done", NOON),
        "OPEN~1": Opened(1),
        "PLAN~1": Planned(),
    }
    agents = [agent(name, phase) for name, phase in phases.items()]
    texts = [delivery(name, state) for name in phases for state in DeliveryState]
    disk.commit([*agents, *texts], [], durable=False)
    outdated = {f"{name}.{state}" for name in ("LONG~1", "FAILED~1") for state in SETTLED}
    before = names(disk, Delivery)
    assert disk.prune(KEEP, NOON, 4) == 4
    assert disk.prune(KEEP, NOON, 4) == len(outdated) - 4
    assert disk.prune(KEEP, NOON, 4) == 0
    assert names(disk, Delivery) == before - outdated
    assert len(disk.load(Agent)) == len(agents)


def write(number: int, age: timedelta, done: bool = True) -> BoardWrite:
    return BoardWrite(
        id=f"T-1.{number}",
        number=number,
        collection="board",
        ticket_id=TicketId("T-1"),
        external_id="T-1",
        kind=WriteKind.STARTED,
        at=NOON - age,
        done=done,
    )


def test_writes_that_were_done_long_ago_go_but_for_the_newest(disk: Disk) -> None:
    """The newest gives the next one its number: numbers that came again would be taken for writes that were done."""
    writes = [
        write(1, WEEK),
        write(2, 2 * WEEK, done=False),
        write(3, timedelta(days=6)),
        write(4, WEEK),
        write(5, WEEK),
    ]
    disk.commit(writes, [], durable=False)
    assert disk.prune(KEEP, NOON, 1) == 1
    assert disk.prune(KEEP, NOON, 1) == 1
    assert disk.prune(KEEP, NOON, 1) == 0
    assert names(disk, BoardWrite) == {"T-1.2", "T-1.3", "T-1.5"}
