"""Editors that save at the very moment, and processes that are killed at any moment."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from supervisor.adapters.kanban.local import LocalBoard, files, folder
from supervisor.adapters.kanban.local.rules import Place
from supervisor.domain.errors import BoardError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardWrite, WriteKind
from supervisor.ports import Edit, WriteResult, Written

PATIENCE = 20.0
OLD, NEW, THEIRS = b"---\nid: A-1\n---\nold", b"---\nid: A-1\nstatus: x\n---\nold", b"a person's text"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for column in ("queue", "in-progress", "completed"):
        (tmp_path / column).mkdir()
    return tmp_path


async def write(root: Path, kind: WriteKind) -> WriteResult:
    intent = BoardWrite("w", 1, "mine", TicketId("A-1"), "A-1", kind, datetime.now(UTC))
    with trio.fail_after(PATIENCE):
        return await LocalBoard("mine", root).write(intent)


def everything(root: Path) -> list[str]:
    return sorted(str(each.relative_to(root)) for each in root.glob("*/*"))


def tickets(root: Path) -> list[str]:
    return [each for each in everything(root) if each.endswith(".md")]


def save_in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def save_by_renaming(path: Path, data: bytes) -> None:
    part = path.with_name(".theirs")
    part.write_bytes(data)
    part.rename(path)


def save_by_removing(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


SAVES = [save_in_place, save_by_renaming, save_by_removing]
Rename = Callable[[int, str, int, str, int], None]


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_save_just_before_or_after_the_swap_is_kept(
    root: Path, save: Callable[[Path, bytes], None], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, place = root / "queue" / "x.md", Place("queue", "x.md")
    path.write_bytes(OLD)
    rename: Rename = files._rename2

    def meanwhile(source: int, name: str, target: int, other: str, flags: int) -> None:
        monkeypatch.setattr(files, "_rename2", rename)
        if moment == "before":
            save(path, THEIRS)
        rename(source, name, target, other, flags)
        if moment == "after":
            save(path, THEIRS)

    monkeypatch.setattr(files, "_rename2", meanwhile)
    with files.opened(root) as columns:
        done = files.replace(columns, place, files.digest_of(OLD), NEW)
    assert done is (moment == "after")
    assert path.read_bytes() == THEIRS
    assert os.listdir(root / "queue") == ["x.md"]


@pytest.mark.parametrize("save", SAVES)
def test_of_two_saves_around_the_swap_the_later_stands_and_the_other_is_kept(
    root: Path, save: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, place = root / "queue" / "x.md", Place("queue", "x.md")
    path.write_bytes(OLD)
    rename: Rename = files._rename2

    def meanwhile(source: int, name: str, target: int, other: str, flags: int) -> None:
        monkeypatch.setattr(files, "_rename2", rename)
        save(path, b"first")
        rename(source, name, target, other, flags)
        save(path, b"second")

    monkeypatch.setattr(files, "_rename2", meanwhile)
    with files.opened(root) as columns:
        assert files.replace(columns, place, files.digest_of(OLD), NEW) is False
    assert path.read_bytes() == b"second"
    assert (root / "queue" / "recovered.md").read_bytes() == b"first"
    assert everything(root) == ["queue/recovered.md", "queue/x.md"]


async def test_a_version_that_was_kept_beside_its_ticket_file_is_never_taken_for_the_ticket(root: Path) -> None:
    for name, body in (("recovered.md", b"first"), ("recovered-2.md", b"older"), ("x.md", b"second")):
        (root / "in-progress" / name).write_bytes(b"---\nid: A-1\n---\n" + body)
    pull = await LocalBoard("mine", root).pull(None, full=False)
    assert [ticket.body for ticket in pull.tickets] == ["second"]
    assert sorted(problem.where for problem in pull.problems) == [
        "in-progress/recovered-2.md",
        "in-progress/recovered.md",
    ]
    assert await write(root, WriteKind.DONE) == Written()
    assert everything(root) == ["completed/x.md", "in-progress/recovered-2.md", "in-progress/recovered.md"]
    pull = await LocalBoard("mine", root).pull(None, full=False)
    assert [ticket.body for ticket in pull.tickets] == ["second"]


def test_a_file_that_is_removed_within_the_swap_stays_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, place = root / "queue" / "x.md", Place("queue", "x.md")
    path.write_bytes(OLD)
    rename: Rename = files._rename2

    def meanwhile(source: int, name: str, target: int, other: str, flags: int) -> None:
        path.unlink()
        rename(source, name, target, other, flags)

    monkeypatch.setattr(files, "_rename2", meanwhile)
    with files.opened(root) as columns:
        assert files.replace(columns, place, files.digest_of(OLD), NEW) is False
    assert os.listdir(root / "queue") == []


def test_a_save_in_place_that_has_begun_is_waited_for(root: Path) -> None:
    path, place = root / "queue" / "x.md", Place("queue", "x.md")
    path.write_bytes(OLD)
    with path.open("r+b") as editor, files.opened(root) as columns:
        assert files.replace(columns, place, files.digest_of(OLD), NEW) is False
        editor.write(THEIRS)
        editor.truncate()
    assert path.read_bytes() == THEIRS
    assert os.listdir(root / "queue") == ["x.md"]


def test_without_swapping_a_file_is_compared_right_before_it_is_replaced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_renameat2", None)
    path, place = root / "queue" / "x.md", Place("queue", "x.md")
    path.write_bytes(OLD)
    with files.opened(root) as columns:
        assert files.replace(columns, place, files.digest_of(OLD), NEW) is True
        assert path.read_bytes() == NEW
        assert files.replace(columns, place, files.digest_of(OLD), OLD) is False
        with path.open("ab"):
            assert files.replace(columns, place, files.digest_of(NEW), OLD) is False
    assert path.read_bytes() == NEW
    assert os.listdir(root / "queue") == ["x.md"]


@pytest.mark.parametrize("save", [save_in_place, save_by_renaming])
async def test_no_byte_of_a_person_is_lost_while_the_board_is_written(
    root: Path, save: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editor saves over and over, the board is written over and over: each save is there afterwards."""
    monkeypatch.setattr(folder, "SETTLE", 0.0)  # else nothing is written while the editor is busy
    path = root / "in-progress" / "x.md"
    path.write_bytes(OLD)
    lost: list[int] = []
    saved: list[bytes] = []
    enough, ends = threading.Event(), threading.Event()

    def edit() -> None:
        for number in range(2000):
            body = f"version {number}\n".encode() * random.randint(1, 2000)
            saved.append(body)
            save(path, b"---\nid: A-1\n---\n" + body)
            deadline = time.monotonic() + 2
            while not path.read_bytes().endswith(b"---\n" + body):
                if time.monotonic() > deadline:
                    lost.append(number)
                    break
            if enough.wait(random.random() * 0.03) and number >= 100:
                break
        ends.set()

    person = threading.Thread(target=edit)
    person.start()
    board, written = LocalBoard("mine", root), 0
    kinds = [WriteKind.AWAITING, WriteKind.FAILED]
    try:
        while not ends.is_set():
            intent = BoardWrite("w", 1, "mine", TicketId("A-1"), "A-1", kinds[written % 2], datetime.now(UTC))
            try:
                await board.write(intent)
                await board.edit("A-1", Edit(priority=written % 7 + 1))
                written += 1
                if written == 50:
                    enough.set()
            except BoardError:
                continue  # restless: it is tried again
    finally:
        person.join()
    assert lost == []
    assert await write(root, WriteKind.DONE) == Written()
    # Of two saves around one swap the first is kept beside the second.
    kept = [each for each in everything(root) if "/recovered" in each]
    assert [each for each in everything(root) if each not in kept] == ["completed/x.md"]
    assert (root / "completed" / "x.md").read_bytes().endswith(b"---\n" + saved[-1])
    assert all((root / each).read_bytes().partition(b"\n---\n")[2] in saved for each in kept)
    assert enough.is_set()


WRITER = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
import trio
from supervisor.adapters.kanban.local import LocalBoard, files
from supervisor.domain.ticket import BoardWrite, WriteKind

async def write(root, kinds):
    board = LocalBoard("mine", root)
    await board.pull(None, True)
    for number, kind in enumerate(kinds):
        os.write(1, (kind.value + "\\n").encode())
        await board.write(BoardWrite("w", number, "mine", "A-1", "A-1", kind, datetime.now(UTC)))

def for_ever():
    while True:
        yield from (WriteKind.STARTED, WriteKind.AWAITING, WriteKind.DONE, WriteKind.REQUEUED)

def die_at(step):
    left = step
    def counted(module, name):
        act = getattr(module, name)
        def wrapped(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **kwargs)
        setattr(module, name, wrapped)
    for name in ("open", "stat", "fsync", "fchmod", "rename", "unlink", "close"):
        counted(os, name)
    counted(files, "_rename2")

root = Path(sys.argv[1])
if len(sys.argv) == 2:
    trio.run(write, root, for_ever())
for step, board in enumerate(sorted(root.iterdir()), 1):
    child = os.fork()
    if child == 0:
        die_at(step)
        trio.run(write, board, [WriteKind(sys.argv[2])])
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print("after", step)
        break
"""
ENDS = {
    WriteKind.STARTED: ("in-progress", b"running"),
    WriteKind.AWAITING: ("in-progress", b"awaiting"),
    WriteKind.DONE: ("completed", b"done"),
    WriteKind.CANCELLED: ("completed", b"cancelled"),
    WriteKind.REQUEUED: ("queue", b"queued"),
}
TEXT = b"---\nid: A-1\nstatus: queued # s\n---\n" + b"body\n" * 1000


async def redo(root: Path, kind: WriteKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restarted daemon does, and what must be there then: one file, in its place, with every byte."""
    monkeypatch.setattr(files, "_LEFT_AFTER", 0.0)
    assert await write(root, kind) == Written()
    column, status = ENDS[kind]
    assert everything(root) == [f"{column}/x.md"]
    assert (root / column / "x.md").read_bytes() == TEXT.replace(b"queued", status)


def writer(*arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", WRITER, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("seed", range(20))
async def test_a_kill_at_any_time_leaves_one_file_that_the_same_write_brings_home(
    root: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "queue" / "x.md").write_bytes(TEXT)
    with writer(str(root)) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        await trio.sleep(random.Random(seed).random() * 0.3)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert len(tickets(root)) == 1
    await redo(root, WriteKind(said.split()[-1].decode()), monkeypatch)


@pytest.mark.parametrize("kind", [WriteKind.DONE, WriteKind.CANCELLED, WriteKind.REQUEUED])
async def test_a_kill_at_each_step_of_a_write(tmp_path: Path, kind: WriteKind, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = [tmp_path / f"{step:03}" for step in range(1, 150)]
    for root in boards:
        for column in ("queue", "in-progress", "completed"):
            (root / column).mkdir(parents=True)
        if kind is WriteKind.REQUEUED:
            (root / "completed" / "x.md").write_bytes(TEXT.replace(b"queued", b"done"))
        else:
            (root / "in-progress" / "x.md").write_bytes(TEXT.replace(b"queued", b"old"))
    with writer(str(tmp_path), kind.value) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0
    steps = int(said.split(b"after ")[1])
    assert 20 < steps < 150
    assert [len(tickets(root)) for root in boards[:steps]] == [1] * steps
    async with trio.open_nursery() as nursery:
        for root in boards[:steps]:
            nursery.start_soon(redo, root, kind, monkeypatch)
