"""What both kinds of GitHub boards do about issues: Operator's comment, and which blockers are still open."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from supervisor.adapters.kanban.github import queries
from supervisor.adapters.kanban.github.client import MAX_PAGES, GitHub
from supervisor.adapters.kanban.github.comment import composed, is_ours
from supervisor.adapters.kanban.github.refs import Ref
from supervisor.domain.errors import BoardPayload, BoardStatus
from supervisor.domain.ticket import BoardWrite

BATCH = 50
"""Records of one query."""
_MOST_REFS = 500
"""Blockers looked up in one reading; those beyond it count as open."""


async def comment_on(github: GitHub, issue_id: str, write: BoardWrite) -> None:
    """Add Operator's comment to an issue, or edit it; nothing if it says the same already.

    It is told by its marker and by its author: another account's token would write a comment of its own.
    """
    if not write.comment and not write.link:
        return
    found = await _own_comment(github, issue_id, write.ticket_id)
    body = composed(found[1] if found else None, write.ticket_id, write.comment, write.link)
    if found is None:
        await github.ask(queries.ADD_COMMENT, {"issue": issue_id, "body": body})
    elif found[1].replace("\r\n", "\n") != body:
        await github.ask(queries.EDIT_COMMENT, {"comment": found[0], "body": body})


async def _own_comment(github: GitHub, issue_id: str, ticket_id: str) -> tuple[str, str] | None:
    after: str | None = None
    for _ in range(MAX_PAGES):
        answer = await github.ask(queries.COMMENTS, {"issue": issue_id, "after": after})
        node = answer.data.get("node")
        if not isinstance(node, dict):
            raise BoardStatus("the issue is gone from GitHub", hint="it is looked at again")
        nodes, onward = connection(node.get("comments"))
        for each in nodes:
            body = str(each.get("body")) if isinstance(each, dict) and each.get("viewerDidAuthor") is True else ""
            if is_ours(body, ticket_id):
                return str(each["id"]), body
        if onward is None:
            return None
        if onward == after:
            break
        after = onward
    raise github.endless(MAX_PAGES)


def connection(value: Any) -> tuple[list[Any], str | None]:
    """The nodes of a GraphQL connection, and where the next page begins. Raises BoardPayload."""
    nodes = value.get("nodes") if isinstance(value, dict) else None
    info = value.get("pageInfo") if isinstance(value, dict) else None
    if not isinstance(nodes, list) or not isinstance(info, dict):
        raise BoardPayload("GitHub's answer has no list where there must be one", hint="it is tried again")
    if info.get("hasNextPage") is not True:
        return nodes, None
    cursor = info.get("endCursor")
    if not isinstance(cursor, str) or not cursor:
        raise BoardPayload("GitHub says that there are more records, but not where", hint="it is tried again")
    return nodes, cursor


async def open_ones(
    github: GitHub, refs: Collection[Ref], known: Mapping[Ref, bool], homes: Collection[str]
) -> set[Ref]:
    """Those of some issues that are not closed. `known`: whether one that was just read is open.

    One that cannot be found in a repository that we read (`homes`) is none; elsewhere the token may only not see it.
    """
    found = {ref for ref in refs if known.get(ref)}
    unknown = [ref for ref in dict.fromkeys(refs) if ref not in known]
    found.update(unknown[_MOST_REFS:])
    for start in range(0, min(len(unknown), _MOST_REFS), BATCH):
        found.update(await _asked_open(github, unknown[start : start + BATCH], homes))
    return found


async def _asked_open(github: GitHub, refs: Sequence[Ref], homes: Collection[str]) -> set[Ref]:
    text, variables = queries.closed_query(refs)
    answer = await github.ask(text, variables, partly=True)
    if any(each.get("type") not in ("NOT_FOUND", "FORBIDDEN") for each in answer.errors):
        raise github.refused(answer.errors)
    found = set()
    for index, ref in enumerate(refs):
        repository = answer.data.get(f"r{index}")
        record = repository.get("found") if isinstance(repository, dict) else None
        closed = record.get("closed") if isinstance(record, dict) else None
        if closed is False or (closed is None and ref.repo not in homes):
            found.add(ref)
    return found
