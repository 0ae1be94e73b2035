"""Durations as people write them: a number and a unit."""

import re
from typing import NewType

Duration = NewType("Duration", float)
"""Seconds."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PATTERN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|d)\s*")
_LONGEST = 3650 * 86400.0
"""Anything longer is a slip of the pen, and would end up in a date that no calendar has."""


def parse_duration(text: str) -> Duration:
    """`"10s"` -> 10.0. Raises ValueError with a sentence that shows the form."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text[:40]}" is not a duration: write a number and a unit, such as "10s", "5m" or "24h"')
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST:
        raise ValueError(f"is longer than ten years: {text[:40]}")
    return Duration(seconds)


def human(seconds: float) -> str:
    """Seconds as a person reads them: `20 s`, `4 min`, `2 h`, `3 d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"
