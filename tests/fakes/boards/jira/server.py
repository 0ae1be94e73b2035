"""A fake Jira Cloud site on loopback: REST v3 as far as Operator asks it, all of it held to the schema."""

import base64
import json
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import format_datetime
from typing import Any

from attrs import define, field

from tests.fakes.boards.jira.beans import comment_bean, issue_bean, link_type
from tests.fakes.boards.jira.jql import BadQuery, search
from tests.fakes.boards.jira.schema import adf_faults, contracts
from tests.fakes.boards.jira.site import ACCOUNT, LINKS, Comment, Issue, Person, Site
from tests.fakes.boards.jira.wire import Answer, Asked, Troubles, listening

EMAIL, TOKEN = "robot@example.org", "ATATT3xFfGF0-secret-token"
_API = "/rest/api/3"
Handler = Callable[..., Answer]


class Refused(Exception):
    def __init__(self, status: int, *messages: str, **errors: str) -> None:
        super().__init__(status, messages, errors)
        self.answer = Answer(status, {"errorMessages": list(messages), "errors": errors})


def _missing() -> Refused:
    return Refused(404, "Issue does not exist or you do not have permission to see it.")


@define
class Jira:
    """`faults` are requests and answers that are not as Jira's schema wants them: a test's end expects none."""

    url: str = ""
    site: Site = field(factory=Site)
    troubles: Troubles = field(factory=Troubles)
    asked: Counter[str] = field(factory=Counter)
    """Requests by method and template, such as `GET /issue/{issueIdOrKey}`."""
    faults: list[str] = field(factory=list)
    prefix: str = ""
    """What stands before the API's paths, as at the gateway for scoped tokens."""
    _searches: dict[str, list[str]] = field(factory=dict)
    _meanwhile: list[tuple[str, Callable[[], None]]] = field(factory=list)

    @property
    def person(self) -> Person:
        return Person(self.site)

    @property
    def base_url(self) -> str:
        return self.url + self.prefix

    def trouble(self, kind: str, times: int = 1, *, on: str = "") -> None:
        self.troubles.add(kind, times, on=on)

    def meanwhile(self, act: Callable[[], None], *, on: str) -> None:
        """What somebody does once the next request was answered whose method and path contain `on`."""
        self._meanwhile.append((on, act))

    # --- serving ----------------------------------------------------------------------------------

    def serve(self, asked: Asked) -> Answer:
        answer = self._served(asked)
        for each in [each for each in self._meanwhile if each[0] in f"{asked.method} {asked.path}"][:1]:
            self._meanwhile.remove(each)
            each[1]()
        return answer

    def _served(self, asked: Asked) -> Answer:
        path = asked.path.removeprefix(self.prefix)
        if self.prefix and path == asked.path:
            return Answer(404, {"message": "no such page"})
        handler, template, parts = self._route(asked.method, path)
        self.asked[f"{asked.method} {template}"] += 1
        try:
            if handler is None:
                raise Refused(404, f"the fake has no {asked.method} {path}")
            self._authenticated(asked)
            body = json.loads(asked.body) if asked.body else None
            self._held_to_schema(asked, template, body)
            answer = handler(self, *parts, query=asked.query, body=body)
        except Refused as refused:
            answer = refused.answer
        for contract in contracts() if handler is not None else ():
            faults = contract.answer_faults(asked.method, _API + template, answer.status, answer.body)
            self.faults += [f"answer to {asked.method} {template}: {each}" for each in faults]
        date = format_datetime(self.site.clock(), usegmt=True)
        return Answer(answer.status, answer.body, {"Date": date, "Cache-Control": "no-cache", **answer.headers})

    def _authenticated(self, asked: Asked) -> None:
        expected = "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
        if asked.headers.get("authorization") != expected:
            raise Refused(401, "Client must be authenticated to access this resource.")

    def _held_to_schema(self, asked: Asked, template: str, body: object) -> None:
        for contract in contracts():
            faults = contract.request_faults(asked.method, _API + template, asked.query, body)
            if faults:
                self.faults += [f"{asked.method} {template}: {each}" for each in faults]
                raise Refused(400, *faults)

    def _route(self, method: str, path: str) -> tuple[Handler | None, str, list[str]]:
        for template, handler in _ROUTES.get(method, {}).items():
            pattern = re.sub(r"\{\w+\}", "([^/]+)", re.escape(_API + template).replace(r"\{", "{").replace(r"\}", "}"))
            found = re.fullmatch(pattern, path)
            if found is not None:
                return handler, template, list(found.groups())
        return None, path.removeprefix(_API), []

    def _issue(self, id_or_key: str) -> Issue:
        issue = self.site.find(id_or_key) if not self.site.hidden else None
        if issue is None:
            raise _missing()
        return issue

    # --- the site ---------------------------------------------------------------------------------

    def myself(self, **_: Any) -> Answer:
        me: dict[str, Any] = {"accountId": ACCOUNT, "displayName": "Robot", "active": True}
        return Answer(200, me | ({"timeZone": self.site.time_zone} if self.site.time_zone else {}))

    def server_info(self, **_: Any) -> Answer:
        return Answer(200, {"baseUrl": "https://example.atlassian.net", "deploymentType": "Cloud"})

    def priorities(self, **_: Any) -> Answer:
        values = [{"id": key, "name": name} for key, name in self.site.priorities.items()]
        page = {"startAt": 0, "maxResults": 50, "total": len(values), "isLast": True}
        return Answer(200, page | {"values": values})

    def project(self, key: str, **_: Any) -> Answer:
        if key != self.site.project or self.site.hidden:
            raise Refused(404, f"No project could be found with key '{key}'.")
        return Answer(200, {"id": "10000", "key": key, "name": "Engineering"})

    def issue_types(self, project: str, **_: Any) -> Answer:
        if project != self.site.project:
            raise Refused(404, "No project could be found with key.")
        types = [{"id": key, "name": name, "subtask": name == "Sub-task"} for key, name in self.site.types.items()]
        return Answer(200, {"issueTypes": types, "startAt": 0, "maxResults": 50, "total": len(types)})

    def link_types(self, **_: Any) -> Answer:
        return Answer(200, {"issueLinkTypes": [link_type(key) for key in LINKS]})

    # --- issues -----------------------------------------------------------------------------------

    def old_search(self, **_: Any) -> Answer:
        raise Refused(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")

    def search(self, *, body: dict[str, Any], **_: Any) -> Answer:
        fresh = [str(each) for each in body.get("reconcileIssues", ())]
        if len(fresh) > 50:
            raise Refused(400, "reconcileIssues accepts at most 50 ids")
        try:
            matches = search(self.site, body["jql"])
        except BadQuery as error:
            raise Refused(400, str(error)) from None
        seen = {each.id: each for each in self.site.indexed(fresh)}
        token = body.get("nextPageToken")
        if token is None:
            found = sorted((each for each in seen.values() if matches(each)), key=lambda each: int(each.id))
            ids = [each.id for each in found]
        elif token in self._searches:
            ids = self._searches[token]
        else:
            raise Refused(400, "The provided next page token is invalid or expired.")
        page = ids[: min(self.site.page, body.get("maxResults", 50))]
        rest = ids[len(page) :]
        fields, properties = body.get("fields", ["id"]), body.get("properties", [])
        beans = [issue_bean(self.site, seen[each], fields, properties) for each in page if each in seen]
        if not rest and not self.site.endless:
            return Answer(200, {"issues": beans, "isLast": True})
        onward = token if self.site.endless and token is not None else secrets.token_urlsafe(8)
        self._searches[onward] = ids if self.site.endless else rest
        return Answer(200, {"issues": beans, "isLast": False, "nextPageToken": onward})

    def read(self, id_or_key: str, *, query: dict[str, str], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        return Answer(
            200, issue_bean(self.site, issue, query["fields"].split(","), query.get("properties", "").split(","))
        )

    def bulk(self, *, body: dict[str, Any], **_: Any) -> Answer:
        ids = body["issueIdsOrKeys"]
        if len(ids) > 100:
            raise Refused(400, "at most 100 issues")
        found = [issue for each in ids if (issue := self.site.find(each)) is not None]
        beans = [
            issue_bean(self.site, each, body["fields"], body["properties"])
            for each in sorted(found, key=lambda one: one.id)
        ]
        return Answer(200, {"issues": beans, "issueErrors": []})

    def add(self, *, body: dict[str, Any], **_: Any) -> Answer:
        fields = body["fields"]
        if fields.get("project") != {"key": self.site.project}:
            raise Refused(400, project="valid project is required")
        kind = self.site.types.get(fields.get("issuetype", {}).get("id"))
        if kind is None or not fields.get("summary"):
            raise Refused(
                400, issuetype="Specify a valid issue type", summary="You must specify a summary of the issue."
            )
        self._checked(fields)
        issue = self.site.make(fields["summary"], creator=ACCOUNT, type=kind)
        self._set(issue, body)
        self.site.writes[issue.id] += 1
        return Answer(201, {"id": issue.id, "key": issue.key, "self": f"{self.url}{_API}/issue/{issue.id}"})

    def edit(self, id_or_key: str, *, body: dict[str, Any], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        before = self.site.changing(issue)
        self._checked(body.get("fields", {}))
        self._set(issue, body)
        self.site.touch(issue, before)
        self.site.writes[issue.id] += 1
        return Answer(204)

    def _checked(self, fields: dict[str, Any]) -> None:
        errors = dict.fromkeys(fields, "Field cannot be set. It is not on the appropriate screen, or unknown.")
        for name in ("project", "issuetype", "summary", "description", "labels", "priority"):
            errors.pop(name, None)
        if len(fields.get("summary") or "") > 255:
            errors["summary"] = "Summary must be less than 255 characters."
        if any(" " in each for each in fields.get("labels", ())):
            errors["labels"] = "The label contains spaces which is invalid."
        if fields.get("description") is not None and adf_faults(fields["description"]):
            errors["description"] = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
            self.faults += adf_faults(fields["description"])
        if errors:
            raise Refused(400, **errors)

    def _set(self, issue: Issue, body: dict[str, Any]) -> None:
        fields = body.get("fields", {})
        for name in ("summary", "description", "labels"):
            if name in fields:
                setattr(issue, name, fields[name])
        if "priority" in fields:
            issue.priority = fields["priority"]["id"]
        if "issuetype" in fields:
            issue.type = self.site.types[fields["issuetype"]["id"]]
        issue.properties |= {each["key"]: each["value"] for each in body.get("properties", ())}

    def keep(self, id_or_key: str, name: str, *, body: Any, **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        status = 200 if name in issue.properties else 201
        issue.properties[name] = body
        self.site.writes[issue.id] += 1
        return Answer(status)

    def transitions(self, id_or_key: str, **_: Any) -> Answer:
        there = self.site.reachable(self._issue(id_or_key))
        beans = [
            {"id": f"{each.id}1", "name": f"To {each.name}", "isAvailable": True, "to": each.bean()} for each in there
        ]
        return Answer(200, {"expand": "transitions", "transitions": beans})

    def transit(self, id_or_key: str, *, body: dict[str, Any], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        there = {f"{each.id}1": each for each in self.site.reachable(issue)}
        status = there.get(body["transition"]["id"])
        if status is None:
            raise Refused(400, "It seems that you have tried to perform a workflow operation that is not valid.")
        before = self.site.changing(issue)
        issue.status = status
        self.site.touch(issue, before)
        self.site.writes[issue.id] += 1
        return Answer(204)

    def link(self, *, body: dict[str, Any], **_: Any) -> Answer:
        source, target = (self._issue(body[side]["key"]) for side in ("inwardIssue", "outwardIssue"))
        kind = body["type"]["id"]
        for issue, side, other in ((source, "outward", target.id), (target, "inward", source.id)):
            if (kind, side, other) not in issue.blockers:
                issue.blockers.append((kind, side, other))
                self.site.touch(issue, issue)
                self.site.writes[issue.id] += 1
        return Answer(201)

    # --- comments and remote links ----------------------------------------------------------------

    def comments(self, id_or_key: str, *, query: dict[str, str], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        start, most = int(query.get("startAt", "0")), int(query.get("maxResults", "50"))
        shown = "properties" in query.get("expand", "") and self.site.shows_properties
        page = [comment_bean(each, shown=shown) for each in issue.comments[start : start + most]]
        return Answer(200, {"comments": page, "startAt": start, "maxResults": most, "total": len(issue.comments)})

    def comment(self, id_or_key: str, *, body: dict[str, Any], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        made = Comment(str(self.site.number()), ACCOUNT, self._said(body), _properties(body), self.site.clock())
        issue.comments.append(made)
        self.site.touch(issue, issue)
        self.site.writes[issue.id] += 1
        return Answer(201, comment_bean(made, shown=False))

    def change_comment(self, id_or_key: str, comment: str, *, body: dict[str, Any], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        found = next((each for each in issue.comments if each.id == comment), None)
        if found is None:
            raise Refused(404, f"Can not find a comment for the id: {comment}.")
        if found.author != ACCOUNT:
            raise Refused(400, "You do not have permission to edit the comment.")
        found.body, found.properties = self._said(body), found.properties | _properties(body)
        self.site.touch(issue, issue)
        self.site.writes[issue.id] += 1
        return Answer(200, comment_bean(found, shown=False))

    def _said(self, body: dict[str, Any]) -> Any:
        if adf_faults(body.get("body")):
            self.faults += adf_faults(body.get("body"))
            raise Refused(400, comment="Comment body is not valid!")
        return body["body"]

    def remote_links(self, id_or_key: str, *, query: dict[str, str], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        wanted = query.get("globalId")
        if wanted is None:
            return Answer(200, list(issue.links.values()))
        if wanted not in issue.links:
            raise Refused(404, "No remote issue link could be found.")
        return Answer(200, issue.links[wanted])

    def set_remote_link(self, id_or_key: str, *, body: dict[str, Any], **_: Any) -> Answer:
        issue = self._issue(id_or_key)
        known = issue.links.get(body["globalId"])
        number = known["id"] if known is not None else self.site.number()
        issue.links[body["globalId"]] = {"id": number, **body}
        self.site.touch(issue, issue)
        self.site.writes[issue.id] += 1
        return Answer(201 if known is None else 200, {"id": number})


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in body.get("properties", ())}


_ISSUE = "/issue/{issueIdOrKey}"
_ROUTES: dict[str, dict[str, Handler]] = {
    "GET": {
        "/myself": Jira.myself,
        "/serverInfo": Jira.server_info,
        "/priority/search": Jira.priorities,
        "/project/{projectIdOrKey}": Jira.project,
        "/issue/createmeta/{projectIdOrKey}/issuetypes": Jira.issue_types,
        "/issueLinkType": Jira.link_types,
        "/search": Jira.old_search,
        _ISSUE: Jira.read,
        f"{_ISSUE}/transitions": Jira.transitions,
        f"{_ISSUE}/comment": Jira.comments,
        f"{_ISSUE}/remotelink": Jira.remote_links,
    },
    "POST": {
        "/search": Jira.old_search,
        "/search/jql": Jira.search,
        "/issue": Jira.add,
        "/issue/bulkfetch": Jira.bulk,
        "/issueLink": Jira.link,
        f"{_ISSUE}/transitions": Jira.transit,
        f"{_ISSUE}/comment": Jira.comment,
        f"{_ISSUE}/remotelink": Jira.set_remote_link,
    },
    "PUT": {
        _ISSUE: Jira.edit,
        f"{_ISSUE}/comment/{{id}}": Jira.change_comment,
        f"{_ISSUE}/properties/{{propertyKey}}": Jira.keep,
    },
}


@asynccontextmanager
async def jira(prefix: str = "") -> AsyncIterator[Jira]:
    """A site to itself. At its end every request and answer must have been as the schema wants it."""
    made = Jira(prefix=prefix)
    async with listening(made.serve, made.troubles) as url:
        made.url = url
        yield made
    assert made.faults == []
