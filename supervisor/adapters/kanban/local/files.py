"""Ticket files on a disk that people and editors write to at the same time. Synchronous; raises OSError.

A file is changed by swapping it with a finished new version in one step, and looking at what came out of the
swap: if that is not what was expected, or somebody still has it open for writing, it is swapped back. So a
save between our reading and our writing is never lost, whether the editor renames or writes in place. What
remains: an editor that looks the file up before the swap and opens it for writing after we looked whether
anybody has (microseconds); and file systems that cannot swap (no RENAME_EXCHANGE), where the time between the
last comparison and the rename remains, or cannot tell who has a file open (no leases), where a save in place
that is under way at that very moment does.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import frozen

from supervisor.adapters.kanban.local.names import RECOVERED, alternatives
from supervisor.adapters.kanban.local.rules import COLUMNS, Place

_PART, _SWAP = ".operator-part-", ".operator-swap-"
_LEFT_AFTER = 60.0
"""Seconds after which a file of ours that is still there was left by a process that was killed."""
_NOREPLACE, _EXCHANGE = 1, 2
_FLIPS = 10
"""How many saves in a row, each within microseconds of the last, are put in order."""
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@frozen
class Stamp:
    """What tells that a file is still the same, without reading it."""

    inode: int
    mtime_ns: int
    ctime_ns: int
    size: int
    kind: int
    """The file type bits of its mode."""

    @property
    def regular(self) -> bool:
        return stat.S_ISREG(self.kind)

    @property
    def folder(self) -> bool:
        return stat.S_ISDIR(self.kind)

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        kind = stat.S_IFMT(found.st_mode)
        return cls(found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, kind)


@frozen
class Columns:
    """The three folders, held open: nothing is reached through a path that could have been replaced."""

    fds: dict[str, int]

    def names(self, column: str) -> list[str]:
        return os.listdir(self.fds[column])

    def stamp(self, place: Place) -> Stamp:
        return Stamp.of(os.stat(place.name, dir_fd=self.fds[place.column], follow_symlinks=False))


@contextmanager
def opened(root: Path) -> Iterator[Columns]:
    """The columns of a folder, made where they are missing. NotADirectoryError if one is a link."""
    fds: dict[str, int] = {}
    try:
        top = fds[""] = os.open(root, _FOLDER)
        for column in COLUMNS:
            with suppress(FileExistsError):
                os.mkdir(column, dir_fd=top)
            fds[column] = os.open(column, _FOLDER | os.O_NOFOLLOW, dir_fd=top)
        yield Columns(fds)
    finally:
        for fd in fds.values():
            os.close(fd)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read(columns: Columns, place: Place, limit: int, head: int) -> tuple[Stamp, bytes]:
    """A file's bytes, or its first `head` bytes if it has more than `limit`, and its stamp just before:
    ask for another one to learn whether it was written meanwhile."""
    fd = os.open(place.name, _OPEN, dir_fd=columns.fds[place.column])
    with open(fd, "rb") as file:
        stamp = Stamp.of(os.fstat(fd))
        if not stamp.regular:
            raise OSError(errno.EINVAL, "not a regular file")
        return stamp, file.read(head if stamp.size > limit else limit)


def create(columns: Columns, place: Place, data: bytes) -> Place:
    """A new file; its name gets a number if it is taken."""
    fd = columns.fds[place.column]
    part = _write_part(fd, data)
    try:
        name = _rename_new(fd, part, fd, place.name)
    except OSError:
        os.unlink(part, dir_fd=fd)
        raise
    _sync(fd)
    return Place(place.column, name)


def move(columns: Columns, place: Place, column: str) -> Place:
    """The file in another column; its name gets a number if it is taken there."""
    source, target = columns.fds[place.column], columns.fds[column]
    name = _rename_new(source, place.name, target, place.name)
    _sync(target)
    _sync(source)
    return Place(column, name)


def replace(columns: Columns, place: Place, expected: str, data: bytes) -> bool:
    """Put `data` in the place of a file whose digest is `expected`, keeping its mode and owner; False, with
    nothing changed, if it is another by now."""
    fd = columns.fds[place.column]
    part = _write_part(fd, data)
    swap = f"{_SWAP}{expected[:16]}-{digest_of(data)[:16]}-{secrets.token_hex(4)}"
    try:
        if not _dress(fd, part, place.name, expected):
            return False
        os.rename(part, swap, src_dir_fd=fd, dst_dir_fd=fd)
        part = swap
        try:
            _rename2(fd, swap, fd, place.name, _EXCHANGE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return _replace_plainly(fd, swap, place.name, expected)
        untouched = _is_untouched(fd, swap, expected)
        if not untouched:
            _put_back(fd, swap, place.name, digest_of(data))
        _sync(fd)
        return untouched
    except FileNotFoundError:
        return False
    finally:
        _drop(fd, part, {expected, digest_of(data)})


def sweep(columns: Columns, column: str, name: str) -> None:
    """Deal with a file of ours that a killed process left behind. What may hold a person's bytes becomes a
    ticket file again, for them to see."""
    fd = columns.fds[column]
    with suppress(OSError):  # the next reading tries again
        if not is_ours(name) or time.time() - os.stat(name, dir_fd=fd, follow_symlinks=False).st_ctime < _LEFT_AFTER:
            return
        if name.startswith(_PART):
            os.unlink(name, dir_fd=fd)
            return
        data = _whole(fd, name)
        if digest_of(data)[:16] in name.split("-"):
            os.unlink(name, dir_fd=fd)
        else:
            _rename_new(fd, name, fd, RECOVERED)


def is_ours(name: str) -> bool:
    """Whether a file is a version that is being written, or was when its writer was killed."""
    return name.startswith((_PART, _SWAP))


def _write_part(folder: int, data: bytes) -> str:
    """A finished, synced file under a name that nobody reads."""
    name = f"{_PART}{secrets.token_hex(8)}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=folder)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    return name


def _dress(folder: int, part: str, name: str, expected: str) -> bool:
    """Give the new version the old one's mode and owner, if the old one is still as expected."""
    old = os.open(name, _OPEN, dir_fd=folder)
    with open(old, "rb") as file:
        if digest_of(file.read()) != expected:
            return False
        had = os.fstat(old)
    fd = os.open(part, _OPEN, dir_fd=folder)
    try:
        made = os.fstat(fd)
        if (made.st_uid, made.st_gid) != (had.st_uid, had.st_gid):
            with suppress(PermissionError):  # only root may give files away
                os.fchown(fd, had.st_uid, had.st_gid)
        os.fchmod(fd, stat.S_IMODE(had.st_mode))
    finally:
        os.close(fd)
    return True


def _is_untouched(folder: int, swap: str, expected: str) -> bool:
    """Whether what came out of the swap is what was expected, with nobody about to write to it."""
    fd = os.open(swap, _OPEN, dir_fd=folder)
    with open(fd, "rb") as file:
        return not _being_written(fd) and digest_of(file.read()) == expected


def _put_back(folder: int, swap: str, name: str, ours: str) -> None:
    """Undo a swap: the person's version stands at its name again.

    If a second save hit our version while it stood there, that one is the newest and stays; the one before it
    becomes a file beside it, for only the person can tell whether the second knew of the first.
    """
    try:
        put = _inode(folder, swap)
        _rename2(folder, swap, folder, name, _EXCHANGE)
        if _is_untouched(folder, swap, ours):
            return
        for _ in range(_FLIPS):
            newer = _inode(folder, swap)
            _rename2(folder, swap, folder, name, _EXCHANGE)
            if _inode(folder, swap) == put:
                break
            put = newer
        _rename_new(folder, swap, folder, RECOVERED)
    except FileNotFoundError:
        _rename_new(folder, swap, folder, name)  # deleted meanwhile: nothing stands there to be taken out


def _inode(folder: int, name: str) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino


def _replace_plainly(folder: int, swap: str, name: str, expected: str) -> bool:
    if not _is_untouched(folder, name, expected):
        return False
    os.rename(swap, name, src_dir_fd=folder, dst_dir_fd=folder)
    _sync(folder)
    return True


def _drop(folder: int, name: str, known: set[str]) -> None:
    """Remove a version that holds nothing but what we know."""
    with suppress(FileNotFoundError):
        if name.startswith(_PART) or digest_of(_whole(folder, name)) in known:
            os.unlink(name, dir_fd=folder)


def _whole(folder: int, name: str) -> bytes:
    with open(os.open(name, _OPEN, dir_fd=folder), "rb") as file:
        return file.read()


def _being_written(fd: int) -> bool:
    """Whether anybody has the file open for writing, as far as its file system can tell: a read lease is
    refused then. The lease is given back at once; should somebody open the file in between, the signal that
    announces it is one that is ignored by default."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _rename_new(source: int, name: str, target: int, wish: str) -> str:
    """Rename without ever replacing a file; the name that it got."""
    for free in alternatives(wish):
        try:
            _rename_noreplace(source, name, target, free)
        except FileExistsError:
            continue
        return free
    raise FileExistsError(errno.EEXIST, "too many files of that name", wish)


def _rename_noreplace(source: int, name: str, target: int, free: str) -> None:
    try:
        _rename2(source, name, target, free, _NOREPLACE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        with suppress(FileNotFoundError):
            os.stat(free, dir_fd=target, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, "taken", free) from None
        os.rename(name, free, src_dir_fd=source, dst_dir_fd=target)


def _rename2(source: int, name: str, target: int, other: str, flags: int) -> None:
    if _renameat2 is None:
        raise OSError(errno.ENOSYS, "no renameat2 here")
    if _renameat2(source, os.fsencode(name), target, os.fsencode(other), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), other)


def _load_renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
        use_errno=True,
    )
    try:
        return kind(("renameat2", ctypes.CDLL(None)))
    except (AttributeError, OSError):
        return None


_renameat2 = _load_renameat2()


def _sync(folder: int) -> None:
    """Make renames last through a power cut, where folders can be synced."""
    with suppress(OSError):
        os.fsync(folder)
