"""GitHub's REST and GraphQL over one courier: pages, rate limits, and errors that come with HTTP 200."""

import re
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from attrs import frozen

from supervisor.adapters.kanban.courier import Courier, Reply
from supervisor.adapters.kanban.github.text import one_line
from supervisor.domain.errors import BoardAuth, BoardError, BoardPagination, BoardPayload, BoardStatus

API = "https://api.github.com"
MAX_PAGES = 1_000
PAGE = 100
_SECONDARY_WAIT = 60.0
"""Seconds; what GitHub asks for where it names no time."""
_SMALL = 65_536
"""Bytes; a refusal is small, and a page of issues need not be searched for one."""
_NEXT = re.compile(r'<([^<>]{1,4000})>\s*;[^,<]*\brel="?next"?')
_PAGE_INFO_HINT = "the board is read again; if it stays, report it"


@frozen
class Answer:
    """What a GraphQL query brought: the data, and what GitHub says it could not bring of it."""

    data: Mapping[str, Any]
    errors: tuple[Mapping[str, Any], ...]
    at: datetime | None
    """By the board's own clock."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class GitHub:
    """One account's access. Raises BoardError's classes. `deadline`: seconds for one request and its answer."""

    def __init__(
        self,
        board: str,
        base_url: str | None,
        token: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        deadline: float = 20.0,
    ) -> None:
        base = (base_url or API).rstrip("/")
        self.board = board
        self._graphql = graphql_address(base)
        self._courier = Courier(
            board,
            base,
            {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            limits=lambda reply: refusal(reply, clock()),
            deadline=deadline,
        )

    async def rest(self, method: str, path: str, *, json: Any = None, accept: Container[int] = (200,)) -> Reply:
        return await self._courier.send(method, path, json=json, accept=accept)

    async def pages(
        self, path: str, query: Mapping[str, str | int], take: Callable[[list[Any], int], None]
    ) -> datetime | None:
        """Give each page of a list to `take`, with its number; the board's time at the first one."""
        address: str | None = path
        params: Mapping[str, str | int] | None = {**query, "per_page": PAGE}
        seen: set[str] = set()
        began: datetime | None = None
        while address is not None:
            if address in seen or len(seen) >= MAX_PAGES:
                raise self.endless(len(seen))
            seen.add(address)
            reply = await self._courier.send("GET", address, query=params)
            records = reply.json()
            if not isinstance(records, list):
                raise BoardPayload(f"{self.board} answers with something that is no list", hint=_PAGE_INFO_HINT)
            take(records, len(seen))
            began = began or board_time(reply)
            address, params = next_page(reply.headers.get("link", "")), None
        return began

    def endless(self, pages: int) -> BoardPagination:
        return BoardPagination(
            f"the pages of {self.board} do not end: after {pages} of them the next is one that was read, or too many",
            hint="the board is read again; nothing is concluded from this reading",
        )

    async def ask(self, query: str, variables: Mapping[str, Any], *, partly: bool = False) -> Answer:
        """Run a GraphQL query or mutation. `partly`: an answer that lacks something is taken, if there is any."""
        request = {"query": query, "variables": dict(variables)}
        reply = await self._courier.send("POST", self._graphql, json=request)
        told = reply.json()
        data, errors = (told.get("data"), told.get("errors") or []) if isinstance(told, dict) else (None, None)
        if not isinstance(errors, list) or not (data is None or isinstance(data, dict)):
            raise BoardPayload(f"{self.board} answers with something that is no GraphQL", hint=_PAGE_INFO_HINT)
        known = tuple(each for each in errors if isinstance(each, dict))
        if errors and (data is None or not partly):
            raise self.refused(known)
        if data is None:
            raise BoardPayload(f"{self.board} answers without data", hint=_PAGE_INFO_HINT)
        return Answer(data, known, board_time(reply))

    def refused(self, errors: tuple[Mapping[str, Any], ...]) -> BoardError:
        """The errors of an answer as one of ours."""
        kinds = {str(each.get("type")) for each in errors}
        said = "; ".join(one_line(str(each.get("message", "")), 200) for each in errors[:3]) or "no reason"
        if kinds & {"INSUFFICIENT_SCOPES", "FORBIDDEN"}:
            return BoardAuth(
                f"{self.board} does not allow this with the token: {said}",
                hint="projects need the scope `project`, and private repositories `repo`",
            )
        return BoardStatus(f"{self.board} refuses a query: {said}", hint="it is tried again")

    async def aclose(self) -> None:
        await self._courier.aclose()


def graphql_address(base: str) -> str:
    """Where GraphQL is: beside REST, and for GitHub Enterprise Server at `/api/graphql` beside `/api/v3`."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    path = path.removesuffix("/v3") if path.endswith("/api/v3") else path
    return urlunsplit((parts.scheme, parts.netloc, f"{path}/graphql", "", ""))


def next_page(link: str) -> str | None:
    """The address of the next page in a Link header."""
    found = _NEXT.search(link)
    return found[1] if found is not None else None


def board_time(reply: Reply) -> datetime | None:
    """The board's own clock, as a reply tells it."""
    try:
        found = parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def refusal(reply: Reply, now: datetime) -> float | None:
    """Seconds to wait if a reply is a refusal for rate: the hourly allowance, or a secondary limit."""
    if reply.status in (403, 429):
        asked = _seconds(reply.headers.get("retry-after", ""))
        if asked is not None:
            return asked
        if reply.headers.get("x-ratelimit-remaining") == "0":
            return _until_reset(reply, now)
        said = reply.content[:_SMALL].lower()
        return _SECONDARY_WAIT if b"rate limit" in said or b"abuse detection" in said else None
    if reply.status == 200 and len(reply.content) <= _SMALL and b"RATE_LIMIT" in reply.content and _is_limit(reply):
        asked = _seconds(reply.headers.get("retry-after", ""))
        return asked if asked is not None else _until_reset(reply, now)
    return None


def _is_limit(reply: Reply) -> bool:
    """GraphQL refuses with HTTP 200, and what is left of the allowance need not be nothing then."""
    try:
        told = reply.json()
    except BoardPayload:
        return False
    errors = told.get("errors") if isinstance(told, dict) else None
    kinds = [each.get("type") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return "RATE_LIMITED" in kinds or "RATE_LIMIT" in kinds


def _until_reset(reply: Reply, now: datetime) -> float:
    reset = _seconds(reply.headers.get("x-ratelimit-reset", ""))
    now = board_time(reply) or now
    return max(reset - now.timestamp(), 1.0) if reset is not None else _SECONDARY_WAIT


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[0-9]{1,12}", value.strip()) else None
