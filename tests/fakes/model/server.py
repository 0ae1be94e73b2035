"""The stand-in as a whole: takes requests, keeps the log, and lets the dialect that knows one answer it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType
from typing import Any

import trio
from attrs import define, field

from tests.fakes.model import anthropic, completions, responses
from tests.fakes.model.http import Drop, Exchange, Request, serve
from tests.fakes.model.script import Cut, Dialogue, Move, Say, Status, next_moves, turn_moves
from tests.fakes.seen import Seen

DIALECTS: tuple[ModuleType, ...] = (anthropic, responses, completions)
"""Each has `claims`, `greet`, `read`, `refuse` and `speak`."""
TITLE = Say("Rehearse the play")
"""What all side requests are answered, for a conversation's title and for what might be typed next."""


@define(eq=False)
class Asked:
    """One request for the model, and what became of it."""

    number: int
    dialogue: Dialogue
    moves: tuple[Move, ...]
    body: dict[str, Any] = field(repr=False)
    at: float
    """Monotonic seconds."""
    outcome: str = "open"
    """`open`, `answered`, `dropped`, `cut` by the client, or `status CODE`."""

    @property
    def prompt(self) -> str:
        """The last prompt, exactly as it reached the model."""
        return self.dialogue.prompts[-1] if self.dialogue.prompts else ""

    @property
    def side(self) -> bool:
        return self.dialogue.side


class Model:
    """What tests hold."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Seen[Asked] = Seen()
        """All requests for the model, side requests too. Waiters are woken when one comes and when one ends."""
        self.strays: list[Request] = []
        """Requests that no dialect knows; a CLI whose proxy we are shows here what else it wanted to reach."""
        self._served: set[tuple[str, int, int]] = set()
        """Faults that were had: conversation, turn, place in the turn."""

    def of(self, conversation: str) -> list[Asked]:
        """The requests of one conversation's script, in order."""
        return [each for each in self.asked.entries if each.dialogue.conversation == conversation and not each.side]

    async def until(self, met: Callable[[Asked], bool], *, since: int = 0, within: float = 20.0) -> Asked:
        """Wait for a request of a script (no side request), or for what becomes of it."""
        return await self.asked.until(lambda each: not each.side and met(each), since=since, within=within)

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        for dialect in DIALECTS:
            if dialect.claims(exchange.request):
                if not await dialect.greet(exchange):
                    await self._play(dialect, exchange)
                return
        self.strays.append(exchange.request)
        await exchange.json({"error": "the stand-in knows no such address"}, 404)

    async def _play(self, dialect: ModuleType, exchange: Exchange) -> None:
        dialogue: Dialogue = dialect.read(exchange.request)
        moves = self._moves(dialogue)
        asked = Asked(
            number=len(self.asked),
            dialogue=dialogue,
            moves=tuple(move for _, move in moves),
            body=exchange.request.json(),
            at=trio.current_time(),
        )
        self.asked.add(asked)
        outcome = "cut"
        try:
            status = next((move for _, move in moves if isinstance(move, Status)), None)
            if status is not None:
                await dialect.refuse(exchange, status)
                outcome = f"status {status.code}"
            else:
                await dialect.speak(exchange, dialogue, moves)
                outcome = "answered"
        except Drop:
            outcome = "dropped"
            raise
        finally:
            asked.outcome = outcome
            self.asked.touch()

    def _moves(self, dialogue: Dialogue) -> list[tuple[int, Move]]:
        if dialogue.side:
            return [(0, TITLE)]
        turn = len(dialogue.prompts)
        chosen = list[tuple[int, Move]]()
        for place, move in next_moves(turn_moves(dialogue.prompts), len(dialogue.results)):
            if not isinstance(move, (Status, Cut)):
                chosen.append((place, move))
            elif (dialogue.conversation, turn, place) not in self._served:
                self._served.add((dialogue.conversation, turn, place))
                return [*chosen, (place, move)]
        return chosen


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Model]:
    """A stand-in on loopback until the block ends."""
    model = Model()
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(partial(serve, model.handle, port))
        model.url = f"http://127.0.0.1:{bound}"
        try:
            yield model
        finally:
            nursery.cancel_scope.cancel()
