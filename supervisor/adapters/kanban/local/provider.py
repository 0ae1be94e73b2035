"""The local board: a folder of Markdown files, one thread at a time, never the loop's own."""

import errno
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio
from attrs import evolve, fields

from supervisor.adapters.kanban.local import files
from supervisor.adapters.kanban.local.assembly import pull_of, read_token, spoken, ticket_of
from supervisor.adapters.kanban.local.content import MAX_BYTES, Content, Defaults, read
from supervisor.adapters.kanban.local.folder import Folder, Look, Seen
from supervisor.adapters.kanban.local.frontmatter import (
    Malformed,
    Uneditable,
    Wanted,
    encodable,
    render,
    split,
    with_body,
    with_lf,
    with_values,
)
from supervisor.adapters.kanban.local.names import file_name, is_ticket_file
from supervisor.adapters.kanban.local.rules import QUEUE, Place, Target, target_of
from supervisor.adapters.kanban.local.watch import Changes
from supervisor.domain.errors import BoardAuth, BoardError, BoardPayload, BoardStatus, BoardTransport
from supervisor.domain.ids import TicketId, is_ticket_id
from supervisor.domain.ticket import BoardTicket, BoardWrite, Pull, Unnamed
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds for one act, all readings of a folder of ten thousand files included."""
_TRIES = 5
_HINTS = {
    errno.ENOENT: "create the folder, or correct `path` of the collection",
    errno.ENOTDIR: "it must be a folder, and queue, in-progress and completed real folders in it",
    errno.ELOOP: "it must be a folder, and queue, in-progress and completed real folders in it",
    errno.EACCES: "give the user that runs Operator the right to read and write it",
    errno.EPERM: "give the user that runs Operator the right to read and write it",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
}


class LocalBoard:
    """A folder with `queue/`, `in-progress/` and `completed/`, as a KanbanProvider.

    A ticket's external id and key are the `id` of its front matter; its url is the file's. `types` are the
    issue types there are; empty: any name is taken for one.
    """

    def __init__(self, name: str, path: Path, *, type: str = "TASK", types: tuple[str, ...] = ()) -> None:
        self.name = name
        self._root = path.absolute()
        self._folder = Folder(self._root, partial(read, defaults=Defaults(type, types)))
        self._turn = trio.CapacityLimiter(1)

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        """Everything, always; files that did not change are not read again."""
        return await self._do(lambda: pull_of(self._folder.read(), self._root))

    async def reread(self, external_id: str) -> BoardTicket | None:
        """Raises BoardTransport when it cannot be told whether the ticket is gone."""

        def act() -> BoardTicket | None:
            found = self._find(external_id)
            return ticket_of(found, self._root) if found is not None else None

        return await self._do(act)

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        return {each: await self.reread(each) for each in dict.fromkeys(ids)}

    async def write(self, write: BoardWrite) -> WriteResult:
        """Status and move; a write that was cut off in between is completed by doing it again."""
        return await self._do(partial(self._write, write))

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        return await self._do(partial(self._assign, unnamed, ticket_id))

    async def create(self, new: NewTicket) -> str:
        """A new file in `queue/`. The same ticket again is no error, another of that id is a BoardStatus."""
        await self._do(partial(self._create, new))
        return new.id

    async def edit(self, external_id: str, edit: Edit) -> None:
        """Raises BoardStatus if the ticket is gone, BoardPayload if its file cannot be changed that way."""
        await self._do(partial(self._edit, external_id, edit))

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        raise BoardAuth(f"{self.name} is a folder, which sends no webhooks")

    def changes(self) -> AsyncIterator[None]:
        return Changes(self._root)

    async def aclose(self) -> None:
        """It keeps nothing open."""

    async def _do(self, act: Callable[[], T]) -> T:
        with trio.move_on_after(PATIENCE):
            return await trio.to_thread.run_sync(
                partial(self._translated, act), limiter=self._turn, abandon_on_cancel=True
            )
        raise BoardTransport(
            f"{self._root} did not answer within {PATIENCE:g} s",
            hint="is it on a network drive that is away?",
        )

    def _translated(self, act: Callable[[], T]) -> T:
        with _board_errors(self._root):
            return act()

    # --- below: in a thread ---

    def _find(self, external_id: str) -> Seen | None:
        """The file with that id; None if there is certainly none."""
        found, look = self._folder.find(external_id)
        if found is None:
            _must_be_certain(external_id, look)
        return found

    def _write(self, write: BoardWrite) -> WriteResult:
        for _ in range(_TRIES):
            found = self._find(write.external_id)
            if found is None:
                return Conflicted("deleted")
            _must_be_readable(found)
            target = target_of(write.kind, found.place.column, found.content.status)
            if not isinstance(target, Target):
                return Conflicted(target)
            if self._bring(found, target):
                return Written()
        raise _restless(write.external_id)

    def _bring(self, found: Seen, target: Target) -> bool:
        """The file to its target; False if it changed meanwhile.

        What is cut off between the two must be recognised when it is done again: a file that is ended gets its
        status first (the folder alone would call it done), one that leaves `completed/` gets it last (its
        status there is what tells that Operator had ended it).
        """
        if target.column == QUEUE:
            place = self._move(found, target.column)
            return place is not None and self._set_status(evolve(found, place=place), target)
        return self._set_status(found, target) and self._move(found, target.column) is not None

    def _set_status(self, found: Seen, target: Target) -> bool:
        status = found.content.status
        if status == target.status or (target.only_if_there and not status):
            return True
        try:
            return self._change(found, {"status": target.status})
        except (Malformed, Uneditable):
            return True  # such a front matter is the person's to repair; the folder says enough

    def _move(self, found: Seen, column: str) -> Place | None:
        """The file in that column; None if it vanished from where it was."""
        if found.place.column == column:
            return found.place
        try:
            with files.opened(self._root) as columns:
                place = files.move(columns, found.place, column)
        except FileNotFoundError:
            return None
        self._folder.moved(found.place, place)
        return place

    def _assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        known = read_token(unnamed.token)
        if known is None or not is_ticket_id(ticket_id) or not is_ticket_file(known[0].name):
            return False
        place, digest = known
        try:
            return self._rewrite(place, digest, lambda text: with_values(split(text), {"id": ticket_id}).text)
        except (Malformed, Uneditable) as error:
            raise BoardPayload(
                f"{spoken(place)} cannot be given an id: {error}", hint="write an `id:` into its front matter"
            ) from None

    def _create(self, new: NewTicket) -> None:
        if not is_ticket_id(new.id):
            raise BoardPayload(f"{new.id!r} cannot be a ticket's id")
        values = _values(Edit(new.title, None, new.type, new.priority, new.project, new.driver))
        values |= {key: items for key in ("labels", "blocked_by") if (items := getattr(new, key))}
        data = render({"id": new.id} | values, encodable(new.body)).encode()
        name = file_name(new.id, new.title)
        content = self._folder.understand(data, name)
        if content.problem is not None:
            raise BoardPayload(f"{new.id} cannot be written so that it reads the same: {content.problem}")
        known = self._folder.look().holder(new.id)
        if known is not None:
            if (known.content.title, known.content.body) == (content.title, content.body):
                return
            raise BoardStatus(f"{known.content.id} is the id of {spoken(known.place)} already")
        with files.opened(self._root) as columns:
            place = files.create(columns, Place(QUEUE, name), data)
        self._folder.ours(place, data)

    def _edit(self, external_id: str, edit: Edit) -> None:
        for _ in range(_TRIES):
            found = self._find(external_id)
            if found is None:
                raise BoardStatus(f"{external_id} is gone from the board", hint="it was deleted in its folder")
            _must_be_readable(found)
            try:
                if self._change(found, _news(found.content, _values(edit)), edit.body):
                    return
            except (Malformed, Uneditable) as error:
                raise BoardPayload(
                    f"{spoken(found.place)} cannot be changed: {error}", hint="change the file in an editor"
                ) from None
        raise _restless(external_id)

    def _change(self, found: Seen, values: dict[str, Wanted], body: str | None = None) -> bool:
        """Change keys and body in a file; False if it changed meanwhile."""
        if found.stamp.size > MAX_BYTES:
            raise Uneditable(f"it has more than {MAX_BYTES} bytes")

        def changed(text: str) -> str:
            document = split(text)
            if values:
                document = with_values(document, values)
            if body is not None and with_lf(body) != document.body:
                document = with_body(document, encodable(body))
            after = self._folder.understand(_encoded(document.text), found.place.name).problem
            if after is not None and found.content.problem is None:
                raise Uneditable(after)
            return document.text

        return self._rewrite(found.place, found.digest, changed)

    def _rewrite(self, place: Place, digest: str, change: Callable[[str], str]) -> bool:
        """Change a file's text if its bytes have this digest; False if they have another by now."""
        try:
            with files.opened(self._root) as columns:
                _, old = files.read(columns, place, MAX_BYTES, 0)
                if files.digest_of(old) != digest:
                    return False
                new = _encoded(change(old.decode("utf-8", "surrogateescape")))
                if new != old and not files.replace(columns, place, digest, new):
                    return False
        except FileNotFoundError:
            return False
        if new != old:
            self._folder.ours(place, new)
        return True


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _values(edit: Edit) -> dict[str, Wanted]:
    """The front matter keys that an edit sets."""
    given = {each.name: getattr(edit, each.name) for each in fields(Edit) if each.name != "body"}
    return {key: value for key, value in given.items() if value is not None}


def _news(content: Content, values: dict[str, Wanted]) -> dict[str, Wanted]:
    """Those values that the file does not have yet."""
    return {key: value for key, value in values.items() if getattr(content, key) != value}


def _must_be_readable(found: Seen) -> None:
    if found.trouble is not None:
        raise BoardTransport(f"{spoken(found.place)}: {found.trouble}", hint="make the file readable again")


def _must_be_certain(external_id: str, look: Look) -> None:
    """Raise BoardTransport if the ticket may be in the folder although it was not found."""
    doubtful = look.doubtful
    if doubtful is not None:
        raise BoardTransport(
            f"whether {external_id} is gone cannot be told while {spoken(doubtful.place)} cannot be read",
            hint="repair or remove that file",
        )
    if not look.steady:
        raise _restless(external_id)


def _restless(external_id: str) -> BoardError:
    return BoardTransport(
        f"the folder kept changing while {external_id} was looked up or written",
        hint="it is tried again; is a program rewriting its files all the time?",
    )


@contextmanager
def _board_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        about = f" ({error.filename})" if error.filename and str(error.filename) != str(root) else ""
        raise BoardTransport(
            f"the folder {root} cannot be used: {what}{about}", hint=_HINTS.get(error.errno or 0, "")
        ) from None
