"""What Linear's answers mean: issues become BoardTickets. Pure; everything that is read here is untrusted."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from supervisor.adapters.kanban.linear.rules import State
from supervisor.domain.board import CLOSED
from supervisor.domain.errors import BoardPagination, BoardPayload
from supervisor.domain.ticket import BoardProblem, BoardState, BoardTicket

MAX_TITLE = 1000
"""Characters."""
MAX_BODY = 1 << 20
"""Bytes in UTF-8."""
OVERLAP = timedelta(minutes=2)
"""Changes are read again from so long before the newest one seen: clocks differ, and commits come late."""
_MAX_NAME = 200
_MAX_LABELS = 250
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,32}-[0-9]{1,12}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AGAIN = "it is tried again"
Json = Mapping[str, Any]


@frozen
class Kinds:
    """How labels name issue types."""

    mapped: Mapping[str, str]
    """Types by labels: `[collections.NAME] types`."""
    known: frozenset[str]

    def type_of(self, labels: Sequence[str]) -> str | None:
        """A mapped label goes before one that is itself a type's name; the first in order decides."""
        mapped = {label.casefold(): kind for label, kind in self.mapped.items()}
        for label in labels:
            if label.casefold() in mapped:
                return mapped[label.casefold()]
        return next((label.upper() for label in labels if label.upper() in self.known), None)

    def labels_of(self, kind: str) -> list[str]:
        """The labels that name a type, the mapped ones first."""
        return [*(label for label, mapped in self.mapped.items() if mapped == kind), kind]


@frozen
class Issue:
    """One issue as it was read."""

    ticket: BoardTicket
    cut: bool
    """Not all of its labels and relations were on the page."""
    gone: bool
    """Archived, or in the trash."""


@frozen
class Page:
    issues: tuple[Issue, ...]
    problems: tuple[BoardProblem, ...]
    next: str | None
    """The cursor of the page after it; None after the last."""


def page_of(connection: object, kinds: Kinds, broken: Mapping[int, str], number: int) -> Page:
    """A page of issues. `broken`: what Linear could not give, by the issue's place. Raises BoardPayload."""
    nodes, info = part(connection, "nodes", list), part(connection, "pageInfo", dict)
    issues, problems = [], []
    for index, node in enumerate(nodes):
        issue = issue_of(node, kinds, broken.get(index))
        if issue is None:
            where = f"page {number}, issue {index + 1}"
            problems.append(BoardProblem(where, "Linear gave it without a usable id"))
        else:
            issues.append(issue)
    return Page(tuple(issues), tuple(problems), _next(info))


def _next(info: Json) -> str | None:
    more, cursor = info.get("hasNextPage"), info.get("endCursor")
    if more is False:
        return None
    if more is not True:
        raise BoardPayload("Linear's page does not say whether there is another", hint=_AGAIN)
    if not isinstance(cursor, str) or not cursor:
        raise BoardPagination("Linear says that there is another page, but not where", hint=_AGAIN)
    return cursor


def issue_of(node: object, kinds: Kinds, trouble: str | None = None) -> Issue | None:
    """An issue; None if it cannot even be named. What cannot be understood of it stands in its `problem`."""
    if not isinstance(node, dict) or not _is_id(node.get("id")):
        return None
    wrong = [trouble] if trouble else []
    identifier = node.get("identifier")
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        wrong.append("its identifier cannot be read")
        identifier = node["id"]
    title = node.get("title")
    if not isinstance(title, str) or not one_line(title).strip():
        wrong.append("it has no title")
    body = node.get("description")
    if body is not None and not isinstance(body, str):
        wrong.append("its description is no text")
    state = state_of(node.get("state"))
    if state is None or state.category is None:
        wrong.append("its state is of no known type")
    updated_at = moment(node.get("updatedAt"))
    if updated_at is None:
        wrong.append("the time of its last change cannot be read")
    ticket = BoardTicket(
        external_id=node["id"],
        external_key=identifier,
        title=one_line(title) if isinstance(title, str) else "",
        body=many_lines(body) if isinstance(body, str) else "",
        state=(state.category if state is not None else None) or BoardState.OPEN,
        priority=_priority(node.get("priority"), wrong),
        url=web_address(node.get("url")),
        updated_at=updated_at,
    )
    return _with_pages(Issue(ticket, False, _is_gone(node)), node, kinds, wrong)


def with_details(issue: Issue, node: object, kinds: Kinds) -> Issue:
    """An issue with the labels and relations of a second, longer reading."""
    if not isinstance(node, dict):
        return issue
    return _with_pages(issue, node, kinds, [issue.ticket.problem] if issue.ticket.problem else [])


def _with_pages(issue: Issue, node: Json, kinds: Kinds, wrong: list[str]) -> Issue:
    labels, cut_labels = _labels(node.get("labels"), wrong)
    blockers, cut_blockers = _blockers(node.get("inverseRelations"), wrong)
    ticket = evolve(
        issue.ticket,
        labels=labels,
        type=kinds.type_of(labels),
        blocked_by=blockers,
        problem="; ".join(dict.fromkeys(wrong)) or None,
    )
    return evolve(issue, ticket=ticket, cut=cut_labels or cut_blockers)


def _labels(connection: object, wrong: list[str]) -> tuple[tuple[str, ...], bool]:
    nodes, cut = _nested(connection)
    names = [one_line(each["name"])[:_MAX_NAME] for each in nodes if isinstance(each.get("name"), str)]
    if len(names) < len(nodes) or nodes is _UNREADABLE:
        wrong.append("its labels cannot be read")
    return tuple(sorted({each for each in names if each})[:_MAX_LABELS]), cut


def _blockers(connection: object, wrong: list[str]) -> tuple[tuple[str, ...], bool]:
    """The identifiers of the issues that block it and are not over."""
    nodes, cut = _nested(connection)
    found = set()
    for each in nodes:
        if each.get("type") != "blocks":
            continue
        blocker = each.get("issue")
        state = state_of({"id": "-", "name": "-", **_dict(_dict(blocker).get("state"))})
        identifier = _dict(blocker).get("identifier")
        if state is None or not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            wrong.append("what blocks it cannot be read")
        elif not _is_gone(_dict(blocker)) and state.category not in CLOSED:
            found.add(identifier)
    if nodes is _UNREADABLE:
        wrong.append("its relations cannot be read")
    return tuple(sorted(found)), cut


_UNREADABLE: list[Json] = []


def _nested(connection: object) -> tuple[list[Json], bool]:
    nodes = _dict(connection).get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(each, dict) for each in nodes):
        return _UNREADABLE, False
    return list(nodes), _dict(_dict(connection).get("pageInfo")).get("hasNextPage") is True


def state_of(node: object) -> State | None:
    """A workflow state; None if it cannot be read."""
    fields = _dict(node)
    name, kind, position = fields.get("name"), fields.get("type"), fields.get("position", 0.0)
    if not _is_id(fields.get("id")) or not isinstance(name, str) or not isinstance(kind, str):
        return None
    if isinstance(position, bool) or not isinstance(position, int | float):
        return None
    return State(fields["id"], one_line(name)[:_MAX_NAME], kind, float(position))


def _priority(value: object, wrong: list[str]) -> int | None:
    """Linear's own numbers are ours: 1 is urgent, 4 is low; 0 is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in (0, 1, 2, 3, 4):
        wrong.append("its priority cannot be read")
        return None
    return int(value) or None


def _is_gone(node: Json) -> bool:
    return node.get("archivedAt") is not None or node.get("trashed") is True


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def part(value: object, name: str, kind: type) -> Any:
    """A member of an answer that must be there. Raises BoardPayload."""
    found = _dict(value).get(name)
    if not isinstance(found, kind):
        raise BoardPayload(f"Linear's answer has no {name} that can be read", hint=_AGAIN)
    return found


# --- text and time ------------------------------------------------------------------------------------


def one_line(text: str) -> str:
    """A title, bounded and free of control characters."""
    return _harmless(" ".join(text[: 4 * MAX_TITLE].split()) if _breaks(text) else text)[:MAX_TITLE]


def _breaks(text: str) -> bool:
    return any(each in text for each in "\t\n\r\v\f\x85\u2028\u2029")


def many_lines(text: str) -> str:
    """A body, bounded and free of control characters other than tabs and line feeds."""
    clean = _harmless(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\t\n")
    encoded = clean.encode()
    return clean if len(encoded) <= MAX_BODY else encoded[:MAX_BODY].decode(errors="ignore")


def _harmless(text: str, keep: str = "") -> str:
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else "\ufffd" if found[0] > "\ud7ff" else "", text)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def web_address(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > 2000 or not re.fullmatch(r"https?://[\x21-\x7e]+", value):
        return None
    return value


def moment(value: object) -> datetime | None:
    """A time as Linear writes it, in UTC; None if it cannot be read."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def since(cursor: str | None) -> datetime | None:
    """From when on changes are read; None if everything is, because no usable cursor is there."""
    newest = moment(cursor)
    try:
        return newest - OVERLAP if newest is not None else None
    except OverflowError:
        return None


def cursor_after(seen: Sequence[BoardTicket], before: str | None, board_now: datetime) -> str | None:
    """The newest change that was seen, by the board's clock. Never later than when the reading began: an issue
    may have changed behind it while the pages were read."""
    times = [each.updated_at for each in seen if each.updated_at is not None]
    newest = max(times, default=None)
    known = moment(before)
    if newest is None:
        return known.isoformat() if known is not None else None
    newest = min(newest, board_now)
    return (max(newest, known) if known is not None else newest).isoformat()
