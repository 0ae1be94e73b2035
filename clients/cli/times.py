"""Times and sizes as a person reads them. Pure."""

from datetime import datetime, timedelta

from supervisor.domain.durations import human

_OLD = timedelta(hours=36)


def since(at: datetime, now: datetime) -> str:
    """How long ago: `20 s`, `4 min`, `2 h`, then the date."""
    passed = now - at
    if passed >= _OLD:
        return date(at, now)
    return human(max(round(passed.total_seconds()), 0)) if passed.total_seconds() >= 1 else "0 s"


def until(at: datetime, now: datetime) -> str:
    """How long from now: `in 40 s`, then the date; `now` when it is due."""
    left = at - now
    if left <= timedelta(seconds=1):
        return "now"
    return f"on {date(at, now)}" if left >= _OLD else f"in {human(round(left.total_seconds()))}"


def date(at: datetime, now: datetime) -> str:
    """`24 Nov`, with the year where it is another one; local."""
    local = at.astimezone()
    text = f"{local.day} {local:%b}"
    return text if local.year == now.astimezone().year else f"{text} {local.year}"


def clock(at: datetime) -> str:
    """`14:06`, local."""
    return f"{at.astimezone():%H:%M}"
