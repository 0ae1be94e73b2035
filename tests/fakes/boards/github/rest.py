"""GitHub's REST over the state: issues, their labels and dependencies."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from attrs import Factory, frozen

from tests.fakes.boards.github.operations import Operation
from tests.fakes.boards.github.schemas import answer_faults, faults, operation
from tests.fakes.boards.github.state import OWNER, Gone, Issue, Repo, State

DELETED = (410, {"message": "This issue was deleted"})
MISSING = (404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


@frozen
class Answered:
    status: int
    body: Any
    headers: dict[str, str] = Factory(dict)


def answered(state: State, base: str, method: str, path: str, query: str, body: Any) -> Answered:
    """One request; `body` is its JSON. Raises AssertionError where our own answer is none of GitHub's."""
    path = _by_id(state, path)
    found = operation(method, path)
    if found is None:
        return Answered(*MISSING)
    asked, names = found
    params = dict(parse_qsl(query, keep_blank_values=True))
    wrong = faults(asked, params, body)
    if wrong:
        return Answered(422, {"message": "Validation Failed", "errors": wrong})
    try:
        answer = _act(state, base, asked, names, params, body)
    except Gone:
        return Answered(*MISSING)
    meant = asked.partial or any(issue.odd for issue in state.issues())
    wrong = [] if meant else answer_faults(asked, answer.status, answer.body)
    assert not wrong, f"the stand-in's answer to {method} {path}: {wrong[:5]}"
    return answer


def _by_id(state: State, path: str) -> str:
    """Links of pages name a repository by its id."""
    parts = path.split("/")
    if parts[1] != "repositories":
        return path
    names = [repo.name for repo in state.repos.values() if str(repo.id) == parts[2]]
    return "/".join(["", "repos", OWNER, *names[:1], *parts[3:]])


def _act(
    state: State, base: str, asked: Operation, names: Mapping[str, str], params: dict[str, str], body: Any
) -> Answered:
    home = state.repo(f"{names['owner']}/{names['repo']}")
    issue = (
        state.issue(f"{names['owner']}/{names['repo']}", int(names["issue_number"]))
        if "issue_number" in names
        else None
    )
    if issue is not None and issue.moved_to is not None:
        to = issue.moved_to
        repo_id = state.repo(to.repo).id
        return Answered(
            301, {"message": "Moved Permanently"}, {"Location": f"{base}/repositories/{repo_id}/issues/{to.number}"}
        )
    if (issue is not None and issue.deleted) or ("issues" in asked.path and not home.has_issues):
        return Answered(*DELETED)
    act = _ACTS[asked.method, asked.path.removeprefix("/repos/{owner}/{repo}")]
    return act(_Asked(state, base, home, issue, names, params, body))


@frozen
class _Asked:
    state: State
    base: str
    home: Repo
    maybe_issue: Issue | None
    names: Mapping[str, str]
    params: dict[str, str]
    body: Any

    @property
    def issue(self) -> Issue:
        assert self.maybe_issue is not None
        return self.maybe_issue


def _repository(asked: _Asked) -> Answered:
    return Answered(200, {"id": asked.home.id, "name": asked.home.name, "has_issues": asked.home.has_issues})


def _list(asked: _Asked) -> Answered:
    wanted = [each for each in asked.home.issues.values() if not each.deleted and each.moved_to is None]
    if asked.params.get("state", "open") != "all":
        wanted = [each for each in wanted if each.state == asked.params.get("state", "open")]
    if "since" in asked.params:
        since = datetime.fromisoformat(asked.params["since"])
        wanted = [each for each in wanted if each.updated >= since]
    by = {"created": lambda each: each.number, "updated": lambda each: each.updated}
    wanted.sort(key=by[asked.params.get("sort", "created")], reverse=asked.params.get("direction", "desc") == "desc")
    return _page(asked, f"/repositories/{asked.home.id}/issues", wanted)


def _page(asked: _Asked, path: str, issues: list[Issue]) -> Answered:
    size, page = min(int(asked.params.get("per_page", "30")), 100), int(asked.params.get("page", "1"))
    records = [issue_json(asked.state, asked.base, each) for each in issues[(page - 1) * size : page * size]]
    headers = {}
    if len(issues) > page * size:
        onward = urlencode({**asked.params, "page": page + 1})
        headers["Link"] = f'<{asked.base}{path}?{onward}>; rel="next", <{asked.base}{path}?x=1>; rel="last"'
    return Answered(200, records, headers)


def _create(asked: _Asked) -> Answered:
    issue = asked.state.open_issue(
        asked.home.name, asked.body["title"], asked.body.get("body", ""), asked.body.get("labels", ())
    )
    asked.state.writes[issue.node_id] += 1
    return Answered(201, issue_json(asked.state, asked.base, issue))


def _read(asked: _Asked) -> Answered:
    return Answered(200, issue_json(asked.state, asked.base, asked.issue))


def _patch(asked: _Asked) -> Answered:
    issue, body = asked.issue, asked.body
    asked.state.writes[issue.node_id] += 1
    issue.title, issue.body = body.get("title", issue.title), body.get("body", issue.body)
    if "labels" in body:
        asked.state.relabel(issue, body["labels"])
    if body.get("state", issue.state) != issue.state:
        issue.state = body["state"]
        issue.reason = body.get("state_reason", "completed" if issue.state == "closed" else "reopened")
    asked.state.touch(issue)
    return _read(asked)


def _add_labels(asked: _Asked) -> Answered:
    asked.state.writes[asked.issue.node_id] += 1
    new = [each for each in asked.body["labels"] if each not in asked.issue.labels]
    asked.state.relabel(asked.issue, [*asked.issue.labels, *new])
    return Answered(200, [_label(asked, each) for each in asked.issue.labels])


def _remove_label(asked: _Asked) -> Answered:
    name = unquote(asked.names["name"])
    if name not in asked.issue.labels:
        return Answered(*MISSING)
    asked.state.writes[asked.issue.node_id] += 1
    asked.state.relabel(asked.issue, [each for each in asked.issue.labels if each != name])
    return Answered(200, [_label(asked, each) for each in asked.issue.labels])


def _blocked_by(asked: _Asked) -> Answered:
    return _page(
        asked,
        f"/repositories/{asked.home.id}/issues/{asked.issue.number}/dependencies/blocked_by",
        asked.issue.blocked_by,
    )


def _read_label(asked: _Asked) -> Answered:
    name = unquote(asked.names["name"])
    return Answered(200, _label(asked, name)) if name in asked.home.labels else Answered(*MISSING)


def _make_label(asked: _Asked) -> Answered:
    name = asked.body["name"]
    if name in asked.home.labels:
        return Answered(422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]})
    asked.state.writes[f"label {name}"] += 1
    asked.home.labels[name] = asked.body.get("color", "ededed")
    return Answered(201, _label(asked, name))


_ACTS: dict[tuple[str, str], Callable[[_Asked], Answered]] = {
    ("GET", ""): _repository,
    ("GET", "/issues"): _list,
    ("POST", "/issues"): _create,
    ("GET", "/issues/{issue_number}"): _read,
    ("PATCH", "/issues/{issue_number}"): _patch,
    ("POST", "/issues/{issue_number}/labels"): _add_labels,
    ("DELETE", "/issues/{issue_number}/labels/{name}"): _remove_label,
    ("GET", "/issues/{issue_number}/dependencies/blocked_by"): _blocked_by,
    ("GET", "/labels/{name}"): _read_label,
    ("POST", "/labels"): _make_label,
}


def _label(asked: _Asked, name: str) -> dict[str, Any]:
    return label_json(asked.base, asked.home, name)


def label_json(base: str, home: Repo, name: str) -> dict[str, Any]:
    return {
        "id": 1,
        "node_id": f"LA_{name}",
        "url": f"{base}/repos/{OWNER}/{home.name}/labels/{name}",
        "name": name,
        "description": None,
        "color": home.labels[name],
        "default": False,
    }


def issue_json(state: State, base: str, issue: Issue) -> dict[str, Any]:
    home, api = state.repo(issue.repo), f"{base}/repos/{issue.repo}"
    own = f"{api}/issues/{issue.number}"
    time = issue.updated.strftime("%Y-%m-%dT%H:%M:%SZ")
    open_blockers = sum(each.state == "open" for each in issue.blocked_by)
    record: dict[str, Any] = {
        "id": issue.id,
        "node_id": issue.node_id,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body or None,
        "state": issue.state,
        "state_reason": issue.reason,
        "labels": [label_json(base, home, each) for each in issue.labels],
        "user": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": len(issue.comments),
        "closed_at": time if issue.state == "closed" else None,
        "created_at": time,
        "updated_at": time,
        "author_association": "NONE",
        "url": own,
        "repository_url": api,
        "labels_url": f"{own}/labels{{/name}}",
        "comments_url": f"{own}/comments",
        "events_url": f"{own}/events",
        "html_url": f"https://github.com/{issue.repo}/issues/{issue.number}",
        "issue_dependencies_summary": {
            "blocked_by": open_blockers,
            "blocking": 0,
            "total_blocked_by": len(issue.blocked_by),
            "total_blocking": 0,
        },
    }
    if issue.is_pull:
        record["pull_request"] = {"url": own, "html_url": own, "diff_url": own, "patch_url": own}
    if issue.type is not None:
        record["type"] = {"id": 1, "node_id": "IT_1", "name": issue.type, "description": None}
    return {**record, **issue.odd}
