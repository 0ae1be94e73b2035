"""The one writer: what actors want stored together with what it means is one transaction, and many are one.

Whoever waits in line while the disk works is served by the next transaction: the busier, the larger they get.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import structlog
import trio
from attrs import field, frozen

from supervisor.actors.kit import Clock, Inbox, Reply, ask
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.errors import ActorGone, StoreError
from supervisor.domain.ids import Seq
from supervisor.domain.retention import Retention
from supervisor.ports import Disk, R, Record

T = TypeVar("T")

log = structlog.get_logger()

IN_LINE: Final = 256
"""Requests that wait, and at most as many in one transaction; further askers wait for a place."""
READERS: Final = 2
ANSWER_WITHIN: Final = 30.0
"""Seconds an asker waits: a disk that writes back much else may take long, and nothing is gained by giving up."""
DRAIN_WITHIN: Final = 2.0
"""Seconds to store what is still in line when the store is stopped."""
PRUNED_AT_ONCE: Final = 100
"""Rows of each kind in one transaction, for which a commit may have to wait."""
PRUNE_EVERY: Final = 300.0
"""Seconds between two searches for what need not be kept any longer."""
PRUNE_PAUSE: Final = 0.05
"""Seconds between two batches of it."""

Listener = Callable[[Sequence[Recorded]], None]


@frozen
class _Commit:
    puts: tuple[Record, ...]
    entries: tuple[Entry, ...]
    durable: bool
    reply: Reply[tuple[Recorded, ...]] = field(repr=False)


class Store:
    """Handle and actor. The outermost one: it is started first and stopped last."""

    def __init__(self, disk: Disk, *, in_line: int = IN_LINE) -> None:
        self._disk = disk
        self._in_line = in_line
        self._inbox: Inbox[_Commit] = Inbox("the store", in_line)
        self._left: list[_Commit] = []
        """What was in line when the store was told to stop, first come first."""
        self._writer = trio.CapacityLimiter(1)
        self._readers = trio.CapacityLimiter(READERS)
        self._listeners: list[Listener] = []
        self._oldest, self._head = Seq(1), Seq(0)

    @property
    def head(self) -> Seq:
        """The newest entry's `seq`; 0 when there is none."""
        return self._head

    @property
    def oldest(self) -> Seq:
        """The oldest entry's `seq` when the store was last asked for its bounds."""
        return self._oldest

    @property
    def epoch(self) -> str:
        """Names the database that `seq` counts in."""
        return self._disk.epoch

    def subscribe(self, listener: Listener) -> None:
        """Have each transaction's entries handed over once they are stored, before anybody is answered.

        The listener runs inside the store: it must not fail and not take long.
        """
        self._listeners.append(listener)

    async def commit(self, *puts: Record, entries: Sequence[Entry] = (), durable: bool = True) -> tuple[Recorded, ...]:
        """Store records and entries together, and tell the entries' places in the log once that is done.

        Raises StoreError (then nothing was stored), Conflict or Invalid (a record is at fault, and nothing
        was stored), ActorGone or TooSlow (then it may have been). An asker that is cancelled after its
        request got in line does not take it back: it is stored whole.
        """
        kept = tuple(entries)
        return await ask(self._inbox, lambda reply: _Commit(puts, kept, durable, reply), within=ANSWER_WITHIN)

    async def alive(self) -> None:
        """Return once a request has gone through the line and the writer's thread. Raises ActorGone or TooSlow."""
        await self.commit(durable=False)

    async def load(self, kind: type[R], **where: str | int | bool) -> list[R]:
        """All records of a kind whose indexed fields equal `where`, in order of their keys. Raises StoreError."""
        return await self._read(partial(self._disk.load, kind, where))

    async def get(self, kind: type[R], key: str) -> R | None:
        """One record by its key. Raises StoreError."""
        return await self._read(partial(self._disk.get, kind, key))

    async def entries(self, after: Seq, limit: int, wanted: Filter | None = None) -> list[Recorded]:
        """At most `limit` entries after a place in the log, in order, none beyond `head`. Raises StoreError."""
        found = await self._read(partial(self._disk.entries, after, limit, wanted or Filter()))
        # The disk may hold some that the writer has not heard of yet: they were not told to anybody.
        return [each for each in found if each.seq <= self._head]

    async def bounds(self) -> tuple[Seq, Seq]:
        """The oldest and the newest `seq` on the disk; (1, 0) when there are none. Raises StoreError."""
        self._oldest, newest = await self._read(self._disk.head)
        return self._oldest, newest

    async def prune(self, keep: Retention, now: datetime) -> bool:
        """Delete a few records and entries that need not be kept; False when there are none. Raises StoreError.

        Commits that come meanwhile wait for these few, and no longer.
        """
        prune = partial(self._disk.prune, keep, now, PRUNED_AT_ONCE)
        pruned = await trio.to_thread.run_sync(prune, limiter=self._writer, abandon_on_cancel=True)
        if pruned:
            await self.bounds()
        return pruned > 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Raises StoreError when the disk cannot be opened.

        When cancelled, what is in line is still stored, if that takes no longer than DRAIN_WITHIN.
        """
        try:
            await trio.to_thread.run_sync(self._disk.open, limiter=self._writer)
            self._oldest, self._head = await self._read(self._disk.head)
            task_status.started()
            async with trio.open_nursery() as nursery:
                fence = trio.CancelScope(shield=True)
                nursery.start_soon(self._close_at_cancel, fence)
                with fence:
                    await self._serve()
        finally:
            self._inbox.drain(lambda request, _: self._left.append(request))
            self._fail_left()
            # A commit that was given up still holds the limiter: then the files are left to the kernel.
            with trio.move_on_after(DRAIN_WITHIN, shield=True):
                await trio.to_thread.run_sync(self._disk.close, limiter=self._writer, abandon_on_cancel=True)

    async def _close_at_cancel(self, fence: trio.CancelScope) -> None:
        """Take no more requests once cancelled, and let the server finish those that are in line."""
        try:
            await trio.sleep_forever()
        finally:
            fence.deadline = trio.current_time() + DRAIN_WITHIN
            self._inbox.drain(lambda request, _: self._left.append(request))

    async def _serve(self) -> None:
        batch: list[_Commit] = []
        try:
            while batch := await self._next_batch():
                await self._store(batch)
        finally:
            # Only if the fence's deadline passed, or on a crash: what became of these is not known.
            for request in batch:
                request.reply.fail(ActorGone("the store ended while it worked on the request"))

    async def _next_batch(self) -> list[_Commit]:
        """All that is in line, at least one; none when the store is stopped and the line is empty."""
        if not self._left:
            try:
                self._left.append(await self._inbox.get())
            except trio.EndOfChannel:
                pass  # drained: the last of them are in `_left`
        while len(self._left) < self._in_line and (request := self._inbox.get_nowait()) is not None:
            self._left.append(request)
        batch, self._left = self._left[: self._in_line], self._left[self._in_line :]
        return batch

    async def _store(self, batch: Sequence[_Commit]) -> None:
        """One transaction for all; if one member's fault may have spoiled it, one for each."""
        told = self._numbered(batch)
        entries = [each for member in told for each in member]
        puts = [put for request in batch for put in request.puts]
        durable = any(request.durable for request in batch)
        try:
            await trio.to_thread.run_sync(
                self._disk.commit, puts, entries, durable, limiter=self._writer, abandon_on_cancel=True
            )
        except StoreError as error:
            for request in batch:
                # One instance for each: an exception collects the traceback of each task that raises it.
                request.reply.fail(type(error)(error.message, hint=error.hint))
        except Exception as error:
            if len(batch) == 1:
                batch[0].reply.fail(error)
                return
            for request in batch:
                await self._store([request])
        else:
            self._head = Seq(self._head + len(entries))
            if entries:
                for listener in self._listeners:
                    listener(entries)
            for request, recorded in zip(batch, told, strict=True):
                request.reply.give(recorded)

    def _numbered(self, batch: Sequence[_Commit]) -> list[tuple[Recorded, ...]]:
        seq = self._head
        told = []
        for request in batch:
            told.append(tuple(Recorded(Seq(seq + place), entry) for place, entry in enumerate(request.entries, 1)))
            seq = Seq(seq + len(request.entries))
        return told

    async def _read(self, read: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(read, limiter=self._readers, abandon_on_cancel=True)

    def _fail_left(self) -> None:
        left, self._left = self._left, []
        for request in left:
            request.reply.fail(ActorGone("the store ended before it came to the request"))


async def prune_for_ever(
    store: Store, keep: Retention, clock: Clock, every: float = PRUNE_EVERY, pause: float = PRUNE_PAUSE
) -> None:
    """Delete what need not be kept any longer, now and then and a little at a time, so that nobody notices.

    A kill leaves what was not deleted yet to the next round.
    """
    wait = every
    while True:
        await trio.sleep(wait)
        try:
            wait = pause if await store.prune(keep, clock()) else every
        except StoreError as error:
            log.warning("not pruned", code=error.code, reason=error.message)
            wait = every
