"""Markdown to Atlassian's document format (ADF) and back. Pure; marklas parses and prints both.

Nothing that is written is lost on the way to ADF: what marklas would drop (raw HTML, quotes in quotes) is kept as
text, and Markdown that it cannot keep otherwise goes over whole, as one code block. What comes from a board is
hostile: it is reduced to the nodes that plain Markdown has (`document.reduced`) before anything else reads it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Any

from supervisor.adapters.kanban.jira.document import MAX_DEPTH, Node, reduced, safe_address, text_node, texts
from supervisor.adapters.kanban.jira.text import prose

_LESS, _ESCAPED, _IMAGE, _HASH, _BREAK = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "\ufdd4"
"""Stand-ins that no text has: `prose` removes them. They hide characters from marklas and are put back after it."""
_MARKUP = re.compile(r"(?<!\\)((?:\\\\)*)(\\?<)(?!(?:https?://|mailto:)[^\s<>]*>|br ?/?>)", re.IGNORECASE)
"""Every `<` but that of an address or of a line break, with the backslash that escapes it."""
_MARKERS = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?:\[[ xX]\])?|<br ?/?>", re.MULTILINE | re.IGNORECASE)
"""Words that Markdown has and a document says otherwise: an item's number, a ticked box, a line break."""
_WORD = re.compile(r"[^\W_]+")
_WHOLE = "markdown"
"""The language of the code block that holds Markdown which ADF cannot."""
_TROUBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def to_adf(markdown: str) -> dict[str, Any]:
    """A document that says what the Markdown says; valid by Atlassian's schema for it."""
    import marklas  # 44 ms, which a daemon without Jira need not spend

    source = prose(markdown)
    hidden = _MARKUP.sub(_hidden, source).replace("![", _IMAGE + "[")
    try:
        content = [node for each in marklas.to_adf(hidden)["content"] if (node := _restored(each, 0)) is not None]
    except _TROUBLES:
        return _whole(source)
    document = {"type": "doc", "version": 1, "content": content}
    return _whole(source) if _lost(source, document) else document


def to_markdown(document: object) -> str:
    """The Markdown of what a board keeps as a document, whatever that is; without a final line feed."""
    import marklas

    if isinstance(document, str):
        return prose(document)
    clean = reduced(document)
    whole = _unwrapped(clean)
    if whole is not None:
        return whole
    _mark(clean)
    try:
        printed = str(marklas.to_md(clean, plain=True))
    except _TROUBLES:
        printed = "\n\n".join("".join(texts(block)) for block in clean["content"])
    return printed.replace(_HASH, "\\").replace(_BREAK, "\\\n").rstrip("\n")


# --- to ADF -----------------------------------------------------------------------------------------


def _hidden(found: re.Match[str]) -> str:
    return found[1] + (_LESS if found[2] == "<" else _ESCAPED)


def _whole(source: str) -> dict[str, Any]:
    text = source.strip("\n")
    block = {"type": "codeBlock", "attrs": {"language": _WHOLE}, "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [block] if text else []}


def _unwrapped(document: Node) -> str | None:
    """The Markdown in a document that `_whole` made."""
    match document["content"]:
        case [{"type": "codeBlock", "attrs": {"language": language}, "content": [{"text": str(text)}]}]:
            return text if language == _WHOLE else None
    return None


def _lost(source: str, document: Node) -> bool:
    """Whether a word of the source is missing in the document."""
    there = Counter(word for text in _said(document) for word in _WORD.findall(text))
    return bool(Counter(_WORD.findall(_MARKERS.sub(" ", source))) - there)


def _said(node: Node) -> Iterator[str]:
    """All text of a document, with what its attributes say."""
    if "text" in node:
        yield node["text"]
    for attributes in (node.get("attrs"), *(mark.get("attrs") for mark in node.get("marks", ()))):
        yield from (each for each in (attributes or {}).values() if isinstance(each, str))
    for child in node.get("content", ()):
        yield from _said(child)


def _restored(node: Node, depth: int) -> Node | None:
    """A node of marklas's with the hidden characters put back; None if nothing of it is left."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if node["type"] == "text":
        return _restored_text(node)
    if node["type"] == "codeBlock":
        shown = "".join(_shown(each["text"], code=True).replace(_IMAGE, "!") for each in node["content"])
        return {**node, "content": [text_node(shown)] if shown else []}
    if "content" not in node:
        return node
    children = [child for each in node["content"] if (child := _restored(each, depth + 1)) is not None]
    _link_images(children)
    return {**node, "content": list(_joined(child for child in children if child.get("text") != ""))}


def _joined(nodes: Iterable[Node]) -> Iterator[Node]:
    """Neighbouring texts of the same kind as one."""
    for same, group in groupby(nodes, key=lambda node: node.get("marks", []) if "text" in node else None):
        if same is None:
            yield from group
        else:
            yield text_node("".join(node["text"] for node in group), *same)


def _restored_text(node: Node) -> Node | None:
    code = any(mark["type"] == "code" for mark in node.get("marks", ()))
    marks, text = [], _shown(node["text"], code=code)
    for mark in node.get("marks", ()):
        if mark["type"] != "link":
            marks.append(mark)
            continue
        href = mark["attrs"]["href"]
        if href.startswith(_LESS):  # an address in angle brackets
            href = href[1:].removesuffix(">")
        href = _shown(href, code=False).replace(_IMAGE, "!")
        if safe_address(href):
            marks.append({"type": "link", "attrs": {"href": href}})
        elif href not in text:
            text = f"{text} ({href})"
    if code:
        marks = [mark for mark in marks if mark["type"] in ("code", "link")]
        text = text.replace(_IMAGE, "!")
    return text_node(text, *marks) if text else None


def _shown(text: str, *, code: bool) -> str:
    return text.replace(_LESS, "<").replace(_ESCAPED, "\\<" if code else "<")


def _link_images(inline: list[Node]) -> None:
    """An image, which would have to be an attachment, becomes a link to it."""
    for node, after in zip(inline, [*inline[1:], {}], strict=True):
        text = node.get("text", "")
        if text.endswith(_IMAGE) and any(mark["type"] == "link" for mark in after.get("marks", ())):
            text = text.removesuffix(_IMAGE)
        if "text" in node:
            node["text"] = text.replace(_IMAGE, "!")


# --- to Markdown ------------------------------------------------------------------------------------


def _mark(node: Node, *, top: bool = True) -> None:
    """Where marklas prints otherwise than meant: a `#` that begins no heading, and line breaks as HTML."""
    content = node.get("content", [])
    if node["type"] == "paragraph" and content:
        first = content[0]
        if "text" in first and "marks" not in first and first["text"].startswith("#"):
            first["text"] = _HASH + first["text"]
        if top:
            for child, after in pairwise(content):
                if child["type"] == "hardBreak" and "marks" not in after and after.get("text", "")[:1].isalpha():
                    child |= {"type": "text", "text": _BREAK}
        return
    for child in content:
        _mark(child, top=node["type"] == "doc")
