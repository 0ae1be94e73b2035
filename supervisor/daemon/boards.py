"""The providers of a configuration's collections, with their secrets. A provider is loaded only where one is named."""

import os
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import assert_never

import structlog
import trio

from supervisor.domain.board_config import token_env
from supervisor.domain.config import CollectionConfig, Config, issue_types
from supervisor.domain.errors import BoardAuth, BoardError, BoardStatus, ConfigError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardTicket, BoardWrite, Pull, Unnamed
from supervisor.ports import Edit, KanbanProvider, NewTicket, WriteResult

log = structlog.get_logger()

_LONGEST = 64 * 1024
_CLOSING = 2.0
"""Seconds for one provider to close its connections."""


@asynccontextmanager
async def boards(config: Config, environ: Mapping[str, str]) -> AsyncIterator[dict[str, KanbanProvider]]:
    """All of them by their collections' names, and closed at the end. One that lacks its token is there, and says so
    whenever it is asked."""
    types = tuple(issue_types(config))
    found = {name: board(name, given, types, environ) for name, given in config.collections.items()}
    try:
        yield found
    finally:
        for provider in found.values():
            with trio.move_on_after(_CLOSING, shield=True):
                await provider.aclose()


def board(name: str, config: CollectionConfig, types: tuple[str, ...], environ: Mapping[str, str]) -> KanbanProvider:
    """One collection's provider."""
    if config.provider == "local":
        from supervisor.adapters.kanban.local import LocalBoard

        return LocalBoard(name, Path(config.path), type=config.type or "TASK", types=types)
    try:
        return _remote(name, config, token(name, config, environ), types, webhook_secret(name, config, environ))
    except BoardError as error:
        return Unusable(name, error)
    except ConfigError as error:
        return Unusable(name, BoardStatus(error.message, hint="`operator config check` names what is wrong"))


def _remote(
    name: str, config: CollectionConfig, secret: str, types: tuple[str, ...], webhook: str | None
) -> KanbanProvider:
    match config.provider:
        case "linear":
            from supervisor.adapters.kanban.linear import LinearBoard

            return LinearBoard(name, config, secret, types=types, webhook_secret=webhook)
        case "jira":
            from supervisor.adapters.kanban.jira import JiraBoard

            return JiraBoard(name, config, secret, types=types, webhook_secret=webhook)
        case "github":
            from supervisor.adapters.kanban.github import GitHubBoard

            return GitHubBoard(name, config, secret, types=types, webhook_secret=webhook)
        case "local":
            raise ConfigError(f"{name} is a folder")
        case never:
            assert_never(never)


# --- secrets ----------------------------------------------------------------------------------------


def token(name: str, config: CollectionConfig, environ: Mapping[str, str]) -> str:
    """The collection's token, from its variable or its file. Raises BoardAuth, which names neither's content."""
    if config.token_file is not None:
        return _from_file(name, Path(config.token_file))
    variable = token_env(config) or ""
    found = environ.get(variable, "").strip()
    if not found:
        raise BoardAuth(
            f"{name} has no token: the variable {variable} is not set for the daemon",
            hint=f"set {variable} and restart the daemon; token_env names another variable, token_file a file",
        )
    return found


def webhook_secret(name: str, config: CollectionConfig, environ: Mapping[str, str]) -> str | None:
    """None where no webhook is to be heard. One that is named and not there is said, and none is heard."""
    if config.webhook_secret_env is None:
        return None
    found = environ.get(config.webhook_secret_env, "").strip()
    if not found:
        log.warning("no webhook is heard", collection=name, missing=config.webhook_secret_env)
    return found or None


def _from_file(name: str, path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BoardAuth(f"{name} has no token: {path} is no file", hint="correct token_file")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise BoardAuth(
                    f"{name}: others than you may read the token in {path}, so it is not used",
                    hint=f"chmod 600 {path}, and restart the daemon",
                )
            content = file.read(_LONGEST)
    except OSError as error:
        raise BoardAuth(
            f"{name} has no token: {path} cannot be read: {error.strerror}", hint="correct token_file"
        ) from None
    found = content.decode("utf-8", "replace").strip()
    if not found:
        raise BoardAuth(f"{name} has no token: {path} is empty", hint=f"write the token into {path}")
    return found


class Unusable:
    """Stands for a board that cannot be asked as it is configured: says why, whatever it is asked."""

    def __init__(self, name: str, error: BoardError) -> None:
        self.name = name
        self._error = error

    def _refusal(self) -> BoardError:
        return type(self._error)(self._error.message, hint=self._error.hint)

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        raise self._refusal()

    async def reread(self, external_id: str) -> BoardTicket | None:
        raise self._refusal()

    async def reread_many(self, ids: Sequence[str]) -> Mapping[str, BoardTicket | None]:
        raise self._refusal()

    async def write(self, write: BoardWrite) -> WriteResult:
        raise self._refusal()

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        raise self._refusal()

    async def create(self, new: NewTicket) -> str:
        raise self._refusal()

    async def edit(self, external_id: str, edit: Edit) -> None:
        raise self._refusal()

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        raise self._refusal()

    async def changes(self) -> AsyncIterator[None]:
        """Never."""
        await trio.sleep_forever()
        yield

    async def aclose(self) -> None:
        """Nothing is open."""
