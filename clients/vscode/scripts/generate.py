"""The daemon's records as TypeScript, with shapes to check answers by: `python clients/vscode/scripts/generate.py`.

It writes src/protocol.ts; with `--check` it writes nothing and fails where that file is stale.
"""

import inspect
import json
import sys
import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import attrs

from supervisor.domain import board_views, views
from supervisor.domain.wire import fields_of

TARGET = Path(__file__).resolve().parent.parent / "src" / "protocol.ts"

HEAD = """\
// Made by scripts/generate.py from supervisor/domain/views.py and board_views.py. Change those, then run the script.

/** What a value on the wire must be. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'null'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly record: keyof Records }
  | { readonly any: readonly Shape[] };
"""

_PLAIN = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    types.NoneType: "null",
    datetime: "string",
}


def protocol() -> str:
    """All of protocol.ts."""
    modules = [views, board_views]
    records = [
        kind
        for module in modules
        for _, kind in sorted(inspect.getmembers(module, attrs.has), key=_line)
        if kind.__module__ == module.__name__
    ]
    parts = [HEAD, *(_interface(kind) for kind in records), _index(records), _shapes(records)]
    return "\n".join(parts)


def _line(member: tuple[str, type]) -> int:
    return inspect.getsourcelines(member[1])[1]


def _interface(kind: type) -> str:
    lines = [f"export interface {kind.__name__} {{"]
    lines += [f"  readonly {name}: {_type(of)};" for name, of in fields_of(kind).items()]
    return "\n".join([*_comment(kind), *lines, "}", ""])


def _comment(kind: type) -> Iterator[str]:
    text = " ".join((inspect.getdoc(kind) or "").split())
    if text and not text.startswith("Method generated"):
        yield f"/** {text} */"


def _index(records: list[type]) -> str:
    lines = [f"  {kind.__name__}: {kind.__name__};" for kind in records]
    return "\n".join(["/** Every record by its name. */", "export interface Records {", *lines, "}", ""])


def _shapes(records: list[type]) -> str:
    lines = ["export const SHAPES: { readonly [name in keyof Records]: Readonly<Record<string, Shape>> } = {"]
    for kind in records:
        lines.append(f"  {kind.__name__}: {{")
        lines += [f"    {name}: {_literal(_shape(of))}," for name, of in fields_of(kind).items()]
        lines.append("  },")
    return "\n".join([*lines, "};", ""])


def _literal(shape: Any) -> str:
    if isinstance(shape, str):
        return f"'{shape}'"
    if isinstance(shape, list):
        return f"[{', '.join(map(_literal, shape))}]"
    return "{ " + ", ".join(f"{name}: {_literal(value)}" for name, value in shape.items()) + " }"


def _shape(of: Any) -> Any:
    if of in _PLAIN:
        return _PLAIN[of]
    if attrs.has(of):
        return {"record": of.__name__}
    arguments = get_args(of)
    match get_origin(of):
        case origin if origin is tuple and arguments[1:] == (Ellipsis,):
            return {"list": _shape(arguments[0])}
        case origin if origin is dict and arguments[0] is str:
            return {"map": _shape(arguments[1])}
        case origin if origin in (Union, types.UnionType):
            return {"any": list({json.dumps(found): found for found in map(_shape, arguments)}.values())}
    raise TypeError(f"no TypeScript for {of!r}")


def _type(of: Any) -> str:
    return _written(_shape(of))


def _written(shape: Any) -> str:
    match shape:
        case str():
            return shape
        case {"record": str(name)}:
            return name
        case {"map": each}:
            return f"Readonly<Record<string, {_written(each)}>>"
        case {"any": kinds}:
            return " | ".join(map(_written, kinds))
        case {"list": each}:
            inner = _written(each)
            return f"readonly ({inner})[]" if " | " in inner else f"readonly {inner}[]"
    raise TypeError(f"no TypeScript for {shape!r}")


def main() -> int:
    """The exit code."""
    made = protocol()
    if "--check" in sys.argv[1:]:
        if TARGET.read_text(encoding="utf-8") == made:
            return 0
        print(f"{TARGET} is stale: run {Path(__file__).name}", file=sys.stderr)
        return 1
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
