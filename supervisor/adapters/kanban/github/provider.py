"""GitHub behind the board port: which kind of board it is, and the parts that both kinds share."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

import trio

from supervisor.adapters.kanban.github.client import GitHub, utc_now
from supervisor.adapters.kanban.github.issues import Issues
from supervisor.adapters.kanban.github.mapping import Reading
from supervisor.adapters.kanban.github.project import Project
from supervisor.adapters.kanban.github.refs import is_project, is_repo
from supervisor.adapters.kanban.github.rules import StateLabels
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardAuth, ConfigError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardTicket, BoardWrite, Pull, Unnamed
from supervisor.ports import Edit, NewTicket, WriteResult

_DELIVERIES = 1_000
"""Webhook deliveries that are remembered; the oldest is forgotten first."""


class GitHubBoard:
    """A collection on GitHub. `repo = "owner/name"`: its plain issues; `board = "owner/7"`: a project's items.

    Plain issues are closed as completed or as not planned, and an open one that is under way wears a label:
    `states.started`, else "in progress", and `states.awaiting` and `states.failed` if they are configured. A
    project's items move by their Status. Nobody is assigned. What cannot be done is said at `Issues` and `Project`.
    """

    def __init__(
        self,
        name: str,
        config: CollectionConfig,
        token: str,
        *,
        types: tuple[str, ...] = (),
        webhook_secret: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self._github = GitHub(name, config.base_url, token, clock=clock)
        states: dict[str, str] = {str(kind): text for kind, text in config.states.items()}
        reading = Reading(StateLabels.of(states), dict(config.types), types)
        default_type = config.type or "TASK"
        self._board: Issues | Project
        if config.board is not None and config.repo is None:
            _must_be(is_project(config.board), "board", 'it must be "owner/7": who owns the project, and its number')
            self._board = Project(self._github, config.board, reading, states, default_type)
        else:
            repo = config.repo or ""
            _must_be(is_repo(repo) and config.board is None, "repo", 'either repo = "owner/name" or board = "owner/7"')
            self._board = Issues(self._github, repo, reading, default_type)
        self._secret = webhook_secret
        self._heard: OrderedDict[str, None] = OrderedDict()

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        return await self._board.pull(cursor, full)

    async def reread(self, external_id: str) -> BoardTicket | None:
        return await self._board.reread(external_id)

    async def reread_many(self, ids: Sequence[str]) -> dict[str, BoardTicket | None]:
        """Some records as they are now; None for those that are gone."""
        return await self._board.reread_many(ids)

    async def write(self, write: BoardWrite) -> WriteResult:
        return await self._board.write(write)

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        """No record of GitHub is without an id."""
        await trio.lowlevel.checkpoint()
        return False

    async def create(self, new: NewTicket) -> str:
        return await self._board.create(new)

    async def edit(self, external_id: str, edit: Edit) -> None:
        await self._board.edit(external_id, edit)

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """GitHub signs the body and sends no time, so a delivery is known by its id, which is not signed: who has
        recorded one can at most have the board read once more."""
        if self._secret is None:
            raise BoardAuth(f"{self.name} hears no webhooks", hint="set `webhook_secret_env` of the collection")
        expected = "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(
            expected.encode(), headers.get("x-hub-signature-256", "").encode("utf-8", "replace")
        ):
            raise BoardAuth(
                f"the webhook for {self.name} is not signed with its secret",
                hint="is the secret of the webhook on GitHub the same?",
            )
        delivery = headers.get("x-github-delivery", "")[:100]
        if not delivery or delivery in self._heard:
            raise BoardAuth(f"the webhook for {self.name} was heard before", hint="each delivery counts once")
        self._heard[delivery] = None
        if len(self._heard) > _DELIVERIES:
            self._heard.popitem(last=False)

    async def changes(self) -> AsyncIterator[None]:
        """Nothing, for ever: a webhook rings elsewhere."""
        await trio.sleep_forever()
        yield

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""
        await self._github.aclose()


def _must_be(right: bool, key: str, sentence: str) -> None:
    if not right:
        raise ConfigError(f"the collection's {key} cannot be used: {sentence}", {key: sentence})
