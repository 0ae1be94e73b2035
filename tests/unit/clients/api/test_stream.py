"""Where a stream stands after each frame, and what is said of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.api.errors import BadAnswer
from clients.api.stream import Connected, Gap, Happened, Hello, NewEpoch, Place, advance, delay, parse


def events(*numbers: int) -> str:
    entries = [
        {"seq": each, "at": "2026-11-24T14:06:30Z", "kind": "a.b", "ticket": None, "agent": None, "data": {}}
        for each in numbers
    ]
    return json.dumps({"events": entries})


def test_a_stream_from_now_on_begins_at_the_head() -> None:
    place, said = advance(Place(None), Hello("e", 7, 1), known=False)
    assert place == Place(7, "e")
    assert said == [Connected("e", 7, 1, again=False)]


def test_after_a_break_it_goes_on_where_it_was() -> None:
    place, said = advance(Place(5, "e"), Hello("e", 9, 1), known=True)
    assert place == Place(5, "e")
    assert said == [Connected("e", 9, 1, again=True)]
    place, said = advance(place, parse(events(4, 5, 6, 7)), known=True)
    assert place == Place(7, "e")
    assert [each.event.seq for each in said if isinstance(each, Happened)] == [6, 7]


def test_another_database_is_told_and_counts_anew() -> None:
    place, said = advance(Place(500, "e"), Hello("f", 3, 1), known=True)
    assert place == Place(3, "f")
    assert said == [NewEpoch("f"), Connected("f", 3, 1, again=True)]


def test_a_gap_is_told_and_passed() -> None:
    place, said = advance(Place(5, "e"), parse('{"gap": {"after": 5, "oldest": 40}}'), known=True)
    assert place == Place(39, "e")
    assert said == [Gap(5, 40)]


def test_frames_of_a_later_version_are_passed_over() -> None:
    assert parse('{"weather": "fine"}') == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"hello": {}}',
        '{"hello": {"protocol": 2, "epoch": "e", "head": 1, "oldest": 1}}',
        '{"events": [{}]}',
        '{"gap": 3}',
        '{"events": 3}',
    ],
)
def test_what_cannot_be_understood_is_said(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse(text)


@given(st.text() | st.binary())
def test_any_frame_is_read_or_refused(text: str | bytes) -> None:
    try:
        parse(text)
    except BadAnswer:
        pass


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_delay_grows_and_is_bounded(failures: int, jitter: float) -> None:
    assert 0.1 <= delay(failures, jitter) <= 10.0
    assert delay(failures, 0) <= delay(failures + 1, 0)
