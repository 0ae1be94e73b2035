"""How a request reaches a daemon: what a transport is given, what it gives back, and how it fails."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen


class TransportError(Exception):
    """The connection failed in the midst of it."""


class Unreachable(TransportError):
    """Nothing listens at the address."""


class Unanswered(TransportError):
    """Nobody took the connection in time."""


class Late(TransportError):
    """The answer did not come in time."""


@frozen
class Answer:
    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    content: bytes = field(repr=False)


class Transport(Protocol):
    """Carries one request and its answer. Raises TransportError's classes and nothing else."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, wait: float
    ) -> Answer:
        """`wait`: seconds that the daemon has to answer."""


CONNECT_WITHIN = 5.0
"""Seconds."""
