"""Requests into records. Every wrong field is named at once, each with a sentence."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import attrs

from supervisor.domain.errors import Invalid
from supervisor.domain.wire import READ_ERRORS, converter, fields_of, problems_of

T = TypeVar("T")

_SENTENCE = 300
"""Characters of one field's sentence: what is quoted in it came from outside."""
_NAMED = 20
"""How many unknown fields are named."""
_MESSAGE = "The request cannot be understood."


def read_json(data: bytes) -> object:
    """JSON text as data. Raises Invalid for what is none, or holds what JSON or Unicode does not have."""
    try:
        found = json.loads(data, parse_constant=_no_constant)
        if b"\\u" in data:
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except RecursionError:
        raise Invalid(_MESSAGE, {"body": "is nested too deeply"}) from None
    except ValueError as error:
        raise Invalid(_MESSAGE, {"body": _short(f"is not JSON: {error}")}) from None
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def read_record(data: object, kind: type[T]) -> T:
    """Data as a record. Raises Invalid with a sentence for every field that is wrong, missing or unknown."""
    if not isinstance(data, dict):
        raise Invalid(_MESSAGE, {"body": f"expected an object, got {json.dumps(data)[:40]}"})
    given: Mapping[str, object] = data
    hints = fields_of(kind)
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in attrs.fields(kind):  # type: ignore[arg-type]  # the kinds of requests are attrs classes
        if field.name in given:
            wrong |= _read_field(field, hints[field.name], given[field.name], values)
        elif field.default is attrs.NOTHING:
            wrong[field.name] = "is missing"
    unknown = [name for name in given if name not in hints]
    wrong |= {name[:80]: "is not known here" for name in unknown[:_NAMED]}
    if wrong:
        raise Invalid(_MESSAGE, wrong)
    return kind(**values)


def _read_field(field: "attrs.Attribute[Any]", kind: Any, value: object, values: dict[str, Any]) -> dict[str, str]:
    try:
        values[field.name] = found = converter.structure(value, kind)
    except READ_ERRORS as error:
        return {path: _short(text) for path, text in problems_of(error, field.name).items()}
    if field.validator is not None:
        try:
            field.validator(None, field, found)
        except (TypeError, ValueError) as error:
            return {field.name: _short(str(error.args[0]) if error.args else "is not allowed")}
    return {}


def _short(text: str) -> str:
    return text if len(text) <= _SENTENCE else f"{text[:_SENTENCE]}…"


def read_query(given: Sequence[tuple[str, str]], kind: type[T]) -> T:
    """A query string's parameters as a record. Lists are separated by commas. Raises Invalid."""
    hints = fields_of(kind)
    data: dict[str, object] = {}
    twice: dict[str, str] = {}
    for name, text in given:
        if name in data:
            twice[name[:80]] = "is given twice"
        data[name] = _scalar(text, hints.get(name))
    if twice:
        raise Invalid(_MESSAGE, dict(list(twice.items())[:_NAMED]))
    return read_record(data, kind)


_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def _scalar(text: str, kind: Any) -> object:
    """A parameter's text as data; what does not fit its field stays text, and is refused as that."""
    if get_origin(kind) is tuple:
        return text.split(",") if text else []
    kinds = (kind, *get_args(kind))
    if int in kinds and _NUMBER.fullmatch(text):
        return int(text)
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    return text
