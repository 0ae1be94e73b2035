"""A Linear on loopback: executes the schema over HTTP, counts what it is asked, and has troubles when told to."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Literal

import h11
import trio
from attrs import Factory, define
from graphql import GraphQLError, OperationDefinitionNode, execute_sync, parse, validate

from tests.fakes.boards.linear.points import MOST, points
from tests.fakes.boards.linear.resolvers import Root
from tests.fakes.boards.linear.schema import schema
from tests.fakes.boards.linear.workspace import Workspace, refusal

KEY = "lin_api_0123456789"
Trouble = Literal[
    "unauthorized", "forbidden", "too_many", "rate_limited", "broken", "unavailable", "html", "half", "silent", "types",
    "not_json", "no_data", "partial", "loop", "cut_before", "cut_after", "refused",
    "broken_after", "refused_after",
]  # fmt: skip


@define
class Linear:
    """The server's remote control."""

    url: str
    person: Workspace = Factory(Workspace)
    requests: Counter[str] = Factory(Counter)
    """How often each operation was asked, by its name."""
    spent: int = 0
    """Points."""
    authorization: str = KEY
    """The header that is accepted."""
    meanwhile: Callable[[], None] | None = None
    """Done once, after the next request was answered and before the one after it."""
    _troubles: list[tuple[Trouble, str]] = Factory(list)

    def trouble(self, kind: Trouble, times: int = 1, on: str = "") -> None:
        """Have trouble with the next requests; `on`: only with the operation of that name."""
        self._troubles += [(kind, on)] * times

    def next_trouble(self, operation: str) -> Trouble | None:
        for index, (kind, on) in enumerate(self._troubles):
            if on in ("", operation):
                del self._troubles[index]
                return kind
        return None

    @property
    def asked(self) -> int:
        return sum(self.requests.values())

    def answer(self, authorization: str, body: bytes, loops: bool) -> tuple[int, dict[str, Any]]:
        """Status and JSON for a request, with all its effects."""
        if authorization != self.authorization:
            return 401, {"errors": [_formatted(refusal("Authentication required", "AUTHENTICATION_ERROR"))]}
        asked = json.loads(body)
        document = parse(asked["query"])
        errors = validate(schema(), document)
        cost = points(document, asked["variables"]) if not errors else 0
        if cost > MOST:
            errors = [refusal(f"Query too complex: {cost} points")]
        if errors:
            return 400, {"errors": [_formatted(each) for each in errors]}
        self.spent += cost
        result = execute_sync(schema(), document, Root(self.person, loops).fields(), variable_values=asked["variables"])
        formatted = {"data": result.data, "errors": [_formatted(each) for each in result.errors or ()]}
        return (400 if result.data is None else 200), {key: value for key, value in formatted.items() if value}


def _formatted(error: GraphQLError) -> dict[str, Any]:
    if isinstance(error.original_error, NotImplementedError | KeyError | TypeError | AttributeError):
        raise error.original_error  # the fake lacks something: its test must not go on
    return dict(error.formatted)


@asynccontextmanager
async def linear() -> AsyncIterator[Linear]:
    """A Linear with one team, ENG, that has the usual states."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = Linear(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/graphql")
        server.person.add_team("ENG")

        async def serve(stream: trio.SocketStream) -> None:
            try:
                await _serve(server, stream)
            except (trio.BrokenResourceError, h11.RemoteProtocolError):
                pass  # the client went away
            finally:
                await trio.aclose_forcefully(stream)

        await nursery.start(trio.serve_listeners, serve, listeners)
        yield server
        nursery.cancel_scope.cancel()


async def _serve(server: Linear, stream: trio.SocketStream) -> None:
    connection = h11.Connection(h11.SERVER)
    while True:
        request = await _event(connection, stream)
        if not isinstance(request, h11.Request):
            return
        body = b""
        while not isinstance(event := await _event(connection, stream), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            body += event.data
        if not await _respond(server, connection, stream, request, body):
            return
        if connection.our_state is h11.MUST_CLOSE:
            return
        connection.start_next_cycle()


async def _event(connection: h11.Connection, stream: trio.SocketStream) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await stream.receive_some(65536))
    return event


async def _respond(
    server: Linear, connection: h11.Connection, stream: trio.SocketStream, request: h11.Request, body: bytes
) -> bool:
    """Answer; False if the connection is to be cut."""
    document = parse(json.loads(body)["query"])
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    server.requests[operation.name.value] += 1
    trouble = server.next_trouble(operation.name.value)
    if trouble == "silent":
        await trio.sleep_forever()
    if trouble == "cut_before":
        return False
    spoiled = _spoiled(trouble)
    headers = {"content-type": "application/json"}
    if spoiled is not None:
        status, content, more = spoiled
        headers |= more
    else:
        authorization = dict(request.headers).get(b"authorization", b"").decode()
        status, answer = server.answer(authorization, body, loops=trouble == "loop")
        meanwhile, server.meanwhile = server.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if trouble == "cut_after":
            return False
        if trouble == "broken_after":
            status, answer = 500, {}
        if trouble == "refused_after":
            answer = {"errors": [_formatted(refusal("Something went wrong", "INTERNAL_SERVER_ERROR"))]}
        content = json.dumps(_distorted(trouble, answer)).encode()
    headers |= {
        "content-length": str(len(content)),
        "date": formatdate(usegmt=True),
        "x-ratelimit-requests-limit": "1500",
        "x-ratelimit-requests-remaining": "1400",
        "x-ratelimit-requests-reset": "4102444800000",
    } | {name: value for name, value in headers.items() if name.startswith("x-")}
    data = connection.send(h11.Response(status_code=status, headers=list(headers.items())))
    if trouble == "half":
        await stream.send_all((data or b"") + content[: len(content) // 2])
        return False
    parts = (data, connection.send(h11.Data(content)), connection.send(h11.EndOfMessage()))
    await stream.send_all(b"".join(each or b"" for each in parts))
    return True


def _spoiled(trouble: Trouble | None) -> tuple[int, bytes, dict[str, str]] | None:
    """A reply that needs no execution."""

    def errors(code: str, message: str = "no") -> bytes:
        return json.dumps({"errors": [{"message": message, "extensions": {"code": code}}]}).encode()

    match trouble:
        case "unauthorized":
            return HTTPStatus.UNAUTHORIZED, errors("AUTHENTICATION_ERROR"), {}
        case "forbidden":
            return HTTPStatus.BAD_REQUEST, errors("FORBIDDEN", "You do not have permission"), {}
        case "too_many":
            return HTTPStatus.TOO_MANY_REQUESTS, b"{}", {"retry-after": "7"}
        case "rate_limited":
            return HTTPStatus.BAD_REQUEST, errors("RATELIMITED", "Rate limit exceeded"), {"retry-after": "9"}
        case "broken":
            return HTTPStatus.INTERNAL_SERVER_ERROR, b"oops", {}
        case "unavailable":
            return HTTPStatus.SERVICE_UNAVAILABLE, b"", {"retry-after": "5"}
        case "html":
            return HTTPStatus.OK, b"<html>log in</html>", {"content-type": "text/html"}
        case "not_json":
            return HTTPStatus.OK, b"{", {}
        case "no_data":
            return HTTPStatus.OK, b"{}", {}
        case "refused":
            return HTTPStatus.OK, errors("INPUT_ERROR", "Argument Validation Error"), {}
        case _:
            return None


def _distorted(trouble: Trouble | None, answer: Mapping[str, Any]) -> Any:
    if trouble == "types":
        return {"data": {name: {"nodes": 7, "pageInfo": "x"} for name in answer.get("data", {})}}
    if trouble == "partial":
        first = answer["data"]["issues"]["nodes"][0]
        first["description"] = None
        return {**answer, "errors": [{"message": "timed out", "path": ["issues", "nodes", 0, "description"]}]}
    return answer
