"""A Markdown file's front matter: understood by a YAML 1.2 parser, edited as text. Pure.

Nothing is ever written back from parsed data: an edit replaces the characters of one value, or inserts one
line, and is then read again to prove that it says what was meant and that nothing else moved.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

MAX_CHARACTERS = 64 * 1024
"""Of front matter."""
_BOM = "\ufeff"
_OPENS = re.compile(r"\ufeff?---[ \t]*\r?\n")
_CLOSES = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_PLAIN = re.compile(r"[^\W\d_](?:[\w .()/+=;!?'-]*[\w.()/+=;!?-])?")
_NOT_TEXT = re.compile(r"(?i:null|true|false|yes|no|on|off|y|n)")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SCALAR_TAGS = ("str", "int", "float", "bool", "timestamp")


class Malformed(Exception):
    """The front matter cannot be understood; the message says where and why."""


class Uneditable(Exception):
    """The front matter is written in a way in which this key cannot be changed safely."""


@frozen
class Strange:
    """A value of a kind that no key of ours has."""

    kind: str


Value = str | tuple[str, ...] | Strange | None
"""Scalars are their source text, so `007` stays `007`; None is an empty value."""
Wanted = str | int | tuple[str, ...]


@frozen
class Entry:
    """One top-level key."""

    key: str
    value: Value
    line: int
    """In the file, from 1."""
    span: tuple[int, int] | None
    """Where the value's characters stand; None where they are not this key's alone."""
    quote: str
    raw: str


@frozen
class Document:
    """A file's text in parts that add up to it exactly."""

    head: str
    """A byte order mark, and the line that opens the front matter."""
    yaml: str
    fence: str
    """The line that closes the front matter; empty where there is none."""
    rest: str

    @property
    def text(self) -> str:
        return self.head + self.yaml + self.fence + self.rest

    @property
    def newline(self) -> str:
        end = self.text.find("\n")
        return "\r\n" if end > 0 and self.text[end - 1] == "\r" else "\n"

    @property
    def body(self) -> str:
        """The text below, without the one blank line above it and its last line end, line ends as LF."""
        text = with_lf(self.rest)
        return (text.removeprefix("\n") if self.fence else text).removesuffix("\n")


def split(text: str) -> Document:
    """A file's parts. Raises Malformed when front matter is opened and never closed."""
    opened = _OPENS.match(text)
    if opened is None:
        head = _BOM if text.startswith(_BOM) else ""
        return Document(head, "", "", text[len(head) :])
    closed = _CLOSES.search(text, opened.end())
    if closed is None:
        raise Malformed("line 1 opens front matter with --- and no later line of --- closes it")
    start, end = opened.end(), closed.start()
    return Document(text[:start], text[start:end], text[end : closed.end()], text[closed.end() :])


def parse(yaml: str) -> tuple[Entry, ...]:
    """The top-level keys with plain text as their names. Raises Malformed."""
    root = _compose(yaml)
    if root is None:
        return ()
    if not isinstance(root, MappingNode):
        raise Malformed("line 2: front matter must be lines of `key: value`")
    starts = [key.start_mark.index for key, _ in root.value] + [len(yaml)]
    return tuple(
        _entry(yaml, key, value, starts[place + 1])
        for place, (key, value) in enumerate(root.value)
        if isinstance(key, ScalarNode)
    )


def twice(entries: Sequence[Entry], owned: Sequence[str]) -> Entry | None:
    """The second entry of a key of ours, if there is one."""
    seen = set()
    for entry in entries:
        if entry.key in owned and entry.key in seen:
            return entry
        seen.add(entry.key)
    return None


def with_values(document: Document, changes: Mapping[str, Wanted]) -> Document:
    """The document with these keys changed or added, and not another character moved. `id` is added at the
    top, others at the end. Raises Malformed or Uneditable."""
    if not document.fence:
        return _with_front_matter(document, changes)
    old = parse(document.yaml)
    if twice(old, tuple(changes)) is not None:
        raise Uneditable("a key that would be changed is there twice")
    text = document.yaml
    known = {entry.key: entry for entry in old}
    for entry in reversed(old):
        if entry.key in changes:
            text = _replaced(text, entry, changes[entry.key])
    missing = {key: value for key, value in changes.items() if key not in known}
    edited = evolve(document, yaml=_inserted(text, missing, document.newline))
    _prove(old, edited.yaml, changes)
    return edited


def with_body(document: Document, body: str) -> Document:
    """The document with another text below its front matter, in the file's own line ends."""
    newline = document.newline
    fence = document.fence if document.fence.endswith("\n") else document.fence + newline
    lines = with_lf(body).replace("\n", newline)
    return evolve(document, fence=fence, rest=f"{newline}{lines}{newline}" if body else "")


def render(values: Mapping[str, Wanted], body: str) -> str:
    """A whole new file."""
    return with_body(_with_front_matter(Document("", "", "", ""), values), body).text


def _with_front_matter(document: Document, values: Mapping[str, Wanted]) -> Document:
    newline = document.newline
    lines = "".join(f"{key}: {_written(value)}{newline}" for key, value in values.items())
    _prove((), lines, values)
    return Document(f"{document.head}---{newline}", lines, f"---{newline}", newline + document.rest)


def _compose(yaml: str) -> Node | None:
    if len(yaml) > MAX_CHARACTERS:
        raise Malformed(f"front matter is {len(yaml)} characters long; at most {MAX_CHARACTERS} are read")
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(yaml)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 2}: " if mark is not None else ""
        raise Malformed(f"{where}not valid YAML: {error.problem or error.context}") from None
    except YAMLError as error:
        raise Malformed(f"front matter is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Malformed("front matter is nested too deeply") from None
    return node


def _entry(yaml: str, key: ScalarNode, node: Node, limit: int) -> Entry:
    span = _span(yaml, key, node, limit)
    return Entry(
        key=key.value,
        value=_value(node),
        line=key.start_mark.line + 2,
        span=span,
        quote=node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else "",
        raw=yaml[slice(*span)] if span else "",
    )


def _value(node: Node) -> Value:
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        items = [_scalar(each) if isinstance(each, ScalarNode) else Strange("a list") for each in node.value]
        if all(isinstance(item, str) for item in items):
            return tuple(item for item in items if isinstance(item, str))
        return Strange("a list of more than plain texts")
    return Strange("a table")


def _scalar(node: ScalarNode) -> Value:
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    return str(node.value) if kind in _SCALAR_TAGS else Strange(f"tagged {node.tag}")


def _span(yaml: str, key: ScalarNode, node: Node, limit: int) -> tuple[int, int] | None:
    """The value's own characters, without comments and blank lines that merely follow it."""
    colon = re.compile(r"[ \t]*:").match(yaml, key.end_mark.index)
    if colon is None:
        return None
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:
        return (colon.end(), colon.end())
    if not colon.end() <= start < end <= limit:
        return None  # an alias: its characters stand elsewhere
    if isinstance(node, ScalarNode):
        return (start, start + len(yaml[start:end].rstrip()))
    if isinstance(node, CollectionNode) and not node.flow_style:
        kept = re.sub(r"(?:\n[ \t]*(?:#[^\n]*)?\r?)*\Z", "", yaml[start:end])
        end = start + len(kept.rstrip())
        if not yaml[colon.end() : start].strip():
            start = colon.end()
    return (start, end)


def _replaced(text: str, entry: Entry, value: Wanted) -> str:
    if entry.span is None:
        raise Uneditable(f"line {entry.line}: `{entry.key}` cannot be changed as it is written there")
    start, end = entry.span
    gap = "" if text[start - 1] in " \t" else " "
    return text[:start] + gap + _written(value, entry.quote) + text[end:]


def _inserted(text: str, missing: Mapping[str, Wanted], newline: str) -> str:
    if not missing:
        return text
    root = _compose(text)
    if isinstance(root, MappingNode) and root.flow_style:
        opening = text.index("{", root.start_mark.index) + 1
        pairs = "".join(f"{key}: {_written(value)}, " for key, value in missing.items())
        return text[:opening] + pairs + text[opening:]
    indent = " " * root.start_mark.column if isinstance(root, MappingNode) else ""
    for key, value in missing.items():
        line = f"{indent}{key}: {_written(value)}{newline}"
        text = line + text if key == "id" else text + line
    return text


def _prove(old: Sequence[Entry], yaml: str, changes: Mapping[str, Wanted]) -> None:
    """Raise Uneditable unless the new text says what was meant and all else as before."""
    try:
        new = parse(yaml)
    except Malformed as error:
        raise Uneditable(f"the change would break the front matter ({error})") from None
    if _others(old, changes) != _others(new, changes):
        raise Uneditable("the change would move other keys of the front matter")
    said = {entry.key: entry.value for entry in new}
    for key, value in changes.items():
        wanted = str(value) if isinstance(value, int) else value
        if said.get(key) != (
            encodable(wanted) if isinstance(wanted, str) else tuple(encodable(item) for item in wanted)
        ):
            raise Uneditable(f"`{key}` cannot be written so that it reads the same")


def _others(entries: Sequence[Entry], changes: Mapping[str, Wanted]) -> list[tuple[str, Value, str]]:
    return [(each.key, each.value, each.raw) for each in entries if each.key not in changes]


def _written(value: Wanted, quote: str = "") -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_written(item) for item in value)}]"
    if isinstance(value, int):
        return str(value)
    text = encodable(value)
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if not quote and _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def with_lf(text: str) -> str:
    """The text with every kind of line end as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encodable(text: str) -> str:
    """The text, with half surrogate pairs, which UTF-8 cannot say, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def guess_id(text: str) -> str | None:
    """The id in front matter that is no valid YAML, where exactly one line can only mean it."""
    lines: Iterator[str] = iter(text[:MAX_CHARACTERS].split("\n", 100)[:100])
    found = [match[1] for line in lines if (match := _ID_LINE.fullmatch(line))]
    return found[0] if len(found) == 1 else None


_ID_LINE = re.compile(r"id[ \t]*:[ \t]+[\"']?([A-Za-z0-9._-]+)[\"']?[ \t]*(?:#.*)?\r?")
