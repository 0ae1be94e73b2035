"""Boards at a fake site, and writes to them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from supervisor.adapters.kanban.jira import JiraBoard
from supervisor.domain.config import CollectionConfig
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardWrite, WriteKind
from tests.fakes.boards.jira.server import EMAIL, TOKEN, Jira

TYPES = ("FEAT", "FIX", "TASK")


def board_of(server: Jira, token: str = TOKEN, **more: Any) -> JiraBoard:
    config = CollectionConfig("jira", base_url=server.base_url, email=EMAIL, key="ENG", **more)
    return JiraBoard("backend", config, token, types=TYPES, webhook_secret="s3cret")


def write(external_id: str, kind: WriteKind, **more: Any) -> BoardWrite:
    ticket = TicketId("ENG-1")
    return BoardWrite(uuid.uuid4().hex, 1, "backend", ticket, external_id, kind, datetime.now(UTC), **more)
