"""What is known of one collection between requests to its board, and the one door through which it is asked."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell, Clock
from supervisor.actors.store import Store
from supervisor.domain import board_config
from supervisor.domain.activity import Entry, Value
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardPayload, BoardRateLimited, BoardTransport, OperatorError
from supervisor.domain.ticket import CollectionState
from supervisor.ports import KanbanProvider

T = TypeVar("T")

log = structlog.get_logger()


class Standing:
    """Reading and writing share it: when one is told to wait, so is the other."""

    def __init__(
        self, name: str, config: CollectionConfig, provider: KanbanProvider, store: Store, clock: Clock
    ) -> None:
        self.name = name
        self.config = config
        self.provider = provider
        self.store = store
        self.clock = clock
        self.state = CollectionState(name)
        self.read_soon = Bell()
        """Rung when the board may have changed."""

    async def load(self) -> None:
        """What is stored; if the collection was another place then, nothing of it holds here."""
        place = board_config.workspace(self.config)
        stored = await self.store.get(CollectionState, self.name)
        if stored is not None and stored.workspace in ("", place):
            self.state = evolve(stored, workspace=place)
            return
        self.state = CollectionState(self.name, workspace=place)
        if stored is not None:
            data: dict[str, Value] = {"collection": self.name, "now": place, "before": stored.workspace}
            await self.put(self.state, Entry("collection.moved", self.clock(), data=data))

    async def put(self, state: CollectionState, *entries: Entry, durable: bool = False) -> None:
        self.state = state
        await self.store.commit(state, entries=entries, durable=durable)

    @property
    def wait(self) -> float:
        """Seconds until the board may be asked again; 0 if it may be now."""
        if self.state.retry_at is None:
            return 0.0
        return max(0.0, (self.state.retry_at - self.clock()).total_seconds())

    def after(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)

    async def doubt(self, external_id: str) -> None:
        """What a person made of this record is to be seen soon."""
        doubtful = tuple(dict.fromkeys((*self.state.doubtful, external_id)))
        await self.put(evolve(self.state, doubtful=doubtful))
        self.read_soon.ring()

    async def ask(self, act: Callable[[], Awaitable[T]], within: float) -> T:
        """Ask the board, unless it wants no request yet. Raises BoardError; what a provider was not meant to raise is
        one, too, so that a fault in it stops nothing but itself."""
        if self.wait:
            raise BoardRateLimited(
                f"{self.name} wants no request for {self.wait:.0f} s", self.wait, hint="it is asked again then"
            )
        failure: Exception | None = None
        try:
            with trio.move_on_after(within):
                return await act()
        except Exception as raised:
            failure = raised
        if failure is not None:
            raise await self._understood(failure) from failure
        raise BoardTransport(f"{self.name} did not answer within {within:g} s", hint="it is tried again")

    async def _understood(self, raised: Exception) -> OperatorError:
        """What a provider's failure means; that its board wants to be left alone is remembered."""
        error = _single(raised)
        if isinstance(error, BoardRateLimited):
            await self._limited(error.retry_after)
        if isinstance(error, OperatorError):
            return error
        log.error("board provider failed", collection=self.name, exc_info=raised)
        return BoardPayload(
            f"{self.name} could not be understood: {type(error).__name__}",
            hint="the daemon's log says where; it is tried again",
        )

    async def _limited(self, seconds: float) -> None:
        """Stored, so that a restart asks no earlier."""
        until = self.after(seconds)
        if self.state.retry_at is None or until > self.state.retry_at:
            await self.put(evolve(self.state, retry_at=until))


def _single(error: Exception) -> Exception:
    """The one failure inside nested groups."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def backed_off(failures: int, base: float, cap: float) -> float:
    """Seconds to wait after the n-th failure in a row."""
    return min(base * 2.0 ** min(failures - 1, 20), max(cap, base)) if failures else 0.0
