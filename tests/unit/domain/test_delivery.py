"""What is typed into terminals, and what an entered prompt has become."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.domain.agent import Activity, DeliveryState, Submission
from supervisor.domain.delivery import CUT, is_put_back, outcome_of, pasteable
from supervisor.domain.ids import DeliveryId
from tests.strategies import ANY_TEXT
from tests.unit.domain.samples import (
    ASKING,
    EXITED,
    IDLE,
    KILLED,
    LOST,
    NOON,
    PROMPT,
    RUNNING,
    STARTING,
    activity,
    delivery,
)

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t\r"]
HARMLESS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"))


@pytest.mark.parametrize("control", CONTROLS)
def test_no_control_character_survives(control: str) -> None:
    assert pasteable(f"a{control}b{control}") == "ab"


def test_a_paste_cannot_be_ended_from_inside() -> None:
    assert pasteable("a\x1b[201~b\x9b201~c") == "a[201~b201~c"


def test_every_line_end_becomes_the_one_that_submits_nothing() -> None:
    assert pasteable("a\r\nb\rc\nd\r\r\n\te") == "a\nb\nc\nd\n\n\te"


def test_what_no_terminal_can_be_sent_is_replaced() -> None:
    assert pasteable("a\ud800b").encode() == "a\ufffdb".encode()


@given(text=HARMLESS)
@example("e\u0301 👩\u200d💻 \u202eabc\u2028 \ufeff x\u00a0y")
def test_everything_else_is_left_byte_for_byte(text: str) -> None:
    assert pasteable(text).encode() == text.encode()


@given(text=ANY_TEXT | st.text(st.sampled_from("a\r\n\x00\x1b\x9b\t"), max_size=20))
def test_twice_is_once(text: str) -> None:
    once = pasteable(text)
    assert pasteable(once) == once
    assert not set(once) & {*CONTROLS, "\r"}
    once.encode()


# --- what a composer holds -----------------------------------------------------------------------

LONG = "\n".join(f"line {number} \t of many" for number in range(60))


@pytest.mark.parametrize(
    ("composer", "text", "ours"),
    [
        ("Go on.", "Go on.", True),
        ("Go  on.\n   With\xa0more.", "\nGo on.\n\n\tWith more.\n", True),
        ("on.", "Go on.", False),
        ("Go on. And then", "Go on.", False),
        (LONG[-2 * CUT :], LONG, True),
        (LONG[: 2 * CUT], LONG, False),
        (f"{LONG[-2 * CUT :]} and more", LONG, False),
        ("[Pasted text #1 +486 lines]", LONG, False),
    ],
)
def test_only_the_very_text_that_was_entered_is_put_back(composer: str, text: str, ours: bool) -> None:
    assert is_put_back(composer, text) is ours


# --- outcomes ------------------------------------------------------------------------------------

SUBMITTED = delivery(DeliveryState.SUBMITTED, turns_before=2)
WAITING = Submission(PROMPT, NOON)
REACTED = Submission(PROMPT, NOON, reacted=True)
ANOTHER = Submission(DeliveryId("another"), NOON, reacted=True)


@pytest.mark.parametrize(
    ("now", "state", "reason"),
    [
        (activity(RUNNING, 2, submission=WAITING), None, ""),
        (activity(RUNNING, 2, submission=ANOTHER), None, ""),
        (activity(IDLE, 2), None, ""),
        (activity(STARTING, 2, submission=WAITING), None, ""),
        (activity(RUNNING, 2, submission=REACTED), DeliveryState.DELIVERED, ""),
        (activity(IDLE, 3), DeliveryState.DELIVERED, ""),
        (activity(EXITED, 3), DeliveryState.DELIVERED, ""),
        (activity(ASKING, 2, submission=REACTED), DeliveryState.DELIVERED, ""),
        (activity(ASKING, 2, submission=WAITING), DeliveryState.UNKNOWN, "no reaction"),
        (activity(EXITED, 2), DeliveryState.UNKNOWN, "the agent ended"),
        (activity(KILLED, 2), DeliveryState.UNKNOWN, "the agent ended"),
        (activity(LOST, 2), DeliveryState.UNKNOWN, "the agent ended"),
    ],
)
def test_an_entered_prompt_is_what_the_agents_state_proves(
    now: Activity, state: DeliveryState | None, reason: str
) -> None:
    found = outcome_of(SUBMITTED, now)
    if state is None:
        assert found is None
    else:
        assert found is not None
        assert evolve(found, reason="") == evolve(SUBMITTED, state=state)
        assert reason in found.reason


@pytest.mark.parametrize("state", [each for each in DeliveryState if each is not DeliveryState.SUBMITTED])
@pytest.mark.parametrize("agent", [IDLE, ASKING, EXITED, LOST])
def test_nothing_but_an_entered_prompt_has_an_outcome(state: DeliveryState, agent: Any) -> None:
    assert outcome_of(delivery(state), activity(agent, 9)) is None
