"""When silence is looked into: early enough to notice, and never again and again for nothing."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain import signals
from supervisor.domain.agent import GONE, Activity, Submission
from supervisor.domain.looks import PROMPT_LOOK, next_look
from supervisor.domain.signals import Quiet, Rules, StallChecked
from tests.unit.domain.samples import ASKING, EXITED, IDLE, LOST, NOON, PROMPT, RUNNING, STARTING, STATES, activity

RULES = Rules(idle_after=10, stall_after=1800, reaction_within=7)
PATTERN = evolve(RULES, has_prompt_pattern=True)
ENTERED = Submission(PROMPT, NOON)
REACTED = Submission(PROMPT, NOON, reacted=True)


def due_in(given: Activity, rules: Rules, silent: float, *, looked: bool) -> float | None:
    """When a look is due at an agent whose CLI has neither hooks nor a status file."""
    return next_look(given, rules, silent, silent, NOON, looked=looked)


@pytest.mark.parametrize("state", [IDLE, ASKING, EXITED, LOST])
def test_only_an_agent_that_may_change_by_being_silent_is_looked_at(state: Any) -> None:
    assert due_in(activity(state), RULES, 0, looked=False) is None


@pytest.mark.parametrize(
    ("rules", "given", "looked", "expected"),
    [
        (RULES, activity(STARTING), False, 10),
        (RULES, activity(RUNNING), False, 10),
        (RULES, activity(STARTING, title_speaks=True), False, None),
        (RULES, activity(RUNNING, title_speaks=True), False, 1800),
        (RULES, activity(RUNNING, title_speaks=True, submission=ENTERED), False, 7),
        (RULES, activity(RUNNING, title_speaks=True, submission=REACTED), False, 1800),
        (PATTERN, activity(STARTING), False, PROMPT_LOOK),
        (PATTERN, activity(STARTING), True, None),
        (PATTERN, activity(RUNNING), False, PROMPT_LOOK),
        (PATTERN, activity(RUNNING), True, 1800),
        # Without a title no reaction is expected, so none is waited for.
        (PATTERN, activity(RUNNING, submission=ENTERED), True, 1800),
    ],
)
def test_the_nearest_conclusion_is_waited_for(
    rules: Rules, given: Activity, looked: bool, expected: float | None
) -> None:
    assert due_in(given, rules, 0, looked=looked) == expected
    if expected is not None:
        assert due_in(given, rules, expected - 0.25, looked=looked) == pytest.approx(0.25)
        assert due_in(given, rules, expected + 5, looked=looked) == 0


LIMITS = st.floats(0.5, 100)


@given(
    state=st.sampled_from(STATES),
    title_speaks=st.booleans(),
    submission=st.sampled_from([None, ENTERED, REACTED]),
    looked=st.booleans(),
    silent=st.floats(0, 5000),
    shown=st.booleans(),
    rules=st.builds(
        Rules, idle_after=LIMITS, has_prompt_pattern=st.booleans(), stall_after=LIMITS, reaction_within=LIMITS
    ),
)
def test_a_look_that_is_due_settles_what_it_was_due_for(
    state: Any, title_speaks: bool, submission: Any, looked: bool, silent: float, shown: bool, rules: Rules
) -> None:
    """Else the session's task would spin: look, learn nothing, and be told to look at once."""
    now = activity(state, title_speaks=title_speaks, submission=submission)
    due = due_in(now, rules, silent, looked=looked)
    if due is None:
        return
    silent += due
    at = NOON + timedelta(seconds=silent + 0.001)
    reads = rules.has_prompt_pattern and not looked
    seen = signals.next(now, Quiet(at, silent, busy_child=False, prompt_shown=reads and shown), rules)
    if silent >= rules.stall_after:
        seen = signals.next(seen, StallChecked(at, silent), rules)
    again = due_in(seen, rules, silent, looked=looked or reads)
    assert again is None or again > 0
    assert not isinstance(seen.state, GONE) or isinstance(state, GONE)
