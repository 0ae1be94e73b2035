"""What an agent is doing by its hooks, and how title and files confirm or correct that, case by case.

The random lives that all of this must survive are in `tests/unit/actors/test_watcher.py`.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.domain import signals
from supervisor.domain.agent import Activity, Asking, Idle, Meaning, Running, Source
from supervisor.domain.contradiction import CONTRADICTION, HELD_UP, STATUS_LAG
from supervisor.domain.hooks import (
    Asked,
    HookEvent,
    PlanTaken,
    PromptTaken,
    SaysIdle,
    SessionBegan,
    SessionEnded,
    ToolUsed,
    TurnBroke,
    TurnDone,
    TurnEnd,
    TurnStopped,
)
from supervisor.domain.signals import Entered, Hooked, Interrupting, Looked, Rules, Settled, Signal, Titled
from tests.unit.domain.samples import IDLE, NOON, PROMPT, STARTING, activity, after

FILES = Rules(status_file=True)
BARE = Rules()
RESTING = activity(IDLE, title_says=Meaning.IDLE, title_since=NOON, title_speaks=True, title="✳")
LAG, PATIENCE, LONG = (each.total_seconds() for each in (STATUS_LAG, CONTRADICTION, HELD_UP))


def run(first: Activity, heard: Iterable[Signal], rules: Rules = FILES) -> Activity:
    return reduce(lambda known, signal: signals.next(known, signal, rules), heard, first)


def hook(seconds: float, event: HookEvent) -> Hooked:
    return Hooked(after(seconds), event)


def title(seconds: float, meaning: Meaning, text: str = "a title") -> Titled:
    return Titled(after(seconds), text, meaning)


def look(seconds: float, meaning: Meaning, end: TurnEnd | None = None) -> Looked:
    return Looked(after(seconds), meaning, f"its status file says {meaning}", end)


BEGUN = [title(10, Meaning.BUSY), hook(10.03, PromptTaken("one"))]
"""A turn begins, as a CLI with everything tells it."""
AT_WORK = run(RESTING, BEGUN)
ASKED = [hook(20, ToolUsed("Bash", "one")), hook(20.02, Asked("Run it?", turn="one")), title(20.05, Meaning.IDLE)]
AT_DIALOG = run(AT_WORK, ASKED)


def is_(known: Activity, kind: type, turns: int = 0) -> bool:
    return type(known.state) is kind and known.turns_ended == turns


# --- a turn as it should be -----------------------------------------------------------------------


def test_a_turn_from_its_prompt_to_its_end() -> None:
    assert is_(AT_WORK, Running)
    told = run(AT_WORK, [hook(30, TurnDone(turn="one"))])
    assert is_(told, Running)  # the title still says busy: a hook of the user's own may not let it end
    over = run(told, [title(30.05, Meaning.IDLE)])
    assert is_(over, Idle, 1)
    assert (over.state.proof.source, over.state.proof.evidence) == (Source.HOOK, "its turn is over")
    assert not over.interrupted


def test_without_a_title_the_end_is_believed_at_once() -> None:
    mute = run(activity(IDLE), [hook(1, PromptTaken("one")), hook(2, TurnDone(turn="one"))])
    assert is_(mute, Idle, 1)


def test_an_error_ends_a_turn_and_is_kept_until_the_next() -> None:
    broke = TurnBroke("API Error: 500", after(99), "one")
    over = run(AT_WORK, [hook(30, broke), title(30.05, Meaning.IDLE)])
    assert is_(over, Idle, 1)
    assert (over.turn_error, over.limit_until) == ("API Error: 500", after(99))
    assert run(over, [hook(40, PromptTaken("two"))]).turn_error is None


def test_a_dialog_is_told_once_and_answered_by_what_the_title_shows() -> None:
    assert AT_DIALOG.state == Asking(AT_DIALOG.state.proof, "Run it?")
    reminded = run(AT_DIALOG, [hook(26, Asked("It needs you", reminder=True, turn="one"))])
    assert reminded.state == AT_DIALOG.state  # said of the same dialog, which is known better
    assert is_(run(reminded, [title(40, Meaning.BUSY)]), Running)
    another = run(AT_DIALOG, [hook(50, Asked("And this?", turn="one"))])
    assert another.state != AT_DIALOG.state


def test_titles_that_come_after_the_hook_of_the_next_dialog_do_not_close_it() -> None:
    """Titles take longer than hooks: what the terminal showed between two dialogs is heard when the second is open."""
    late = run(AT_DIALOG, [hook(20.4, Asked("And this?", turn="one")), title(20.42, Meaning.BUSY)])
    assert late.state == Asking(late.state.proof, "And this?", follows=True)
    open_yet = run(late, [title(20.45, Meaning.IDLE)])
    assert open_yet.state == late.state
    assert is_(run(open_yet, [title(20.6, Meaning.BUSY)]), Running)
    assert is_(run(late, [Settled(after(22))]), Running)  # it was answered at once, and no title told of it


def test_a_tool_beside_an_open_dialog_does_not_close_it() -> None:
    """Sub-agents use tools while another one asks."""
    beside = [hook(21, ToolUsed("Read", "one")), look(22, Meaning.ASKING)]
    assert run(AT_DIALOG, beside).state == AT_DIALOG.state
    assert is_(run(AT_DIALOG, [look(22, Meaning.BUSY)]), Running)
    assert is_(run(AT_DIALOG, beside[:1], BARE), Running)  # nothing else could tell


# --- ends that no hook tells ------------------------------------------------------------------------


@pytest.mark.parametrize("first", [AT_WORK, AT_DIALOG])
def test_a_person_stops_a_turn(first: Activity) -> None:
    rested = run(first, [title(60, Meaning.IDLE)])
    soon = run(rested, [look(60 + LAG, Meaning.IDLE, TurnStopped())])
    if first is AT_WORK:
        assert is_(soon, Running)  # a hook may be late
    over = run(rested, [look(60 + PATIENCE, Meaning.IDLE, TurnStopped())])
    assert is_(over, Idle, 1)
    assert over.interrupted


def test_a_lost_hook_is_made_up_for_by_the_record() -> None:
    rested = run(AT_WORK, [title(60, Meaning.IDLE)])
    well = run(rested, [look(60 + LAG, Meaning.IDLE, TurnDone())])
    assert is_(well, Idle, 1)
    assert not well.interrupted
    badly = run(rested, [look(60 + LAG, Meaning.IDLE, TurnBroke("API Error: 500"))])
    assert badly.turn_error == "API Error: 500"
    behind = run(rested, [look(60 + LAG, Meaning.BACKGROUND, TurnDone())])
    assert is_(behind, Running)
    assert behind.background == 1


def test_without_a_record_a_missing_hook_means_a_stop_only_if_hooks_were_heard() -> None:
    rested = [title(60, Meaning.IDLE), look(60 + PATIENCE, Meaning.IDLE)]
    assert run(AT_WORK, rested).interrupted
    assert not run(evolve(AT_WORK, heard=False), rested).interrupted
    pressed = [Interrupting(after(59)), title(60, Meaning.IDLE), look(60 + LAG, Meaning.IDLE)]
    assert run(evolve(AT_WORK, heard=False), pressed).interrupted


def test_the_late_hook_of_a_turn_that_seemed_stopped_takes_that_back() -> None:
    thought = run(AT_WORK, [title(60, Meaning.IDLE), look(60 + PATIENCE, Meaning.IDLE)])
    corrected = run(thought, [hook(64, TurnDone(turn="one"))])
    assert is_(corrected, Idle, 2)  # one more, so that it is judged anew
    assert not corrected.interrupted
    assert corrected.state == thought.state
    again = run(corrected, [hook(65, TurnDone(turn="one"))])
    assert (again.turns_ended, again.state) == (2, corrected.state)


def test_a_dialog_whose_hook_was_lost_is_found() -> None:
    open_now = run(AT_WORK, [title(60, Meaning.IDLE), look(60 + LAG, Meaning.ASKING)])
    assert is_(open_now, Asking)
    assert open_now.state.proof.source is Source.STATUS


def test_where_only_a_title_is_left_it_is_believed_in_the_end() -> None:
    rested = run(AT_WORK, [title(60, Meaning.IDLE)], BARE)
    assert is_(run(rested, [Settled(after(60 + PATIENCE - 0.1))], BARE), Running)
    assert is_(run(rested, [Settled(after(60 + PATIENCE))], BARE), Idle, 1)
    unseen = run(RESTING, [hook(5, SessionBegan(None)), title(60, Meaning.BUSY)], BARE)
    assert is_(run(unseen, [Settled(after(60 + PATIENCE))], BARE), Running)


@pytest.mark.parametrize("says", [Meaning.ASKING, Meaning.IDLE, Meaning.BUSY])
def test_a_title_that_tells_dialogs_is_believed_of_them(says: Meaning) -> None:
    asked = run(AT_WORK, [title(60, Meaning.ASKING), Settled(after(60 + PATIENCE))], BARE)
    assert is_(asked, Asking)
    now = run(asked, [title(70, says), Settled(after(70 + PATIENCE))], BARE)
    assert type(now.state) is {Meaning.ASKING: Asking, Meaning.IDLE: Idle, Meaning.BUSY: Running}[says]


# --- ends that are none -------------------------------------------------------------------------------


def test_a_turn_that_a_hook_of_the_users_own_keeps_from_ending_goes_on() -> None:
    told = run(AT_WORK, [hook(30, TurnDone(turn="one")), look(31, Meaning.BUSY)])
    assert is_(told, Running)
    assert is_(run(told, [hook(32, ToolUsed("Bash", "one")), title(33, Meaning.IDLE)]), Running)
    asking = run(told, [title(40, Meaning.IDLE), look(40 + LAG, Meaning.ASKING)])
    assert is_(asking, Asking)
    stopped = run(told, [title(40, Meaning.IDLE), look(40 + PATIENCE, Meaning.IDLE, TurnStopped())])
    assert stopped.interrupted
    ended = run(told, [title(40, Meaning.IDLE), look(40 + LAG, Meaning.IDLE, TurnDone())])
    assert is_(ended, Idle, 1)
    assert not ended.interrupted


def test_a_hook_of_another_turn_ends_nothing() -> None:
    entered = run(RESTING, [Entered(after(9), PROMPT)])
    late = run(entered, [hook(9.1, TurnDone(turn="zero"))])  # nobody has ever heard of that one
    assert is_(late, Running)
    working = run(late, [title(9.2, Meaning.BUSY), hook(9.3, PromptTaken("one"))])
    assert is_(working, Running, 1)  # it is counted, and ends nothing
    assert is_(run(working, [hook(9.4, TurnDone(turn="zero"))]), Running, 1)


def test_nothing_is_concluded_from_what_is_older_than_our_own_enter() -> None:
    entered = run(RESTING, [Entered(after(9), PROMPT)])
    for old in (look(9 + PATIENCE, Meaning.IDLE, TurnDone()), Settled(after(9 + PATIENCE)), hook(9, SaysIdle("zero"))):
        assert is_(run(entered, [old]), Running)
    assert is_(run(entered, [look(9 + LAG, Meaning.ASKING)]), Asking)


@pytest.mark.parametrize("says", list(Meaning))
@pytest.mark.parametrize("event", [PromptTaken("two"), ToolUsed("Bash", "one"), Asked("Run it?", turn="one")])
def test_a_fresh_hook_is_not_overruled_by_an_older_title_or_file(event: HookEvent, says: Meaning) -> None:
    for rules in (FILES, BARE):
        known = run(AT_WORK, [title(50, says), hook(60, event)], rules)
        kind = Asking if isinstance(event, Asked) else Running
        assert type(known.state) is kind
        for seconds in (60.1, 60.1 + LAG / 2):
            checks = [title(seconds, says), Settled(after(seconds)), look(seconds, says)]
            assert run(known, checks, rules).state == known.state


# --- tasks behind a turn --------------------------------------------------------------------------------


def test_tasks_behind_a_turn_are_work_until_they_have_ended() -> None:
    told = run(AT_WORK, [hook(30, TurnDone(1, "one")), title(30.05, Meaning.IDLE)])
    assert is_(told, Running)
    assert told.background == 1
    for idle in (look(32, Meaning.IDLE), hook(90, SaysIdle("one")), Settled(after(90)), look(90, Meaning.BACKGROUND)):
        assert is_(run(told, [idle]), Running)
    woken = run(told, [title(95, Meaning.BUSY), hook(95.1, PromptTaken("two")), hook(96, TurnDone(turn="two"))])
    assert is_(run(woken, [title(96.05, Meaning.IDLE)]), Idle, 1)


@pytest.mark.parametrize(
    "asks",
    [
        [Titled(after(90), "[ ! ] Action Required", Meaning.ASKING), Settled(after(99))],
        [hook(90, Asked("Run it?"))],
        [look(90, Meaning.ASKING)],
    ],
)
def test_a_dialog_is_of_a_turn_that_goes_on(asks: list[Signal]) -> None:
    told = run(AT_WORK, [hook(30, TurnDone(1, "one")), title(30.05, Meaning.IDLE)])
    asking = run(told, asks, BARE)
    assert is_(asking, Asking)
    assert asking.background == 0


def test_a_file_that_has_told_of_tasks_tells_of_their_end() -> None:
    told = run(AT_WORK, [hook(30, TurnDone(1, "one")), title(30.05, Meaning.IDLE), look(32, Meaning.BACKGROUND)])
    assert is_(run(told, [look(60, Meaning.IDLE)]), Idle, 1)


# --- the rest ---------------------------------------------------------------------------------------------


def test_hooks_before_it_was_ever_ready() -> None:
    begun = run(activity(STARTING), [hook(1, SessionBegan("c"))])
    assert begun.ready
    assert is_(run(activity(STARTING), [hook(1, SaysIdle())]), Idle)
    prompted = run(activity(STARTING), [hook(1, PromptTaken("one"))])
    assert is_(prompted, Running)
    assert prompted.ready
    assert is_(run(prompted, [hook(2, TurnDone(turn="one"))]), Idle, 1)
    assert is_(run(activity(STARTING), [hook(2, TurnDone(turn="one"))]), Idle, 1)


def test_a_farewell_is_no_exit() -> None:
    assert run(AT_WORK, [hook(60, SessionEnded("other"))]).state == AT_WORK.state


@given(st.permutations([*BEGUN[1:], *ASKED[:2], hook(21, ToolUsed("Bash", "one")), hook(22, TurnDone(turn="one"))]))
def test_the_hooks_of_a_turn_in_any_order_end_where_the_files_say(order: Any) -> None:
    arrived = [Hooked(after(30 + place / 100), each.event) for place, each in enumerate(order)]
    known = run(RESTING, [title(29, Meaning.BUSY), *arrived, title(31, Meaning.IDLE)])
    over = run(known, [look(31 + 0.5 * tries, Meaning.IDLE, TurnDone()) for tries in range(1, 8)])
    assert isinstance(over.state, Idle)
    assert over.turns_ended >= 1
    assert not over.interrupted
    assert over.ending is None
    assert over.hook_at is not None
    assert over.state.proof.since - NOON < timedelta(seconds=34)


TURN_HOOKS = [event.event for event in (*BEGUN[1:], *ASKED[:2])] + [ToolUsed("Bash", "one")]


@pytest.mark.parametrize("end", [TurnDone(turn="one"), TurnBroke("API Error: 500", turn="one")])
@pytest.mark.parametrize("rules", [FILES, BARE])
@given(
    heard=st.lists(st.sampled_from(TURN_HOOKS), max_size=12),
    place=st.integers(0, 12),
    times=st.integers(1, 2),
    titles=st.booleans(),
)
@example(heard=[], place=0, times=1, titles=True)
def test_an_end_that_was_told_at_any_time_is_taken_for_no_stop(
    rules: Rules, end: HookEvent, heard: list[HookEvent], place: int, times: int, titles: bool
) -> None:
    """Hooks of one turn, lost, doubled, in any order and with no record of it: nobody is troubled by that."""
    order = [*heard[:place], *[end] * times, *heard[place:]]
    arrived: list[Signal] = [Hooked(after(30 + number / 100), event) for number, event in enumerate(order)]
    if titles:
        arrived = [title(29, Meaning.BUSY), *arrived, title(31, Meaning.IDLE)]
    known = run(RESTING if titles else activity(IDLE), arrived, rules)
    rested = [31 + 0.5 * tries for tries in range(1, 12)]
    checks = [look(at, Meaning.IDLE) if rules is FILES else Settled(after(at)) for at in rested]
    over = run(known, checks, rules)
    assert not over.interrupted
    if rules is FILES:  # else nothing tells that what came last was late
        assert isinstance(over.state, Idle)
        assert over.ending is None
        assert (over.turn_error is None) is isinstance(end, TurnDone)


# --- plans ------------------------------------------------------------------------------------------


def test_an_accepted_plan_is_counted_and_its_turn_goes_on() -> None:
    taken = run(AT_DIALOG, [hook(30, PlanTaken("call", "one"))])
    assert taken.plans_taken == 1
    assert is_(run(taken, [look(31, Meaning.BUSY)]), Running)
    assert is_(run(AT_WORK, [hook(30, PlanTaken("call", "one"))]), Running)
    assert run(RESTING, [hook(30, PlanTaken())]).plans_taken == 1


def test_a_plan_of_a_turn_that_is_over_ends_nothing_any_more() -> None:
    over = run(
        AT_WORK, [hook(30, PlanTaken("call", "one")), hook(31, TurnDone(turn="one")), title(31.05, Meaning.IDLE)]
    )
    assert is_(over, Idle, 1)
    assert run(over, [hook(40, PlanTaken("late", "one")), hook(41, PlanTaken("call", "one"))]) == evolve(
        over, hook_at=after(41)
    )


CALLS = st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from(["one", "two", None])), max_size=20)


@given(CALLS)
def test_a_plan_is_counted_once_however_often_and_in_whatever_order_it_is_told(told: list[tuple[str, str]]) -> None:
    known, counted = AT_WORK, set[str]()
    for seconds, (call, turn) in enumerate(told, 20):
        before = known
        known = run(known, [hook(seconds, PlanTaken(call, turn))])
        if turn not in before.past_turns:
            counted.add(call)
        assert known.plans_taken == len(counted)


# --- a CLI whose hook alone asks, whose title flickers and whose screen says when it is ready -------------------

CODEX = Rules(screen_tells_ready=True, record=True)
SHOWN = signals.BecameReady(after(1), "its composer is shown", Source.SCREEN)
HELD = run(
    activity(STARTING),
    [SHOWN, Entered(after(2), PROMPT), hook(2.1, SessionBegan("c1")), hook(2.2, PromptTaken("one")),
     title(2.3, Meaning.BUSY), hook(3, Asked("Run it?", turn="one", shown=False))],
    CODEX,
)  # fmt: skip


def test_a_spinner_before_the_first_prompt_is_no_turn() -> None:
    begun = run(activity(STARTING), [title(0.5, Meaning.BUSY), title(0.6, Meaning.IDLE), SHOWN], CODEX)
    assert is_(begun, Idle)
    again = [title(1.1, Meaning.BUSY), title(1.2, Meaning.IDLE), Settled(after(1.2 + PATIENCE))]
    assert is_(run(begun, again, CODEX), Idle)


def test_its_title_is_borne_with_before_any_hook_has_spoken() -> None:
    prompted = run(activity(STARTING), [SHOWN, Entered(after(2), PROMPT), title(2.1, Meaning.BUSY)], CODEX)
    flickers = run(prompted, [title(2.2, Meaning.IDLE)], CODEX)
    assert is_(flickers, Running)
    assert is_(run(flickers, [Settled(after(2.2 + PATIENCE))], CODEX), Idle, 1)  # its hooks may be switched off
    assert is_(run(prompted, [title(2.2, Meaning.IDLE)], BARE), Idle, 1)


def test_the_conversation_that_it_says_it_is_in_is_kept() -> None:
    assert HELD.conversation_id == "c1"
    assert run(HELD, [hook(9, SessionBegan(None))], CODEX).conversation_id == "c1"
    assert run(HELD, [hook(9, SessionBegan("c2"))], CODEX).conversation_id == "c2"


def test_what_only_its_hook_asks_is_asked_however_busy_its_title_is() -> None:
    assert HELD.state == Asking(HELD.state.proof, "Run it?", shown=False)
    assert run(HELD, [Settled(after(3 + LONG)), title(3.5, Meaning.BUSY)], CODEX).state == HELD.state
    answered = run(HELD, [signals.HookAnswered(after(9), "Run it?")], CODEX)
    assert is_(answered, Running)
    assert run(HELD, [signals.HookAnswered(after(9), "Another?")], CODEX).state == HELD.state


def test_once_its_dialog_is_shown_the_title_tells_of_it_again() -> None:
    shown = run(HELD, [title(9, Meaning.ASKING)], CODEX)
    assert shown.state == Asking(HELD.state.proof, "Run it?")
    assert run(shown, [signals.HookAnswered(after(9.5), "Run it?")], CODEX).state == shown.state
    assert is_(run(shown, [title(10, Meaning.BUSY)], CODEX), Running)


def test_an_interrupt_while_its_hook_asks_is_seen() -> None:
    over = run(HELD, [title(9, Meaning.IDLE), Settled(after(9 + PATIENCE), TurnStopped())], CODEX)
    assert is_(over, Idle, 1)
    assert over.interrupted


@pytest.mark.parametrize("end", [None, TurnDone(), TurnBroke("too bad", after(99)), TurnStopped()])
def test_its_record_tells_how_a_turn_ended_that_no_hook_tells_of(end: TurnEnd | None) -> None:
    begun = [SHOWN, Entered(after(2), PROMPT), hook(2.1, PromptTaken("one")), title(2.2, Meaning.BUSY)]
    at_work = run(activity(STARTING), begun, CODEX)
    over = run(at_work, [title(9, Meaning.IDLE), Settled(after(9 + PATIENCE), end)], CODEX)
    assert is_(over, Idle, 1)
    assert over.interrupted is (end is None or isinstance(end, TurnStopped))
    assert (over.turn_error, over.limit_until) == (
        ("too bad", after(99)) if isinstance(end, TurnBroke) else (None, None)
    )
