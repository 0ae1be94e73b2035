"""From reviews to what clients see of them. Pure; nothing here is stored."""

import json
import shlex
from collections.abc import Iterable
from datetime import datetime
from typing import assert_never
from urllib.parse import quote

from supervisor.domain.ids import ReviewId
from supervisor.domain.permissions import COMMANDS, PATHS, URLS
from supervisor.domain.review import (
    Answered,
    Approved,
    Artifact,
    Changes,
    Pending,
    Permission,
    PlanText,
    Question,
    Questions,
    Rejected,
    Review,
    ReviewKind,
    Superseded,
    Visuals,
    request_of,
    waited,
)
from supervisor.domain.views import ArtifactView, DeliveryView, OptionView, QuestionView, ReviewView, VerdictView

LOOKED_AT = (ReviewKind.PLAN, ReviewKind.VISUAL, ReviewKind.PR)
"""Kinds of reviews whose agent is `awaiting_review`; the others are a word that it waits for."""

_BY_KEYS = (
    "Its hook does not wait any more: a verdict is given by keys at the agent's dialog, "
    "if that is certainly still on its screen."
)


def owed(reviews: Iterable[Review], gone: bool) -> Review | None:
    """The review that is to be decided first: what an agent's dialog asks, then the oldest.

    `gone`: the agent can be answered no more, but what it left at a step's end can be decided.
    """
    pending = (each for each in reviews if each.pending and not (gone and each.by_hook))
    return min(pending, key=lambda each: (not each.by_hook, each.id), default=None)


def owed_sentence(review: Review) -> str:
    """What a person owes, as a sentence."""
    match review.kind:
        case ReviewKind.PLAN:
            return f"its plan waits for a verdict (review {review.id})"
        case ReviewKind.VISUAL:
            return f"what it made waits to be looked at (review {review.id})"
        case ReviewKind.PR:
            return f"its changes wait for a verdict (review {review.id})"
        case ReviewKind.PERMISSION | ReviewKind.QUESTION:
            return review.title
        case never:
            assert_never(never)


def review_view(review: Review, now: datetime, held: bool) -> ReviewView:
    """`held`: a hook waits for its verdict right now."""
    plan, changes = _plan(review), _changes(review)
    request = request_of(review.subject)
    at, by, reason, answers = _decided(review)
    return ReviewView(
        id=review.id,
        kind=review.kind,
        status=review.status,
        ticket_id=review.ticket_id,
        agent_id=review.agent_id,
        step=review.step,
        run=review.run,
        title=review.title,
        opened_at=review.opened_at,
        waited=waited(review, now),
        decided_at=at,
        decided_by=by,
        reason=reason,
        answers=answers,
        by_hook=review.by_hook,
        held=held,
        told=review.told,
        plan=plan.text if plan is not None else None,
        plan_path=plan.path if plan is not None else None,
        tool=request.tool if request is not None else None,
        tool_input=request.input if request is not None else None,
        command=exactly(review),
        questions=tuple(map(_question, review.subject.questions)) if isinstance(review.subject, Questions) else (),
        artifacts=tuple(_artifact(review.id, each) for each in artifacts_of(review)),
        branch=changes.branch if changes is not None else None,
        commits=changes.commits if changes is not None else 0,
        stat=changes.stat if changes is not None else None,
        url=changes.url if changes is not None else None,
        note=_note(review, held),
    )


def _plan(review: Review) -> PlanText | None:
    return review.subject if isinstance(review.subject, PlanText) else None


def _changes(review: Review) -> Changes | None:
    return review.subject if isinstance(review.subject, Changes) else None


def artifacts_of(review: Review) -> tuple[Artifact, ...]:
    """The files and pages that it is about."""
    return review.subject.artifacts if isinstance(review.subject, Visuals) else ()


def _decided(review: Review) -> tuple[datetime | None, str | None, str | None, dict[str, str]]:
    """When it was decided, by whom, why it was rejected, and what was answered."""
    match review.decision:
        case Pending():
            return None, None, None, {}
        case Approved(at=at, by=by):
            return at, by, None, {}
        case Rejected(at=at, by=by, reason=reason):
            return at, by, reason, {}
        case Answered(at=at, by=by, answers=answers):
            return at, by, None, dict(answers)
        case Superseded(at=at, why=why):
            return at, why, None, {}
        case never:
            assert_never(never)


def exactly(review: Review) -> str | None:
    """What exactly a permission is asked for: the command, path or address among the tool's arguments."""
    if not isinstance(review.subject, Permission):
        return None
    try:
        given = json.loads(review.subject.request.input)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    return next((text for name in (*COMMANDS, *PATHS, *URLS) if (text := _words(given.get(name)))), None)


def _words(value: object) -> str | None:
    """A command may also be a list of words."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return shlex.join(value)
    return None


def _question(asked: Question) -> QuestionView:
    options = tuple(OptionView(each.label, each.description) for each in asked.options)
    return QuestionView(asked.text, asked.header, options, asked.multiple)


def _artifact(review_id: ReviewId, artifact: Artifact) -> ArtifactView:
    served = f"/reviews/{review_id}/artifacts/{quote(artifact.name, errors='surrogatepass')}"
    return ArtifactView(artifact.name, artifact.media, artifact.size, artifact.url or served)


def _note(review: Review, held: bool) -> str | None:
    if review.pending and review.by_hook and not held:
        return _BY_KEYS
    changes = _changes(review)
    return changes.note or None if changes is not None else None


def verdict_view(review: Review, delivery: DeliveryView | None) -> VerdictView:
    """What a verdict has come to. `delivery`: what is known of the text that carries it, if one does."""
    if review.delivery_id is None:
        word = "delivered" if review.told else "pending"
    else:
        word = "pending" if delivery is None else delivery.delivery
    why = f" ({delivery.reason})" if delivery is not None and delivery.reason else ""
    message = f"{_said(review)}{_CARRIED.get(word, _CARRIED['unknown'])}{why}"
    return VerdictView(review.agent_id, review.id, review.status, word, message)


_CARRIED = {
    "delivered": "",
    "typed": " It is typed into the agent's terminal; nothing proves yet that the agent took it.",
    "pending": " That is stored, and acts as soon as the agent can take it.",
    "refused": " But the agent's terminal took no text: the agent does not know yet.",
    "unknown": " Whether the agent knows is uncertain: look at its terminal.",
}


def _said(review: Review) -> str:
    """What was decided, in a sentence."""
    who = review.ticket_id
    match review.kind:
        case ReviewKind.QUESTION:
            return f"The question of {who} is answered." if review.status == "answered" else f"{who} gets no answer."
        case ReviewKind.PERMISSION:
            may = "may" if review.status == "approved" else "may not"
            return f"{who} {may} go on with: {exactly(review) or review.title}"
        case ReviewKind.PLAN | ReviewKind.VISUAL | ReviewKind.PR:
            return f"The {_MADE[review.kind]} of {who} is {review.status}."
        case never:
            assert_never(never)


_MADE = {ReviewKind.PLAN: "plan", ReviewKind.VISUAL: "result", ReviewKind.PR: "work"}
