"""Writing to one board: the stored writes, per ticket in their order, each until it is done."""

import random
from collections.abc import Iterable, Sequence

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell
from supervisor.actors.queue import Queue
from supervisor.actors.sync.standing import Standing, backed_off
from supervisor.actors.sync.telling import Teller
from supervisor.domain.activity import Entry, Value
from supervisor.domain.errors import BoardAuth, BoardError, BoardRateLimited, BoardTransport, NotFound, OperatorError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardWrite, WriteKind
from supervisor.domain.views import WriteView
from supervisor.ports import Conflicted, WriteResult

log = structlog.get_logger()

WRITE_DEADLINE = 30.0
AT_ONCE = 4
"""Tickets that are written to at the same time."""
BASE, CAP = 1.0, 300.0
"""Seconds after a first failure, doubled each time, and at most."""
COMMENT_EVERY = 30.0
"""Seconds between two edits of one ticket's comment."""
_STANDS_STILL = "its collection reads another place now; it is written when that is read again"


class Writing:
    """One board's outbox. A write that cannot be done holds back its own ticket's later ones only; a board that
    cannot be reached is asked for none of the others either until it is tried again."""

    def __init__(self, standing: Standing, queue: Queue, teller: Teller) -> None:
        self._standing = standing
        self._queue = queue
        self._teller = teller
        self.bell = Bell()
        self._pending: dict[str, BoardWrite] = {}
        self._due: dict[str, float] = {}
        self._failures = 0
        self._rest_until = 0.0
        self._error: str | None = None
        self._slots = trio.CapacityLimiter(AT_ONCE)
        self._random = random.Random()

    # --- reads ------------------------------------------------------------------------------------

    @property
    def pending(self) -> Sequence[BoardWrite]:
        return tuple(self._pending.values())

    @property
    def in_flight(self) -> frozenset[str]:
        """The records that a write of ours is about to move: what is read of their state proves nothing."""
        return _moved(self._pending.values())

    def views(self) -> tuple[WriteView, ...]:
        """What is not written yet, oldest first, each with the reason."""
        return tuple(
            WriteView(
                collection=self._standing.name,
                ticket_id=each.ticket_id,
                kind=str(each.kind),
                since=each.at,
                attempts=each.attempts,
                error=each.last_error or self._error,
            )
            for each in self._pending.values()
        )

    async def load(self) -> None:
        """Take from the store what is not done."""
        self._pending = {each.id: each for each in await self._open()}
        self._due = {key: at for key, at in self._due.items() if key in self._pending}

    async def moving(self) -> frozenset[str]:
        """`in_flight` as the store knows it, with what the queue intended only just now."""
        return _moved(await self._open())

    async def reopening(self) -> frozenset[str]:
        """The records that a write of ours is about to open again: until then they stand as we closed them."""
        return frozenset(each.external_id for each in await self._open() if each.kind is WriteKind.REQUEUED)

    async def _open(self) -> list[BoardWrite]:
        stored = await self._standing.store.load(BoardWrite, collection=self._standing.name, done=False)
        return sorted(stored, key=lambda each: (each.number, each.id))

    def board_is_there(self) -> None:
        """The board was just read: what rests because it could not be reached may be tried."""
        if self._rest_until > trio.current_time():
            self._rest_until = 0.0
            self.bell.ring()

    # --- when -------------------------------------------------------------------------------------

    async def run(self) -> None:
        self.bell.ring()
        while True:
            await self.bell.wait_until(self._until_next())
            await self.load()
            now = trio.current_time()
            ready = [chain for chain in self._chains() if self._due_of(chain) <= now]
            async with trio.open_nursery() as nursery:
                for chain in ready:
                    nursery.start_soon(self._write_all, chain)

    def _chains(self) -> list[list[BoardWrite]]:
        """The writes of each ticket, in order."""
        chains: dict[TicketId, list[BoardWrite]] = {}
        for each in self._pending.values():
            if self._is_here(each):
                chains.setdefault(each.ticket_id, []).append(each)
        return list(chains.values())

    def _is_here(self, write: BoardWrite) -> bool:
        """Whether the ticket's record is at the place that the collection reads now."""
        try:
            return self._queue.find(write.ticket_id).external_id == write.external_id
        except NotFound:
            return True

    def _when(self, write: BoardWrite) -> float:
        """The moment from which on it may be written."""
        due = max(self._due.get(write.id, 0.0), self._rest_until)
        if self._standing.wait:
            due = max(due, trio.current_time() + self._standing.wait)
        if write.kind is WriteKind.NOTED:
            due = max(due, self._teller.said_at(write.ticket_id) + COMMENT_EVERY)
        return due

    def _due_of(self, chain: Sequence[BoardWrite]) -> float:
        """When the first of them may be written that is not told by a later one."""
        return self._when(next((each for each in chain if each.kind is not WriteKind.NOTED), chain[-1]))

    def _until_next(self) -> float | None:
        whens = [self._due_of(chain) for chain in self._chains()]
        return min(whens) - trio.current_time() if whens else None

    # --- one after the other ------------------------------------------------------------------------

    async def _write_all(self, chain: Sequence[BoardWrite]) -> None:
        for write in chain[:-1]:
            if write.kind is WriteKind.NOTED:
                await self._finish(write)  # a later write tells it
        for write in (each for each in chain if each.id in self._pending):
            async with self._slots:
                if self._when(write) > trio.current_time() or not await self._write(write):
                    return

    async def _write(self, write: BoardWrite) -> bool:
        told = await self._teller.tell(write)
        held_back = False
        if told.comment and write.kind is not WriteKind.NOTED:
            held_back = self._teller.said_at(write.ticket_id) + COMMENT_EVERY > trio.current_time()
        if held_back:
            told = evolve(told, comment="", link=None)
        if told.kind is WriteKind.NOTED and not told.comment:
            await self._finish(write)  # an earlier write has told all of it
            return True
        try:
            result = await self._standing.ask(lambda: self._standing.provider.write(told), WRITE_DEADLINE)
            await self._written(told, result, held_back)
        except OperatorError as error:
            await self._not_written(write, error)
            return False
        self._failures, self._rest_until, self._error = 0, 0.0, None
        return True

    async def _written(self, write: BoardWrite, result: WriteResult, held_back: bool) -> None:
        if isinstance(result, Conflicted):
            await self._queue.wrote(write.ticket_id, write.kind, result.theirs)
            message = f"a person has it as {result.theirs}; theirs stays"
            await self._finish(write, self._entry("board.conflict", write, message))
            await self._standing.doubt(write.external_id)
            return
        self._teller.said(write)
        if write.kind is WriteKind.NOTED:
            await self._finish(write)
            return
        await self._queue.wrote(write.ticket_id, write.kind)
        note = evolve(write, id=f"{write.id}.note", kind=WriteKind.NOTED, comment="", link=None) if held_back else None
        await self._finish(write, self._entry("board.written", write, ""), note=note)

    async def _finish(self, write: BoardWrite, *entries: Entry, note: BoardWrite | None = None) -> None:
        """It is done. `note`: what it owes the comment, which was edited only just before."""
        done = evolve(write, done=True, comment="", link=None, last_error=None)
        notes = [evolve(note, attempts=0, last_error=None)] if note is not None else []
        await self._standing.store.commit(done, *notes, entries=entries)
        self._pending.pop(write.id, None)
        self._due.pop(write.id, None)
        if notes:
            self.bell.ring()

    async def _not_written(self, write: BoardWrite, error: OperatorError) -> None:
        if isinstance(error, BoardRateLimited):
            self._error = error.message
            return  # nothing was tried: when it may be, the standing says
        failed = evolve(write, attempts=write.attempts + 1, last_error=error.message)
        self._pending[write.id] = failed
        pause = backed_off(failed.attempts, BASE, CAP) * self._random.uniform(0.9, 1.1)
        self._due[write.id] = trio.current_time() + pause
        if _speaks_for_all(error):
            if self._rest_until <= trio.current_time():
                self._failures += 1
            pause = backed_off(self._failures, BASE, CAP) * self._random.uniform(0.9, 1.1)
            self._rest_until = trio.current_time() + pause
            self._error = error.message
        is_new = write.last_error is None
        entries = [self._entry("board.write_failed", failed, error.message)] if is_new else []
        await self._standing.store.commit(failed, entries=entries, durable=False)
        log.warning("board not written", collection=self._standing.name, ticket=write.ticket_id, reason=error.message)

    def _entry(self, kind: str, write: BoardWrite, message: str) -> Entry:
        data: dict[str, Value] = {"collection": self._standing.name, "write": str(write.kind), "message": message}
        return Entry(kind, self._standing.clock(), write.ticket_id, data=data)


def _moved(writes: Iterable[BoardWrite]) -> frozenset[str]:
    return frozenset(each.external_id for each in writes if each.kind is not WriteKind.NOTED)


def _speaks_for_all(error: OperatorError) -> bool:
    """Whether other writes would fail likewise."""
    if isinstance(error, BoardTransport | BoardAuth):
        return True
    return isinstance(error, BoardError) and error.data.get("status", "").startswith("5")
