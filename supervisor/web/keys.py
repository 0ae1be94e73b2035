"""`Idempotency-Key`: a mutation that is sent again with the same key is done once.

Kept in memory only, for ten minutes: after a restart of the daemon a key is new again. What such a repeat may
still meet then is the ordinary check of each operation, such as 409 for a ticket that an agent already holds.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

import trio
from attrs import define, field, frozen

from supervisor.domain.errors import Invalid, Unavailable
from supervisor.web.glue import Reply, refused
from supervisor.web.problems import refusal_of

HEADER = "Idempotency-Key"
KEPT = 600.0
ROOM = 1000

_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
Spawn = Callable[[Callable[[], Awaitable[None]]], None]


@frozen
class Asked:
    """What makes two requests with one key the same."""

    method: str
    path: str
    digest: bytes

    @classmethod
    def of(cls, method: str, path: str, query: bytes, body: bytes) -> "Asked":
        return cls(method, path, hashlib.sha256(query + b"\n" + body).digest())


@define(eq=False)
class _Kept:
    asked: Asked
    since: float
    answered: trio.Event = field(factory=trio.Event)
    reply: Reply = field(factory=lambda: refused(refusal_of(Unavailable("Operator stopped meanwhile."))))


class Keys:
    """The answers given lately, by key. Full: the oldest is forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def once(self, key: str, asked: Asked, run: Callable[[], Awaitable[Reply]], spawn: Spawn) -> Reply:
        """The answer to the first request with this key, which may still be on its way.

        The act runs by itself: a caller that hangs up and asks again must not begin a second one. An answer
        that refuses is not kept, since nothing was done. Raises Invalid for a key that is malformed or was
        used for something else.
        """
        if _KEY.fullmatch(key) is None:
            raise Invalid("The key is malformed.", {HEADER: "expected 1 to 128 visible ASCII characters"})
        self._forget(trio.current_time())
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(asked, trio.current_time())
            spawn(partial(self._run, key, kept, run))
        elif kept.asked != asked:
            raise Invalid("The key was used for another request.", {HEADER: "use a new key for each request"})
        await kept.answered.wait()
        return kept.reply

    async def _run(self, key: str, kept: _Kept, run: Callable[[], Awaitable[Reply]]) -> None:
        try:
            kept.reply = await run()
        finally:
            kept.answered.set()
            if kept.reply.status >= HTTPStatus.BAD_REQUEST and self._kept.get(key) is kept:
                del self._kept[key]

    def _forget(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) < ROOM and now - oldest.since < KEPT:
                return
            self._kept.popitem(last=False)
