"""A board's document (ADF) reduced to what plain Markdown has. Pure; it takes anything and never fails."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from supervisor.adapters.kanban.jira.text import line, prose

Node = dict[str, Any]
MAX_DEPTH = 30
"""Below it, a document's text stays and its structure does not."""
MAX_NODES = 20_000
"""Beyond it, a document is cut, and says so."""
_MAX_COLUMNS = 100
"""A table that is wider is cut."""
_MAX_BREAKS = 1000
"""In one text; after them, lines are joined."""
_SCHEMES = ("http", "https", "mailto")
_MARKS = ("strong", "em", "strike")
_LISTS = ("bulletList", "orderedList")
_CUT = "(cut: the rest of the document is too large)"


def reduced(document: object) -> Node:
    """A document of paragraphs, headings, lists, code, quotes, rules and tables; any other node becomes text."""
    return {"type": "doc", "version": 1, "content": list(_Reader().blocks(document, 0))}


def texts(node: Node) -> Iterator[str]:
    """The text of a reduced node, in order."""
    if "text" in node:
        yield node["text"]
    if node["type"] == "hardBreak":
        yield "\n"
    for child in node.get("content", ()):
        yield from texts(child)


def safe_address(href: str) -> bool:
    """Whether an address may be followed by whoever reads it: on the web, or mail."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    plain = all(each.isprintable() and each not in '<>"' and not each.isspace() for each in href)
    return plain and parts.scheme in _SCHEMES and bool(parts.path if parts.scheme == "mailto" else parts.netloc)


def text_node(text: str, *marks: Node) -> Node:
    return {"type": "text", "text": text} | ({"marks": list(marks)} if marks else {})


def paragraph(*inline: Node) -> Node:
    return {"type": "paragraph", "content": list(inline)}


class _Reader:
    """Reads one document; counts its nodes."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    # --- blocks -----------------------------------------------------------------------------------

    def blocks(self, node: object, depth: int) -> Iterator[Node]:
        """The blocks that stand in a node."""
        loose: list[Node] = []
        for child in _children(node):
            if not self._may_go_on():
                yield paragraph(text_node(_CUT))
                return
            if _kind(child) in _INLINE:
                loose += self._inline(child, depth + 1)
                continue
            if loose:
                yield paragraph(*loose)
                loose = []
            yield from self._block(child, depth + 1)
        if loose:
            yield paragraph(*loose)

    def _may_go_on(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _block(self, node: object, depth: int) -> Iterator[Node]:
        if depth > MAX_DEPTH:
            found = _flat(node)
            if found:
                yield paragraph(text_node(found))
            return
        attributes = _attributes(node)
        match _kind(node):
            case "paragraph":
                yield paragraph(*self._line(node, depth))
            case "heading":
                level = attributes.get("level")
                level = level if type(level) is int and 1 <= level <= 6 else 1
                yield {"type": "heading", "attrs": {"level": level}, "content": self._unbroken(node, depth)}
            case "rule":
                yield {"type": "rule"}
            case "codeBlock":
                yield self._code(node)
            case "blockquote" | "panel":
                yield from self._quote(node, depth)
            case "bulletList" | "orderedList" | "decisionList" as kind:
                yield from self._list(node, "orderedList" if kind == "orderedList" else "bulletList", depth)
            case "taskList":
                yield from self._tasks(node, depth)
            case "table":
                yield from self._table(node, depth)
            case "expand" | "nestedExpand":
                if title := line(attributes.get("title")):
                    yield paragraph(text_node(title, {"type": "strong"}))
                yield from self.blocks(node, depth)
            case "media":
                yield paragraph(*self._inline(node, depth))
            case "blockCard" | "embedCard":
                yield paragraph(*_link(attributes.get("url")))
            case _:
                said = _spoken(attributes)
                if said:
                    yield paragraph(text_node(said))
                yield from self.blocks(node, depth)

    def _code(self, node: object) -> Node:
        text = "".join(prose(each["text"]) for each in _children(node) if isinstance(each.get("text"), str))
        language = line(_attributes(node).get("language"), 40)
        known = {"attrs": {"language": language}} if language and language.isprintable() and " " not in language else {}
        return {"type": "codeBlock"} | known | {"content": [text_node(text)] if text else []}

    def _quote(self, node: object, depth: int) -> Iterator[Node]:
        content = list(_simple(self.blocks(node, depth)))
        if content:
            yield {"type": "blockquote", "content": content}

    def _list(self, node: object, kind: str, depth: int) -> Iterator[Node]:
        items: list[Node] = []
        for child in _children(node):
            if not self._may_go_on():
                break
            if _kind(child) in _LISTS or _kind(child) == "taskList":  # a list in a list, without an item around it
                content = list(_simple(self._block(child, depth + 1)))
                if items:
                    items[-1]["content"] += content
                    continue
            else:
                content = list(_simple(self.blocks(child, depth + 1)))
            if not content or content[0]["type"] != "paragraph":
                content = [paragraph(), *content]
            items.append({"type": "listItem", "content": content})
        if items:
            yield {"type": kind, "content": items}

    def _tasks(self, node: object, depth: int) -> Iterator[Node]:
        items: list[Node] = []
        nested: list[Node] = []
        for child in _children(node):
            if not self._may_go_on():
                break
            if _kind(child) == "taskList":
                nested += self._block(child, depth + 1)
                continue
            state = "DONE" if _attributes(child).get("state") == "DONE" else "TODO"
            content = self._unbroken(child, depth)
            items.append({"type": "taskItem", "attrs": {"localId": "", "state": state}, "content": content})
        if items:
            yield {"type": "taskList", "attrs": {"localId": ""}, "content": items}
        yield from nested

    def _table(self, node: object, depth: int) -> Iterator[Node]:
        rows: list[list[list[Node]]] = []
        width = 0
        for row in _children(node):
            cells = _children(row)[:_MAX_COLUMNS]
            width = max(width, len(cells))
            self._left -= width  # those that the row lacks are made up
            if self._left < 0:
                break
            rows.append([self._cell(cell, depth + 2) for cell in cells])
        if not width or not rows:
            return
        content: list[Node] = []
        for filled in rows:
            kind = "tableCell" if content else "tableHeader"
            padded = filled + [[]] * (width - len(filled))
            made = [{"type": kind, "content": [paragraph(*cell)]} for cell in padded]
            content.append({"type": "tableRow", "content": made})
        yield {"type": "table", "content": content}

    def _cell(self, cell: object, depth: int) -> list[Node]:
        """What stands in a cell, as one line."""
        inline: list[Node] = []
        for block in self.blocks(cell, depth):
            said = "".join(texts(block)).replace("\n", " ")
            more = block["content"] if block["type"] == "paragraph" else [text_node(said)] if said else []
            inline += [{"type": "hardBreak"}, *more] if inline and more else more
        return inline

    # --- inline -----------------------------------------------------------------------------------

    def _line(self, node: object, depth: int) -> list[Node]:
        inline = []
        for child in _children(node):
            if not self._may_go_on():
                break
            inline += self._inline(child, depth + 1)
        return inline

    def _unbroken(self, node: object, depth: int) -> list[Node]:
        return [text_node(" ") if each["type"] == "hardBreak" else each for each in self._line(node, depth)]

    def _inline(self, node: object, depth: int) -> list[Node]:
        attributes = _attributes(node)
        match _kind(node):
            case "text":
                found = _text(node)
                self._left -= len(found)
                return found
            case "hardBreak":
                return [{"type": "hardBreak"}]
            case "mention":
                name = line(attributes.get("text"), 200).lstrip("@")
                return [text_node(f"@{name or line(attributes.get('id'), 200) or 'someone'}")]
            case "date":
                return [text_node(_date(attributes.get("timestamp")))]
            case "inlineCard" | "blockCard" | "embedCard":
                return _link(attributes.get("url"))
            case "media" | "mediaInline" | "image":
                return [text_node(f"(attachment: {line(attributes.get('alt'), 200) or 'without a description'})")]
        said = _spoken(attributes)
        if depth > MAX_DEPTH:
            said += _flat(node)
        inline = [text_node(said)] if said else []
        return inline if depth > MAX_DEPTH else inline + self._line(node, depth)


_INLINE = frozenset(
    ("text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard", "mediaInline", "placeholder")
)


def _simple(blocks: Iterator[Node]) -> Iterator[Node]:
    """Only what may stand in a quote and in a list's item: paragraphs, lists and code."""
    for block in blocks:
        match block["type"]:
            case "heading":
                yield paragraph(*(_strong(each) for each in block["content"]))
            case "blockquote":
                yield from block["content"]
            case "taskList":
                for item in block["content"]:
                    mark = "[x] " if item["attrs"]["state"] == "DONE" else "[ ] "
                    yield paragraph(text_node(mark), *item["content"])
            case "table":
                for row in block["content"]:
                    yield paragraph(text_node(" | ".join("".join(texts(cell)) for cell in row["content"])))
            case "rule":
                pass
            case _:
                yield block


def _strong(node: Node) -> Node:
    kinds = [mark["type"] for mark in node.get("marks", ())]
    if "text" not in node or "strong" in kinds or "code" in kinds:
        return node
    return node | {"marks": [{"type": "strong"}, *node.get("marks", ())]}


def _text(node: object) -> list[Node]:
    raw = node.get("text") if isinstance(node, dict) else None
    text = prose(raw) if isinstance(raw, str) else ""
    if not text:
        return []
    kinds: list[Node] = []
    marks = node.get("marks") if isinstance(node, dict) else None
    for mark in marks if isinstance(marks, list) else ():
        kind = _kind(mark)
        href = _attributes(mark).get("href")
        if kind == "link" and isinstance(href, str) and safe_address(quoted := _quoted(href)):
            kinds.append({"type": "link", "attrs": {"href": quoted}})
        elif kind in _MARKS or kind == "code":
            kinds.append({"type": kind})
    if any(mark["type"] == "code" for mark in kinds):
        kinds = [mark for mark in kinds if mark["type"] in ("code", "link")]
    unique = list({mark["type"]: mark for mark in kinds}.values())
    lines = text.split("\n", _MAX_BREAKS)
    lines[-1] = lines[-1].replace("\n", " ")
    nodes = [text_node(lines[0], *unique)] if lines[0] else []
    for more in lines[1:]:
        nodes += [{"type": "hardBreak"}, *([text_node(more, *unique)] if more else [])]
    return nodes


def _quoted(href: str) -> str:
    """An address without the characters that would end it in Markdown."""
    return "".join(f"%{ord(each):02X}" if each in ' ()<>"\\[]`*' else each for each in href.strip())


def _link(url: object) -> list[Node]:
    address = _quoted(line(url, 2000))
    if not address:
        return []
    return [text_node(address, *([{"type": "link", "attrs": {"href": address}}] if safe_address(address) else []))]


def _spoken(attributes: Node) -> str:
    """What a node says by its attributes: an emoji, a status, a placeholder, a macro's text."""
    for name in ("text", "shortName", "title"):
        if said := line(attributes.get(name)):
            return said
    return ""


def _date(timestamp: object) -> str:
    try:
        return datetime.fromtimestamp(int(str(timestamp)) / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "(a date)"


def _flat(node: object) -> str:
    """All text below a node, however deep it is."""
    found, stack, left = [], [node], MAX_NODES
    while stack and left:
        left -= 1
        current = stack.pop()
        if isinstance(current, dict) and isinstance(current.get("text"), str):
            found.append(line(current["text"]))
        stack += reversed(_children(current))
    return " ".join(each for each in found if each)


def _kind(node: object) -> str:
    kind = node.get("type") if isinstance(node, dict) else None
    return kind if isinstance(kind, str) else ""


def _attributes(node: object) -> Node:
    attributes = node.get("attrs") if isinstance(node, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _children(node: object) -> list[Node]:
    content = node.get("content") if isinstance(node, dict) else None
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
