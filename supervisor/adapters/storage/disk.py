"""The store's disk in a SQL database: one transaction for each commit, reads beside it."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select

from supervisor.adapters.storage import pruning, sqlite
from supervisor.adapters.storage.tables import (
    HEAD,
    KEY,
    KINDS,
    REVISIONS,
    Kind,
    Row,
    entries,
    meta,
    metadata,
    revision,
)
from supervisor.domain.activity import Entry, Filter, Recorded
from supervisor.domain.errors import Invalid, StoreError, StoreTooNew
from supervisor.domain.ids import AgentId, Seq, TicketId
from supervisor.domain.retention import Retention
from supervisor.domain.wire import READ_ERRORS, from_json, iso, to_json
from supervisor.ports import Disk, R, Record

BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for a lock that a program of somebody else holds."""
_AT_ONCE: Final = 500
"""Keys in one query."""
_INSERT_ENTRIES: Final = entries.insert()


class SqlDisk(Disk):
    """A `Disk` in a SQLite file. `commit` is for one thread at a time; reads may come from any beside it."""

    def __init__(self, path: Path, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._writer: Connection | None = None
        self._reader: Engine | None = None
        self._epoch = ""

    @property
    def epoch(self) -> str:
        return self._epoch

    def open(self) -> None:
        """Raises StoreCorrupt, StoreReadOnly, StoreFull, StoreTooNew or StoreError, and has written nothing then."""
        with sqlite.translated(self._path):
            if not sqlite.admit(self._path):
                sqlite.create(self._path, _build)
            found = self._check()
            sqlite.protect(self._path)
            self._writer = sqlite.writer(self._path, self._busy_timeout)
            try:
                self._prepare(self._writer, found)
            except BaseException:
                self.close()
                raise
            self._reader = sqlite.reader(self._path, self._busy_timeout)

    def _check(self) -> str:
        """The stored schema's revision, once the database may be used."""
        with sqlite.looking(self._path, self._busy_timeout) as connection:
            if not connection.dialect.has_table(connection, revision.name):
                raise sqlite.damaged(self._path, "it is not a database of Operator")
            found = connection.scalar(select(revision.c.version_num))
        if found is None:
            raise sqlite.damaged(self._path, "it does not say which schema it has")
        if found not in REVISIONS:
            raise StoreTooNew(
                f"a newer Operator wrote the database {self._path} (its schema is {found}, this one knows {HEAD})",
                hint="Install that version or a newer one, or set another `state_dir`.",
            )
        return str(found)

    def _prepare(self, writer: Connection, found: str) -> None:
        if found != HEAD:
            from supervisor.adapters.storage import migrations  # alembic takes its time

            with writer.begin():
                migrations.upgrade(writer)
        file = sqlite.identity(self._path)
        # `begin` takes the write lock, and nearly always there is nothing to write.
        with writer.begin():
            known = {row.name: row.value for row in writer.execute(select(meta))}
            if known.get("file") != file:
                known = {"epoch": uuid.uuid4().hex, "file": file}
                writer.execute(meta.delete())
                writer.execute(meta.insert(), [{"name": name, "value": known[name]} for name in known])
        self._epoch = known["epoch"]

    def close(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()

    def commit(self, puts: Sequence[Record], entries: Sequence[Recorded], durable: bool) -> None:
        """Raises StoreError; or Conflict or Invalid where a record is at fault."""
        writer = self._writer
        if writer is None:
            raise _closed()
        rows = _rows(puts)
        told = [_entry_row(each) for each in entries]
        if not rows and not told:
            return
        with sqlite.translated(self._path):
            sqlite.set_durable(writer, durable)
            with writer.begin():
                for kind, changed in rows.items():
                    _put(writer, KINDS[kind], changed)
                if told:
                    writer.execute(_INSERT_ENTRIES, told)

    def prune(self, keep: Retention, now: datetime, limit: int) -> int:
        writer = self._writer
        if writer is None:
            raise _closed()
        with sqlite.translated(self._path):
            sqlite.set_durable(writer, False)
            with writer.begin():
                return pruning.prune(writer, keep, now, limit)

    def head(self) -> tuple[Seq, Seq]:
        oldest, newest = func.min(entries.c.seq), func.max(entries.c.seq)
        # Two queries in one: asked for both at once, SQLite would read the whole table.
        both = select(select(oldest).scalar_subquery(), select(newest).scalar_subquery())
        with self._reading() as connection:
            first, last = connection.execute(both).one()
        return (Seq(1), Seq(0)) if first is None else (Seq(first), Seq(last))

    def load(self, kind: type[R], where: Mapping[str, str | int | bool] | None = None) -> list[R]:
        kept: Kind[R] = KINDS[kind]
        wanted = select(kept.key, kept.table.c.data).order_by(kept.key)
        for name, value in (where or {}).items():
            if name not in kept.table.c or name == "data":
                raise ValueError(f"{kind.__name__} is not looked up by {name}")
            wanted = wanted.where(kept.table.c[name] == value)
        with self._reading() as connection:
            rows = connection.execute(wanted).all()
        return [self._read(kept, key, data) for key, data in rows]

    def get(self, kind: type[R], key: str) -> R | None:
        kept: Kind[R] = KINDS[kind]
        with self._reading() as connection:
            data = connection.scalar(select(kept.table.c.data).where(kept.key == key))
        return None if data is None else self._read(kept, key, data)

    def entries(self, after: Seq, limit: int, wanted: Filter) -> list[Recorded]:
        query = select(entries).where(entries.c.seq > after, *_conditions(wanted))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(entries.c.seq).limit(limit)).all()
        return [self._recorded(*row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._reader is None:
            raise _closed()
        with sqlite.translated(self._path), self._reader.connect() as connection:
            yield connection

    def _read(self, kept: Kind[R], key: str, data: str) -> R:
        try:
            return from_json(data, kept.record)
        except READ_ERRORS as error:
            raise sqlite.damaged(self._path, f"{key} in {kept.table.name} cannot be read") from error

    def _recorded(self, seq: int, at: str, kind: str, ticket: str | None, agent: str | None, data: str) -> Recorded:
        try:
            entry = Entry(
                kind,
                datetime.fromisoformat(at),
                None if ticket is None else TicketId(ticket),
                None if agent is None else AgentId(agent),
                json.loads(data),
            )
        except ValueError as error:
            raise sqlite.damaged(self._path, f"entry {seq} cannot be read") from error
        return Recorded(Seq(seq), entry)


def _closed() -> StoreError:
    return StoreError("the database is not open")


def _build(connection: Connection) -> None:
    metadata.create_all(connection)
    revision.create(connection)
    connection.execute(revision.insert(), {"version_num": HEAD})


def _rows(puts: Iterable[Record]) -> dict[type[Record], dict[str, Row]]:
    """The rows to write by kind and key; of two with the same key the later one."""
    rows: dict[type[Record], dict[str, Row]] = {}
    for record in puts:
        kind = KINDS[type(record)]
        try:
            row = kind.full_row(record)
        except ValueError as error:
            raise Invalid(f"a {kind.record.__name__} cannot be stored: {error}") from error
        rows.setdefault(kind.record, {})[str(row[kind.key.name])] = row
    return rows


def _entry_row(recorded: Recorded) -> Row:
    entry = recorded.entry
    try:
        data = to_json(entry.data)
    except ValueError as error:
        raise Invalid(f"an entry {entry.kind} cannot be stored: {error}") from error
    return {
        "seq": recorded.seq,
        "at": iso(entry.at),
        "kind": entry.kind,
        "ticket": entry.ticket,
        "agent": entry.agent,
        "data": data,
    }


def _put(writer: Connection, kind: Kind[Any], rows: Mapping[str, Row]) -> None:
    """Update what is there and insert the rest; nobody else writes meanwhile."""
    if len(rows) == 1:
        ((key, row),) = rows.items()
        if not writer.execute(kind.update, row | {KEY: key}).rowcount:
            writer.execute(kind.insert, row)
        return
    known: set[str] = set()
    keys = iter(rows)
    while some := list(islice(keys, _AT_ONCE)):
        known.update(writer.scalars(select(kind.key).where(kind.key.in_(some))))
    if changed := [row | {KEY: key} for key, row in rows.items() if key in known]:
        writer.execute(kind.update, changed)
    if new := [row for key, row in rows.items() if key not in known]:
        writer.execute(kind.insert, new)


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """What `Filter.wants` says, in SQL."""
    if wanted.agent is not None:
        yield entries.c.agent == wanted.agent
    if wanted.ticket is not None:
        yield entries.c.ticket == wanted.ticket
    if wanted.kinds:
        yield or_(*(_fits(kind) for kind in wanted.kinds))


def _fits(kind: str) -> ColumnElement[bool]:
    if not kind.endswith(".*"):
        return entries.c.kind == kind
    prefix = kind[:-1]
    return func.substr(entries.c.kind, 1, len(prefix)) == prefix
