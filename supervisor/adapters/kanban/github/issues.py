"""The plain issues of one repository, by REST."""

from collections.abc import Sequence
from typing import Any

import trio
from attrs import evolve

from supervisor.adapters.kanban.courier import Reply
from supervisor.adapters.kanban.github.client import PAGE, GitHub
from supervisor.adapters.kanban.github.labels import Labels, edit_issue, edited_labels, label_of, must_be_possible
from supervisor.adapters.kanban.github.mapping import (
    Issue,
    Reading,
    created_as,
    created_mark,
    external_id,
    mark_in,
    number_of,
    read_issue,
)
from supervisor.adapters.kanban.github.refs import Ref
from supervisor.adapters.kanban.github.rules import Move, move_of, overruled, spoken
from supervisor.adapters.kanban.github.talk import BATCH, comment_on, open_ones
from supervisor.adapters.kanban.github.text import OVERLAP, iso, moment, next_cursor
from supervisor.domain.errors import BoardError, BoardPayload, BoardStatus
from supervisor.domain.ticket import BoardProblem, BoardState, BoardTicket, BoardWrite, Pull
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

_GONE = (301, 404, 410)
_REASONS = {BoardState.DONE: "completed", BoardState.CANCELLED: "not_planned"}


class Issues:
    """A repository's issues as a board: closed for a reason, or open and then shown to be under way by a label.

    Its priority is a label such as `P1` or `priority: high`. What an issue waits for are its dependencies, where
    GitHub tells how many it has, else lines `Blocked by #7` of its body; only what is still open counts.
    """

    def __init__(self, github: GitHub, repo: str, reading: Reading, default_type: str) -> None:
        self._github = github
        self._repo = repo
        self._reading = reading
        self._default_type = default_type
        self._labels = Labels(github)

    # --- reading ------------------------------------------------------------------------------------

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        """Pages are in order of creation, in which an update moves nothing from one page to another."""
        after = None if full else moment(cursor)
        query: dict[str, str | int] = {"state": "all", "sort": "created", "direction": "asc"}
        if after is not None:
            query["since"] = iso(after - OVERLAP)
        found: dict[str, Issue] = {}
        problems: list[BoardProblem] = []

        def take(records: list[Any], page: int) -> None:
            for index, record in enumerate(records, 1):
                each = read_issue(record, self._repo, self._reading, f"{self._repo}, page {page}, record {index}")
                if isinstance(each, BoardProblem):
                    problems.append(each)
                elif each is not None:
                    found[each.ticket.external_id] = each

        began = await self._github.pages(f"/repos/{self._repo}/issues", query, take)
        tickets = await self._with_blockers(list(found.values()))
        return Pull(
            tickets=tuple(tickets),
            complete=after is None and not problems,
            cursor=next_cursor(moment(cursor), [each.updated_at for each in tickets], began),
            problems=tuple(problems),
        )

    async def reread(self, external: str) -> BoardTicket | None:
        issue = await self._issue(external)
        return (await self._with_blockers([issue]))[0] if issue is not None else None

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        """By REST each issue is a request; one that did not change costs nothing of the hourly allowance."""
        found: dict[str, Issue | None] = {}
        errors: list[BoardError] = []

        async def read(external: str, scope: trio.CancelScope) -> None:
            try:
                found[external] = await self._issue(external)
            except BoardError as error:
                errors.append(error)
                scope.cancel()

        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), BATCH):
            async with trio.open_nursery() as nursery:
                for external in wanted[start : start + BATCH]:
                    nursery.start_soon(read, external, nursery.cancel_scope)
            if errors:
                raise errors[0]
        there = [issue for issue in found.values() if issue is not None]
        tickets = {each.external_id: each for each in await self._with_blockers(there)}
        return {external: tickets.get(external) for external in wanted}

    async def _issue(self, external: str) -> Issue | None:
        record = await self._record(external)
        issue = read_issue(record, self._repo, self._reading, external) if record is not None else None
        if isinstance(issue, BoardProblem):
            raise BoardPayload(f"GitHub's answer about {external} is no issue", hint="it is tried again")
        return issue if issue is not None and issue.ticket.external_id == external else None

    async def _record(self, external: str) -> Any:
        """The record as it is now; None if it is gone: deleted, or transferred, which redirects to another one."""
        number = number_of(external)
        if number is None:
            return None
        reply = await self._github.rest("GET", self._path(number), accept=(200, *_GONE))
        if reply.status in _GONE:
            await self._must_be_there(reply)
            return None
        return reply.json()

    async def _must_be_there(self, said: Reply) -> None:
        """Raise BoardStatus if not only an issue is gone: GitHub says the same of what the token may not see."""
        repository = (await self._github.rest("GET", f"/repos/{self._repo}")).json()
        if isinstance(repository, dict) and repository.get("has_issues") is False:
            raise BoardStatus(
                f"the issues of {self._repo} are switched off (HTTP {said.status})",
                hint="switch them on in the repository's settings",
            )

    def _path(self, number: int) -> str:
        return f"/repos/{self._repo}/issues/{number}"

    # --- what an issue waits for ----------------------------------------------------------------------

    async def _with_blockers(self, issues: Sequence[Issue]) -> list[BoardTicket]:
        named = {issue.ref: await self._named_blockers(issue) for issue in issues if issue.closed_as is None}
        known = {issue.ref: issue.closed_as is None for issue in issues if issue.ticket.problem is None}
        mentioned = {ref for issue in issues if issue.ref in named for ref in self._mentions(issue)}
        still_open = await open_ones(self._github, mentioned, known, {self._repo}) if mentioned else set()
        tickets = []
        for issue in issues:
            lines = [ref for ref in self._mentions(issue) if ref in still_open and ref != issue.ref]
            keys = [ref.key for ref in (*named.get(issue.ref, ()), *lines)] if issue.ref in named else []
            tickets.append(evolve(issue.ticket, blocked_by=tuple(keys)))
        return tickets

    def _mentions(self, issue: Issue) -> tuple[Ref, ...]:
        return issue.mentions if issue.blockers is None else ()

    async def _named_blockers(self, issue: Issue) -> tuple[Ref, ...]:
        """The open issues among its dependencies."""
        if not issue.blockers:
            return ()
        found: list[Ref] = []

        def take(records: list[Any], page: int) -> None:
            for record in records:
                address = record.get("repository_url") if isinstance(record, dict) else None
                repo = "/".join(str(address).rsplit("/", 2)[-2:])
                blocker = read_issue(record, repo, self._reading, "a dependency")
                if isinstance(blocker, Issue) and blocker.closed_as is None:
                    found.append(blocker.ref)

        await self._github.pages(f"{self._path(issue.ref.number)}/dependencies/blocked_by", {}, take)
        return tuple(found)

    # --- writing --------------------------------------------------------------------------------------

    async def write(self, write: BoardWrite) -> WriteResult:
        """One request for each thing that is not so yet. Cut short, the same write does what is left of it."""
        issue = await self._issue(write.external_id)
        if issue is None:
            return Conflicted("deleted")
        if issue.ticket.problem is not None:
            raise BoardPayload(
                f"{issue.ref.key} cannot be written to: {issue.ticket.problem}", hint="look at it on GitHub"
            )
        move = move_of(write.kind, self._reading.labels)
        if move is not None:
            if issue.closed_as is not None and overruled(write.kind, issue.closed_as):
                return Conflicted(spoken(issue.closed_as))
            await self._bring(issue, move)
        await comment_on(self._github, issue.node_id, write)
        return Written()

    async def _bring(self, issue: Issue, move: Move) -> None:
        """Closed before its labels go, opened after they are right: never is it open without saying where it is."""
        path = self._path(issue.ref.number)
        if move.closed_as is not None and issue.closed_as is not move.closed_as:
            closed = {"state": "closed", "state_reason": _REASONS[move.closed_as]}
            await self._github.rest("PATCH", path, json=closed)
        ours = self._reading.labels.all
        await self._labels.wear(self._repo, issue.ref.number, issue.labels, move.label, ours)
        if move.closed_as is None and issue.closed_as is not None:
            await self._github.rest("PATCH", path, json={"state": "open", "state_reason": "reopened"})

    async def create(self, new: NewTicket) -> str:
        """Open an issue; its external id. The same ticket a second time is the issue that is there."""
        must_be_possible(Edit(project=new.project, driver=new.driver, blocked_by=new.blocked_by or None))
        known = await self._created(new)
        if known is not None:
            return known
        wanted = Edit(labels=new.labels, priority=new.priority, type=new.type)
        label = label_of(new.type, self._reading, self._default_type)
        labels = edited_labels((), wanted, self._reading, label)
        record = {"title": new.title, "body": new.body + created_mark(new.id), "labels": labels}
        reply = await self._github.rest("POST", f"/repos/{self._repo}/issues", json=record, accept=(201,))
        made = read_issue(reply.json(), self._repo, self._reading, "the new issue")
        if not isinstance(made, Issue):
            raise BoardPayload("GitHub's answer about the new issue is no issue", hint="look whether it is there")
        return made.ticket.external_id

    async def _created(self, new: NewTicket) -> str | None:
        """The issue that an earlier try left among the newest ones. Raises BoardStatus if it is another ticket's."""
        path = f"/repos/{self._repo}/issues?state=all&sort=created&direction=desc&per_page={PAGE}"
        records = (await self._github.rest("GET", path)).json()
        for record in records if isinstance(records, list) else []:
            if created_as(record) == new.id and isinstance(read_issue(record, self._repo, self._reading, ""), Issue):
                if record.get("title") != new.title:
                    raise BoardStatus(f"{new.id} is {self._repo}#{record['number']} already", hint="edit that issue")
                return external_id(record["number"], record["id"])
        return None

    async def edit(self, external: str, edit: Edit) -> None:
        must_be_possible(edit)
        record = await self._record(external)
        issue = read_issue(record, self._repo, self._reading, external) if record is not None else None
        if not isinstance(issue, Issue) or issue.ticket.external_id != external:
            raise BoardStatus(f"{external} is gone from {self._repo}", hint="it was deleted or transferred on GitHub")
        mark = mark_in(record)
        await edit_issue(self._github, issue.ref, issue.labels, edit, mark, self._reading, self._default_type)
