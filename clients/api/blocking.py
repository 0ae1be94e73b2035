"""Calls without an event loop: for programs that ask one thing and end, and must start fast.

`run` drives a coroutine whose every await is answered at once: this transport blocks instead of suspending.
"""

import http.client
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from clients.api.client import Client, connect
from clients.api.locate import Where
from clients.api.transport import CONNECT_WITHIN, Answer, Late, TransportError, Unanswered, Unreachable

T = TypeVar("T")
_LIMIT = 256 * 1024 * 1024
"""Bytes of an answer; more is no answer of a daemon."""


class Blocking:
    """One connection for each request, on a blocking socket."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, wait: float
    ) -> Answer:
        try:
            address = urlsplit(url)
            connection = _connection(address)
        except (ValueError, http.client.InvalidURL) as error:
            raise TransportError(str(error)) from None
        try:
            _connect(connection)
            connection.sock.settimeout(wait)
            target = f"{address.path}?{address.query}" if address.query else address.path
            connection.request(method, target, content, dict(headers))
            return _read(connection.getresponse())
        except TimeoutError as error:
            raise Late(str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(str(error) or type(error).__name__) from None
        finally:
            connection.close()


def _connection(address: SplitResult) -> http.client.HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port or 443, timeout=CONNECT_WITHIN)
    return http.client.HTTPConnection(host, address.port or 80, timeout=CONNECT_WITHIN)


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except TimeoutError as error:
        raise Unanswered(str(error)) from None
    except OSError as error:
        raise Unreachable(str(error)) from None


def _read(answer: http.client.HTTPResponse) -> Answer:
    content = answer.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise TransportError("the answer does not end")
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def run(where: Where, work: Callable[[Client], Awaitable[T]]) -> T:
    """What `work` returns, given a client of the daemon at `where`. It may await that client only."""

    async def within() -> T:
        async with connect(where, Blocking()) as client:
            return await work(client)

    return drive(within().__await__())


def drive(steps: Generator[object, None, T]) -> T:
    """The result of a coroutine that never suspends."""
    try:
        next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    steps.close()
    raise RuntimeError("a call without an event loop has to wait for something")
