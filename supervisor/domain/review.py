"""Reviews: the decisions that people owe, what each is about, and what became of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from attrs import evolve, field, frozen

from supervisor.domain.agent import GONE, Activity, Asking
from supervisor.domain.delivery import pasteable
from supervisor.domain.errors import AlreadyDecided, Ambiguous, Invalid, NoReview, NotFound, StaleReview
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId

REASON_LIMIT = 100_000
"""Characters of a reason or of an answer."""


class ReviewKind(StrEnum):
    """What is decided."""

    PLAN = "plan"
    VISUAL = "visual"
    PERMISSION = "permission"
    QUESTION = "question"
    PR = "pr"


# --- what is asked ----------------------------------------------------------------------------------


@frozen
class Request:
    """What an agent's CLI asks by a hook that waits for the answer, while its own dialog is open."""

    kind: ReviewKind
    """`permission`, `question` or `plan`."""
    tool: str
    input: str
    """The tool's arguments as the CLI gave them: a JSON object."""
    question: str
    """What is asked, in one line of bounded length: what `Asking` says, too."""
    turn: str | None = None


@frozen
class Option:
    label: str
    description: str = ""


@frozen
class Question:
    """One question of an agent's, with the answers it proposes; a person may answer otherwise."""

    text: str
    options: tuple[Option, ...] = ()
    header: str = ""
    multiple: bool = False


@frozen
class Artifact:
    """A file that an agent left in its worktree, or the address of a page that it named."""

    name: str
    """Its path inside the worktree, with slashes."""
    media: str
    """By its content, never by its name."""
    size: int
    """Bytes."""
    url: str | None = None
    """The address, if it is one: http or https."""


@frozen
class PlanText:
    """A plan: from a file that the agent made, or proposed by its CLI's own tool (`request`)."""

    text: str
    path: str | None = None
    request: Request | None = None


@frozen
class Visuals:
    artifacts: tuple[Artifact, ...]


@frozen
class Permission:
    request: Request


@frozen
class Questions:
    request: Request
    questions: tuple[Question, ...]


@frozen
class Changes:
    """What an agent's branch holds, and the pull request that was opened for it, if one was."""

    branch: str | None
    commits: int
    stat: str
    """A diff stat, as git words it."""
    dirty: bool = False
    url: str | None = None
    number: int | None = None
    note: str = ""
    """Why there is no pull request, where one was wanted."""


Subject = PlanText | Visuals | Permission | Questions | Changes


def request_of(subject: Subject) -> Request | None:
    """The hook's request that the review decides; None where a step's end is decided."""
    match subject:
        case PlanText(request=request):
            return request
        case Permission(request=request) | Questions(request=request):
            return request
        case Visuals() | Changes():
            return None
        case never:
            assert_never(never)


# --- what became of it ------------------------------------------------------------------------------


@frozen
class Pending:
    """Nobody has decided yet."""


@frozen
class Approved:
    at: datetime
    by: str


@frozen
class Rejected:
    at: datetime
    by: str
    reason: str


@frozen
class Answered:
    at: datetime
    by: str
    answers: dict[str, str]
    """By the question's text."""


@frozen
class Superseded:
    """It need not be decided any more: answered at the terminal, or its agent or its reason is gone."""

    at: datetime
    why: str


Verdict = Approved | Rejected | Answered
Decision = Pending | Verdict | Superseded


@frozen
class Review:
    """One decision. The review actor alone writes it."""

    id: ReviewId
    kind: ReviewKind
    ticket_id: TicketId
    agent_id: AgentId
    step: str
    """The step's name."""
    run: int
    title: str
    """What is asked, in one line."""
    opened_at: datetime
    subject: Subject
    decision: Decision = field(factory=Pending)
    asked_at: datetime | None = None
    """Since when the agent asks: the review is overtaken when it does not any more, or asks something else."""
    told: bool = False
    """The verdict is where it acts: in the hook's answer, in the agent's terminal, or in the next step."""
    delivery_id: DeliveryId | None = None
    """The text that carries the verdict into the agent's terminal, if one does."""

    @property
    def pending(self) -> bool:
        return isinstance(self.decision, Pending)

    @property
    def by_hook(self) -> bool:
        """Whether it was opened by a hook that waits, not by a step's end."""
        return request_of(self.subject) is not None

    @property
    def status(self) -> str:
        """The decision's name, as it stands on the wire."""
        return type(self.decision).__name__.lower()


def key_of(review_id: ReviewId) -> str:
    """Its key in the store: in the order of keys, reviews are in the order in which they were opened."""
    return f"{review_id:09d}"


def decide(review: Review, verdict: Verdict) -> Review:
    """The review with its one verdict. Raises AlreadyDecided, naming the first one, or Invalid for one that does not
    fit what is asked."""
    match review.decision:
        case Pending():
            pass
        case Approved(at=at, by=by) | Rejected(at=at, by=by) | Answered(at=at, by=by):
            raise AlreadyDecided(
                f"review {review.id} was {review.status} already, by {by}",
                review_id=str(review.id), status=review.status, by=by, at=at.isoformat(),
            )  # fmt: skip
        case Superseded(at=at, why=why):
            raise AlreadyDecided(
                f"review {review.id} need not be decided any more: {why}",
                review_id=str(review.id), status=review.status, by=why, at=at.isoformat(),
            )  # fmt: skip
        case never:
            assert_never(never)
    return evolve(review, decision=_fitting(review, verdict))


def _fitting(review: Review, verdict: Verdict) -> Verdict:
    match verdict:
        case Approved():
            if isinstance(review.subject, Questions):
                raise Invalid(
                    f"review {review.id} asks a question, which is answered, not approved",
                    hint=f"operator answer {review.ticket_id} ANSWER",
                )
            return verdict
        case Rejected(reason=reason):
            return evolve(verdict, reason=_text("reason", reason))
        case Answered(answers=answers):
            if not isinstance(review.subject, Questions):
                raise Invalid(
                    f"review {review.id} is a {review.kind}: it is approved or rejected",
                    hint=f"operator approve {review.ticket_id}",
                )
            return evolve(verdict, answers=_answers(review.subject, answers))
        case never:
            assert_never(never)


def _text(name: str, text: str) -> str:
    if not pasteable(text).strip():
        raise Invalid(f"the {name} is empty", {name: "is empty: say what is to be different"})
    if len(text) > REASON_LIMIT:
        raise Invalid(f"the {name} is too long", {name: f"is longer than {REASON_LIMIT} characters"})
    return text


def _answers(asked: Questions, given: Mapping[str, str]) -> dict[str, str]:
    """By the questions' texts; a number names the question in their order, and `""` the only one."""
    texts = [each.text for each in asked.questions]
    found: dict[str, str] = {}
    for key, answer in given.items():
        name = texts[0] if key == "" and len(texts) == 1 else key
        if name.isdigit() and name not in texts and 1 <= int(name) <= len(texts):
            name = texts[int(name) - 1]
        if name not in texts:
            raise Invalid(f"it asks no such question: {key}", {"answers": f"the questions are: {'; '.join(texts)}"})
        found[name] = _text("answers", answer)
    missing = [text for text in texts if text not in found]
    if missing:
        raise Invalid("not every question is answered", {"answers": f"no answer to: {'; '.join(missing)}"})
    return found


def chosen(reviews: Iterable[Review], agent_id: AgentId, review_id: ReviewId | None, named: Review | None) -> Review:
    """The review that a verdict for an agent means: the one that is named, else the only one that is pending, else
    the newest one: whoever decides at the same time as somebody else is told of the first verdict.

    `reviews` are the agent's, `named` is the one of that id. Raises NotFound, NoReview, StaleReview, Ambiguous; one
    that is decided already is left to `decide`.
    """
    known = sorted(reviews, key=lambda each: each.id)
    pending = [each for each in known if each.pending]
    if review_id is not None:
        if named is None:
            raise NotFound(f"there is no review {review_id}", hint="`operator review list` shows what is pending")
        if named.agent_id != agent_id:
            raise StaleReview(
                f"review {review_id} is one of {named.agent_id}, not of {agent_id}",
                hint=f"operator review show {review_id}", review_id=str(review_id),
            )  # fmt: skip
        return named
    if known and not pending:
        return known[-1]
    if not pending:
        raise NoReview(
            f"no review of {agent_id} is pending: there is nothing to decide",
            hint="`operator review list` shows what is pending",
        )
    if len(pending) > 1:
        numbers = ", ".join(str(each.id) for each in pending)
        raise Ambiguous(f"{agent_id} has several pending reviews: {numbers}", hint="name one with --review")
    return pending[0]


def overtaken(review: Review, activity: Activity) -> str | None:
    """Why a pending review of a hook's need not be decided any more; None while the agent still asks that."""
    if not (review.pending and review.by_hook):
        return None
    match activity.state:
        case Asking(proof=proof):
            return (
                None if review.asked_at is None or proof.since == review.asked_at else "it asks something else by now"
            )
        case state if isinstance(state, GONE):
            return "its agent has ended"
        case _:
            return "it was answered at the terminal"


def waited(review: Review, now: datetime) -> float:
    """Seconds for which it was, or has been, pending."""
    match review.decision:
        case Pending():
            until = now
        case Approved(at=at) | Rejected(at=at) | Answered(at=at) | Superseded(at=at):
            until = at
        case never:
            assert_never(never)
    return max(0.0, (until - review.opened_at).total_seconds())
