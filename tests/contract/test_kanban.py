"""What every KanbanProvider does, whatever board is behind it.

A board joins by a `Bench`: the provider on a board of its own, and a person's hands on that board. What a
board cannot do (keep tickets that are written here, be watched) its bench says, and those tests are skipped.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Protocol

import pytest
import trio
from attrs import frozen

from supervisor.adapters.kanban.local import LocalBoard
from supervisor.domain.errors import BoardError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, BoardTicket, BoardWrite, Pull, WriteKind
from supervisor.ports import Conflicted, Edit, KanbanProvider, NewTicket, Written
from tests.contract.boards_github import github_issues, github_project
from tests.contract.boards_jira import jira_bench
from tests.contract.boards_linear import linear_bench

PATIENCE = 10.0


class Bench(Protocol):
    """A provider, and what a person can do at its board."""

    provider: KanbanProvider
    keeps_tickets: bool
    """Whether `create` and `edit` are there."""
    rings: bool
    """Whether `changes` notices a person's change."""

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        """A new open record; its external id."""

    async def move(self, external_id: str, state: BoardState) -> None:
        """A person moves it."""

    async def remove(self, external_id: str) -> None:
        """A person deletes it."""

    async def unplug(self) -> None:
        """The board cannot be reached any more."""


class LocalBench:
    """A folder."""

    keeps_tickets = True
    rings = True
    _folders: ClassVar = {
        BoardState.OPEN: "queue",
        BoardState.IN_PROGRESS: "in-progress",
        BoardState.DONE: "completed",
        BoardState.CANCELLED: "completed",
    }

    def __init__(self, root: Path) -> None:
        self._root = root
        self.provider: KanbanProvider = LocalBoard("local", root)
        for folder in self._folders.values():
            (root / folder).mkdir(exist_ok=True)
        self._count = 0

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        await trio.lowlevel.checkpoint()
        self._count += 1
        name = f"TASK-{self._count}"
        quoted = "'" + title.replace("'", "''") + "'"
        front = f"---\nid: {name}\ntitle: {quoted}\nlabels: [{', '.join(labels)}]\n---\n\n"
        (self._root / "queue" / f"{name}.md").write_bytes((front + body + "\n").encode())
        return name

    def _path(self, external_id: str) -> Path:
        (found,) = self._root.glob(f"*/{external_id}.md")
        return found

    async def move(self, external_id: str, state: BoardState) -> None:
        await trio.lowlevel.checkpoint()
        path = self._path(external_id)
        if state is BoardState.CANCELLED:
            path.write_text(path.read_text().replace("---\n", "---\nstatus: cancelled\n", 1))
        path.rename(self._root / self._folders[state] / path.name)

    async def remove(self, external_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._path(external_id).unlink()

    async def unplug(self) -> None:
        await trio.lowlevel.checkpoint()
        self._root.rename(self._root.with_name("elsewhere"))


@asynccontextmanager
async def local(tmp_path: Path) -> AsyncIterator[Bench]:
    root = tmp_path / "board"
    root.mkdir()
    yield LocalBench(root)


BENCHES: dict[str, Callable[[Path], AbstractAsyncContextManager[Bench]]] = {
    "local": local,
    "jira": jira_bench,
    "linear": linear_bench,
    "github issues": github_issues,
    "github project": github_project,
}


@pytest.fixture(params=list(BENCHES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](tmp_path) as made:
        yield made


@frozen
class Said:
    """What the tests compare of a record."""

    title: str
    body: str
    state: BoardState


def said(ticket: BoardTicket | None) -> Said | None:
    return Said(ticket.title, ticket.body, ticket.state) if ticket is not None else None


def write(bench: Bench, external_id: str, kind: WriteKind) -> BoardWrite:
    return BoardWrite(
        id=uuid.uuid4().hex,
        number=1,
        collection=bench.provider.name,
        ticket_id=TicketId("T-1"),
        external_id=external_id,
        kind=kind,
        at=datetime.now(UTC),
        branch="operator/T-1",
    )


async def pull(bench: Bench) -> Pull:
    with trio.fail_after(PATIENCE):
        return await bench.provider.pull(None, full=True)


async def state(bench: Bench, external_id: str) -> BoardState | None:
    ticket = await bench.provider.reread(external_id)
    return ticket.state if ticket is not None else None


async def test_a_full_pull_brings_every_record_and_is_complete(bench: Bench) -> None:
    ids = {await bench.add(f"Title {n}", f"Body {n}", labels=("a", "b")) for n in range(30)}
    found = await pull(bench)
    assert found.complete
    assert {ticket.external_id for ticket in found.tickets} == ids
    assert len(found.tickets) == 30
    assert not found.problems
    assert all(ticket.labels == ("a", "b") and ticket.problem is None for ticket in found.tickets)
    assert {ticket.title for ticket in found.tickets} == {f"Title {n}" for n in range(30)}


async def test_an_empty_board_is_read_completely(bench: Bench) -> None:
    found = await pull(bench)
    assert (found.tickets, found.complete) == ((), True)


@pytest.mark.parametrize("title", ["Rate limit: login # now", "日本語 🚀 e\u0301", "مرحبا بالعالم", 'it\'s "x"'])
async def test_titles_and_bodies_arrive_as_they_were_written(bench: Bench, title: str) -> None:
    body = f"# {title}\n\n```\n---\n```\n\nends with spaces  "
    external_id = await bench.add(title, body)
    assert said(await bench.provider.reread(external_id)) == Said(title, body, BoardState.OPEN)
    assert [said(ticket) for ticket in (await pull(bench)).tickets] == [Said(title, body, BoardState.OPEN)]


@pytest.mark.parametrize("there", list(BoardState))
async def test_a_persons_moves_are_seen(bench: Bench, there: BoardState) -> None:
    external_id = await bench.add("x")
    await pull(bench)
    if there is not BoardState.OPEN:
        await bench.move(external_id, there)
    assert await state(bench, external_id) is there
    assert [ticket.state for ticket in (await pull(bench)).tickets] == [there]


async def test_a_record_that_is_gone_is_missing_from_a_complete_pull(bench: Bench) -> None:
    kept, gone = await bench.add("kept"), await bench.add("gone")
    await pull(bench)
    await bench.remove(gone)
    found = await pull(bench)
    assert found.complete
    assert [ticket.external_id for ticket in found.tickets] == [kept]
    assert await bench.provider.reread(gone) is None


async def test_a_pull_by_its_cursor_brings_what_changed(bench: Bench) -> None:
    await bench.add("first")
    first = await pull(bench)
    second = await bench.add("second")
    found = await bench.provider.pull(first.cursor, full=False)
    assert second in {ticket.external_id for ticket in found.tickets}


@pytest.mark.parametrize(
    ("kinds", "end"),
    [
        ([WriteKind.STARTED], BoardState.IN_PROGRESS),
        ([WriteKind.STARTED, WriteKind.AWAITING], BoardState.IN_PROGRESS),
        ([WriteKind.STARTED, WriteKind.AWAITING, WriteKind.STARTED, WriteKind.DONE], BoardState.DONE),
        ([WriteKind.STARTED, WriteKind.DONE, WriteKind.REQUEUED], BoardState.OPEN),
        ([WriteKind.STARTED, WriteKind.FAILED], BoardState.IN_PROGRESS),
        ([WriteKind.STARTED, WriteKind.FAILED, WriteKind.REQUEUED, WriteKind.STARTED], BoardState.IN_PROGRESS),
        ([WriteKind.CANCELLED], BoardState.CANCELLED),
        ([WriteKind.STARTED, WriteKind.CANCELLED, WriteKind.REQUEUED], BoardState.OPEN),
    ],
)
async def test_writes_bring_the_board_along_and_may_be_done_twice(
    bench: Bench, kinds: list[WriteKind], end: BoardState
) -> None:
    external_id = await bench.add("title", "body")
    for kind in kinds:
        intended = write(bench, external_id, kind)
        assert await bench.provider.write(intended) == Written()
        assert await bench.provider.write(intended) == Written()
    assert said(await bench.provider.reread(external_id)) == Said("title", "body", end)
    assert len((await pull(bench)).tickets) == 1


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        (WriteKind.STARTED, BoardState.DONE),
        (WriteKind.STARTED, BoardState.CANCELLED),
        (WriteKind.AWAITING, BoardState.DONE),
        (WriteKind.FAILED, BoardState.DONE),
        (WriteKind.DONE, BoardState.CANCELLED),
        (WriteKind.CANCELLED, BoardState.DONE),
    ],
)
async def test_a_persons_move_wins(bench: Bench, kind: WriteKind, theirs: BoardState) -> None:
    external_id = await bench.add("title", "body")
    await bench.move(external_id, theirs)
    before = await bench.provider.reread(external_id)
    result = await bench.provider.write(write(bench, external_id, kind))
    assert isinstance(result, Conflicted)
    assert result.theirs
    assert await bench.provider.reread(external_id) == before


async def test_a_write_to_a_deleted_record_is_a_conflict(bench: Bench) -> None:
    external_id = await bench.add("x")
    await pull(bench)
    await bench.remove(external_id)
    assert isinstance(await bench.provider.write(write(bench, external_id, WriteKind.DONE)), Conflicted)
    assert (await pull(bench)).tickets == ()


async def test_a_board_that_cannot_be_reached_says_so_with_a_hint(bench: Bench) -> None:
    external_id = await bench.add("x")
    await pull(bench)
    await bench.unplug()
    with pytest.raises(BoardError) as pulled:
        await pull(bench)
    assert pulled.value.code == "transport"
    assert pulled.value.hint
    with pytest.raises(BoardError):
        await bench.provider.reread(external_id)
    with pytest.raises(BoardError):
        await bench.provider.write(write(bench, external_id, WriteKind.STARTED))


async def test_created_tickets_are_read_back(bench: Bench) -> None:
    if not bench.keeps_tickets:
        pytest.skip("tickets are not written here")
    new = NewTicket(
        id=TicketId("FEAT-7"),
        title="Größe: 🚀 'quoted' # x",
        body="line\n\n---\nline  \n",
        type="FEAT",
        priority=2,
        project="api",
        driver="claude",
        labels=("a", "b c"),
        blocked_by=("FIX-1",),
    )
    await bench.provider.create(new)
    await bench.provider.create(new)
    (ticket,) = (await pull(bench)).tickets
    assert (ticket.title, ticket.body, ticket.type) == (new.title, new.body, "FEAT")
    assert (ticket.priority, ticket.project, ticket.driver) == (2, "api", "claude")
    assert (ticket.labels, ticket.blocked_by, ticket.state) == (new.labels, new.blocked_by, BoardState.OPEN)
    with pytest.raises(BoardError):
        await bench.provider.create(NewTicket(new.id, "another", "text", "FEAT"))
    assert len((await pull(bench)).tickets) == 1


async def test_edits_change_what_they_name(bench: Bench) -> None:
    if not bench.keeps_tickets:
        pytest.skip("tickets are not written here")
    external_id = await bench.add("title", "body", labels=("a",))
    await bench.provider.edit(external_id, Edit(title="Neu: ä", priority=3))
    await bench.provider.edit(external_id, Edit(body="other\ntext", labels=("x", "y")))
    ticket = await bench.provider.reread(external_id)
    assert said(ticket) == Said("Neu: ä", "other\ntext", BoardState.OPEN)
    assert ticket is not None
    assert (ticket.priority, ticket.labels) == (3, ("x", "y"))
    await bench.remove(external_id)
    with pytest.raises(BoardError):
        await bench.provider.edit(external_id, Edit(title="x"))


async def test_changes_ring_after_a_persons_change(bench: Bench) -> None:
    if not bench.rings:
        pytest.skip("this board cannot be watched")
    send, receive = trio.open_memory_channel[None](100)

    async def listen() -> None:
        async for _ in bench.provider.changes():
            await send.send(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        with trio.move_on_after(0.3):  # a board may ring when it begins to watch
            while True:
                await receive.receive()
        await bench.add("x")
        with trio.fail_after(PATIENCE):
            await receive.receive()
        nursery.cancel_scope.cancel()


async def test_readings_and_writes_at_once_do_not_disturb_each_other(bench: Bench) -> None:
    ids = [await bench.add(f"t{n}") for n in range(5)]

    async def start(external_id: str) -> None:
        assert await bench.provider.write(write(bench, external_id, WriteKind.STARTED)) == Written()

    with trio.fail_after(PATIENCE * 2):
        async with trio.open_nursery() as nursery:
            for external_id in ids:
                nursery.start_soon(start, external_id)
                nursery.start_soon(pull, bench)
    found = await pull(bench)
    assert {ticket.external_id: ticket.state for ticket in found.tickets} == dict.fromkeys(ids, BoardState.IN_PROGRESS)
