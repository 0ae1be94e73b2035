"""`operator approve`, `reject` and `answer`: a person decides."""

import sys
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from clients.api.client import Client
from clients.cli import marks
from clients.cli.asked import meant
from clients.cli.editor import edited, has_editor
from clients.cli.options import COMMON, USAGE, CliError, Common, ask, read_text, show
from clients.cli.review import page_of, question_of
from clients.cli.terminal import Terminal, terminal
from clients.cli.text import clean
from supervisor.domain.views import ReviewView, VerdictView

Target = Annotated[str, Parameter(name=["TARGET"], help="A ticket or an agent.")]
Which = Annotated[
    int | None, Parameter(name="--review", show_default=False, help="The review's number; needed if several wait.")
]
SCISSORS = "# ------------------------ >8 ------------------------"
"""From this line on a draft is explanation."""


def approve(target: Target, /, *, review: Which = None, common: Common = COMMON) -> None:
    """Approve what an agent waits for: a plan, a permission, what it made, or its finished work.

    What it waits for is shown by: operator review list

    For example: operator approve ENG-12
    """
    view = ask(common, lambda client: client.approve(target, review))
    show(common, view, lambda out: told(view, out))


def reject(
    target: Target,
    /,
    *,
    reason: Annotated[
        str | None,
        Parameter(
            name=["-m", "--message"],
            allow_leading_hyphen=True,
            help="Why; - reads standard input, @FILE a file. Without it, $EDITOR opens.",
        ),
    ] = None,
    review: Which = None,
    common: Common = COMMON,
) -> None:
    """Reject what an agent waits for. The agent is told why, letter for letter, and goes on with that in mind.

    For example: operator reject ENG-12 -m "Use the existing middleware."
    """
    number = review
    if reason is None:
        if not has_editor() and not sys.stdin.isatty():
            raise CliError("A rejection needs a reason.", "Say it with -m REASON, or pipe it into: -m -", USAGE)
        owed = ask(common, lambda client: owed_by(client, target, review))
        number, words = owed.id, reason_in(edited(draft(owed, datetime.now(UTC)), f"reject-{owed.id}.md"))
    else:
        words = read_text(reason)
    if not words.strip():
        raise CliError("Nothing was rejected: there is no reason.", "Say it with -m REASON, or write it in the editor.")
    view = ask(common, lambda client: client.reject(target, words, number))
    show(common, view, lambda out: told(view, out))


def answer(
    target: Target,
    answer: Annotated[
        str | None,
        Parameter(name=["ANSWER"], allow_leading_hyphen=True, help="An option's number or label, or your own words."),
    ] = None,
    /,
    *,
    question: Annotated[
        list[tuple[int, str]] | None,
        Parameter(name="--question", negative="", help="N ANSWER: to the question of this number; once for each."),
    ] = None,
    review: Which = None,
    common: Common = COMMON,
) -> None:
    """Answer an agent's question. Without an answer, it is asked here.

    For example: operator answer ENG-19 2
    """
    owed = ask(common, lambda client: owed_by(client, target, review))
    if owed.kind != "question":
        hint = f"operator review show {owed.id}"
        raise CliError(f"Review {owed.id} is a {owed.kind}: it is approved or rejected, not answered.", hint)
    if owed.status != "pending":
        answers: dict[str, str] = {}  # the daemon says who was first
    elif answer is not None or question:
        answers = given(owed, answer, question or [])
    else:
        answers = asked(owed)
    view = ask(common, lambda client: client.answer(target, answers, owed.id))
    show(common, view, lambda out: told(view, out))


async def owed_by(client: Client, target: str, number: int | None) -> ReviewView:
    """The review that a verdict would decide. Raises CliError where none or several wait."""
    if number is not None:
        return await client.review(number)
    pending = (await client.reviews("pending", limit=1000)).reviews
    found = sorted((each for each in pending if target in (each.ticket_id, each.agent_id)), key=lambda each: each.id)
    if not found:
        raise CliError(f"Nothing of {target} waits for a verdict.", "What does: operator review list")
    if len(found) > 1:
        numbers = ", ".join(str(each.id) for each in found)
        raise CliError(f"{target} has several pending reviews: {numbers}.", f"Name one: --review {found[0].id}")
    return found[0]


# --- a reason ---------------------------------------------------------------------------------------


def draft(review: ReviewView, now: datetime) -> str:
    """What an editor opens with: room for the reason, then what it is about."""
    about = page_of(review, now, Terminal()).split("\n")
    lines = [
        f"Why review {review.id} of {review.ticket_id} is rejected stands above the line before this one.",
        "The agent is told it letter for letter. What follows here it is not told.",
        "Without a reason nothing is rejected.",
        "",
        *about,
    ]
    return "\n".join(["", "", SCISSORS, *(f"# {line}".rstrip() for line in lines), ""])


def reason_in(text: str) -> str:
    """The reason in a draft: headings and all, but not the empty lines around it."""
    return text.partition(SCISSORS)[0].strip("\r\n")


# --- answers ----------------------------------------------------------------------------------------


def given(review: ReviewView, answer: str | None, numbered: list[tuple[int, str]]) -> dict[str, str]:
    """Answers by the questions' texts, from the command line. Raises CliError where they do not fit the questions."""
    questions = review.questions
    if answer is not None:
        if numbered or len(questions) != 1:
            count = f"It asks {len(questions)} questions" if len(questions) != 1 else "The answer is given twice"
            raise CliError(f"{count}.", f"operator review show {review.id}; answer with --question N ANSWER", USAGE)
        numbered = [(1, answer)]
    found: dict[str, str] = {}
    for number, text in numbered:
        if not 1 <= number <= len(questions):
            raise CliError(f"There is no question {number}.", f"operator review show {review.id}", USAGE)
        asked_one = questions[number - 1]
        found[asked_one.text] = meant(asked_one, text)
    return found


def asked(review: ReviewView) -> dict[str, str]:
    """Answers by the questions' texts, asked here, on standard error. Raises CliError where nobody answers."""
    if not sys.stdin.isatty():
        raise CliError("An answer is needed.", f"operator review show {review.id} says what is asked.", USAGE)
    out, found = terminal(sys.stderr), {}
    for number, question in enumerate(review.questions, 1):
        print(question_of(question, out, number if len(review.questions) > 1 else None), file=sys.stderr)
        choice = "A number, or your own words: " if question.options else "Your answer: "
        print(choice, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            raise CliError("Nothing was answered.", f"The question stays open: operator review show {review.id}")
        found[question.text] = meant(question, line)
    return found


def told(view: VerdictView, out: Terminal) -> str:
    """What a verdict has come to, and nothing more than is known."""
    sign = marks.VERDICTS.get(view.status, marks.NONE)
    if view.delivery in ("pending", "typed"):
        sign = marks.STARTING
    elif view.delivery != "delivered":
        sign = marks.LOST
    return f"{out.mark(sign)} {out.facts(clean(view.message), f'review {view.review_id}')}"
