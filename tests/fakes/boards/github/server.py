"""The stand-in over HTTP: the token, the hourly allowance, ETags, counters, and troubles that a test asks for."""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, Literal

import trio
from attrs import Factory, define, frozen

from tests.fakes.boards.github.graph import executed
from tests.fakes.boards.github.rest import Answered, answered
from tests.fakes.boards.github.state import Person, Project, Repo, State
from tests.fakes.model.http import Drop, Exchange, Request, serve

TOKEN = "ghp_s3cret-token"
Trouble = Literal[
    "401", "403", "404", "429", "500", "allowance", "secondary", "graphql limit", "html", "half", "silent",
    "wrong types", "text", "loop", "cut before", "cut after", "scopes",
]  # fmt: skip


@frozen
class Asked:
    """One request, for tests to count."""

    method: str
    path: str
    query: str
    name: str
    """Of a GraphQL operation."""
    status: int


@define(eq=False)
class Hub:
    """The stand-in: `state` holds everything, `person` is somebody's hands on it."""

    state: State
    person: Person
    url: str = ""
    ahead: timedelta = timedelta()
    """How far the board's clock is ahead of ours."""
    requests: list[Asked] = Factory(list)
    remaining: int = 4_990
    meanwhile: Callable[[Request], None] = lambda request: None
    """What people do just before a request is answered."""
    _troubles: list[tuple[str, Callable[[Request], bool]]] = Factory(list)

    def trouble(self, kind: Trouble, times: int = 1, when: Callable[[Request], bool] = lambda request: True) -> None:
        """Have the next requests, of those that `when` chooses, go wrong."""
        self._troubles += [(kind, when)] * times

    def calm(self) -> None:
        self._troubles.clear()

    def counted(self) -> Counter[str]:
        """How often each thing was asked: `GET /repos/...` or an operation's name."""
        return Counter(each.name or f"{each.method} {each.path}" for each in self.requests)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def handle(self, exchange: Exchange) -> None:
        request = exchange.request
        self.meanwhile(request)
        trouble = self._next_trouble(request)
        if trouble is not None and trouble not in ("cut after", "wrong types", "loop", "half"):
            self._count(request, 0)
            await self._refuse(exchange, trouble)
            return
        answer = self._answer(request)
        self._count(request, answer.status)
        if trouble == "cut after":
            raise Drop
        if trouble is not None:
            await self._spoil(exchange, answer, trouble)
            return
        etag = '"' + hashlib.sha256(json.dumps([answer.body, answer.headers]).encode()).hexdigest()[:32] + '"'
        headers = [*self._headers(), *answer.headers.items()]
        if request.method == "GET" and answer.status == 200:
            headers.append(("ETag", etag))
            if request.headers.get("if-none-match") == etag:
                self.requests[-1] = Asked(request.method, request.path, request.query, "", 304)
                await exchange.answer(304, b"", headers)
                return
        await exchange.json(answer.body, answer.status, headers)

    def _answer(self, request: Request) -> Answered:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answered(401, {"message": "Bad credentials"})
        self.remaining -= 1
        if request.path == "/graphql":
            asked = request.json()
            return Answered(200, executed(self.state, asked.get("query", ""), asked.get("variables", {})))
        body = json.loads(request.body) if request.body else None
        return answered(self.state, self.url, request.method, request.path, request.query, body)

    def _count(self, request: Request, status: int) -> None:
        text = request.json().get("query", "") if request.path == "/graphql" else ""
        words = text.split("(")[0].split()
        self.requests.append(
            Asked(request.method, request.path, request.query, words[1] if len(words) > 1 else "", status)
        )

    def _next_trouble(self, request: Request) -> str | None:
        for index, (kind, when) in enumerate(self._troubles):
            if when(request):
                del self._troubles[index]
                return kind
        return None

    def _headers(self, **more: str) -> list[tuple[str, str]]:
        reset = int((self.now() + timedelta(minutes=30)).timestamp())
        return [
            ("Date", format_datetime(self.now(), usegmt=True)),
            ("X-RateLimit-Limit", "5000"),
            ("X-RateLimit-Remaining", more.pop("remaining", str(self.remaining))),
            ("X-RateLimit-Reset", str(reset)),
            *[(name.replace("_", "-"), value) for name, value in more.items()],
        ]

    async def _refuse(self, exchange: Exchange, trouble: str) -> None:
        said: dict[str, Any] = {"message": "no"}
        match trouble:
            case "401" | "403" | "404" | "500":
                await exchange.json(said, int(trouble), self._headers())
            case "429":
                await exchange.json(said, 429, self._headers(Retry_After="7"))
            case "allowance":
                said = {"message": "API rate limit exceeded for user ID 1."}
                await exchange.json(said, 403, self._headers(remaining="0"))
            case "secondary":
                said = {"message": "You have exceeded a secondary rate limit."}
                await exchange.json(said, 403, self._headers(Retry_After="11"))
            case "graphql limit":
                errors = [{"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": "API rate limit exceeded"}]
                await exchange.json({"errors": errors}, 200, self._headers())
            case "scopes":
                errors = [{"type": "INSUFFICIENT_SCOPES", "message": "needs read:project"}]
                await exchange.json({"data": None, "errors": errors}, 200, self._headers())
            case "html":
                await exchange.answer(200, b"<html>sign in</html>", self._headers(), "text/html; charset=utf-8")
            case "text":
                await exchange.answer(200, b"ok", self._headers())
            case "silent":
                await exchange.peer_gone.wait()
            case _:
                raise Drop

    async def _spoil(self, exchange: Exchange, answer: Answered, trouble: str) -> None:
        match trouble:
            case "half":
                async with exchange.streaming("application/json") as send:
                    await send(json.dumps(answer.body).encode()[:-20])
                    raise Drop
            case "wrong types":
                await exchange.json(_wrong(answer.body), answer.status, self._headers())
            case _:
                await exchange.json(*self._looped(exchange.request, answer))

    def _looped(self, request: Request, answer: Answered) -> tuple[Any, int, list[tuple[str, str]]]:
        """The answer with a next page that is the same one for ever."""
        if isinstance(answer.body, list):
            link = f'<{self.url}{request.path}?{request.query}>; rel="next"'
            return answer.body, 200, [*self._headers(), ("Link", link)]
        text = json.dumps(answer.body).replace('"hasNextPage": false', '"hasNextPage": true')
        return json.loads(text), 200, self._headers()


def _wrong(value: Any) -> Any:
    """JSON with its lists and objects in each other's place."""
    return {"items": value} if isinstance(value, list) else [value]


@asynccontextmanager
async def serving(repos: tuple[str, ...] = ("api", "web")) -> AsyncIterator[Hub]:
    state = State()
    state.repos = {name: Repo(700 + index, name) for index, name in enumerate(repos)}
    state.projects = {7: Project(7)}
    hub = Hub(state, Person(state))
    state.clock = hub.now
    async with trio.open_nursery() as nursery:
        port = await nursery.start(partial(serve, hub.handle))
        hub.url = f"http://127.0.0.1:{port}"
        yield hub
        nursery.cancel_scope.cancel()
