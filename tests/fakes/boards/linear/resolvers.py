"""How the workspace answers the fields that Operator asks for; any other field or filter fails loudly."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from tests.fakes.boards.linear.workspace import Issue, Workspace, refusal


@frozen
class Root:
    """Queries and mutations: graphql-core calls a field's value with its arguments."""

    workspace: Workspace
    loops: bool = False
    """Each page says that the first one comes after it."""

    def fields(self) -> dict[str, Callable[..., Any]]:
        return {
            "teams": self.teams,
            "issues": self.issues,
            "issueLabels": self.issue_labels,
            "issueCreate": self.issue_create,
            "issueUpdate": self.issue_update,
            "commentCreate": self.comment_create,
            "commentUpdate": self.comment_update,
            "attachmentCreate": self.attachment_create,
        }

    # --- queries ----------------------------------------------------------------------------------

    def teams(self, info: Any, filter: Mapping[str, Any], first: int = 50) -> dict[str, Any]:
        found = [self._team(each, key) for each, key in self.workspace.teams.items() if _matches({"key": key}, filter)]
        return _connection(found, first)

    def issues(self, info: Any, **given: Any) -> dict[str, Any]:
        first, after = given.get("first", 50), given.get("after")
        if first > 250:
            raise refusal("Argument Validation Error: first must not be greater than 250")
        fitting = [
            each
            for each in self.workspace.issues.values()
            if (given.get("includeArchived") or each.archived_at is None)
            and _matches(self._fields(each), given.get("filter") or {})
        ]

        def rank(issue: Issue) -> tuple[datetime, str]:
            return (issue.created_at if given.get("orderBy") != "updatedAt" else issue.updated_at, issue.id)

        fitting.sort(key=rank, reverse=True)
        if after is not None and not self.loops:
            stamp, _, issue_id = base64.b64decode(after).decode().partition(" ")
            fitting = [each for each in fitting if rank(each) < (datetime.fromisoformat(stamp), issue_id)]
        page = fitting[:first]
        more = len(fitting) > first or self.loops
        end = " ".join((rank(page[-1])[0].isoformat(), page[-1].id)) if page else None
        cursor = base64.b64encode(end.encode()).decode() if end else None
        info_of_page = {"hasNextPage": more, "endCursor": "loop" if self.loops else cursor}
        return {"nodes": [self._node(each) for each in page], "pageInfo": info_of_page}

    def issue_labels(self, info: Any, filter: Mapping[str, Any], first: int = 50) -> dict[str, Any]:
        labels = self.workspace.labels.items()
        found = [{"id": each, "name": name, "team": None} for each, name in labels if _matches({"name": name}, filter)]
        return _connection(found, first)

    # --- mutations --------------------------------------------------------------------------------

    def issue_create(self, info: Any, input: Mapping[str, Any]) -> dict[str, bool]:
        made = self.workspace.take(input.get("id"))
        team = self.workspace.teams[input["teamId"]]
        self.workspace.add(
            input["title"], input.get("description", ""), team=team, priority=input.get("priority", 0), issue_id=made,
            state="Backlog", labels=[self.workspace.labels[each] for each in input.get("labelIds", ())],
        )  # fmt: skip
        self.workspace.writes[made] += 1
        return {"success": True}

    def issue_update(self, info: Any, id: str, input: Mapping[str, Any]) -> dict[str, bool]:
        def act(issue: Issue) -> None:
            for name, value in input.items():
                match name:
                    case "stateId":
                        if self.workspace.states.get(value, ("",))[0] != issue.team:
                            raise refusal("Entity not found: WorkflowState")
                        issue.state = value
                    case "title" | "description":
                        setattr(issue, name, value)
                    case "priority":
                        issue.priority = float(value)
                    case "labelIds":
                        issue.labels = [each for each in value if self.workspace.labels[each]]
                    case _:
                        raise NotImplementedError(name)

        return self.workspace.change(id, act)

    def comment_create(self, info: Any, input: Mapping[str, Any]) -> dict[str, bool]:
        def act(issue: Issue) -> None:
            issue.comments[self.workspace.take(input.get("id"))] = input["body"]

        return self.workspace.change(input["issueId"], act)

    def comment_update(self, info: Any, id: str, input: Mapping[str, Any]) -> dict[str, bool]:
        holder = next((each for each in self.workspace.issues.values() if id in each.comments), None)
        if holder is None:
            raise refusal("Entity not found: Comment")
        return self.workspace.change(holder.id, lambda issue: issue.comments.update({id: input["body"]}))

    def attachment_create(self, info: Any, input: Mapping[str, Any]) -> dict[str, bool]:
        new = {input["url"]: input["title"]}
        return self.workspace.change(input["issueId"], lambda issue: issue.attachments.update(new))

    # --- nodes ------------------------------------------------------------------------------------

    def _fields(self, issue: Issue) -> dict[str, Any]:
        """What can be filtered by."""
        return {"id": issue.id, "team": {"key": issue.team}, "updatedAt": issue.updated_at}

    def _node(self, issue: Issue) -> dict[str, Any]:
        relations = [{"type": "blocks", "issue": self._node_of(each)} for each in issue.blocked_by]
        comments = [{"id": each, "body": body} for each, body in issue.comments.items()]
        attachments = [{"id": url, "url": url, "title": title} for url, title in issue.attachments.items()]
        labels = [{"id": each, "name": self.workspace.labels[each]} for each in issue.labels]
        return {
            "id": issue.id,
            "identifier": issue.identifier,
            "title": issue.title,
            "description": issue.description or None,
            "priority": issue.priority,
            "url": f"https://linear.app/acme/issue/{issue.identifier}",
            "createdAt": _time(issue.created_at),
            "updatedAt": _time(issue.updated_at),
            "archivedAt": _time(issue.archived_at),
            "trashed": issue.trashed or None,
            "state": self._state(issue.state),
            "labels": _pages(labels),
            "inverseRelations": _pages(relations),
            "comments": _pages(comments),
            "attachments": _pages(attachments),
        } | issue.odd

    def _node_of(self, issue_id: str) -> dict[str, Any]:
        return self._node(self.workspace.issues[issue_id])

    def _state(self, state_id: str) -> dict[str, Any]:
        _, name, kind, position = self.workspace.states[state_id]
        return {"id": state_id, "name": name, "type": kind, "position": position}

    def _team(self, team_id: str, key: str) -> dict[str, Any]:
        states = [self._state(each) for each, known in self.workspace.states.items() if known[0] == key]
        return {"id": team_id, "key": key, "states": _pages(states)}


def _pages(nodes: Sequence[Mapping[str, Any]]) -> Callable[..., dict[str, Any]]:
    def page(info: Any, first: int = 50, filter: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return _connection([each for each in nodes if _matches(each, filter or {})], first)

    return page


def _connection(nodes: Sequence[Any], first: int) -> dict[str, Any]:
    return {"nodes": list(nodes[:first]), "pageInfo": {"hasNextPage": len(nodes) > first, "endCursor": "end"}}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment is not None else None


def _matches(fields: Mapping[str, Any], filter: Mapping[str, Any]) -> bool:
    return all(_fits(fields, name, wanted) for name, wanted in filter.items())


def _fits(fields: Mapping[str, Any], name: str, wanted: Any) -> bool:
    if name == "or":
        return any(_matches(fields, each) for each in wanted)
    value = fields[name]
    if isinstance(value, Mapping):
        return _matches(value, wanted)
    return all(_compared(value, how, other) for how, other in wanted.items())


def _compared(value: Any, how: str, other: Any) -> bool:
    match how:
        case "eq":
            return bool(value == other)
        case "eqIgnoreCase":
            return bool(value.casefold() == other.casefold())
        case "in":
            return value in other
        case "gte":
            return bool(value >= datetime.fromisoformat(other))
        case _:
            raise NotImplementedError(how)
