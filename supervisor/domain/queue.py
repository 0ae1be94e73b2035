"""Which ticket is next, and whether it may start. Pure, and independent of how many tickets wait.

Waiting tickets stand in lanes, one for each combination of what caps are counted by (project, driver,
issue type). A decision looks at the head of each lane only.
"""

import bisect
import heapq
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, assert_never

from attrs import field, frozen

from supervisor.domain.board_config import workspace
from supervisor.domain.config import Config, QueueConfig, issue_types
from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import IssueType, Mode
from supervisor.domain.ticket import Parked, ParkReason, Queued, Ticket, TicketStatus


@frozen
class Lane:
    """What caps are counted by."""

    project: str
    driver: str
    type: str
    paired: bool


@frozen
class Settings:
    """What the configuration says about routing and caps, resolved once for each configuration."""

    queue: QueueConfig
    types: Mapping[str, IssueType]
    projects: Mapping[str, int | None]
    """Each project's own cap; None: no cap of its own."""
    drivers: Mapping[str, int | None]
    collections: Mapping[str, "Route"]

    @classmethod
    def of(cls, config: Config) -> "Settings":
        return cls(
            queue=config.queue,
            types=issue_types(config),
            projects={
                name: config.queue.max_per_project if given.max_agents is None else given.max_agents
                for name, given in config.projects.items()
            },
            drivers={name: given.max_agents for name, given in config.drivers.items()},
            collections={
                name: Route(
                    given.project,
                    given.driver,
                    given.labels,
                    given.write_back,
                    given.on_closed,
                    given.write_back and given.provider != "local",
                    workspace(given),
                )
                for name, given in config.collections.items()
            },
        )


@frozen
class Route:
    """Where a collection's tickets go, and which of them are wanted."""

    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    write_back: bool = True
    on_closed: Literal["finish", "stop"] = "finish"
    comments: bool = False
    """Whether its board is told how the work goes on, in a comment."""
    workspace: str = ""
    """Which place at the provider the tickets' external ids belong to."""


@frozen
class Obstacle:
    """Why a ticket is not eligible at all, whatever slots are free."""

    reason: ParkReason
    detail: str
    hint: str = ""


def route(ticket: Ticket, settings: Settings) -> Lane | Obstacle:
    """The project and driver a ticket goes to: its own, its collection's, its type's, the queue's, the only one."""
    kind = settings.types.get(ticket.type)
    if kind is None:
        return Obstacle(ParkReason.NO_TYPE, f"there is no issue type {ticket.type}", f"define [types.{ticket.type}]")
    via = settings.collections.get(ticket.collection or "", Route())
    project = _choose("project", (ticket.project, via.project, kind.project, settings.queue.project), settings.projects)
    if isinstance(project, Obstacle):
        return project
    driver = _choose("driver", (ticket.driver, via.driver, kind.driver, settings.queue.driver), settings.drivers)
    if isinstance(driver, Obstacle):
        return driver
    return Lane(project, driver, kind.name, kind.mode is Mode.PAIRED)


def _choose(what: str, wishes: tuple[str | None, ...], known: Mapping[str, object]) -> str | Obstacle:
    reason = ParkReason.NO_PROJECT if what == "project" else ParkReason.NO_DRIVER
    named = next((wish for wish in wishes if wish), None)
    if named is not None:
        if named in known:
            return named
        return Obstacle(reason, f"there is no {what} {named}", f"add [{what}s.{named}] to operator.toml")
    if len(known) == 1:
        return next(iter(known))
    if not known:
        return Obstacle(reason, f"no {what} is configured", f"add a [{what}s.NAME] table to operator.toml")
    return Obstacle(reason, f"no {what} is named and there are several", "name one in [queue] or on the ticket")


def unwanted(ticket: Ticket, settings: Settings) -> Obstacle | None:
    """Whether the collection's wanted labels keep the ticket out."""
    wanted = settings.collections.get(ticket.collection or "", Route()).labels
    lacking = [label for label in wanted if label not in ticket.labels]
    return Obstacle(ParkReason.LABELS, f"lacks the label {', '.join(lacking)}") if lacking else None


OrderKey = tuple[float, float, datetime, str]


def order_key(ticket: Ticket, settings: Settings) -> OrderKey:
    """Type rank, then priority (1 first, none last), then oldest, then id."""
    kind = settings.types.get(ticket.type)
    priority = math.inf if ticket.priority is None else ticket.priority
    return (kind.rank if kind else math.inf, priority, ticket.created_at, ticket.id)


@frozen
class Load:
    """How many agents hold slots, by what caps are counted by."""

    total: int = 0
    projects: Mapping[str, int] = field(factory=dict)
    drivers: Mapping[str, int] = field(factory=dict)
    types: Mapping[str, int] = field(factory=dict)
    paired: int = 0

    @classmethod
    def of(cls, lanes: Iterable[Lane]) -> "Load":
        held = list(lanes)
        return cls(
            total=len(held),
            projects=Counter(lane.project for lane in held),
            drivers=Counter(lane.driver for lane in held),
            types=Counter(lane.type for lane in held),
            paired=sum(lane.paired for lane in held),
        )


def full(lane: Lane, load: Load, settings: Settings) -> str | None:
    """Which cap keeps a ticket of this lane waiting, as a sentence; None if a slot is free."""
    if load.total >= settings.queue.max_agents:
        return f"all {settings.queue.max_agents} agents are busy (queue.max_agents)"
    caps = (
        ("project", lane.project, load.projects, settings.projects.get(lane.project)),
        ("driver", lane.driver, load.drivers, settings.drivers.get(lane.driver)),
        ("type", lane.type, load.types, settings.types[lane.type].max_agents),
    )
    for what, name, held, cap in caps:
        if cap is not None and held.get(name, 0) >= cap:
            return f"{what} {name} has its {cap} agents"
    if lane.paired and load.paired >= 1:
        return "another paired agent is at work, and a person pairs with one at a time"
    return None


class Backlog:
    """The eligible tickets, in lanes, each in order. Knows nothing of caps."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[OrderKey]] = {}
        self._where: dict[TicketId, tuple[Lane, OrderKey]] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, ticket_id: TicketId) -> bool:
        return ticket_id in self._where

    def put(self, ticket_id: TicketId, lane: Lane, key: OrderKey) -> None:
        """Add a ticket, or move it to where it now belongs."""
        if self._where.get(ticket_id) == (lane, key):
            return
        self.drop(ticket_id)
        bisect.insort(self._lanes.setdefault(lane, []), key)
        self._where[ticket_id] = (lane, key)

    def drop(self, ticket_id: TicketId) -> None:
        """Remove a ticket, if it is there."""
        found = self._where.pop(ticket_id, None)
        if found is None:
            return
        lane, key = found
        line = self._lanes[lane]
        del line[bisect.bisect_left(line, key)]
        if not line:
            del self._lanes[lane]

    def best(self, load: Load, settings: Settings) -> tuple[TicketId, Lane] | None:
        """The first ticket in order among the lanes that have a free slot."""
        heads = ((line[0], lane) for lane, line in self._lanes.items() if full(lane, load, settings) is None)
        first = min(heads, default=None, key=lambda head: head[0])
        return None if first is None else (TicketId(first[0][3]), first[1])

    def in_order(self) -> Iterator[TicketId]:
        """All of them, first to last; as many are looked at as are taken. Ends with the next change."""
        return (TicketId(key[3]) for key in heapq.merge(*self._lanes.values()))


_DOUBLINGS = 64
"""More of them would change no delay that a configuration can ask for, and some day overflow."""


def retry_delay(attempt: int, queue: QueueConfig, jitter: float) -> timedelta:
    """How long to wait after the `attempt`-th failed attempt; `jitter` in -1..1 moves it by up to 10 %."""
    exact = min(queue.retry_base * 2.0 ** min(attempt - 1, _DOUBLINGS), queue.retry_cap)
    return timedelta(seconds=exact * (1 + 0.1 * jitter))


def jitter(source: random.Random) -> float:
    return source.uniform(-1, 1)


STICKY = frozenset(
    {
        ParkReason.RETRY,
        ParkReason.BUDGET,
        ParkReason.USAGE_LIMIT,
        ParkReason.LAUNCH_FAILED,
        ParkReason.CRASHED,
        ParkReason.LOST,
        ParkReason.REVIEW,
        ParkReason.HELD,
    }
)
"""Reasons that only time or a person takes away; the others are found anew from the ticket itself."""


def released(status: Parked, now: datetime) -> bool:
    """Whether nothing but the ticket itself can keep it parked any longer."""
    return status.reason not in STICKY or (status.until is not None and status.until <= now)


def assess(ticket: Ticket, settings: Settings, open_blockers: Sequence[str], now: datetime) -> Lane | Obstacle | None:
    """Whether a waiting ticket may stand in line: its lane, what is in the way, or None if its reason stays."""
    if isinstance(ticket.status, Parked) and not released(ticket.status, now):
        return None
    if ticket.problem is not None:
        return Obstacle(ParkReason.PROBLEM, ticket.problem)
    unwelcome = unwanted(ticket, settings)
    if unwelcome is not None:
        return unwelcome
    if open_blockers:
        return Obstacle(ParkReason.BLOCKED, f"by {', '.join(open_blockers)}")
    return route(ticket, settings)


def waiting_status(ticket: Ticket, found: Lane | Obstacle | None, now: datetime) -> TicketStatus:
    """The status that an assessment leads to; unchanged where it says the same again, so `since` stays true."""
    match found:
        case None:
            return ticket.status
        case Obstacle(reason=reason, detail=detail):
            if isinstance(ticket.status, Parked) and (ticket.status.reason, ticket.status.detail) == (reason, detail):
                return ticket.status
            return Parked(now, reason, detail)
        case Lane():
            return ticket.status if isinstance(ticket.status, Queued) else Queued(now)
        case never:
            assert_never(never)
