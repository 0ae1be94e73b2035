"""GitHub's GraphQL over the state, executed by graphql-core: what the schema does not have is refused."""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, graphql_sync

from tests.fakes.boards.github.schemas import graphql
from tests.fakes.boards.github.state import ME, OWNER, Comment, Draft, Gone, Issue, Item, Project, State


class _Missing(GraphQLError):
    def __init__(self, what: str) -> None:
        super().__init__(f"Could not resolve to {what}", extensions={"type": "NOT_FOUND"})


def executed(state: State, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The answer to a query; what is wrong with it is named in the answer, as GitHub does."""
    result = graphql_sync(graphql(), query, root_value=_Root(state).fields(), variable_values=variables)
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(each) for each in result.errors]
    return answer


def _error(error: GraphQLError) -> dict[str, Any]:
    """GitHub names an error's type beside its message."""
    told = {**error.formatted}
    kind = (error.extensions or {}).get("type")
    return {"type": kind, "message": told["message"], "path": told.get("path")} if kind else dict(told)


Info = GraphQLResolveInfo


class _Root:
    def __init__(self, state: State) -> None:
        self._state = state

    def fields(self) -> dict[str, Callable[..., Any]]:
        return {
            "repositoryOwner": self._owner,
            "repository": self._repository,
            "node": lambda info, id: self._node(id),
            "nodes": lambda info, ids: [self._node_or_error(each) for each in ids],
            "addComment": self._add_comment,
            "updateIssueComment": self._edit_comment,
            "addProjectV2DraftIssue": self._add_draft,
            "updateProjectV2DraftIssue": self._edit_draft,
            "updateProjectV2ItemFieldValue": self._choose,
        }

    # --- reading ----------------------------------------------------------------------------------

    def _owner(self, info: Info, login: str) -> Any:
        if login.casefold() != OWNER:
            raise _Missing(f"an owner with the login {login}")

        def project(info: Info, number: int) -> Any:
            if number not in self._state.projects:
                raise _Missing(f"a ProjectV2 with the number {number}")
            return self._project(self._state.projects[number])

        return {"__typename": "Organization", "id": "O_1", "login": OWNER, "projectV2": project}

    def _repository(self, info: Info, owner: str, name: str, **_: Any) -> Any:
        try:
            home = self._state.repo(f"{owner}/{name}")
        except Gone:
            raise _Missing(f"a Repository with the name {owner}/{name}") from None

        def find(info: Info, number: int) -> Any:
            issue = home.issues.get(number)
            if issue is None or issue.deleted:
                raise _Missing(f"an issue or pull request with the number {number}")
            return self._issue(issue)

        return {
            "__typename": "Repository",
            "id": f"R_{home.id}",
            "nameWithOwner": f"{OWNER}/{name}",
            "issueOrPullRequest": find,
        }

    def _node_or_error(self, node_id: str) -> Any:
        try:
            return self._node(node_id)
        except GraphQLError as error:
            return error

    def _node(self, node_id: str) -> Any:
        for issue in self._state.issues():
            if issue.node_id == node_id:
                return self._issue(issue)
        for item in self._state.items():
            if item.node_id == node_id:
                return self._item(item)
        raise _Missing(f"a node with the global id of '{node_id}'")

    def _project(self, project: Project) -> Any:
        def items(info: Info, first: int, after: str | None = None, **_: Any) -> Any:
            return _connection([self._item(each) for each in project.items], first, after)

        fields = [
            {"__typename": "ProjectV2Field", "id": "PVTF_1", "name": "Title", "dataType": "TITLE"},
            _select("Status", project.columns),
            _select("Priority", project.priorities),
        ]
        return {"__typename": "ProjectV2", "id": project.node_id, "items": items, "fields": {"nodes": fields}}

    def _item(self, item: Item) -> Any:
        def value(info: Info, name: str) -> Any:
            chosen = {"Status": item.status, "Priority": item.priority}.get(name)
            if chosen is None:
                return None
            return {"__typename": "ProjectV2ItemFieldSingleSelectValue", "name": chosen, "optionId": f"{name}:{chosen}"}

        kind = "DRAFT_ISSUE" if isinstance(item.content, Draft) else "PULL_REQUEST" if item.content.is_pull else "ISSUE"
        content = self._draft(item.content) if isinstance(item.content, Draft) else self._issue(item.content)
        return {
            "__typename": "ProjectV2Item",
            "id": item.node_id,
            "type": "REDACTED" if item.redacted else kind,
            "isArchived": item.archived,
            "updatedAt": item.updated.isoformat(),
            "fullDatabaseId": str(item.id),
            "fieldValueByName": value,
            "content": None if item.redacted else content,
        }

    def _draft(self, draft: Draft) -> Any:
        return {
            "__typename": "DraftIssue",
            "id": draft.node_id,
            "title": draft.title,
            "body": draft.body,
            "updatedAt": draft.updated.isoformat(),
        }

    def _issue(self, issue: Issue) -> Any:
        def comments(info: Info, first: int, after: str | None = None, **_: Any) -> Any:
            return _connection([_comment(each) for each in issue.comments], first, after)

        return {
            "__typename": "PullRequest" if issue.is_pull else "Issue",
            "id": issue.node_id,
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "url": f"https://github.com/{issue.repo}/issues/{issue.number}",
            "closed": issue.state == "closed",
            "state": issue.state.upper(),
            "stateReason": lambda info, **_: issue.reason.upper() if issue.reason else None,
            "updatedAt": issue.updated.isoformat(),
            "repository": {"__typename": "Repository", "nameWithOwner": issue.repo},
            "labels": {"nodes": [{"__typename": "Label", "name": each} for each in issue.labels]},
            "comments": comments,
        }

    # --- writing ----------------------------------------------------------------------------------

    def _issue_by(self, node_id: str) -> Issue:
        for issue in self._state.issues():
            if issue.node_id == node_id:
                return issue
        raise _Missing(f"a node with the global id of '{node_id}'")

    def _add_comment(self, info: Info, input: dict[str, Any]) -> Any:
        issue = self._issue_by(input["subjectId"])
        self._state.comment(issue, ME, input["body"])
        self._state.writes[issue.node_id] += 1
        return {"clientMutationId": None}

    def _edit_comment(self, info: Info, input: dict[str, Any]) -> Any:
        for issue in self._state.issues():
            for comment in issue.comments:
                if f"IC_{comment.id}" == input["id"]:
                    comment.body, comment.edits = input["body"], comment.edits + 1
                    self._state.touch(issue)
                    self._state.writes[issue.node_id] += 1
                    return {"issueComment": _comment(comment)}
        raise _Missing("a comment")

    def _add_draft(self, info: Info, input: dict[str, Any]) -> Any:
        for number, project in self._state.projects.items():
            if project.node_id == input["projectId"]:
                item = self._state.add_item(number, self._state.draft(input["title"], input.get("body", "")))
                self._state.writes[item.node_id] += 1
                return {"projectItem": self._item(item)}
        raise _Missing("a project")

    def _edit_draft(self, info: Info, input: dict[str, Any]) -> Any:
        for item in self._state.items():
            draft = item.content
            if isinstance(draft, Draft) and draft.node_id == input["draftIssueId"]:
                draft.title, draft.body = input.get("title", draft.title), input.get("body", draft.body)
                self._state.touch(draft)
                self._state.writes[item.node_id] += 1
                return {"draftIssue": self._draft(draft)}
        raise _Missing("a draft")

    def _choose(self, info: Info, input: dict[str, Any]) -> Any:
        for project in self._state.projects.values():
            for item in project.items:
                if (project.node_id, item.node_id) == (input["projectId"], input["itemId"]):
                    field, _, name = input["value"]["singleSelectOptionId"].partition(":")
                    if input["fieldId"] != f"PVTSSF_{field}" or name not in (*project.columns, *project.priorities):
                        raise GraphQLError("The single select option Id does not belong to the field")
                    if field == "Status":
                        item.status = name
                    else:
                        item.priority = name
                    self._state.touch(item)
                    self._state.writes[item.node_id] += 1
                    return {"projectV2Item": self._item(item)}
        raise _Missing("an item")


def _comment(comment: Comment) -> Any:
    return {
        "__typename": "IssueComment",
        "id": f"IC_{comment.id}",
        "body": comment.body,
        "viewerDidAuthor": comment.author == ME,
    }


def _select(name: str, options: Sequence[str]) -> Any:
    return {
        "__typename": "ProjectV2SingleSelectField",
        "id": f"PVTSSF_{name}",
        "name": name,
        "dataType": "SINGLE_SELECT",
        "options": [{"id": f"{name}:{each}", "name": each} for each in options],
    }


def _connection(nodes: list[Any], first: int, after: str | None) -> Any:
    if not 1 <= first <= 100:
        raise GraphQLError("`first` must be between 1 and 100", extensions={"type": "EXCESSIVE_PAGINATION"})
    start = int(after) if after else 0
    end = start + first
    info = {"hasNextPage": end < len(nodes), "endCursor": str(min(end, len(nodes)))}
    return {"nodes": nodes[start:end], "pageInfo": info}
