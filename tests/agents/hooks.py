"""Receives the hooks that an agent CLI posts, and answers them as a test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from attrs import define, field

from tests.fakes.model.http import Exchange, serve
from tests.fakes.seen import Seen

Json = dict[str, Any]


@define(eq=False)
class Hook:
    """One hook that was called."""

    name: str
    payload: Json
    at: float
    """Monotonic seconds."""
    held: bool = False
    closed: float | None = None
    """When the CLI closed the connection of a held hook, unanswered."""
    _answer: Json = field(factory=dict, repr=False)
    _decided: trio.Event = field(factory=trio.Event, repr=False)

    def answer(self, answer: Json) -> None:
        """Let go of a held hook."""
        self._answer = answer
        self._decided.set()

    async def wait(self) -> Json:
        await self._decided.wait()
        return self._answer


class Hooks:
    """All hooks called so far; answered `{}` at once, unless their event is in `answers` or `held`."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: Seen[Hook] = Seen()
        self.answers: dict[str, Json] = {}
        self.held: set[str] = set()

    @property
    def names(self) -> list[str]:
        return [hook.name for hook in self.seen.entries]

    def mark(self) -> int:
        """Where the next hook will stand."""
        return len(self.seen)

    async def until(
        self, name: str, *, since: int = 0, within: float = 20.0, met: Callable[[Hook], bool] = lambda _: True
    ) -> Hook:
        return await self.seen.until(lambda hook: hook.name == name and met(hook), since=since, within=within)

    def settings(self, *events: str, timeout: float = 86400) -> Json:
        """Settings for Claude Code in which these events are posted here."""
        hook = {"type": "http", "url": self.url, "timeout": timeout}
        return {"hooks": {event: [{"hooks": [hook]}] for event in events}}

    async def handle(self, exchange: Exchange) -> None:
        payload = exchange.request.json()
        name = str(payload.get("hook_event_name"))
        hook = Hook(name, payload, trio.current_time(), held=name in self.held)
        self.seen.add(hook)
        if not hook.held:
            await exchange.json(self.answers.get(name, {}))
            return
        try:
            await exchange.json(await hook.wait())
        finally:
            if exchange.peer_gone.is_set():
                hook.closed = trio.current_time()
                self.seen.touch()


@asynccontextmanager
async def receiving() -> AsyncIterator[Hooks]:
    """Receive hooks on loopback until the block ends."""
    hooks = Hooks()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(partial(serve, hooks.handle))
        hooks.url = f"http://127.0.0.1:{port}/hook"
        try:
            yield hooks
        finally:
            nursery.cancel_scope.cancel()
