"""A hundred subscribers at a hundred events a second, and ten more that never read."""

import json
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trio

from tests.bench import usage
from tests.bench.crowd import Crowd
from tests.bench.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
METRONOMES = 25
EVENTS = 100
SUBSCRIBERS = 100
STALLED = 10
PROCESSES = 2
ROUNDS = 3
WATCHED = 6.0
"""Seconds of each round."""


@pytest.mark.parametrize("crowd", [100], indirect=True)
@pytest.mark.parametrize("stalled", [0, STALLED])
async def test_subscribers(crowd: Crowd, figures: Figures, stalled: int) -> None:
    async with crowd.place.client() as client:
        await crowd.add_beats(client, METRONOMES)
        every = METRONOMES / EVENTS
        await crowd.order(client, lambda number: f"titles {every} {every * number / METRONOMES:.3f}")
        before, began = usage.seconds([crowd.daemon()]), monotonic()
        told: list[dict[str, Any]] = []
        for _ in range(ROUNDS):
            async with trio.open_nursery() as nursery:
                for _ in range(PROCESSES):
                    nursery.start_soon(_listen, crowd, stalled // PROCESSES, told)
        used = 100 * (usage.seconds([crowd.daemon()]) - before) / (monotonic() - began)
        await crowd.rest(client)
    assert all(len(set(one["counts"])) == 1 for one in told), "a subscriber missed something"
    rate = sum(one["counts"][0] for one in told) / len(told) / WATCHED
    rounds = [one["late"] for one in told]
    what = f"{SUBSCRIBERS} subscribers, {rate:.0f} events/s, {stalled} stalled beside them"
    figures.rounds(f"{what}: title to frame", rounds, "ms", 50, f"daemon's processor {used:.0f} %")


async def _listen(crowd: Crowd, stalled: int, told: list[dict[str, Any]]) -> None:
    port = crowd.place.stream_url.rsplit(":", 1)[1]
    argv = [sys.executable, "-S", str(Path(__file__).with_name("listeners.py"))]
    argv += [port, str(SUBSCRIBERS // PROCESSES), str(WATCHED), str(stalled)]
    done = await trio.run_process(argv, stdin=crowd.place.token.encode() + b"\n", capture_stdout=True)
    told.append(json.loads(done.stdout.splitlines()[-1]))
