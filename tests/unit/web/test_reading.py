"""Hostile input into records: all wrong fields at once, each by its name."""

import json
from typing import Any

import pytest
from attrs import field, frozen, validators
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain.errors import Invalid
from supervisor.web.reading import read_json, read_query, read_record


@frozen
class Wish:
    title: str = field(validator=validators.and_(validators.min_len(1), validators.max_len(5)))
    count: int = field(default=1, validator=[validators.ge(1), validators.le(9)])
    labels: tuple[str, ...] = ()
    urgent: bool = False
    note: str | None = None


def wrong(data: object) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read_record(data, Wish)
    return dict(caught.value.fields)


def test_all_wrong_fields_are_named_at_once() -> None:
    found = wrong({"title": "", "count": "3", "labels": ["a", 7], "urgent": "no", "extra": 1})
    assert found.keys() == {"title", "count", "labels[1]", "urgent", "extra"}
    assert found["count"] == "expected a whole number, got text"
    assert found["extra"] == "is not known here"


def test_missing_and_out_of_range_and_mistyped_stand_together() -> None:
    assert wrong({"count": 10, "urgent": 1}).keys() == {"title", "count", "urgent"}


@pytest.mark.parametrize("data", [None, [], "x", 3, True, [{"title": "x"}]])
def test_what_is_no_object_is_refused(data: object) -> None:
    assert wrong(data).keys() == {"body"}


def test_a_whole_float_is_an_integer_and_true_is_not() -> None:
    assert read_record({"title": "x", "count": 3.0}, Wish).count == 3
    assert wrong({"title": "x", "count": True}).keys() == {"count"}


def test_a_string_is_no_list_of_letters() -> None:
    assert "labels" in next(iter(wrong({"title": "x", "labels": "abc"})))


def test_what_is_quoted_is_cut() -> None:
    found = wrong({"title": "x" * 100_000} | {f"u{number}": 1 for number in range(500)})
    assert len(found) <= 21
    assert all(len(name) <= 80 and len(text) <= 301 for name, text in found.items())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b'{"a": NaN}',
        b"[-Infinity]",
        b'{"a": 1} x',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 5000,
        b'"\\ud800"',
        b'{"\\uDC00": 1}',
    ],
)
def test_text_that_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_json(text)
    assert caught.value.fields.keys() == {"body"}
    assert len(caught.value.fields["body"]) <= 301


def test_pairs_of_surrogates_are_characters() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@frozen
class Sought:
    since: int | None = None
    kinds: tuple[str, ...] = ()
    deep: bool = False
    q: str | None = None
    limit: int = field(default=10, validator=[validators.ge(1), validators.le(20)])


def test_queries() -> None:
    asked = [("since", "7"), ("kinds", "a.*,b"), ("deep", "true"), ("q", "12")]
    assert read_query(asked, Sought) == Sought(7, ("a.*", "b"), True, "12")
    assert read_query([("kinds", "")], Sought) == Sought()


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([("limit", "0")], {"limit"}),
        ([("limit", "1e3"), ("since", "x"), ("what", "1")], {"limit", "since", "what"}),
        ([("since", "1" * 40)], {"since"}),
        ([("since", "٣")], {"since"}),
        ([("deep", "yes")], {"deep"}),
        ([("q", "a"), ("q", "b")], {"q"}),
    ],
)
def test_wrong_queries_name_every_parameter(asked: list[tuple[str, str]], names: set[str]) -> None:
    with pytest.raises(Invalid) as caught:
        read_query(asked, Sought)
    assert caught.value.fields.keys() == names


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values | st.fixed_dictionaries({"title": json_values, "count": json_values, "labels": json_values}))
def test_any_json_is_read_or_refused(data: Any) -> None:
    try:
        made = read_record(data, Wish)
    except Invalid as error:
        fields = dict(error.fields)
    else:
        fields = {"none": json.dumps(data)}
        assert 1 <= len(made.title) <= 5
        assert 1 <= made.count <= 9
    assert json.loads(json.dumps(fields))
