"""Recorded screens of Codex 0.169, at two sizes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from supervisor.adapters.drivers import codex_screens
from supervisor.adapters.drivers.styled import read
from supervisor.domain.review import Approved, Pending, Rejected

RECORDED = Path(__file__).resolve().parents[3] / "golden" / "screens" / "codex-0.169.0"
SIZES = ("200x50", "80x24")
AT = datetime(2026, 11, 25, tzinfo=UTC)
YES, NO = Approved(AT, "a person"), Rejected(AT, "a person", "no")
LONG = "printf '%s' " + " ".join(f"word{number}" for number in range(40))


def styled(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def plain(name: str) -> str:
    return read(styled(name))[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("trust", "Codex asks whether this folder is to be trusted."),
        ("hooks", "Codex asks whether to trust hooks that are new or changed."),
        ("login", "Codex wants a login."),
    ],
)
def test_a_dialog_of_a_first_run_is_known_and_no_place_for_a_prompt(name: str, question: str, size: str) -> None:
    screen = f"{name}-{size}"
    assert codex_screens.dialog(plain(screen)) == question
    assert not codex_screens.prompt_shown(plain(screen))
    assert codex_screens.composer(styled(screen)) is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["idle", "busy", "interrupted"])
def test_a_composer_with_nothing_but_a_suggestion_is_empty(name: str, size: str) -> None:
    assert codex_screens.composer(styled(f"{name}-{size}")) == ""
    assert codex_screens.prompt_shown(plain(f"{name}-{size}"))
    assert codex_screens.dialog(plain(f"{name}-{size}")) is None


def test_what_a_person_has_half_typed_is_read() -> None:
    assert codex_screens.composer(styled("half-typed-80x24")) == "half a thought"


def test_a_composer_that_loads_takes_no_prompt() -> None:
    loads = plain("idle-80x24").replace("/home/user/work", "loading", 1)
    assert not codex_screens.prompt_shown(loads)


@pytest.mark.parametrize("size", SIZES)
def test_a_command_is_answered_at_its_own_dialog_only(size: str) -> None:
    short = plain(f"bash-short-{size}")
    assert codex_screens.command_keys("touch made", YES, short) == ("y",)
    assert codex_screens.command_keys("touch made", NO, short) == ("Escape",)
    assert codex_screens.command_keys("touch made", Pending(), short) is None
    for other in ("touch mad", "touch  made", "touch made\n", "touch two", ""):
        assert codex_screens.command_keys(other, YES, short) is None
    quotes = "echo \"a  b\" 'c'"
    assert codex_screens.command_keys(quotes, YES, plain(f"bash-quotes-{size}")) == ("y",)
    assert codex_screens.command_keys("echo \"a b\" 'c'", YES, plain(f"bash-quotes-{size}")) is None
    assert not codex_screens.prompt_shown(short)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_wrapped_half_answered_or_gone_is_a_persons(size: str) -> None:
    assert codex_screens.command_keys(LONG, YES, plain(f"bash-long-{size}")) is None
    short = plain(f"bash-short-{size}")
    mark = codex_screens.MARK
    moved = short.replace(f"{mark} 1. Yes", "  1. Yes").replace("  2. Yes", f"{mark} 2. Yes")
    for screen in (moved, f"{short.rstrip()}\n  more below\n", plain(f"interrupted-{size}"), ""):
        assert codex_screens.command_keys("touch made", YES, screen) is None
