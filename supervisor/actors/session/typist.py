"""The keyboard of one agent: text and keys go in so that the program gets them, each thing after the last."""

import math
from collections.abc import Awaitable, Callable

import trio

from supervisor.actors.kit import Bell
from supervisor.actors.session.handle import BACKEND_DEADLINE
from supervisor.domain.errors import BackendError
from supervisor.domain.hooks import TurnDone
from supervisor.domain.ids import DeliveryId
from supervisor.domain.review import Decision, Request
from supervisor.ports import AgentDriver, Session

ECHO_WAIT = 3.0
"""Seconds that a pasted text has to show up before Enter is pressed anyway.

An Enter that comes in the same breath as a session's first paste is swallowed by some CLIs: by Claude Code 2.1.197
5 times of 16, and under load also after it had printed anything else (9 of 24); with the paste in its composer 0 of 48.
"""
ECHO_QUIET = 0.3
"""Seconds without output that end that wait where no composer is found."""
SAVE_WAIT = 1.5
"""Seconds that a CLI has to write down its last turn before it is asked to leave (Claude Code 2.1.197: 0.1 to 0.3)."""
SAVE_LOOK = 0.05


class Typist:
    """A part of the session actor: used in its task, and at the end in the one that ends the agent."""

    def __init__(self, session: Session, driver: AgentDriver) -> None:
        self._session = session
        self._driver = driver
        self.grown = Bell()
        """Rung when the session has changed."""

    async def press(self, *keys: str) -> None:
        await _bounded(self._session.press(*keys))

    async def screen(self, *, styled: bool = False) -> str:
        """What the terminal shows now."""
        with trio.move_on_after(BACKEND_DEADLINE):
            return await self._session.screen(styled=styled)
        raise BackendError(f"the terminal backend did not answer within {BACKEND_DEADLINE:g} s")

    async def keys_for(self, request: Request, decision: Decision) -> tuple[str, ...] | None:
        """What carries a decision out at the dialog on the screen; None if it is not certainly the request's."""
        return self._driver.keys_for(request, decision, await self.screen())

    async def paste(self, delivery_id: DeliveryId, text: str) -> None:
        """Put a text into the program's input, and wait until it shows it."""
        before = await self.composer()
        typing = self._session.type(delivery_id, text)
        await self._until_echo(typing, lambda composer: composer not in (None, "", before))

    async def enter(self, delivery_id: DeliveryId) -> None:
        await _bounded(self._session.submit(delivery_id))

    async def clear(self) -> None:
        """Empty the composer, if there is something in it."""
        if await self.composer():
            await self._until_echo(self._session.press(*self._driver.clear_keys), lambda composer: composer == "")

    async def composer(self) -> str | None:
        """What stands in the program's composer; None where it shows none, or none is known."""
        return self._driver.composer(await self.screen(styled=True)) if self._driver.clear_keys else None

    async def _until_echo(self, typing: Awaitable[None], met: Callable[[str | None], bool]) -> None:
        """Put something into the terminal and wait a while until the program shows it.

        Where composers are not known, anything that it prints then is taken for that; where one should be on the
        screen and is not, what it prints until it is quiet again.
        """
        before, patience = self._session.end, math.inf
        await _bounded(typing)
        with trio.move_on_after(ECHO_WAIT):
            while self._session.exit is None and self._session.lost is None:
                if self._session.end != before:
                    before = self._session.end
                    composer = await self.composer()
                    if not self._driver.clear_keys or met(composer):
                        return
                    patience = ECHO_QUIET if composer is None else math.inf
                with trio.move_on_after(patience) as quiet:
                    await self.grown.wait()
                if quiet.cancelled_caught:
                    return
            await trio.lowlevel.checkpoint()

    async def until_saved(self, conversation_id: str) -> None:
        """A CLI that leaves right after a turn may lose it, and then its conversation cannot be taken up again."""
        with trio.move_on_after(SAVE_WAIT):
            # Nothing rings when a file of the CLI's has grown.
            while not isinstance(self._driver.last_turn(conversation_id), TurnDone):  # noqa: ASYNC110
                await trio.sleep(SAVE_LOOK)
            await trio.lowlevel.checkpoint()


async def _bounded(call: Awaitable[None]) -> None:
    with trio.move_on_after(BACKEND_DEADLINE):
        await call
        return
    raise BackendError(f"the terminal backend did not answer within {BACKEND_DEADLINE:g} s")
