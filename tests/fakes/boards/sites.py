"""The boards' stand-ins in one form, for tests of what holds for each of them: a site serves one collection.

async with SITES["linear"]() as site:     site.config, site.env, and a person's hands: add, move, edit, delete, ...
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar, Literal, Protocol

from supervisor.adapters.kanban.jira.adf import to_adf, to_markdown
from supervisor.domain.ticket import BoardState
from tests.fakes.boards.github import TOKEN as GITHUB_TOKEN
from tests.fakes.boards.github import Hub, Issue, Item, serving
from tests.fakes.boards.jira.server import EMAIL, Jira, jira
from tests.fakes.boards.jira.server import TOKEN as JIRA_TOKEN
from tests.fakes.boards.jira.site import ACCOUNT
from tests.fakes.boards.linear.server import KEY, Linear, linear

Trouble = Literal["auth", "limited", "broken", "html", "half", "silent", "types", "loop", "cut"]
"""401, 429 with Retry-After 7, 500, a web page, half a body, no answer ever, JSON of other types, pages in a circle,
and a connection that is cut before anything was done."""
SECRET = "webhook-s3cret"


class Site(Protocol):
    """A board of one collection, and a person's hands on it."""

    name: str
    token: str
    config: str
    """What its table in operator.toml says."""
    env: dict[str, str]

    def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        """A new open record; its external id."""

    def key(self, external_id: str) -> str:
        """The ticket's id."""

    def move(self, external_id: str, state: BoardState) -> None: ...

    def edit(self, external_id: str, title: str) -> None: ...

    def relabel(self, external_id: str, *labels: str) -> None: ...

    def delete(self, external_id: str) -> None: ...

    def say(self, external_id: str, text: str) -> None:
        """A person comments."""

    def state(self, external_id: str) -> str:
        """The board's own name for where it is."""

    def age(self) -> None:
        """All that is there was last changed a day ago or longer, each at a time of its own."""

    def comments(self, external_id: str) -> list[str]:
        """Operator's comments on it."""

    def writes(self, external_id: str) -> int:
        """How often a request of ours changed it."""

    def asked(self) -> int:
        """How many requests there were."""

    def trouble(self, kind: Trouble, times: int) -> None:
        """Have the next requests go wrong."""

    def calm(self) -> None: ...

    def webhook(self) -> tuple[dict[str, str], bytes]:
        """The headers and the body of one that is signed with SECRET."""


class LinearSite:
    """A team."""

    name = "linear"
    token = KEY
    _states: ClassVar = {
        BoardState.OPEN: "Todo",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Canceled",
    }
    _troubles: ClassVar[dict[Trouble, Any]] = {
        "auth": "unauthorized", "limited": "too_many", "broken": "broken", "html": "html", "half": "half",
        "silent": "silent", "types": "types", "loop": "loop", "cut": "cut_before",
    }  # fmt: skip

    def __init__(self, server: Linear) -> None:
        self.server = server
        self.config = f'provider = "linear"\nbase_url = "{server.url}"\nteam = "ENG"\n'
        self.env = {"LINEAR_API_KEY": KEY, "BOARD_SECRET": SECRET}

    def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        return self.server.person.add(title, body, labels=labels)

    def key(self, external_id: str) -> str:
        return self.server.person.issues[external_id].identifier

    def move(self, external_id: str, state: BoardState) -> None:
        self.server.person.move(external_id, self._states[state])

    def edit(self, external_id: str, title: str) -> None:
        self.server.person.edit(external_id, title=title)

    def relabel(self, external_id: str, *labels: str) -> None:
        self.server.person.relabel(external_id, labels)

    def delete(self, external_id: str) -> None:
        self.server.person.delete(external_id)

    def say(self, external_id: str, text: str) -> None:
        self.server.person.comment(external_id, text)

    def state(self, external_id: str) -> str:
        return self.server.person.state_of(external_id)

    def age(self) -> None:
        for n, issue in enumerate(self.server.person.issues.values()):
            issue.updated_at -= timedelta(days=1, minutes=10 * n)

    def comments(self, external_id: str) -> list[str]:
        return [each for each in self.server.person.issues[external_id].comments.values() if "**Operator**" in each]

    def writes(self, external_id: str) -> int:
        return self.server.person.writes[external_id]

    def asked(self) -> int:
        return self.server.asked

    def trouble(self, kind: Trouble, times: int) -> None:
        self.server.trouble(self._troubles[kind], times, on="Issues" if kind == "loop" else "")

    def calm(self) -> None:
        self.server._troubles.clear()

    def webhook(self) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"type": "Issue", "webhookTimestamp": int(time.time() * 1000)}).encode()
        return {"Linear-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}, body


class JiraSite:
    """A project."""

    name = "jira"
    token = JIRA_TOKEN
    _states: ClassVar = {
        BoardState.OPEN: "To Do",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Won't Do",
    }
    _troubles: ClassVar[dict[Trouble, str]] = {
        "auth": "401", "limited": "429", "broken": "500", "html": "html", "half": "half", "silent": "silent",
        "types": "odd", "cut": "cut_before",
    }  # fmt: skip

    def __init__(self, server: Jira) -> None:
        self.server = server
        self.config = f'provider = "jira"\nbase_url = "{server.base_url}"\nemail = "{EMAIL}"\nkey = "ENG"\n'
        self.env = {"JIRA_API_TOKEN": JIRA_TOKEN, "BOARD_SECRET": SECRET}

    def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        return self.server.person.add(title, to_adf(body) if body else None, labels=list(labels))

    def key(self, external_id: str) -> str:
        return self.server.site.issues[external_id].key

    def move(self, external_id: str, state: BoardState) -> None:
        self.server.person.move(external_id, self._states[state])

    def edit(self, external_id: str, title: str) -> None:
        self.server.person.edit(external_id, summary=title)

    def relabel(self, external_id: str, *labels: str) -> None:
        self.server.person.relabel(external_id, *labels)

    def delete(self, external_id: str) -> None:
        self.server.person.delete(external_id)

    def say(self, external_id: str, text: str) -> None:
        self.server.person.comment(external_id, to_adf(text))

    def state(self, external_id: str) -> str:
        return self.server.site.issues[external_id].status.name

    def comments(self, external_id: str) -> list[str]:
        return [
            to_markdown(each.body) for each in self.server.site.issues[external_id].comments if each.author == ACCOUNT
        ]

    def writes(self, external_id: str) -> int:
        return self.server.site.writes[external_id]

    def asked(self) -> int:
        refused = sum(count for kind, count in self.server.troubles.met.items() if kind not in ("half", "cut_after"))
        return sum(self.server.asked.values()) + refused

    def trouble(self, kind: Trouble, times: int) -> None:
        if kind == "loop":
            self.server.site.endless, self.server.site.page = True, 1
        else:
            self.server.trouble(self._troubles[kind], times)

    def calm(self) -> None:
        self.server.troubles.waiting.clear()
        self.server.site.endless, self.server.site.page = False, 100

    def age(self) -> None:
        for n, issue in enumerate(self.server.site.issues.values()):
            issue.updated -= timedelta(days=1, minutes=10 * n)

    def webhook(self) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"webhookEvent": "jira:issue_updated", "timestamp": int(time.time() * 1000)}).encode()
        return {"X-Hub-Signature": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}, body


class GitHubSite:
    """What plain issues and a project's items have in common."""

    name = "github"
    token = GITHUB_TOKEN
    _troubles: ClassVar[dict[Trouble, Any]] = {
        "auth": "401", "limited": "429", "broken": "500", "html": "html", "half": "half", "silent": "silent",
        "types": "wrong types", "loop": "loop", "cut": "cut before",
    }  # fmt: skip

    def __init__(self, hub: Hub, place: str) -> None:
        self.hub = hub
        self.config = f'provider = "github"\nbase_url = "{hub.url}"\n{place}\n'
        self.env = {"GITHUB_TOKEN": GITHUB_TOKEN, "BOARD_SECRET": SECRET}
        self.issues: dict[str, Issue] = {}
        self._deliveries = 0

    def key(self, external_id: str) -> str:
        return f"api-{self.issues[external_id].number}"

    def edit(self, external_id: str, title: str) -> None:
        self.hub.person.edit(self.issues[external_id], title=title)

    def relabel(self, external_id: str, *labels: str) -> None:
        self.hub.person.relabel(self.issues[external_id], *labels)

    def delete(self, external_id: str) -> None:
        self.hub.person.delete(self.issues[external_id])

    def say(self, external_id: str, text: str) -> None:
        self.hub.person.comment(self.issues[external_id], text)

    def comments(self, external_id: str) -> list[str]:
        return [each.body for each in self.issues[external_id].comments if each.author == "operator-bot"]

    def age(self) -> None:
        for n, issue in enumerate(self.hub.state.issues()):
            issue.updated -= timedelta(days=1, minutes=10 * n)
        for n, item in enumerate(self.hub.state.items()):
            item.updated -= timedelta(days=1, minutes=10 * n)

    def asked(self) -> int:
        return len(self.hub.requests)

    def trouble(self, kind: Trouble, times: int) -> None:
        self.hub.trouble(self._troubles[kind], times)

    def calm(self) -> None:
        self.hub.calm()

    def webhook(self) -> tuple[dict[str, str], bytes]:
        self._deliveries += 1
        body = json.dumps({"action": "edited"}).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": f"d-{self._deliveries}"}, body


class PlainSite(GitHubSite):
    """The issues of a repository."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, 'repo = "acme/api"')

    def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        issue = self.hub.person.add(title, body, labels=labels)
        external_id = f"{issue.id}/{issue.number}"
        self.issues[external_id] = issue
        return external_id

    def move(self, external_id: str, state: BoardState) -> None:
        issue, person = self.issues[external_id], self.hub.person
        match state:
            case BoardState.DONE:
                person.close(issue)
            case BoardState.CANCELLED:
                person.close(issue, "not_planned")
            case BoardState.IN_PROGRESS:
                person.relabel(issue, *issue.labels, "in progress")
            case BoardState.OPEN:
                person.relabel(issue, *(each for each in issue.labels if each != "in progress"))
                if issue.state == "closed":
                    person.reopen(issue)

    def state(self, external_id: str) -> str:
        issue = self.issues[external_id]
        if issue.state == "closed":
            return "Done" if issue.reason == "completed" else "Cancelled"
        return "In Progress" if "in progress" in issue.labels else "Todo"

    def writes(self, external_id: str) -> int:
        return self.hub.state.writes[self.issues[external_id].node_id]


class ProjectSite(GitHubSite):
    """A project's items."""

    name = "github project"
    _columns: ClassVar = {
        BoardState.OPEN: "Todo",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Cancelled",
    }

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, 'board = "acme/7"')
        self._items: dict[str, Item] = {}

    def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        issue = self.hub.person.add(title, body, labels=labels)
        item = self.hub.person.put(issue)
        self._items[item.node_id], self.issues[item.node_id] = item, issue
        return item.node_id

    def move(self, external_id: str, state: BoardState) -> None:
        self.hub.person.move(self._items[external_id], self._columns[state])

    def state(self, external_id: str) -> str:
        return self._items[external_id].status or ""

    def writes(self, external_id: str) -> int:
        names = (self._items[external_id].node_id, self.issues[external_id].node_id)
        return sum(self.hub.state.writes[each] for each in names)


@asynccontextmanager
async def _linear() -> AsyncIterator[Site]:
    async with linear() as server:
        yield LinearSite(server)


@asynccontextmanager
async def _jira() -> AsyncIterator[Site]:
    async with jira() as server:
        yield JiraSite(server)


@asynccontextmanager
async def _github() -> AsyncIterator[Site]:
    async with serving() as hub:
        yield PlainSite(hub)


@asynccontextmanager
async def _project() -> AsyncIterator[Site]:
    async with serving() as hub:
        yield ProjectSite(hub)


SITES: dict[str, Callable[[], AbstractAsyncContextManager[Site]]] = {
    "linear": _linear,
    "jira": _jira,
    "github": _github,
    "github project": _project,
}
