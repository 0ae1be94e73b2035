"""What clients see of boards: a part of `views`, where the rest of the wire's records is."""

from datetime import datetime

from attrs import frozen


@frozen
class SyncView:
    """What a sync changed, by the boards' own keys."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    total_processed: int = 0


@frozen
class CollectionView:
    name: str
    provider: str
    where: str
    last_sync: datetime | None
    next_sync: datetime | None
    error_code: str | None
    error: str | None
    retry_at: datetime | None
    pending_writes: int
    problems: tuple[str, ...]
    hint: str | None = None
    """What a person can do about the error."""
    last_full: datetime | None = None
    """When everything was read last, not only what changed."""
    oldest_write: datetime | None = None
    """Since when the oldest of the pending writes waits."""
    write_error: str | None = None
    """Why the board was not written to when that was tried last."""


@frozen
class CollectionList:
    collections: tuple[CollectionView, ...]


@frozen
class WriteView:
    """What a board is still to be told."""

    collection: str
    ticket_id: str
    kind: str
    """`started`, `awaiting`, `requeued`, `done`, `failed`, `cancelled`, or `noted`: only the comment has news."""
    since: datetime
    attempts: int
    """How often it was tried in vain."""
    error: str | None
    """Why it is not written yet, where anything stands in its way."""


@frozen
class WriteList:
    """Oldest first."""

    writes: tuple[WriteView, ...]


@frozen
class HeardView:
    """A webhook was believed: its board is read soon."""

    collection: str
