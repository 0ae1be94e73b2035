"""What Jira's answers mean. Pure; every answer is untrusted and may have any shape."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from supervisor.adapters.kanban.jira import text
from supervisor.adapters.kanban.jira.adf import to_markdown
from supervisor.domain.ticket import BoardProblem, BoardState, BoardTicket

FIELDS = (
    "summary", "description", "issuetype", "status", "resolution", "priority", "labels", "issuelinks", "updated",
    "project",
)  # fmt: skip
OURS = "operator.ticket"
"""The issue property with what Jira has no field for: our id of a ticket that was written here, project and driver."""
CATEGORIES = ("new", "indeterminate", "done")
CLOSED_AS = "operator.closed"
"""The issue property that tells of a status of Jira's which means done that Operator meant to cancel by it."""
_CLOSED_UNDONE = (
    "cancel",
    "won't",
    "wont ",
    "will not",
    "reject",
    "declin",
    "abandon",
    "duplicate",
    "obsolete",
    "invalid",
)
"""What the names of statuses and resolutions say that close an issue which was not done."""
_PRIORITIES = {
    "highest": 1, "high": 2, "medium": 3, "low": 4, "lowest": 4,
    "blocker": 1, "critical": 1, "major": 2, "normal": 3, "minor": 3, "trivial": 4, "urgent": 1,
}  # fmt: skip
_MAX_LABELS, _MAX_LINKS = 100, 500


@frozen
class Site:
    """What holds for all of a site's issues."""

    browse: str | None
    """Where people read them: the site's address, without a slash at its end."""
    time_zone: str | None
    """The zone in which JQL reads our times."""
    account: str | None = None
    """Who we are there."""
    ranks: Mapping[str, int] = field(factory=dict)
    """Its priorities by their ids, 1 to 4."""


@frozen
class Names:
    """How a collection's configuration reads Jira's own names."""

    project: str
    cancelled: str | None = None
    """The status that means cancelled, where it is configured."""
    types: Mapping[str, str] = field(factory=dict)
    """Our issue types by Jira's own types and labels."""
    known: tuple[str, ...] = ()
    """The issue types there are here."""


@frozen
class Status:
    """A status of Jira's."""

    id: str
    name: str
    category: str
    """`new`, `indeterminate` or `done`; anything else is unknown."""


@frozen
class Issue:
    """One issue as it was read: for the core, and what only a write needs to know."""

    ticket: BoardTicket
    status: Status | None
    project: str
    properties: Mapping[str, Any] = field(repr=False)


def issue_of(bean: object, site: Site, names: Names) -> Issue | BoardProblem:
    """An issue; one without an id or a key is a problem, one that cannot be understood says so in its ticket."""
    bean = _map(bean)
    external_id, key = text.line(bean.get("id"), 64), text.line(bean.get("key"), 255)
    if not external_id or not key:
        return BoardProblem(key or external_id or "an issue without id and key", "it has no id or no key")
    fields = _map(bean.get("fields"))
    status = status_of(fields.get("status"))
    properties = _map(bean.get("properties"))
    state = state_of(status, text.line(_map(fields.get("resolution")).get("name")), names)
    if state is BoardState.DONE and status is not None and _map(properties.get(CLOSED_AS)).get("status") == status.id:
        state = BoardState.CANCELLED
    title = text.line(fields.get("summary"))
    problem = None
    if not title:
        problem = "it has no summary"
    elif state is None:
        problem = "its status has no category that is known"
    ours = _map(properties.get(OURS))
    labels = _labels(fields.get("labels"))
    ticket = BoardTicket(
        external_id=external_id,
        external_key=key,
        title=title or key,
        body=text.body(to_markdown(fields.get("description"))),
        type=type_of(text.line(_map(fields.get("issuetype")).get("name")), labels, names),
        state=state or BoardState.OPEN,
        priority=priority_of(fields.get("priority"), site),
        project=text.line(ours.get("project"), 64) or None,
        driver=text.line(ours.get("driver"), 64) or None,
        labels=labels,
        blocked_by=blockers(fields.get("issuelinks")),
        url=f"{site.browse}/browse/{key}" if site.browse else None,
        updated_at=moment(fields.get("updated")),
        problem=problem,
    )
    return Issue(ticket, status, text.line(_map(fields.get("project")).get("key")), properties)


def status_of(value: object) -> Status | None:
    found = _map(value)
    identifier, name = text.line(found.get("id"), 64), text.line(found.get("name"), 255)
    category = text.line(_map(found.get("statusCategory")).get("key"), 64)
    return Status(identifier, name or identifier, category) if identifier or name else None


def state_of(status: Status | None, resolution: str, names: Names) -> BoardState | None:
    """The state that a status means by its category; None if it has none."""
    match status.category if status is not None else "":
        case "new":
            return BoardState.OPEN
        case "indeterminate":
            return BoardState.IN_PROGRESS
        case "done" if status is not None:
            undone = says_undone(status.name) or says_undone(resolution) or same(status.name, names.cancelled)
            return BoardState.CANCELLED if undone else BoardState.DONE
    return None


def says_undone(name: str) -> bool:
    """Whether a status or resolution of this name closes an issue that was not done."""
    folded = name.casefold().replace("\u2019", "'") + " "
    return any(each in folded for each in _CLOSED_UNDONE)


def same(name: str, wanted: str | None) -> bool:
    return wanted is not None and name.casefold() == wanted.strip().casefold()


def type_of(own: str, labels: Sequence[str], names: Names) -> str | None:
    """Our issue type: by a label before Jira's own type, for labels are more particular."""
    mapped = {name.casefold(): kind for name, kind in names.types.items()}
    for name in (*labels, own):
        if name.casefold() in mapped:
            return mapped[name.casefold()]
        if name.upper() in names.known:
            return name.upper()
    return None


def priority_of(value: object, site: Site) -> int | None:
    """1 to 4, by its name or else by its place among the site's priorities."""
    found = _map(value)
    rank = _PRIORITIES.get(text.line(found.get("name"), 64).casefold())
    return rank if rank is not None else site.ranks.get(text.line(found.get("id"), 64))


def ranks_of(values: object) -> dict[str, int]:
    """The priorities of a site, in its order, as 1 to 4 by their ids."""
    found = {}
    for place, value in enumerate(_list(values)[:200]):
        each = _map(value)
        rank = _PRIORITIES.get(text.line(each.get("name"), 64).casefold(), min(place + 1, 4))
        found[text.line(each.get("id"), 64)] = rank
    return found


def blockers(links: object) -> tuple[str, ...]:
    """The keys of the issues that must be done before this one."""
    found = []
    for value in _list(links)[:_MAX_LINKS]:
        link = _map(value)
        kind = _map(link.get("type"))
        for side, other in (("inward", link.get("inwardIssue")), ("outward", link.get("outwardIssue"))):
            there = _map(other)
            key = text.line(there.get("key"), 255)
            status = status_of(_map(there.get("fields")).get("status"))
            waiting = status is None or status.category != "done"
            if key and waiting and is_blocked(kind, side):
                found.append(key)
    return tuple(dict.fromkeys(found))


def is_blocked(kind: Mapping[str, Any], side: str) -> bool:
    """Whether the issue that has a link of this kind is blocked by the one at that side of it."""
    if "blocked by" in text.line(kind.get(side), 255).casefold():
        return True
    # In a user's other language only the name may still be the original.
    translated = "block" not in text.line(kind.get("outward"), 255).casefold()
    return side == "inward" and translated and text.line(kind.get("name"), 255).casefold() == "blocks"


def moment(value: object) -> datetime | None:
    """A time as Jira writes it, in UTC."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _labels(value: object) -> tuple[str, ...]:
    found = (text.line(each, 255) for each in _list(value)[:_MAX_LABELS])
    return tuple(dict.fromkeys(each for each in found if each))


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
