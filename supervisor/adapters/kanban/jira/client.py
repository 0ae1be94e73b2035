"""The requests to Jira Cloud's REST API v3 that are made, one method each."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

from supervisor.adapters.kanban.courier import Courier, Reply
from supervisor.adapters.kanban.jira import text
from supervisor.adapters.kanban.jira.reading import CLOSED_AS, FIELDS, OURS
from supervisor.domain.errors import BoardPayload, BoardStatus

_API = "/rest/api/3"
PAGE = 100
MOST_PAGES = 1000
_PROPERTIES = [OURS, CLOSED_AS]


@frozen
class Page:
    """One page of a search."""

    reply: Reply = field(repr=False)
    issues: list[Any] = field(repr=False)
    next: str | None
    """What asks for the page after it; None on the last one."""


class Client:
    """Raises BoardError's classes. What it returns has the outermost shape that it should have, and is untrusted."""

    def __init__(self, board: str, courier: Courier) -> None:
        self._board = board
        self._courier = courier

    async def aclose(self) -> None:
        await self._courier.aclose()

    # --- the site ---------------------------------------------------------------------------------

    async def myself(self) -> Mapping[str, Any]:
        return self._map(await self._get("myself"))

    async def server(self) -> Mapping[str, Any]:
        return self._map(await self._get("serverInfo"))

    async def priorities(self) -> list[Any]:
        return self._list(await self._get("priority/search", {"maxResults": PAGE}), "values")

    async def sees(self, project: str) -> bool:
        """Whether there is a project of this key that the token may look into."""
        reply = await self._courier.send("GET", f"{_API}/project/{_part(project)}", accept=(200, 404))
        return not self._gone(reply)

    async def issue_types(self, project: str) -> list[Any]:
        """Those that an issue of the project can be created with."""
        path = f"issue/createmeta/{_part(project)}/issuetypes"
        return self._list(await self._get(path, {"maxResults": PAGE}), "issueTypes")

    async def link_types(self) -> list[Any]:
        return self._list(await self._get("issueLinkType"), "issueLinkTypes")

    # --- reading issues ---------------------------------------------------------------------------

    async def search(self, jql: str, token: str | None, reconcile: Sequence[int]) -> Page:
        """`reconcile`: the ids of issues that were just written, which the search's index may not show yet."""
        asked: dict[str, Any] = {"jql": jql, "fields": list(FIELDS), "properties": _PROPERTIES, "maxResults": PAGE}
        if token is not None:
            asked["nextPageToken"] = token
        if reconcile:
            asked["reconcileIssues"] = list(reconcile)
        reply = await self._courier.send("POST", f"{_API}/search/jql", json=asked)
        answer = self._map(reply)
        onward, last = answer.get("nextPageToken"), answer.get("isLast")
        if (onward is not None and not isinstance(onward, str)) or not isinstance(last, bool | None):
            raise self._odd("a page that does not say how the search goes on")
        if last is False and not onward:
            raise self._odd("a page that is not the last one and names none after it")
        return Page(reply, self._list(reply, "issues"), None if last else onward or None)

    async def issue(self, external_id: str) -> Mapping[str, Any] | None:
        """None if it is gone, or hidden from us."""
        query = {"fields": ",".join(FIELDS), "properties": ",".join(_PROPERTIES)}
        reply = await self._courier.send("GET", self._issue(external_id), query=query, accept=(200, 404))
        return None if self._gone(reply) else self._map(reply)

    async def issues(self, external_ids: Sequence[str]) -> list[Any]:
        """Those of them that there are."""
        asked = {"issueIdsOrKeys": list(external_ids), "fields": list(FIELDS), "properties": _PROPERTIES}
        return self._list(await self._courier.send("POST", f"{_API}/issue/bulkfetch", json=asked), "issues")

    # --- writing issues ---------------------------------------------------------------------------

    async def add(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._map(await self._courier.send("POST", f"{_API}/issue", json=asked, accept=(201,)))

    async def edit(self, external_id: str, asked: Mapping[str, Any]) -> bool:
        """False if it is gone."""
        reply = await self._courier.send("PUT", self._issue(external_id), json=asked, accept=(204, 404))
        return not self._gone(reply)

    async def link(self, kind: str, source: str, target: str) -> None:
        """Link two issues by their keys: `source` stands to `target` as the kind's outward description says."""
        asked = {"type": {"id": kind}, "inwardIssue": {"key": source}, "outwardIssue": {"key": target}}
        await self._courier.send("POST", f"{_API}/issueLink", json=asked, accept=(201,))

    async def transitions(self, external_id: str) -> Mapping[str, Any]:
        return self._map(await self._courier.send("GET", self._issue(external_id, "transitions")))

    async def transit(self, external_id: str, transition: str) -> str | None:
        """Make a transition; why it was refused, else None."""
        asked = {"transition": {"id": transition}}
        path = self._issue(external_id, "transitions")
        reply = await self._courier.send("POST", path, json=asked, accept=(204, 400, 404, 409, 422))
        return None if reply.status == 204 else _said(reply)

    async def keep(self, external_id: str, name: str, value: object) -> None:
        """Set a property of an issue."""
        path = self._issue(external_id, f"properties/{_part(name)}")
        await self._courier.send("PUT", path, json=value, accept=(200, 201))

    # --- comments and links -----------------------------------------------------------------------

    async def comments(self, external_id: str, start: int) -> tuple[list[Any], int]:
        """A page of its comments, oldest first, and how many there are."""
        query: dict[str, str | int] = {
            "startAt": start,
            "maxResults": PAGE,
            "orderBy": "created",
            "expand": "properties",
        }
        reply = await self._courier.send("GET", self._issue(external_id, "comment"), query=query)
        total = self._map(reply).get("total")
        if type(total) is not int:
            raise self._odd("comments without their number")
        return self._list(reply, "comments"), total

    async def comment(self, external_id: str, asked: Mapping[str, Any]) -> None:
        await self._courier.send("POST", self._issue(external_id, "comment"), json=asked, accept=(201,))

    async def change_comment(self, external_id: str, comment: str, asked: Mapping[str, Any]) -> None:
        await self._courier.send("PUT", self._issue(external_id, f"comment/{_part(comment)}"), json=asked)

    async def remote_link(self, external_id: str, global_id: str) -> Mapping[str, Any] | None:
        path = self._issue(external_id, "remotelink")
        reply = await self._courier.send("GET", path, query={"globalId": global_id}, accept=(200, 404))
        if self._gone(reply):
            return None
        found = reply.json()
        listed = found if isinstance(found, list) else [found]
        return next((each for each in listed if isinstance(each, dict) and each.get("globalId") == global_id), None)

    async def set_remote_link(self, external_id: str, asked: Mapping[str, Any]) -> None:
        """Add it, or replace the one of the same `globalId`."""
        await self._courier.send("POST", self._issue(external_id, "remotelink"), json=asked, accept=(200, 201))

    # --- below ------------------------------------------------------------------------------------

    async def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        return await self._courier.send("GET", f"{_API}/{path}", query=query)

    def _issue(self, external_id: str, more: str = "") -> str:
        return f"{_API}/issue/{_part(external_id)}" + (f"/{more}" if more else "")

    def _gone(self, reply: Reply) -> bool:
        """Whether it is Jira itself that says so, and not whatever else stands at the address."""
        if reply.status != 404:
            return False
        if not isinstance(self._map(reply).get("errorMessages"), list):
            raise BoardStatus(f"{self._board} answers HTTP 404, but not as Jira does", hint="look at `base_url`")
        return True

    def _map(self, reply: Reply) -> Mapping[str, Any]:
        answer = reply.json()
        if not isinstance(answer, dict):
            raise self._odd("JSON that is no object")
        return answer

    def _list(self, reply: Reply, name: str) -> list[Any]:
        found = self._map(reply).get(name)
        if not isinstance(found, list):
            raise self._odd(f"no list of {name}")
        return found

    def _odd(self, what: str) -> BoardPayload:
        return BoardPayload(
            f"{self._board} answers with {what}", hint="is `base_url` the address of a Jira Cloud site?"
        )


def _part(value: str) -> str:
    """A part of a path, whatever characters are in it."""
    return quote(value, safe="") if value.strip(".") else "-"


def _said(reply: Reply) -> str:
    """What Jira says about a refusal, for people."""
    answer = reply.json()
    answer = answer if isinstance(answer, dict) else {}
    messages, errors = answer.get("errorMessages"), answer.get("errors")
    found = [text.line(each, 300) for each in messages] if isinstance(messages, list) else []
    if isinstance(errors, dict):
        found += [f"{text.line(name, 100)}: {text.line(each, 300)}" for name, each in list(errors.items())[:10]]
    return "; ".join(each for each in found[:10] if each) or f"HTTP {reply.status}"
