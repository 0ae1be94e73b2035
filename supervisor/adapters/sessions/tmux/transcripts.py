"""What the agents' terminals printed, in one bounded file each, watched through one inotify handle."""

import errno
import glob
import itertools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
import trio
from asyncinotify import Event, Inotify, Mask
from attrs import define, field, frozen

from supervisor.adapters.sessions.tmux.launch import is_shared, write_private
from supervisor.adapters.sessions.tmux.punch import Punch, punch_hole
from supervisor.domain.errors import BackendError
from supervisor.domain.ids import AgentId

DEFAULT_LIMIT: Final = 16 * 1024 * 1024
_NOTE_SIZE: Final = 80
_BLOCK: Final = 4096
_EVENTS_AT_ONCE: Final = 1024
_NO_HOLES: Final = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)

log = structlog.get_logger()


@frozen
class _Kept:
    """What is remembered beside a transcript: which of its bytes are still there."""

    low: int = 0
    """The oldest offset that can be read."""
    base: int = 0
    """The offset of the file's first byte; not 0 only where the file system knows no holes."""
    cut_at: int = 0
    """The file is about to be emptied from this size; 0 when it is not."""


@define(eq=False)
class Transcript:
    """One agent's output. Offsets count from its first byte ever and stay valid for ever."""

    path: Path
    limit: int
    punch: Punch
    changed: Callable[[], None]
    _kept: _Kept = field(init=False)
    _end: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._kept = self._recall()

    @property
    def end(self) -> int:
        """How many bytes there were so far."""
        try:
            self._end = max(self._end, self._kept.base + os.stat(self.path).st_size)
        except FileNotFoundError:
            pass  # somebody removed it: what was there is still counted
        return self._end

    @property
    def too_long(self) -> bool:
        """Whether so much is kept beyond the limit that freeing it is worth the trouble."""
        return self.end - self._kept.low > self.limit + self.limit // 4

    def create(self) -> None:
        """Make the file, for this user only, before anybody appends to it; in a shared folder for the group too."""
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
            if is_shared(self.path.parent):
                os.fchmod(file.fileno(), 0o660)
        self._remember(self._kept)

    def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        """At most `limit` bytes from `offset`, or from the oldest kept byte after it: (where they begin, bytes)."""
        kept = self._kept
        start = max(offset, kept.low)
        path, shift = (self.path, kept.base) if start >= kept.base else (self._older(kept.low), kept.low)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.pread(handle, max(0, limit), start - shift)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return start, b""
        if self._kept != kept:  # freed while it was read
            return self.read(offset, limit)
        return start, data

    def trim(self) -> None:
        """Free what is older than the limit. Nothing that is appended meanwhile is lost where holes work."""
        low = (self.end - self.limit) // _BLOCK * _BLOCK
        if low <= self._kept.low:
            return
        if self._kept.base:
            self._cut(low)
            return
        before = self._kept
        # First what a reader may rely on, then the bytes: a kill in between leaves nothing that looks like output.
        self._remember(_Kept(low=low))
        try:
            with open(self.path, "r+b", buffering=0) as file:
                self.punch(file.fileno(), 0, low)
        except OSError as error:
            if error.errno not in _NO_HOLES:
                raise
            self._kept = before
            self._cut(low)

    def remove(self) -> None:
        """Delete it and all that belongs to it."""
        for path in (self.path, self._notes, *self._all_older()):
            path.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.path.with_suffix(".kept")

    def _older(self, low: int) -> Path:
        """Where the bytes from `low` to the file's base are, if the file had to be emptied."""
        return self.path.with_suffix(f".{low}.older")

    def _all_older(self) -> list[Path]:
        stem = glob.escape(self.path.with_suffix("").name)
        return list(self.path.parent.glob(f"{stem}.*.older"))

    def _cut(self, low: int) -> None:
        """Set the tail aside and empty the file. What is appended between the last two steps is lost."""
        start, tail = self._collect(low)
        outdated = self._all_older()
        with open(self.path, "r+b", buffering=0) as file:
            tail += os.pread(file.fileno(), self.limit, start + len(tail) - self._kept.base)
            write_private(self._older(start), tail)
            base = start + len(tail)
            self._remember(_Kept(start, base, cut_at=base - self._kept.base))
            os.ftruncate(file.fileno(), 0)
        self._remember(_Kept(start, base))
        for path in outdated:
            path.unlink(missing_ok=True)

    def _collect(self, low: int) -> tuple[int, bytes]:
        start = at = max(low, self._kept.low)
        pieces = []
        while at < self.end:
            _, piece = self.read(at, self.limit)
            if not piece:
                break
            pieces.append(piece)
            at += len(piece)
        return start, b"".join(pieces)

    def _remember(self, kept: _Kept) -> None:
        # Always as long as before, and in place: no kill leaves half of it, and a full disk has room for it.
        note = json.dumps([kept.low, kept.base, kept.cut_at]).encode().ljust(_NOTE_SIZE)
        handle = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(handle, "wb", buffering=0) as file:
            file.write(note)
        self._kept = kept

    def _recall(self) -> _Kept:
        try:
            low, base, cut_at = map(int, json.loads(self._notes.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return _Kept()
        if cut_at and self.path.exists() and self.path.stat().st_size >= cut_at:
            os.truncate(self.path, 0)  # a kill came between the note and the deed
        return _Kept(low, base)


class Transcripts:
    """All transcripts of a state directory."""

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT, punch: Punch = punch_hole) -> None:
        self._folder = folder
        self._limit = limit
        self._punch = punch
        self._watched: dict[str, Transcript] = {}
        self._long: set[Transcript] = set()
        """Those that are to be trimmed."""
        self._grown = trio.Event()

    def watch(self, agent_id: AgentId, changed: Callable[[], None]) -> Transcript:
        """An agent's transcript; `changed` is called when something was appended to it."""
        transcript = Transcript(self._path(agent_id), self._limit, self._punch, changed)
        self._watched[transcript.path.name] = transcript
        return transcript

    def prepare(self, agent_id: AgentId) -> Path:
        """The file that an agent's output is to be appended to; it exists and is this user's only."""
        transcript = Transcript(self._path(agent_id), self._limit, self._punch, lambda: None)
        transcript.create()
        return transcript.path

    def forget(self, agent_id: AgentId) -> None:
        """Delete an agent's transcript. Idempotent."""
        path = self._path(agent_id)
        transcript = self._watched.pop(path.name, None)
        (transcript or Transcript(path, self._limit, self._punch, lambda: None)).remove()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Tell who has new output, and keep every transcript within its limit, until cancelled."""
        try:
            inotify = Inotify(sync_timeout=0)
        except OSError as error:
            raise BackendError(
                f"files cannot be watched: {error.strerror}", hint="raise fs.inotify.max_user_instances"
            ) from error
        with inotify:
            inotify.add_watch(self._folder, Mask.MODIFY)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._trim_for_ever)
                task_status.started()
                self._tend(list(self._watched.values()))
                while True:
                    await trio.lowlevel.wait_readable(inotify.fd)
                    # To the last one: those it has taken from the kernel already make nothing readable.
                    while events := list(itertools.islice(inotify, _EVENTS_AT_ONCE)):
                        self._tend(self._named(events))
                        await trio.lowlevel.checkpoint()

    def _named(self, events: Iterable[Event]) -> list[Transcript]:
        names: set[str] = set()
        for event in events:
            if Mask.Q_OVERFLOW in event.mask:
                names.update(self._watched)
            elif event.name is not None:
                names.add(str(event.name))
        return [self._watched[name] for name in names if name in self._watched]

    def _tend(self, transcripts: Iterable[Transcript]) -> None:
        for transcript in transcripts:
            transcript.changed()
            if transcript.too_long:
                self._long.add(transcript)
                self._grown.set()

    async def _trim_for_ever(self) -> None:
        """In a task of its own: a file system may write a file out before it frees a part of it, and meanwhile
        nobody else's news may wait."""
        while True:
            await self._grown.wait()
            self._grown = trio.Event()
            long, self._long = self._long, set()
            for transcript in long:
                if self._watched.get(transcript.path.name) is not transcript:
                    continue  # forgotten meanwhile
                try:
                    await trio.to_thread.run_sync(transcript.trim)
                except OSError as error:  # its next output tries again
                    log.warning("transcript not trimmed", path=str(transcript.path), error=str(error))

    def _path(self, agent_id: AgentId) -> Path:
        name = quote(agent_id, safe="~")
        if not name or len(name) > 200:
            raise BackendError(f"no file can be named after the agent id {agent_id[:80]!r}")
        return self._folder / f"{name}.log"
