"""The database as files: damaged, locked, out of reach, out of room, killed. What is refused is left as it is."""

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreTooNew
from supervisor.domain.ids import Seq, TicketId
from supervisor.domain.ticket import Body
from supervisor.ports import Setting

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]


def entry(seq: int) -> Recorded:
    return Recorded(Seq(seq), Entry("a.b", NOON, data={"text": "x" * 200}))


def prints(folder: Path) -> dict[str, str]:
    """What every file says, but for the shared index: it holds no data, and who only looks may need one."""
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in folder.iterdir()
        if not each.name.endswith("-shm")
    }


def refused(path: Path, error: type[StoreError]) -> StoreError:
    before = prints(path.parent)
    disk = SqlDisk(path)
    with pytest.raises(error) as caught:
        disk.open()
    assert prints(path.parent) == before
    assert caught.value.hint
    assert caught.type is error
    with pytest.raises(StoreError):
        disk.head()
    disk.close()
    return caught.value


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A database with something in it, closed as it should be."""
    path = tmp_path / "closed" / "operator.db"
    path.parent.mkdir()
    disk = SqlDisk(path)
    disk.open()
    disk.commit([Setting("a", "1")], [entry(n) for n in range(1, 301)], durable=True)
    disk.close()
    assert os.listdir(path.parent) == ["operator.db"]
    return path


@pytest.fixture
def killed(closed: Path, tmp_path: Path) -> Path:
    """The same as a kill leaves it: the newest commits are in the log beside it only."""
    path = tmp_path / "killed" / "operator.db"
    path.parent.mkdir()
    disk = SqlDisk(closed)
    disk.open()
    disk.commit([Setting("a", "2")], [entry(n) for n in range(301, 321)], durable=False)
    for name in ("operator.db", "operator.db-wal"):
        shutil.copyfile(closed.with_name(name), path.with_name(name))
    disk.close()
    return path


@pytest.fixture(params=["closed", "killed"])
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


# --- damaged, foreign, newer ------------------------------------------------------------------------


def test_the_newest_commits_are_read_from_the_log_that_a_kill_left(killed: Path) -> None:
    disk = SqlDisk(killed)
    disk.open()
    assert disk.head() == (1, 320)
    assert disk.load(Setting) == [Setting("a", "2")]
    disk.close()
    assert os.listdir(killed.parent) == ["operator.db"]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def page(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "not a database": lambda path: path.write_text("these are my notes\n" * 1000),
    "empty": lambda path: path.write_bytes(b""),
    "ten bytes": lambda path: os.truncate(path, 10),
    "torn header": lambda path: overwrite(path, 0, bytes(60)),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a page zeroed": lambda path: overwrite(path, 5 * page(path), bytes(page(path))),
    "pages of garbage": lambda path: overwrite(path, 2 * page(path), b"\xa5" * (8 * page(path))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_database_is_refused(closed: Path, damage: Callable[[Path], object]) -> None:
    damage(closed)
    assert "damaged" in refused(closed, StoreCorrupt).message


@pytest.mark.parametrize("damage", ["not a database", "torn header", "pages of garbage"])
def test_a_damaged_database_with_a_log_beside_it_is_refused(killed: Path, damage: str) -> None:
    os.truncate(killed.with_name("operator.db-wal"), 0)
    DAMAGES[damage](killed)
    # A log that matches the database's header would repair some of it: this one belongs to another database.
    with sqlite3.connect(killed.with_name("other.db")) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE x (y)")
        other.commit()
        shutil.copyfile(killed.with_name("other.db-wal"), killed.with_name("operator.db-wal"))
    other.close()
    refused(killed, StoreCorrupt)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "operator.db"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE songs (name)")
    foreign.close()
    assert "not a database of Operator" in refused(path, StoreCorrupt).message


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute("UPDATE alembic_version SET version_num = '7777'")
    newer.commit()
    copy = path.parent.with_name("newer")
    copy.mkdir()
    for each in path.parent.iterdir():
        if not each.name.endswith("-shm"):
            shutil.copyfile(each, copy / each.name)
    newer.close()
    assert "7777" in refused(copy / path.name, StoreTooNew).message


def test_a_record_that_cannot_be_read_is_named(closed: Path) -> None:
    spoiler = sqlite3.connect(closed)
    spoiler.execute("UPDATE settings SET data = '{\"name\": 3'")
    spoiler.execute("UPDATE entries SET data = 'nonsense' WHERE seq = 7")
    spoiler.commit()
    spoiler.close()
    disk = SqlDisk(closed)
    disk.open()
    with pytest.raises(StoreCorrupt, match="a in settings"):
        disk.load(Setting)
    with pytest.raises(StoreCorrupt, match="entry 7"):
        disk.entries(Seq(0), 10, Filter())
    disk.close()


# --- made, private, locked --------------------------------------------------------------------------


def test_its_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        disk = SqlDisk(tmp_path / "operator.db")
        disk.open()
        disk.commit([Setting("a", "1")], [], durable=True)
    finally:
        os.umask(before)
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    disk.close()
    (tmp_path / "operator.db").chmod(0o644)
    disk.open()
    assert stat.S_IMODE((tmp_path / "operator.db").stat().st_mode) == 0o600
    disk.close()


def test_one_that_was_half_made_when_its_maker_was_killed_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "operator.db.new").write_bytes(b"SQLite format 3\0" + bytes(500))
    (tmp_path / "operator.db.new-journal").write_bytes(bytes(500))
    disk = SqlDisk(tmp_path / "operator.db")
    disk.open()
    assert disk.head() == (1, 0)
    disk.close()
    assert os.listdir(tmp_path) == ["operator.db"]


@pytest.mark.parametrize("name", ["a b", "50% ä?#;", "x'\"y"])
def test_its_path_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for _ in range(2):
        disk = SqlDisk(tmp_path / name / "operator.db")
        disk.open()
        disk.commit([Setting("a", "1")], [], durable=True)
        disk.close()
    assert os.listdir(tmp_path / name) == ["operator.db"]


def test_a_lock_that_another_program_holds_is_said_and_passes(closed: Path) -> None:
    disk = SqlDisk(closed, busy_timeout=0.05)
    disk.open()
    other = sqlite3.connect(closed, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program") as caught:
        disk.commit([Setting("b", "1")], [entry(301)], durable=True)
    assert caught.value.hint
    # Who reads does not wait for who writes.
    assert disk.head() == (1, 300)
    assert disk.load(Setting) == [Setting("a", "1")]
    other.execute("ROLLBACK")
    other.close()
    disk.commit([Setting("b", "1")], [entry(301)], durable=True)
    assert disk.head() == (1, 301)
    disk.close()


def test_a_commit_waits_for_the_disk_only_if_it_must_outlive_a_power_loss(closed: Path) -> None:
    disk = SqlDisk(closed)
    disk.open()
    # Nothing outside tells the two apart but pulling the plug.
    assert disk._writer is not None
    for durable, level in ((True, 2), (False, 1), (True, 2)):
        disk.commit([Setting("a", "1")], [], durable)
        assert disk._writer.exec_driver_sql("PRAGMA synchronous").scalar() == level
        disk._writer.rollback()
    disk.close()


# --- out of reach -----------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts small file systems; skipped where that is not allowed."""
    if not ROOT:
        pytest.skip("only root can mount")
    points: list[Path] = []

    def mount(*options: str, at: Path | None = None) -> Path:
        point = at or tmp_path / "mount"
        if not point.exists():
            point.mkdir()
        done = subprocess.run(["mount", *options, str(point)], check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        if point not in points:
            points.append(point)
        return point

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", str(point)], check=True)


def test_a_folder_that_cannot_be_written_is_refused(path: Path, mounted: Callable[..., Path]) -> None:
    folder = path.parent
    mounted("--bind", str(folder), at=folder)
    mounted("-o", "remount,bind,ro", at=folder)
    assert "cannot be written" in refused(path, StoreReadOnly).message


def test_a_new_database_in_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, mounted: Callable[..., Path]
) -> None:
    folder = mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs")
    mounted("-o", "remount,ro", at=folder)
    refused(folder / "operator.db", StoreReadOnly)


def test_a_file_that_cannot_be_written_is_refused(path: Path, mounted: Callable[..., Path]) -> None:
    mounted("--bind", str(path), at=path)
    mounted("-o", "remount,bind,ro", at=path)
    refused(path, StoreReadOnly)


@pytest.mark.skipif(ROOT, reason="root may write everything")
@pytest.mark.parametrize("which", ["folder", "file"])
def test_what_permissions_forbid_is_refused(path: Path, which: str) -> None:
    locked = path.parent if which == "folder" else path
    before = locked.stat().st_mode
    locked.chmod(0o500 if which == "folder" else 0o400)
    try:
        refused(path, StoreReadOnly)
    finally:
        locked.chmod(before)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "operator.db").mkdir()
    with pytest.raises(StoreCorrupt, match="not a file"):
        SqlDisk(tmp_path / "operator.db").open()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly, match="no folder"):
        SqlDisk(tmp_path / "nowhere" / "operator.db").open()


# --- out of room ------------------------------------------------------------------------------------


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return filler


def test_a_full_disk_fails_commits_and_they_work_again_when_there_is_room(
    mounted: Callable[..., Path],
) -> None:
    folder = mounted("-t", "tmpfs", "-o", "size=3m", "tmpfs")
    disk = SqlDisk(folder / "operator.db")
    disk.open()
    disk.commit([Setting("a", "1")], [entry(1)], durable=True)
    filler = fill(folder)
    with pytest.raises(StoreFull) as caught:
        disk.commit([Setting("a", "2"), Body(TicketId("A-1"), "x" * 100_000)], [entry(2)], durable=True)
    assert caught.value.hint
    assert disk.head() == (1, 1)
    assert disk.load(Setting) == [Setting("a", "1")]
    filler.unlink()
    disk.commit([Setting("a", "2")], [entry(2)], durable=True)
    disk.close()
    disk.open()
    assert (disk.head(), disk.load(Setting)) == ((1, 2), [Setting("a", "2")])
    disk.close()


def test_a_full_disk_is_refused(mounted: Callable[..., Path], path: Path) -> None:
    folder = mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs")
    for each in path.parent.iterdir():
        shutil.copyfile(each, folder / each.name)
    fill(folder)
    refused(folder / path.name, StoreFull)


def test_no_new_database_is_begun_on_a_full_disk(mounted: Callable[..., Path]) -> None:
    folder = mounted("-t", "tmpfs", "-o", "size=1m", "tmpfs")
    fill(folder)
    refused(folder / "operator.db", StoreFull)
    assert os.listdir(folder) == ["filler"]


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


LIMITED = """
    import resource, sys
    from pathlib import Path
    from supervisor.adapters.storage.disk import SqlDisk
    from supervisor.domain.errors import StoreFull
    from supervisor.domain.ticket import Body
    from supervisor.ports import Setting

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    small, later = int(sys.argv[2]), SqlDisk(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (small, hard))
    try:
        later.open()
        for n in range(10_000):
            later.commit([Body(f"A-{n}", "x" * 50_000)], [], n % 2 == 0)
    except StoreFull as error:
        print("full", error.message)
    assert not list(Path(sys.argv[1]).parent.glob("*.new*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    later.close()
    later.open()
    later.commit([Setting("a", str(len(later.load(Body)) > 0))], [], True)
    print(later.load(Setting)[0].value)
    later.close()
"""


@pytest.mark.parametrize(("limit", "some"), [(1_000_000, "True"), (10_000, "False")])
def test_a_limit_on_the_size_of_files_is_like_a_full_disk(tmp_path: Path, limit: int, some: str) -> None:
    with child(LIMITED, str(tmp_path / "operator.db"), str(limit)) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    first, second = out.splitlines()
    assert first.startswith("full ")
    assert second == some


# --- killed -----------------------------------------------------------------------------------------

COMMITS = """
    import os, sys
    from datetime import datetime, UTC
    from pathlib import Path
    import trio
    from supervisor.actors.store import Store
    from supervisor.adapters.storage.disk import SqlDisk
    from supervisor.domain.activity import Entry
    from supervisor.ports import Setting

    async def write(store, worker):
        n = 0
        while True:
            n += 1
            name = f"{os.getpid()}.{worker}.{n}"
            entry = Entry("a.b", datetime.now(UTC), data={"name": name})
            (told,) = await store.commit(Setting(name, "1"), entries=[entry], durable=n % 3 == 0)
            os.write(1, f"{told.seq} {name}\\n".encode())

    async def main():
        store = Store(SqlDisk(Path(sys.argv[1])))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            for worker in range(8):
                nursery.start_soon(write, store, worker)

    trio.run(main)
"""


def test_nothing_that_was_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "operator.db"
    acknowledged: dict[int, str] = {}
    for round_ in range(5):
        with child(COMMITS, str(path)) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            until = time.monotonic() + random.uniform(0.0, 0.15)
            while time.monotonic() < until:
                lines.append(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        # The last line may be torn, as may anything that a kill interrupts.
        new = {int(seq): name for seq, name in (line.split() for line in lines if line.endswith("\n"))}
        assert not new.keys() & acknowledged.keys()
        acknowledged |= new
        assert len(acknowledged) > round_
        disk = SqlDisk(path)
        disk.open()
        told = {each.seq: each.entry.data["name"] for each in disk.entries(Seq(0), 10**9, Filter())}
        stored = {each.name for each in disk.load(Setting)}
        assert list(told) == list(range(1, disk.head()[1] + 1))
        assert told.items() >= acknowledged.items()
        assert stored == set(told.values())
        disk.close()
