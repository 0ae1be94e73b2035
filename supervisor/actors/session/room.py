"""Whether a text may be typed into an agent's composer now: never to what a person has typed there."""

import trio

from supervisor.actors.session.typist import Typist
from supervisor.domain.agent import Activity, Delivery, Idle, Source
from supervisor.domain.delivery import HELD, is_put_back

CALM = 1.0
"""Seconds that a composer has to stay empty after a person has typed in it: they may only be rewriting it."""


class Room:
    """A part of the session actor: used in its task only."""

    def __init__(self, typist: Typist) -> None:
        self._typist = typist
        self._empty_since: float | None = None

    def next_look(self) -> float | None:
        """Seconds until a held text may be typed, if the composer stays empty; None where only output can tell."""
        due = self._empty_since + CALM - trio.current_time() if self._empty_since is not None else 0.0
        return due if due > 0 else None

    async def is_free(self, delivery: Delivery, activity: Activity, last: Delivery | None) -> bool:
        """Whether nothing stands where this text is to go. `last` is what was entered before it.

        A CLI that is stopped early may have put that back: it is removed, and nothing else ever is.
        """
        shown = await self._typist.composer()
        state = activity.state
        stopped = isinstance(state, Idle) and state.proof.source is not Source.HOOK and activity.turns_ended > 0
        if shown and stopped and last is not None and is_put_back(shown, last.text):
            await self._typist.clear()
            shown = await self._typist.composer()
        if shown:
            self._empty_since = None
            return False
        if delivery.reason == HELD:
            if self._empty_since is None:
                self._empty_since = trio.current_time()
            if trio.current_time() < self._empty_since + CALM:
                return False
        self._empty_since = None
        return True
