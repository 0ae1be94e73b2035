"""What every actor is made of: an inbox, one-shot replies, bells, and the fence it runs in."""

import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Generic, TypeVar

import structlog
import trio

from supervisor.domain.errors import ActorGone, OperatorError, TooSlow

T = TypeVar("T")
M = TypeVar("M")

log = structlog.get_logger()

Clock = Callable[[], datetime]
"""Tells the time. An argument everywhere, so that decisions can be tested at any time of day."""


def wall_clock() -> datetime:
    return datetime.now(UTC)


class Reply(Generic[T]):
    """A one-shot answer. Whoever serves the message calls `give` or `fail`; `Inbox` fails what is left over."""

    __slots__ = ("_error", "_event", "_value")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: T | None = None
        self._error: Exception | None = None

    @property
    def given(self) -> bool:
        return self._event.is_set()

    def give(self, value: T) -> None:
        if not self.given:
            self._value = value
            self._event.set()

    def fail(self, error: Exception) -> None:
        if not self.given:
            self._error = error
            self._event.set()

    async def wait(self) -> T:
        await self._event.wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # `give` stored a T

    @contextmanager
    def answering(self) -> Iterator[None]:
        """The serving side's scope: a deliberate failure inside is the answer; a crash answers too, and goes on."""
        try:
            yield
        except OperatorError as error:
            if self.given:
                raise  # too late to be an answer
            self.fail(error)
        except BaseException:
            self.fail(ActorGone("the part that was asked crashed while it worked on the request"))
            raise
        finally:
            self.fail(ActorGone("the request was dropped without an answer"))


class Inbox(Generic[M]):
    """A bounded mailbox that outlives the restarts of the actor behind it. Full: the sender waits."""

    def __init__(self, name: str, size: int = 64, bell: "Bell | None" = None) -> None:
        self.name = name
        self._bell = bell
        self._send, self._receive = trio.open_memory_channel[M](size)
        self._closed = False

    async def put(self, message: M) -> None:
        if self._closed:
            raise ActorGone(f"{self.name} has ended")
        try:
            await self._send.send(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ActorGone(f"{self.name} has ended") from None
        if self._bell is not None:
            self._bell.ring()

    async def get(self) -> M:
        return await self._receive.receive()

    def get_nowait(self) -> M | None:
        try:
            return self._receive.receive_nowait()
        except (trio.WouldBlock, trio.EndOfChannel):
            return None

    def drain(self, fail: Callable[[M, Exception], None]) -> None:
        """Close it, and fail what nobody will serve any more. Idempotent."""
        self._closed = True
        left: deque[M] = deque()
        while (message := self.get_nowait()) is not None:
            left.append(message)
        self._send.close()
        for message in left:
            fail(message, ActorGone(f"{self.name} has ended"))


async def ask(inbox: Inbox[M], make: Callable[[Reply[T]], M], *, within: float = 10.0) -> T:
    """Send a message that carries a reply, and wait for the answer. Raises TooSlow or ActorGone."""
    reply: Reply[T] = Reply()
    with trio.move_on_after(within):
        await inbox.put(make(reply))
        return await reply.wait()
    raise TooSlow(
        f"{inbox.name} did not answer within {within:g} s",
        hint="ask again; `operator watch` shows whether it happened",
    )


class Bell:
    """Says that something changed. Rings coalesce, and a lost ring is harmless: the truth is in the store."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._heard = trio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        """Until it was rung since the last wait."""
        event = self._event
        await event.wait()
        if self._event is event:
            self._event = trio.Event()
            heard, self._heard = self._heard, trio.Event()
            heard.set()

    async def heard(self) -> None:
        """Ring, and wait until whoever waits at the bell has come for it: for ever, if that one is stuck elsewhere."""
        self.ring()
        await self._heard.wait()

    async def wait_until(self, seconds: float | None) -> None:
        """Like `wait`, but also returns after `seconds`."""
        if seconds is None:
            await self.wait()
            return
        with trio.move_on_after(max(0.0, seconds)):
            await self.wait()


class Watch(Generic[T]):
    """An actor's latest frozen snapshot: read at once by anybody, and awaited for changes."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed = trio.Event()

    def set(self, value: T) -> None:
        self.value = value
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def until(self, met: Callable[[T], bool]) -> T:
        """Wait for a value for which `met` holds; the caller sets the deadline."""
        while not met(self.value):
            await self._changed.wait()
        return self.value

    async def values(self) -> AsyncIterator[T]:
        while True:
            changed = self._changed
            yield self.value
            await changed.wait()


DEATHS = 5
WINDOW = 60.0


async def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    crashed: Callable[[str, Exception], Awaitable[None]] | None = None,
    deaths: int = DEATHS,
    window: float = WINDOW,
    permanent: bool = True,
) -> None:
    """Run an actor; restart it from stored state when it raises Exception, with back-off.

    The last of `deaths` crashes within `window` seconds is raised: the caller decides what that ends.
    A permanent actor that returns is an error. Cancelled always passes.
    """
    crashes: deque[float] = deque()
    while True:
        error = await _run_once(name, run, permanent)
        if error is None:
            return
        crashes.append(trio.current_time())
        while crashes[-1] - crashes[0] > window:
            crashes.popleft()
        log.error("actor crashed", actor=name, crashes=len(crashes), exc_info=error)
        if crashed is not None:
            try:
                await crashed(name, error)
            except OperatorError as unheard:
                log.error("crash not recorded", actor=name, exc_info=unheard)
        if len(crashes) >= deaths:
            raise error
        await trio.sleep(min(0.05 * 2 ** len(crashes), 2.0) * random.uniform(0.9, 1.1))


async def _run_once(name: str, run: Callable[[], Awaitable[None]], permanent: bool) -> Exception | None:
    try:
        await run()
    except Exception as error:
        return error
    if permanent:
        raise RuntimeError(f"{name} returned although it should run for ever")
    return None
