"""One class per kind of failure. Each names who is at fault, what happened, and what to do next.

`code` is stable: clients switch on it, and `web/problems.py` maps the class to an HTTP status.
"""

from collections.abc import Mapping
from typing import ClassVar


class OperatorError(Exception):
    """What every deliberate failure derives from."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **data: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What a person can do about it, as a sentence; may be empty."""
        self.data: Mapping[str, str] = data
        """Facts a client may show or act on, such as the holder of a ticket."""


class NotFound(OperatorError):
    """The caller named something that does not exist."""

    code = "not_found"


class Conflict(OperatorError):
    """The request is well-formed, but the state it needs is not the state there is."""

    code = "conflict"


class Ambiguous(Conflict):
    """A short name fits more than one ticket."""

    code = "ambiguous"


class TicketTaken(Conflict):
    """An agent already holds the ticket; `data["agent_id"]` says which."""

    code = "ticket_taken"


class NoSlot(Conflict):
    """A cap is reached; `force` overrides it."""

    code = "no_slot"


class NotEligible(Conflict):
    """The ticket cannot be launched as it stands: blocked, or without a project or driver."""

    code = "not_eligible"


class AlreadyDecided(Conflict):
    """The review has its verdict; `data` has its `review_id`, `status`, `by` and `at`."""

    code = "already_decided"


class NoReview(Conflict):
    """Nothing of the agent's waits for a verdict."""

    code = "no_review"


class StaleReview(Conflict):
    """The review that is named is not the agent's."""

    code = "stale_review"


class AnswerAtTerminal(Conflict):
    """The hook that asked is gone, and the dialog on the agent's screen cannot be told for certain."""

    code = "answer_at_terminal"


class Invalid(OperatorError):
    """The input cannot be read; `fields` has one sentence for each wrong field."""

    code = "invalid"

    def __init__(self, message: str, fields: Mapping[str, str] | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fields: Mapping[str, str] = fields or {}


class Unavailable(OperatorError):
    """A part of Operator is starting, stopping or restarting; asking again later may work."""

    code = "unavailable"


class ActorGone(Unavailable):
    """The actor that was asked ended before it answered."""

    code = "actor_gone"


class TooSlow(Unavailable):
    """No answer within the caller's deadline; whether the act happened is visible in the activity."""

    code = "too_slow"


class ConfigError(Invalid):
    """The configuration file is wrong."""

    code = "config_invalid"


class StoreError(OperatorError):
    """The database cannot be used. Nothing was written to it."""

    code = "store_unusable"


class StoreCorrupt(StoreError):
    """The file is not a database, or its integrity check fails."""

    code = "store_corrupt"


class StoreReadOnly(StoreError):
    """The file or its folder cannot be written."""

    code = "store_read_only"


class StoreFull(StoreError):
    """The disk, or a quota on it, is full."""

    code = "store_full"


class StoreTooNew(StoreError):
    """A newer Operator wrote this database."""

    code = "store_too_new"


class AlreadyRunning(OperatorError):
    """Another daemon holds this state directory."""

    code = "already_running"


class BackendError(OperatorError):
    """The terminal backend (tmux, a pty host) failed or did not answer: the world is unknown, not dead."""

    code = "backend_failed"


class SessionGone(OperatorError):
    """The session, or the agent in it, is no longer there."""

    code = "session_gone"


class WorkspaceError(OperatorError):
    """A worktree could not be made, set up, read or removed."""

    code = "workspace_failed"


class PullRequestError(OperatorError):
    """A branch could not be pushed, or its pull request not be opened or read."""

    code = "pull_request_failed"


class DriverError(OperatorError):
    """The agent CLI cannot be started as configured."""

    code = "driver_failed"


class BoardError(OperatorError):
    """A board could not be read or written. The subclasses say how."""

    code = "board_failed"


class BoardTransport(BoardError):
    """The board cannot be reached."""

    code = "transport"


class BoardAuth(BoardError):
    """The board refuses our credentials."""

    code = "auth"


class BoardStatus(BoardError):
    """The board answered with an unexpected status."""

    code = "status"


class BoardPayload(BoardError):
    """The board's answer cannot be understood."""

    code = "payload"


class BoardPagination(BoardError):
    """The board's pages do not end or do not join."""

    code = "pagination"


class BoardRateLimited(BoardError):
    """The board asks us to wait; `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
