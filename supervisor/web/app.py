"""The REST application: every request passes the same door, then the route of its noun."""

from functools import partial
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

import structlog
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter

from supervisor.web import activity, agents, collections, queue, reviews, signals, status, tickets
from supervisor.web.asgi import Asgi
from supervisor.web.glue import ALWAYS, JSON, PLACEHOLDER, WHO, Reply, Route, Sent, explained, refused, serve
from supervisor.web.house import Gate
from supervisor.web.keys import HEADER, Asked, Keys
from supervisor.web.openapi import PREFIX, with_pages
from supervisor.web.problems import INTERNAL, Refusal, problem
from supervisor.web.security import Security

BODY_LIMIT = 2 * 1024 * 1024
BODY_DEADLINE = 20.0
_ALLOWED_HEADERS = f"Authorization, Content-Type, {HEADER}, {WHO}"
_SHOWN_HEADERS = "X-Offset, Retry-After"

log = structlog.get_logger()


def create_app(gate: Gate, security: Security) -> QuartTrio:
    """The application. What it serves is whatever the gate has open by then."""
    app = QuartTrio("supervisor.web", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        BODY_TIMEOUT=BODY_DEADLINE,
        RESPONSE_TIMEOUT=None,  # `serve` has a deadline for each write instead
        BACKGROUND_TASK_SHUTDOWN_TIMEOUT=None,
    )
    app.url_map.merge_slashes = False
    app.url_map.converters["deep"] = _Deep
    nouns = (status, queue, tickets, agents, reviews, signals, collections, activity)
    routes = [route for noun in nouns for route in noun.routes]
    _Edge(app, gate, security).install(with_pages(routes, gate.about.version))
    inner = cast(Asgi, app.asgi_app)
    app.asgi_app = signals.plain_first(inner, gate, security)  # type: ignore[assignment, method-assign]  # Quart's way
    return app


class _Edge:
    """What every request passes."""

    def __init__(self, app: QuartTrio, gate: Gate, security: Security) -> None:
        self._app = app
        self._gate = gate
        self._security = security
        self._keys = Keys()
        self._open: set[str] = set()
        self._signed: set[str] = set()

    def install(self, routes: tuple[Route, ...]) -> None:
        for route in routes:
            self._app.add_url_rule(
                PREFIX + _rule(route),
                endpoint=route.name,
                view_func=partial(self._view, route),
                methods=[route.method],
                provide_automatic_options=False,
            )
            if not route.token:
                self._open.add(route.name)
            if route.signed:
                self._signed.add(route.name)
        self._app.before_request(self._door)
        self._app.after_request(self._leave)
        self._app.register_error_handler(HTTPException, self._http_error)
        self._app.register_error_handler(Exception, self._error)

    async def _view(self, route: Route, **parameters: str) -> Response:
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False) if route.mutates else b""
        parts = {name: unquote(value) for name, value in parameters.items()}
        authorization = request.headers.get("Authorization")
        person = ", ".join(request.headers.getlist(WHO)) if WHO in request.headers else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        sent = Sent(parts, tuple(request.args.items(multi=True)), body, authorization, person, headers)
        key = request.headers.get(HEADER)
        if key is None or not route.mutates or not route.token:  # what checks no token here is told no kept answer
            return _response(await serve(route, self._gate, sent))
        asked = Asked.of(route.method, request.path, request.query_string, body)
        run = partial(serve, route, self._gate, sent)
        try:
            return _response(await self._keys.once(key, asked, run, self._app.add_background_task))
        except Exception as error:
            return _response(refused(explained(error, route.name)))

    async def _door(self) -> Response | None:
        """Who asks, and in what form. Runs before a missing route is said to be missing."""
        headers = request.headers
        source = ", ".join(headers.getlist("Origin")) or None
        refusal = None
        if request.endpoint not in self._signed:
            refusal = self._security.source(headers.get("Host"), source)
        if refusal is None and request.method == "OPTIONS" and (answer := self._options()) is not None:
            return answer
        if refusal is None and request.endpoint not in self._open:
            refusal = self._security.bearer(headers.get("Authorization"))
        if refusal is None and request.method in ("POST", "PATCH") and request.endpoint is not None:
            refusal = _form()
        return None if refusal is None else _response(refused(refusal))

    def _options(self) -> Response | None:
        missing = request.routing_exception
        if not isinstance(missing, MethodNotAllowed):
            return None
        methods = ", ".join(sorted({*(missing.valid_methods or ()), "OPTIONS"}))
        answer = Response("", HTTPStatus.NO_CONTENT)
        answer.headers["Allow"] = methods
        if "Origin" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = methods
            answer.headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            answer.headers["Access-Control-Max-Age"] = "600"
        return answer

    async def _leave(self, answer: Response) -> Response:
        origin = request.headers.get("Origin")
        named = request.endpoint not in self._signed and answer.status_code != HTTPStatus.FORBIDDEN
        if origin is not None and named:
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Expose-Headers"] = _SHOWN_HEADERS
        answer.headers.update(ALWAYS)
        self._gate.requests[_method(request.method), request.endpoint or "none", answer.status_code] += 1
        return answer

    async def _http_error(self, error: HTTPException) -> Response:
        """What the framework itself refuses."""
        answer = _response(refused(_framework(error)))
        if isinstance(error, MethodNotAllowed):
            answer.headers["Allow"] = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
        return answer

    async def _error(self, error: Exception) -> Response:
        log.error("request failed", where=request.endpoint, exc_info=error)
        return _response(refused(INTERNAL))


class _Deep(BaseConverter):
    """What may hold slashes, and line ends: a file's name."""

    part_isolating = False
    regex = r"[^/][\s\S]*?"


def _rule(route: Route) -> str:
    """The route's path as the framework writes it."""
    return PLACEHOLDER.sub(lambda found: f"<{'deep' if found[1] in route.deep else 'string'}:{found[1]}>", route.path)


_FRAMEWORK = {
    400: ("malformed", "The request cannot be understood."),
    404: ("no_route", "There is no such route."),
    405: ("no_method", "This route knows no such method."),
    408: ("slow_body", f"The body did not arrive within {BODY_DEADLINE:g} s."),
    413: ("too_large", f"The body is larger than {BODY_LIMIT // 1024 // 1024} MB."),
}


def _framework(error: HTTPException) -> Refusal:
    status = error.code or 500
    code, message = _FRAMEWORK.get(status, ("refused", "The request was refused."))
    hint = f"GET {PREFIX}/docs lists the routes." if status in (404, 405) else ""
    return Refusal(problem(status, code, message, hint=hint))


def _form() -> Refusal | None:
    """A web page can post text/plain, or no type at all, without asking anybody; but not JSON."""
    headers = request.headers
    empty = "Content-Type" not in headers and not request.content_length and "Transfer-Encoding" not in headers
    if empty or request.mimetype == JSON:
        return None
    return Refusal(problem(415, "not_json", "The body must be application/json."))


def _method(method: str) -> str:
    """Methods are counted by name, but an invented one must not make a new number."""
    return method if method in ("GET", "HEAD", "POST", "PATCH", "OPTIONS") else "other"


def _response(reply: Reply) -> Response:
    return Response(reply.content, reply.status, dict(reply.headers), content_type=reply.media)
