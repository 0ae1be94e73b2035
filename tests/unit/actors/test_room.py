"""When a text may be typed into a composer: what a person has typed there is neither added to nor removed."""

from typing import Any

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from supervisor.actors.session.room import CALM, Room
from supervisor.actors.session.typist import Typist
from supervisor.domain.agent import Activity, DeliveryState, Idle, Proof, Source
from supervisor.domain.delivery import HELD
from tests.unit.domain.samples import NOON, activity, delivery

OURS = "Please do this.\nAnd that."
STOPPED = activity(Idle(Proof(NOON, Source.STATUS, "its status file says idle")), 1)
ENDED = activity(Idle(Proof(NOON, Source.HOOK, "its turn is over")), 1)
READY = activity(Idle(Proof(NOON, Source.STATUS, "its status file says idle")))
NEXT, LAST = delivery(DeliveryState.PENDING), evolve(delivery(DeliveryState.DELIVERED), text=OURS)


class Terminal:
    """A session and its driver in one: what a typist needs of both ports to see a composer and to empty it."""

    clear_keys = ("C-c",)
    exit = lost = None

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.end = 0

    async def screen(self, *, styled: bool = False) -> str:
        await trio.lowlevel.checkpoint()
        return ""

    def composer(self, screen: str) -> str | None:
        return self.text

    async def press(self, *keys: str) -> None:
        await trio.lowlevel.checkpoint()
        assert keys == self.clear_keys
        self.text, self.end = "", self.end + 1


def room(terminal: Terminal) -> Room:
    both: Any = terminal
    return Room(Typist(both, both))


@pytest.mark.parametrize(
    ("text", "state", "free", "left"),
    [
        ("", ENDED, True, ""),
        (None, ENDED, True, None),
        ("half a thou", ENDED, False, "half a thou"),
        ("half a thou", STOPPED, False, "half a thou"),
        (f"{OURS} And more.", STOPPED, False, f"{OURS} And more."),
        ("Please do this.\n  And that.", STOPPED, True, ""),  # as it was put back
        (OURS, ENDED, False, OURS),  # taken out of its history by a person
        (OURS, READY, False, OURS),
    ],
)
async def test_only_a_prompt_that_was_put_back_is_removed(
    text: str | None, state: Activity, free: bool, left: str | None
) -> None:
    terminal = Terminal(text)
    assert await room(terminal).is_free(NEXT, state, LAST) is free
    assert terminal.text == left


async def test_after_a_person_has_typed_the_composer_has_to_stay_empty_for_a_while(autojump_clock: MockClock) -> None:
    terminal, held = Terminal("half"), evolve(NEXT, reason=HELD)
    found = room(terminal)
    assert not await found.is_free(NEXT, ENDED, LAST)
    assert found.next_look() is None  # only output can tell that it is empty
    terminal.text = ""
    assert not await found.is_free(held, ENDED, LAST)
    assert found.next_look() == pytest.approx(CALM)
    await trio.sleep(0.9 * CALM)
    terminal.text = "once more"
    assert not await found.is_free(held, ENDED, LAST)
    terminal.text = ""
    await trio.sleep(0.9 * CALM)
    assert not await found.is_free(held, ENDED, LAST)
    wait = found.next_look()
    assert wait is not None
    await trio.sleep(wait)
    assert await found.is_free(held, ENDED, LAST)
    assert found.next_look() is None
