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


def test_a_dialog_of_a_first_run_is_known_by_its_words() -> None:
    assert dialog(TRUST) == "Claude Code asks whether this folder is to be trusted."
    for other in (PERMISSION, WELCOME, screen("Do you trust me?"), ""):
        assert dialog(other) is None


@given(st.lists(st.sampled_from([RULE, MARK, f"{MARK} x", " y", ""]) | st.text(max_size=20)))
def test_no_screen_is_an_error(lines: list[str]) -> None:
    composer("\n".join(lines))
    dialog("\n".join(lines))
