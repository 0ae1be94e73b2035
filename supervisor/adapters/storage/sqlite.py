"""All that is SQLite's own: files, pragmas, locks, and what its errors mean."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from supervisor.domain.errors import (
    Conflict,
    Invalid,
    OperatorError,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
)

ROOM: Final = 256 * 1024
"""Bytes that must be free to begin: the shared index takes 32 KiB, the log grows by at least a page a commit."""
WAL_LIMIT: Final = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size once it was copied into the database."""
SIDE_FILES: Final = ("-wal", "-shm", "-journal")

_FULL_ERRNOS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED_ERRNOS: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
# A write that fails for another reason than ENOSPC, such as a quota or a limit on file sizes.
_CANNOT_GROW: Final = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}


class _Cursor(Protocol):
    def fetchone(self) -> tuple[object, ...] | None: ...


class _Driver(Protocol):
    """What is used of sqlite3's own connection."""

    def execute(self, sql: str) -> _Cursor: ...


# --- connections ------------------------------------------------------------------------------------


def _engine(path: Path, mode: str, busy_timeout: float) -> Engine:
    uri = f"{path.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Calls come from changing threads, one at a time. `isolation_level=None`: transactions are begun below.
        return sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def writer(path: Path, busy_timeout: float, *, wal: bool = True) -> Connection:
    """The one connection that writes. Its transactions take the lock as they begin, not in their middle."""
    engine = _engine(path, "rw", busy_timeout)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    connection = engine.connect()
    try:
        driver = _driver(connection)
        driver.execute("PRAGMA foreign_keys=ON")
        driver.execute("PRAGMA synchronous=FULL")
        driver.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        if wal:
            use_wal(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def reader(path: Path, busy_timeout: float) -> Engine:
    """Connections that read beside the writer, each a snapshot of the last commit."""
    return _engine(path, "ro", busy_timeout)


def use_wal(connection: Connection) -> None:
    """Log writes ahead. Raises StoreError where the file system cannot share memory."""
    (mode,) = _driver(connection).execute("PRAGMA journal_mode=WAL").fetchone() or ("unknown",)
    if mode != "wal":
        raise StoreError(
            f"the file system of the database cannot keep a write-ahead log (journal mode {mode})",
            hint="Set `state_dir` to a folder on a local disk.",
        )


def set_durable(connection: Connection, durable: bool) -> None:
    """Whether the next transactions survive a power loss. Not inside a transaction."""
    _driver(connection).execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")


def _driver(connection: Connection) -> _Driver:
    driver: _Driver | None = connection.connection.driver_connection
    assert driver is not None
    return driver


# --- files ------------------------------------------------------------------------------------------


def admit(path: Path) -> bool:
    """Whether the database is there. Raises StoreReadOnly, StoreFull or StoreCorrupt; writes nothing."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreReadOnly(f"there is no folder {folder}", hint=_WRITABLE)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreReadOnly(f"the folder {folder} cannot be written", hint=_WRITABLE)
    for each in (path, *_beside(path)):
        if each.exists() and not os.access(each, os.R_OK | os.W_OK):
            raise StoreReadOnly(f"{each} cannot be written", hint=_WRITABLE)
    room = os.statvfs(folder)
    # Some file systems do not tell how large they are.
    if room.f_blocks and room.f_bavail * room.f_frsize < ROOM:
        raise StoreFull(f"the disk of {folder} is full", hint=_ROOM)
    if not path.exists():
        return False
    if not path.is_file():
        raise damaged(path, "it is not a file")
    return True


def create(path: Path, build: Callable[[Connection], None]) -> None:
    """Make a database that is there wholly or not at all: built beside its place, then moved there."""
    fresh = path.with_name(path.name + ".new")
    leftovers = (fresh, *_beside(fresh))
    _remove(leftovers)
    try:
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = writer(fresh, 0.0, wal=False)
        try:
            with connection.begin():
                build(connection)
            use_wal(connection)
        finally:
            connection.close()
        os.rename(fresh, path)
        _sync_folder(path.parent)
    except BaseException:
        _remove(leftovers)
        raise


@contextmanager
def looking(path: Path, busy_timeout: float) -> Iterator[Connection]:
    """A connection that has checked the database and cannot write it. Raises StoreCorrupt."""
    # With no log to read, none has to be made either. A log that is there belongs to the database.
    logged = any(each.exists() and each.stat().st_size for each in _beside(path))
    engine = _engine(path, "ro" if logged else "ro&immutable=1", busy_timeout)
    with engine.connect() as connection:
        (found,) = _driver(connection).execute("PRAGMA quick_check(1)").fetchone() or ("no answer",)
        if found != "ok":
            raise damaged(path, str(found))
        yield connection


def protect(path: Path) -> None:
    """Make the files private, should they not be."""
    for each in (path, *_beside(path)):
        if each.exists() and each.stat().st_mode & 0o077:
            each.chmod(0o600)


def identity(path: Path) -> str:
    """Tells a file from its copy."""
    return str(path.stat().st_ino)


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in SIDE_FILES)


def _remove(files: tuple[Path, ...]) -> None:
    for each in files:
        each.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- errors -----------------------------------------------------------------------------------------

_WRITABLE: Final = "Give the user who runs Operator write access to it, or set another `state_dir`."
_ROOM: Final = "Free some space or raise the quota; what was stored before is safe."
_BACKUP: Final = (
    "Put a backup in its place, or move it and the files beside it away to begin anew; "
    "`sqlite3 FILE .recover` may save what is left."
)


def damaged(path: Path, what: str) -> StoreCorrupt:
    """The error for a database that cannot be trusted."""
    return StoreCorrupt(f"the database {path} is damaged: {what}", hint=_BACKUP)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of SQLite and the file system as ours: a StoreError where the store is at fault,
    Conflict or Invalid where a record is."""
    try:
        yield
    except DBAPIError as error:
        raise _meaning(path, error.orig) from error
    except sqlite3.Error as error:
        raise _meaning(path, error) from error
    except OSError as error:
        raise _os_meaning(path, error) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise Invalid(f"a record cannot be stored: {error}") from error


def _meaning(path: Path, error: BaseException | None) -> OperatorError:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    match code & 0xFF:
        case sqlite3.SQLITE_CONSTRAINT:
            return Conflict(f"a record contradicts what is stored: {error}")
        case sqlite3.SQLITE_TOOBIG:
            return Invalid(f"a record is too large to be stored: {error}")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return damaged(path, str(error))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return StoreReadOnly(f"the database {path} cannot be written: {error}", hint=_WRITABLE)
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"there is no room for the database {path}: {error}", hint=_ROOM)
        case sqlite3.SQLITE_IOERR if code in _CANNOT_GROW:
            return StoreFull(
                f"the database {path} cannot grow: the disk, a quota or a limit is full, or the disk fails",
                hint=_ROOM,
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"another program keeps the database {path} locked",
                hint="Close whatever has it open, such as a database browser.",
            )
        case _:
            return StoreError(f"the database {path} cannot be used: {error}", hint="The system's log may say more.")


def _os_meaning(path: Path, error: OSError) -> StoreError:
    if error.errno in _FULL_ERRNOS:
        return StoreFull(f"there is no room for the database {path}: {error.strerror}", hint=_ROOM)
    if error.errno in _DENIED_ERRNOS:
        return StoreReadOnly(f"the database {path} cannot be written: {error.strerror}", hint=_WRITABLE)
    return StoreError(f"the database {path} cannot be used: {error}", hint="The system's log may say more.")
