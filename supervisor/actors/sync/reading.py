"""Reading one board: when, how much of it, and what that changed."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell, Reply
from supervisor.actors.queue import Merged, Queue
from supervisor.actors.sync.rereading import Rereads
from supervisor.actors.sync.standing import Standing, backed_off
from supervisor.actors.sync.writing import WRITE_DEADLINE, Writing
from supervisor.domain.activity import Entry, Value
from supervisor.domain.errors import BoardError, BoardRateLimited, TooSlow, Unavailable
from supervisor.domain.ticket import BoardTicket, Pull
from supervisor.domain.views import SyncView

log = structlog.get_logger()

PULL_DEADLINE = 240.0
CHUNK = 100
"""Records that are merged at once: the queue serves others in between."""
BACK_OFF_CAP = 300.0
HEARD_GAP = 5.0
"""Seconds between two readings that webhooks ask for: a busy board sends many, also of what we write there."""
DOUBTFUL = 500
"""Records that are read again by their ids at most; the rest is left to the next reading of everything."""


class Reading:
    """One board's readings. Those who ask while one has not begun all get the answer of that one."""

    def __init__(self, standing: Standing, queue: Queue, writing: Writing, rereads: Rereads) -> None:
        self._standing = standing
        self._queue = queue
        self._writing = writing
        self._rereads = rereads
        self.next_sync: datetime | None = None
        self._now = standing.read_soon
        self._heard = Bell()
        self._waiting: list[Reply[SyncView]] = []
        self._failures = 0
        self._random = random.Random()

    async def now(self) -> SyncView:
        """Read the board now. Raises BoardError or TooSlow."""
        reply: Reply[SyncView] = Reply()
        self._waiting.append(reply)
        self._now.ring()
        with trio.move_on_after(PULL_DEADLINE):
            return await reply.wait()
        raise TooSlow(f"the collection {self._standing.name} was not read within {PULL_DEADLINE:g} s")

    def heard(self) -> None:
        """A webhook came."""
        self._heard.ring()

    # --- when -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read on a timer and whenever somebody asks, for as long as this runs."""
        self._now.ring()
        while True:
            await self._now.wait_until(self._until_next())
            waiting, self._waiting = self._waiting, []
            try:
                view = await self._read()
                self._failures = 0
                for reply in waiting:
                    reply.give(view)
            except BoardError as error:
                if not isinstance(error, BoardRateLimited):
                    self._failures += 1
                await self._failed(error)
                for reply in waiting:
                    reply.fail(error)
            finally:
                for reply in waiting:
                    reply.fail(Unavailable(f"the sync of {self._standing.name} was interrupted"))

    async def watch(self) -> None:
        """Read when the board itself says that it changed."""
        async for _ in self._standing.provider.changes():
            self._now.ring()

    async def hear(self) -> None:
        """Read after webhooks, which coalesce."""
        while True:
            await self._heard.wait()
            self._now.ring()
            await trio.sleep(HEARD_GAP)

    def _until_next(self) -> float:
        interval = float(self._standing.config.interval)
        wait = backed_off(self._failures, interval, BACK_OFF_CAP) or interval
        wait = max(wait * self._random.uniform(0.9, 1.1), self._standing.wait)
        self.next_sync = self._standing.after(wait)
        return wait

    # --- what -------------------------------------------------------------------------------------

    async def _read(self) -> SyncView:
        standing = self._standing
        state, read_at = standing.state, standing.clock()
        full = state.cursor is None or self._full_is_due(read_at)
        before = await self._writing.moving()
        pull = await standing.ask(partial(standing.provider.pull, state.cursor, full), PULL_DEADLINE)
        merged = await self._merge(pull.tickets, read_at, before)
        present = {each.external_id for each in pull.tickets}
        flying = before | self._writing.in_flight
        doubted = [each for each in state.doubtful if each not in present]
        missing = self._queue.missing(standing.name, present | flying) if pull.complete else []
        again = [each for each in dict.fromkeys((*doubted, *missing)) if each not in flying]
        if again[:DOUBTFUL]:
            merged = merged.plus(await self.take(again[:DOUBTFUL]))
        await self._name(pull)
        waits = [*again[DOUBTFUL:], *(each for each in doubted if each in flying), *merged.doubtful]
        waits += [each for each in standing.state.doubtful if each not in state.doubtful]
        view = _view(merged, pull)
        await self._done(pull, view, read_at if full else state.last_full, waits)
        return view

    def _full_is_due(self, now: datetime) -> bool:
        last = self._standing.state.last_full
        return last is None or now - last >= timedelta(seconds=self._standing.config.full_every)

    async def take(self, external_ids: Sequence[str]) -> Merged:
        """Read some records by their ids, and take in what they say; of one that is gone, that. Raises BoardError."""
        read_at, before = self._standing.clock(), await self._writing.moving()
        found = await self._rereads.many(external_ids)
        records = [each for each in found.values() if each is not None]
        merged = await self._merge(records, read_at, before)
        gone = [each for each in external_ids if found[each] is None]
        return merged.plus(await self._queue.absent(self._standing.name, gone)) if gone else merged

    async def _merge(self, records: Sequence[BoardTicket], read_at: datetime, before: frozenset[str]) -> Merged:
        """Hand the records over in chunks, so that the queue serves others in between."""
        total = Merged()
        for start in range(0, len(records), CHUNK):
            part = await self._queue.merge(
                self._standing.name,
                records[start : start + CHUNK],
                read_at=read_at,
                in_flight=before | self._writing.in_flight,
                default_type=self._standing.config.type or "TASK",
            )
            total = total.plus(part)
        return total

    async def _name(self, pull: Pull) -> None:
        """Give local records without an id one; the next reading, which the change rings for, brings them."""
        assigned = False
        for unnamed in pull.unnamed:
            ticket_id = await self._queue.allocate(unnamed.type or self._standing.config.type or "TASK")
            act = partial(self._standing.provider.assign, unnamed, ticket_id)
            assigned |= await self._standing.ask(act, WRITE_DEADLINE)
        if assigned:
            self._now.ring()

    # --- what is remembered -------------------------------------------------------------------------

    async def _done(self, pull: Pull, view: SyncView, full_at: datetime | None, doubtful: Iterable[str]) -> None:
        standing = self._standing
        before, now = standing.state, standing.clock()
        news = view.created or view.updated or view.closed
        entries = []
        if news or pull.problems != before.problems or before.error_code is not None:
            data: dict[str, Value] = {
                "collection": standing.name,
                "created": len(view.created),
                "updated": len(view.updated),
                "closed": len(view.closed),
                "errors": len(view.errors),
            }
            entries.append(Entry("sync.done", now, data=data))
        after = evolve(
            before,
            cursor=pull.cursor,
            last_sync=now,
            last_full=full_at,
            problems=pull.problems,
            error_code=None,
            error=None,
            hint=None,
            retry_at=before.retry_at if before.retry_at is not None and before.retry_at > now else None,
            doubtful=tuple(dict.fromkeys(doubtful)),
        )
        await standing.put(after, *entries)
        self._writing.board_is_there()

    async def _failed(self, error: BoardError) -> None:
        state = self._standing.state
        entries = []
        if error.code != state.error_code:
            data: dict[str, Value] = {
                "collection": self._standing.name,
                "code": error.code,
                "message": error.message,
                "hint": error.hint,
            }
            entries.append(Entry("sync.failed", self._standing.clock(), data=data))
        failed = evolve(state, error_code=error.code, error=error.message, hint=error.hint or None)
        await self._standing.put(failed, *entries)
        log.warning("board not read", collection=self._standing.name, code=error.code, reason=error.message)


def _view(merged: Merged, pull: Pull) -> SyncView:
    return SyncView(
        created=merged.created,
        updated=merged.updated,
        skipped=merged.skipped,
        closed=merged.closed,
        errors=(*merged.errors, *(f"{each.where}: {each.message}" for each in pull.problems)),
        total_processed=len(pull.tickets) + len(pull.problems),
    )
