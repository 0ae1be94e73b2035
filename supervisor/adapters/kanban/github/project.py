"""One project (Projects v2) of a user or an organization, by GraphQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen

from supervisor.adapters.kanban.github import queries
from supervisor.adapters.kanban.github.client import MAX_PAGES, Answer, GitHub
from supervisor.adapters.kanban.github.labels import changes, edit_issue, must_be_possible
from supervisor.adapters.kanban.github.mapping import (
    Item,
    Reading,
    created_as,
    created_mark,
    item_moment,
    mark_in,
    read_item,
)
from supervisor.adapters.kanban.github.rules import CLOSED, Option, Options, field_priority, overruled, spoken
from supervisor.adapters.kanban.github.talk import BATCH, comment_on, connection, open_ones
from supervisor.adapters.kanban.github.text import OVERLAP, moment, next_cursor, one_line
from supervisor.domain.errors import BoardPayload, BoardStatus
from supervisor.domain.ticket import BoardProblem, BoardState, BoardTicket, BoardWrite, Pull, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

_MOST_ERRORS = 20


@frozen
class Fields:
    """What is known of a project beside its items."""

    project_id: str
    status: Options | None
    priority: Options | None


class Project:
    """A project as a board: the Status of an item says where it is. Only that is moved, never the issue behind it:
    a project's own workflows may close it. An issue that is closed counts as closed, in whatever column it stands.

    A draft is a ticket without labels, type or comment: of a write only its Status arrives. Pull requests are no
    tickets, and neither is what the token may not see. What an issue waits for are lines `Blocked by #7` of its body.
    GitHub cannot list what changed: each reading asks for the times of all items, and for those that changed.
    """

    def __init__(
        self, github: GitHub, board: str, reading: Reading, states: Mapping[str, str], default_type: str
    ) -> None:
        owner, _, number = board.partition("/")
        self._github = github
        self._board = board
        self._which: dict[str, str | int] = {"owner": owner, "number": int(number)}
        self._reading = reading
        self._states = dict(states)
        self._default_type = default_type
        self._seen: dict[str, BoardState] = {}
        """Items that were tickets while we ran, and where: one that cannot be seen any more is not gone."""

    # --- reading ------------------------------------------------------------------------------------

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        after = None if full else moment(cursor)
        return await (self._everything(cursor) if after is None else self._changed(after))

    async def _everything(self, cursor: str | None) -> Pull:
        found: dict[str, Item] = {}
        problems: list[BoardProblem] = []

        def take(records: list[Any], fields: Fields, page: int) -> None:
            for index, record in enumerate(records, 1):
                each = self._understood(record, fields, f"{self._board}, page {page}, item {index}")
                if isinstance(each, BoardProblem):
                    problems.append(each)
                elif each is not None:
                    found[each.ticket.external_id] = each

        began, unread = await self._pages(take, whole=True)
        states = {external: each.ticket.state for external, each in found.items()}
        self._seen = states if not problems else self._seen | states
        tickets = await self._with_blockers(list(found.values()))
        return Pull(
            tickets=tuple(tickets),
            complete=not problems and not unread,
            cursor=next_cursor(moment(cursor), [each.updated_at for each in tickets], began),
            problems=(*problems, *unread),
        )

    async def _changed(self, after: datetime) -> Pull:
        times: dict[str, datetime | None] = {}

        def take(records: list[Any], fields: Fields, page: int) -> None:
            for record in records:
                if isinstance(record, dict) and record.get("type") in ("ISSUE", "DRAFT_ISSUE"):
                    changed = item_moment(record)
                    if changed is None or changed >= after - OVERLAP:
                        times[str(record.get("id"))] = changed

        began, unread = await self._pages(take, whole=False)
        found = await self.reread_many(list(times))
        return Pull(
            tickets=tuple(each for each in found.values() if each is not None),
            complete=False,
            cursor=next_cursor(after, list(times.values()), began),
            problems=unread,
        )

    async def _pages(
        self, take: Callable[[list[Any], Fields, int], None], *, whole: bool
    ) -> tuple[datetime | None, tuple[BoardProblem, ...]]:
        """Read the items page by page: the board's time at the first one, and what could not be read of them."""
        after: str | None = None
        began: datetime | None = None
        unread: list[BoardProblem] = []
        for page in range(1, MAX_PAGES + 1):
            variables = {**self._which, "after": after, "whole": whole, "light": not whole}
            answer = await self._github.ask(queries.ITEMS, variables, partly=True)
            project = self._project(answer)
            records, onward = connection(project.get("items"))
            take(records, self._fields(project), page)
            began = began or answer.at
            unread += [
                BoardProblem(f"{self._board}, page {page}", _said(each)) for each in answer.errors[:_MOST_ERRORS]
            ]
            if onward is None:
                return began, tuple(unread[:_MOST_ERRORS])
            if onward == after:
                raise self._github.endless(page)
            after = onward
        raise self._github.endless(MAX_PAGES)

    async def reread(self, external: str) -> BoardTicket | None:
        return (await self.reread_many([external]))[external]

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        found: dict[str, Item | None] = {}
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            fields, records = await self._records(batch)
            for external, record in zip(batch, records, strict=True):
                each = self._understood(record, fields, external) if record is not None else None
                found[external] = each if isinstance(each, Item) else self._hidden(record)
        tickets = await self._with_blockers([each for each in found.values() if each is not None])
        self._seen.update({each.external_id: each.state for each in tickets})
        by_id = {each.external_id: each for each in tickets}
        return {external: by_id.get(external) for external in wanted}

    async def _records(self, ids: Sequence[str]) -> tuple[Fields, list[dict[str, Any] | None]]:
        """The project's fields, and the items as they are now; None for those that are gone from it."""
        answer = await self._github.ask(queries.SOME, {**self._which, "ids": list(ids)}, partly=True)
        fields = self._fields(self._project(answer))
        if any(each.get("type") != "NOT_FOUND" for each in answer.errors):
            raise self._github.refused(answer.errors)
        nodes = answer.data.get("nodes")
        if not isinstance(nodes, list) or len(nodes) != len(ids):
            raise BoardPayload(f"{self._board} does not answer for each item asked for", hint="it is tried again")
        return fields, [each if isinstance(each, dict) and each.get("id") else None for each in nodes]

    def _understood(self, record: Any, fields: Fields, where: str) -> Item | BoardProblem | None:
        item = read_item(record, fields.status, self._reading, where)
        return self._hidden(record) if item is None and record.get("id") in self._seen else item

    def _hidden(self, record: Any) -> Item | None:
        """A ticket that the token may not see any more: it is not gone, and stands where it was seen last."""
        if not isinstance(record, dict) or record.get("type") != "REDACTED":
            return None
        external = str(record["id"])
        state = self._seen.get(external, BoardState.OPEN)
        ticket = BoardTicket(external, external, "hidden", "", state=state, problem="the token may not see it any more")
        return Item(ticket)

    def _project(self, answer: Answer) -> Mapping[str, Any]:
        owner = answer.data.get("repositoryOwner")
        project = owner.get("projectV2") if isinstance(owner, dict) else None
        if isinstance(project, dict) and isinstance(project.get("id"), str):
            return project
        if any(each.get("type") != "NOT_FOUND" for each in answer.errors):
            raise self._github.refused(answer.errors)
        raise BoardStatus(
            f"GitHub shows no project {self._board}",
            hint="look at `board` of the collection; the token needs the scope `project`",
        )

    def _fields(self, project: Mapping[str, Any]) -> Fields:
        fields = project.get("fields")
        known = {}
        for each in fields.get("nodes") or [] if isinstance(fields, dict) else []:
            if isinstance(each, dict) and isinstance(each.get("options"), list):
                known[str(each.get("name")).casefold()] = _options(each, self._states)
        return Fields(str(project["id"]), known.get("status"), known.get("priority"))

    async def _with_blockers(self, items: Sequence[Item]) -> list[BoardTicket]:
        waiting = {each.ticket.external_id: each.mentions for each in items if each.ticket.state not in CLOSED}
        known = {each.ref: each.closed_as is None for each in items if each.ref is not None}
        mentioned = {ref for refs in waiting.values() for ref in refs}
        homes = {ref.repo for ref in known}
        still_open = await open_ones(self._github, mentioned, known, homes) if mentioned else set()
        return [
            evolve(each.ticket, blocked_by=tuple(ref.key for ref in refs if ref in still_open and ref != each.ref))
            for each in items
            for refs in [waiting.get(each.ticket.external_id, ())]
        ]

    # --- writing --------------------------------------------------------------------------------------

    async def write(self, write: BoardWrite) -> WriteResult:
        """The move, then the comment. Cut short, the same write does what is left of it."""
        fields, (record,) = await self._records([write.external_id])
        item = self._understood(record, fields, write.external_id) if record is not None else None
        if not isinstance(item, Item):
            return Conflicted("deleted" if record is None else "hidden from the token")
        if item.ticket.problem is not None:
            raise BoardPayload(
                f"{item.ticket.external_key} cannot be written to: {item.ticket.problem}", hint="look at it on GitHub"
            )
        if write.kind is not WriteKind.NOTED:
            theirs = await self._move(fields, item, write.kind)
            if theirs is not None:
                return Conflicted(theirs)
        if item.ref is not None:
            await comment_on(self._github, item.node_id, write)
        return Written()

    async def _move(self, fields: Fields, item: Item, kind: WriteKind) -> str | None:
        """Bring an item to its column; what a person did that stands against it."""
        options = self._status(fields)
        target = options.target(kind, item.option_id)
        if isinstance(target, str):
            raise BoardStatus(
                f'the Status of {self._board} has no option "{target}"',
                hint=f"it has: {', '.join(each.name for each in options.options)}; name one in `states`",
            )
        if item.closed_as is not None and (kind is WriteKind.REQUEUED or overruled(kind, item.closed_as)):
            return spoken(item.closed_as)
        if target is None or target.id == item.option_id:
            return None
        if overruled(kind, options.state(item.option_id)):
            return options.name(item.option_id)
        if item.closed_as is None and overruled(kind, item.ticket.state):
            return "archived"
        await self._choose(fields, options, item.ticket.external_id, target)
        return None

    def _status(self, fields: Fields) -> Options:
        if fields.status is None:
            raise BoardStatus(
                f"{self._board} has no single-select field Status", hint="add it to the project on GitHub"
            )
        return fields.status

    async def _choose(self, fields: Fields, options: Options, external: str, target: Option) -> None:
        await self._github.ask(
            queries.CHOOSE,
            {"project": fields.project_id, "item": external, "field": options.field_id, "option": target.id},
        )

    async def create(self, new: NewTicket) -> str:
        """Add a draft; its external id. The same ticket a second time is the draft that is there."""
        must_be_possible(Edit(project=new.project, driver=new.driver, blocked_by=new.blocked_by or None))
        if new.labels or new.type != self._default_type:
            raise BoardStatus(
                "a draft in a project has no labels, and so no type",
                hint="open an issue on GitHub and add it to the project, or use a collection with `repo`",
            )
        external, fields = await self._created(new)
        if external is None:
            variables = {"project": fields.project_id, "title": new.title, "body": new.body + created_mark(new.id)}
            made = (await self._github.ask(queries.ADD_DRAFT, variables)).data.get("addProjectV2DraftIssue")
            item = made.get("projectItem") if isinstance(made, dict) else None
            if not isinstance(item, dict) or not isinstance(item.get("id"), str):
                raise BoardPayload("GitHub's answer about the new draft is none", hint="look whether it is there")
            external = item["id"]
        if new.priority is not None:
            await self._prioritise(fields, external, new.priority)
        return external

    async def _created(self, new: NewTicket) -> tuple[str | None, Fields]:
        """The item that an earlier try left. Raises BoardStatus if it is another ticket's."""
        known: dict[str, str] = {}
        all_fields: list[Fields] = []

        def take(records: list[Any], fields: Fields, page: int) -> None:
            all_fields.append(fields)
            for record in records:
                content = record.get("content") if isinstance(record, dict) else None
                if isinstance(content, dict) and created_as(content) == new.id:
                    known[str(record.get("id"))] = str(content.get("title"))

        await self._pages(take, whole=True)
        external = next(iter(known), None)
        if external is not None and known[external] != new.title:
            raise BoardStatus(f"{new.id} is in {self._board} already", hint="edit that item")
        return external, all_fields[0]

    async def _prioritise(self, fields: Fields, external: str, priority: int) -> None:
        options = fields.priority
        target = (
            next((each for each in options.options if field_priority(each.name) == priority), None) if options else None
        )
        if options is None or target is None:
            raise BoardStatus(
                f"{self._board} has no field Priority with an option for {priority}",
                hint="add a single-select field Priority with P1 to P4 to the project on GitHub",
            )
        await self._choose(fields, options, external, target)

    async def edit(self, external: str, edit: Edit) -> None:
        """Text and labels go to the issue behind an item, a priority into the project's field if there is one."""
        must_be_possible(edit)
        fields, (record,) = await self._records([external])
        item = self._understood(record, fields, external) if record is not None else None
        if not isinstance(item, Item):
            raise BoardStatus(f"{external} is gone from {self._board}", hint="it was deleted on GitHub")
        mark = mark_in(record.get("content")) if record is not None else ""
        if edit.priority is not None and (fields.priority is not None or item.ref is None):
            await self._prioritise(fields, external, edit.priority)
            edit = evolve(edit, priority=None)
        if item.ref is None:
            await self._edit_draft(item, edit, mark)
        else:
            await edit_issue(self._github, item.ref, item.labels, edit, mark, self._reading, self._default_type)

    async def _edit_draft(self, item: Item, edit: Edit, mark: str) -> None:
        if edit.labels is not None or edit.type is not None:
            raise BoardStatus(
                "a draft in a project has no labels, and so no type", hint="make an issue of it on GitHub"
            )
        wanted = changes(edit, mark)
        if wanted:
            await self._github.ask(queries.EDIT_DRAFT, {"draft": item.node_id, **wanted})


def _options(record: Mapping[str, Any], states: Mapping[str, str]) -> Options:
    options = [
        Option(each["id"], one_line(each["name"], 200))
        for each in record["options"]
        if isinstance(each, dict) and isinstance(each.get("id"), str) and isinstance(each.get("name"), str)
    ]
    return Options(str(record.get("id")), tuple(options), states)


def _said(error: Mapping[str, Any]) -> str:
    return f"GitHub says: {one_line(str(error.get('message', 'nothing')), 200)}"
