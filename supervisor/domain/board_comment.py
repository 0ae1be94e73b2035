"""Operator's one comment on a board's record: where the work on it stands. Pure.

What agents and people wrote stands in code blocks: so it names nobody, links nothing and loads nothing there. Of
what agents ask on the way (permissions, questions) nothing is told, for commands and answers may hold secrets.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import Progress
from supervisor.domain.review import Approved, Changes, Pending, PlanText, Rejected, Review, ReviewKind
from supervisor.domain.review_views import LOOKED_AT
from supervisor.domain.ticket import (
    HELD_BY_AGENT,
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Running,
    Ticket,
)

LIMIT = 30_000
"""Bytes of UTF-8: what every board keeps."""
_REASON = 2_000
_VERDICTS = 10
_PLAN_LEAST = 500
_CUT = "\n(cut)"
_LONGEST = "`" * 8
_FENCES = re.compile("`{9,}")
_SECRETS = re.compile(
    r"lin_(?:api|oauth)_\w{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|ATATT[\w=-]{16,}|xox[abprs]-[\w-]{8,}"
    r"|sk-[\w-]{16,}|AKIA[0-9A-Z]{12,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
"""Texts in the forms of well-known tokens and keys."""
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def has_news(ticket: Ticket, reviews: Sequence[Review]) -> bool:
    """Whether there is anything to tell that the record's own state does not."""
    return bool(reviews) or not isinstance(ticket.status, Queued | Launching)


def comment(ticket: Ticket, kind: IssueType | None, progress: Progress | None, reviews: Sequence[Review]) -> str:
    """The whole text, in Markdown. `reviews` are all of the ticket's; `progress` is its agent's."""
    shown = sorted((each for each in reviews if each.kind in LOOKED_AT), key=lambda each: each.id)
    head = [f"**Operator**: {_standing(ticket, shown)}", ""]
    head += [f"* Steps: {steps}" for steps in (_steps(ticket, kind, progress),) if steps]
    head += [f"* Branch: {_code(ticket.branch)}"] if ticket.branch else []
    pull = pull_request(shown)
    head += [f"* Pull request: {pull}"] if pull else []
    verdicts = [_verdict(each) for each in shown if not isinstance(each.decision, Pending)]
    verdicts = [each for each in verdicts if each][-_VERDICTS:]
    text = "\n".join(head) + ("\n\nDecided:\n\n" + "\n".join(verdicts) if verdicts else "")
    text = _bounded(text, LIMIT)
    plan = next((each.subject.text for each in reversed(shown) if isinstance(each.subject, PlanText)), "")
    room = LIMIT - len(text.encode()) - 200
    if plan.strip() and room >= _PLAN_LEAST:
        text += f"\n\nThe plan:\n\n{_block(_bounded(_harmless(plan), room))}"
    return text.rstrip() + "\n"


def pull_request(reviews: Sequence[Review]) -> str | None:
    """The address of the newest pull request among reviews."""
    urls = {each.id: each.subject.url for each in reviews if isinstance(each.subject, Changes) and each.subject.url}
    return urls[max(urls)] if urls else None


def _standing(ticket: Ticket, reviews: Sequence[Review]) -> str:
    waits = next((each for each in reviews if each.pending), None)
    if waits is not None and (isinstance(ticket.status, HELD_BY_AGENT) or _in_review(ticket)):
        return f"{_WAITS[waits.kind]} a verdict (`operator review show {waits.id}`)."
    match ticket.status:
        case Queued():
            return "it waits for an agent."
        case Parked():
            return f"it waits: {_code(ticket.reason or '')}."
        case Launching() | Running():
            return "an agent works on it."
        case Done(no_changes=no_changes):
            return "it is done, without a change." if no_changes else "it is done."
        case Failed():
            return f"no attempt succeeded: {_code(ticket.reason or '')}."
        case Cancelled():
            return f"the work on it was given up: {_code(ticket.reason or '')}."
        case never:
            assert_never(never)


_WAITS = {
    ReviewKind.PLAN: "its plan waits for",
    ReviewKind.VISUAL: "what it shows waits for",
    ReviewKind.PR: "its branch waits for",
}


def _in_review(ticket: Ticket) -> bool:
    return isinstance(ticket.status, Parked) and ticket.status.reason is ParkReason.REVIEW


def _steps(ticket: Ticket, kind: IssueType | None, progress: Progress | None) -> str:
    if kind is None or len(kind.steps) < 2:
        return ""
    done = isinstance(ticket.status, Done)
    held = isinstance(ticket.status, HELD_BY_AGENT) and progress is not None
    now = progress.step if held and progress is not None else ticket.resume.step
    words = []
    for index, step in enumerate(kind.steps):
        name = _code(step.name)
        words.append(f"{name} ✓" if done or index < now else f"**{name}**" if index == now else name)
    return " → ".join(words)


def _verdict(review: Review) -> str:
    match review.decision:
        case Approved(at=at, by=by):
            return f"* {review.kind}: approved by {_code(by)}, {_time(at)}"
        case Rejected(at=at, by=by, reason=reason):
            block = _block(_bounded(_harmless(reason), _REASON)).replace("\n", "\n  ")
            return f"* {review.kind}: rejected by {_code(by)}, {_time(at)}\n\n  {block}\n"
        case _:
            return ""


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _code(text: str) -> str:
    """A few words, in which nothing means anything to a board."""
    plain = " ".join(_harmless(text).replace("`", "'").split())[:300]
    return f"`{plain}`" if plain else "–"


def _block(text: str) -> str:
    text = _FENCES.sub(_LONGEST, text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.strip()}\n{fence}"


def _harmless(text: str) -> str:
    return _UNSEEN.sub("", _SECRETS.sub("[secret]", text.replace("\r\n", "\n")))


def _bounded(text: str, limit: int) -> str:
    data = text.encode()
    return text if len(data) <= limit else data[: limit - len(_CUT)].decode("utf-8", "ignore") + _CUT
