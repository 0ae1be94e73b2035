"""Operator's one comment on an issue: found again by a hidden marker, edited, never doubled. Pure."""

import re

LIMIT = 65_000
"""Characters; GitHub takes 65,536."""
_CUT = "\n\n[cut here: GitHub takes no longer comment]"


def _marker(ticket_id: str) -> str:
    return f"<!-- operator:{ticket_id} -->"


_LINK = "<!-- operator:link -->\n"


def is_ours(body: str, ticket_id: str) -> bool:
    """Whether a comment begins with the marker; one that only quotes it is another."""
    return body.startswith(_marker(ticket_id))


def composed(present: str | None, ticket_id: str, text: str, link: str | None) -> str:
    """The comment after a write. What the write leaves out stays as it is in the `present` one."""
    old_text, old_link = _parts(present or "", ticket_id)
    text = re.sub(r"<!--\s*operator:", "<!-- ", text).strip() or old_text
    below = f"{_LINK}Work: <{link}>" if link else old_link
    room = LIMIT - len(below) - len(_marker(ticket_id)) - 10
    if len(text) > room:
        text = text[: room - len(_CUT)] + _CUT
    return "\n\n".join(part for part in (f"{_marker(ticket_id)}\n{text}".strip(), below) if part)


def _parts(body: str, ticket_id: str) -> tuple[str, str]:
    """The text, and the link with its marker."""
    inner = body.replace("\r\n", "\n").removeprefix(_marker(ticket_id))
    text, found, link = inner.rpartition(_LINK)
    return (text.strip(), f"{_LINK}{link.strip()}") if found else (inner.strip(), "")
