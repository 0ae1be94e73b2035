"""Times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from clients.cli.times import clock, date, since, size, until

NOW = datetime(2026, 11, 24, 14, 6, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=0.4), "0 s"),
        (timedelta(seconds=20), "20 s"),
        (timedelta(minutes=4), "4 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=3), "21 Nov"),
        (timedelta(days=400), "20 Oct 2025"),
    ],
)
def test_since(ago: timedelta, text: str) -> None:
    assert since(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=40), "in 40 s"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(days=3), "on 27 Nov"),
    ],
)
def test_until(ahead: timedelta, text: str) -> None:
    assert until(NOW + ahead, NOW) == text


def test_clock_and_date_are_local() -> None:
    assert clock(NOW) == "14:06"
    assert date(NOW, NOW) == "24 Nov"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (42_130, "42 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (33_554_432, "34 MB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
