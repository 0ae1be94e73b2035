"""What may name a ticket may name its branch and its folder, too."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.domain.ids import TicketId, agent_id_for, is_ticket_id, ticket_id_from

NEAR = st.text(st.sampled_from("aZ09._-~/@{}\\ \n\x7f"), max_size=70)
"""Texts near the line between what git takes and what it does not."""
END = st.sampled_from([".lock", ".LOCK", ".", "-", "..", "/", "@{", "\n"])
ENDINGS = st.builds(lambda text, end: text + end, NEAR, END)
TEXTS = NEAR | ENDINGS | st.text(max_size=70)
ACCEPTED = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9._-]|[.-]|lock|@){0,14}", fullmatch=True).filter(is_ticket_id)


def branch_is_valid(id: str) -> bool:
    done = subprocess.run(
        ["git", "check-ref-format", "--branch", f"operator/{id}"], capture_output=True, check=False, cwd="/"
    )
    return done.returncode == 0


@given(text=ACCEPTED)
@settings(max_examples=150)
@example("HEAD")
@example("_")
@example("a" * 64)
@example("1.2.3-rc_1")
def test_git_takes_every_ticket_id_as_a_branch(text: str) -> None:
    assert branch_is_valid(text)


@pytest.mark.parametrize(
    "text", ["a..b", "a.lock", "a.", ".a", "a/b/", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\", "a@{"]
)
def test_what_git_refuses_is_no_ticket_id(text: str) -> None:
    assert not branch_is_valid(text)
    assert not is_ticket_id(text)


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "-a", ".", "..", "a/b", "a\n", "\na", "a b", "é", "٣", "a\0", "A.LOCK", "~", "/etc/x"]
)
def test_what_could_climb_hide_or_be_an_option_is_no_ticket_id(text: str) -> None:
    assert not is_ticket_id(text)


@given(text=st.text(max_size=200) | TEXTS)
@example("." * 300)
@example("A" * 63 + ".B")
@example("-" * 70)
def test_any_key_becomes_a_ticket_id_or_nothing(text: str) -> None:
    found = ticket_id_from(text)
    assert found is None or is_ticket_id(found)
    assert found is not None or not any(each.isascii() and (each.isalnum() or each == "_") for each in text[:64])


@given(text=ACCEPTED)
def test_a_key_that_fits_is_kept(text: str) -> None:
    assert ticket_id_from(text) == text


@pytest.mark.parametrize(
    ("key", "id"),
    [
        ("ENG-12", "ENG-12"),
        ("owner/repo#7", "owner-repo-7"),
        ("../../etc/passwd", "etc-passwd"),
        ("Fix: the  thing!", "Fix-the-thing"),
        ("yarn.lock", "yarn-lock"),
        ("日本語", None),
        ("", None),
        ("x" * 300, "x" * 64),
    ],
)
def test_a_key_that_does_not_fit_is_cut_to_what_does(key: str, id: str | None) -> None:
    assert ticket_id_from(key) == id


def test_an_agent_id_is_no_ticket_id_and_every_launch_has_its_own() -> None:
    assert agent_id_for(TicketId("A-1"), 2) == "A-1~2"
    assert not is_ticket_id(agent_id_for(TicketId("A-1"), 2))


def test_a_ticket_id_stays_inside_its_folder(tmp_path: Path) -> None:
    for text in ("a", "_", "a.b", "a" * 64):
        assert is_ticket_id(text)
        assert (tmp_path / text).resolve().parent == tmp_path.resolve()
