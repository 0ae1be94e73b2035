"""Screens of Claude Code 2.1.197 as tmux showed them, cut in width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude_screens import composer, dialog

RULE = "\u2500" * 40
MARK = "\u276f"
WELCOME = "╭─── Claude Code v2.1.197 ───╮\n│       Welcome back!        │\n╰────────────────────────────╯"
BELOW = "  ? for shortcuts · \u2190 for agents"
TRUST = f"""{RULE}
 Accessing workspace:

 /work

 Quick safety check: Is this a project you created or one you trust?

 {MARK} 1. Yes, I trust this folder
   2. No, exit

 Enter to confirm · Esc to cancel"""
PERMISSION = f"""{MARK} Please.

● Bash(touch made)

{RULE}
 Bash command

   touch made
   Rehearsed command

 Do you want to proceed?
 {MARK} 1. Yes
   2. Yes, and don't ask again
   3. No

 Esc to cancel · Tab to amend"""


def screen(*composed: str, above: str = WELCOME) -> str:
    lines = [f"{MARK} {composed[0]}".rstrip(), *(f"  {line}" for line in composed[1:])]
    return "\n".join((above, "", RULE, *lines, RULE, BELOW))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (screen(""), ""),
        (screen("rehearse: hang 60"), "rehearse: hang 60"),
        (screen("line 0", "line 1", ""), "line 0\n  line 1"),
        (screen("[Pasted text #1 +486 lines]"), "[Pasted text #1 +486 lines]"),
        (screen("", above=f"{MARK} Please.\n\n{RULE}\n a table of the model's\n{RULE}"), ""),
        (PERMISSION, None),
        (TRUST, None),
        (WELCOME, None),
        ("", None),
    ],
)
def test_what_stands_in_the_composer(shown: str, text: str | None) -> None:
    assert composer(shown) == text


OFF = "\x1b[0m\x1b[39m\x1b[49m"
CURSOR = "\x1b[7m \x1b[0m\x1b[39m\x1b[49m"
GREY = "\x1b[38;5;244m"


def styled(composed: str, mark: str = MARK) -> str:
    """A screen as tmux tells it with its colours, for a composer of one line."""
    line = f"\x1b[39m{mark}\xa0{composed}"
    return "\n".join((WELCOME, f"{GREY}{RULE}", line, f"{GREY}{RULE}", f"\x1b[39m  \x1b[38;5;246m? for shortcuts{OFF}"))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (styled(CURSOR), ""),
        (styled(f"half typed{CURSOR}"), "half typed"),
        (styled(f"\x1b[7mh{OFF}alf typed"), "half typed"),
        (styled(f"\x1b[7mh{OFF}"), "h"),
        (styled(f"a {GREY}grey\x1b[39m word"), "a grey word"),
        (
            styled(f'\x1b[7mT\x1b[0;2m\x1b[39m\x1b[49mry{OFF} \x1b[2m"edit{OFF} \x1b[2m<filepath>{OFF} \x1b[2mto..."'),
            "",
        ),
        (styled(f"\x1b[7mr\x1b[0;2m\x1b[39m\x1b[49mun the tests{OFF}"), ""),
        (styled(f"\x1b[2mrun the tests{OFF}"), ""),
        (styled(f"/mo{CURSOR}\x1b[2mdel{OFF}"), "/mo"),
        (styled(f"ls{CURSOR}", "!"), "!\xa0ls"),
        (styled(CURSOR, "!"), "!"),
    ],
)
def test_a_suggestion_is_not_what_was_typed(shown: str, text: str) -> None:
    assert composer(shown) == text


def test_a_composer_taller_than_the_screen_shows_its_end() -> None:
    tall = [f"  line {number}" for number in range(10)]
    assert composer("\n".join((*tall, RULE, BELOW))) == "\n".join(tall).strip()
    assert composer("\n".join(("● What the model says.", *tall, RULE, BELOW))) is None
    assert composer("\n".join((*tall, RULE, *PERMISSION.splitlines()[6:]))) is None


def test_a_dialog_of_a_first_run_is_known_by_its_words() -> None:
    assert dialog(TRUST) == "Claude Code asks whether this folder is to be trusted."
    for other in (PERMISSION, WELCOME, screen("Do you trust me?"), ""):
        assert dialog(other) is None


SEEN = [
    RULE,
    MARK,
    f"{MARK} x",
    "! x",
    " y",
    "  z",
    "",
    "\x1b[2m",
    OFF,
    "\x1b[38;2;1;2;3m",
    "\x1b[7mT\x1b[0;2m",
    "\x1b[48;5;2m",
]


@given(st.lists(st.sampled_from(SEEN) | st.text(max_size=20)))
def test_no_screen_is_an_error(lines: list[str]) -> None:
    composer("\n".join(lines))
    dialog("\n".join(lines))
