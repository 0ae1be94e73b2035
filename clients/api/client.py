"""One method for each route. All of them go through `Client._send`, which turns failures into `errors`."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import attrs
from attrs import field, frozen

from clients.api.errors import BadAnswer, NoDaemon, Refused, TooSlow
from clients.api.locate import START_HINT, Where
from clients.api.person import login
from clients.api.transport import Answer, Late, Transport, TransportError, Unanswered, Unreachable
from supervisor.domain import views
from supervisor.domain.wire import READ_ERRORS, from_json, problems_of

if TYPE_CHECKING:
    from clients.api.stream import Stream

T = TypeVar("T")

READ, ACT, LONG = 10.0, 30.0, 300.0
"""Seconds until an answer must begin: a look, an act, and an act that waits for git, a board or an agent."""
_UNEQUAL = "Daemon and client may be of different versions: restart the daemon, or update the client."


@frozen
class TicketText:
    """What a person says about a ticket; None leaves a field as it is, or at its default."""

    title: str | None = None
    body: str | None = None
    type: str | None = None
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: Sequence[str] | None = None
    blocked_by: Sequence[str] | None = None
    collection: str | None = None

    def plain(self) -> dict[str, object]:
        """The fields that say something, as the wire has them."""
        given = {each.name: getattr(self, each.name) for each in attrs.fields(type(self))}
        return {name: value for name, value in given.items() if value is not None}


@frozen
class Piece:
    """Bytes of a transcript, and where in it they begin."""

    offset: int
    data: bytes = field(repr=False)


class Client:
    """A daemon's REST API. Methods raise `errors.ApiError`'s subclasses and nothing else."""

    def __init__(self, transport: Transport, where: Where) -> None:
        self._transport = transport
        self.where = where

    # --- the daemon ---------------------------------------------------------------------------------

    async def health(self) -> views.HealthView:
        """Whether it is there at all; needs no token."""
        return await self._get("/health", views.HealthView)

    async def status(self) -> views.StatusView:
        """All of it at a glance."""
        return await self._get("/status", views.StatusView)

    async def sync(self, collection: str | None = None) -> views.SyncView:
        """Read the boards now, and answer when they are read."""
        path = "/queue/sync" if collection is None else f"/queue/sync/{_part(collection)}"
        return await self._post(path, views.SyncView, wait=LONG)

    async def pause(self, reason: str | None = None) -> views.PauseView:
        """Start no more agents by itself."""
        return await self._post("/queue/pause", views.PauseView, {"reason": reason} if reason else {})

    async def resume(self) -> views.PauseView:
        """Start agents again."""
        return await self._post("/queue/resume", views.PauseView)

    async def queue_status(self) -> views.QueueStatus:
        """How many tickets are in which state."""
        return await self._get("/queue/status", views.QueueStatus)

    async def kanban(self) -> views.Kanban:
        """The tickets by column, those that wait in the order they will be taken."""
        return await self._get("/queue/kanban", views.Kanban)

    async def collections(self) -> tuple[views.CollectionView, ...]:
        """Where tickets come from."""
        return (await self._get("/collections", views.CollectionList)).collections

    async def board_writes(self, collection: str) -> tuple[views.WriteView, ...]:
        """What a collection's board is still to be told, oldest first."""
        return (await self._get(f"/collections/{_part(collection)}/writes", views.WriteList)).writes

    async def issue_types(self) -> tuple[views.TypeView, ...]:
        """What kinds of tickets there are."""
        return (await self._get("/issuetypes", views.TypeList)).issuetypes

    async def activity(
        self,
        since: int = 0,
        limit: int = 100,
        kinds: Sequence[str] = (),
        agent: str | None = None,
        ticket: str | None = None,
    ) -> views.ActivityPage:
        """Entries after `since`, oldest first."""
        asked = {
            "since": since,
            "limit": limit,
            "kinds": ",".join(kinds) or None,
            "agent": agent,
            "ticket": ticket,
        }
        return await self._get("/activity", views.ActivityPage, asked)

    def stream(
        self,
        since: int | None = None,
        kinds: Sequence[str] = (),
        agent: str | None = None,
        ticket: str | None = None,
    ) -> "AbstractAsyncContextManager[Stream]":
        """The activity as it happens, after `since` or from now on; an async iterator within `async with`."""
        from clients.api.stream import Wanted, follow  # WebSockets are not loaded for a mere question

        return follow(self.where, since, Wanted(tuple(kinds), agent, ticket))

    # --- tickets ------------------------------------------------------------------------------------

    async def tickets(
        self,
        status: str | None = None,
        collection: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> views.TicketPage:
        """One page of tickets."""
        asked = {"status": status, "collection": collection, "cursor": cursor, "limit": limit}
        return await self._get("/tickets", views.TicketPage, asked)

    async def ticket(self, ticket: str) -> views.TicketDetail:
        """One ticket with its text."""
        return await self._get(f"/tickets/{_part(ticket)}", views.TicketDetail)

    async def create_ticket(self, text: TicketText) -> views.TicketDetail:
        """Add a ticket to a board."""
        return await self._post("/tickets", views.TicketDetail, text.plain())

    async def edit_ticket(self, ticket: str, text: TicketText) -> views.TicketDetail:
        """Change a ticket's own text."""
        content = await self._send("PATCH", f"/tickets/{_part(ticket)}", text.plain(), wait=ACT)
        return _structure(content, views.TicketDetail)

    async def launch(self, ticket: str, force: bool = False) -> views.LaunchView:
        """Start an agent on a ticket now; `force` goes beyond the caps."""
        path = f"/tickets/{_part(ticket)}/launch"
        return await self._post(path, views.LaunchView, {"force": True} if force else {}, wait=LONG)

    async def cancel(self, ticket: str, reason: str = "") -> views.TicketDetail:
        """Give a ticket up; its agent is stopped."""
        body = {"reason": reason} if reason else {}
        return await self._post(f"/tickets/{_part(ticket)}/cancel", views.TicketDetail, body)

    async def retry(self, ticket: str) -> views.TicketDetail:
        """Put an ended or parked ticket back in line."""
        return await self._post(f"/tickets/{_part(ticket)}/retry", views.TicketDetail)

    async def finish(self, ticket: str) -> views.TicketDetail:
        """Call a ticket done."""
        return await self._post(f"/tickets/{_part(ticket)}/done", views.TicketDetail)

    async def clean(self, ticket: str) -> views.TicketDetail:
        """Remove an ended ticket's worktree and branch; what is not merged is exported first."""
        return await self._post(f"/tickets/{_part(ticket)}/clean", views.TicketDetail, wait=LONG)

    # --- agents -------------------------------------------------------------------------------------

    async def agents(self) -> views.AgentList:
        """All agents that are remembered."""
        return await self._get("/agents", views.AgentList)

    async def active_agents(self) -> views.AgentList:
        """Those that are not over."""
        return await self._get("/agents/active", views.AgentList)

    async def agent(self, agent: str) -> views.AgentView:
        """One agent."""
        return await self._get(f"/agents/{_part(agent)}", views.AgentView)

    async def prompt(self, agent: str, text: str) -> views.DeliveryView:
        """Type a text into an agent's terminal. The answer says how far it came."""
        return await self._post(f"/agents/{_part(agent)}/prompt", views.DeliveryView, {"text": text})

    async def interrupt(self, agent: str) -> views.AgentView:
        """Press the key that ends an agent's turn."""
        return await self._post(f"/agents/{_part(agent)}/interrupt", views.AgentView)

    async def stop(self, agent: str) -> views.AgentView:
        """End an agent and all its processes."""
        return await self._post(f"/agents/{_part(agent)}/stop", views.AgentView, wait=LONG)

    async def attach(self, agent: str) -> views.AttachView:
        """How to reach an agent from a terminal."""
        return await self._get(f"/agents/{_part(agent)}/attach", views.AttachView)

    async def screen(self, agent: str) -> str:
        """What an agent's terminal shows."""
        return _text(await self._send("GET", f"/agents/{_part(agent)}/screen"))

    async def transcript(self, agent: str, offset: int = 0) -> Piece:
        """What an agent's terminal received from `offset` on, or from the oldest kept byte after it."""
        path = f"/agents/{_part(agent)}/transcript"
        response = await self._answer("GET", path, params={"offset": offset})
        begins = response.headers.get("x-offset", "")
        return Piece(int(begins) if begins.isdigit() else offset, response.content)

    async def diff(self, agent: str) -> str:
        """What an agent changed, as a patch."""
        return _text(await self._send("GET", f"/agents/{_part(agent)}/diff", wait=ACT))

    async def history(self, agent: str) -> views.History:
        """An agent's states with their proofs."""
        return await self._get(f"/agents/{_part(agent)}/history", views.History)

    # --- reviews ------------------------------------------------------------------------------------

    async def reviews(
        self, status: str | None = None, ticket: str | None = None, limit: int | None = None
    ) -> views.ReviewList:
        """What people are to decide, or have decided, newest first."""
        return await self._get("/reviews", views.ReviewList, {"status": status, "ticket": ticket, "limit": limit})

    async def review(self, review: int) -> views.ReviewView:
        """One review with all that it is about."""
        return await self._get(f"/reviews/{review}", views.ReviewView)

    async def artifact(self, review: int, name: str) -> bytes:
        """A file that a review is about."""
        path = "/".join(map(_part, name.split("/")))
        return await self._send("GET", f"/reviews/{review}/artifacts/{path}", wait=ACT)

    async def approve(self, target: str, review: int | None = None) -> views.VerdictView:
        """Approve what an agent, or a ticket's agent, waits for; `review` names it."""
        return await self._post(f"/agents/{_part(target)}/approve", views.VerdictView, _of(review))

    async def reject(self, target: str, reason: str, review: int | None = None) -> views.VerdictView:
        """Reject it; the agent is told why."""
        body = {"reason": reason, **_of(review)}
        return await self._post(f"/agents/{_part(target)}/reject", views.VerdictView, body)

    async def answer(self, target: str, answers: Mapping[str, str], review: int | None = None) -> views.VerdictView:
        """Answer its question: by the questions' texts or numbers, or by `""` the only one."""
        body = {"answers": dict(answers), **_of(review)}
        return await self._post(f"/agents/{_part(target)}/answer", views.VerdictView, body)

    # --- the one door -------------------------------------------------------------------------------

    async def _get(self, path: str, kind: type[T], params: Mapping[str, Any] | None = None) -> T:
        return _structure(await self._send("GET", path, params=params), kind)

    async def _post(self, path: str, kind: type[T], body: object = None, wait: float = ACT) -> T:
        return _structure(await self._send("POST", path, body, wait=wait), kind)

    async def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        wait: float = READ,
    ) -> bytes:
        return (await self._answer(method, path, body, params, wait)).content

    async def _answer(
        self,
        method: str,
        path: str,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        wait: float = READ,
    ) -> Answer:
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        url = f"{self.where.url}/api/v1{path}" + (f"?{urlencode(asked)}" if asked else "")
        sent = headers(self.where)
        content = None
        if body is not None:
            sent["content-type"] = "application/json"
            content = json.dumps(body).encode()
        try:
            answer = await self._transport.send(method, url, sent, content, wait)
        except Unreachable:
            raise _absent(self.where) from None
        except Unanswered:
            raise NoDaemon(f"Nothing answers at {self.where.url}.", START_HINT) from None
        except Late:
            message = f"The daemon at {self.where.url} did not answer within {wait:.0f} s."
            raise TooSlow(message, "What became of the request is in the activity: operator watch") from None
        except TransportError as error:
            raise BadAnswer(f"The connection to {self.where.url} failed: {error}.") from None
        if 200 <= answer.status < 300:
            return answer
        raise refusal(answer.status, answer.headers.get("content-type", ""), answer.content)


def _part(name: str) -> str:
    """A name as one part of a path; `.` and `..` would otherwise climb."""
    return quote(name, safe="~") if name.strip(".") else quote(name, safe="").replace(".", "%2E")


def _of(review: int | None) -> dict[str, object]:
    return {} if review is None else {"review_id": review}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _structure(content: bytes, kind: type[T]) -> T:
    try:
        return from_json(content, kind)
    except READ_ERRORS as error:
        where, what = next(iter(problems_of(error, "the answer").items()))
        raise BadAnswer(f"The daemon's answer cannot be understood: {where}: {what}.", _UNEQUAL) from None


def _absent(where: Where) -> NoDaemon:
    if where.endpoint is None:
        return NoDaemon(f"No daemon answers at {where.url}.", START_HINT)
    since = f"{where.endpoint.started_at.astimezone():%Y-%m-%d %H:%M}"
    return NoDaemon(
        f"No daemon answers at {where.url}; the last one there (pid {where.endpoint.pid}) started {since}.",
        START_HINT,
    )


def refusal(status: int, content_type: str, content: bytes) -> Refused | BadAnswer:
    """An answer that is no success, as an error."""
    problem: object = None
    if "json" in content_type:
        try:
            problem = json.loads(content)
        except ValueError:
            problem = None
    if not isinstance(problem, dict) or not isinstance(problem.get("code"), str):
        return BadAnswer(f"What answers there is no Operator daemon: status {status} without a reason.", _UNEQUAL)
    message = problem.get("message") or problem.get("detail") or problem.get("title") or f"status {status}"
    return Refused(
        problem["code"],
        str(message),
        str(problem.get("hint") or ""),
        status,
        _texts(problem.get("fields")),
        _texts(problem.get("data")),
    )


def _texts(given: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}


def headers(where: Where) -> dict[str, str]:
    """What each request says about us."""
    said = {"x-operator-user": name} if (name := login()) else {}
    return said | ({"authorization": f"Bearer {where.token}"} if where.token else {})


@asynccontextmanager
async def connect(where: Where, transport: Transport | None = None) -> AsyncIterator[Client]:
    """A client of the daemon at `where`; nothing is sent before its first call."""
    if transport is not None:
        yield Client(transport, where)
        return
    from clients.api.http import http_transport  # a program without an event loop need not load it

    async with http_transport(where.url) as made:
        yield Client(made, where)
