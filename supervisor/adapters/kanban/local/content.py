"""What a ticket file says: bytes to fields, each checked, with a sentence for whatever is wrong. Pure."""

import difflib
import re
from collections.abc import Callable, Mapping
from itertools import islice

from attrs import evolve, frozen

from supervisor.adapters.kanban.local.frontmatter import (
    Entry,
    Malformed,
    Strange,
    guess_id,
    parse,
    split,
    twice,
)
from supervisor.adapters.kanban.local.names import one_line, shown
from supervisor.domain.ids import is_ticket_id

MAX_BYTES = 8 * 1024 * 1024
"""Of a ticket file. Of a larger one the beginning is read, for its id."""
HEAD_BYTES = 256 * 1024
MAX_TITLE = 1000
MAX_PRIORITY = 1_000_000
MAX_ITEMS = 100
MAX_TEXT = 200
OWNED = ("id", "type", "title", "priority", "project", "driver", "labels", "blocked_by", "status")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_CODE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING_LINES = 500


@frozen
class Defaults:
    """What the collection says of tickets that do not say it themselves."""

    type: str
    types: tuple[str, ...] = ()
    """The issue types there are; empty: any name is taken."""


@frozen
class Content:
    """One file's say."""

    id: str | None
    title: str
    body: str
    type: str
    status: str = ""
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    problem: str | None = None
    """What is wrong with it, as sentences."""
    illegible: bool = False
    """It has no id that could be read; which ticket it is, if any, cannot be told."""
    refused: bool = False
    """It has no id and gets none: it names itself as no ticket may, or is too large to be changed."""


def read(data: bytes, size: int, name: str, defaults: Defaults) -> Content:
    """Understand a file of `size` bytes; `data` is all of them, or the beginning if that is too much."""
    wrong: list[str] = []
    text = data.decode("utf-8", "surrogateescape")
    if size > MAX_BYTES:
        wrong.append(f"it is {size} bytes long; at most {MAX_BYTES} are read")
    elif (place := _not_utf8(data)) is not None:
        wrong.append(f"byte {place} is not UTF-8 text; save the file as UTF-8")
    try:
        document = split(text)
        entries = parse(document.yaml)
        if (second := twice(entries, OWNED)) is not None:
            raise Malformed(f"line {second.line}: `{second.key}` is there twice")
    except Malformed as error:
        return _malformed(text, size <= MAX_BYTES, name, defaults, [str(error), *wrong])
    body = _valid(document.body) if size <= MAX_BYTES else ""
    content = _content({entry.key: entry for entry in entries}, body, name, defaults, wrong)
    return evolve(content, refused=True) if content.id is None and size > MAX_BYTES else content


def _content(keys: Mapping[str, Entry], body: str, name: str, defaults: Defaults, wrong: list[str]) -> Content:
    fields = _Fields(keys, wrong)
    given = fields.text("id")
    misnamed = given is not None and not is_ticket_id(given)
    if misnamed:
        wrong.insert(
            0,
            f"{fields.where('id')} is {shown(given or '', 80)!r}; an id is up to 64 letters, "
            "digits, `.`, `_` and `-`, and does not begin with `.` or `-`",
        )
    title = one_line(fields.text("title") or "", MAX_TITLE)
    if len(fields.text("title", silent=True) or "") > MAX_TITLE:
        wrong.append(f"{fields.where('title')} is longer than {MAX_TITLE} characters")
    return Content(
        id=None if misnamed else given,
        title=title or default_title(body, name),
        body=body,
        type=fields.type(defaults),
        status=(fields.text("status", silent=True) or "").lower(),
        priority=fields.priority(),
        project=fields.short("project"),
        driver=fields.short("driver"),
        labels=fields.items("labels"),
        blocked_by=fields.items("blocked_by"),
        problem="; ".join(wrong) or None,
        illegible=given is None and isinstance(fields.value("id"), Strange | tuple),
        refused=misnamed,
    )


def default_title(body: str, name: str) -> str:
    """The first heading outside code, else the file's name without `.md`."""
    fence = ""
    for line in islice(body.split("\n", _HEADING_LINES), _HEADING_LINES):
        code = _CODE.match(line)
        if code is not None and (not fence or code[1].startswith(fence)):
            fence = "" if fence else code[1]
        elif not fence and (heading := _HEADING.fullmatch(line)) and (title := one_line(heading[1], MAX_TITLE)):
            return title
    return one_line(shown(name[:-3]), MAX_TITLE) or "untitled"


def _malformed(text: str, whole: bool, name: str, defaults: Defaults, wrong: list[str]) -> Content:
    """A file whose front matter cannot be read, but perhaps its id."""
    front, body = text, ""
    try:
        document = split(text)
        front, body = document.yaml, document.body if whole else ""
    except Malformed:
        pass  # never closed: where the body begins is not known
    found = guess_id(front)
    known = found if found is not None and is_ticket_id(found) else None
    body = _valid(body)
    return Content(
        id=known,
        title=default_title(body, name),
        body=body,
        type=defaults.type,
        problem="; ".join(wrong),
        illegible=known is None,
    )


class _Fields:
    """The keys of one front matter, read one by one; what is wrong is collected."""

    def __init__(self, keys: Mapping[str, Entry], wrong: list[str]) -> None:
        self._keys = keys
        self._wrong = wrong

    def value(self, key: str) -> object:
        entry = self._keys.get(key)
        return entry.value if entry is not None else None

    def where(self, key: str) -> str:
        return f"line {self._keys[key].line}: `{key}`"

    def text(self, key: str, *, silent: bool = False) -> str | None:
        value = self.value(key)
        if value is None or isinstance(value, str):
            return (value or "").strip() or None
        if not silent:
            kind = value.kind if isinstance(value, Strange) else "a list"
            self._wrong.append(f"{self.where(key)} is {kind}; it must be one text")
        return None

    def short(self, key: str) -> str | None:
        value = self.text(key)
        return value if value is None or self._fits(key, value) else None

    def items(self, key: str) -> tuple[str, ...]:
        value = self.value(key)
        if value is None:
            return ()
        if not isinstance(value, tuple):
            self._wrong.append(f"{self.where(key)} must be a list of texts, such as [one, two]")
            return ()
        if len(value) > MAX_ITEMS:
            self._wrong.append(f"{self.where(key)} has {len(value)} items; at most {MAX_ITEMS} are read")
            return ()
        words = (item.strip() for item in value)
        return tuple(dict.fromkeys(item for item in words if item and self._fits(key, item)))

    def priority(self) -> int | None:
        text = self.text("priority")
        if text is None:
            return None
        if re.fullmatch(r"[0-9]{1,7}", text) and 1 <= int(text) <= MAX_PRIORITY:
            return int(text)
        self._wrong.append(
            f"{self.where('priority')} is {shown(text, 40)!r}; "
            f"it must be a whole number from 1 (first) to {MAX_PRIORITY}"
        )
        return None

    def type(self, defaults: Defaults) -> str:
        text = self.text("type")
        if text is None:
            return defaults.type
        known = _among(text, defaults.types) if defaults.types else None
        if known is not None:
            return known
        if defaults.types or not _TYPE.fullmatch(text):
            self._wrong.append(f"{self.where('type')} is {shown(text, 40)!r}; {_types(text, defaults.types)}")
            return text if _TYPE.fullmatch(text) else defaults.type
        return text

    def _fits(self, key: str, text: str) -> bool:
        fits = len(text) <= MAX_TEXT and text == one_line(text, MAX_TEXT)
        if not fits:
            self._wrong.append(f"{self.where(key)} must be one line of at most {MAX_TEXT} characters")
        return fits


def _among(text: str, types: tuple[str, ...]) -> str | None:
    return text if text in types else next((each for each in types if each.lower() == text.lower()), None)


def _types(text: str, types: tuple[str, ...]) -> str:
    if not types:
        return "a type is a short name such as TASK"
    near = difflib.get_close_matches(text.upper(), [each.upper() for each in types], n=1)
    known = f"known are {', '.join(types)}"
    return f"did you mean {_among(near[0], types)}? ({known})" if near else known


def _not_utf8(data: bytes) -> int | None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _valid(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


Reader = Callable[[bytes, int, str], Content]
"""`read` with a collection's defaults."""
