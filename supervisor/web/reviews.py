"""Reviews: what people are to decide, and what agents left to be looked at. Verdicts are given in `agents.py`."""

import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from attrs import field, frozen, validators

from supervisor.domain.errors import NotFound, WorkspaceError
from supervisor.domain.ids import ReviewId
from supervisor.domain.review import Artifact, Review
from supervisor.domain.review_views import artifacts_of
from supervisor.domain.views import ReviewList, ReviewView
from supervisor.web.glue import Raw, Refused, Routes
from supervisor.web.house import House
from supervisor.web.looks import review_now
from supervisor.web.problems import Refusal, problem

routes = Routes("reviews")

ARTIFACT_LIMIT = 32 * 1024 * 1024
"""Bytes of an artifact that is served."""
POLICY = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""An artifact is an agent's: no script of it runs, it is of no origin, and it fetches nothing."""

_short: Any = validators.max_len(200)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_IMAGES = frozenset(f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif", "bmp", "svg+xml"))
_MEDIA = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}", re.ASCII)


class Status(StrEnum):
    """What became of a review."""

    ALL = "all"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    SUPERSEDED = "superseded"


@frozen
class Which:
    """Which reviews: of one state, or of one ticket."""

    status: Status = Status.ALL
    ticket: str | None = field(default=None, validator=validators.optional(_short))
    limit: int = field(default=100, validator=[validators.ge(1), validators.le(1000)])


@routes.get("/reviews")
async def find(house: House, query: Which) -> ReviewList:
    """Reviews, newest first."""
    status = None if query.status is Status.ALL else str(query.status)
    found = await house.review.listed(status, query.ticket, query.limit)
    return ReviewList(tuple(review_now(house, each) for each in found), len(found))


@routes.get("/reviews/{review}")
async def show(house: House, review: str) -> ReviewView:
    """One review with all that it is about."""
    return review_now(house, await _named(house, review))


@routes.get(
    "/reviews/{review}/artifacts/{name}",
    media="*/*",
    deep=("name",),
    failures=(HTTPStatus.REQUEST_ENTITY_TOO_LARGE,),
    headers={"Content-Disposition": "Whether it is shown or saved.", "Content-Security-Policy": "What it may do."},
)
async def artifact(house: House, review: str, name: str) -> Raw:
    """A file that the review is about, as it is in the agent's worktree now."""
    found = await _named(house, review)
    wanted = next((each for each in artifacts_of(found) if each.name == name), None)
    if wanted is None:
        raise NotFound(f"review {found.id} has no such artifact", hint=f"operator review show {found.id}")
    if wanted.size > ARTIFACT_LIMIT:
        raise Refused(_too_large(found, wanted))
    try:
        content = await house.fleet.artifact(found.agent_id, wanted.name, ARTIFACT_LIMIT)
    except WorkspaceError as error:
        gone = problem(404, "artifact_gone", error.message, hint=error.hint or f"operator attach {found.ticket_id}")
        raise Refused(Refusal(gone)) from None
    media, shown = _served_as(wanted.media)
    disposition = f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{_file_name(wanted.name)}"
    return Raw(content, {"Content-Disposition": disposition, "Content-Security-Policy": POLICY}, media)


async def _named(house: House, text: str) -> Review:
    if not _NUMBER.fullmatch(text):
        raise NotFound("reviews have numbers", hint="`operator review list` shows what is pending")
    return await house.review.find(ReviewId(int(text)))


def _too_large(review: Review, artifact: Artifact) -> Refusal:
    limit = ARTIFACT_LIMIT // 1024 // 1024
    message = f"This artifact has {artifact.size} bytes; at most {limit} MB are served."
    hint = f"It is in the worktree of {review.agent_id}: operator agent show {review.agent_id}"
    return Refusal(problem(413, "artifact_too_large", message, hint=hint))


def _served_as(media: str) -> tuple[str, bool]:
    """How it is announced, and whether a browser shows it: images and text; all else it saves."""
    if media in _IMAGES:
        return media, True
    if media == "text/html":
        return "text/html; charset=utf-8", True
    if media.startswith("text/"):
        return "text/plain; charset=utf-8", True  # whatever it calls itself, it is to be read
    return (media if _MEDIA.fullmatch(media) else "application/octet-stream"), False


def _file_name(name: str) -> str:
    return quote(name.rpartition("/")[2], safe="", errors="surrogatepass")
