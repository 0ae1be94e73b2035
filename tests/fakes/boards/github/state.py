"""What a GitHub of one owner holds, and what people do there."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from attrs import Factory, define, field

OWNER = "acme"
ME, SOMEBODY = "operator-bot", "somebody"
COLUMNS = ("Todo", "In Progress", "In Review", "Done", "Cancelled")
PRIORITIES = ("P1", "P2", "P3", "P4")


class Gone(Exception):
    """There is no such thing."""


@define
class Comment:
    id: int
    author: str
    body: str
    edits: int = 0


@define(eq=False)
class Issue:
    id: int
    repo: str
    number: int
    title: str
    body: str
    updated: datetime
    labels: list[str] = Factory(list)
    state: str = "open"
    reason: str | None = None
    comments: list[Comment] = Factory(list)
    blocked_by: list["Issue"] = Factory(list)
    type: str | None = None
    is_pull: bool = False
    deleted: bool = False
    moved_to: "Issue | None" = None
    odd: dict[str, Any] = Factory(dict)
    """Fields of its REST record that are not what GitHub says they are."""

    @property
    def node_id(self) -> str:
        return f"{'PR' if self.is_pull else 'I'}_{self.id}"


@define(eq=False)
class Draft:
    id: int
    title: str
    body: str
    updated: datetime

    @property
    def node_id(self) -> str:
        return f"DI_{self.id}"


@define(eq=False)
class Item:
    id: int
    content: Issue | Draft
    updated: datetime
    status: str | None = None
    priority: str | None = None
    archived: bool = False
    redacted: bool = False

    @property
    def node_id(self) -> str:
        return f"PVTI_{self.id}"


@define(eq=False)
class Repo:
    id: int
    name: str
    issues: dict[int, Issue] = Factory(dict)
    labels: dict[str, str] = Factory(dict)
    """Their colours."""
    has_issues: bool = True


@define(eq=False)
class Project:
    number: int
    items: list[Item] = Factory(list)
    columns: tuple[str, ...] = COLUMNS
    priorities: tuple[str, ...] = PRIORITIES

    @property
    def node_id(self) -> str:
        return f"PVT_{self.number}"


@define(eq=False)
class State:
    """Everything, by its owner's name."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    repos: dict[str, Repo] = Factory(dict)
    projects: dict[int, Project] = Factory(dict)
    writes: Counter[str] = Factory(Counter)
    """What requests (not people) changed, by the record's name."""
    _ids: "count[int]" = field(factory=lambda: count(1001))

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def repo(self, name: str) -> Repo:
        owner, _, short = name.partition("/")
        if owner.casefold() != OWNER or short not in self.repos:
            raise Gone
        return self.repos[short]

    def issue(self, name: str, number: int) -> Issue:
        found = self.repo(name).issues.get(number)
        if found is None:
            raise Gone
        return found

    def issues(self) -> Iterable[Issue]:
        return (each for repo in self.repos.values() for each in repo.issues.values() if not each.deleted)

    def items(self) -> Iterable[Item]:
        return (each for project in self.projects.values() for each in project.items)

    def touch(self, thing: Issue | Draft | Item) -> None:
        thing.updated = self.now()

    def open_issue(self, repo: str, title: str, body: str, labels: Iterable[str] = ()) -> Issue:
        home = self.repos[repo]
        number = max(home.issues, default=0) + 1
        issue = Issue(next(self._ids), f"{OWNER}/{repo}", number, title, body, self.now(), list(labels))
        home.issues[number] = issue
        for label in issue.labels:
            home.labels.setdefault(label, "ededed")
        return issue

    def comment(self, issue: Issue, author: str, body: str) -> Comment:
        made = Comment(next(self._ids), author, body)
        issue.comments.append(made)
        self.touch(issue)
        return made

    def add_item(self, number: int, content: Issue | Draft) -> Item:
        item = Item(next(self._ids), content, self.now())
        self.projects[number].items.append(item)
        return item

    def draft(self, title: str, body: str) -> Draft:
        return Draft(next(self._ids), title, body, self.now())

    def close(self, issue: Issue, reason: str) -> None:
        issue.state, issue.reason = "closed", reason
        self.touch(issue)

    def reopen(self, issue: Issue) -> None:
        issue.state, issue.reason = "open", "reopened"
        self.touch(issue)

    def relabel(self, issue: Issue, labels: Iterable[str]) -> None:
        issue.labels = list(labels)
        for label in issue.labels:
            self.repos[issue.repo.partition("/")[2]].labels.setdefault(label, "ededed")
        self.touch(issue)


@define(eq=False)
class Person:
    """Somebody's hands on it."""

    state: State
    repo: str = "api"
    project: int = 7

    def add(self, title: str, body: str = "", *, labels: Iterable[str] = (), repo: str | None = None) -> Issue:
        return self.state.open_issue(repo or self.repo, title, body, labels)

    def pull_request(self, title: str) -> Issue:
        made = self.add(title)
        made.is_pull = True
        return made

    def edit(self, thing: Issue | Draft, *, title: str | None = None, body: str | None = None) -> None:
        thing.title = title if title is not None else thing.title
        thing.body = body if body is not None else thing.body
        self.state.touch(thing)

    def relabel(self, issue: Issue, *labels: str) -> None:
        self.state.relabel(issue, labels)

    def close(self, issue: Issue, reason: str = "completed") -> None:
        self.state.close(issue, reason)

    def reopen(self, issue: Issue) -> None:
        self.state.reopen(issue)

    def delete(self, issue: Issue) -> None:
        issue.deleted = True
        for project in self.state.projects.values():
            project.items = [each for each in project.items if each.content is not issue]

    def transfer(self, issue: Issue, repo: str) -> Issue:
        issue.moved_to = self.state.open_issue(repo, issue.title, issue.body, issue.labels)
        return issue.moved_to

    def comment(self, issue: Issue, body: str) -> Comment:
        return self.state.comment(issue, SOMEBODY, body)

    def put(self, content: Issue | Draft, column: str | None = "Todo") -> Item:
        """Add it to the project."""
        item = self.state.add_item(self.project, content)
        item.status = column
        return item

    def move(self, item: Item, column: str | None) -> None:
        item.status = column
        self.state.touch(item)

    def take_out(self, item: Item) -> None:
        self.state.projects[self.project].items.remove(item)
