"""Every error of the domain has a status, and says no more than it should."""

import inspect

import pytest

from supervisor.domain import errors
from supervisor.domain.errors import OperatorError
from supervisor.web.glue import explained
from supervisor.web.problems import INTERNAL, STATUSES, refusal_of, status_of

DELIBERATE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OperatorError)]


def made(kind: type[OperatorError]) -> OperatorError:
    return kind("it broke", 12.2) if kind is errors.BoardRateLimited else kind("it broke")  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", DELIBERATE)
def test_every_error_has_a_status_and_its_code(kind: type[OperatorError]) -> None:
    refusal = refusal_of(made(kind))
    assert refusal.problem.code == refusal.problem.error == kind.code
    assert refusal.problem.detail == refusal.problem.message == "it broke"
    assert 400 <= refusal.problem.status < 600
    if kind is not OperatorError:
        assert any(each in STATUSES for each in kind.__mro__ if each is not OperatorError), "falls back to 500"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("x"), 404),
        (errors.Ambiguous("x"), 409),
        (errors.TicketTaken("x"), 409),
        (errors.NoSlot("x"), 409),
        (errors.Invalid("x"), 422),
        (errors.TooSlow("x"), 503),
        (errors.StoreFull("x"), 503),
        (errors.SessionGone("x"), 409),
        (errors.BackendError("x"), 502),
        (errors.BoardAuth("x"), 502),
        (errors.BoardRateLimited("x", 1.0), 429),
    ],
)
def test_statuses(error: OperatorError, status: int) -> None:
    assert status_of(error) == status


def test_waits_are_said() -> None:
    assert refusal_of(errors.BoardRateLimited("x", 12.2)).headers == {"Retry-After": "13"}
    assert refusal_of(errors.BoardRateLimited("x", 0.0)).headers == {"Retry-After": "1"}
    assert refusal_of(errors.Unavailable("x")).headers == {"Retry-After": "1"}
    assert refusal_of(errors.NotFound("x")).headers == {}


def test_facts_fields_and_hints_come_along() -> None:
    taken = refusal_of(errors.TicketTaken("x", hint="wait", agent_id="ENG-1~1")).problem
    assert (taken.hint, taken.data) == ("wait", {"agent_id": "ENG-1~1"})
    assert refusal_of(errors.Invalid("x", {"title": "is missing"})).problem.fields == {"title": "is missing"}


def test_what_was_not_meant_to_happen_is_told_in_general_only() -> None:
    assert explained(RuntimeError("password=hunter2"), "here") is INTERNAL
    assert "hunter2" not in repr(INTERNAL)


def test_a_deliberate_failure_is_found_in_its_groups() -> None:
    nested = ExceptionGroup("", [ExceptionGroup("", [errors.NotFound("no such thing")])])
    assert explained(nested, "here").problem.status == 404
    several = ExceptionGroup("", [errors.NotFound("x"), errors.Conflict("y")])
    assert explained(several, "here") is INTERNAL
