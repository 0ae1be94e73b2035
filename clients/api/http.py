"""A transport for programs with an event loop, trio's or asyncio's."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
from attrs import frozen

from clients.api.transport import CONNECT_WITHIN, Answer, Late, Transport, TransportError, Unanswered, Unreachable


@frozen
class HttpTransport:
    """Keeps its connections open between requests."""

    client: httpx2.AsyncClient

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, wait: float
    ) -> Answer:
        timeout = httpx2.Timeout(wait, connect=CONNECT_WITHIN)
        try:
            response = await self.client.request(method, url, headers=dict(headers), content=content, timeout=timeout)
        except httpx2.ConnectError as error:
            raise Unreachable(str(error)) from None
        except httpx2.ConnectTimeout as error:
            raise Unanswered(str(error)) from None
        except httpx2.TimeoutException as error:
            raise Late(str(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise TransportError(str(error) or type(error).__name__) from None
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


@asynccontextmanager
async def http_transport(url: str) -> AsyncIterator[Transport]:
    """One for the daemon at that address."""
    # A proxy must not see the token, and none is needed for this machine.
    async with httpx2.AsyncClient(verify=url.startswith("https:"), trust_env=False) as client:
        yield HttpTransport(client)
