"""The API's own description: OpenAPI 3.1, and a page of it for people."""

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from http import HTTPStatus
from typing import Any

import attrs

from supervisor.web.glue import JSON, PERSON, WHO, Raw, Route, Routes
from supervisor.web.house import Gate
from supervisor.web.keys import HEADER
from supervisor.web.problems import MEDIA_TYPE, Problem
from supervisor.web.schema import Schema, Schemas

PREFIX = "/api/v1"

_ABOUT = f"""\
Tickets, agents and the activity of one Operator daemon. Every request but GET /health brings the token: \
`Authorization: Bearer TOKEN` (`operator token` shows it). Failures are `{MEDIA_TYPE}` with a stable `code`. \
Mutations accept `{HEADER}`: the same request with the same key is done once and answered alike, for ten \
minutes; a restart of the daemon forgets the keys. GET /status says where the activity's WebSocket is."""

_WHY = {
    401: "No valid token.",
    403: "The Host or Origin header names somebody else.",
    404: "There is no such thing.",
    409: "The state there is does not allow it.",
    413: "The body is larger than 2 MB, or what is asked for than 32 MB.",
    415: "The body is not application/json.",
    422: "Fields are wrong; each is named.",
    429: "A board asks to wait.",
    500: "Operator failed.",
    502: "A board, a terminal backend or git failed.",
    503: "Operator is starting or stopping, or too slow; ask again.",
}


def with_pages(routes: Sequence[Route], version: str) -> tuple[Route, ...]:
    """The routes, and those that describe them all."""
    pages = Routes("status")

    @cache
    def all_routes() -> tuple[Route, ...]:
        return (*routes, *pages)

    @pages.get("/openapi.json", media=JSON)
    async def openapi(gate: Gate) -> Raw:
        """This API's description, in OpenAPI 3.1."""
        return Raw(json.dumps(document(all_routes(), gate.about.version)).encode())

    @pages.get("/docs", media="text/html; charset=utf-8")
    async def docs(gate: Gate) -> Raw:
        """This API's description, for people."""
        return Raw(page(all_routes(), gate.about.version).encode(), {"Content-Security-Policy": POLICY})

    return all_routes()


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The whole description."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, schemas)
    schemas.of(Problem)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Operator", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
    }
    if route.raw:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": {"type": "object"}}}}
    elif route.body is not None:
        content = {JSON: {"schema": schemas.of(route.body, asked=True)}}
        made["requestBody"] = {"required": not route.body_optional, "content": content}
    if not route.token and (route.signed or not route.raw):
        made["security"] = []
    return made


def _parameters(route: Route, schemas: Schemas) -> list[Schema]:
    text: Schema = {"type": "string", "minLength": 1}
    made: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": dict(text)} for name in route.parameters
    ]
    if route.named:
        made.append({"name": WHO, "in": "header", "required": False, "description": _WHO, "schema": _PERSON})
    if route.query is None:
        return made
    for each in attrs.fields(route.query):
        wanted = schemas.property(route.query, each.name, asked=True)
        one: Schema = {"name": each.name, "in": "query", "required": each.default is attrs.NOTHING}
        if wanted.get("type") == "array":
            one |= {"style": "form", "explode": False}
        made.append(one | {"schema": _without_null(wanted)})
    return made


_WHO = "Who uses the client; it is recorded beside the verdict."
_PERSON: Schema = {"type": "string", "pattern": f"^(?:{PERSON.pattern})$"}


def _without_null(schema: Schema) -> Schema:
    """A parameter that may be absent is not null when it is there."""
    kinds = schema.get("type")
    if not isinstance(kinds, list):
        return schema
    left = [kind for kind in kinds if kind != "null"]
    return schema | {"type": left[0] if len(left) == 1 else left}


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    media = route.media.partition(";")[0]
    content: Schema = {media: {"schema": schemas.of(route.gives)} if route.gives is not None else {}}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in route.headers.items()}
    made: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        | ({"headers": headers} if headers else {})
        for status in route.statuses
    }
    problem = {"content": {MEDIA_TYPE: {"schema": schemas.of(Problem)}}}
    return made | {str(status): {"description": _WHY[status]} | problem for status in _failures(route)}


def _failures(route: Route) -> list[int]:
    found = {403, 422, 500, *route.failures}
    if route.token or route.raw:
        found.add(401)
    if not route.from_gate:
        found |= {503}
    if route.parameters:
        found |= {404, 409, 429, 502}
    if route.mutates:
        found |= {409, 413, 415, 429, 502}
    return sorted(found)


_STYLE = """\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,td:first-child{font-family:ui-monospace,monospace}td{padding:.2rem .8rem .2rem 0;vertical-align:top}"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(routes: Iterable[Route], version: str) -> str:
    """One page that needs nothing else: no script, and no resource from anywhere."""
    rows = "\n".join(
        f"<tr><td>{route.method} {escape(PREFIX + route.path)}<td>{escape(route.summary)}" for route in routes
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Operator {escape(version)}</title>'
        f"<style>{_STYLE}</style><h1>Operator {escape(version)}</h1><p>{escape(_ABOUT)}</p>"
        f"<p>For machines: <code>GET {PREFIX}/openapi.json</code></p><table>{rows}</table></html>"
    )
