"""Identifiers, and the one rule for what may be a ticket id."""

import re
from typing import NewType

TicketId = NewType("TicketId", str)
AgentId = NewType("AgentId", str)
DeliveryId = NewType("DeliveryId", str)
WriteId = NewType("WriteId", str)
ReviewId = NewType("ReviewId", int)
Seq = NewType("Seq", int)

_TICKET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def is_ticket_id(text: str) -> bool:
    """Whether `text` may name a ticket, its folder and its branch.

    Stricter than the character set alone: what git refuses in a branch name (`..`, a final dot, `.lock`;
    see git-check-ref-format) and what a path could climb with is refused here, once.
    """
    return (
        _TICKET_ID.fullmatch(text) is not None
        and ".." not in text
        and not text.endswith(".")
        and not text.lower().endswith(".lock")
    )


def agent_id_for(ticket_id: TicketId, launch: int) -> AgentId:
    """The id of a ticket's n-th agent. `~` never occurs in a ticket id, so the two cannot be confused."""
    return AgentId(f"{ticket_id}~{launch}")


def ticket_id_from(text: str) -> TicketId | None:
    """A ticket id as near to a board's own key as the rule allows; None when nothing of it is left."""
    if is_ticket_id(text):
        return TicketId(text)
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    cleaned = re.sub(r"\.{2,}", ".", cleaned)[:64].strip("-.")
    cleaned = re.sub(r"(?i)\.lock$", "-lock", cleaned)
    return TicketId(cleaned) if is_ticket_id(cleaned) else None
