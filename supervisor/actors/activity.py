"""Cursors over the log of everything that happened.

A subscriber is a place in the log and nothing more: it reads what follows from a ring of the newest entries, or
from the store when it is further behind, and sleeps when it has all. Nothing is dropped however slow it is.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import trio
from attrs import frozen

from supervisor.actors.store import Store
from supervisor.domain.activity import Filter, Recorded
from supervisor.domain.ids import Seq
from supervisor.domain.wire import to_event

RING: Final = 4096
RING_CHARACTERS: Final = 16 * 1024 * 1024
"""The ring holds fewer entries when they are large."""
BATCH: Final = 64
ALL: Final = Filter()


@frozen
class Gap:
    """What was asked for is not in the log: it was pruned, or the log is another one. `oldest` comes next."""

    requested: Seq
    """The cursor's place: entries after it were wanted."""
    oldest: Seq


@frozen
class _Kept:
    recorded: Recorded
    text: str


class _Sleepers:
    """Cursors that want the same entries and have read all there are. They wake together."""

    __slots__ = ("count", "event", "found")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.count = 0
        self.found = Seq(0)
        """The entry that wakes them; none before it is for them."""


class ActivityLog:
    """The newest entries, encoded once for all who read them, and the way to the older ones."""

    def __init__(self, store: Store, ring_size: int = RING, ring_characters: int = RING_CHARACTERS) -> None:
        self._store = store
        self._ring_size = ring_size
        self._ring_characters = ring_characters
        self._ring: deque[_Kept] = deque()
        self._characters = 0
        self._asleep: dict[Filter, _Sleepers] = {}
        store.subscribe(self._append)

    @property
    def head(self) -> Seq:
        """The newest entry's `seq`; 0 when there is none."""
        return self._store.head

    @property
    def oldest(self) -> Seq:
        """The oldest entry's `seq`, as far as it is known."""
        return self._store.oldest

    @property
    def epoch(self) -> str:
        """Names the log that `seq` counts in."""
        return self._store.epoch

    def cursor(self, since: Seq | None = None, wanted: Filter = ALL) -> "Cursor":
        """A reader of the entries after `since`; None means from now on."""
        return Cursor(self, self.head if since is None else since, wanted)

    async def page(self, since: Seq, limit: int, wanted: Filter = ALL) -> tuple[str, ...]:
        """At most `limit` encoded entries after `since`, in order; none when there are none. Raises StoreError."""
        if since >= self.before_ring:
            await trio.lowlevel.checkpoint()
            return self.from_ring(since, limit, wanted)[0]
        return tuple(to_event(each) for each in await self._store.entries(since, limit, wanted))

    @property
    def before_ring(self) -> Seq:
        """The last place that the ring knows what comes after."""
        return Seq(self._ring[0].recorded.seq - 1) if self._ring else self.head

    def from_ring(self, after: Seq, limit: int, wanted: Filter) -> tuple[tuple[str, ...], Seq]:
        """What follows a place that is not before the ring, and the place up to which that is all."""
        found: list[str] = []
        first = self.before_ring + 1
        # A deque is indexed quickly near its ends, and nearly every cursor is near the head.
        for place in range(after + 1 - first, len(self._ring)):
            kept = self._ring[place]
            if wanted.wants(kept.recorded.entry):
                found.append(kept.text)
                if len(found) == limit:
                    return tuple(found), kept.recorded.seq
        return tuple(found), self.head

    async def from_store(self, after: Seq, limit: int, wanted: Filter) -> tuple[tuple[str, ...], Seq] | Gap:
        """What follows a place before the ring, and the place up to which that is all. Raises StoreError."""
        head = self.head
        found = await self._store.entries(after, limit, wanted)
        if not found or found[0].seq != after + 1:
            # Were the entries between unwanted, or are they gone? Asked afterwards, so that none slip away meanwhile.
            oldest, _ = await self._store.bounds()
            if oldest > after + 1:
                return Gap(after, oldest)
        place = found[-1].seq if len(found) == limit else max(head, found[-1].seq if found else head)
        return tuple(to_event(each) for each in found), place

    async def sleep(self, wanted: Filter) -> Seq:
        """For one who has read up to the head: wait for the next wanted entry, and say which it is."""
        sleepers = self._asleep.setdefault(wanted, _Sleepers())
        sleepers.count += 1
        try:
            await sleepers.event.wait()
        finally:
            sleepers.count -= 1
            if not sleepers.count and self._asleep.get(wanted) is sleepers:
                del self._asleep[wanted]
        return sleepers.found

    def _append(self, recorded: Sequence[Recorded]) -> None:
        for each in recorded:
            text = to_event(each)
            self._ring.append(_Kept(each, text))
            self._characters += len(text)
            # Each filter is asked once here, not once by each of its sleepers.
            for wanted in [wanted for wanted in self._asleep if wanted.wants(each.entry)]:
                sleepers = self._asleep.pop(wanted)
                sleepers.found = each.seq
                sleepers.event.set()
        while len(self._ring) > self._ring_size or self._characters > self._ring_characters:
            self._characters -= len(self._ring.popleft().text)


class Cursor:
    """One reader's place in the log. For one task at a time."""

    def __init__(self, log: ActivityLog, after: Seq, wanted: Filter) -> None:
        self._log = log
        self._after = after
        self._wanted = wanted

    @property
    def after(self) -> Seq:
        """The entry up to which everything wanted was handed out."""
        return self._after

    async def next_batch(self) -> Gap | tuple[str, ...]:
        """The next wanted entries, encoded, at least one and at most BATCH, waiting for them if need be.

        A Gap instead where entries are missing; what follows it begins with the oldest entry there is.
        Raises StoreError; the cursor then stands where it stood.
        """
        log = self._log
        await trio.lowlevel.checkpoint()
        if self._after > log.head:
            return self._skip(Gap(self._after, log.oldest))
        while True:  # noqa: ASYNC913  (each round reads, returns or sleeps)
            if self._after < log.before_ring:
                found = await log.from_store(self._after, BATCH, self._wanted)
                if isinstance(found, Gap):
                    return self._skip(found)
            else:
                found = log.from_ring(self._after, BATCH, self._wanted)
            texts, self._after = found
            if texts:
                return texts
            if self._after == log.head:
                self._after = Seq(await log.sleep(self._wanted) - 1)

    def _skip(self, gap: Gap) -> Gap:
        self._after = Seq(gap.oldest - 1)
        return gap
