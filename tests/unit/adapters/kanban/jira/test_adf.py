"""Markdown and Atlassian's documents: nothing is lost, nothing hostile passes, nothing crashes."""

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.adapters.kanban.jira.adf import to_adf, to_markdown
from supervisor.adapters.kanban.jira.document import MAX_DEPTH
from supervisor.adapters.kanban.jira.text import prose
from tests.fakes.boards.jira.schema import adf_faults

MARKERS = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?:\[[ xX]\])?|<br ?/?>", re.MULTILINE)


def letters(said: str) -> Counter[str]:
    """What must not get lost, whatever becomes of the markup between."""
    return Counter(each for each in said if each.isalnum())


def text(said: str, *marks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": said} | ({"marks": list(marks)} if marks else {})


def block(kind: str, *content: dict[str, Any], **attributes: object) -> dict[str, Any]:
    return {"type": kind, "content": list(content)} | ({"attrs": attributes} if attributes else {})


def doc(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def link(href: str) -> dict[str, Any]:
    return {"type": "link", "attrs": {"href": href}}


def said(node: dict[str, Any]) -> str:
    if node["type"] == "hardBreak":
        return "\n"
    return str(node.get("text", "")) + "".join(said(child) for child in node.get("content", ()))


def bare(node: Any) -> Any:
    """Without the random ids of task lists."""
    if isinstance(node, dict):
        return {key: bare(value) for key, value in node.items() if key != "localId"}
    return [bare(each) for each in node] if isinstance(node, list) else node


@pytest.mark.parametrize(
    "markdown",
    [
        "# Heading\n\ntext with **strong**, *em*, ~~strike~~ and `code < x`",
        "- a\n\n  - b\n\n- c",
        "1. one\n2. two",
        "- [ ] to do\n- [x] done",
        "```py\n>>> List<str>\n![x]\n```",
        "> a quote\n>\n> of two",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "first\n\n---\n\nsecond",
        "one\\\ntwo",
        "[name](<https://example.org/a?b=c>)",
        "> q\n> > nested",
        "`\\<b\\>`",
    ],
)
def test_markdown_comes_back_as_it_was(markdown: str) -> None:
    document = to_adf(markdown)
    assert adf_faults(document) == []
    assert to_markdown(document) == markdown


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("List<str> and Map<K, V>", "List<str> and Map<K, V>"),
        ("List\\<str>", "List<str>"),
        ("<script>\nalert(1)\n</script>", "<script> alert(1) </script>"),
        ("a <b onclick=x>c</b>", "a <b onclick=x>c</b>"),
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("[x](docs/a.md)", "x (docs/a.md)"),
        ("&lt;b&gt;", "&lt;b&gt;"),
        ("a<br>b", "a\nb"),
    ],
)
def test_what_markdown_hides_is_kept_as_text(markdown: str, plain: str) -> None:
    document = to_adf(markdown)
    assert adf_faults(document) == []
    assert said(document) == plain
    assert said(to_adf(to_markdown(document))) == plain


@pytest.mark.parametrize("href", ["https://a.b/c", "http://a.b", "mailto:x@a.b"])
def test_links_to_the_web_stay_links(href: str) -> None:
    assert to_adf(f"[x]({href})") == doc(block("paragraph", text("x", link(href))))
    assert to_adf(f"<{href}>") == doc(block("paragraph", text(href, link(href))))
    assert to_adf(to_markdown(doc(block("paragraph", text("x", link(href)))))) == to_adf(f"[x]({href})")


def test_an_image_becomes_a_link() -> None:
    assert to_adf("![alt](https://a.b/c.png)") == doc(block("paragraph", text("alt", link("https://a.b/c.png"))))


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "JavaScript:x", "data:text/html,x", "file:///x", "//a.b", "x y"]
)
def test_other_links_of_a_board_lose_their_address(href: str) -> None:
    assert to_markdown(doc(block("paragraph", text("x", link(href))))) == "x"


@pytest.mark.parametrize(
    ("node", "markdown"),
    [
        (block("panel", block("paragraph", text("mind")), panelType="info"), "> mind"),
        (block("expand", block("paragraph", text("in")), title="More"), "**More**\n\nin"),
        (block("paragraph", text("hi "), {"type": "mention", "attrs": {"id": "1", "text": "@Bob"}}), "hi @Bob"),
        (block("paragraph", {"type": "emoji", "attrs": {"shortName": ":x:", "text": "🚀"}}), "🚀"),
        (block("paragraph", {"type": "status", "attrs": {"text": "LATE", "color": "red"}}), "LATE"),
        (block("paragraph", {"type": "date", "attrs": {"timestamp": "1700000000000"}}), "2023-11-14"),
        (block("paragraph", {"type": "date", "attrs": {"timestamp": "1e999"}}), "(a date)"),
        (block("mediaSingle", {"type": "media", "attrs": {"id": "1", "alt": "a shot"}}), "(attachment: a shot)"),
        (block("weird", block("stranger", text("kept"))), "kept"),
        (block("paragraph", text("# no heading")), "\\# no heading"),
        (block("paragraph", text("one"), {"type": "hardBreak"}, text("two")), "one\\\ntwo"),
        (block("codeBlock", text("```\nx"), language="sh"), "````sh\n```\nx\n````"),
        (block("layoutSection", block("layoutColumn", block("paragraph", text("in")))), "in"),
    ],
)
def test_nodes_that_markdown_has_not_become_text(node: dict[str, Any], markdown: str) -> None:
    assert to_markdown(doc(node)) == markdown


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"type": "doc"}, {"content": 7}, {"content": [1, None, {"type": []}]}]
)
def test_what_is_no_document_says_nothing(value: object) -> None:
    assert to_markdown(value) == ""


def test_a_deep_document_keeps_its_text() -> None:
    node = block("paragraph", text("deep"))
    for _ in range(5000):
        node = block("blockquote", node)
    assert to_markdown(doc(node)) == "> deep"
    assert "deep" in to_markdown(to_adf("- " * (MAX_DEPTH * 3) + "deep"))


def test_a_large_document_is_cut_and_says_so() -> None:
    printed = to_markdown(doc(*(block("paragraph", text("x")) for _ in range(30_000))))
    assert printed.endswith("(cut: the rest of the document is too large)")


def test_a_document_that_would_grow_is_bounded() -> None:
    empty = block("tableRow")
    wide = block("tableRow", *(block("tableCell", block("paragraph", text("x"))) for _ in range(3000)))
    assert len(to_markdown(doc(block("table", wide, *[empty] * 3000)))) < 100_000
    assert to_markdown(doc(*[block("paragraph", text("\n" * 1000 + "x"))] * 1000)).endswith("is too large)")


def test_what_adf_cannot_hold_goes_over_whole() -> None:
    markdown = "- item\n\n  # heading in it\n\n[ref]: https://a.b 'title'"
    document = to_adf(markdown)
    assert adf_faults(document) == []
    assert [node["type"] for node in document["content"]] == ["codeBlock"]
    assert to_markdown(document) == markdown


_PUNCTUATION = [
    "*",
    "**",
    "_",
    "`",
    "<",
    ">",
    "\\",
    "[",
    "](",
    ")",
    "!",
    "#",
    "|",
    "---",
    "~~",
    " ",
    "    ",
    "\n",
    "\n\n",
]
_PHRASES = ["a", "b2", "é", "🚀", "```\n", "<x>", "- ", "1. ", "&amp;", "https://a.b", "<https://a.b>", "[x] ", "<br>"]
PIECES = st.sampled_from([*_PUNCTUATION, *_PHRASES, "\u2028", "\x1b", "\ufdd0"])
MARKDOWN = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))


@given(MARKDOWN)
@example("a](<b>)")
@example("| a |\n|---|\n| x | y |")
def test_no_word_of_markdown_is_lost_and_the_document_is_valid(markdown: str) -> None:
    document = to_adf(markdown)
    assert adf_faults(document) == []
    again = to_markdown(document)
    assert not letters(MARKERS.sub(" ", prose(markdown))) - letters(again), (document, again)


MARKS = st.lists(
    st.sampled_from([{"type": "strong"}, {"type": "em"}, {"type": "code"}, link("https://a.b")]), max_size=2
)
WORDS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=12)
INLINE = st.lists(
    st.one_of(st.builds(lambda said, marks: text(said, *marks), WORDS, MARKS), st.just({"type": "hardBreak"}))
)
PARAGRAPHS = INLINE.map(lambda content: block("paragraph", *content))


def some(kind: str, within: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A node of a kind with up to three of the inner ones, each in a node `within`."""
    return st.lists(inner, min_size=1, max_size=3).map(
        lambda items: block(kind, *(block(within, each) for each in items))
    )


BLOCKS = st.recursive(
    st.one_of(
        PARAGRAPHS,
        st.builds(lambda content, level: block("heading", *content, level=level), INLINE, st.integers(1, 6)),
        WORDS.map(lambda said: block("codeBlock", text(said))),
    ),
    lambda inner: st.one_of(
        some("bulletList", "listItem", inner),
        some("orderedList", "listItem", inner),
        some("panel", "blockquote", inner),
        some("tableRow", "tableCell", inner).map(lambda row: block("table", row, row)),
    ),
    max_leaves=6,
)


@given(st.lists(BLOCKS, max_size=4).map(lambda content: doc(*content)))
def test_what_people_write_on_the_board_keeps_its_words_both_ways(document: dict[str, Any]) -> None:
    printed = to_markdown(document)
    assert not letters(said(document)) - letters(printed)
    back = to_adf(printed)
    assert adf_faults(back) == []
    assert not letters(said(document)) - letters(to_markdown(back))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["text", "paragraph", "table", "listItem"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "attrs", "marks", "text", "level", "href", "state"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_answer_of_a_board_makes_it_crash(value: object) -> None:
    to_markdown(value)
    to_markdown({"type": "doc", "content": [value]}).encode()
