"""A bell's proof that the one who waits at it still comes round."""

import trio
from trio.testing import MockClock

from supervisor.actors.kit import Bell


async def test_a_ring_is_heard_by_one_who_comes_round(autojump_clock: MockClock) -> None:
    bell, rounds = Bell(), []

    async def actor() -> None:
        while True:
            await bell.wait()
            rounds.append(trio.current_time())
            await trio.sleep(3)  # at work

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
        await bell.heard()
        began = trio.current_time()
        await bell.heard()
        assert (len(rounds), trio.current_time() - began) == (2, 3.0)
        nursery.cancel_scope.cancel()


async def test_a_stuck_one_never_hears(autojump_clock: MockClock) -> None:
    bell = Bell()

    async def actor() -> None:
        await bell.wait()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
        await bell.heard()
        with trio.move_on_after(1000) as scope:
            await bell.heard()
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()
