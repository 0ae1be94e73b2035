"""The local board on a real folder, with people and editors at work in it at the same time."""

import ctypes
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from supervisor.adapters.kanban.local import LocalBoard, files, watch
from supervisor.adapters.kanban.local.assembly import pull_of
from supervisor.adapters.kanban.local.content import Defaults, read
from supervisor.adapters.kanban.local.folder import Folder
from supervisor.domain.errors import BoardPayload, BoardTransport
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, BoardWrite, Pull, Unnamed, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

PATIENCE = 15.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for column in ("queue", "in-progress", "completed"):
        (tmp_path / column).mkdir()
    return tmp_path


@pytest.fixture
def board(root: Path) -> LocalBoard:
    return LocalBoard("mine", root)


async def pull(board: LocalBoard) -> Pull:
    with trio.fail_after(PATIENCE):
        return await board.pull(None, full=False)


async def write(board: LocalBoard, external_id: str, kind: WriteKind) -> WriteResult:
    intent = BoardWrite("w", 1, "mine", TicketId(external_id), external_id, kind, datetime.now(UTC))
    with trio.fail_after(PATIENCE):
        return await board.write(intent)


def ticket_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*.md"))


async def test_bad_files_beside_good_ones(root: Path, board: LocalBoard) -> None:
    queue = root / "queue"
    (queue / "good.md").write_text("---\nid: A-1\n---\nfine\n")
    (queue / "broken.md").write_text("---\nid: A-2\ntitle: [x\n---\nbody\n")
    (queue / "odd.md").write_text("---\nid: A-3\npriority: soon\n---\n")
    (queue / "bad-id.md").write_text("---\nid: ../../x\n---\n")
    (queue / "nameless.md").write_text("# Do it\n")
    (queue / b"\xff\n.md".decode("utf-8", "surrogateescape")).write_text("---\nid: A-4\n---\n")
    (queue / ".hidden.md").write_text("---\nid: A-5\n---\n")
    (queue / "notes.txt").write_text("---\nid: A-6\n---\n")
    (queue / "folder.md").mkdir()
    (root / "completed" / "old.md").write_text("no id, and none needed\n")
    found = await pull(board)
    assert found.complete
    tickets = {ticket.external_id: ticket for ticket in found.tickets}
    assert set(tickets) == {"A-1", "A-2", "A-3", "A-4"}
    assert tickets["A-1"].problem is None
    assert tickets["A-1"].url == (queue / "good.md").as_uri()
    assert "queue/broken.md: line 4: not valid YAML" in (tickets["A-2"].problem or "")
    assert "`priority` is 'soon'" in (tickets["A-3"].problem or "")
    assert [problem.where for problem in found.problems] == ["queue/bad-id.md"]
    assert len(found.unnamed) == 1
    for text in (found.problems[0].message, found.unnamed[0].token, *(t.url or "" for t in found.tickets)):
        text.encode()


async def test_an_id_that_is_there_twice_belongs_to_the_file_furthest_in_hand(root: Path, board: LocalBoard) -> None:
    (root / "queue" / "a.md").write_text("---\nid: A-1\ntitle: queue\n---\n")
    (root / "in-progress" / "z.md").write_text("---\nid: A-1\ntitle: hand\n---\n")
    (root / "completed" / "a.md").write_text("---\nid: a-1\ntitle: done\n---\n")
    found = await pull(board)
    assert [ticket.title for ticket in found.tickets] == ["hand"]
    assert {problem.where for problem in found.problems} == {"queue/a.md", "completed/a.md"}
    assert all("in-progress/z.md" in problem.message for problem in found.problems)
    assert await write(board, "A-1", WriteKind.DONE) == Written()
    assert ticket_files(root) == ["completed/a.md", "completed/z.md", "queue/a.md"]
    assert "title: hand" in (root / "completed" / "z.md").read_text()


async def test_links_and_pipes_are_not_followed(root: Path, board: LocalBoard) -> None:
    outside = root / "outside.txt"
    outside.write_text("---\nid: A-1\n---\nsecret\n")
    (root / "queue" / "link.md").symlink_to(outside)
    os.mkfifo(root / "queue" / "pipe.md")
    found = await pull(board)
    assert (found.tickets, found.unnamed, found.complete) == ((), (), True)
    assert {problem.where for problem in found.problems} == {"queue/link.md", "queue/pipe.md"}
    (root / "completed").rmdir()
    (root / "completed").symlink_to(root.parent)
    with pytest.raises(BoardTransport) as refused:
        await pull(board)
    assert "real folders" in refused.value.hint


async def test_a_megabyte_and_eight_of_them(root: Path, board: LocalBoard) -> None:
    body = "ü" * 500_000
    (root / "queue" / "a.md").write_text(f"---\nid: A-1\n---\n{body}")
    (root / "queue" / "b.md").write_bytes(b"---\nid: B-1\n---\n" + b"x" * (8 * 1024 * 1024))
    found = {ticket.external_id: ticket for ticket in (await pull(board)).tickets}
    assert (found["A-1"].body, found["A-1"].problem) == (body, None)
    assert "at most" in (found["B-1"].problem or "")
    assert await write(board, "A-1", WriteKind.DONE) == Written()
    assert await write(board, "B-1", WriteKind.DONE) == Written()
    assert (root / "completed" / "a.md").read_text() == f"---\nid: A-1\nstatus: done\n---\n{body}"
    assert (root / "completed" / "b.md").stat().st_size == 8 * 1024 * 1024 + 16


async def test_only_lines_of_ours_change_and_mode_is_kept(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "x.md"
    before = b"\xef\xbb\xbf---\r\n# mine\r\nid: 'A-1'  # keep\r\nstatus: old # s\r\nx: {a: 1}\r\n---\r\nbody"
    path.write_bytes(before)
    path.chmod(0o640)
    await write(board, "A-1", WriteKind.STARTED)
    await write(board, "A-1", WriteKind.DONE)
    after = root / "completed" / "x.md"
    assert after.read_bytes() == before.replace(b"old", b"done")
    assert stat.S_IMODE(after.stat().st_mode) == 0o640
    assert sorted(os.listdir(root / "queue") + os.listdir(root / "in-progress")) == []


async def test_starting_a_file_without_status_changes_no_byte(root: Path, board: LocalBoard) -> None:
    (root / "queue" / "x.md").write_text("---\nid: A-1\n---\n")
    assert await write(board, "A-1", WriteKind.STARTED) == Written()
    assert (root / "in-progress" / "x.md").read_text() == "---\nid: A-1\n---\n"


async def test_a_broken_front_matter_is_moved_as_it_is(root: Path, board: LocalBoard) -> None:
    text = "---\nid: A-1\ntitle: [\n---\nx"
    (root / "in-progress" / "x.md").write_text(text)
    assert await write(board, "A-1", WriteKind.DONE) == Written()
    assert (root / "completed" / "x.md").read_text() == text
    with pytest.raises(BoardPayload):
        await board.edit("A-1", Edit(title="y"))


async def test_an_edit_that_could_not_be_read_again_is_refused(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "x.md"
    path.write_text("---\nid: A-1\n---\nbody")
    for edit in (Edit(title="x" * 2000), Edit(priority=0), Edit(labels=("x" * 300,)), Edit(type="../x")):
        with pytest.raises(BoardPayload):
            await board.edit("A-1", edit)
        assert path.read_text() == "---\nid: A-1\n---\nbody"
    path.write_text("---\nid: A-1\npriority: high # !\n---\nbody")
    await board.edit("A-1", Edit(priority=1))
    assert path.read_text() == "---\nid: A-1\npriority: 1 # !\n---\nbody"


@pytest.mark.parametrize("renames", ["renameat2", "plain"])
async def test_no_file_is_ever_overwritten(
    root: Path, board: LocalBoard, renames: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if renames == "plain":
        monkeypatch.setattr(files, "_renameat2", None)
    (root / "queue" / "x.md").write_text("---\nid: A-1\nstatus: queued\n---\n")
    (root / "completed" / "x.md").write_text("another\n")
    (root / "completed" / "x-2.md").mkdir()
    assert await write(board, "A-1", WriteKind.DONE) == Written()
    assert (root / "completed" / "x.md").read_text() == "another\n"
    assert (root / "completed" / "x-3.md").read_text() == "---\nid: A-1\nstatus: done\n---\n"
    assert ticket_files(root) == ["completed/x-2.md", "completed/x-3.md", "completed/x.md"]
    new = NewTicket(TicketId("A-2"), "t", "b", "TASK")
    (root / "queue" / "A-2-t.md").write_text("taken\n")
    await board.create(new)
    assert (root / "queue" / "A-2-t.md").read_text() == "taken\n"
    assert "id: A-2" in (root / "queue" / "A-2-t-2.md").read_text()


async def test_a_requeue_of_what_a_person_finished_is_a_conflict(root: Path, board: LocalBoard) -> None:
    (root / "completed" / "x.md").write_text("---\nid: A-1\nstatus: running\n---\n")
    assert await write(board, "A-1", WriteKind.REQUEUED) == Conflicted("done")
    assert await write(board, "A-1", WriteKind.DONE) == Written()
    assert await write(board, "A-1", WriteKind.REQUEUED) == Written()
    assert ticket_files(root) == ["queue/x.md"]


async def test_an_id_is_given_once_and_only_to_the_file_that_was_meant(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "Ein Ding.md"
    path.write_bytes(b"---\r\ntitle: x # c\r\n---\r\nbody")
    (unnamed,) = (await pull(board)).unnamed
    assert unnamed.type == "TASK"
    path.write_bytes(b"---\r\ntitle: y # c\r\n---\r\nbody")
    assert await board.assign(unnamed, TicketId("TASK-1")) is False
    (unnamed,) = (await pull(board)).unnamed
    assert await board.assign(unnamed, TicketId("TASK-1")) is True
    assert path.read_bytes() == b"---\r\nid: TASK-1\r\ntitle: y # c\r\n---\r\nbody"
    assert await board.assign(unnamed, TicketId("TASK-2")) is False
    assert [ticket.external_id for ticket in (await pull(board)).tickets] == ["TASK-1"]
    for token in ("", "x", unnamed.token.partition(" ")[0] + " queue/../../x.md", "0 elsewhere/x.md"):
        assert await board.assign(Unnamed(token, None), TicketId("TASK-3")) is False


async def test_a_save_that_removes_the_file_first_is_no_deletion(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "x.md"
    path.write_text("---\nid: A-1\n---\none")
    await pull(board)
    for act in (pull, lambda board: board.reread("A-1")):
        path.unlink()
        timer = threading.Timer(0.1, path.write_text, ("---\nid: A-1\n---\ntwo",))
        timer.start()
        found = await act(board)
        timer.join()
        tickets = found.tickets if isinstance(found, Pull) else (found,)
        assert [ticket.body for ticket in tickets if ticket is not None] == ["two"]


async def test_a_file_caught_in_the_middle_of_a_save_is_read_when_it_is_whole(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "x.md"
    path.write_text("---\nid: A-1\n---\none")
    for act in (pull, lambda board: board.reread("A-1")):
        with path.open("w") as file:
            timer = threading.Timer(0.1, lambda file=file: (file.write("---\nid: A-1\n---\nall"), file.flush()))
            timer.start()
            found = await act(board)
            timer.join()
        tickets = found.tickets if isinstance(found, Pull) else (found,)
        assert [ticket.body for ticket in tickets if ticket is not None] == ["all"]


async def test_a_move_by_hand_while_the_folder_is_read_loses_no_ticket(root: Path, board: LocalBoard) -> None:
    for n in range(20):
        (root / "queue" / f"{n}.md").write_text(f"---\nid: A-{n}\n---\n")
    await pull(board)
    ends = threading.Event()

    def shuffle() -> None:
        here, there = root / "queue", root / "in-progress"
        while not ends.wait(0.002):
            for n in range(20):
                (here / f"{n}.md").rename(there / f"{n}.md")
            here, there = there, here

    mover = threading.Thread(target=shuffle)
    mover.start()
    try:
        found = [await pull(LocalBoard("other", root)) for _ in range(3)]
    finally:
        ends.set()
        mover.join()
    assert all(len(each.tickets) == 20 or not each.complete for each in found)


async def test_an_emptied_file_stays_the_ticket_it_was(root: Path, board: LocalBoard) -> None:
    path = root / "queue" / "x.md"
    path.write_text("---\nid: A-1\ntitle: t\n---\none")
    await pull(board)
    for text in ("", "---\ntitle: [\n---\n"):
        path.write_text(text)
        found = await pull(board)
        assert [(ticket.external_id, ticket.title) for ticket in found.tickets] == [("A-1", "t")]
        assert found.tickets[0].problem
        assert (found.complete, found.unnamed) == (True, ())


async def test_while_an_illegible_file_is_there_nothing_counts_as_gone(root: Path, board: LocalBoard) -> None:
    (root / "queue" / "x.md").write_text("---\ntitle: [\n---\n")
    found = await pull(board)
    assert (found.tickets, found.complete) == ((), False)
    assert [problem.where for problem in found.problems] == ["queue/x.md"]
    with pytest.raises(BoardTransport):
        await board.reread("A-1")
    with pytest.raises(BoardTransport):
        await write(board, "A-1", WriteKind.DONE)


@pytest.fixture
def public() -> Iterator[Path]:
    """A board that every user may enter."""
    top = Path(tempfile.mkdtemp(prefix="operator-test-"))
    top.chmod(0o755)
    for column in ("queue", "in-progress", "completed"):
        (top / column).mkdir()
    yield top
    shutil.rmtree(top)


def as_nobody(act: Callable[[], Pull]) -> Pull:
    """Run in this thread with an unprivileged user's rights on files, if it has more than that."""
    if os.geteuid() != 0:
        return act()
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)
    try:
        return act()
    finally:
        libc.setfsuid(0)


def test_an_unreadable_file_is_still_the_ticket_it_was(public: Path) -> None:
    path = public / "queue" / "x.md"
    path.write_text("---\nid: A-1\ntitle: t\n---\n")
    folder = Folder(public, partial(read, defaults=Defaults("TASK")))
    assert as_nobody(lambda: pull_of(folder.read(), public)).complete
    path.chmod(0)
    path.rename(public / "in-progress" / "x.md")
    found = as_nobody(lambda: pull_of(folder.read(), public))
    assert [(ticket.external_id, ticket.state) for ticket in found.tickets] == [("A-1", BoardState.IN_PROGRESS)]
    assert "Permission denied" in (found.tickets[0].problem or "")
    assert found.complete
    fresh = Folder(public, partial(read, defaults=Defaults("TASK")))
    found = as_nobody(lambda: pull_of(fresh.read(), public))
    assert (found.tickets, found.complete) == ((), False)
    assert "Permission denied" in found.problems[0].message


@pytest.mark.parametrize("what", ["missing", "a file", "a column is a file"])
async def test_a_folder_that_is_none(tmp_path: Path, what: str) -> None:
    path = tmp_path / "board"
    if what == "a file":
        path.write_text("")
    elif what == "a column is a file":
        path.mkdir()
        (path / "queue").write_text("")
    with pytest.raises(BoardTransport) as refused:
        await pull(LocalBoard("mine", path))
    assert refused.value.hint


async def test_missing_columns_are_made(tmp_path: Path) -> None:
    assert (await pull(LocalBoard("mine", tmp_path))).complete
    assert sorted(os.listdir(tmp_path)) == ["completed", "in-progress", "queue"]


async def test_changes_are_seen_without_polling_and_survive_the_folder(
    root: Path, board: LocalBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "RETURN", 0.05)
    changes = board.changes()

    async def rings() -> None:
        with trio.fail_after(PATIENCE):
            await anext(changes)

    async def is_quiet() -> bool:
        with trio.move_on_after(0.2) as scope:
            await anext(changes)
        return scope.cancelled_caught

    await rings()  # watched from here
    for column in ("queue", "in-progress", "completed"):
        (root / column / "x.md").write_text("one")
        await rings()
    while not await is_quiet():
        pass
    (root / "queue" / ".swp").write_text("not a ticket")
    assert await is_quiet()
    (root / "queue" / "x.md").rename(root / "completed" / "y.md")
    await rings()
    shutil.rmtree(root / "queue")
    while not await is_quiet():
        pass
    (root / "queue").mkdir()
    await rings()
    (root / "queue" / "z.md").write_text("two")
    await rings()
    shutil.rmtree(root)
    while not await is_quiet():
        pass
    os.mkdir(root)
    await rings()
    (root / "queue").mkdir()
    await rings()
    while not await is_quiet():
        pass
    (root / "queue" / "z.md").write_text("three")
    await rings()


async def test_a_version_left_by_a_killed_process_is_never_thrown_away_unread(
    root: Path, board: LocalBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LEFT_AFTER", 0.0)
    old, new = files.digest_of(b"old")[:16], files.digest_of(b"new")[:16]
    (root / "queue" / ".operator-part-1").write_bytes(b"half")
    (root / "queue" / f".operator-swap-{old}-{new}-1").write_bytes(b"old")
    (root / "queue" / f".operator-swap-{old}-{new}-2").write_bytes(b"---\nid: A-1\n---\na person's\n")
    await pull(board)
    assert os.listdir(root / "queue") == ["recovered.md"]
    assert [ticket.body for ticket in (await pull(board)).tickets] == ["a person's"]
