"""One table for each kind of record: its key, the few columns that are looked up, and the record as JSON."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic

from attrs import field, frozen
from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    Index,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Update,
    bindparam,
)

from supervisor.domain.agent import Activity, Agent, Delivery
from supervisor.domain.phases import Progress
from supervisor.domain.review import Review, key_of
from supervisor.domain.ticket import BoardWrite, Body, CollectionState, Ticket
from supervisor.domain.wire import to_json
from supervisor.ports import R, Setting

REVISIONS: Final = ("0001",)
"""Every schema there has been, oldest first, by the name of its migration. The last one is what stands below."""
HEAD: Final = REVISIONS[-1]

Row = dict[str, object]
KEY: Final = "key_"
"""The parameter of an update that says which row."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What the database says of itself."""

entries = Table(
    "entries",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ticket", Text),
    Column("agent", Text),
    Column("data", Text, nullable=False),
    Index("entries_by_ticket", "ticket"),
    Index("entries_by_agent", "agent"),
)

revision = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""alembic's own table; apart, so that alembic does not take it for one of ours."""


@frozen
class Kind(Generic[R]):
    """How records of one class are kept."""

    record: type[R]
    table: Table
    row: Callable[[R], Row]
    """The record's key and looked-up columns."""
    key: Column[Any] = field(init=False)
    insert: Insert = field(init=False)
    update: Update = field(init=False)

    @key.default
    def _key(self) -> Column[Any]:
        (key,) = self.table.primary_key.columns
        return key

    @insert.default
    def _insert(self) -> Insert:
        return self.table.insert()

    @update.default
    def _update(self) -> Update:
        others: dict[str, BindParameter[Any]] = {
            each.name: bindparam(each.name) for each in self.table.columns if each is not self.key
        }
        return self.table.update().where(self.key == bindparam(KEY)).values(others)

    def full_row(self, record: R) -> Row:
        """All columns. Raises ValueError for what JSON cannot hold."""
        return self.row(record) | {"data": to_json(record)}


def _table(name: str, key: str, *more: Column[Any] | Index | UniqueConstraint) -> Table:
    return Table(name, metadata, Column(key, Text, primary_key=True), *more, Column("data", Text, nullable=False))


_TICKETS = Kind(
    Ticket,
    _table(
        "tickets",
        "id",
        Column("status", Text, nullable=False),
        Column("collection", Text),
        Column("external_id", Text),
        # Null differs from null: tickets without an external id do not collide.
        UniqueConstraint("collection", "external_id", name="tickets_once_per_external_id"),
        Index("tickets_by_status", "status"),
    ),
    lambda ticket: {
        "id": ticket.id,
        "status": ticket.status_name,
        "collection": ticket.collection,
        "external_id": ticket.external_id,
    },
)
_BODIES = Kind(Body, _table("bodies", "ticket_id"), lambda body: {"ticket_id": body.ticket_id})
_AGENTS = Kind(
    Agent,
    _table("agents", "id", Column("ticket_id", Text, nullable=False), Index("agents_by_ticket", "ticket_id")),
    lambda agent: {"id": agent.id, "ticket_id": agent.ticket_id},
)
_ACTIVITIES = Kind(Activity, _table("activities", "agent_id"), lambda activity: {"agent_id": activity.agent_id})
_DELIVERIES = Kind(
    Delivery,
    _table(
        "deliveries",
        "id",
        Column("agent_id", Text, nullable=False),
        Column("state", Text, nullable=False),
        Index("deliveries_by_agent", "agent_id"),
        Index("deliveries_by_state", "state"),
    ),
    lambda delivery: {"id": delivery.id, "agent_id": delivery.agent_id, "state": delivery.state.value},
)
_PROGRESS = Kind(
    Progress,
    _table(
        "progress",
        "agent_id",
        Column("ticket_id", Text, nullable=False),
        Index("progress_by_ticket", "ticket_id"),
    ),
    lambda progress: {"agent_id": progress.agent_id, "ticket_id": progress.ticket_id},
)
_REVIEWS = Kind(
    Review,
    _table(
        "reviews",
        "id",
        Column("ticket_id", Text, nullable=False),
        Column("agent_id", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("told", Boolean, nullable=False),
        Index("reviews_by_ticket", "ticket_id"),
        Index("reviews_by_agent", "agent_id"),
        Index("reviews_by_status", "status", "told"),
    ),
    lambda review: {
        "id": key_of(review.id),
        "ticket_id": review.ticket_id,
        "agent_id": review.agent_id,
        "status": review.status,
        "told": review.told,
    },
)
_WRITES = Kind(
    BoardWrite,
    _table(
        "writes",
        "id",
        Column("collection", Text, nullable=False),
        Column("done", Boolean, nullable=False),
        Column("number", Integer, nullable=False),
        Index("writes_by_collection", "collection", "done", "number"),
    ),
    lambda write: {
        "id": write.id,
        "collection": write.collection,
        "done": write.done,
        "number": write.number,
    },
)
_COLLECTIONS = Kind(CollectionState, _table("collections", "name"), lambda state: {"name": state.name})
_SETTINGS = Kind(Setting, _table("settings", "name"), lambda setting: {"name": setting.name})

KINDS: Final[Mapping[type[object], Kind[Any]]] = {
    kind.record: kind
    for kind in (
        _TICKETS,
        _BODIES,
        _AGENTS,
        _ACTIVITIES,
        _DELIVERIES,
        _PROGRESS,
        _REVIEWS,
        _WRITES,
        _COLLECTIONS,
        _SETTINGS,
    )
}
