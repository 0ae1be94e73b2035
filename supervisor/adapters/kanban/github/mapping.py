"""Records as GitHub gives them -> tickets. Pure; every field of a record is untrusted."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen

from supervisor.adapters.kanban.github.refs import Ref, is_repo, waited_for
from supervisor.adapters.kanban.github.rules import (
    Options,
    StateLabels,
    closed_state,
    field_priority,
    priority_of,
    type_of,
)
from supervisor.adapters.kanban.github.text import moment, one_line, several_lines
from supervisor.domain.ticket import BoardProblem, BoardState, BoardTicket

LABEL_LIMIT = 100
"""Labels of one issue, and characters of each."""
_CREATED = re.compile(r"\n*<!-- operator-new:([A-Za-z0-9._-]{1,64}) -->\s*\Z")


class Malformed(ValueError):
    """A record that can be named but not understood; the text says why."""


@frozen
class Reading:
    """How one collection reads its records."""

    labels: StateLabels
    mapped: Mapping[str, str] = field(factory=dict)
    """Our types by the board's own types and labels."""
    types: tuple[str, ...] = ()


@frozen
class Issue:
    """A plain issue."""

    ticket: BoardTicket
    ref: Ref
    node_id: str = ""
    closed_as: BoardState | None = None
    labels: tuple[str, ...] = ()
    """All of them, with those of its state."""
    blockers: int | None = None
    """How many open issues GitHub says it depends on; None where it does not say."""
    mentions: tuple[Ref, ...] = ()
    """What its body says it waits for."""


@frozen
class Item:
    """A project's item: an issue, or a draft."""

    ticket: BoardTicket
    option_id: str | None = None
    """Of its Status."""
    node_id: str = ""
    """Of its issue or draft."""
    ref: Ref | None = None
    """Its issue; a draft has none."""
    closed_as: BoardState | None = None
    labels: tuple[str, ...] = ()
    mentions: tuple[Ref, ...] = ()


def external_id(number: int, database_id: int) -> str:
    """What stays the same of a plain issue. By REST an issue is found by its number only, and the id tells whether
    it is still the same one."""
    return f"{database_id}/{number}"


def number_of(external: str) -> int | None:
    number = external.partition("/")[2]
    return int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None


def read_issue(record: Any, repo: str, reading: Reading, where: str) -> Issue | BoardProblem | None:
    """None for a pull request, which GitHub lists among the issues."""
    if not isinstance(record, dict) or not _is_id(record.get("number")) or not _is_id(record.get("id")):
        return BoardProblem(where, "the record has no number and id, so it cannot be named")
    if record.get("pull_request") is not None:
        return None
    ref = Ref(repo, record["number"])
    named = BoardTicket(external_id(ref.number, record["id"]), ref.key, ref.key, "", url=_url(record.get("html_url")))
    try:
        return _issue(record, ref, named, reading)
    except Malformed as error:
        likely = evolve(named, state=_likely_state(record, reading), updated_at=moment(record.get("updated_at")))
        return Issue(_with_problem(likely, record, error), ref)


def _issue(record: Mapping[str, Any], ref: Ref, named: BoardTicket, reading: Reading) -> Issue:
    labels = _labels(_of(record, "labels", list))
    body = _body(record)
    closed_as = _closed_as(_of(record, "state", str).lower(), _optional(record, "state_reason", str))
    own_type = record.get("type")
    names = [own_type["name"]] if isinstance(own_type, dict) and isinstance(own_type.get("name"), str) else []
    ticket = evolve(
        named,
        title=_title(record),
        body=body,
        type=type_of([*names, *labels], reading.mapped, reading.types),
        state=closed_as or _open_state(labels, reading.labels),
        priority=priority_of(labels),
        labels=_shown(labels, reading.labels),
        updated_at=_time(record, "updated_at"),
    )
    return Issue(
        ticket,
        ref,
        node_id=_of(record, "node_id", str),
        closed_as=closed_as,
        labels=labels,
        blockers=_blockers(record.get("issue_dependencies_summary")),
        mentions=waited_for(body, ref.repo),
    )


def read_item(record: Any, options: Options | None, reading: Reading, where: str) -> Item | BoardProblem | None:
    """None for what is no ticket: a pull request, or an item that the token may not see."""
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not record["id"]:
        return BoardProblem(where, "the item has no id, so it cannot be named")
    if record.get("type") in ("PULL_REQUEST", "REDACTED"):
        return None
    content = record.get("content")
    named = BoardTicket(one_line(record["id"], 200), _draft_key(record), "a project's item", "")
    if not isinstance(content, dict):
        problem = "its issue cannot be read; may the token see the repository?"
        return Item(evolve(named, problem=problem))
    try:
        return _item(record, content, named, options, reading)
    except Malformed as error:
        option_id = _value(record.get("status"), "optionId", str)
        likely = evolve(named, state=_item_state(record, option_id, options, None), updated_at=item_moment(record))
        return Item(_with_problem(likely, content, error))


def _item(
    record: Mapping[str, Any], content: Mapping[str, Any], named: BoardTicket, options: Options | None, reading: Reading
) -> Item:
    if content.get("__typename") not in ("Issue", "DraftIssue"):
        raise Malformed("it is neither an issue nor a draft")
    ref = _ref(content) if content["__typename"] == "Issue" else None
    labels = _labels(_of(_of(content, "labels", dict), "nodes", list)) if ref is not None else ()
    body = _body(content)
    closed_as = None
    if ref is not None:
        closed_as = _closed_as(_of(content, "state", str).lower(), _optional(content, "stateReason", str))
    option_id = _value(record.get("status"), "optionId", str)
    ticket = evolve(
        named,
        external_key=ref.key if ref is not None else named.external_key,
        title=_title(content),
        body=body,
        type=type_of(labels, reading.mapped, reading.types),
        state=_item_state(record, option_id, options, closed_as),
        priority=_item_priority(record.get("priority"), labels),
        labels=labels,
        url=_url(content.get("url")),
        updated_at=item_moment(record),
    )
    mentions = waited_for(body, ref.repo if ref is not None else None)
    return Item(ticket, option_id, _of(content, "id", str), ref, closed_as, labels, mentions)


def item_moment(record: Mapping[str, Any]) -> datetime | None:
    """When an item or its content changed last."""
    content = record.get("content")
    times = [moment(record.get("updatedAt")), moment(content.get("updatedAt")) if isinstance(content, dict) else None]
    return max((each for each in times if each is not None), default=None)


def _item_state(
    record: Mapping[str, Any], option_id: str | None, options: Options | None, closed_as: BoardState | None
) -> BoardState:
    """A closed issue is closed in whatever column it stands; an archived item is not wanted any more."""
    if closed_as is not None:
        return closed_as
    state = options.state(option_id) if options is not None else BoardState.OPEN
    if record.get("isArchived") is True and state is not BoardState.DONE:
        return BoardState.CANCELLED
    return state


def _item_priority(value: Any, labels: Iterable[str]) -> int | None:
    name = _value(value, "name", str)
    number = _value(value, "number", int | float)
    told = field_priority(name) if name is not None else field_priority(number) if number is not None else None
    return told if told is not None else priority_of(labels)


# --- the parts --------------------------------------------------------------------------------------


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**18


def _of(record: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = record.get(name)
    if not isinstance(value, kind):
        raise Malformed(f"its {name} is not what GitHub says it is")
    return value


def _optional(record: Mapping[str, Any], name: str, kind: Any) -> Any:
    return _of(record, name, kind) if record.get(name) is not None else None


def _value(value: Any, name: str, kind: Any) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, kind) and not isinstance(found, bool) else None


def _title(record: Mapping[str, Any]) -> str:
    title = one_line(_of(record, "title", str))
    if not title:
        raise Malformed("it has no title")
    return title


def _body(record: Mapping[str, Any]) -> str:
    return several_lines(_CREATED.sub("", _optional(record, "body", str) or ""))


def created_mark(ticket_id: str) -> str:
    """What ends the body of an issue that was written here, so that it is not written twice."""
    return f"\n\n<!-- operator-new:{ticket_id} -->"


def created_as(record: Any) -> str | None:
    """The ticket that a record was created for by us."""
    body = record.get("body") if isinstance(record, dict) else None
    found = _CREATED.search(body) if isinstance(body, str) else None
    return found[1] if found is not None else None


def mark_in(record: Any) -> str:
    """The mark that a changed body must keep."""
    ticket_id = created_as(record)
    return created_mark(ticket_id) if ticket_id is not None else ""


def _labels(records: list[Any]) -> tuple[str, ...]:
    names = (each.get("name") if isinstance(each, dict) else each for each in records[:LABEL_LIMIT])
    return tuple(one_line(name, LABEL_LIMIT) for name in names if isinstance(name, str) and name)


def _shown(labels: tuple[str, ...], ours: StateLabels) -> tuple[str, ...]:
    """The labels that say what a ticket is; those of its state say where it is."""
    return tuple(label for label in labels if label.casefold() not in ours.all)


def _open_state(labels: tuple[str, ...], ours: StateLabels) -> BoardState:
    worn = {label.casefold() for label in labels}
    return BoardState.IN_PROGRESS if worn & ours.progress else BoardState.OPEN


def _closed_as(state: str, reason: str | None) -> BoardState | None:
    if state not in ("open", "closed"):
        raise Malformed("it is neither open nor closed")
    return closed_state(reason) if state == "closed" else None


def _time(record: Mapping[str, Any], name: str) -> datetime:
    found = moment(record.get(name))
    if found is None:
        raise Malformed(f"its {name} is no time")
    return found


def _blockers(summary: Any) -> int | None:
    count = _value(summary, "blocked_by", int)
    return count if count is not None and count >= 0 else None


def _url(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > 2_000 or not value.startswith(("https://", "http://")):
        return None
    return value if value.isprintable() and " " not in value else None


def _ref(content: Mapping[str, Any]) -> Ref:
    repo = _of(_of(content, "repository", dict), "nameWithOwner", str)
    if not is_repo(repo) or not _is_id(content.get("number")):
        raise Malformed("its repository or number is not what GitHub says it is")
    return Ref(repo, content["number"])


def _draft_key(record: Mapping[str, Any]) -> str:
    number = record.get("fullDatabaseId")
    known = isinstance(number, str | int) and re.fullmatch(r"[0-9]{1,20}", str(number)) is not None
    return f"draft-{number}" if known else f"draft-{record['id'][-20:]}"


def _with_problem(named: BoardTicket, record: Mapping[str, Any], error: Malformed) -> BoardTicket:
    title = record.get("title")
    readable = one_line(title) if isinstance(title, str) else ""
    return evolve(named, title=readable or named.title, problem=f"GitHub's record: {error}")


def _likely_state(record: Mapping[str, Any], reading: Reading) -> BoardState:
    """Where an issue is that cannot be understood in all, as far as that can be told."""
    try:
        closed_as = _closed_as(_of(record, "state", str).lower(), _optional(record, "state_reason", str))
        return closed_as or _open_state(_labels(_of(record, "labels", list)), reading.labels)
    except Malformed:
        return BoardState.OPEN
