"""Where agents' CLIs post their hooks. An agent's own token is good for this route, for this agent, and no other.

Hooks are most of the requests there are, and the framework costs several times what hearing one does: those in
the plain form in which CLIs post them are answered before they reach it, by the same route and the same rules.
"""

import hmac
import json
import math
import re
from collections.abc import Iterable
from typing import Any

import trio
from attrs import field, frozen

from supervisor.domain.ids import AgentId
from supervisor.web.asgi import Asgi, Message, Receive, Send
from supervisor.web.glue import ALWAYS, JSON, Raw, Refused, Reply, Routes, Sent, serve
from supervisor.web.house import Gate, House
from supervisor.web.openapi import PREFIX
from supervisor.web.problems import Refusal, problem
from supervisor.web.reading import read_json
from supervisor.web.security import UNAUTHORIZED, Security

routes = Routes("signals")

PLAIN_BODY = 256 * 1024
"""Bytes of a body that is read here; a larger one is the framework's."""
PLAIN_WAIT = 1.0
"""Seconds in which it has to be there; a slower one is the framework's, too."""


@routes.post("/agents/{agent}/signals", media=JSON, token=False, deadline=math.inf)
async def signal(house: House, agent: str, sent: Sent) -> Raw:
    """A hook's payload, in its CLI's own form; answered with what the hook is to do. Needs the agent's own token.

    One that asks for a person's decision is answered when there is one: that may take a day. All others are answered
    within the session's own deadline. A client that hangs up has its answer from somewhere else.
    """
    agent_id = AgentId(agent)
    if not _is_from(house, agent_id, sent.authorization):
        raise Refused(UNAUTHORIZED)
    payload = read_json(sent.body)
    if not isinstance(payload, dict):
        raise Refused(Refusal(problem(422, "not_a_hook", "A hook's payload is a JSON object.")))
    heard = await house.fleet.session(agent_id).hear(payload)
    answer = heard.answer
    if heard.request is not None:
        answer = await house.review.hold(agent_id, heard.request, heard.asked_at)
    return Raw(json.dumps(answer).encode())


def _is_from(house: House, agent_id: AgentId, authorization: str | None) -> bool:
    """The token is derived, not looked up: an unknown agent takes as long to refuse as a wrong token."""
    scheme, _, given = (authorization or "").partition(" ")
    wanted = house.hook_token(agent_id)
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), wanted.encode())
    return scheme.lower() == "bearer" and same


# --- before the framework ---------------------------------------------------------------------------

_PATH = re.compile(rf"{re.escape(PREFIX)}/agents/([A-Za-z0-9._~-]+)/signals".encode())
_ONCE = frozenset((b"host", b"authorization", b"content-type", b"content-length"))
"""Headers that a plain hook has at most once."""
_NEVER = frozenset((b"origin", b"transfer-encoding", b"expect"))
"""Headers that it does not have."""


@frozen
class _Plain:
    """What the head of a plain hook says."""

    agent: str
    host: str
    authorization: str | None = field(repr=False)


def plain_first(app: Asgi, gate: Gate, security: Security) -> Asgi:
    """Hear plain hooks, and leave everything else to `app`: also a hook with anything unusual about it."""
    [route] = routes

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        plain = _plain(scope) if scope["type"] == "http" else None
        if plain is None or security.source(plain.host, None) is not None:
            await app(scope, receive, send)
            return
        read = await _read(receive)
        if read[-1:] != [_END]:
            await app(scope, _once_more(read, receive), send)
            return
        body = b"".join(each.get("body", b"") for each in read)
        reply: Reply | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            reply = await serve(route, gate, Sent({"agent": plain.agent}, (), body, plain.authorization))
            nursery.cancel_scope.cancel()
        if reply is not None:
            gate.requests[route.method, route.name, reply.status] += 1
            await send({"type": "http.response.start", "status": reply.status, "headers": _headers(reply)})
            await send({"type": "http.response.body", "body": reply.content})

    return wrapped


_END: Message = {"type": "http.request", "body": b"", "more_body": False}
"""How the server says that the body is complete."""


def _plain(scope: Any) -> _Plain | None:
    path = _PATH.fullmatch(scope["raw_path"]) if scope["method"] == "POST" and not scope["query_string"] else None
    if path is None:
        return None
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _NEVER or name in found:
            return None
        if name in _ONCE:
            found[name] = value
    length = found.get(b"content-length", b"")
    modest = length.isdigit() and len(length) < 10 and int(length) <= PLAIN_BODY
    if not modest or found.get(b"content-type") != JSON.encode() or b"host" not in found:
        return None
    authorization = found[b"authorization"].decode("latin1") if b"authorization" in found else None
    return _Plain(path[1].decode(), found[b"host"].decode("latin1"), authorization)


async def _read(receive: Receive) -> list[Message]:
    """What there is of a request until its end, its client's end, or the end of our patience."""
    read: list[Message] = []
    with trio.move_on_after(PLAIN_WAIT):
        read.append(await receive())
        while read[-1].get("more_body", False):
            read.append(await receive())
    return read


def _once_more(read: Iterable[Message], receive: Receive) -> Receive:
    """What was received, once more, and then what comes."""
    again = iter(list(read))

    async def receiving() -> Message:
        for message in again:
            return message
        return await receive()

    return receiving


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    """A client that hangs up is not answered, and nothing waits for its answer any more."""
    await receive()
    scope.cancel()


def _headers(reply: Reply) -> list[tuple[bytes, bytes]]:
    told = {"content-type": reply.media, "content-length": str(len(reply.content)), **reply.headers, **ALWAYS}
    return [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in told.items()]
