"""Which issues are asked for, and how far a pull has read. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

OVERLAP = timedelta(minutes=2)
"""What is read again each time: for clocks that differ, and changes that the board's index showed late."""
_WESTERNMOST = timedelta(hours=12)


def everything(project: str) -> str:
    """JQL for a whole project. Ordered by what never changes, so that no change moves an issue between pages."""
    return f"project = {quoted(project)} ORDER BY key ASC"


def changed_since(project: str, cursor: datetime, time_zone: str | None) -> str:
    """JQL for what was updated since, with the overlap. JQL knows minutes, in the zone of whoever asks."""
    return f"project = {quoted(project)} AND updated >= {quoted(_local(cursor - OVERLAP, time_zone))} ORDER BY key ASC"


def created_lately(project: str) -> str:
    """JQL for what this user added within a day."""
    return f'project = {quoted(project)} AND creator = currentUser() AND created >= "-1d" ORDER BY key ASC'


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_cursor(cursor: str) -> datetime | None:
    """None if it is not one of ours: then everything is read."""
    try:
        found = datetime.fromisoformat(cursor)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def advanced(cursor: datetime | None, newest: datetime | None, begun: datetime) -> str | None:
    """The next cursor: the newest update that was seen, but none after the pull began, and never an earlier one."""
    seen = min(newest, begun) if newest is not None else None
    known = [each for each in (cursor, seen) if each is not None]
    return max(known).isoformat() if known else None


def _local(moment: datetime, time_zone: str | None) -> str:
    """A moment, or one before it, as JQL writes it."""
    try:
        zone = ZoneInfo(time_zone or "")
    except (KeyError, ValueError, OSError):  # no such zone is known here: earlier than in any zone of the world
        return _minutes(moment - _WESTERNMOST)
    local = moment.astimezone(zone)
    if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
        # The clock shows this hour twice, and which of them Jira means is not said: begin before both.
        local = (moment - timedelta(hours=2)).astimezone(zone)
    return _minutes(local)


def _minutes(local: datetime) -> str:
    return local.strftime("%Y-%m-%d %H:%M")
