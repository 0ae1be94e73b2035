"""Reviews: which one a verdict means, that it fits what is asked, and that it is given once."""

from itertools import product

import pytest
from attrs import evolve

from supervisor.domain.errors import AlreadyDecided, Ambiguous, Conflict, Invalid, NoReview, NotFound, StaleReview
from supervisor.domain.ids import AgentId, ReviewId
from supervisor.domain.review import (
    REASON_LIMIT,
    Answered,
    Approved,
    Decision,
    Question,
    Questions,
    Rejected,
    Review,
    ReviewKind,
    Superseded,
    Verdict,
    chosen,
    decide,
    key_of,
    overtaken,
    request_of,
    waited,
)
from tests.unit.domain.samples import (
    AGENT,
    ASKING,
    ASKS,
    EXITED,
    IDLE,
    LOST,
    NOON,
    RUNNING,
    STATES,
    activity,
    after,
    review,
)

BY_STEP = (ReviewKind.PLAN, ReviewKind.VISUAL, ReviewKind.PR)
APPROVED, REJECTED = Approved(NOON, "ada"), Rejected(NOON, "ada", "too wide")
ANSWERED = Answered(NOON, "ada", {"Which db?": "SQLite"})
OVER = Superseded(NOON, "it was answered at the terminal")


# --- which review ---------------------------------------------------------------------------------


def test_without_a_number_the_only_pending_one_is_meant() -> None:
    old = review(number=1, decision=REJECTED)
    assert chosen([old, review(number=2)], AGENT, None, None).id == 2


def test_of_several_pending_ones_one_must_be_named() -> None:
    with pytest.raises(Ambiguous, match="several pending reviews: 2, 3") as raised:
        chosen([review(number=3), review(number=2)], AGENT, None, None)
    assert raised.value.hint == "name one with --review"
    assert chosen([review(number=3), review(number=2)], AGENT, ReviewId(3), review(number=3)).id == 3


def test_where_none_is_pending_the_newest_is_meant_so_that_the_first_verdict_is_named() -> None:
    found = chosen([review(number=1, decision=OVER), review(number=2, decision=APPROVED)], AGENT, None, None)
    with pytest.raises(AlreadyDecided, match="review 2 was approved already, by ada"):
        decide(found, REJECTED)


def test_an_agent_without_reviews_has_nothing_to_decide() -> None:
    with pytest.raises(NoReview, match="nothing to decide") as raised:
        chosen([], AGENT, None, None)
    assert "operator review list" in raised.value.hint


def test_a_number_names_a_review_of_this_agent_or_none() -> None:
    with pytest.raises(NotFound, match="there is no review 9"):
        chosen([review()], AGENT, ReviewId(9), None)
    foreign = review(number=9, agent_id=AgentId("A-2~1"))
    with pytest.raises(StaleReview, match="one of A-2~1, not of A-1~1") as raised:
        chosen([review()], AGENT, ReviewId(9), foreign)
    assert raised.value.data["review_id"] == "9"


# --- one verdict ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [each for each in ReviewKind if each is not ReviewKind.QUESTION])
@pytest.mark.parametrize("verdict", [APPROVED, REJECTED])
def test_it_is_approved_or_rejected(kind: ReviewKind, verdict: Verdict) -> None:
    asked = review(kind)
    assert decide(asked, verdict) == evolve(asked, decision=verdict)
    with pytest.raises(Invalid, match=f"is a {kind}: it is approved or rejected"):
        decide(asked, ANSWERED)


def test_a_question_is_answered_or_declined() -> None:
    asked = review(ReviewKind.QUESTION)
    assert decide(asked, ANSWERED).decision == ANSWERED
    assert decide(asked, REJECTED).decision == REJECTED
    with pytest.raises(Invalid, match="is answered, not approved"):
        decide(asked, APPROVED)


@pytest.mark.parametrize(("first", "second"), list(product((APPROVED, REJECTED, ANSWERED, OVER), (APPROVED, REJECTED))))
@pytest.mark.parametrize("kind", list(ReviewKind))
def test_a_second_verdict_is_told_of_the_first(kind: ReviewKind, first: Decision, second: Verdict) -> None:
    decided = review(kind, decision=first)
    with pytest.raises(AlreadyDecided) as raised:
        decide(decided, second)
    assert raised.value.data["status"] == type(first).__name__.lower()
    assert raised.value.data["at"] == NOON.isoformat()
    assert ("ada" in raised.value.message) or ("terminal" in raised.value.message)
    assert isinstance(raised.value, Conflict)


@pytest.mark.parametrize("reason", ["", " \n\t", "\x00\x1b\x07", "\r \x9b"])
def test_a_reason_says_something(reason: str) -> None:
    """Also when a terminal's control characters are taken out of it: the agent would be told nothing."""
    with pytest.raises(Invalid, match="the reason is empty") as raised:
        decide(review(), Rejected(NOON, "ada", reason))
    assert raised.value.fields.keys() == {"reason"}


def test_a_reason_is_kept_to_the_letter_up_to_its_limit() -> None:
    reason = "  wïde\n\n漢字 👩‍💻\t" + "x" * (REASON_LIMIT - 20)
    decided = decide(review(), Rejected(NOON, "ada", reason)).decision
    assert isinstance(decided, Rejected)
    assert decided.reason == reason
    with pytest.raises(Invalid, match="too long"):
        decide(review(), Rejected(NOON, "ada", "x" * (REASON_LIMIT + 1)))


# --- answers --------------------------------------------------------------------------------------

TWO = review(ReviewKind.QUESTION, subject=Questions(ASKS, (Question("Which db?"), Question("Since when?"))))


def answers(asked: Review, given: dict[str, str]) -> dict[str, str]:
    decided = decide(asked, Answered(NOON, "ada", given)).decision
    assert isinstance(decided, Answered)
    return decided.answers


def test_answers_are_by_text_or_number_and_may_be_anything() -> None:
    assert answers(TWO, {"Which db?": "x", "2": "1970"}) == {"Which db?": "x", "Since when?": "1970"}
    assert answers(review(ReviewKind.QUESTION), {"": "neither"}) == {"Which db?": "neither"}


def test_a_question_whose_text_is_a_number_is_meant_by_it() -> None:
    odd = review(ReviewKind.QUESTION, subject=Questions(ASKS, (Question("2"), Question("1"))))
    assert answers(odd, {"1": "one", "2": "two"}) == {"1": "one", "2": "two"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "not every question is answered"),
        ({"1": "x"}, "not every question is answered"),
        ({"1": "x", "2": " "}, "the answers is empty"),
        ({"1": "x", "2": "y", "3": "z"}, "it asks no such question: 3"),
        ({"": "x"}, "it asks no such question"),
    ],
)
def test_all_that_is_asked_and_nothing_else_is_answered(given: dict[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        answers(TWO, given)


# --- overtaken ------------------------------------------------------------------------------------

HELD = review(ReviewKind.PERMISSION, asked_at=NOON)


def test_it_is_pending_while_the_agent_asks_just_that() -> None:
    assert overtaken(HELD, activity(ASKING)) is None
    later = evolve(ASKING, proof=evolve(ASKING.proof, since=after(1)))
    assert overtaken(HELD, activity(later)) == "it asks something else by now"


@pytest.mark.parametrize("state", [IDLE, RUNNING])
def test_an_agent_that_went_on_was_answered_at_its_terminal(state: object) -> None:
    assert overtaken(HELD, activity(state)) == "it was answered at the terminal"  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [EXITED, LOST])
def test_nobody_answers_an_agent_that_is_gone(state: object) -> None:
    assert overtaken(HELD, activity(state)) == "its agent has ended"  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", BY_STEP)
def test_what_a_step_left_is_decided_whatever_its_agent_does(kind: ReviewKind) -> None:
    assert request_of(review(kind).subject) is None
    assert all(overtaken(review(kind), activity(state)) is None for state in STATES)


def test_what_is_decided_is_not_overtaken() -> None:
    assert overtaken(evolve(HELD, decision=APPROVED), activity(IDLE)) is None


# --- the rest -------------------------------------------------------------------------------------


def test_it_waits_until_it_is_decided() -> None:
    assert waited(review(), after(90)) == 90
    assert waited(review(decision=evolve(APPROVED, at=after(30))), after(90)) == 30
    assert waited(review(), after(-5)) == 0


def test_keys_are_in_the_order_of_numbers() -> None:
    keys = [key_of(ReviewId(number)) for number in (1, 9, 10, 99, 100_000)]
    assert keys == sorted(keys)
