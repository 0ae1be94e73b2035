"""The state of a fake Jira site: one project, its workflow, its issues, and what people do to them."""

from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field, frozen

ACCOUNT, STRANGER = "5b10ac8d82e05b22cc7d4ef5", "5b10a2844c20165700ede21g"
"""Who the token belongs to, and who else is there."""


@frozen
class Status:
    id: str
    name: str
    category: str

    def bean(self) -> dict[str, Any]:
        known = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done"), "undefined": (1, "No")}
        number, name = known[self.category]
        return {"id": self.id, "name": self.name, "statusCategory": {"id": number, "key": self.category, "name": name}}


STATUSES = (
    Status("10000", "To Do", "new"),
    Status("10001", "In Progress", "indeterminate"),
    Status("10002", "In Review", "indeterminate"),
    Status("10003", "Done", "done"),
    Status("10004", "Won't Do", "done"),
)
PRIORITIES = {"1": "Highest", "2": "High", "3": "Medium", "4": "Low", "5": "Lowest"}
TYPES = {"10101": "Task", "10102": "Bug", "10103": "Story", "10104": "Sub-task"}
LINKS = {"10200": ("Blocks", "is blocked by", "blocks"), "10201": ("Relates", "relates to", "relates to")}


@define
class Comment:
    id: str
    author: str
    body: Any
    properties: dict[str, Any]
    created: datetime


@define
class Issue:
    id: str
    key: str
    summary: Any
    created: datetime
    updated: datetime
    description: Any = None
    type: str = "Task"
    status: Status = STATUSES[0]
    priority: str | None = "3"
    labels: list[str] = field(factory=list)
    resolution: str | None = None
    creator: str = STRANGER
    project: str = "ENG"
    properties: dict[str, Any] = field(factory=dict)
    comments: list[Comment] = field(factory=list)
    links: dict[str, dict[str, Any]] = field(factory=dict)
    """Its remote links by their globalId."""
    blockers: list[tuple[str, str, str]] = field(factory=list)
    """Links to other issues: the kind's id, the side the other one stands at, the other one's id."""
    odd: dict[str, Any] = field(factory=dict)
    """Fields that are not what they should be."""


@define
class Site:
    """`lagging`: the search's index shows nothing that was written since. `page`: how many issues a page may have."""

    project: str = "ENG"
    time_zone: str | None = "Europe/Berlin"
    statuses: tuple[Status, ...] = STATUSES
    workflow: dict[str, tuple[str, ...]] | None = None
    """Which statuses, by name, can be reached from which; None: each from each."""
    priorities: dict[str, str] = field(factory=lambda: dict(PRIORITIES))
    types: dict[str, str] = field(factory=lambda: dict(TYPES))
    page: int = 100
    lagging: bool = False
    endless: bool = False
    """Its searches never end: the same page follows on itself."""
    hidden: bool = False
    """The token's user may not browse the project any more."""
    shows_properties: bool = True
    """Whether comments are shown with their properties."""
    issues: dict[str, Issue] = field(factory=dict)
    writes: Counter[str] = field(factory=Counter)
    """Requests that wrote to an issue, by its id."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _index: dict[str, Issue | None] = field(factory=dict)
    """Issues as the index still shows them."""
    _count: int = 0

    def number(self) -> int:
        self._count += 1
        return self._count

    def find(self, id_or_key: str) -> Issue | None:
        by_key = (each for each in self.issues.values() if each.key == id_or_key.upper())
        return self.issues.get(id_or_key) or next(by_key, None)

    def make(self, summary: Any, **more: Any) -> Issue:
        number = self.number()
        now = self.clock()
        issue = Issue(str(20000 + number), f"{self.project}-{number}", summary, now, now, **more)
        self.issues[issue.id] = issue
        if self.lagging:
            self._index[issue.id] = None
        return issue

    def touch(self, issue: Issue, before: Issue | None = None) -> None:
        """It was changed. `before`: how the index may still show it."""
        issue.updated = self.clock()
        if self.lagging and issue.id not in self._index:
            self._index[issue.id] = before

    def changing(self, issue: Issue) -> Issue:
        """A copy to keep, of an issue that is about to be changed."""
        return deepcopy(issue)

    def catch_up(self) -> None:
        """The index shows everything."""
        self.lagging = False
        self._index.clear()

    def indexed(self, fresh: Iterable[str]) -> list[Issue]:
        """What a search sees; of the issues in `fresh` it sees the present."""
        shown = {**self.issues, **{key: issue for key, issue in self._index.items() if key not in set(fresh)}}
        return [each for each in shown.values() if each is not None]

    def status(self, name: str) -> Status:
        (found,) = (each for each in self.statuses if each.name == name)
        return found

    def reachable(self, issue: Issue) -> list[Status]:
        names = None if self.workflow is None else self.workflow.get(issue.status.name, ())
        return [each for each in self.statuses if each != issue.status and (names is None or each.name in names)]


class Person:
    """Somebody at the board. Nothing that a person does is counted."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def add(self, summary: str, description: Any = None, **more: Any) -> str:
        """A new issue; its id."""
        return self._site.make(summary, description=description, **more).id

    def _touched(self, external_id: str) -> Issue:
        issue = self._site.issues[external_id]
        self._site.touch(issue, self._site.changing(issue))
        return issue

    def edit(self, external_id: str, **fields: Any) -> None:
        issue = self._touched(external_id)
        for name, value in fields.items():
            setattr(issue, name, value)

    def move(self, external_id: str, status: str, resolution: str | None = None) -> None:
        self.edit(external_id, status=self._site.status(status), resolution=resolution)

    def delete(self, external_id: str) -> None:
        del self._site.issues[external_id]

    def comment(self, external_id: str, body: Any) -> None:
        issue = self._touched(external_id)
        issue.comments.append(Comment(str(self._site.number()), STRANGER, body, {}, self._site.clock()))

    def relabel(self, external_id: str, *labels: str) -> None:
        self.edit(external_id, labels=list(labels))

    def block(self, blocked: str, blocker: str) -> None:
        """`blocker` blocks `blocked`."""
        self._touched(blocked).blockers.append(("10200", "inward", blocker))
        self._touched(blocker).blockers.append(("10200", "outward", blocked))

    def later(self, by: timedelta) -> None:
        """The site's clock goes on by so much."""
        before = self._site.clock
        self._site.clock = lambda: before() + by
