"""Records read by their ids: those that are asked for while others are on their way go together in the next request."""

from collections.abc import Mapping, Sequence
from functools import partial

import trio
from attrs import define, field

from supervisor.actors.kit import Bell, Reply
from supervisor.actors.sync.standing import Standing
from supervisor.domain.errors import BoardError, Unavailable
from supervisor.domain.ticket import BoardTicket

DEADLINE = 60.0
MOST = 200
"""Records of one batch."""


@define
class _Asked:
    ids: Sequence[str]
    reply: Reply[Mapping[str, BoardTicket | None]] = field(factory=Reply)
    given_up: bool = False


class Rereads:
    """One board's records by their ids."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._bell = Bell()
        self._waiting: list[_Asked] = []

    async def one(self, external_id: str) -> BoardTicket | None:
        """Raises BoardError; the caller has a deadline."""
        return (await self.many([external_id]))[external_id]

    async def many(self, external_ids: Sequence[str]) -> Mapping[str, BoardTicket | None]:
        """Raises BoardError; the caller has a deadline, or waits for a few of ours."""
        asked = _Asked(tuple(external_ids))
        self._waiting.append(asked)
        self._bell.ring()
        try:
            return await asked.reply.wait()
        finally:
            asked.given_up = True

    async def run(self) -> None:
        while True:
            if not self._waiting:
                await self._bell.wait()
            await trio.lowlevel.checkpoint()  # whoever asks in the same breath is served, too
            served = self._next_batch()
            try:
                await self._serve(served)
            except BoardError as error:
                for asked in served:
                    asked.reply.fail(error)
            finally:
                for asked in served:
                    asked.reply.fail(Unavailable(f"the sync of {self._standing.name} was interrupted"))

    def _next_batch(self) -> list[_Asked]:
        waiting = [each for each in self._waiting if not each.given_up]
        served: list[_Asked] = []
        while waiting and (not served or sum(len(each.ids) for each in served) + len(waiting[0].ids) <= MOST):
            served.append(waiting.pop(0))
        self._waiting = waiting
        return served

    async def _serve(self, served: Sequence[_Asked]) -> None:
        ids = list(dict.fromkeys(each for asked in served for each in asked.ids))
        if not ids:
            return
        read = partial(self._standing.provider.reread_many, ids)
        found = await self._standing.ask(read, DEADLINE)
        for asked in served:
            asked.reply.give({each: found.get(each) for each in asked.ids})
