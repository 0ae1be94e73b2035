"""What may be deleted, as SQL: a few rows of each kind at a time."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select

from supervisor.adapters.storage.tables import KINDS, entries
from supervisor.domain.agent import OVER, SETTLED, Agent, Delivery
from supervisor.domain.retention import Retention
from supervisor.domain.ticket import BoardWrite
from supervisor.domain.wire import iso

_AGENTS: Final = KINDS[Agent].table.c
_DELIVERIES: Final = KINDS[Delivery].table
_WRITES: Final = KINDS[BoardWrite].table


def prune(connection: Connection, keep: Retention, now: datetime, limit: int) -> int:
    """Delete at most `limit` rows of each kind; how many they were in all."""
    settled = iso(now - keep.settled)
    return (
        _prune_entries(connection, keep, now, limit)
        + _prune_deliveries(connection, settled, limit)
        + _prune_writes(connection, settled, limit)
    )


def _prune_entries(connection: Connection, keep: Retention, now: datetime, limit: int) -> int:
    """From the oldest on, up to the first that stays: the log has a beginning, and no holes."""
    oldest = connection.scalar(select(func.min(entries.c.seq)))
    newest = connection.scalar(select(func.max(entries.c.seq)))
    if oldest is None or newest is None:
        return 0
    last = min(newest - keep.entries, oldest + limit - 1)
    young = entries.c.at > iso(now - keep.age)
    first_young = connection.scalar(select(func.min(entries.c.seq)).where(entries.c.seq.between(oldest, last), young))
    if first_young is not None:
        last = first_young - 1
    return connection.execute(delete(entries).where(entries.c.seq.between(oldest, last))).rowcount


def _prune_deliveries(connection: Connection, before: str, limit: int) -> int:
    """Texts whose fate is known, for agents that were over by then."""
    table, phase = _DELIVERIES.c, [each.__name__.lower() for each in OVER]
    outdated = (
        select(table.id)
        .join(KINDS[Agent].table, _AGENTS.id == table.agent_id)
        .where(
            table.state.in_([each.value for each in SETTLED]),
            func.json_extract(_AGENTS.data, "$.phase.name").in_(phase),
            func.json_extract(_AGENTS.data, "$.phase.at") <= before,
        )
        .limit(limit)
    )
    return connection.execute(delete(_DELIVERIES).where(table.id.in_(outdated))).rowcount


def _prune_writes(connection: Connection, before: str, limit: int) -> int:
    """Writes that are done, but for the newest of all: new ones are numbered from it, and a number stands in the
    key by which a board knows a write again."""
    table = _WRITES.c
    newest = select(func.max(table.number)).scalar_subquery()
    outdated = (
        select(table.id)
        .where(table.done, func.json_extract(table.data, "$.at") <= before, table.number < newest)
        .limit(limit)
    )
    return connection.execute(delete(_WRITES).where(table.id.in_(outdated))).rowcount
