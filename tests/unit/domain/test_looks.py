"""When silence is looked into: early enough to notice, and never again and again for nothing."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.actors.session.watcher import LOOK_PAUSE
from supervisor.domain import signals
from supervisor.domain.agent import GONE, Activity, Meaning, Submission
from supervisor.domain.looks import PROMPT_LOOK, STATUS_LOOK_AT_MOST, next_look
from supervisor.domain.signals import Looked, Quiet, Rules, Settled, StallChecked
from tests.unit.domain.samples import (
    ASKING,
    EXITED,
    IDLE,
    LOST,
    NOON,
    PROMPT,
    RUNNING,
    STARTING,
    STATES,
    activity,
    after,
)

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


# --- how often, second by second -----------------------------------------------------------------

FILES = Rules(status_file=True)


def looks_at(first: Activity, rules: Rules, seconds: float, says: Meaning | None = None) -> list[float]:
    """When an agent is looked at that is silent from now on; `says` is what its status file holds."""
    known, now, looked_at, looked, found = first, 0.0, 0.0, False, list[float]()
    while True:
        due = next_look(known, rules, now, now - looked_at, after(now), looked=looked)
        now += max(due, LOOK_PAUSE - (now - looked_at)) + 1e-3 if due is not None else seconds
        if now >= seconds:
            return found
        found.append(now)
        looked_at, looked = now, True
        known = signals.next(known, Looked(after(now), says, "file") if says else Settled(after(now)), rules)
        known = signals.next(known, Quiet(after(now), now, busy_child=False), rules)


def told(state: Any, **more: Any) -> Activity:
    return activity(state, title_speaks=True, title_says=Meaning.IDLE, title_since=NOON, hook_at=NOON, **more)


def test_an_idle_agent_is_looked_at_once_after_it_wrote_and_never_again() -> None:
    assert looks_at(told(IDLE), RULES, 3600) == []
    assert len(looks_at(told(IDLE), FILES, 3600, Meaning.IDLE)) == 1
    assert looks_at(activity(EXITED), FILES, 3600, Meaning.IDLE) == []


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (told(ASKING), Meaning.ASKING),
        (told(RUNNING, background=2), Meaning.BACKGROUND),
        (told(RUNNING, submission=REACTED), Meaning.BUSY),
    ],
)
def test_an_agent_in_doubt_is_looked_at_soon_and_then_less_often(first: Activity, says: Meaning) -> None:
    found = looks_at(first, FILES, 600, says)
    assert found[0] < 1
    assert max(sum(at <= other < at + 1 for other in found) for at in found) <= 3
    assert len([at for at in found if at > 60]) <= 540 / STATUS_LOOK_AT_MOST + 1


def test_an_agent_that_starts_is_looked_at_until_it_says_that_it_is_ready() -> None:
    found = looks_at(activity(STARTING), FILES, 5, Meaning.BUSY)
    assert max(sum(at <= other < at + 1 for other in found) for at in found) <= 10


@pytest.mark.parametrize("first", [activity(RUNNING), activity(RUNNING, submission=ENTERED), activity(STARTING)])
def test_a_silent_agent_that_tells_nothing_is_looked_at_once_a_second_at_most(first: Activity) -> None:
    found = looks_at(first, RULES, 4000)
    assert max(sum(at <= other < at + 1 for other in found) for at in found) <= 1
    assert len(found) <= 3
