"""When the next request may go to a board that counts them. Pure: the courier keeps the time."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import frozen

LONGEST_WAIT = 3600.0
"""Seconds; asking once an hour is harmless, whatever a board names."""
SHORTEST_WAIT = 1.0
LONGEST_SPACING = 5.0
"""Seconds: a reading of many pages goes on, slowly, as long as anything is left."""
WAIT_UNNAMED = 60.0
"""Seconds to wait after a refusal that names no time."""
_NEAR = 0.1
"""Requests are paced once this part of the allowance is left."""
_MILLISECONDS = 1e11
"""A time since the epoch above this is in milliseconds."""
_ALLOWANCES = {
    "x-ratelimit": None,
    "x-ratelimit-requests": None,
    "x-ratelimit-endpoint-requests": None,
    "x-ratelimit-complexity": "x-complexity",
}
"""Prefixes of the headers that tell an allowance, with the header that tells what the last request cost of it."""


@frozen
class Pace:
    """What a reply's headers ask of the requests after it, in seconds."""

    blocked: float = 0.0
    """Nothing may be sent for so long."""
    spacing: float = 0.0
    """The time to leave between two requests, so that what is left lasts until the allowance is renewed."""


def pace_of(headers: Mapping[str, str], now: datetime) -> Pace:
    """The strictest of the allowances that a reply tells of."""
    blocked = spacing = 0.0
    for remaining, limit, reset in _allowances(headers, now):
        if remaining < 1:
            blocked = max(blocked, reset)
        elif remaining <= limit * _NEAR:
            spacing = max(spacing, reset / remaining)
    return Pace(min(blocked, LONGEST_WAIT), min(spacing, LONGEST_SPACING))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds of a Retry-After header, which may be a date; None if there is none that can be read."""
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is None:
        moment = _http_date(value)
        if moment is None:
            return None
        seconds = (moment - board_time(headers, now)).total_seconds()
    return waiting(seconds)


def waiting(seconds: float) -> float:
    """A wait that a board names, in reasonable bounds."""
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT) if math.isfinite(seconds) else WAIT_UNNAMED


def board_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The board's own clock, as its reply tells it; else ours."""
    return _http_date(headers.get("date", "")) or now


def _allowances(headers: Mapping[str, str], now: datetime) -> Iterator[tuple[float, float, float]]:
    """Requests as costly as the last one that are left, how many there are at most, and the seconds until then."""
    for prefix, cost_header in _ALLOWANCES.items():
        remaining = _number(headers.get(f"{prefix}-remaining", ""))
        reset = _reset(headers.get(f"{prefix}-reset", ""), board_time(headers, now))
        if remaining is None or reset is None or reset <= 0:
            continue
        limit = _number(headers.get(f"{prefix}-limit", "")) or 0.0
        cost = max(_number(headers.get(cost_header, "")) or 1.0, 1.0) if cost_header else 1.0
        yield remaining / cost, limit / cost, reset


def _reset(value: str, now: datetime) -> float | None:
    """Seconds until a moment given as seconds or milliseconds since the epoch, or in ISO 8601."""
    number = _number(value)
    if number is not None:
        return (number / 1000 if number > _MILLISECONDS else number) - now.timestamp()
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
