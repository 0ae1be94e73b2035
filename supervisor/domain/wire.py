"""The one converter between records and plain data: for the wire, the database and the config file.

It is strict where cattrs is lenient: `3` is not a string, a string is not a list, unknown keys are errors.
Tagged unions carry their variant's name, in lower case, as `name`.
"""

import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import EnumType
from functools import partial
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import (
    BaseValidationError,
    Converter,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
    transform_error,
)

from supervisor.domain.activity import Recorded, Value
from supervisor.domain.durations import Duration, parse_duration

T = TypeVar("T")


def _exact(kind: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, wanted: Any) -> Any:
        if isinstance(wanted, EnumType):
            return _choice(value, wanted)
        if type(value) is kind or (kind is float and type(value) is int):
            return value
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)  # JSON Schema counts 4.0 as an integer
        raise TypeError(f"expected {_WORDS[kind]}, got {_word(value)}")

    return structure


def _choice(value: Any, wanted: EnumType) -> Any:
    try:
        return wanted(value)
    except ValueError:
        raise TypeError(f"expected one of {', '.join(wanted)}") from None


_WORDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _word(value: object) -> str:
    return _WORDS.get(type(value)) or {list: "a list", dict: "a table", type(None): "nothing"}.get(
        type(value), type(value).__name__
    )


def _structure_datetime(value: Any, _: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        raise TypeError(f"expected a time in ISO 8601, got {_word(value)}")
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    """A time as the wire has it: UTC, ISO 8601, microseconds, `Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _structure_duration(value: Any, _: Any) -> Duration:
    if not isinstance(value, str):
        raise TypeError(f'expected a duration such as "10s", got {_word(value)}')
    return parse_duration(value)


def _structure_value(value: Any, _: Any) -> Any:
    if value is not None and type(value) not in _WORDS:
        raise TypeError(f"expected text, a number, true, false or nothing, got {_word(value)}")
    return value


def _list_guard(converter: Converter) -> None:
    def factory(kind: Any) -> Callable[[Any, Any], Any]:
        item = get_args(kind)[0]

        def structure(value: Any, _: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise TypeError(f"expected a list, got {_word(value)}")
            found, errors = [], []
            for index, each in enumerate(value):
                try:
                    found.append(converter.structure(each, item))
                except Exception as error:
                    error.add_note(IterableValidationNote(f"at index {index}", index, item))
                    errors.append(error)
            if errors:
                raise IterableValidationError("wrong items", errors, kind)
            return tuple(found)

        return structure

    def is_tuple(kind: Any) -> bool:
        return get_origin(kind) is tuple and len(get_args(kind)) == 2 and get_args(kind)[1] is Ellipsis

    converter.register_structure_hook_factory(is_tuple, factory)


def _tag(kind: type) -> str:
    return kind.__name__.lower()


def _is_variants(kind: Any) -> bool:
    """A union of records. Which of them one is, its `name` says."""
    return get_origin(kind) in (typing.Union, types.UnionType) and all(attrs.has(each) for each in get_args(kind))


def _structure_variant(converter: Converter, union: Any) -> Callable[[Any, Any], Any]:
    variants = {_tag(each): each for each in get_args(union)}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected a table, got {_word(value)}")
        data = dict(value)
        name = data.pop("name")
        if name not in variants:
            raise TypeError(f"expected one of {', '.join(variants)}")
        return converter.structure(data, variants[name])

    return structure


def _unstructure_variant(converter: Converter, _: Any) -> Callable[[Any], Any]:
    return lambda value: {**converter.unstructure(value), "name": _tag(type(value))}


def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True, detailed_validation=True, prefer_attrib_converters=True)
    for kind in (str, int, float, bool):
        made.register_structure_hook(kind, _exact(kind))
    made.register_structure_hook(datetime, _structure_datetime)
    made.register_unstructure_hook(datetime, iso)
    made.register_structure_hook_func(lambda kind: kind is Duration, _structure_duration)
    made.register_structure_hook_func(lambda kind: kind == Value, _structure_value)
    _list_guard(made)
    made.register_structure_hook_factory(_is_variants, partial(_structure_variant, made))
    made.register_unstructure_hook_factory(_is_variants, partial(_unstructure_variant, made))
    return made


converter = _converter()


def to_plain(value: object) -> Any:
    """A record as JSON-ready data."""
    return converter.unstructure(value)


def to_json(value: object) -> str:
    """A record as compact JSON text that UTF-8 can carry. Raises ValueError for NaN and infinity."""
    return _dumps(converter.unstructure(value))


def _dumps(plain: object) -> str:
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        # Lone surrogates, from output that was no UTF-8: only JSON's escapes can carry them.
        return json.dumps(plain, allow_nan=False, separators=(",", ":"))
    return text


def from_plain(data: object, kind: type[T]) -> T:
    """Data as a record. Raises what `problems_of` explains."""
    return converter.structure(data, kind)


def from_json(text: str | bytes, kind: type[T]) -> T:
    """JSON text as a record."""
    return converter.structure(json.loads(text), kind)


def to_event(recorded: Recorded) -> str:
    """An entry of the activity as JSON text, flat as it goes over the wire."""
    entry = recorded.entry
    return _dumps(
        {
            "seq": recorded.seq,
            "at": iso(entry.at),
            "kind": entry.kind,
            "ticket": entry.ticket,
            "agent": entry.agent,
            "data": entry.data,
        }
    )


READ_ERRORS = (BaseValidationError, ForbiddenExtraKeysError, TypeError, ValueError, KeyError, AttributeError)
"""What structuring raises on wrong input."""


def problems_of(error: BaseException, root: str = "$") -> dict[str, str]:
    """Every wrong field of a failed structuring, by its path, with a sentence each."""
    found: dict[str, str] = {}
    for line in transform_error(error, path=root, format_exception=_sentence):
        text, _, path = line.rpartition(" @ ")
        found[path or root] = text or line
    return found or {root: str(error)}


def _sentence(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "is missing"
    if isinstance(error, ForbiddenExtraKeysError):
        return "unknown: " + ", ".join(sorted(str(key) for key in error.extra_fields))
    return str(error) or type(error).__name__


def fields_of(kind: type) -> Mapping[str, Any]:
    """A record's fields with their resolved types."""
    hints = typing.get_type_hints(kind)
    return {each.name: hints[each.name] for each in attrs.fields(kind)}


def is_optional(kind: Any) -> bool:
    return get_origin(kind) in (typing.Union, types.UnionType) and type(None) in get_args(kind)
