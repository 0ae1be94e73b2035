"""What is remembered by key, and for how long."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from supervisor.domain.errors import Invalid
from supervisor.web.glue import JSON, Reply
from supervisor.web.keys import KEPT, ROOM, Asked, Keys

ASKED = Asked.of("POST", "/tickets", b"", b"{}")


class Acts:
    """Counts how often it was done."""

    def __init__(self, status: int = 200) -> None:
        self.done = 0
        self._status = status

    async def __call__(self) -> Reply:
        self.done += 1
        await trio.sleep(1)
        return Reply(self._status, str(self.done).encode(), JSON)


async def ask(keys: Keys, acts: Acts, nursery: trio.Nursery, key: str = "k", asked: Asked = ASKED) -> bytes:
    def spawn(act: Callable[[], Awaitable[None]]) -> None:
        nursery.start_soon(act)

    return (await keys.once(key, asked, acts, spawn)).content


async def test_two_who_ask_at_once_get_one_act(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    keys, acts = Keys(), Acts()
    answers: list[bytes] = []

    async def one() -> None:
        answers.append(await ask(keys, acts, nursery))

    async with trio.open_nursery() as both:
        both.start_soon(one)
        both.start_soon(one)
    assert (answers, acts.done) == ([b"1", b"1"], 1)


async def test_an_answer_is_kept_for_a_while_only(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    keys, acts = Keys(), Acts()
    assert await ask(keys, acts, nursery) == b"1"
    await trio.sleep(KEPT - 2)
    assert await ask(keys, acts, nursery) == b"1"
    await trio.sleep(2)
    assert await ask(keys, acts, nursery) == b"2"


async def test_there_is_room_for_so_many(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    keys, acts = Keys(), Acts()
    await ask(keys, acts, nursery, "k0")
    async with trio.open_nursery() as many:
        for number in range(1, ROOM + 1):
            many.start_soon(ask, keys, acts, nursery, f"k{number}")
    assert acts.done == ROOM + 1
    await ask(keys, acts, nursery, f"k{ROOM}")
    assert acts.done == ROOM + 1
    await ask(keys, acts, nursery, "k0")
    assert acts.done == ROOM + 2


async def test_a_refusal_is_not_kept(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    keys, acts = Keys(), Acts(409)
    await ask(keys, acts, nursery)
    await ask(keys, acts, nursery)
    assert acts.done == 2


async def test_a_key_belongs_to_one_request(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    keys, acts = Keys(), Acts()
    await ask(keys, acts, nursery)
    others = (
        Asked.of("POST", "/tickets", b"", b"{ }"),
        Asked.of("POST", "/tickets", b"a=1", b"{}"),
        Asked.of("POST", "/queue/pause", b"", b"{}"),
        Asked.of("PATCH", "/tickets", b"", b"{}"),
    )
    for other in others:
        with pytest.raises(Invalid, match="another request"):
            await ask(keys, acts, nursery, asked=other)
    assert acts.done == 1


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 129, "a\n"])
async def test_malformed_keys(key: str, nursery: trio.Nursery) -> None:
    with pytest.raises(Invalid, match="malformed"):
        await ask(Keys(), Acts(), nursery, key)


async def test_an_act_that_is_cut_off_is_said_to_be_and_may_be_asked_again(autojump_clock: MockClock) -> None:
    keys, acts = Keys(), Acts()
    answers: list[bytes] = []

    async def one() -> None:
        answers.append(await ask(keys, acts, acting))

    async with trio.open_nursery() as asking, trio.open_nursery() as acting:
        asking.start_soon(one)
        await trio.sleep(0.5)
        acting.cancel_scope.cancel()
    assert b"stopped meanwhile" in answers[0]
    async with trio.open_nursery() as acting:
        await one()
    assert acts.done == 2
