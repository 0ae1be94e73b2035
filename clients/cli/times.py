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


def size(count: int) -> str:
    """Bytes: `812 B`, `4.2 kB`, `42 MB`."""
    if count < 1000:
        return f"{count} B"
    unit, scale = next(((name, scale) for name, scale in _UNITS if count < 999.5 * scale), _UNITS[-1])
    amount = count / scale
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


_UNITS = (("kB", 10**3), ("MB", 10**6), ("GB", 10**9))


def clock(at: datetime) -> str:
    """`14:06`, local."""
    return f"{at.astimezone():%H:%M}"
