"""What every actor is made of: answers always come, bells lose nothing, and crashes stay in their fence."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from attrs import frozen

from supervisor.actors.kit import Bell, Inbox, Reply, Watch, ask, supervise
from supervisor.domain.errors import ActorGone, Conflict, TooSlow

Clock = trio.testing.MockClock


@frozen
class Double:
    number: int
    reply: Reply[int]


def doubling(inbox: Inbox[Double], served: int | None = None) -> Callable[[], Awaitable[None]]:
    """An actor that doubles numbers, refuses 13 and crashes at 666; it returns after `served` messages."""

    async def run() -> None:
        left = served
        while left is None or left > 0:
            message = await inbox.get()
            left = None if left is None else left - 1
            with message.reply.answering():
                if message.number == 13:
                    raise Conflict("13 is not doubled")
                if message.number == 666:
                    raise ZeroDivisionError
                if message.number:
                    message.reply.give(message.number * 2)

    return run


def asking(inbox: Inbox[Double], number: int, within: float = 10) -> Awaitable[int]:
    return ask(inbox, lambda reply: Double(number, reply), within=within)


# --- asking --------------------------------------------------------------------------------------


async def test_an_ask_is_answered_and_a_refusal_is_an_answer(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    inbox: Inbox[Double] = Inbox("doubler")
    nursery.start_soon(doubling(inbox))
    assert await asking(inbox, 21) == 42
    with pytest.raises(Conflict, match="13 is not doubled"):
        await asking(inbox, 13)
    assert await asking(inbox, 1) == 2


async def test_who_crashes_answers_before_it_goes_down(autojump_clock: Clock) -> None:
    inbox: Inbox[Double] = Inbox("doubler")
    with trio.fail_after(5), pytest.RaisesGroup(ZeroDivisionError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(doubling(inbox))
            with pytest.raises(ActorGone, match="crashed while it worked"):
                await asking(inbox, 666)


async def test_who_forgets_to_answer_answers_all_the_same(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    inbox: Inbox[Double] = Inbox("doubler")
    nursery.start_soon(doubling(inbox))
    with pytest.raises(ActorGone, match="dropped without an answer"):
        await asking(inbox, 0)


async def test_a_failure_after_the_answer_is_a_crash_and_not_swallowed(autojump_clock: Clock) -> None:
    reply: Reply[int] = Reply()

    def serve() -> None:
        with reply.answering():
            reply.give(1)
            raise Conflict("too late")

    with pytest.raises(Conflict, match="too late"):
        serve()
    assert await reply.wait() == 1


async def test_only_the_first_answer_counts(autojump_clock: Clock) -> None:
    reply: Reply[int] = Reply()
    reply.give(1)
    reply.give(2)
    reply.fail(Conflict("x"))
    assert reply.given
    assert await reply.wait() == 1


@pytest.mark.parametrize("full", [False, True])
async def test_an_ask_has_a_deadline_wherever_it_waits(autojump_clock: Clock, full: bool) -> None:
    inbox: Inbox[Double] = Inbox("doubler", size=0 if full else 1)
    began = trio.current_time()
    with pytest.raises(TooSlow, match=r"doubler did not answer within 2\.5 s"):
        await asking(inbox, 1, within=2.5)
    assert trio.current_time() - began == pytest.approx(2.5)


async def test_a_question_outlives_a_restart_of_who_is_asked(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    inbox: Inbox[Double] = Inbox("doubler")
    nursery.start_soon(supervise, "doubler", doubling(inbox))
    answers: list[int] = []

    async def one(number: int) -> None:
        answers.append(await asking(inbox, number))

    async def crash() -> None:
        with pytest.raises(ActorGone):
            await asking(inbox, 666)

    async with trio.open_nursery() as askers:
        for ask_one in (crash, partial(one, 1), partial(one, 2)):
            askers.start_soon(ask_one)
    assert sorted(answers) == [2, 4]


async def test_an_asker_that_gives_up_is_answered_to_nobody(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    inbox: Inbox[Double] = Inbox("doubler")
    with trio.move_on_after(1):
        await asking(inbox, 1)
    nursery.start_soon(doubling(inbox))
    assert await asking(inbox, 2) == 4


# --- inboxes -------------------------------------------------------------------------------------


async def test_draining_fails_who_waits_who_stands_at_the_door_and_who_comes_late(autojump_clock: Clock) -> None:
    inbox: Inbox[Double] = Inbox("doubler", size=1)
    failed: list[str] = []

    async def one(number: int) -> None:
        try:
            await asking(inbox, number, within=60)
        except ActorGone as gone:
            failed.append(f"{number}: {gone}")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(one, number)
            await trio.testing.wait_all_tasks_blocked()
            inbox.drain(lambda message, error: message.reply.fail(error))
        await one(4)
    assert sorted(failed) == [f"{number}: doubler has ended" for number in (1, 2, 3, 4)]
    inbox.drain(lambda message, error: message.reply.fail(error))
    assert inbox.get_nowait() is None


async def test_a_message_rings_the_bell_and_a_full_inbox_makes_the_sender_wait(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    bell = Bell()
    inbox: Inbox[int] = Inbox("i", 2, bell)
    for number in range(5):
        nursery.start_soon(inbox.put, number)
    await trio.testing.wait_all_tasks_blocked()
    with trio.fail_after(1):
        await bell.wait()
    assert len(nursery.child_tasks) == 3
    seen = [inbox.get_nowait() for _ in range(5)]
    assert sorted(each for each in seen if each is not None) == [0, 1, 2, 3, 4]
    assert inbox.get_nowait() is None


# --- bells ---------------------------------------------------------------------------------------


async def test_rings_coalesce_and_wake_once(autojump_clock: Clock) -> None:
    bell = Bell()
    for _ in range(3):
        bell.ring()
    with trio.fail_after(1):
        await bell.wait()
    with trio.move_on_after(1) as scope:
        await bell.wait()
    assert scope.cancelled_caught


async def test_a_ring_while_the_work_is_done_is_there_at_the_next_wait(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    bell = Bell()
    looks: list[int] = []
    truth: list[int] = []

    async def worker() -> None:
        while True:
            await bell.wait()
            seen = len(truth)
            await trio.sleep(1)  # the work; whatever rings meanwhile must not be lost
            looks.append(seen)

    nursery.start_soon(worker)
    for number in range(5):
        truth.append(number)
        bell.ring()
        await trio.sleep(0.4)
    await trio.sleep(10)
    assert looks[-1] == len(truth)
    assert len(looks) < 5


async def test_a_wait_that_is_cancelled_takes_no_ring_with_it(autojump_clock: Clock) -> None:
    bell = Bell()
    bell.ring()
    with trio.CancelScope() as scope:
        scope.cancel()
        await bell.wait()
    bell.ring()
    await bell.wait_until(0)
    with trio.fail_after(1):
        await bell.wait()


async def test_a_bell_wakes_all_who_wait_and_loses_none_of_what_the_first_one_does(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    bell = Bell()
    woken: list[str] = []

    async def waiter(name: str) -> None:
        await bell.wait()
        woken.append(name)
        if len(woken) == 1:
            bell.ring()

    nursery.start_soon(waiter, "a")
    nursery.start_soon(waiter, "b")
    await trio.testing.wait_all_tasks_blocked()
    bell.ring()
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(woken) == ["a", "b"]
    with trio.fail_after(1):
        await bell.wait()


@pytest.mark.parametrize(("seconds", "took"), [(None, 3), (5, 3), (3.5, 3), (2, 2), (0, 0), (-1, 0)])
async def test_a_wait_may_end_by_itself(
    autojump_clock: Clock, nursery: trio.Nursery, seconds: float | None, took: float
) -> None:
    bell = Bell()

    async def ringer() -> None:
        await trio.sleep(3)
        bell.ring()

    nursery.start_soon(ringer)
    began = trio.current_time()
    await bell.wait_until(seconds)
    assert trio.current_time() - began == pytest.approx(took)


# --- watches -------------------------------------------------------------------------------------


async def test_a_watch_is_read_at_once_and_awaited_for_what_is_met(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    watch = Watch(0)
    assert await watch.until(lambda value: value == 0) == 0

    async def count() -> None:
        for value in range(1, 6):
            await trio.sleep(1)
            watch.set(value)

    nursery.start_soon(count)
    began = trio.current_time()
    assert await watch.until(lambda value: value >= 3) == 3
    assert trio.current_time() - began == pytest.approx(3)
    with trio.move_on_after(10) as scope:
        await watch.until(lambda value: value > 9)
    assert scope.cancelled_caught
    assert watch.value == 5


async def test_who_follows_a_watch_sees_the_newest_value_and_skips_what_it_was_too_slow_for(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    watch = Watch(0)
    seen: list[int] = []

    async def follow() -> None:
        async for value in watch.values():
            seen.append(value)
            await trio.sleep(1)

    nursery.start_soon(follow)
    await trio.testing.wait_all_tasks_blocked()
    for value in range(1, 6):
        watch.set(value)
    await trio.sleep(10)
    assert seen == [0, 5]


# --- the fence -----------------------------------------------------------------------------------


class Crashing:
    """An actor that does one thing after the other: raises, waits, returns."""

    def __init__(self, *plan: Any) -> None:
        self.plan = list(plan)
        self.starts: list[float] = []

    async def __call__(self) -> None:
        self.starts.append(trio.current_time())
        step = self.plan.pop(0) if self.plan else None
        if isinstance(step, BaseException):
            raise step
        if step == "wait":
            await trio.sleep_forever()
        if isinstance(step, float):
            await trio.sleep(step)
            raise OSError("later")


async def test_a_crash_is_told_and_followed_by_a_restart(autojump_clock: Clock) -> None:
    actor = Crashing(OSError("a"), ExceptionGroup("g", [ValueError("b")]), "wait")
    told: list[tuple[str, str]] = []

    async def crashed(name: str, error: Exception) -> None:
        told.append((name, type(error).__name__))

    with trio.move_on_after(30) as scope:
        await supervise("x", actor, crashed=crashed)
    assert scope.cancelled_caught
    assert told == [("x", "OSError"), ("x", "ExceptionGroup")]
    assert len(actor.starts) == 3


async def test_restarts_come_slower_and_slower_and_the_fifth_crash_in_a_minute_is_the_last(
    autojump_clock: Clock,
) -> None:
    actor = Crashing(*(OSError(str(number)) for number in range(9)))
    with pytest.raises(OSError, match="4"):
        await supervise("x", actor)
    assert len(actor.starts) == 5
    waits = [later - earlier for earlier, later in zip(actor.starts, actor.starts[1:], strict=False)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8], rel=0.11)


async def test_crashes_of_long_ago_do_not_count(autojump_clock: Clock) -> None:
    actor = Crashing(*[20.0] * 12, "wait")
    with trio.move_on_after(1000) as scope:
        await supervise("x", actor)
    assert scope.cancelled_caught
    assert len(actor.starts) == 13


async def test_being_cancelled_is_no_crash(autojump_clock: Clock) -> None:
    actor = Crashing("wait")
    with trio.move_on_after(1) as scope:
        await supervise("x", actor)
    assert scope.cancelled_caught
    assert len(actor.starts) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("g", [KeyboardInterrupt(), OSError()])])
async def test_what_is_no_exception_passes(autojump_clock: Clock, error: BaseException) -> None:
    actor = Crashing(error, "wait")
    with pytest.raises(type(error)):
        await supervise("x", actor)
    assert len(actor.starts) == 1


async def test_a_permanent_actor_that_returns_is_an_error_and_a_passing_one_is_done(autojump_clock: Clock) -> None:
    actor = Crashing()
    with pytest.raises(RuntimeError, match="x returned although it should run for ever"):
        await supervise("x", actor)
    assert len(actor.starts) == 1
    passing = Crashing(OSError("a"))
    await supervise("x", passing, permanent=False)
    assert len(passing.starts) == 2


async def test_a_crash_that_cannot_be_told_is_followed_by_a_restart_all_the_same(autojump_clock: Clock) -> None:
    async def crashed(name: str, error: Exception) -> None:
        raise ActorGone("the store has ended")

    actor = Crashing(OSError("a"), "wait")
    with trio.move_on_after(30) as scope:
        await supervise("x", actor, crashed=crashed)
    assert scope.cancelled_caught
    assert len(actor.starts) == 2
