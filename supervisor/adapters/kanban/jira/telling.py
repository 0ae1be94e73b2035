"""Operator's one comment on an issue, and its link back: found again by their marks, so that nothing is doubled."""

from collections.abc import Mapping
from typing import Any

import trio

from supervisor.adapters.kanban.jira.adf import to_adf, to_markdown
from supervisor.adapters.kanban.jira.client import PAGE, Client
from supervisor.adapters.kanban.jira.text import line
from supervisor.domain.ids import TicketId

MARK = "operator.comment"
"""The property that Operator's comment has; it is made with the comment, in one request."""
_MOST = 5000
"""Comments that are looked at; Jira keeps no more on an issue."""
_LONGEST = 30_000
"""Characters; Jira refuses more than 32,767."""
_CUT = "\n\n(cut)"


async def comment(client: Client, external_id: str, ticket_id: TicketId, markdown: str, account: str | None) -> None:
    """Make the comment say this. `account`: who we are at the board.

    What was cut off after it took effect is found again here: a comment has its mark from the beginning.
    """
    if len(markdown) > _LONGEST:
        markdown = markdown[:_LONGEST] + _CUT
    # In a thread, as each turning of long texts: it takes longer than the loop may stand still.
    signed = await trio.to_thread.run_sync(to_adf, f"{markdown}\n\n{_signature(ticket_id)}")
    mark = {"key": MARK, "value": {"ticket": ticket_id}}
    known = await _find(client, external_id, ticket_id, account)
    if known is None:
        await client.comment(external_id, {"body": signed, "properties": [mark]})
    elif not await trio.to_thread.run_sync(_says_the_same, known.get("body"), signed):
        await client.change_comment(external_id, str(known["id"]), {"body": signed, "properties": [mark]})


async def link(client: Client, external_id: str, ticket_id: TicketId, url: str, title: str) -> None:
    """Make the issue link to the ticket's work."""
    global_id = f"operator:{ticket_id}"
    wanted = {"url": url, "title": title}
    known = await client.remote_link(external_id, global_id)
    there = known.get("object") if known is not None else None
    if isinstance(there, dict) and {name: there.get(name) for name in wanted} == wanted:
        return
    await client.set_remote_link(external_id, {"globalId": global_id, "relationship": "work", "object": wanted})


def _says_the_same(one: object, other: object) -> bool:
    return to_markdown(one) == to_markdown(other)


async def _find(client: Client, external_id: str, ticket_id: TicketId, account: str | None) -> Mapping[str, Any] | None:
    """The oldest comment with our mark; where Jira shows no properties, with our last line and from our account."""
    signed: Mapping[str, Any] | None = None
    start = 0
    while start < _MOST:
        found, total = await client.comments(external_id, start)
        for each in found:
            if not isinstance(each, dict) or not isinstance(each.get("id"), str):
                continue
            if _is_marked(each, ticket_id):
                return each
            if signed is None and account and _is_signed(each, ticket_id, account):
                signed = each
        start += PAGE
        if not found or start >= total:
            break
    return signed


def _is_marked(found: Mapping[str, Any], ticket_id: TicketId) -> bool:
    properties = found.get("properties")
    for each in properties if isinstance(properties, list) else ():
        value = each.get("value") if isinstance(each, dict) and each.get("key") == MARK else None
        if isinstance(value, dict) and value.get("ticket") == ticket_id:
            return True
    return False


def _is_signed(found: Mapping[str, Any], ticket_id: TicketId, account: str) -> bool:
    author = found.get("author")
    if not isinstance(author, dict) or line(author.get("accountId"), 255) != account:
        return False
    return to_markdown(found.get("body")).endswith(to_markdown(to_adf(_signature(ticket_id))))


def _signature(ticket_id: TicketId) -> str:
    return f"*Operator, ticket {ticket_id}*"
