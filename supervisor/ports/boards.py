"""The places that tickets come from."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardTicket, BoardWrite, Pull, Unnamed


@frozen
class NewTicket:
    """A ticket that a person writes here for a board to keep."""

    id: TicketId
    title: str
    body: str
    type: str
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()


@frozen
class TicketDraft:
    """A ticket that a person writes; its id is given by whoever keeps it."""

    title: str
    body: str = ""
    type: str | None = None
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    collection: str | None = None


@frozen
class Edit:
    """A change to a ticket's own text; None leaves a field as it is."""

    title: str | None = None
    body: str | None = None
    type: str | None = None
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] | None = None
    blocked_by: tuple[str, ...] | None = None


@frozen
class Written:
    """The board now says what was written."""


@frozen
class Conflicted:
    """A person moved the record meanwhile. Theirs wins; nothing was written."""

    theirs: str


WriteResult = Written | Conflicted


class KanbanProvider(Protocol):
    """One place tickets come from. Raises BoardError's subclasses."""

    name: str
    """The collection's name."""

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        """Read what changed since `cursor`, or everything."""

    async def reread(self, external_id: str) -> BoardTicket | None:
        """One record as it is now; None if it is gone."""

    async def reread_many(self, ids: Sequence[str]) -> Mapping[str, BoardTicket | None]:
        """Several records as they are now, each with None if it is gone, in as few requests as the board allows."""
        return {each: await self.reread(each) for each in dict.fromkeys(ids)}

    async def write(self, write: BoardWrite) -> WriteResult:
        """Bring the board to where `write` says, reading its present state first. Idempotent by `write.id`."""

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        """Write an id into a record without one; False if the record changed meanwhile (the next pull sees it)."""

    async def create(self, new: NewTicket) -> str:
        """Add a record; its external id. Raises BoardError with a hint where the board cannot.

        The same ticket a second time is the record that is there.
        """

    async def edit(self, external_id: str, edit: Edit) -> None:
        """Change a record's own text."""

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Check a webhook's signature over its raw body, and its age; header names are in lower case.

        What it says is never data: it only wakes a pull. Raises BoardAuth where it is not the board's, or not fresh,
        and where no webhook is configured.
        """

    def changes(self) -> AsyncIterator[None]:
        """One item each time the board may have changed, coalesced; ends never. May yield nothing for ever."""

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
