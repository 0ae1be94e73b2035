"""Editing front matter moves no character that was not meant."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from supervisor.adapters.kanban.local.frontmatter import (
    Malformed,
    Strange,
    Uneditable,
    encodable,
    guess_id,
    parse,
    render,
    split,
    with_body,
    with_lf,
    with_values,
)

WHOLE = """\
---
# the person's own comment
id:   'FEAT-7'   # do not touch
title: "Rate limit: login"
priority: 2
labels:
  - a   # first
  - b
  # after the list

notes: |
  status: not this one

  # nor this
custom: {nested: [1, 2]}
when: 2024-01-01
---

# Body
---
status: nor this
"""


def test_parts_add_up_to_the_text() -> None:
    document = split(WHOLE)
    assert document.text == WHOLE
    assert document.body == "# Body\n---\nstatus: nor this"


def test_values_are_their_source_text() -> None:
    yaml = "a: 007\nb: yes\nc: 2024-01-01\nd: ~\ne: [x, 1]\nf: {x: 1}\ng: !!python/object:os.system x\nh: [[x]]\n"
    values = {entry.key: entry.value for entry in parse(yaml)}
    assert values["a"] == "007"
    assert values["b"] == "yes"
    assert values["c"] == "2024-01-01"
    assert values["d"] is None
    assert values["e"] == ("x", "1")
    assert all(isinstance(values[key], Strange) for key in "fgh")


def test_an_edit_keeps_comment_quotes_order_and_everything_else() -> None:
    edited = with_values(split(WHOLE), {"id": "FEAT-8"}).text
    assert edited == WHOLE.replace("'FEAT-7'", "'FEAT-8'")


def test_a_missing_key_is_one_line_at_the_end() -> None:
    edited = with_values(split(WHOLE), {"status": "done"}).text
    assert edited == WHOLE.replace("when: 2024-01-01\n", "when: 2024-01-01\nstatus: done\n")


def test_a_list_in_lines_becomes_one_in_a_line_and_comments_behind_it_stay() -> None:
    edited = with_values(split(WHOLE), {"labels": ("x", "y: z")}).text
    assert edited == WHOLE.replace("\n  - a   # first\n  - b\n", ' [x, "y: z"]\n')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\r\nid: A\r\nstatus: queued\r\n---\r\nx\r\n", "---\r\nid: A\r\nstatus: done\r\n---\r\nx\r\n"),
        ("---\r\nid: A\r\n---\r\nx", "---\r\nid: A\r\nstatus: done\r\n---\r\nx"),
        ("\ufeff---\nid: A\n---\n", "\ufeff---\nid: A\nstatus: done\n---\n"),
        ("---\n---\n", "---\nstatus: done\n---\n"),
        ("---\n# only this\n---", "---\n# only this\nstatus: done\n---"),
        ("---\n{id: A, x: [1]}\n---\n", "---\n{status: done, id: A, x: [1]}\n---\n"),
        ("---\n  id: A\n  x: 1\n---\n", "---\n  id: A\n  x: 1\n  status: done\n---\n"),
        ("---\nstatus:\nid: A\n---\n", "---\nstatus: done\nid: A\n---\n"),
        ("---\nstatus:   # mine\nid: A\n---\n", "---\nstatus: done   # mine\nid: A\n---\n"),
        ("---\nstatus: ~  # mine\n---\n", "---\nstatus: done  # mine\n---\n"),
        ("---\nstatus: >\n  queued\n\n# c\nid: A\n---\n", "---\nstatus: done\n\n# c\nid: A\n---\n"),
        ("---\nid: A\nnotes: |+\n  x\n\n---\n", "---\nid: A\nnotes: |+\n  x\n\nstatus: done\n---\n"),
        ("---\nid: A\rstatus: queued\n---\n", "---\nid: A\rstatus: done\n---\n"),
        ("no front matter", "---\nstatus: done\n---\n\nno front matter"),
        ("\ufeffx\r\n", "\ufeff---\r\nstatus: done\r\n---\r\n\r\nx\r\n"),
    ],
)
def test_edits_in_odd_files(before: str, after: str) -> None:
    edited = with_values(split(before), {"status": "done"})
    assert edited.text == after
    assert edited.body == split(before).body


@pytest.mark.parametrize(
    "text",
    [
        "---\na: &x queued\nstatus: *x\n---\n",
        "---\nstatus: &x queued\nb: *x\n---\n",
        "---\nstatus: a\nstatus: b\n---\n",
        "---\nid: A\n...\n---\n",
        "---\n? status\n: queued\n---\n",
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text: str) -> None:
    with pytest.raises(Uneditable):
        with_values(split(text), {"status": "done"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nid: x\n", "closes it"),
        ("---\nid: [x\ntitle: y\n---\n", "line 3"),
        ("---\nid: x\n\ttitle: y\n---\n", "line 3"),
        ("---\njust text\n---\n", "key: value"),
        ("---\nx: *nobody\n---\n", "line 2"),
        ("---\nx: " + "[" * 50 + "\n---\n", "line 3"),
        ("---\nx: " + "[" * 5000 + "]" * 5000 + "\n---\n", "nested too deeply"),
        ("---\nx: " + "y" * 70000 + "\n---\n", "at most"),
        ("---\nx: \x1b\n---\n", "not valid YAML"),
    ],
)
def test_what_is_malformed_says_where(text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said.replace("[", r"\[")):
        parse(split(text).yaml)


def test_aliases_do_not_explode() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert len(parse("\n".join(lines))) == 30


def test_an_id_in_broken_yaml_is_found_where_one_line_alone_has_it() -> None:
    assert guess_id("title: [x\nid: 'A-1' # c\r\n") == "A-1"
    assert guess_id("id: A\nid: B\n") is None
    assert guess_id("title: [\n  id: A\n") is None


plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
newline = st.sampled_from(["\n", "\r\n"])
comment = line.map(lambda text: f"# {text}")


@st.composite
def fields(draw: st.DrawFn, key: str) -> str:
    """One key as a person may write it."""
    word = draw(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True))
    form = draw(
        st.sampled_from(
            ["{k}: {w}", "{k}:   {w}  # c", '{k}: "{w}"', "{k}: '{w}' # it's", "{k}:", "{k}: [{w}, {w}]",
             "{k}:\n  - {w}\n  - {w} # c", "{k}: |\n  {w}\n   # no\n  {w}", "{k}: >-\n  {w}\n\n  {w}",
             "{k}:\n- {w}\n# x\n- {w}", "{k}: {w}\n  {w}", '"{k}": {w}', "{k}: !!str {w}", "{k} : {w}",
             "{k}: {{a: {w}, b: [{w}]}}", "{k}:\n  a: {w}\n  # deep\n  b:\n    - {w}"]
        )
    )  # fmt: skip
    return str(form.format(k=key, w=word))


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with front matter, with or without our keys, among a person's own."""
    keys = draw(st.permutations(["id", "status", "title", "labels", "mine", "other"]).map(lambda all: all[:4]))
    lines = [draw(st.one_of(fields(key), fields(key), st.just(""), comment)) for key in keys]
    text = "\n".join(["---", *lines, "---", draw(plain)])
    return draw(st.sampled_from(["", "\ufeff"])) + text.replace("\n", draw(newline))


@given(files(), st.sampled_from(["id", "status"]), st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True))
def test_changing_id_or_status_changes_no_other_byte(text: str, key: str, value: str) -> None:
    document = split(text)
    try:
        before = {entry.key: entry for entry in parse(document.yaml)}
    except Malformed:
        assume(False)
        raise
    edited = with_values(document, {key: value})
    assert split(edited.text) == edited
    after = {entry.key: entry for entry in parse(edited.yaml)}
    assert after[key].value == value
    assert (edited.head, edited.fence, edited.rest) == (document.head, document.fence, document.rest)
    others = [(each.key, each.raw) for each in before.values() if each.key != key]
    assert [(each.key, each.raw) for each in after.values() if each.key != key] == others
    lines, kept = document.yaml.split("\n"), edited.yaml.split("\n")
    if key in before:
        start, end = before[key].span or (0, 0)
        assert edited.yaml.startswith(document.yaml[:start])
        assert edited.yaml.endswith(document.yaml[end:])
    else:
        assert len(kept) == len(lines) + 1
        kept.remove(next(each for each in kept if each.startswith(f"{key}: ")))
        assert kept == lines


@given(title=plain, labels=st.lists(plain, max_size=4).map(tuple), priority=st.integers(1, 999), body=plain)
def test_a_rendered_file_says_what_was_meant(title: str, labels: tuple[str, ...], priority: int, body: str) -> None:
    text = render({"id": "A-1", "title": title, "labels": labels, "priority": priority}, body)
    text.encode("utf-8")
    document = split(text)
    said = {entry.key: entry.value for entry in parse(document.yaml)}
    assert said == {"id": "A-1", "title": title, "labels": labels, "priority": str(priority)}
    assert document.body == with_lf(body)


@given(files(), plain)
def test_another_body_leaves_the_front_matter(text: str, body: str) -> None:
    document = split(text)
    edited = split(with_body(document, body).text)
    assert (edited.head, edited.yaml) == (document.head, document.yaml)
    assert edited.body == with_lf(body)


@given(plain, plain)
def test_an_id_in_a_file_without_front_matter_leaves_its_body(text: str, rest: str) -> None:
    assume(not text.lstrip("\ufeff").startswith("---"))
    document = split(text)
    edited = with_values(document, {"id": "A-1"})
    assert edited.text.endswith(text.removeprefix("\ufeff"))
    assert split(edited.text).body == document.body


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert encodable("a\ud800b") == "a?b"
    assert "a?b" in render({"id": "A", "title": "a\ud800b"}, "")


@given(st.text(max_size=200))
def test_any_front_matter_is_understood_or_malformed(yaml: str) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(parse(yaml), tuple)
