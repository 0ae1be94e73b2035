"""What an agent is doing, decided from signals in any order."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain import signals
from supervisor.domain.agent import (
    GONE,
    Activity,
    AgentState,
    Asking,
    Exited,
    ExitStatus,
    Idle,
    Lost,
    Proof,
    Running,
    Source,
    Starting,
)
from supervisor.domain.hooks import (
    Asked,
    PromptTaken,
    SaysIdle,
    SessionBegan,
    SessionEnded,
    ToolUsed,
    TurnBroke,
    TurnDone,
    TurnStopped,
)
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.domain.moves import REMEMBERED
from supervisor.domain.signals import (
    BecameReady,
    DialogSeen,
    Entered,
    Hooked,
    Interrupting,
    Looked,
    Meaning,
    Printed,
    ProcessExited,
    Quiet,
    Rules,
    SessionLost,
    Settled,
    Signal,
    StallChecked,
    Titled,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = Rules(idle_after=10.0, reaction_within=10.0)
FRESH = Activity(AgentId("ENG-1~1"), Starting(Proof(START, Source.LAUNCH, "launched")))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(first: Activity, heard: Iterable[Signal], rules: Rules = RULES) -> Activity:
    return reduce(lambda activity, signal: signals.next(activity, signal, rules), heard, first)


def busy(seconds: float, text: str = "⠂ working") -> Titled:
    return Titled(at(seconds), text, Meaning.BUSY)


def idle(seconds: float, text: str = "✳ ready") -> Titled:
    return Titled(at(seconds), text, Meaning.IDLE)


def asking(seconds: float, text: str = "[ ! ] Action Required") -> Titled:
    return Titled(at(seconds), text, Meaning.ASKING)


def entered(seconds: float, name: str = "p1") -> Entered:
    return Entered(at(seconds), DeliveryId(name))


def quiet(seconds: float, silent: float = 60.0, *, busy_child: bool = False, prompt: bool = False) -> Quiet:
    return Quiet(at(seconds), silent, busy_child, prompt)


SPEAKER = run(FRESH, [BecameReady(at(1), "it takes pasted text"), busy(2), idle(3)])
"""Idle, and known to tell by its title what it does."""
MUTE = run(FRESH, [BecameReady(at(1), "it takes pasted text")])
"""Idle, and its title never said anything."""

moments = st.floats(0, 1000).map(at)
noise: st.SearchStrategy[Signal] = st.one_of(
    st.builds(Titled, moments, st.text(max_size=5), st.sampled_from([None, *Meaning])),
    st.builds(Printed, moments, st.integers(1, 9)),
    st.builds(BecameReady, moments, st.just("ready")),
    st.builds(Entered, moments, st.sampled_from([DeliveryId("p1"), DeliveryId("p2")])),
    st.builds(Quiet, moments, st.floats(0, 100), st.booleans(), st.booleans()),
    st.builds(StallChecked, moments, st.floats(0, 100)),
)
turns = st.sampled_from([None, "one", "two", "three"])
turn_ends = st.one_of(
    st.builds(TurnDone, st.integers(0, 2), turns),
    st.builds(TurnBroke, st.just("500"), st.none() | moments, turns),
    st.just(TurnStopped()),
)
heard: st.SearchStrategy[Signal] = st.one_of(
    st.builds(
        Hooked,
        moments,
        st.one_of(
            st.builds(PromptTaken, turns),
            st.builds(ToolUsed, st.just("Bash"), turns),
            st.builds(Asked, st.sampled_from(["one?", "two?"]), st.booleans(), turns),
            st.builds(SaysIdle, turns),
            st.builds(SessionBegan, st.none()),
            st.builds(SessionEnded, st.just("other")),
            turn_ends,
        ),
    ),
    st.builds(Settled, moments),
    st.builds(Interrupting, moments),
    st.builds(DialogSeen, moments, st.sampled_from(["Trust?", "Key?"])),
    st.builds(Looked, moments, st.sampled_from(Meaning), st.just("its file"), st.none() | turn_ends, st.booleans()),
)
"""What an agent's hooks and files say, and what is concluded from their silence."""
ends: st.SearchStrategy[Signal] = st.one_of(
    st.builds(ProcessExited, moments, st.builds(ExitStatus, st.none() | st.integers(0, 255))),
    st.builds(SessionLost, moments, st.text(max_size=5)),
)
any_rules = st.builds(Rules, idle_after=st.floats(0, 100), has_prompt_pattern=st.booleans(), status_file=st.booleans())
no_files = st.builds(Rules, idle_after=st.floats(0, 100), has_prompt_pattern=st.booleans())


@given(st.lists(noise | heard | ends, max_size=30), any_rules)
def test_every_order_of_signals_leads_to_a_state_that_holds_together(heard: list[Signal], rules: Rules) -> None:
    activity = FRESH
    for signal in heard:
        after = signals.next(activity, signal, rules)
        assert 0 <= after.turns_ended - activity.turns_ended <= 2  # a late end, and the one that is noticed by it
        assert not isinstance(after.state, Idle) or after.ready
        assert after.stalled is None or isinstance(after.state, Running)
        assert not isinstance(after.state, GONE) or after.submission == activity.submission  # it stays known
        assert after.title_speaks >= activity.title_speaks
        assert not after.background or isinstance(after.state, (Running, *GONE))
        assert after.turn is None or after.turn not in after.past_turns
        assert len(after.past_turns) <= REMEMBERED
        if _same(activity.state, after.state):
            assert after.state.proof == activity.state.proof, "`since` moves only when the state does"
        activity = after


def _same(one: AgentState, other: AgentState) -> bool:
    if isinstance(one, Asking) and isinstance(other, Asking):
        return one.question == other.question
    return type(one) is type(other)


@given(st.lists(noise | heard, max_size=20), heard | noise, any_rules)
def test_what_is_said_of_a_turn_that_is_over_leaves_the_state(before: list[Signal], last: Signal, rules: Rules) -> None:
    activity = run(FRESH, [*before, last], rules)
    for turn in activity.past_turns[:-1]:
        for event in (PromptTaken(turn), ToolUsed("Bash", turn), Asked("old?", turn=turn), TurnDone(1, turn)):
            told = run(activity, [Hooked(at(2000), event)], rules)
            assert (told.state, told.turns_ended, told.interrupted) == (
                activity.state,
                activity.turns_ended,
                activity.interrupted,
            )


@given(st.lists(noise | heard, max_size=10), st.lists(noise | heard | ends, max_size=20), any_rules)
def test_an_exit_is_final(before: list[Signal], after: list[Signal], rules: Rules) -> None:
    ended = run(FRESH, [*before, ProcessExited(at(5), ExitStatus(0))], rules)
    assert ended.state == Exited(Proof(at(5), Source.EXIT, "exit 0"), ExitStatus(0))
    assert run(ended, after, rules) == ended


@given(st.lists(noise | heard, max_size=10), st.lists(noise | heard, max_size=20), any_rules)
def test_a_loss_is_final_but_for_the_exit_that_explains_it(
    before: list[Signal], after: list[Signal], rules: Rules
) -> None:
    lost = run(FRESH, [*before, SessionLost(at(5), "the server is gone")], rules)
    assert isinstance(lost.state, Lost)
    assert run(lost, after, rules) == lost
    assert isinstance(run(lost, [ProcessExited(at(6), ExitStatus(signal=9))], rules).state, Exited)


between: st.SearchStrategy[Signal] = st.one_of(
    st.builds(Printed, moments, st.integers(1, 9)),
    st.builds(Quiet, moments, st.floats(0, 100), st.booleans(), st.booleans()),
    st.builds(BecameReady, moments, st.just("ready")),
)


@given(st.lists(between), st.lists(between | st.builds(busy, st.floats(0, 1000))), st.lists(between), no_files)
def test_a_prompt_and_a_busy_and_an_idle_title_are_one_turn(
    before: list[Signal], during: list[Signal], after: list[Signal], rules: Rules
) -> None:
    heard = [entered(10), idle(10.1), *before, busy(11), *during, idle(30), idle(31), *after, idle(32)]
    done = run(SPEAKER, heard, rules)
    assert done.turns_ended == SPEAKER.turns_ended + 1
    assert isinstance(done.state, Idle)
    assert done.submission is None


@given(st.lists(noise, max_size=15), st.builds(Titled, moments, st.text(max_size=5), st.sampled_from(Meaning)))
def test_the_same_title_again_changes_nothing(heard: list[Signal], title: Titled) -> None:
    once = run(FRESH, [*heard, title])
    assert run(once, [title, evolve(title, at=title.at + timedelta(seconds=5)), title]) == once


@pytest.mark.parametrize(
    ("signal", "kind"),
    [(busy(10), Running), (asking(10), Asking), (entered(10), Running), (StallChecked(at(10), 60), Running)],
)
def test_a_state_keeps_its_first_moment(signal: Signal, kind: type) -> None:
    first = run(SPEAKER, [busy(9), signal])
    again = run(first, [evolve(signal, at=at(50)), busy(51) if kind is Running else asking(51)])
    assert isinstance(again.state, kind)
    assert again.state == first.state
    assert again.stalled == first.stalled


def test_silence_never_ends_a_turn_of_a_title_that_says_busy() -> None:
    working = run(SPEAKER, [entered(10), busy(11)])
    assert run(working, [quiet(5000, 5000), quiet(9000, 9000, prompt=True)]).state == working.state


@pytest.mark.parametrize("title", [None, idle(0.5, "user@host: ~/project"), idle(0.5, "my program")])
def test_silence_ends_a_turn_of_a_program_that_never_says_busy(title: Titled | None) -> None:
    heard: list[Signal] = [title] if title else []
    heard += [BecameReady(at(1), "ready"), Printed(at(1.1), 40), entered(10), Printed(at(10.1), 9)]
    working = run(FRESH, heard)
    assert isinstance(working.state, Running)
    assert run(working, [quiet(15, 5)]).state == working.state
    assert run(working, [quiet(25, 15, busy_child=True)]).state == working.state
    done = run(working, [quiet(25, 10)])
    assert (type(done.state), done.turns_ended) == (Idle, 1)
    assert isinstance(run(done, [Printed(at(40), 3)]).state, Running)


def test_a_prompt_pattern_decides_and_silence_does_not() -> None:
    rules = Rules(idle_after=1.0, has_prompt_pattern=True)
    working = run(MUTE, [entered(10), Printed(at(11), 9)], rules)
    assert run(working, [quiet(600, 600)], rules).state == working.state
    done = run(working, [quiet(12, 0.3, prompt=True)], rules)
    assert (type(done.state), done.turns_ended) == (Idle, 1)


def test_a_title_without_a_mark_says_nothing_until_one_with_a_mark_was_seen() -> None:
    started = run(FRESH, [idle(0.5, "user@host: ~")])
    assert started.state == FRESH.state
    assert (started.title, started.title_speaks, started.ready) == ("user@host: ~", False, False)
    assert run(started, [entered(2), Printed(at(2), 1), idle(3, "user@host: ~")]).turns_ended == 0
    assert run(started, [busy(1)]).title_speaks


def test_a_greeting_is_no_turn() -> None:
    greeted = run(MUTE, [Printed(at(1.1), 500), Printed(at(1.2), 500), idle(1.3), quiet(20, 18)])
    assert (greeted.state, greeted.turns_ended) == (MUTE.state, 0)


def test_a_spinner_at_the_start_makes_it_ready_when_it_stops() -> None:
    started = run(FRESH, [busy(1, "⠋ loading"), idle(2)])
    assert isinstance(started.state, Idle)
    assert started.ready


def test_no_reaction_asks_a_person_and_a_later_busy_title_corrects_it() -> None:
    waiting = run(SPEAKER, [entered(10), Printed(at(10.1), 9)])
    assert run(waiting, [quiet(19, 8.9)]).state == waiting.state
    assert run(waiting, [quiet(30, 20, busy_child=True)]).state == waiting.state
    unheard = run(waiting, [quiet(20, 9.9)])
    assert isinstance(unheard.state, Asking)
    assert run(unheard, [idle(21)]).state == unheard.state
    corrected = run(unheard, [busy(22)])
    assert corrected.state == Running(Proof(at(22), Source.TITLE, "⠂ working"))
    assert run(corrected, [idle(23)]).turns_ended == SPEAKER.turns_ended + 1


def test_a_title_that_asks_and_then_does_not() -> None:
    working = run(SPEAKER, [entered(10), busy(11), asking(12)])
    assert working.state == Asking(Proof(at(12), Source.TITLE, "[ ! ] Action Required"), "[ ! ] Action Required")
    assert run(working, [idle(13)]).turns_ended == SPEAKER.turns_ended + 1
    mute = run(MUTE, [entered(10), Printed(at(11), 1), asking(12), idle(13, "project")])
    assert isinstance(mute.state, Running)
    assert run(mute, [quiet(30, 17)]).turns_ended == 1
    assert isinstance(run(FRESH, [asking(1), idle(2, "project")]).state, Starting)
    assert isinstance(run(MUTE, [asking(2), idle(3, "project")]).state, Idle)


def test_a_stall_is_marked_once_and_cleared_by_output() -> None:
    working = run(SPEAKER, [entered(10), busy(11)])
    stalled = run(working, [StallChecked(at(2000), 1800)])
    assert stalled.stalled == Proof(at(2000), Source.SILENCE, "no progress for 1800 s")
    assert stalled.state == working.state
    assert run(stalled, [StallChecked(at(3000), 2800)]) == stalled
    assert run(stalled, [Printed(at(3001), 1)]).stalled is None
    assert run(stalled, [idle(3001)]).stalled is None
    assert run(SPEAKER, [StallChecked(at(2000), 1800)]).stalled is None
