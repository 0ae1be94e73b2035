"""Calls without an event loop: for programs that ask one thing and end, and must start fast.

`run` drives a coroutine whose every await is answered at once: this transport blocks instead of suspending.
"""

import http.client
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import httpx2

from clients.api.client import Client, connect
from clients.api.locate import Where

T = TypeVar("T")
_LIMIT = 256 * 1024 * 1024
"""Bytes of an answer; more is no answer of a daemon."""


class Blocking(httpx2.AsyncBaseTransport):
    """One connection for each request, on a blocking socket."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        wait = request.extensions.get("timeout", {})
        connection = _connection(request.url, wait.get("connect"))
        try:
            try:
                connection.connect()
            except TimeoutError as error:
                raise httpx2.ConnectTimeout(str(error)) from error
            except OSError as error:
                raise httpx2.ConnectError(str(error)) from error
            connection.sock.settimeout(wait.get("read"))
            target = request.url.raw_path.decode("ascii")
            body = await request.aread()
            connection.request(request.method, target, body or None, dict(request.headers))
            return _read(connection.getresponse())
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise httpx2.ReadError(str(error) or type(error).__name__) from error
        finally:
            connection.close()


def _connection(url: httpx2.URL, timeout: float | None) -> http.client.HTTPConnection:
    if url.scheme == "https":
        return http.client.HTTPSConnection(url.host, url.port or 443, timeout=timeout)
    return http.client.HTTPConnection(url.host, url.port or 80, timeout=timeout)


def _read(answer: http.client.HTTPResponse) -> httpx2.Response:
    content = answer.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise httpx2.ReadError("the answer does not end")
    kept = [(name, value) for name, value in answer.getheaders() if name.lower() != "transfer-encoding"]
    return httpx2.Response(answer.status, headers=kept, content=content)


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
