"""What the actors need from the outside, as Protocols. Adapters implement one each; `daemon.py` joins them.

Deadlines are the caller's. An adapter raises the errors of `domain.errors` that its docstrings name and no others.
"""

from supervisor.ports.agents import AgentDriver, LaunchPlan, LaunchRequest, MissedHooks
from supervisor.ports.boards import Conflicted, Edit, KanbanProvider, NewTicket, TicketDraft, WriteResult, Written
from supervisor.ports.disk import Disk, R, Record, Setting
from supervisor.ports.sessions import Attach, Replay, Session, SessionBackend, SessionSpec, Stamps
from supervisor.ports.work import (
    Exported,
    Prompts,
    PullRequest,
    PullRequests,
    PullState,
    Workspace,
    Workspaces,
    WorkStatus,
)

__all__ = [
    "AgentDriver",
    "Attach",
    "Conflicted",
    "Disk",
    "Edit",
    "Exported",
    "KanbanProvider",
    "LaunchPlan",
    "LaunchRequest",
    "MissedHooks",
    "NewTicket",
    "Prompts",
    "PullRequest",
    "PullRequests",
    "PullState",
    "R",
    "Record",
    "Replay",
    "Session",
    "SessionBackend",
    "SessionSpec",
    "Setting",
    "Stamps",
    "TicketDraft",
    "WorkStatus",
    "Workspace",
    "Workspaces",
    "WriteResult",
    "Written",
]
