"""What the queue can be asked. One frozen class per request, each with its reply."""

from datetime import datetime

from attrs import frozen

from supervisor.actors.kit import Reply
from supervisor.actors.queue.shelf import Merged, Pause
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.ticket import BoardTicket, Ticket, WriteKind
from supervisor.ports import Edit, NewTicket

Amendment = Edit


@frozen
class Merge:
    collection: str
    records: tuple[BoardTicket, ...]
    read_at: datetime
    in_flight: frozenset[str]
    default_type: str
    reply: Reply[Merged]


@frozen
class Absent:
    collection: str
    gone: tuple[str, ...]
    reply: Reply[Merged]


@frozen
class Wrote:
    ticket_id: TicketId
    kind: WriteKind
    conflict: str | None
    reply: Reply[None]


@frozen
class Allocate:
    type_name: str
    reply: Reply[TicketId]


@frozen
class Add:
    new: NewTicket
    reply: Reply[Ticket]


@frozen
class Amend:
    ticket_id: TicketId
    amendment: Amendment
    reply: Reply[Ticket]


@frozen
class Launch:
    ticket_id: TicketId
    force: bool
    reply: Reply[AgentId]


@frozen
class Cancel:
    ticket_id: TicketId
    reason: str
    reply: Reply[Ticket]


@frozen
class Retry:
    ticket_id: TicketId
    reply: Reply[Ticket]


@frozen
class Finish:
    ticket_id: TicketId
    reply: Reply[Ticket]


@frozen
class Stop:
    agent_id: AgentId
    reply: Reply[Ticket]


@frozen
class Archived:
    ticket_id: TicketId
    reply: Reply[Ticket]


@frozen
class PauseQueue:
    reason: str | None
    who: str
    reply: Reply[Pause]


@frozen
class ResumeQueue:
    who: str
    reply: Reply[None]


IntakeMessage = Merge | Absent | Wrote | Allocate | Add | Amend
Message = IntakeMessage | Launch | Cancel | Retry | Finish | Stop | Archived | PauseQueue | ResumeQueue
