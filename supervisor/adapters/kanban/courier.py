"""Carries requests to a board over HTTP: one client for each collection, its deadline, its limits, its errors.

What comes back is a whole reply of bounded size, or one of BoardError's classes. The headers that hold the
credentials go to the board's own origin only, and stand in no error, log or repr.
"""

import base64
import binascii
import json as jsonlib
import math
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NoReturn

import httpx2
import trio
from attrs import evolve, field, frozen

from supervisor.adapters.kanban.address import checked, origin
from supervisor.adapters.kanban.pace import WAIT_UNNAMED, pace_of, retry_after, waiting
from supervisor.domain.errors import (
    BoardAuth,
    BoardError,
    BoardPayload,
    BoardRateLimited,
    BoardStatus,
    BoardTransport,
)

MAX_BODY = 16 << 20
"""Bytes of one reply, unpacked."""
_MAX_REDIRECTS = 3
_CACHED_REPLIES = 256
_CACHED_BYTES = 8 << 20
_AGAIN = "it is tried again"
_AGENT = "operator-supervisor"
_SENDABLE = re.compile(r"[\x20-\x7e]*")


@frozen
class Reply:
    """A whole reply; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON; it is untrusted. Raises BoardPayload where it is none."""
        try:
            return jsonlib.loads(self.content, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise BoardPayload(
                f"the board's answer (HTTP {self.status}) is not JSON",
                hint="is there a proxy or a login page in between? it is tried again",
            ) from None


def no_limits(reply: Reply) -> float | None:
    """For a board that tells its limits by 429 and Retry-After only."""
    return None


class Courier:
    """One board's HTTP client. Raises BoardError's classes; ConfigError for an address that must not be used.

    `headers` go with each request and hold the credentials. `limits` finds in a reply that it is a refusal for
    rate: the seconds to wait, or None. `deadline`: seconds for one exchange, from connecting to the body's end.
    While `concurrency` requests are under way, further ones wait.
    """

    def __init__(
        self,
        board: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        limits: Callable[[Reply], float | None] = no_limits,
        deadline: float = 20.0,
        concurrency: int = 4,
    ) -> None:
        self._board = board
        self._base = checked(base_url)
        self._headers = dict(headers)
        self._secrets = _secrets(headers)
        self._limits = limits
        self._deadline = deadline
        self._slots = trio.CapacityLimiter(concurrency)
        self._cache = _Cache()
        self._client: httpx2.AsyncClient | None = None
        self._blocked_until = self._next_at = -math.inf
        self._spacing = 0.0

    async def send(
        self,
        method: str,
        path_or_url: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: Container[int] = (200,),
    ) -> Reply:
        """One exchange. An absolute address must be at the board's own origin, such as the next page's.

        A status in `accept` is returned, each other one is an error. A GET that the board answered with an ETag
        is asked again by it, and what was kept is returned when nothing changed.
        """
        request = self._request(method, self._address(path_or_url, query), json, headers)
        async with self._slots:
            await self._pause()
            try:
                with trio.fail_after(self._deadline):
                    reply = await self._exchange(request)
            except trio.TooSlowError:
                raise BoardTransport(f"{self._board} did not answer within {self._deadline:g} s", hint=_AGAIN) from None
        return self._judged(reply, accept)

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # --- asking -----------------------------------------------------------------------------------

    def _address(self, path_or_url: str, query: Mapping[str, str | int] | None) -> httpx2.URL:
        try:
            if "://" in path_or_url:
                url = httpx2.URL(path_or_url)
            elif path_or_url:
                url = httpx2.URL(f"{str(self._base).rstrip('/')}/{path_or_url.lstrip('/')}")
            else:
                url = self._base
        except httpx2.InvalidURL:
            raise BoardPayload(f"{self._board} names an address that is none", hint=_AGAIN) from None
        if origin(url) != origin(self._base) or url.userinfo:
            raise BoardPayload(
                f"{self._board} names an address at another host ({_printable(url.host)}); it is not asked",
                hint="is `base_url` the board's own address?",
            )
        return url.copy_merge_params(query) if query else url

    def _request(self, method: str, url: httpx2.URL, json: Any, more: Mapping[str, str] | None) -> httpx2.Request:
        headers = {"user-agent": _AGENT, "accept": "application/json", "accept-encoding": "gzip"}
        for name, value in (*self._headers.items(), *(more or {}).items()):
            headers[name.lower()] = value
        if not all(_SENDABLE.fullmatch(value) for value in headers.values()):
            raise BoardAuth(
                f"the token of {self._board} has characters that no token has",
                hint="look at the variable or file it comes from: is there a line break or a quote in it?",
            )
        return self._http().build_request(method, url, json=json, headers=headers)

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            secure = self._base.scheme == "https"
            self._client = httpx2.AsyncClient(
                verify=secure,
                trust_env=secure,  # a proxy and its certificates are the machine's; loopback needs neither
                timeout=None,
                follow_redirects=False,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._client

    async def _pause(self) -> None:
        """Hold a request back while the board wants none, or wants them slower."""
        self._must_be_free()
        now = trio.current_time()
        pause = self._next_at - now
        self._next_at = max(now, self._next_at) + self._spacing
        if pause > 0:
            await trio.sleep(pause)
            self._must_be_free()

    def _must_be_free(self) -> None:
        rest = self._blocked_until - trio.current_time()
        if rest > 0:
            raise self._limited(rest)

    def _limited(self, seconds: float) -> BoardRateLimited:
        return BoardRateLimited(
            f"{self._board} wants no request for {seconds:.0f} s",
            seconds,
            hint="it is asked again then; fewer collections or a longer `interval` need fewer requests",
        )

    async def _exchange(self, request: httpx2.Request) -> Reply:
        known = self._cache.find(request)
        if known is not None:
            request.headers["if-none-match"] = known.headers["etag"]
        for _ in range(_MAX_REDIRECTS + 1):
            reply = await self._roundtrip(request)
            onward = self._redirected(request, reply)
            if onward is None:
                break
            request = onward
        else:
            raise BoardStatus(f"{self._board} redirects in a circle", hint="look at `base_url`")
        if known is not None and reply.status == HTTPStatus.NOT_MODIFIED:
            return evolve(known, headers={**known.headers, **reply.headers})
        self._cache.keep(request, reply)
        return reply

    async def _roundtrip(self, request: httpx2.Request) -> Reply:
        packed = bytearray()
        try:
            response = await self._http().send(request, stream=True)
            try:
                # Leaving the loop would leave the library's generators open: cancelling ends them from within.
                with trio.CancelScope() as scope:
                    async for part in response.aiter_raw():
                        packed += part
                        if len(packed) > MAX_BODY:
                            scope.cancel()
            finally:
                with trio.move_on_after(1, shield=True):
                    await response.aclose()
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise self._unreachable(error) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, self._unpacked(packed, headers.get("content-encoding", "")))

    def _unpacked(self, packed: bytearray, encoding: str) -> bytes:
        content = bytes(packed)
        if encoding.lower() not in ("", "identity") and content:
            unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                content = unpacking.decompress(content, MAX_BODY + 1)
            except zlib.error:
                content = b""
            if not unpacking.eof and len(content) <= MAX_BODY:
                raise BoardPayload(f"{self._board} answers with a body that cannot be unpacked", hint=_AGAIN)
        if len(content) > MAX_BODY:
            raise BoardPayload(
                f"{self._board} answers with more than {MAX_BODY >> 20} MB",
                hint="look at `base_url`: is it the board's?",
            )
        return content

    def _unreachable(self, error: Exception) -> BoardTransport:
        """`error`'s own text is not repeated: a library may put a header into it."""
        where = _printable(self._base.host)
        if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
            return BoardTransport(
                f"{self._board} cannot be reached at {where}",
                hint="look at `base_url` and the network; it is tried again",
            )
        return BoardTransport(f"the connection to {self._board} at {where} broke", hint=_AGAIN)

    def _redirected(self, request: httpx2.Request, reply: Reply) -> httpx2.Request | None:
        """The request to make instead; None if the reply is no redirection that may be followed."""
        target = reply.headers.get("location")
        follow = reply.status in (307, 308) or (reply.status in (301, 302, 303) and request.method in ("GET", "HEAD"))
        if not follow or target is None:
            return None
        try:
            url = request.url.join(target)
        except httpx2.InvalidURL:
            raise BoardStatus(f"{self._board} redirects to an address that is none", hint=_AGAIN) from None
        if origin(url) != origin(self._base) or url.userinfo:
            raise BoardStatus(
                f"{self._board} redirects to another host ({_printable(url.host)}); the token is not sent there",
                hint="look at `base_url`; does a login page or a proxy stand in between?",
            )
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        return self._http().build_request(request.method, url, content=request.content, headers=headers)

    # --- judging ----------------------------------------------------------------------------------

    def _judged(self, reply: Reply, accept: Container[int]) -> Reply:
        now = datetime.now(UTC)
        pace = pace_of(reply.headers, now)
        self._spacing = pace.spacing
        self._next_at = max(self._next_at, trio.current_time() + pace.spacing) if pace.spacing else -math.inf
        if pace.blocked:
            self._block(pace.blocked)
        wait = self._refused_for_rate(reply, pace.blocked, now)
        if wait is not None:
            self._block(wait)
            raise self._limited(wait)
        if reply.status not in accept:
            raise self._unexpected(reply)
        if _is_html(reply):
            raise BoardPayload(
                f"{self._board} answers with a web page",
                hint="look at `base_url`; does a login page or a proxy stand in between?",
            )
        return reply

    def _refused_for_rate(self, reply: Reply, blocked: float, now: datetime) -> float | None:
        told = self._limits(reply)
        if told is not None:
            return waiting(told)
        asked = retry_after(reply.headers, now)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return asked or waiting(blocked or WAIT_UNNAMED)
        return asked if reply.status == HTTPStatus.SERVICE_UNAVAILABLE else None

    def _block(self, seconds: float) -> None:
        self._blocked_until = max(self._blocked_until, trio.current_time() + seconds)

    def _unexpected(self, reply: Reply) -> BoardError:
        said = self._said(reply)
        match reply.status:
            case HTTPStatus.UNAUTHORIZED:
                return BoardAuth(
                    f"{self._board} does not accept the token{said}", hint="is it expired or revoked? make a new one"
                )
            case HTTPStatus.FORBIDDEN:
                return BoardAuth(
                    f"{self._board} does not allow this with the token{said}", hint="give the token the rights it lacks"
                )
            case HTTPStatus.NOT_FOUND:
                hint = "look at `base_url` and the board's name; some boards say this where the token lacks a right"
            case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                hint = "the board has trouble of its own; it is tried again"
            case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
                hint = "it redirects; look at `base_url`"
            case _:
                hint = _AGAIN
        return BoardStatus(f"{self._board} answers HTTP {reply.status}{said}", hint=hint, status=str(reply.status))

    def _said(self, reply: Reply) -> str:
        """The beginning of what the board says about a refusal, for people; without our credentials."""
        if _is_html(reply) or not reply.content:
            return ""
        text = reply.content[:4096].decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "[token]")
        return f": {_printable(' '.join(text.split()))}"


class _Cache:
    """Replies to GETs that carry an ETag, the oldest of which go when they are too many or too large."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Reply] = OrderedDict()
        self._bytes = 0

    def find(self, request: httpx2.Request) -> Reply | None:
        if request.method != "GET" or "if-none-match" in request.headers:
            return None
        reply = self._kept.get(self._key(request))
        if reply is not None:
            self._kept.move_to_end(self._key(request))
        return reply

    def keep(self, request: httpx2.Request, reply: Reply) -> None:
        etag = reply.headers.get("etag", "")
        if request.method != "GET" or reply.status != HTTPStatus.OK or not etag or not _SENDABLE.fullmatch(etag):
            return
        self._drop(self._key(request))
        self._kept[self._key(request)] = reply
        self._bytes += len(reply.content)
        while len(self._kept) > _CACHED_REPLIES or self._bytes > _CACHED_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, str]) -> None:
        old = self._kept.pop(key, None)
        self._bytes -= len(old.content) if old is not None else 0

    def _key(self, request: httpx2.Request) -> tuple[str, str]:
        return (str(request.url), request.headers.get("accept", ""))


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """What must never be repeated: the credentials whole, in their parts, and unpacked."""
    found = set()
    for name, value in headers.items():
        if name.lower() != "authorization":
            continue
        scheme, _, credentials = value.partition(" ")
        found |= {value, credentials or scheme}
        if scheme.lower() == "basic":
            try:
                unpacked = base64.b64decode(credentials).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            found |= {unpacked, unpacked.partition(":")[2]}
    return sorted((each for each in found if len(each) > 3), key=len, reverse=True)


def _is_html(reply: Reply) -> bool:
    return reply.headers.get("content-type", "").lstrip().lower().startswith(("text/html", "application/xhtml"))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:200])


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
