"""What ticket files say, the odd and the hostile ones included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.kanban.local.content import HEAD_BYTES, MAX_BYTES, Content, Defaults, read

TYPES = ("FEAT", "FIX", "TASK")


def understood(text: str | bytes, name: str = "some-file.md", types: tuple[str, ...] = TYPES) -> Content:
    data = text.encode() if isinstance(text, str) else text
    return read(data[: HEAD_BYTES if len(data) > MAX_BYTES else None], len(data), name, Defaults("TASK", types))


def test_all_fields() -> None:
    content = understood(
        "---\nid: FEAT-7\ntype: feat\ntitle: Rate limit\npriority: 2\nproject: api\ndriver: claude\n"
        "labels: [a, b, a]\nblocked_by:\n  - FIX-1\nstatus: Cancelled\nmine: [1]\n---\n\nDo it.\n"
    )
    assert content == Content(
        id="FEAT-7",
        title="Rate limit",
        body="Do it.",
        type="FEAT",
        status="cancelled",
        priority=2,
        project="api",
        driver="claude",
        labels=("a", "b"),
        blocked_by=("FIX-1",),
    )


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("Just text", "some-file", "Just text"),
        ("# Head #\nText\n", "Head", "# Head #\nText"),
        ("```\n# code\n```\n## Real\n", "Real", "```\n# code\n```\n## Real"),
        ("\ufeff# مرحبا 🚀\r\nx\r\n", "مرحبا 🚀", "# مرحبا 🚀\nx"),
        ("---\ntitle:\n---\n# From the body", "From the body", "# From the body"),
        ("---\ntitle: 'a\n\n  b'\n---\n", "a b", ""),
        ('---\ntitle: "a\\e[2J\\nb"\n---\n', "a[2J b", ""),
        ("one\rtwo\r\n", "some-file", "one\ntwo"),
        ("", "some-file", ""),
        ("---\n---", "some-file", ""),
    ],
)
def test_a_title_and_a_body_are_always_found(text: str, title: str, body: str) -> None:
    content = understood(text)
    assert (content.title, content.body, content.id) == (title, body, None)
    assert content.problem is None
    assert content.type == "TASK"


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("priority: high", "line 3: `priority` is 'high'; it must be a whole number from 1"),
        ("priority: 0", "whole number"),
        ("priority: -1", "whole number"),
        ("priority: 99999999999999999999", "whole number"),
        ("priority: 1.5", "whole number"),
        ("priority: [1]", "line 3: `priority` is a list"),
        ("type: FAET", "did you mean FEAT?"),
        ('type: "\\ud800"', "known are FEAT, FIX, TASK"),
        ('labels: ["\\ud800"]', "one line"),
        ("type: ../x", "known are FEAT, FIX, TASK"),
        ("title: {a: b}", "line 3: `title` is a table; it must be one text"),
        ("title: " + "x" * 1001, "longer than 1000"),
        ("labels: api", "line 3: `labels` must be a list of texts, such as [one, two]"),
        ("labels: [[a]]", "must be a list of texts"),
        ("labels: [" + ", ".join(f"l{n}" for n in range(101)) + "]", "101 items"),
        ("blocked_by: [" + "x" * 201 + "]", "at most 200 characters"),
        ("project: !!python/name:os.system x", "line 3: `project` is tagged"),
        ('driver: "a\\nb"', "one line"),
        ("title: [unclosed", "not valid YAML"),
        ("title: a: b", "line 3: not valid YAML"),
        ("title: a\ntitle: b", "line 4: `title` is there twice"),
    ],
)
def test_what_is_wrong_is_said_and_the_ticket_stays_named(front: str, said: str) -> None:
    content = understood(f"---\nid: A-1\n{front}\n---\nbody\n")
    assert content.id == "A-1"
    assert content.body == "body"
    assert said in (content.problem or "")
    assert not content.illegible


def test_every_problem_is_said_at_once() -> None:
    content = understood("---\nid: A-1\npriority: x\nlabels: y\n---\n")
    assert "priority" in (content.problem or "")
    assert "labels" in (content.problem or "")


@pytest.mark.parametrize("bad", ["../x", "a/b", "a b", "-x", "x.lock", "x" * 65, "Ä-1", '"a\\nb"', "a..b"])
def test_an_id_that_no_ticket_can_have_is_refused(bad: str) -> None:
    content = understood(f"---\nid: {bad}\n---\n")
    assert content.id is None
    assert content.refused
    assert "line 2: `id`" in (content.problem or "")


@pytest.mark.parametrize("front", ["title: [", "id: [a]", "id: a\nid: b", "x"])
def test_a_file_without_any_id_to_be_had_is_illegible(front: str) -> None:
    content = understood(f"---\n{front}\n---\n")
    assert content.illegible
    assert content.problem


def test_a_front_matter_that_never_ends() -> None:
    content = understood("---\nid: A-1\ntitle: x\n")
    assert content.id == "A-1"
    assert "closes it" in (content.problem or "")


def test_bytes_that_are_no_text() -> None:
    content = understood(b"---\nid: A-1\n---\nx\xffy\n")
    assert content.id == "A-1"
    assert content.body == "x\N{REPLACEMENT CHARACTER}y"
    assert "byte 17 is not UTF-8" in (content.problem or "")
    assert understood("---\nid: A-1\n---\n".encode("utf-16")).problem


def test_sizes() -> None:
    large = understood("---\nid: A-1\n---\n" + "x" * 1_000_000)
    assert (large.problem, len(large.body)) == (None, 1_000_000)
    huge = understood("---\nid: A-1\n---\n" + "x" * MAX_BYTES)
    assert huge.id == "A-1"
    assert "at most" in (huge.problem or "")
    nameless = understood("x" * (MAX_BYTES + 1))
    assert nameless.refused


def test_without_known_types_any_name_is_one() -> None:
    assert understood("---\ntype: Chore\n---\n", types=()).type == "Chore"
    assert "such as TASK" in (understood("---\ntype: a b\n---\n", types=()).problem or "")


@given(st.binary(max_size=300), st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20))
def test_any_bytes_are_understood(data: bytes, name: str) -> None:
    for sample in (data, b"---\nid: A-1\n" + data, b"---\n" + data + b"\n---\n"):
        content = understood(sample, name + ".md")
        assert content.title
        content.body.encode()
        content.title.encode()
        (content.problem or "").encode()
        assert content.problem or not content.illegible
