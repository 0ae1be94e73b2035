"""A project of Jira Cloud as a board."""

import base64
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import trio

from supervisor.adapters.kanban.courier import Courier
from supervisor.adapters.kanban.jira import adding, query, telling, webhook
from supervisor.adapters.kanban.jira.client import MOST_PAGES, Client
from supervisor.adapters.kanban.jira.reading import (
    CATEGORIES,
    CLOSED_AS,
    OURS,
    Issue,
    Names,
    Site,
    issue_of,
    ranks_of,
    says_undone,
)
from supervisor.adapters.kanban.jira.rules import (
    Stay,
    Theirs,
    Transition,
    Wanted,
    choose,
    decide,
    spoken,
    transitions_of,
)
from supervisor.adapters.kanban.jira.text import line
from supervisor.adapters.kanban.pace import board_time
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardAuth, BoardPagination, BoardPayload, BoardStatus, ConfigError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardProblem, BoardTicket, BoardWrite, Pull, Unnamed, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, WriteResult, Written

_TRIES = 4
_BATCH = 50
_RECONCILED = 50
"""Issues that a search can be told to look at anew."""
_LAG = 300.0
"""Seconds within which Jira's search shows a write."""


def _now() -> datetime:
    return datetime.now(UTC)


class JiraBoard:
    """A KanbanProvider. External ids are Jira's issue ids, keys are its issue keys.

    `types` are the issue types there are here. `clock` is ours; cursors go by the board's own, as its answers tell it.
    """

    def __init__(
        self,
        name: str,
        config: CollectionConfig,
        token: str,
        *,
        types: tuple[str, ...] = (),
        webhook_secret: str | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        if not config.base_url or not config.email or not config.key:
            raise ConfigError(f"the collection {name} needs `base_url`, `email` and `key`")
        self.name = name
        self._base = config.base_url.rstrip("/")
        self._states: Mapping[str, str] = {str(kind): status for kind, status in config.states.items()}
        self._names = Names(config.key, config.states.get("cancelled"), config.types, types)
        self._secret = webhook_secret
        self._clock = clock
        credentials = base64.b64encode(f"{config.email}:{token}".encode()).decode()
        self._client = Client(name, Courier(name, self._base, {"authorization": f"Basic {credentials}"}))
        self._site: Site | None = None
        self._written: OrderedDict[int, float] = OrderedDict()

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
        await self._client.aclose()

    # --- reading ----------------------------------------------------------------------------------

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        since = query.read_cursor(cursor) if cursor is not None and not full else None
        if since is None:
            self._site = None  # what holds for the site is read anew with everything else
        site = await self._known_site()
        key = self._names.project
        jql = query.everything(key) if since is None else query.changed_since(key, since, site.time_zone)
        found, begun = await self._search(jql)
        tickets = {each.ticket.external_id: each.ticket for each in found if isinstance(each, Issue)}
        problems = tuple(each for each in found if isinstance(each, BoardProblem))
        newest = max((each.updated_at for each in tickets.values() if each.updated_at is not None), default=None)
        return Pull(
            tickets=tuple(tickets.values()),
            complete=since is None and not problems,  # what has no name could be any of those that are missing
            cursor=query.advanced(since, newest, begun),
            problems=problems,
        )

    async def reread(self, external_id: str) -> BoardTicket | None:
        """None also where it was moved to another project: it is none of this board's any more."""
        issue = await self._issue(external_id)
        return issue.ticket if issue is not None and self._is_here(issue) else None

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        """Those records as they are now; None for each that is gone. One that a batch lacks is asked for alone."""
        site = await self._known_site()
        found: dict[str, BoardTicket | None] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            for each in await self._read(await self._client.issues(batch), site):
                if isinstance(each, Issue) and each.ticket.external_id in batch:
                    found[each.ticket.external_id] = each.ticket if self._is_here(each) else None
        for external_id in ids:
            if external_id not in found:
                found[external_id] = await self.reread(external_id)
        return found

    def changes(self) -> AsyncIterator[None]:
        return _silence()

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        webhook.check(self.name, self._secret, headers, body, now)

    async def _known_site(self) -> Site:
        if self._site is None:
            me = await self._client.myself()
            browse: str | None = self._base
            if "/ex/jira/" in self._base:  # the gateway for scoped tokens, which people cannot browse
                told = line((await self._client.server()).get("baseUrl"), 255)
                browse = told.rstrip("/") if told.startswith("https://") else None
            self._site = Site(
                browse=browse,
                time_zone=line(me.get("timeZone"), 100) or None,
                account=line(me.get("accountId"), 255) or None,
                ranks=await self._ranks(),
            )
        return self._site

    async def _ranks(self) -> dict[str, int]:
        """None where the token may not list the priorities: then they are known by their usual names only."""
        try:
            return ranks_of(await self._client.priorities())
        except (BoardAuth, BoardStatus):
            return {}

    async def _search(self, jql: str) -> tuple[list[Issue | BoardProblem], datetime]:
        """All that a search finds, and when it began by the board's clock. Raises BoardPagination if it has no end."""
        site = await self._known_site()
        reconcile = self._lately_written()
        found: list[Issue | BoardProblem] = []
        begun: datetime | None = None
        asked: set[str | None] = set()
        token: str | None = None
        while token not in asked:
            if len(asked) == MOST_PAGES:
                raise BoardPagination(
                    f"{self.name} has more than {MOST_PAGES} pages", hint="archive old issues, or use a smaller project"
                )
            asked.add(token)
            page = await self._client.search(jql, token, reconcile)
            begun = begun or board_time(page.reply.headers, self._clock())
            found += await self._read(page.issues, site)
            if page.next is None:
                return found, begun
            token = page.next
        raise BoardPagination(f"{self.name} names a page twice", hint="it is read anew from the beginning")

    async def _read(self, issues: Sequence[object], site: Site) -> list[Issue | BoardProblem]:
        """Understand issues, in a thread: a page of long descriptions takes longer than the loop may stand still."""
        read = partial(_understood, issues, site, self._names)
        return await trio.to_thread.run_sync(read, abandon_on_cancel=True)

    async def _issue(self, external_id: str) -> Issue | None:
        site = await self._known_site()
        bean = await self._client.issue(external_id)
        if bean is None:
            await self._must_see_the_project()
            return None
        (found,) = await self._read([bean], site)
        if isinstance(found, BoardProblem):
            raise BoardPayload(
                f"the record {external_id} of {self.name}: {found.message}", hint="look at it at the board"
            )
        return found

    async def _must_see_the_project(self) -> None:
        """Jira says of an issue that may not be seen that it is gone: were all of them hidden, none would be."""
        if not await self._client.sees(self._names.project):
            raise BoardStatus(
                f"{self.name} shows no project {self._names.project}",
                hint="correct `key`, or give the token's user the right to browse it",
            )

    def _is_here(self, issue: Issue) -> bool:
        return issue.project.casefold() == self._names.project.casefold()

    def _lately_written(self) -> list[int]:
        now = trio.current_time()
        return [each for each, at in self._written.items() if now - at < _LAG]

    def _wrote(self, external_id: str) -> None:
        if external_id.isascii() and external_id.isdigit() and len(external_id) < 19:
            self._written[int(external_id)] = trio.current_time()
            self._written.move_to_end(int(external_id))
            while len(self._written) > _RECONCILED:
                self._written.popitem(last=False)

    # --- writing ----------------------------------------------------------------------------------

    async def write(self, write: BoardWrite) -> WriteResult:
        """Move, then comment, then link; each looks first at what is there, so that doing it again completes it."""
        for _ in range(_TRIES):
            issue = await self._issue(write.external_id)
            if issue is None:
                return Conflicted("deleted")
            if not self._is_here(issue):
                return Conflicted(f"moved to {issue.project or 'another project'}")
            if issue.status is None or issue.status.category not in CATEGORIES:
                return Conflicted(issue.status.name if issue.status is not None else "a status that is not known")
            decision = decide(write.kind, issue.status, issue.ticket.state, self._states)
            if isinstance(decision, Theirs):
                return Conflicted(decision.name)
            if isinstance(decision, Stay) or await self._moved(write, issue, decision):
                break
        else:
            raise BoardStatus(
                f"{write.external_id} kept changing at {self.name} while it was written", hint="it is tried again"
            )
        if write.comment:
            account = (await self._known_site()).account
            await telling.comment(self._client, write.external_id, write.ticket_id, write.comment, account)
        if write.link:
            title = write.branch or f"Work on {write.ticket_id}"
            await telling.link(self._client, write.external_id, write.ticket_id, write.link, title)
        self._wrote(write.external_id)
        return Written()

    async def _moved(self, write: BoardWrite, issue: Issue, wanted: Wanted) -> bool:
        """Make the transition; False if the issue is elsewhere by now. Raises BoardStatus if none leads there."""
        external_id, key = write.external_id, issue.ticket.external_key
        there = transitions_of(await self._client.transitions(external_id))
        chosen = choose(wanted, there)
        if chosen is None:
            if wanted.only_liked:
                return True
            raise BoardStatus(
                f"no transition brings {key} from where it is to {wanted.spoken}",
                hint=f"its workflow leads to: {spoken(there)}; set `states.{write.kind}`, or add a transition",
            )
        await self._remember_meaning(write, issue, chosen)
        refused = await self._client.transit(external_id, chosen.id)
        self._wrote(external_id)
        if refused is None:
            return True
        after = await self._issue(external_id)
        if after is not None and after.status == issue.status:
            raise BoardStatus(
                f"{self.name} refuses to move {key} to “{chosen.to.name}”: {refused}",
                hint="does the transition ask for a field? let it not, or set another status in `states`",
            )
        return False

    async def _remember_meaning(self, write: BoardWrite, issue: Issue, chosen: Transition) -> None:
        """Where a workflow knows one way only to be closed, a property says that it means cancelled.

        It is written before the move: alone it means nothing, while the move alone would be read as done.
        """
        plain = not says_undone(chosen.to.name) and write.kind is WriteKind.CANCELLED
        meaning = {"status": chosen.to.id} if plain else {}
        known = issue.properties.get(CLOSED_AS)
        if (known or {}) != meaning:
            await self._client.keep(write.external_id, CLOSED_AS, meaning)

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        """Every record of Jira's has an id."""
        return False

    async def create(self, new: NewTicket) -> str:
        """Add an issue; its id. The same ticket again adds no second one, another of that id is a BoardStatus.

        Each issue that is made here carries our id; one that was made within a day is found by it.
        """
        found, _ = await self._search(query.created_lately(self._names.project))
        for each in found:
            if isinstance(each, Issue) and _id_of_ours(each) == new.id:
                await self._complete(each, new)
                return each.ticket.external_id
        external_id, key = await adding.add(self._client, self._names, new)
        self._wrote(external_id)
        await adding.block(self._client, key, new.blocked_by)
        return external_id

    async def _complete(self, found: Issue, new: NewTicket) -> None:
        if found.ticket.title != line(new.title):
            raise BoardStatus(f"{new.id} was written to {self.name} already, as {found.ticket.external_key}")
        missing = tuple(each for each in new.blocked_by if each not in found.ticket.blocked_by)
        await adding.block(self._client, found.ticket.external_key, missing)

    async def edit(self, external_id: str, edit: Edit) -> None:
        issue = await self._issue(external_id)
        if issue is None or not self._is_here(issue):
            raise adding.gone(external_id)
        await adding.change(self._client, self._names, issue, edit)
        self._wrote(external_id)


def _id_of_ours(issue: Issue) -> object:
    ours = issue.properties.get(OURS)
    return ours.get("id") if isinstance(ours, dict) else None


def _understood(issues: Sequence[object], site: Site, names: Names) -> list[Issue | BoardProblem]:
    return [issue_of(each, site, names) for each in issues]


async def _silence() -> AsyncIterator[None]:
    """Nothing, for ever: webhooks ring elsewhere."""
    await trio.sleep_forever()
    yield
