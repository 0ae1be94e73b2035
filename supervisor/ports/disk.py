"""The store's disk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from attrs import frozen

from supervisor.domain.activity import Filter, Recorded
from supervisor.domain.agent import Activity, Agent, Delivery
from supervisor.domain.ids import Seq
from supervisor.domain.phases import Progress
from supervisor.domain.retention import Retention
from supervisor.domain.review import Review
from supervisor.domain.ticket import BoardWrite, Body, CollectionState, Ticket


@frozen
class Setting:
    """One durable value under a name: the pause, a counter."""

    name: str
    value: str


Record = Ticket | Body | Agent | Activity | Delivery | Progress | Review | BoardWrite | CollectionState | Setting
R = TypeVar("R", bound=Record)


class Disk(Protocol):
    """Records and the activity log on a disk. Synchronous: the store actor calls it in a thread of its own."""

    @property
    def epoch(self) -> str:
        """Names this database; a restored copy gets a new one."""

    def open(self) -> None:
        """Make it usable, migrating if needed. Raises a StoreError and then has written nothing."""

    def close(self) -> None:
        """Release the files. Idempotent."""

    def commit(self, puts: Sequence[Record], entries: Sequence[Recorded], durable: bool) -> None:
        """Write records (replacing those of the same key) and entries in one transaction.

        `durable`: on disk when it returns, also against power loss. Otherwise only against a crash of ours.
        Raises a StoreError, or Conflict or Invalid where a record is at fault, and then has written none of it.
        """

    def head(self) -> tuple[Seq, Seq]:
        """The oldest and the newest `seq` there are; (1, 0) when there are none."""

    def load(self, kind: type[R], where: Mapping[str, str | int | bool] | None = None) -> list[R]:
        """All records of a kind whose indexed fields equal `where`, in order of their keys."""

    def get(self, kind: type[R], key: str) -> R | None:
        """One record by its key."""

    def entries(self, after: Seq, limit: int, wanted: Filter) -> list[Recorded]:
        """At most `limit` entries with a greater `seq`, in order."""

    def prune(self, keep: Retention, now: datetime, limit: int) -> int:
        """Delete what need not be kept: at most `limit` of each kind, the oldest entries first. How many they were.

        For one thread at a time, as `commit`. Raises a StoreError, and then has deleted nothing.
        """
