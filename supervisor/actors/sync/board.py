"""One collection: when it is read, what that changed, and what is written back to it."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell, Clock, Reply
from supervisor.actors.queue import Merged, Queue
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry, Value
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardError, BoardRateLimited, BoardTransport, TooSlow, Unavailable
from supervisor.domain.ticket import BoardWrite, CollectionState, Pull
from supervisor.domain.views import CollectionView, SyncView
from supervisor.ports import Conflicted, KanbanProvider, WriteResult

log = structlog.get_logger()

PULL_DEADLINE = 120.0
WRITE_DEADLINE = 30.0
CHUNK = 100
"""Records that are merged at once: the queue serves others in between."""
BACK_OFF_CAP = 300.0


class Board:
    """One collection: its provider, its tasks and its state."""

    def __init__(
        self, name: str, config: CollectionConfig, provider: KanbanProvider, store: Store, queue: Queue, clock: Clock
    ) -> None:
        self.name = name
        self.config = config
        self.provider = provider
        self._store = store
        self._queue = queue
        self._clock = clock
        self.state = CollectionState(name)
        self.next_sync: datetime | None = None
        self._now = Bell()
        self.outbox = Bell()
        self._waiting: list[Reply[SyncView]] = []
        self._pending: dict[str, BoardWrite] = {}
        self._random = random.Random()

    @property
    def pending(self) -> Sequence[BoardWrite]:
        return tuple(self._pending.values())

    async def sync(self) -> SyncView:
        """Pull now. Everybody who asks while a pull has not begun gets the answer of that one pull."""
        reply: Reply[SyncView] = Reply()
        self._waiting.append(reply)
        self._now.ring()
        with trio.move_on_after(PULL_DEADLINE):
            return await reply.wait()
        raise TooSlow(f"the collection {self.name} was not read within {PULL_DEADLINE:g} s")

    # --- pulling ----------------------------------------------------------------------------------

    async def load(self) -> None:
        stored = await self._store.get(CollectionState, self.name)
        self.state = stored if stored is not None else self.state
        self._pending = {each.id: each for each in await self._open_writes()}

    async def _open_writes(self) -> list[BoardWrite]:
        stored = await self._store.load(BoardWrite, collection=self.name, done=False)
        return sorted(stored, key=lambda each: each.number)

    async def pull_for_ever(self) -> None:
        """Read the board on a timer and whenever somebody asks, for as long as this runs."""
        self._now.ring()
        failures = 0
        while True:
            await self._now.wait_until(self._until_next(failures))
            waiting, self._waiting = self._waiting, []
            try:
                view = await self._pull()
                failures = 0
                for reply in waiting:
                    reply.give(view)
            except BoardError as error:
                failures += 1
                await self._failed(error)
                for reply in waiting:
                    reply.fail(error)
            finally:
                for reply in waiting:
                    reply.fail(Unavailable(f"the sync of {self.name} was interrupted"))

    async def watch(self) -> None:
        """Pull when the board itself says that it changed."""
        async for _ in self.provider.changes():
            self._now.ring()

    def _until_next(self, failures: int) -> float:
        interval = self.config.interval
        if failures:
            interval = min(interval * 2 ** min(failures - 1, 6), max(BACK_OFF_CAP, interval))
        wait = interval * self._random.uniform(0.9, 1.1)
        if self.state.retry_at is not None:
            wait = max(wait, (self.state.retry_at - self._clock()).total_seconds())
        self.next_sync = self._clock() + timedelta(seconds=wait)
        return wait

    async def _pull(self) -> SyncView:
        read_at = self._clock()
        before = frozenset(each.external_id for each in await self._open_writes())
        with trio.move_on_after(PULL_DEADLINE) as scope:
            pull = await self.provider.pull(self.state.cursor, True)
        if scope.cancelled_caught:
            raise BoardTransport(f"{self.name} did not answer within {PULL_DEADLINE:g} s")
        merged = await self._merge(pull, read_at, before)
        await self._name(pull)
        problems = tuple(f"{each.where}: {each.message}" for each in pull.problems)
        view = SyncView(
            created=merged.created,
            updated=merged.updated,
            skipped=merged.skipped,
            closed=merged.closed,
            errors=(*merged.errors, *problems),
            total_processed=len(pull.tickets) + len(pull.problems),
        )
        await self._pulled(pull, view)
        return view

    async def _merge(self, pull: Pull, read_at: datetime, before: frozenset[str]) -> Merged:
        """Hand the records over in chunks, so that the queue serves others in between."""
        total = Merged()
        default_type = self.config.type or "TASK"
        for start in range(0, len(pull.tickets), CHUNK):
            chunk = pull.tickets[start : start + CHUNK]
            part = await self._queue.merge(
                self.name,
                chunk,
                read_at=read_at,
                in_flight=before | self._in_flight(),
                default_type=default_type,
            )
            total = _joined(total, part)
        if pull.complete:
            present = frozenset(each.external_id for each in pull.tickets)
            gone = await self._queue.absent(self.name, present, in_flight=before | self._in_flight())
            total = _joined(total, gone)
        return total

    def _in_flight(self) -> frozenset[str]:
        return frozenset(each.external_id for each in self._pending.values())

    async def _name(self, pull: Pull) -> None:
        """Give local records without an id one; the next pull, which the change rings for, brings them."""
        assigned = False
        for unnamed in pull.unnamed:
            ticket_id = await self._queue.allocate(unnamed.type or self.config.type or "TASK")
            with trio.move_on_after(WRITE_DEADLINE):
                assigned |= await self.provider.assign(unnamed, ticket_id)
        if assigned:
            self._now.ring()

    async def _pulled(self, pull: Pull, view: SyncView) -> None:
        news = view.created or view.updated or view.closed
        problems_changed = pull.problems != self.state.problems
        recovered = self.state.error_code is not None
        self.state = CollectionState(self.name, pull.cursor, self._clock(), problems=pull.problems)
        entries = []
        if news or problems_changed or recovered:
            data: dict[str, Value] = {
                "collection": self.name,
                "created": len(view.created),
                "updated": len(view.updated),
                "closed": len(view.closed),
                "errors": len(view.errors),
            }
            entries.append(Entry("sync.done", self._clock(), data=data))
        await self._store.commit(self.state, entries=entries, durable=False)

    async def _failed(self, error: BoardError) -> None:
        retry_at = None
        if isinstance(error, BoardRateLimited):
            retry_at = self._clock() + timedelta(seconds=error.retry_after)
        entries = []
        if error.code != self.state.error_code:
            data: dict[str, Value] = {"collection": self.name, "code": error.code, "message": error.message}
            entries.append(Entry("sync.failed", self._clock(), data=data))
        self.state = evolve(self.state, error_code=error.code, error=error.message, retry_at=retry_at)
        await self._store.commit(self.state, entries=entries, durable=False)
        log.warning("board not read", collection=self.name, code=error.code, reason=error.message)

    # --- writing back -----------------------------------------------------------------------------

    async def push_for_ever(self) -> None:
        """Do the stored writes in order, each until it is done; a write that cannot be done holds back its own
        ticket's later ones only."""
        failures = 0
        while True:
            await self._queue_news(failures)
            held: set[str] = set()
            failed = False
            for write in list(self._pending.values()):
                if write.external_id in held:
                    continue
                if not await self._write(write):
                    held.add(write.external_id)
                    failed = True
            failures = failures + 1 if failed else 0

    async def _queue_news(self, failures: int) -> None:
        wait = None
        if failures:
            wait = min(1.0 * 2 ** min(failures - 1, 9), BACK_OFF_CAP) * self._random.uniform(0.9, 1.1)
        await self.outbox.wait_until(wait)
        self._pending = {each.id: each for each in await self._open_writes()}

    async def _write(self, write: BoardWrite) -> bool:
        try:
            with trio.move_on_after(WRITE_DEADLINE):
                result = await self.provider.write(write)
                await self._written(write, result)
                return True
            raise BoardTransport(f"{self.name} did not answer within {WRITE_DEADLINE:g} s")
        except (BoardError, TooSlow) as error:
            failed = evolve(write, attempts=write.attempts + 1, last_error=error.message)
            entries = [self._entry("board.write_failed", failed, error.message)] if write.attempts == 0 else []
            await self._store.commit(failed, entries=entries, durable=False)
            self._pending[write.id] = failed
            return False

    async def _written(self, write: BoardWrite, result: WriteResult) -> None:
        if isinstance(result, Conflicted):
            entry = self._entry("board.conflict", write, f"a person has it as {result.theirs}; theirs stays")
        else:
            await self._queue.wrote(write.ticket_id, write.kind)
            entry = self._entry("board.written", write, "")
        await self._store.commit(evolve(write, done=True, last_error=None), entries=[entry])
        self._pending.pop(write.id, None)
        if isinstance(result, Conflicted):
            self._now.ring()

    def _entry(self, kind: str, write: BoardWrite, message: str) -> Entry:
        data: dict[str, Value] = {"collection": self.name, "write": str(write.kind), "message": message}
        return Entry(kind, self._clock(), write.ticket_id, data=data)

    # --- the view ---------------------------------------------------------------------------------

    def view(self) -> CollectionView:
        state = self.state
        return CollectionView(
            name=self.name,
            provider=self.config.provider,
            where=self.config.path,
            last_sync=state.last_sync,
            next_sync=self.next_sync,
            error_code=state.error_code,
            error=state.error,
            retry_at=state.retry_at,
            pending_writes=len(self._pending),
            problems=tuple(f"{each.where}: {each.message}" for each in state.problems),
        )


def _joined(one: Merged, other: Merged) -> Merged:
    return Merged(
        one.created + other.created,
        one.updated + other.updated,
        one.skipped + other.skipped,
        one.closed + other.closed,
        one.errors + other.errors,
    )
