"""The activity, page by page; the stream has it live."""

from typing import Any

from attrs import field, frozen, validators

from supervisor.domain.activity import Filter
from supervisor.domain.ids import AgentId, Seq, TicketId
from supervisor.domain.views import ActivityPage
from supervisor.web.glue import Raw, Routes
from supervisor.web.house import House

routes = Routes("activity")

_SEQ = validators.and_(validators.ge(0), validators.le(2**53 - 1))
_short: Any = validators.max_len(200)


@frozen
class Wanted:
    """Which entries: `kinds` are exact, or prefixes that end in `.*`."""

    kinds: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_short, validators.max_len(50)))
    agent: str | None = field(default=None, validator=validators.optional(_short))
    ticket: str | None = field(default=None, validator=validators.optional(_short))
    since: int | None = field(default=None, validator=validators.optional(_SEQ))
    """Entries after this one. None: on a page from the beginning, on a stream from now on."""

    @property
    def filter(self) -> Filter:
        return Filter(
            self.kinds,
            None if self.agent is None else AgentId(self.agent),
            None if self.ticket is None else TicketId(self.ticket),
        )


@frozen
class Paged(Wanted):
    limit: int = field(default=100, validator=[validators.ge(1), validators.le(1000)])


@routes.get("/activity", schema=ActivityPage)
async def page(house: House, query: Paged) -> Raw:
    """What happened, oldest first, after an entry."""
    log = house.activity
    found = await log.page(Seq(query.since or 0), query.limit, query.filter)
    events = ",".join(found)
    return Raw(f'{{"events":[{events}],"head":{log.head},"oldest":{log.oldest}}}'.encode())
