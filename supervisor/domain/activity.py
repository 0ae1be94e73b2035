"""The ordered, durable log of everything that happened."""

from datetime import datetime

from attrs import field, frozen

from supervisor.domain.ids import AgentId, Seq, TicketId

Value = str | int | float | bool | None
"""What may stand as a value in an entry's data: flat, so that every client can show it."""


@frozen
class Entry:
    """Something that is about to be recorded: it gets its `seq` in the transaction that makes it true."""

    kind: str
    """`<noun>.<fact in the past tense or new state>`, such as `ticket.done` or `agent.running`."""
    at: datetime
    ticket: TicketId | None = None
    agent: AgentId | None = None
    data: dict[str, Value] = field(factory=dict)


@frozen
class Recorded:
    """An entry with its place in the log; `seq` starts at 1 and has no gaps."""

    seq: Seq
    entry: Entry


@frozen
class Filter:
    """Which entries a subscriber wants. Empty means all."""

    kinds: tuple[str, ...] = ()
    """Exact kinds, or a prefix that ends in `.*`."""
    agent: AgentId | None = None
    ticket: TicketId | None = None

    def wants(self, entry: Entry) -> bool:
        if self.agent is not None and entry.agent != self.agent:
            return False
        if self.ticket is not None and entry.ticket != self.ticket:
            return False
        return not self.kinds or any(_fits(entry.kind, kind) for kind in self.kinds)


def _fits(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted[:-1]) if wanted.endswith(".*") else kind == wanted
