"""What a daemon said last, and which part of it an event makes out of date. Pure."""

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from attrs import define, evolve, field, frozen

from supervisor.domain.views import AgentView, EventView, Kanban, ReviewView, StatusView, TicketView


@frozen
class World:
    """One daemon, as it was read."""

    status: StatusView
    kanban: Kanban
    agents: Mapping[str, AgentView]
    """Those that are not over, by id."""
    reviews: Mapping[int, ReviewView]
    """Those that are pending, by number."""
    parked: tuple[TicketView, ...] = ()
    """The newest of those that wait for something else than a slot."""


class Part(Enum):
    """What is read as a whole."""

    STATUS = auto()
    KANBAN = auto()
    AGENTS = auto()
    REVIEWS = auto()


EVERYTHING = frozenset(Part)
FEW = 4
"""So many agents are read one by one; more of them as a list."""
_BEGIN_OR_END = ("agent.planned", "agent.retired", "agent.launch_failed", "agent.launchfailed", "agent.forgotten")


@define
class Stale:
    """What has to be read again. Events add to it, a reading takes it away whole."""

    parts: set[Part] = field(factory=set)
    agents: set[str] = field(factory=set)

    def __bool__(self) -> bool:
        return bool(self.parts or self.agents)

    def all(self) -> None:
        """Nothing is known for certain any more."""
        self.parts |= EVERYTHING

    def note(self, event: EventView) -> None:
        """What this entry says has changed."""
        noun = event.kind.partition(".")[0]
        if event.agent is not None:
            self.agents.add(event.agent)
        if noun in ("ticket", "step"):
            self.parts |= {Part.STATUS, Part.KANBAN}
        elif noun == "review":
            self.parts |= {Part.STATUS, Part.KANBAN, Part.REVIEWS}
        elif noun not in ("agent", "delivery"):
            self.parts.add(Part.STATUS)
        if event.kind in _BEGIN_OR_END:
            self.parts |= {Part.AGENTS, Part.KANBAN, Part.STATUS}

    def take(self) -> tuple[frozenset[Part], frozenset[str]]:
        """What to read now: whole parts, and single agents."""
        parts, agents = set(self.parts), frozenset(self.agents)
        self.parts.clear()
        self.agents.clear()
        if len(agents) > FEW:
            parts.add(Part.AGENTS)
        return frozenset(parts), frozenset() if Part.AGENTS in parts else agents


def with_agents(world: World, read: Iterable[AgentView], gone: Iterable[str]) -> World:
    """`world` with these agents as they are now; those that are over are no part of it."""
    agents = dict(world.agents)
    for agent in read:
        agents[agent.id] = agent
    for name in gone:
        agents.pop(name, None)
    return evolve(world, agents=agents)


def without_review(world: World, review: ReviewView) -> World:
    """`world` as it looks once this review is decided, until it is read again."""
    reviews = {number: each for number, each in world.reviews.items() if number != review.id}
    agents = {
        name: evolve(each, needs=None, review_id=None) if each.review_id == review.id else each
        for name, each in world.agents.items()
    }
    decided = [each for each in world.kanban.awaiting if each.id == review.ticket_id]
    kanban = evolve(
        world.kanban,
        awaiting=tuple(each for each in world.kanban.awaiting if each.id != review.ticket_id),
        running=(*world.kanban.running, *(evolve(each, status="running") for each in decided)),
    )
    return evolve(world, kanban=kanban, agents=agents, reviews=reviews)
