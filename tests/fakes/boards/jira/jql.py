"""The little JQL that is asked of the fake; anything else is refused, as Jira refuses what it does not understand."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.fakes.boards.jira.site import ACCOUNT, Issue, Site

Test = Callable[[Issue], bool]
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RELATIVE = re.compile(r"-(\d+)([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class BadQuery(Exception):
    """What Jira says of a query that it cannot run."""


def search(site: Site, jql: str) -> Test:
    where, order, by = jql.partition(" ORDER BY ")
    if order and by != "key ASC":
        raise BadQuery(f"the fake does not sort by {by}")
    tests = [_clause(site, clause.strip()) for clause in where.split(" AND ")]
    if not any(clause.startswith("project = ") for clause in where.split(" AND ")):
        raise BadQuery("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    return lambda issue: all(test(issue) for test in tests)


def _clause(site: Site, clause: str) -> Test:
    match clause.split(" ", 2):
        case ["project", "=", value]:
            key = _text(value)
            if key != site.project:
                raise BadQuery(f"The value '{key}' does not exist for the field 'project'.")
            return lambda issue: issue.project == key
        case ["creator", "=", "currentUser()"]:
            return lambda issue: issue.creator == ACCOUNT
        case ["updated", ">=", value]:
            since = _moment(site, _text(value))
            return lambda issue: issue.updated >= since
        case ["created", ">=", value]:
            since = _moment(site, _text(value))
            return lambda issue: issue.created >= since
    raise BadQuery(f"Error in the JQL Query: {clause}")


def _text(value: str) -> str:
    found = _QUOTED.fullmatch(value)
    if found is None:
        raise BadQuery(f"Error in the JQL Query: {value} is not quoted.")
    return re.sub(r"\\(.)", r"\1", found[1])


def _moment(site: Site, value: str) -> datetime:
    relative = _RELATIVE.fullmatch(value)
    if relative is not None:
        return site.clock() - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
    try:
        local = datetime.strptime(value, "%Y-%m-%d %H:%M")
    except ValueError:
        raise BadQuery(
            f"Date value '{value}' for field is invalid. Valid formats include: 'yyyy-MM-dd HH:mm'"
        ) from None
    # Of an hour that the clock shows twice, the later one: whoever asks must not rely on the earlier.
    return local.replace(tzinfo=ZoneInfo(site.time_zone or "UTC"), fold=1).astimezone(UTC)
