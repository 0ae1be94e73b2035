"""Records as JSON Schema 2020-12, the dialect of OpenAPI 3.1."""

import enum
import inspect
import operator
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NewType, Union, get_args, get_origin

import attrs

from supervisor.domain.wire import fields_of

Schema = dict[str, Any]

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
}
_BOUNDS = {
    operator.ge: "minimum",
    operator.gt: "exclusiveMinimum",
    operator.le: "maximum",
    operator.lt: "exclusiveMaximum",
}


class Schemas:
    """Collects the components that schemas refer to. A record is one component, whoever refers to it."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._kinds: dict[str, type] = {}

    def of(self, kind: Any, *, asked: bool = False) -> Schema:
        """The schema of a type; `asked`: it is part of a request, whose fields with defaults may be absent.

        Raises TypeError for a type that has none here, so that it is noticed when the routes are made.
        """
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if isinstance(kind, NewType):
            return self.of(kind.__supertype__, asked=asked)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return {"type": "string", "enum": [str(each.value) for each in kind]}
        if isinstance(kind, type) and attrs.has(kind):
            return self._record(kind, asked)
        arguments = get_args(kind)
        match get_origin(kind):
            case origin if origin is Literal:
                return {"type": "string", "enum": list(arguments)}
            case origin if origin in (Union, types.UnionType):
                return self._union(arguments, asked)
            case origin if origin is tuple and arguments[1:] == (Ellipsis,):
                return {"type": "array", "items": self.of(arguments[0], asked=asked)}
            case origin if origin is dict and arguments[0] is str:
                return {"type": "object", "additionalProperties": self.of(arguments[1], asked=asked)}
        raise TypeError(f"no JSON Schema for {kind!r}")

    def _union(self, kinds: Sequence[Any], asked: bool) -> Schema:
        found = [self.of(kind, asked=asked) for kind in kinds]
        if all(each.keys() == {"type"} for each in found):
            return {"type": [each["type"] for each in found]}
        return {"anyOf": found}

    def _record(self, kind: type, asked: bool) -> Schema:
        name = kind.__name__
        if self._kinds.setdefault(name, kind) is not kind:
            raise TypeError(f"two records are called {name}")
        if name not in self.components:
            self.components[name] = {}  # a record may hold its own kind
            self.components[name] = self._made(kind, asked)
        return {"$ref": f"#/components/schemas/{name}"}

    def _made(self, kind: type, asked: bool) -> Schema:
        properties = {name: self.property(kind, name, asked=asked) for name in fields_of(kind)}
        made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
        required = [each.name for each in attrs.fields(kind) if not asked or each.default is attrs.NOTHING]
        if required:
            made["required"] = required
        if text := described(kind):
            made["description"] = text
        return made

    def property(self, kind: type, name: str, *, asked: bool) -> Schema:
        """The schema of one field, with what its validators demand."""
        field = getattr(attrs.fields(kind), name)
        made = self.of(fields_of(kind)[name], asked=asked)
        return made | constraints(field.validator) if asked else made


def described(kind: object) -> str:
    """What its docstring says, as one paragraph."""
    return " ".join((inspect.getdoc(kind) or "").split())


def constraints(validator: Any) -> Schema:
    """What attrs validators demand, in JSON Schema's words. Raises TypeError for one that has none.

    attrs makes the classes of its validators private; their fields have been stable, and a test holds them.
    """
    match type(validator).__name__:
        case "NoneType":
            return {}
        case "_AndValidator":
            return {name: value for each in validator._validators for name, value in constraints(each).items()}
        case "_OptionalValidator":
            return constraints(validator.validator)
        case "_NumberValidator":
            return {_BOUNDS[validator.compare_func]: validator.bound}
        case "_MinLengthValidator":
            return {"minLength": validator.min_length}
        case "_MaxLengthValidator":
            return {"maxLength": validator.max_length}
        case "_MatchesReValidator":
            return {"pattern": f"^(?:{validator.pattern.pattern})$"}
        case "_DeepIterable":
            inner = constraints(validator.member_validator)
            outer = {_ITEMS.get(name, name): value for name, value in constraints(validator.iterable_validator).items()}
            return outer | ({"items": {"type": "string"} | inner} if inner else {})
    raise TypeError(f"no JSON Schema for {validator!r}")


_ITEMS = {"minLength": "minItems", "maxLength": "maxItems"}
