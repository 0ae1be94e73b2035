"""Failures as the wire has them: `application/problem+json` (RFC 9457) with a stable `code`."""

import math
from collections.abc import Mapping
from http import HTTPStatus

from attrs import field, frozen

from supervisor.domain import errors
from supervisor.domain.agent import LaunchFailed
from supervisor.domain.errors import OperatorError

MEDIA_TYPE = "application/problem+json"

STATUSES: Mapping[type[OperatorError], int] = {
    OperatorError: 500,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.ConfigError: 500,
    errors.Unavailable: 503,
    errors.StoreError: 503,
    errors.AlreadyRunning: 409,
    errors.SessionGone: 409,
    errors.BackendError: 502,
    errors.WorkspaceError: 502,
    errors.PullRequestError: 502,
    errors.DriverError: 502,
    errors.BoardError: 502,
    errors.BoardRateLimited: 429,
}
"""By class; a class that is not here has its parent's status. 502: something outside of Operator failed."""


@frozen
class Problem:
    """A failure. `error` and `message` repeat `code` and `detail` for clients that know no problem+json."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    """What a person can do about it, as a sentence; may be empty."""
    error: str
    message: str
    fields: dict[str, str]
    """A sentence for each wrong field of the request."""
    data: dict[str, str] = field(factory=dict)
    """Facts to show or act on, such as the agent that holds a ticket."""


@frozen
class Refusal:
    """A problem with the headers that go with it."""

    problem: Problem
    headers: Mapping[str, str] = field(factory=dict)


def problem(
    status: int,
    code: str,
    message: str,
    *,
    hint: str = "",
    fields: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
) -> Problem:
    return Problem(
        type=f"urn:operator:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=message,
        code=code,
        hint=hint,
        error=code,
        message=message,
        fields=dict(fields or {}),
        data=dict(data or {}),
    )


def status_of(error: OperatorError) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def refusal_of(error: OperatorError) -> Refusal:
    """A deliberate failure, for the wire."""
    status = status_of(error)
    fields = error.fields if isinstance(error, errors.Invalid) else {}
    found = problem(status, error.code, error.message, hint=error.hint, fields=fields, data=error.data)
    return Refusal(found, _retry_after(error, status))


def _retry_after(error: OperatorError, status: int) -> Mapping[str, str]:
    if isinstance(error, errors.BoardRateLimited):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}


INTERNAL = Refusal(
    problem(500, "internal", "Operator failed while it worked on this request.", hint="Its log says where.")
)


def launch_failed(failed: LaunchFailed, agent_id: str) -> Refusal:
    """An agent that was wanted and never ran: a state, not a crash, for the attempt is stored."""
    return Refusal(problem(409, failed.code, failed.reason, hint=failed.hint, data={"agent_id": agent_id}))


def sole(error: BaseException) -> BaseException:
    """The one failure inside nested groups; the group itself if it holds several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
