"""What clients see of a review: all that is needed for a verdict, exactly, and what the verdict has come to."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain import wire
from supervisor.domain.agent import DeliveryState
from supervisor.domain.ids import DeliveryId
from supervisor.domain.projections import delivery_view
from supervisor.domain.review import (
    Answered,
    Approved,
    Artifact,
    Changes,
    Permission,
    PlanText,
    Rejected,
    Request,
    Review,
    ReviewKind,
    Superseded,
    Visuals,
)
from supervisor.domain.review_views import exactly, owed, owed_sentence, review_view, verdict_view
from supervisor.domain.views import ArtifactView, OptionView, QuestionView, ReviewView
from tests import strategies
from tests.unit.domain.samples import NOON, PROPOSES, SUBJECTS, after, delivery, review


def view(given: Review, now: datetime = NOON, held: bool = True) -> ReviewView:
    return review_view(given, now, held)


def test_a_plan_is_its_text() -> None:
    seen = view(review(), after(240))
    assert (seen.id, seen.kind, seen.status, seen.waited) == (31, "plan", "pending", 240.0)
    assert (seen.plan, seen.plan_path, seen.by_hook) == ("# Limits\n\n1. Middleware", "plan.md", False)
    assert (seen.decided_at, seen.decided_by, seen.reason, seen.note) == (None, None, None, None)


def test_what_was_made_is_served_under_the_api_and_a_page_under_its_own_address() -> None:
    assert view(review(ReviewKind.VISUAL)).artifacts == (
        ArtifactView("shots/a b.png", "image/png", 42_000, "/reviews/31/artifacts/shots/a%20b.png"),
        ArtifactView("page.html", "text/html", 60, "http://[::1]/"),
    )


@pytest.mark.parametrize("name", ["a\nb", "?#%", "\udcff", "..", "ü/漢 字"])
def test_an_odd_name_is_one_harmless_address(name: str) -> None:
    [made] = view(review(ReviewKind.VISUAL, subject=Visuals((Artifact(name, "image/png", 1),)))).artifacts
    assert made.url is not None
    assert made.url.isascii()
    assert made.url.startswith("/reviews/31/artifacts/")
    assert not set(made.url) & set("\n ?#")


def test_a_permission_says_the_tool_and_the_exact_command() -> None:
    seen = view(review(ReviewKind.PERMISSION))
    assert (seen.tool, seen.tool_input, seen.command) == ("Bash", '{"command": "rm -rf build"}', "rm -rf build")
    assert (seen.by_hook, seen.held, seen.note) == (True, True, None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"command": "rm  -rf\nbuild", "description": "x"}, "rm  -rf\nbuild"),
        ({"command": ["bash", "-lc", "a b"]}, "bash -lc 'a b'"),
        ({"file_path": "/w/a.py", "content": "x"}, "/w/a.py"),
        ({"notebook_path": "/w/a.ipynb"}, "/w/a.ipynb"),
        ({"url": "http://[::1]/", "prompt": "x"}, "http://[::1]/"),
        ({"command": 7, "url": "http://[::1]/"}, "http://[::1]/"),
        ({"command": [], "other": "x"}, None),
        ({"anything": "else"}, None),
        ([], None),
    ],
)
def test_what_exactly_would_be_done(given: Any, told: str | None) -> None:
    asked = Request(ReviewKind.PERMISSION, "T", json.dumps(given), "q")
    assert exactly(review(ReviewKind.PERMISSION, subject=Permission(asked))) == told


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_arguments_that_are_no_json_tell_nothing(text: str) -> None:
    asked = Request(ReviewKind.PERMISSION, "T", text, "q")
    assert exactly(review(ReviewKind.PERMISSION, subject=Permission(asked))) is None


def test_a_question_has_its_options() -> None:
    assert view(review(ReviewKind.QUESTION)).questions == (
        QuestionView("Which db?", "Database", (OptionView("Postgres", "as now"), OptionView("SQLite", "")), False),
    )


def test_finished_work_is_branch_stat_and_address() -> None:
    seen = view(review(ReviewKind.PR))
    assert (seen.branch, seen.commits, seen.stat, seen.url) == (
        "operator/A-1",
        2,
        " a.py | 2 +-",
        "http://[::1]/pull/3",
    )
    failed = view(review(ReviewKind.PR, subject=Changes("b", 1, "", note="no pull request was opened: no gh")))
    assert failed.note == "no pull request was opened: no gh"


def test_a_review_whose_hook_is_gone_says_how_it_is_decided() -> None:
    assert "keys" in (view(review(ReviewKind.QUESTION), held=False).note or "")
    assert view(review(ReviewKind.PLAN), held=False).note is None
    decided = review(ReviewKind.QUESTION, decision=Superseded(NOON, "answered at the terminal"))
    assert view(decided, held=False).note is None


@pytest.mark.parametrize(
    ("decision", "status", "by", "reason", "answers"),
    [
        (Approved(after(9), "ada"), "approved", "ada", None, {}),
        (Rejected(after(9), "ada", "  no\n"), "rejected", "ada", "  no\n", {}),
        (Answered(after(9), "ada", {"Which db?": "x"}), "answered", "ada", None, {"Which db?": "x"}),
        (Superseded(after(9), "its agent has ended"), "superseded", "its agent has ended", None, {}),
    ],
)
def test_a_decision_is_told_with_who_and_when(
    decision: Any, status: str, by: str, reason: str | None, answers: dict[str, str]
) -> None:
    seen = view(review(decision=decision), after(500))
    assert (seen.status, seen.decided_at, seen.decided_by) == (status, after(9), by)
    assert (seen.reason, seen.answers, seen.waited) == (reason, answers, 9.0)


# --- what is owed ---------------------------------------------------------------------------------


def test_what_a_dialog_asks_is_decided_first_then_the_oldest() -> None:
    plan, older, asks = review(number=7), review(number=3), review(ReviewKind.PERMISSION, 9)
    assert owed([plan, older, asks], gone=False) is asks
    assert owed([plan, older, asks], gone=True) is older
    assert owed([review(decision=Approved(NOON, "ada"))], gone=False) is None


@pytest.mark.parametrize("kind", list(ReviewKind))
def test_what_is_owed_is_a_sentence(kind: ReviewKind) -> None:
    sentence = owed_sentence(review(kind))
    by_hook = kind in (ReviewKind.PERMISSION, ReviewKind.QUESTION)
    assert sentence == "Limits" if by_hook else "(review 31)" in sentence


# --- what a verdict has come to -------------------------------------------------------------------

APPROVED = Approved(NOON, "ada")


@pytest.mark.parametrize(
    ("kind", "decision", "message"),
    [
        (ReviewKind.PLAN, APPROVED, "The plan of A-1 is approved."),
        (ReviewKind.VISUAL, Rejected(NOON, "ada", "no"), "The result of A-1 is rejected."),
        (ReviewKind.PR, APPROVED, "The work of A-1 is approved."),
        (ReviewKind.PERMISSION, APPROVED, "A-1 may go on with: rm -rf build"),
        (ReviewKind.PERMISSION, Rejected(NOON, "ada", "no"), "A-1 may not go on with: rm -rf build"),
        (ReviewKind.QUESTION, Answered(NOON, "ada", {}), "The question of A-1 is answered."),
        (ReviewKind.QUESTION, Rejected(NOON, "ada", "no"), "A-1 gets no answer."),
    ],
)
def test_a_verdict_that_acts_says_what_was_decided(kind: ReviewKind, decision: Any, message: str) -> None:
    seen = verdict_view(review(kind, decision=decision, told=True), None)
    assert (seen.delivery, seen.message, seen.status) == ("delivered", message, type(decision).__name__.lower())


@pytest.mark.parametrize(
    ("state", "word", "says"),
    [
        (None, "pending", "as soon as"),
        (DeliveryState.PENDING, "pending", "as soon as"),
        (DeliveryState.SUBMITTED, "typed", "nothing proves"),
        (DeliveryState.DELIVERED, "delivered", "is rejected. (r)"),
        (DeliveryState.REFUSED, "refused", "took no text"),
        (DeliveryState.UNKNOWN, "unknown", "uncertain"),
    ],
)
def test_a_verdict_by_text_says_no_more_than_is_known(state: DeliveryState | None, word: str, says: str) -> None:
    decided = review(decision=Rejected(NOON, "ada", "no"), told=True, delivery_id=DeliveryId("d"))
    seen = verdict_view(decided, None if state is None else delivery_view(delivery(state, reason="r")))
    assert seen.delivery == word
    assert says in seen.message


def test_a_verdict_that_nobody_has_taken_yet_is_pending() -> None:
    assert verdict_view(review(decision=APPROVED), None).delivery == "pending"


@given(made=strategies.record(Review), now=strategies.MOMENTS, held=st.booleans())
def test_any_review_at_all_has_a_view_that_the_wire_carries(made: Review, now: datetime, held: bool) -> None:
    for seen in (review_view(made, now, held), verdict_view(made, None)):
        assert wire.from_json(wire.to_json(seen), type(seen)) == seen


def test_every_kind_has_a_sample() -> None:
    assert SUBJECTS.keys() == set(ReviewKind)
    assert view(review(subject=PlanText("t", request=PROPOSES))).by_hook
