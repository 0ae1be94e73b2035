import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain.durations import human, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("10s", 10), ("1.5m", 90), ("5 min", 300), (" 24h ", 86400), ("2d", 172800), ("0s", 0)],
)
def test_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1e3s", "1.s", ".5s", "1S", "inf s", "\u0661s", "10s\n;"])
def test_anything_else_is_told_the_form(text: str) -> None:
    with pytest.raises(ValueError, match='such as "10s", "5m" or "24h"'):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "9" * 400 + "h"])
def test_no_duration_is_too_long_for_a_calendar(text: str) -> None:
    with pytest.raises(ValueError, match="longer than ten years") as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 100


@given(text=st.text(max_size=20))
def test_hostile_text_is_a_value_error_or_a_sound_number(text: str) -> None:
    try:
        found = parse_duration(text)
    except ValueError:
        return
    assert 0 <= found <= 3650 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.3, "300 ms"),
        (1, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (240, "4 min"),
        (5400, "2 h"),
        (7200, "2 h"),
        (259200, "3 d"),
    ],
)
def test_people_read_one_number_and_one_unit(seconds: float, text: str) -> None:
    assert human(seconds) == text
