"""The first schema: a table for each kind of record, and the activity."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table("meta", Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
    _entries()
    op.create_table(
        "tickets",
        Column("id", Text, primary_key=True),
        Column("status", Text, nullable=False),
        Column("collection", Text),
        Column("external_id", Text),
        Column("data", Text, nullable=False),
        UniqueConstraint("collection", "external_id", name="tickets_once_per_external_id"),
    )
    op.create_index("tickets_by_status", "tickets", ["status"])
    op.create_table(
        "agents",
        Column("id", Text, primary_key=True),
        Column("ticket_id", Text, nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("agents_by_ticket", "agents", ["ticket_id"])
    op.create_table(
        "deliveries",
        Column("id", Text, primary_key=True),
        Column("agent_id", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("deliveries_by_agent", "deliveries", ["agent_id"])
    op.create_index("deliveries_by_state", "deliveries", ["state"])
    op.create_table(
        "progress",
        Column("agent_id", Text, primary_key=True),
        Column("ticket_id", Text, nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("progress_by_ticket", "progress", ["ticket_id"])
    _reviews()
    op.create_table(
        "writes",
        Column("id", Text, primary_key=True),
        Column("collection", Text, nullable=False),
        Column("done", Boolean, nullable=False),
        Column("number", Integer, nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("writes_by_collection", "writes", ["collection", "done", "number"])
    for name, key in (
        ("bodies", "ticket_id"),
        ("activities", "agent_id"),
        ("collections", "name"),
        ("settings", "name"),
    ):
        op.create_table(name, Column(key, Text, primary_key=True), Column("data", Text, nullable=False))


def _reviews() -> None:
    op.create_table(
        "reviews",
        Column("id", Text, primary_key=True),
        Column("ticket_id", Text, nullable=False),
        Column("agent_id", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("told", Boolean, nullable=False),
        Column("data", Text, nullable=False),
    )
    op.create_index("reviews_by_ticket", "reviews", ["ticket_id"])
    op.create_index("reviews_by_agent", "reviews", ["agent_id"])
    op.create_index("reviews_by_status", "reviews", ["status", "told"])


def _entries() -> None:
    op.create_table(
        "entries",
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("at", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("ticket", Text),
        Column("agent", Text),
        Column("data", Text, nullable=False),
    )
    op.create_index("entries_by_ticket", "entries", ["ticket"])
    op.create_index("entries_by_agent", "entries", ["agent"])
