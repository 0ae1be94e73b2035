"""A Linear workspace in memory: its issues, what a person does with them, and what the API does."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import Factory, define
from graphql import GraphQLError

STATES = (
    ("Triage", "triage"), ("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"),
    ("In Review", "started"), ("Blocked", "started"), ("Done", "completed"), ("Released", "completed"),
    ("Duplicate", "canceled"), ("Canceled", "canceled"),
)  # fmt: skip


def refusal(message: str, code: str = "INPUT_ERROR") -> GraphQLError:
    return GraphQLError(message, extensions={"code": code, "userPresentableMessage": message})


@define
class Issue:
    id: str
    number: int
    team: str
    title: str
    description: str | None
    state: str
    created_at: datetime
    updated_at: datetime
    priority: float = 0.0
    labels: list[str] = Factory(list)
    archived_at: datetime | None = None
    trashed: bool = False
    comments: dict[str, str] = Factory(dict)
    attachments: dict[str, str] = Factory(dict)
    blocked_by: list[str] = Factory(list)
    odd: dict[str, Any] = Factory(dict)
    """Values that the API gives instead of the true ones."""

    @property
    def identifier(self) -> str:
        return f"{self.team}-{self.number}"


@define
class Workspace:
    """The methods are what people do in Linear's own windows."""

    issues: dict[str, Issue] = Factory(dict)
    labels: dict[str, str] = Factory(dict)
    """Names by id."""
    states: dict[str, tuple[str, str, str, float]] = Factory(dict)
    """Team, name, type and position by id."""
    teams: dict[str, str] = Factory(dict)
    """Keys by id."""
    used: set[str] = Factory(set)
    """Every id that was ever given: Linear takes none twice."""
    writes: Counter[str] = Factory(Counter)
    """How often the API changed something of an issue, by the issue's id."""
    history: dict[str, list[tuple[str, tuple[str, ...]]]] = Factory(dict)
    """State and comments after each change by the API, by the issue's id: two that are equal are one too many."""
    _last: datetime = Factory(lambda: datetime.now(UTC) - timedelta(days=1))
    _numbers: Counter[str] = Factory(Counter)

    def now(self) -> datetime:
        """Linear's clock, which gives no time twice, in its whole milliseconds."""
        now = datetime.now(UTC).replace(microsecond=datetime.now(UTC).microsecond // 1000 * 1000)
        self._last = max(self._last + timedelta(milliseconds=1), now)
        return self._last

    def add_team(self, key: str, states: Iterable[tuple[str, str]] = STATES) -> None:
        self.teams[str(uuid.uuid4())] = key
        for position, (name, kind) in enumerate(states):
            self.add_state(key, name, kind, float(position))

    def add_state(self, team: str, name: str, kind: str, position: float) -> None:
        self.states[str(uuid.uuid4())] = (team, name, kind, position)

    def state_named(self, team: str, name: str) -> str:
        return next(each for each, known in self.states.items() if known[:2] == (team, name))

    def add(
        self, title: str, body: str = "", *, team: str = "ENG", state: str = "Todo", labels: Iterable[str] = (),
        priority: int = 0, issue_id: str | None = None,
    ) -> str:  # fmt: skip
        self._numbers[team] += 1
        now = self.now()
        number, state_id = self._numbers[team], self.state_named(team, state)
        made = Issue(issue_id or str(uuid.uuid4()), number, team, title, body, state_id, now, now, float(priority))
        self.issues[made.id] = made
        self.used.add(made.id)
        self.relabel(made.id, labels)
        return made.id

    def touch(self, issue_id: str) -> Issue:
        issue = self.issues[issue_id]
        issue.updated_at = self.now()
        return issue

    def edit(self, issue_id: str, *, title: str | None = None, body: str | None = None) -> None:
        issue = self.touch(issue_id)
        issue.title = issue.title if title is None else title
        issue.description = issue.description if body is None else body

    def move(self, issue_id: str, state: str) -> None:
        issue = self.touch(issue_id)
        issue.state = self.state_named(issue.team, state)

    def to_team(self, issue_id: str, team: str) -> None:
        issue = self.touch(issue_id)
        name = self.states[issue.state][1]
        self._numbers[team] += 1
        issue.team, issue.number, issue.state = team, self._numbers[team], self.state_named(team, name)

    def archive(self, issue_id: str) -> None:
        self.touch(issue_id).archived_at = self.now()

    def delete(self, issue_id: str) -> None:
        """Into the trash, as Linear does it."""
        issue = self.touch(issue_id)
        issue.trashed, issue.archived_at = True, self.now()

    def comment(self, issue_id: str, body: str) -> str:
        comment_id = str(uuid.uuid4())
        self.touch(issue_id).comments[comment_id] = body
        return comment_id

    def uncomment(self, issue_id: str, comment_id: str) -> None:
        del self.touch(issue_id).comments[comment_id]

    def label(self, name: str) -> str:
        known = next((each for each, label in self.labels.items() if label == name), None)
        if known is None:
            known = str(uuid.uuid4())
            self.labels[known] = name
        return known

    def relabel(self, issue_id: str, labels: Iterable[str]) -> None:
        self.touch(issue_id).labels = [self.label(each) for each in labels]

    def block(self, issue_id: str, by: str) -> None:
        self.touch(issue_id).blocked_by.append(by)

    def state_of(self, issue_id: str) -> str:
        return self.states[self.issues[issue_id].state][1]

    # --- what the API changes ---------------------------------------------------------------------

    def take(self, given: str | None) -> str:
        """An id for something new."""
        if given is not None and uuid.UUID(given).version != 4:
            raise refusal("id must be a UUID")
        if given in self.used:
            raise refusal("Entity already exists.")
        made = given or str(uuid.uuid4())
        self.used.add(made)
        return made

    def issue(self, issue_id: str) -> Issue:
        issue = self.issues.get(issue_id)
        if issue is None or issue.trashed:
            raise refusal("Entity not found: Issue")
        return issue

    def change(self, issue_id: str, act: Callable[[Issue], None]) -> dict[str, bool]:
        issue = self.issue(issue_id)
        act(issue)
        self.touch(issue_id)
        self.writes[issue_id] += 1
        self.history.setdefault(issue_id, []).append((self.state_of(issue_id), tuple(issue.comments.values())))
        return {"success": True}
