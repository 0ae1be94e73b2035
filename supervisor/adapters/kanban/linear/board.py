"""A Linear team as a board: reads its issues in pages, and brings them where writes want them.

Nothing of the board is kept here but the team's states, which are read again when one is missing. A comment and
a created issue carry ids that follow from what they are for, so that doing it again finds the one that is there.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import trio
from attrs import frozen

from supervisor.adapters.kanban.linear import queries, webhook
from supervisor.adapters.kanban.linear.graph import Graph
from supervisor.adapters.kanban.linear.mapping import (
    Issue,
    Kinds,
    cursor_after,
    issue_of,
    page_of,
    part,
    since,
    state_of,
    with_details,
)
from supervisor.adapters.kanban.linear.rules import Move, NoState, State, Stay, Theirs, decide
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardPagination, BoardPayload, BoardStatus
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardProblem, BoardTicket, BoardWrite, Pull, Unnamed
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

MAX_PAGES = 1000
_COMMENT_LIVES = 4
"""How often Operator's comment is made anew when a person deleted it."""
DEFAULT_TYPE = "TASK"
_AGAIN = "it is tried again"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen
class Team:
    id: str
    states: tuple[State, ...]


class LinearBoard:
    """The issues of one team. `types`: the names of the issue types there are."""

    def __init__(
        self,
        name: str,
        config: CollectionConfig,
        token: str,
        *,
        types: tuple[str, ...] = (),
        webhook_secret: str | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.name = name
        self._config = config
        self._key = config.team or ""
        self._kinds = Kinds(config.types, frozenset(types))
        self._names: dict[str, str] = {str(kind): state for kind, state in config.states.items()}
        self._secret = webhook_secret
        self._graph = Graph(name, config.base_url, token, clock)
        self._team: Team | None = None

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
        await self._graph.aclose()

    # --- reading ----------------------------------------------------------------------------------

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        start = None if full else since(cursor)
        criteria = {"updatedAt": {"gte": start.isoformat()}} if start is not None else {}
        # By time of creation no issue changes its place while the pages are read, so none can be missed.
        order = "updatedAt" if start is not None else "createdAt"
        size = queries.CHANGES_PAGE if start is not None else queries.PAGE
        issues, problems, board_now = await self._issues(criteria, order, size)
        tickets = tuple(issue.ticket for issue in issues.values() if not issue.gone)
        seen = [issue.ticket for issue in issues.values()]
        return Pull(
            tickets=tickets,
            complete=start is None and not problems,
            cursor=cursor_after(seen, cursor if start is not None else None, board_now),
            problems=tuple(problems),
        )

    async def reread(self, external_id: str) -> BoardTicket | None:
        return (await self.reread_many([external_id]))[external_id]

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        """Several records as they are now, None for those that are gone."""
        found: dict[str, BoardTicket | None] = dict.fromkeys(ids)
        wanted = list(found)
        for start in range(0, len(wanted), queries.NAMED_PAGE):
            chunk = wanted[start : start + queries.NAMED_PAGE]
            issues, problems, _ = await self._issues({"id": {"in": chunk}}, "createdAt", queries.NAMED_PAGE)
            missing = [each for each in chunk if each not in issues]
            if problems and missing:
                raise BoardPayload(f"{problems[0].where}: {problems[0].message}", hint=_AGAIN)
            found |= {each: issues[each].ticket for each in chunk if each in issues and not issues[each].gone}
        return found

    async def _issues(
        self, criteria: Mapping[str, Any], order: str, size: int
    ) -> tuple[dict[str, Issue], list[BoardProblem], datetime]:
        """All pages of the team's issues that fit, and Linear's clock at the first of them."""
        issues: dict[str, Issue] = {}
        problems: list[BoardProblem] = []
        seen: set[str] = set()
        after, began = None, None
        for number in range(1, MAX_PAGES + 1):
            variables = {"team": self._key, "filter": self._of_team(criteria), "order": order, "first": size}
            answer = await self._graph.ask(queries.ISSUES, {**variables, "after": after})
            self._must_see_team(answer.data)
            page = page_of(answer.data.get("issues"), self._kinds, answer.broken, number)
            for issue in page.issues:
                issues[issue.ticket.external_id] = await self._whole(issue)
            problems += page.problems
            after, began = page.next, began or answer.board_now
            if after is None:
                return issues, problems, began
            if after in seen:
                raise BoardPagination(f"{self.name}'s pages go in a circle", hint=_AGAIN)
            seen.add(after)
        raise BoardPagination(f"{self.name}'s pages do not end", hint=f"has the team more than {MAX_PAGES} pages?")

    async def _whole(self, issue: Issue) -> Issue:
        """The issue with what did not fit on its page."""
        if not issue.cut or issue.gone:
            return issue
        criteria = self._of_team({"id": {"eq": issue.ticket.external_id}})
        answer = await self._graph.ask(queries.DETAILS, {"filter": criteria})
        nodes = part(answer.data.get("issues"), "nodes", list)
        return with_details(issue, nodes[0], self._kinds) if nodes else issue

    def _of_team(self, criteria: Mapping[str, Any]) -> dict[str, Any]:
        return {"team": {"key": {"eqIgnoreCase": self._key}}, **criteria}

    def _must_see_team(self, data: Mapping[str, Any]) -> None:
        """A team that is renamed, deleted or hidden has no issues either: that must not read as all being gone."""
        if not part(data.get("teams"), "nodes", list):
            raise BoardStatus(
                f"{self.name}: Linear has no team {self._key!r} that the key can see",
                hint="look at `team`: it is the part of an issue's name before the number; may the key see that team?",
            )

    async def _known_team(self) -> Team:
        if self._team is None:
            answer = await self._graph.ask(queries.TEAM, {"team": self._key})
            self._must_see_team(answer.data)
            node = answer.data["teams"]["nodes"][0]
            states = [state_of(each) for each in part(part(node, "states", dict), "nodes", list)]
            self._team = Team(part(node, "id", str), tuple(each for each in states if each is not None))
        return self._team

    # --- writing ----------------------------------------------------------------------------------

    async def write(self, write: BoardWrite) -> WriteResult:
        lives = [_uuid("comment", write.external_id, write.ticket_id, str(n)) for n in range(_COMMENT_LIVES)]
        record = await self._record(write.external_id, lives, write.link or "")
        if record is None:
            return Conflicted("deleted")
        state = state_of(record.get("state"))
        if state is None:
            raise BoardPayload(f"{self.name}: the state of {write.external_id} cannot be read", hint=_AGAIN)
        decision = await self._decide(write, state)
        match decision:
            case Theirs(name=name):
                return Conflicted(name)
            case NoState(why=why):
                raise BoardStatus(
                    f"{self.name}: the team {self._key} cannot take a ticket that is {write.kind}: {why}",
                    hint=f'name one of its states in the collection: `states = {{ {write.kind} = "..." }}`',
                )
            case Move(state=target):
                await self._update(write.external_id, {"stateId": target.id})
            case Stay():
                pass
        if write.comment:
            await self._comment(write, lives, record)
        if write.link:
            await self._link(write, write.link, record)
        return Written()

    async def _record(self, external_id: str, comments: Sequence[str], link: str) -> Mapping[str, Any] | None:
        """An issue as it is now, with those comments and that link; None if it is gone."""
        criteria = self._of_team({"id": {"eq": external_id}})
        variables = {"team": self._key, "filter": criteria, "comments": comments, "link": link}
        answer = await self._graph.ask(queries.RECORD, variables)
        self._must_see_team(answer.data)
        nodes = part(answer.data.get("issues"), "nodes", list)
        issue = issue_of(nodes[0], self._kinds) if nodes else None
        if nodes and issue is None:
            raise BoardPayload(f"{self.name}: {external_id} cannot be read", hint=_AGAIN)
        return nodes[0] if issue is not None and not issue.gone else None

    async def _decide(self, write: BoardWrite, state: State) -> Stay | Move | Theirs | NoState:
        fresh = self._team is None
        decision = decide(write.kind, state, (await self._known_team()).states, self._names)
        if isinstance(decision, NoState) and not fresh:
            self._team = None
            decision = decide(write.kind, state, (await self._known_team()).states, self._names)
        return decision

    async def _update(self, external_id: str, news: Mapping[str, Any]) -> None:
        try:
            await self._graph.change(queries.UPDATE_ISSUE, {"id": external_id, "input": news})
        except BoardStatus:
            self._team = None  # the state may be gone: the next try reads them again
            raise

    async def _comment(self, write: BoardWrite, lives: Sequence[str], record: Mapping[str, Any]) -> None:
        """Have Operator's one comment say what it should. Linear refuses an id that was used: if no comment has
        it, a person deleted that one, and the next id is taken."""
        known = _comments(record)
        refused: BoardStatus | None = None
        for comment_id in [each for each in lives if each in known] or lives:
            if comment_id not in known:
                refused = await self._refusal_of(comment_id, write)
                if refused is None:
                    return
                again = await self._record(write.external_id, lives, "")
                known = _comments(again) if again is not None else {}
            if comment_id in known:
                if known[comment_id].rstrip() != write.comment.rstrip():
                    news = {"id": comment_id, "input": {"body": write.comment}}
                    await self._graph.change(queries.UPDATE_COMMENT, news)
                return
        if refused is not None:
            raise refused

    async def _refusal_of(self, comment_id: str, write: BoardWrite) -> BoardStatus | None:
        """Make the comment; or why Linear will not. An HTTP error is none: the comment may have been made."""
        made = {"id": comment_id, "issueId": write.external_id, "body": write.comment}
        try:
            await self._graph.change(queries.CREATE_COMMENT, {"input": made})
        except BoardStatus as error:
            if "status" in error.data:
                raise
            return error
        return None

    async def _link(self, write: BoardWrite, link: str, record: Mapping[str, Any]) -> None:
        """Linear keeps one attachment for each address and issue, and edits it when it is made again."""
        title = f"Operator: {write.branch or write.ticket_id}"
        for each in part(part(record, "attachments", dict), "nodes", list):
            if isinstance(each, dict) and (each.get("url"), each.get("title")) == (link, title):
                return
        made = {"issueId": write.external_id, "url": link, "title": title}
        await self._graph.change(queries.LINK, {"input": made})

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        """Every issue has an id already."""
        await trio.lowlevel.checkpoint()
        return False

    async def create(self, new: NewTicket) -> str:
        self._must_be_kept(new)
        team = await self._known_team()
        named = [*new.labels, *await self._type_label(new.type)]
        made: dict[str, Any] = {
            "id": _uuid("issue", team.id, new.id, new.title, new.body),
            "teamId": team.id,
            "title": new.title,
            "description": new.body,
            "priority": new.priority or 0,
            "labelIds": await self._label_ids(named),
        }
        try:
            await self._graph.change(queries.CREATE_ISSUE, {"input": made})
            return str(made["id"])
        except BoardStatus as error:
            refused = error
        if await self._record(made["id"], [], "") is None:
            raise refused
        return str(made["id"])

    async def edit(self, external_id: str, edit: Edit) -> None:
        self._must_be_kept(edit)
        ticket = await self.reread(external_id)
        if ticket is None:
            raise BoardStatus(f"{self.name}: {external_id} is gone", hint="it was archived or deleted in Linear")
        news: dict[str, Any] = {}
        if edit.title is not None and edit.title != ticket.title:
            news["title"] = edit.title
        if edit.body is not None and edit.body != ticket.body:
            news["description"] = edit.body
        if edit.priority is not None and edit.priority != ticket.priority:
            news["priority"] = edit.priority
        labels = list(ticket.labels if edit.labels is None else edit.labels)
        if edit.type is not None and edit.type != self._kinds.type_of(labels):
            labels = [each for each in labels if self._kinds.type_of([each]) is None]
            labels += await self._type_label(edit.type)
        if set(labels) != set(ticket.labels):
            news["labelIds"] = await self._label_ids(labels)
        if news:
            await self._update(external_id, news)

    def _must_be_kept(self, wanted: NewTicket | Edit) -> None:
        for name in ("project", "driver", "blocked_by"):
            if getattr(wanted, name):
                raise BoardStatus(
                    f"{self.name}: Linear cannot keep a ticket's {name}",
                    hint="set it for the collection in operator.toml"
                    if name != "blocked_by"
                    else "set the relation in Linear: it is read from there",
                )

    async def _type_label(self, kind: str) -> list[str]:
        """The label that says so; none is needed for the type that issues without one have."""
        candidates = self._kinds.labels_of(kind)
        found = {name.casefold(): name for name in await self._labels(candidates)}
        for each in candidates:
            if each.casefold() in found:
                return [found[each.casefold()]]
        if kind == (self._config.type or DEFAULT_TYPE):
            return []
        raise BoardStatus(
            f"{self.name}: no label in Linear says that an issue is a {kind}",
            hint=f"make a label {kind} for the team {self._key}, or name one in the collection's `types`",
        )

    async def _label_ids(self, names: Sequence[str]) -> list[str]:
        found = {name.casefold(): label_id for name, label_id in (await self._labels(names)).items()}
        missing = [each for each in names if each.casefold() not in found]
        if missing:
            raise BoardStatus(
                f"{self.name}: Linear has no label {missing[0]!r}",
                hint=f"make it for the team {self._key} or the workspace",
            )
        return list(dict.fromkeys(found[each.casefold()] for each in names))

    async def _labels(self, names: Sequence[str]) -> dict[str, str]:
        """The ids of the labels with these names that the team's issues may have; case does not matter."""
        if not names:
            return {}
        team = await self._known_team()
        criteria = {"or": [{"name": {"eqIgnoreCase": each}} for each in dict.fromkeys(names)]}
        answer = await self._graph.ask(queries.LABELS, {"filter": criteria})
        found = {}
        for each in part(answer.data.get("issueLabels"), "nodes", list):
            owner = each.get("team") if isinstance(each, dict) else {}
            if owner is None or (isinstance(owner, dict) and owner.get("id") == team.id):
                found[part(each, "name", str)] = part(each, "id", str)
        return found

    # --- bells ------------------------------------------------------------------------------------

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        webhook.check(self._secret, headers, body, now)

    async def changes(self) -> AsyncIterator[None]:
        """Never: its webhooks ring elsewhere."""
        await trio.sleep_forever()
        yield None


def _comments(record: Mapping[str, Any]) -> dict[str, str]:
    """Comments by their ids."""
    nodes = part(part(record, "comments", dict), "nodes", list)
    return {part(each, "id", str): part(each, "body", str) for each in nodes}


def _uuid(*purpose: str) -> str:
    """An id that follows from what it is for, in the format of a random one: Linear takes no other."""
    return str(UUID(bytes=hashlib.sha256("\x1f".join(("operator", *purpose)).encode()).digest()[:16], version=4))
