"""Handlers into routes. A handler's annotations say what it takes and gives; this reads, runs and answers.

A handler's first parameter is the house, or the gate where an answer is due at any time. `query` and `body`
are attrs records, read from the query string and the JSON body; `who` is the name of the person who asks; every
other parameter is a part of the path. What it returns is a view, or an `Answer` or `Raw`.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

import attrs
import structlog
import trio
from attrs import field, frozen

from supervisor.domain.errors import Invalid, OperatorError, TooSlow
from supervisor.domain.wire import to_json
from supervisor.web.house import Gate
from supervisor.web.problems import INTERNAL, MEDIA_TYPE, Refusal, refusal_of, sole
from supervisor.web.reading import read_json, read_query, read_record
from supervisor.web.schema import described

T = TypeVar("T")
Handler = Callable[..., Awaitable[object]]
H = TypeVar("H", bound=Handler)

log = structlog.get_logger()

JSON = "application/json"
ALWAYS: Final = {"Vary": "Origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What every answer says in its headers."""
DEADLINE = 30.0
"""Seconds a handler has. What it asks of actors has tighter deadlines of its own."""
WHO: Final = "X-Operator-User"
"""The header in which a client names the person who uses it. Whoever has the token is believed."""
PERSON: Final = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
UNNAMED: Final = "rest"
"""Who it was, where the client does not say."""
PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


@frozen
class Answer(Generic[T]):
    """A view with a status that the handler chose among its route's."""

    status: int
    view: T


@frozen
class Raw:
    """An answer that is no record: text, bytes, or JSON that was encoded before."""

    content: bytes
    headers: Mapping[str, str] = field(factory=dict)
    media: str | None = None
    """What it is, where that is known only now; None: what its route says."""


class Refused(Exception):
    """Lets a handler refuse with a problem that no error of the domain stands for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.problem.message)
        self.refusal = refusal


@frozen
class Route:
    """One operation of the API."""

    method: str
    path: str
    """With placeholders in braces."""
    handler: Handler
    tag: str
    parameters: tuple[str, ...]
    query: type | None
    body: type | None
    gives: type | None
    """The record its answer holds; None for text and bytes."""
    statuses: tuple[int, ...]
    media: str
    headers: Mapping[str, str]
    """What a success says in its headers, with a sentence each."""
    deadline: float
    token: bool
    """Whether a request must bring the token."""
    from_gate: bool
    """Whether it is answered at any time, also before there is a house."""
    raw: bool = False
    """Whether the handler reads the request itself: a body in somebody else's form, and a token of its own."""
    named: bool = False
    """Whether the handler wants to know who asks."""
    deep: tuple[str, ...] = ()
    """Parts of the path that may hold slashes."""
    failures: tuple[int, ...] = ()
    """Statuses of its own, beside those that all routes of its form have."""
    signed: bool = False
    """Whether requests come from elsewhere, by whatever name we have there, and prove themselves by a signature."""

    @property
    def name(self) -> str:
        return f"{self.tag}.{self.handler.__name__}"

    @property
    def summary(self) -> str:
        return described(self.handler)

    @property
    def mutates(self) -> bool:
        return self.method != "GET"

    @property
    def body_optional(self) -> bool:
        """Whether no body means the same as an empty object."""
        return self.body is None or all(each.default is not attrs.NOTHING for each in attrs.fields(self.body))


@frozen
class Nothing:
    """The body of a request that says all in its path."""


@frozen
class Sent:
    """What came with a request, before it is read."""

    parameters: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    body: bytes
    authorization: str | None = field(default=None, repr=False)
    person: str | None = None
    """Who asks, as the client says."""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    """All headers, their names in lower case."""


@frozen
class Reply:
    """What goes out."""

    status: int
    content: bytes
    media: str
    headers: Mapping[str, str] = field(factory=dict)


def refused(refusal: Refusal) -> Reply:
    return Reply(refusal.problem.status, to_json(refusal.problem).encode(), MEDIA_TYPE, refusal.headers)


class Routes:
    """The operations of one noun."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str, **options: Any) -> Callable[[H], H]:
        return self._add("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[H], H]:
        return self._add("POST", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[H], H]:
        return self._add("PATCH", path, **options)

    def _add(
        self,
        method: str,
        path: str,
        *,
        statuses: tuple[int, ...] = (200,),
        media: str = JSON,
        schema: type | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float = DEADLINE,
        token: bool = True,
        deep: tuple[str, ...] = (),
        failures: tuple[int, ...] = (),
        signed: bool = False,
    ) -> Callable[[H], H]:
        """`schema`: the record that a `Raw` answer of JSON holds."""

        def register(handler: H) -> H:
            hints = get_type_hints(handler)
            first, *names = inspect.signature(handler).parameters
            parameters = tuple(name for name in names if name not in ("query", "body", "sent", "who"))
            if set(parameters) != set(PLACEHOLDER.findall(path)):
                raise TypeError(f"{method} {path} and the parameters of {handler.__name__} differ")
            gives = get_args(hints["return"])[0] if get_origin(hints["return"]) is Answer else hints["return"]
            route = Route(
                method=method,
                path=path,
                handler=handler,
                tag=self._tag,
                parameters=parameters,
                query=hints.get("query"),
                body=hints.get("body"),
                gives=schema if gives is Raw else gives,
                statuses=statuses,
                media=media,
                headers=headers or {},
                deadline=deadline,
                token=token,
                from_gate=hints[first] is Gate,
                raw="sent" in names,
                named="who" in names,
                deep=deep,
                failures=failures,
                signed=signed,
            )
            self._routes.append(route)
            return handler

        return register


async def serve(route: Route, gate: Gate, sent: Sent) -> Reply:
    """Read the request, run the handler, write its answer. Failures become problems; cancellation passes."""
    try:
        first = gate if route.from_gate else gate.house
        arguments = _arguments(route, sent)
        with trio.move_on_after(route.deadline):
            return _reply(route, await route.handler(first, **arguments))
        raise TooSlow(f"This took longer than {route.deadline:g} s.", hint="The activity shows whether it happened.")
    except Exception as error:
        return refused(explained(error, route.name))


def explained(error: Exception, where: str) -> Refusal:
    """Any failure, for the wire. What was not meant to happen is logged in full and told in general."""
    match sole(error):
        case Refused(refusal=refusal):
            return refusal
        case OperatorError() as deliberate:
            return refusal_of(deliberate)
    log.error("request failed", where=where, exc_info=error)
    return INTERNAL


def _arguments(route: Route, sent: Sent) -> dict[str, object]:
    if route.raw:
        return {**sent.parameters, "sent": sent}
    query, wrong = _tried(lambda: read_query(sent.query, route.query or Nothing))
    body, more = _tried(lambda: _body(route, sent.body))
    who, unfit = _tried(lambda: _who(sent.person)) if route.named else (None, {})
    if wrong or more or unfit:
        raise Invalid("The request cannot be understood.", wrong | more | unfit)
    found: dict[str, object] = dict(sent.parameters)
    if route.query is not None:
        found["query"] = query
    if route.body is not None:
        found["body"] = body
    if route.named:
        found["who"] = who
    return found


def _who(given: str | None) -> str:
    if given is None:
        return UNNAMED
    if PERSON.fullmatch(given) is None:
        raise Invalid(
            "The request cannot be understood.", {WHO: "is one line of at most 64 printable ASCII characters"}
        )
    return given


def _tried(read: Callable[[], object]) -> tuple[object, dict[str, str]]:
    try:
        return read(), {}
    except Invalid as error:
        return None, dict(error.fields)


def _body(route: Route, content: bytes) -> object:
    kind = route.body or Nothing
    if not route.mutates or (not content and route.body_optional):
        return kind()
    return read_record(read_json(content), kind)


def _reply(route: Route, result: object) -> Reply:
    match result:
        case Raw(content=content, headers=headers, media=media):
            return Reply(route.statuses[0], content, media or route.media, headers)
        case Answer(status=status, view=view):
            return Reply(status, to_json(view).encode(), route.media)
        case view:
            return Reply(route.statuses[0], to_json(view).encode(), route.media)
