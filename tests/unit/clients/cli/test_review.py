"""What `operator review` prints, and what the words of a verdict mean."""

import pytest
from attrs import evolve

from clients.cli.options import CliError
from clients.cli.review import page_of, table
from clients.cli.terminal import Terminal
from clients.cli.verdicts import SCISSORS, draft, given, meant, reason_in, told
from supervisor.domain.views import OptionView, QuestionView, ReviewList, ReviewView, VerdictView
from tests.unit.clients.cli.samples import NOW, PERMISSION, PLAN, PULL, QUESTION, VISUAL, ago

PLAIN = Terminal(columns=100)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


# --- what waits -------------------------------------------------------------------------------------


def test_reviews_are_a_table_with_the_exact_command() -> None:
    found = (PERMISSION, evolve(PLAN, status="rejected", decided_by="ada", reason="no"))
    assert table(ReviewList(found, 2), NOW, PLAIN) == (
        "  REVIEW  TICKET  KIND        SINCE  WHAT\n"
        "◆     32  ENG-19  permission   20 s  rm -rf build ls\n"
        "✗     31  ENG-12  plan        4 min  rejected by ada: Rate limits"
    )


def test_nothing_to_decide_is_said_calmly() -> None:
    assert table(ReviewList((), 0), NOW, PLAIN) == "Nothing waits for your decision."


PAGES = [
    (
        PLAN,
        """\
◈ plan 31 · ENG-12 · waits 4 min
  Rate limits
  asked by    ENG-12~1 in step plan, run 1
  asked at    14:02, 24 Nov
  plan file   docs/plan.md

# Rate limits

1. Middleware\N{REPLACEMENT CHARACTER}[2J in api/limits.py

  Approve: operator approve ENG-12 --review 31
  Reject:  operator reject ENG-12 --review 31 -m "WHY\"""",
    ),
    (
        PERMISSION,
        """\
◆ permission 32 · ENG-19 · waits 20 s
  It wants to use Bash: rm -rf build
  asked by    ENG-19~2 in step plan, run 1
  asked at    14:06, 24 Nov
  tool        Bash
  command     rm -rf build
              ls

  description:
    Clean \N{REPLACEMENT CHARACTER}[2Jup

  Approve: operator approve ENG-19 --review 32
  Reject:  operator reject ENG-19 --review 32 -m "WHY\"""",
    ),
    (
        QUESTION,
        """\
◆ question 33 · ENG-19 · waits 20 s
  Which database?
  asked by    ENG-19~2 in step plan, run 1
  asked at    14:06, 24 Nov

Which database?
  1  Postgres  as now
  2  SQLite

  Answer:  operator answer ENG-19 --review 33 ANSWER
  Reject:  operator reject ENG-19 --review 33 -m "WHY\"""",
    ),
    (
        VISUAL,
        """\
◈ visual 34 · ENG-12 · waits 4 min
  look at shots/login.png, http://[::1]:8000/
  asked by    ENG-12~1 in step plan, run 1
  asked at    14:02, 24 Nov

  shots/login.png  image/png  42 kB  http://127.0.0.1:7008/api/v1/reviews/34/x.png
  page.html        text/html   61 B  http://[::1]:8000/

  Approve: operator approve ENG-12 --review 34
  Reject:  operator reject ENG-12 --review 34 -m "WHY\"""",
    ),
    (
        evolve(PULL, status="approved", decided_by="ada", decided_at=ago(minutes=1), waited=180.0),
        """\
✓ pr 35 · ENG-12 · approved by ada after 3 min
  2 commits, http://[::1]/pull/3
  asked by    ENG-12~1 in step plan, run 1
  asked at    14:02, 24 Nov
  decided at  14:05, 24 Nov
  branch      operator/ENG-12, 2 commits
  url         http://[::1]/pull/3

 api/limits.py | 40 +++
 1 file changed""",
    ),
]


@pytest.mark.parametrize(("review", "page"), PAGES, ids=[each.kind for each, _ in PAGES])
def test_a_page_has_all_that_a_decision_needs(review: ReviewView, page: str) -> None:
    assert page_of(review, NOW, PLAIN) == page


def test_a_terminal_without_signs_says_the_same() -> None:
    for review, _ in PAGES:
        assert page_of(review, NOW, Terminal(signs=False, columns=100)).replace("\ufffd", "").isascii()


def test_arguments_that_are_no_json_are_shown_as_they_are() -> None:
    odd = evolve(PERMISSION, command=None, tool_input="{not json")
    assert "\n\n{not json\n\n" in page_of(odd, NOW, PLAIN)


# --- verdicts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivery", "sign"), [("delivered", "✓"), ("pending", "◔"), ("typed", "◔"), ("refused", "?"), ("unknown", "?")]
)
def test_a_verdict_says_how_far_it_came(delivery: str, sign: str) -> None:
    view = VerdictView("ENG-12~1", 31, "approved", delivery, "The plan of ENG-12 is approved.")
    assert told(view, PLAIN) == f"{sign} The plan of ENG-12 is approved. · review 31"


def test_a_draft_shows_what_is_rejected_and_is_no_reason() -> None:
    text = draft(PLAN, NOW)
    assert "# 1. Middleware" in text
    assert reason_in(text) == ""


@pytest.mark.parametrize("reason", ["no", "# Heading\n\n- one\n\n    indented", "ünïcode 漢字", "  kept  "])
def test_a_reason_is_kept_letter_for_letter(reason: str) -> None:
    assert reason_in(f"{reason}\n\n{SCISSORS}\n# anything\n") == reason
    assert reason_in(reason) == reason


ONE = QUESTION.questions[0]
SEVERAL = evolve(ONE, multiple=True)


@pytest.mark.parametrize(
    ("question", "words", "answer"),
    [
        (ONE, "2", "SQLite"),
        (ONE, " postgres ", "Postgres"),
        (ONE, "Postgres", "Postgres"),
        (ONE, "3", "3"),
        (ONE, "0", "0"),
        (ONE, "1,2", "1,2"),
        (ONE, "neither, ask Ada", "neither, ask Ada"),
        (SEVERAL, "1, 2", "Postgres, SQLite"),
        (SEVERAL, "sqlite", "SQLite"),
        (SEVERAL, "1, mine", "1, mine"),
        (evolve(ONE, options=(OptionView("2", ""), OptionView("3", ""))), "2", "2"),
        (evolve(ONE, options=()), "1", "1"),
    ],
)
def test_what_an_answer_means(question: QuestionView, words: str, answer: str) -> None:
    assert meant(question, words) == answer


BOTH = evolve(QUESTION, questions=(ONE, QuestionView("Why?", "", (), False)))


def test_answers_are_for_the_questions_that_are_asked() -> None:
    assert given(QUESTION, "1", []) == {"Which database?": "Postgres"}
    assert given(BOTH, None, [(2, "1"), (1, "2")]) == {"Why?": "1", "Which database?": "SQLite"}


@pytest.mark.parametrize(
    ("review", "answer", "numbered"), [(BOTH, "1", []), (QUESTION, "1", [(1, "2")]), (BOTH, None, [(3, "1")])]
)
def test_answers_that_fit_no_question_are_wrong_usage(
    review: ReviewView, answer: str | None, numbered: list[tuple[int, str]]
) -> None:
    with pytest.raises(CliError) as caught:
        given(review, answer, numbered)
    assert caught.value.exit_code == 2


def test_several_questions_are_answered_by_number() -> None:
    page = page_of(BOTH, NOW, PLAIN)
    assert "1. Which database?" in page
    assert "operator answer ENG-19 --review 33 --question 1 ANSWER --question 2 ANSWER" in page
