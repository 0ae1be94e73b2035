"""From files as they were read to what a pull reports. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from supervisor.adapters.kanban.local.folder import Look, Seen
from supervisor.adapters.kanban.local.names import shown
from supervisor.adapters.kanban.local.rules import COLUMNS, COMPLETED, Place, state_of
from supervisor.domain.ticket import BoardProblem, BoardTicket, Pull, Unnamed


def pull_of(look: Look, root: Path) -> Pull:
    """What the folder says. Complete unless a file could be a ticket that is not among those reported."""
    tickets: dict[str, BoardTicket] = {}
    holders: dict[str, Place] = {}
    unnamed: list[Unnamed] = []
    problems: list[BoardProblem] = []
    complete = look.steady
    for seen in look.seen:
        content, where = seen.content, spoken(seen.place)
        if content.id is not None:
            key = content.id.casefold()
            if key in tickets:
                problems.append(BoardProblem(where, f"{content.id} is the id of {spoken(holders[key])} already"))
            else:
                tickets[key] = ticket_of(seen, root)
                holders[key] = seen.place
        elif not seen.at_rest or content.illegible or seen.trouble:
            complete = False
            problems.append(BoardProblem(where, seen.trouble or content.problem or "is being written to"))
        elif content.refused:
            problems.append(BoardProblem(where, content.problem or "has no id"))
        elif seen.place.column != COMPLETED:  # what was finished without Operator needs no id any more
            unnamed.append(Unnamed(token_of(seen), content.type))
    for unknown in look.unknown:
        complete = complete and not unknown.regular
        problems.append(BoardProblem(spoken(unknown.place), unknown.trouble))
    return Pull(tuple(tickets.values()), complete, None, tuple(unnamed), tuple(problems))


def ticket_of(seen: Seen, root: Path) -> BoardTicket:
    """One file as a ticket; it must have an id."""
    content, place = seen.content, seen.place
    if content.id is None:
        raise ValueError(f"{spoken(place)} has no id")
    return BoardTicket(
        external_id=content.id,
        external_key=content.id,
        title=content.title,
        body=content.body,
        type=content.type,
        state=state_of(place.column, content.status),
        priority=content.priority,
        project=content.project,
        driver=content.driver,
        labels=content.labels,
        blocked_by=content.blocked_by,
        url=(root / place.column / place.name).as_uri(),
        alias=place.name.removesuffix(".md"),
        updated_at=_time(seen.stamp.mtime_ns),
        problem=_problem((seen.trouble, content.problem), place),
    )


def spoken(place: Place) -> str:
    return f"{place.column}/{shown(place.name)}"


def token_of(seen: Seen) -> str:
    """Which file, and what it said."""
    path = quote_from_bytes(f"{seen.place.column}/{seen.place.name}".encode("utf-8", "surrogateescape"))
    return f"{seen.digest} {path}"


def read_token(token: str) -> tuple[Place, str] | None:
    """The file and its digest; None for what is no token of ours."""
    digest, _, path = token.partition(" ")
    column, _, name = unquote_to_bytes(path).decode("utf-8", "surrogateescape").partition("/")
    if column not in COLUMNS or not name or "/" in name or "\0" in name:
        return None
    return Place(column, name), digest


def _problem(sentences: Iterable[str | None], place: Place) -> str | None:
    wrong = [sentence for sentence in sentences if sentence]
    return f"{spoken(place)}: {'; '.join(wrong)}" if wrong else None


def _time(mtime_ns: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None
