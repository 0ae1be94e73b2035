"""Issues that are written here: added once, however often it is tried, and edited."""

from collections.abc import Mapping
from typing import Any

import trio

from supervisor.adapters.kanban.jira.adf import to_adf
from supervisor.adapters.kanban.jira.client import Client
from supervisor.adapters.kanban.jira.reading import OURS, Issue, Names, is_blocked, ranks_of, same
from supervisor.adapters.kanban.jira.text import line
from supervisor.domain.errors import BoardStatus
from supervisor.ports import Edit, NewTicket

_MOST_TITLE = 255
_MOST_BODY = 32_767
"""Characters that Jira keeps."""
_PLAIN_TYPES = ("task", "story")


async def add(client: Client, names: Names, new: NewTicket) -> tuple[str, str]:
    """A new issue; its id and its key."""
    kinds = await client.issue_types(names.project)
    kind, exact = _issue_type(kinds, new.type, names)
    labels = new.labels if exact else (*new.labels, new.type)
    fields = await _fields(client, Edit(new.title, new.body, None, new.priority, None, None, labels))
    fields |= {"project": {"key": names.project}, "issuetype": {"id": kind}}
    ours = {"id": new.id, "project": new.project, "driver": new.driver}
    known = {key: value for key, value in ours.items() if value is not None}
    made = await client.add({"fields": fields, "properties": [{"key": OURS, "value": known}]})
    return line(made.get("id"), 64), line(made.get("key"), 255)


async def block(client: Client, key: str, blockers: tuple[str, ...]) -> None:
    """Link an issue to those that must be done before it."""
    if not blockers:
        return
    for value in await client.link_types():
        kind = value if isinstance(value, dict) else {}
        identifier = line(kind.get("id"), 64)
        side = next((side for side in ("inward", "outward") if is_blocked(kind, side)), None)
        if identifier and side is not None:
            for blocker in blockers:
                source, target = (blocker, key) if side == "inward" else (key, blocker)
                await client.link(identifier, source, target)
            return
    raise BoardStatus(
        "the site has no kind of link that says “is blocked by”",
        hint="switch issue linking on, or leave `blocked_by` out",
    )


async def change(client: Client, names: Names, issue: Issue, edit: Edit) -> None:
    """Edit an issue. Raises BoardStatus if it is gone, or where Jira cannot."""
    if edit.blocked_by is not None and edit.blocked_by != issue.ticket.blocked_by:
        raise BoardStatus("what blocks an issue is not changed from here", hint="change its links at the board")
    fields = await _fields(client, edit)
    if edit.type is not None and edit.type != issue.ticket.type:
        kind, exact = _issue_type(await client.issue_types(names.project), edit.type, names)
        if not exact:
            raise BoardStatus(
                f"the project has no issue type for {edit.type}", hint="give the issue a label of that name instead"
            )
        fields["issuetype"] = {"id": kind}
    asked: dict[str, Any] = {"fields": fields} if fields else {}
    if edit.project is not None or edit.driver is not None:
        known = issue.properties.get(OURS)
        ours = dict(known) if isinstance(known, dict) else {}
        ours |= {key: value for key, value in (("project", edit.project), ("driver", edit.driver)) if value is not None}
        asked["properties"] = [{"key": OURS, "value": ours}]
    if asked and not await client.edit(issue.ticket.external_id, asked):
        raise gone(issue.ticket.external_key)


def gone(key: str) -> BoardStatus:
    return BoardStatus(
        f"{key} is gone from the board", hint="it was deleted there, or the token may not see it any more"
    )


async def _fields(client: Client, edit: Edit) -> dict[str, Any]:
    """An edit as Jira's fields."""
    fields: dict[str, Any] = {}
    if edit.title is not None:
        title = line(edit.title)
        if not title or len(title) > _MOST_TITLE:
            raise BoardStatus(f"Jira keeps titles of 1 to {_MOST_TITLE} characters", hint="give it a shorter one")
        fields["summary"] = title
    if edit.body is not None:
        if len(edit.body) > _MOST_BODY:
            raise BoardStatus(
                f"Jira keeps texts of at most {_MOST_BODY} characters", hint="shorten it, or attach a file"
            )
        fields["description"] = await trio.to_thread.run_sync(to_adf, edit.body)
    if edit.labels is not None:
        wrong = [each for each in edit.labels if not each or len(each) > _MOST_TITLE or any(map(str.isspace, each))]
        if wrong:
            raise BoardStatus(f"{wrong[0]!r} cannot be a label in Jira", hint="labels have no spaces there")
        fields["labels"] = list(dict.fromkeys(edit.labels))
    if edit.priority is not None:
        ranks = ranks_of(await client.priorities())
        identifier = next((each for each, rank in ranks.items() if rank == edit.priority), None)
        if identifier is None:
            raise BoardStatus(
                f"the site has no priority for {edit.priority}", hint="leave it out, and set it at the board"
            )
        fields["priority"] = {"id": identifier}
    return fields


def _issue_type(kinds: list[Any], wanted: str, names: Names) -> tuple[str, bool]:
    """The id of the project's issue type for one of ours, and whether it is read back as that one."""
    usable = {}
    for value in kinds:
        kind: Mapping[str, Any] = value if isinstance(value, dict) else {}
        name, identifier = line(kind.get("name"), 255), line(kind.get("id"), 64)
        if name and identifier and kind.get("subtask") is not True:
            usable[name] = identifier
    for name, identifier in usable.items():
        mapped = next((ours for own, ours in names.types.items() if same(name, own)), name.upper())
        if mapped == wanted:
            return identifier, True
    for name, identifier in usable.items():
        if name.casefold() in _PLAIN_TYPES:
            return identifier, False
    if not usable:
        raise BoardStatus(
            "the project has no issue type that can be created", hint="give the token the right to create"
        )
    return next(iter(usable.values())), False
