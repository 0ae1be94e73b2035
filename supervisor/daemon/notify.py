"""What the service manager is told: that the daemon works, what it does, and that it is still alive.

systemd's protocol is a datagram of `NAME=value` lines to the socket in NOTIFY_SOCKET. Without one, nothing is told.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Mapping

import structlog
import trio
from attrs import frozen

from supervisor.domain.errors import OperatorError

TELL_WITHIN = 2.0
"""Seconds that a message may wait for the manager to take earlier ones."""
AGAIN_AFTER = 1.0

log = structlog.get_logger()

Proof = Callable[[], Awaitable[None]]
"""Returns when an actor has shown that it still works; a stuck one never returns."""


@frozen
class ServiceManager:
    """The service manager that started this process, if there is one."""

    address: str | None = None
    """Its socket: a path, or `@` and an abstract name."""
    watchdog: float | None = None
    """Seconds without a sign of life after which it kills this process; None: it does not watch."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "ServiceManager":
        """The one that `environ` speaks of. A watchdog that is meant for another process is not ours to feed."""
        address = environ.get("NOTIFY_SOCKET", "")
        meant_for = environ.get("WATCHDOG_PID", "")
        interval = environ.get("WATCHDOG_USEC", "")
        ours = meant_for in ("", str(os.getpid())) and interval.isdecimal() and int(interval) > 0
        return cls(address if address[:1] in ("/", "@") else None, int(interval) / 1e6 if ours else None)

    async def tell(self, *assignments: str) -> None:
        """Send one message, such as `READY=1`. A manager that does not listen is none of the daemon's troubles."""
        if self.address is None:
            return
        target = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        text = "\n".join(each.replace("\n", " ") for each in assignments)
        try:
            with trio.fail_after(TELL_WITHIN), trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                await channel.sendto(text.encode(), target)
        except (OSError, trio.TooSlowError) as error:
            log.warning("service manager not told", message=text, error=str(error) or "it takes no more")

    async def feed(self, proofs: Mapping[str, Proof], status: Callable[[], str]) -> None:
        """Give signs of life for ever, each only once every actor has proved itself anew.

        Between two signs there is half the interval at most, and the time that the proofs take: an actor that is
        stuck stops the signs, and the manager restarts the daemon. Agents go on meanwhile.
        """
        if self.address is None or self.watchdog is None:
            return
        while True:
            await self._all_prove(proofs)
            await self.tell("WATCHDOG=1", f"STATUS={status()}")
            await trio.sleep(self.watchdog / 2)

    async def _all_prove(self, proofs: Mapping[str, Proof]) -> None:
        silent = dict.fromkeys(proofs)
        async with trio.open_nursery() as complaining:
            complaining.start_soon(self._complain, silent)
            async with trio.open_nursery() as proving:
                for name, proof in proofs.items():
                    proving.start_soon(_prove, name, proof, silent)
            complaining.cancel_scope.cancel(reason="all have proved themselves")

    async def _complain(self, silent: Mapping[str, None]) -> None:
        """Say who is silent while there is still time for somebody to read it."""
        await trio.sleep((self.watchdog or 0.0) / 4)
        log.error("no sign of life", actors=list(silent))
        await self.tell(f"STATUS=No sign of life from: {', '.join(silent)}")


async def _prove(name: str, proof: Proof, silent: dict[str, None]) -> None:
    while name in silent:
        try:
            await proof()
            del silent[name]
        except OperatorError as error:
            log.warning("no proof of life", actor=name, error=error.message)
            await trio.sleep(AGAIN_AFTER)
