"""Hypothesis strategies for the domain's records: every field filled, with values that only their types bound."""

import enum
import types
import typing
from datetime import UTC, datetime
from typing import Any

import attrs
from hypothesis import strategies as st

from supervisor.domain.activity import Entry
from supervisor.domain.wire import fields_of

ANY_TEXT = st.text(st.characters(), max_size=20)
"""Also what no UTF-8 can carry: lone surrogates, as they come from undecodable output."""
UTF8_TEXT = st.text(max_size=20)
MOMENTS = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC))

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: ANY_TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: MOMENTS,
    type(None): st.none(),
}


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation that may stand in a record."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, typing.NewType):
        return of_type(kind.__supertype__)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of_type(each) for each in arguments])
    if origin is tuple:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(of_type(arguments[0]), of_type(arguments[1]), max_size=3)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    return record(kind)


def record(kind: type, /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Records of an attrs class; `given` overrides single fields."""
    assert attrs.has(kind), kind
    filled = {name: of_type(hint) for name, hint in fields_of(kind).items()}
    return st.builds(kind, **(filled | given))


ENTRIES = record(Entry)
