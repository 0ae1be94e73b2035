"""Keeps a world fresh: the stream says what has changed, and only that is read again, bundled and in moderation."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from clients.api.client import Client
from clients.api.errors import ApiError, NoDaemon, Refused
from clients.api.http import http_transport
from clients.api.locate import Where
from clients.api.stream import Connected, Disconnected, Gap, Happened, NewEpoch
from clients.tui.news import News, Offline, Online, Read
from clients.tui.world import Part, Stale, World, with_agents
from supervisor.domain.views import AgentView, ReviewView

T = TypeVar("T")

_SHARE, _SHORTEST, _LONGEST = 0.1, 0.05, 2.0
"""A reading is followed by rest until all that this program has done since it began is so small a share of a core; and
by so many seconds of it at least, and at most. So a storm of events costs no more, whatever the number of agents."""
_AGAIN = 1.0
"""Seconds until a daemon is looked for again, and until a reading that failed is done again."""
_REVIEWS, _PARKED = 200, 200
"""How many of them are shown."""
_NO_AGENT = 404


class Follower:
    """Follows one daemon until cancelled."""

    def __init__(self, find: Callable[[], Where], tell: Callable[[News], None]) -> None:
        """`find` says where it is now, and raises NoDaemon; `tell` gets the news, in order."""
        self._find = find
        self._tell = tell
        self._stale = Stale()
        self._wake = asyncio.Event()
        self._offline: Offline | None = None
        self.client: Client | None = None
        """For acts: of the daemon as it was found last."""

    async def run(self) -> None:
        """Find it, follow it, find it again."""
        while True:
            try:
                where = self._find()
            except NoDaemon as error:
                self._say_offline(error.message, error.hint)
                await asyncio.sleep(_AGAIN)
                continue
            try:
                await self._follow(where)
            except* ApiError as group:
                failure = _first(group)
                self._say_offline(failure.message, failure.hint)
                await asyncio.sleep(_AGAIN)

    def again(self) -> None:
        """Read all anew: something was done whose traces should be seen at once."""
        self._stale.all()
        self._wake.set()

    async def _follow(self, where: Where) -> None:
        async with http_transport(where.url) as transport:
            self.client = Client(transport, where)
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read_on(), name="reading")
                try:
                    await self._listen(self.client)
                finally:
                    reading.cancel()

    async def _listen(self, client: Client) -> None:
        """Until the daemon cannot be heard any more, or is to be looked for elsewhere."""
        async with client.stream() as stream:
            async for message in stream:
                match message:
                    case Connected():
                        moved = self._find()
                        if moved.url != client.where.url:
                            return
                        client.where = moved  # its token may be another one by now
                        self._offline = None
                        self._tell(Online())
                        self.again()
                    case Disconnected(reason=reason):
                        self._say_offline(reason)
                    case Gap() | NewEpoch():
                        self.again()
                    case Happened(event=event):
                        self._stale.note(event)
                        self._wake.set()
                        self._tell(event)
                    case never:
                        assert_never(never)

    def _say_offline(self, reason: str, hint: str = "") -> None:
        since = self._offline.since if self._offline is not None else datetime.now(UTC)
        told, self._offline = self._offline, Offline(since, reason, hint)
        if told != self._offline:
            self._tell(self._offline)

    async def _read_on(self) -> None:
        world: World | None = None
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._offline is not None:
                continue  # all is read anew once it is heard again
            assert self.client is not None
            began, used = time.monotonic(), time.process_time()
            parts, agents = self._stale.take()
            try:
                world = await read(self.client, world, parts, agents)
            except ApiError as error:
                self._stale.all()
                if isinstance(error, Refused) or self._offline is None:
                    await asyncio.sleep(_AGAIN)
                self._wake.set()
                continue
            self._tell(Read(world))
            await asyncio.sleep(_SHORTEST)  # what was read is drawn meanwhile, which counts, too
            due = began + (time.process_time() - used) / _SHARE
            await asyncio.sleep(min(max(due - time.monotonic(), 0), _LONGEST))


async def read(client: Client, world: World | None, parts: frozenset[Part], agents: frozenset[str]) -> World:
    """`world` with these parts as they are now; all of it where there was none. Raises ApiError."""
    if world is None:
        parts = frozenset(Part)
    status, kanban, parked, listed, reviews = await asyncio.gather(
        _if(Part.STATUS in parts, client.status),
        _if(Part.KANBAN in parts, client.kanban),
        _if(Part.KANBAN in parts, lambda: client.tickets("parked", limit=_PARKED)),
        _if(Part.AGENTS in parts, client.active_agents),
        _if(Part.REVIEWS in parts, lambda: client.reviews("pending", limit=_REVIEWS)),
    )
    if world is None:
        assert status is not None
        assert kanban is not None
        assert parked is not None
        assert listed is not None
        assert reviews is not None
        return World(status, kanban, _by_id(listed.agents), _by_number(reviews.reviews), parked.tickets)
    fresh = World(
        status or world.status,
        kanban or world.kanban,
        world.agents if listed is None else _by_id(listed.agents),
        world.reviews if reviews is None else _by_number(reviews.reviews),
        world.parked if parked is None else parked.tickets,
    )
    if not agents:
        return fresh
    found = await asyncio.gather(*(_agent(client, name) for name in sorted(agents)))
    there = [agent for agent in found if agent is not None]
    over = agents - {agent.id for agent in there if agent.phase not in ("retired", "launchfailed")}
    return with_agents(fresh, there, over)


async def _if(wanted: bool, ask: Callable[[], Awaitable[T]]) -> T | None:
    return await ask() if wanted else None


async def _agent(client: Client, name: str) -> AgentView | None:
    try:
        return await client.agent(name)
    except Refused as error:
        if error.status == _NO_AGENT:
            return None
        raise


def _first(group: ExceptionGroup[ApiError]) -> ApiError:
    error: ApiError | ExceptionGroup[ApiError] = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _by_id(agents: tuple[AgentView, ...]) -> dict[str, AgentView]:
    return {agent.id: agent for agent in agents}


def _by_number(reviews: tuple[ReviewView, ...]) -> dict[int, ReviewView]:
    return {review.id: review for review in reviews}
