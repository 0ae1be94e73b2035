"""`operator review`: what people are to decide. The verdicts themselves are in `verdicts.py`."""

import shlex
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

from attrs import evolve
from cyclopts import App, Parameter

from clients.cli import marks
from clients.cli.asked import other_arguments
from clients.cli.options import COMMON, CliError, Common, ask, find, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean, clean_lines, columns_of, pad
from clients.cli.times import clock, date, since, size
from supervisor.domain.durations import human
from supervisor.domain.views import ArtifactView, QuestionView, ReviewList, ReviewView

app = App(name="review", help="See what waits for your decision, and what was decided.")

Number = Annotated[int, Parameter(name=["REVIEW"], help="Its number.")]
_COLUMNS = ("REVIEW", "TICKET", "KIND", "SINCE", "WHAT")


@app.command(name="list", sort_key=1)
def list_reviews(
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="Those that were decided, too.")
    ] = False,
    status: Annotated[
        Literal["pending", "approved", "rejected", "answered", "superseded"] | None,
        Parameter(help="Only these; without it, those that are pending."),
    ] = None,
    ticket: Annotated[str | None, Parameter(help="Only those of this ticket.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 100,
    common: Common = COMMON,
) -> None:
    """List what waits for your decision.

    For example: operator review list --all --ticket ENG-12
    """
    wanted = status or (None if all_ else "pending")
    found = ask(common, lambda client: client.reviews(wanted, ticket, limit))
    show(common, found, lambda out: table(found, datetime.now(UTC), out))


@app.command(name="show", sort_key=2)
def show_review(number: Number, /, *, common: Common = COMMON) -> None:
    """Show what is to be decided, with the commands that decide it.

    A plan comes as text, a permission with the exact command, a question with its options,
    what was made with addresses, finished work with its branch and what changed.

    For example: operator review show 31
    """
    review = ask(common, lambda client: client.review(number))
    if common.json:
        show(common, review, lambda _: "")
        return
    base = f"{find(common).url}/api/v1"
    served = tuple(evolve(each, url=_address(each, base)) for each in review.artifacts)
    show(common, review, lambda out: page_of(evolve(review, artifacts=served), datetime.now(UTC), out))


@app.command(sort_key=3)
def artifact(
    number: Number,
    name: Annotated[str, Parameter(name=["NAME"], help="Its name, as `operator review show` prints it.")],
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Print a file that a review is about, byte for byte.

    For example: operator review artifact 31 shots/login.png > login.png
    """
    if common.json:
        raise CliError("A file is bytes, which JSON has not.", "operator review show REVIEW --json has its facts.", 2)
    content = ask(common, lambda client: client.artifact(number, name))
    if sys.stdout.isatty():
        try:
            print(clean_lines(content.decode("utf-8")).rstrip("\n"))
        except UnicodeDecodeError:
            save = f"operator review artifact {number} {shlex.quote(clean(name))} > FILE"
            raise CliError("This is no text, and would only upset the terminal.", f"Save it: {save}") from None
        return
    sys.stdout.buffer.write(content)


def _address(artifact: ArtifactView, base: str) -> str | None:
    return f"{base}{artifact.url}" if artifact.url is not None and artifact.url.startswith("/") else artifact.url


def mark_of(review: ReviewView) -> marks.Mark:
    """The mark of what waits, and of how it was decided."""
    return marks.of_review(review.kind) if review.status == "pending" else marks.VERDICTS.get(review.status, marks.NONE)


def table(found: ReviewList, now: datetime, out: Terminal) -> str:
    """Reviews, one a line."""
    if not found.reviews:
        return "Nothing waits for your decision."
    rows = [list(_COLUMNS), *(_cells(each, now) for each in found.reviews)]
    lines = []
    for number, cells in enumerate(columns_of(rows, out.columns - 2, out.more, right=(0, 3))):
        text = "  ".join(cells).rstrip()
        sign = out.mark(mark_of(found.reviews[number - 1])) if number else " "
        lines.append(f"{sign} {text if number else out.paint('muted', text)}")
    return "\n".join(lines)


def _cells(review: ReviewView, now: datetime) -> list[str]:
    what = clean(review.command or review.title)
    decided = "" if review.status == "pending" else f"{_outcome(review)}: "
    return [str(review.id), review.ticket_id, review.kind, since(review.opened_at, now), f"{decided}{what}"]


def _outcome(review: ReviewView) -> str:
    """`approved by ada`; of one that need not be decided any more, why."""
    return f"{review.status}{' by' if review.status != 'superseded' else ','} {clean(review.decided_by or 'nobody')}"


def page_of(review: ReviewView, now: datetime, out: Terminal) -> str:
    """All that is known for a decision, and how to make it."""
    parts = [_head(review, now, out), *_body(review, out)]
    if review.status == "pending":
        parts.append("\n".join(f"  {pad(word, 9)}{command}" for word, command in _commands(review)))
    return "\n\n".join(part for part in parts if part)


def _head(review: ReviewView, now: datetime, out: Terminal) -> str:
    name = out.paint("strong", f"{review.kind} {review.id}")
    pending = review.status == "pending"
    how_long = (
        f"waits {human(round(review.waited))}" if pending else f"{_outcome(review)} after {human(round(review.waited))}"
    )
    facts = (
        ("asked by", f"{review.agent_id} in step {review.step}, run {review.run}"),
        ("asked at", _moment(review.opened_at, now)),
        ("decided at", _moment(review.decided_at, now) if review.decided_at else ""),
        ("reason", review.reason or ""),
        *(("answer", f"{question}: {answer}") for question, answer in review.answers.items()),
        ("tool", review.tool if review.kind == "permission" and review.tool else ""),
        ("command", review.command or ""),
        ("plan file", review.plan_path or ""),
        ("branch", f"{review.branch}, {_commits(review.commits)}" if review.branch else ""),
        ("url", review.url or ""),
        ("note", review.note or ""),
    )
    lines = [f"{out.mark(mark_of(review))} {out.facts(name, review.ticket_id, how_long)}", f"  {clean(review.title)}"]
    for label, text in facts:
        first, *more = clean_lines(text).split("\n")
        lines += [f"  {pad(label, 12)}{first}", *(f"  {pad('', 12)}{line}" for line in more)] if text else []
    return "\n".join(lines)


def _moment(at: datetime, now: datetime) -> str:
    return f"{clock(at)}, {date(at, now)}"


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"


def _body(review: ReviewView, out: Terminal) -> list[str]:
    """What is looked at: only what there is of it."""
    parts = [_other_arguments(review)]
    if review.plan is not None:
        parts.append(clean_lines(review.plan).strip("\n"))
    numbered = len(review.questions) > 1
    parts += [question_of(each, out, number if numbered else None) for number, each in enumerate(review.questions, 1)]
    if review.artifacts:
        rows = [[clean(each.name), each.media, size(each.size), clean(each.url or "")] for each in review.artifacts]
        lines = ["  " + "  ".join(cells).rstrip() for cells in columns_of(rows, 10_000, out.more, right=(2,))]
        parts.append("\n".join(lines))
    if review.stat:
        parts.append(clean_lines(review.stat).strip("\n"))
    return parts


def _other_arguments(review: ReviewView) -> str:
    """What else a tool is to be given: a file's new text, say."""
    lines = []
    for name, text in other_arguments(review):
        lines += [f"  {clean(name)}:"] if name else []
        lines += [f"    {line}" if name else line for line in clean_lines(text).rstrip("\n").split("\n")]
    return "\n".join(lines)


def question_of(question: QuestionView, out: Terminal, number: int | None = None) -> str:
    """A question with its options, numbered."""
    several = " (several may be chosen: 1,2)" if question.multiple else ""
    begin = f"{number}. " if number is not None else ""
    lines = [out.paint("strong", f"{begin}{clean_lines(question.text)}") + several]
    names = [clean(each.label) for each in question.options]
    rows = [
        [f"{n}", name, clean(each.description)]
        for n, (name, each) in enumerate(zip(names, question.options, strict=True), 1)
    ]
    lines += [f"  {'  '.join(cells).rstrip()}" for cells in columns_of(rows, out.columns - 2, out.more, right=(0,))]
    return "\n".join(lines)


def _commands(review: ReviewView) -> list[tuple[str, str]]:
    named = f"{review.ticket_id} --review {review.id}"
    reject = ("Reject:", f'operator reject {named} -m "WHY"')
    if review.kind == "question":
        answers = " ".join(f"--question {n} ANSWER" for n in range(1, len(review.questions) + 1))
        return [("Answer:", f"operator answer {named} {answers if len(review.questions) > 1 else 'ANSWER'}"), reject]
    return [("Approve:", f"operator approve {named}"), reject]
