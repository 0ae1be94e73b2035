"""One GraphQL exchange with Linear, and what its errors mean."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from attrs import frozen

from supervisor.adapters.kanban.courier import Courier, Reply
from supervisor.adapters.kanban.linear.mapping import one_line
from supervisor.adapters.kanban.pace import WAIT_UNNAMED, board_time, pace_of, retry_after
from supervisor.domain.errors import BoardAuth, BoardError, BoardPayload, BoardStatus

ADDRESS = "https://api.linear.app/graphql"
_OAUTH = re.compile(r"lin_oauth.*|[0-9a-f]{64}")
_AUTH_CODES = ("AUTHENTICATION_ERROR", "FORBIDDEN")


@frozen
class Answer:
    data: Mapping[str, Any]
    broken: Mapping[int, str]
    """What Linear could not give of an issue on the page, by the issue's place."""
    board_now: datetime
    """Linear's clock when it answered."""


class Graph:
    """Raises BoardError's classes."""

    def __init__(self, board: str, base_url: str | None, token: str, clock: Callable[[], datetime]) -> None:
        self._board = board
        self._clock = clock
        self._courier = Courier(
            board, base_url or ADDRESS, {"authorization": _credentials(token.strip())}, limits=limited
        )

    async def ask(self, document: str, variables: Mapping[str, Any]) -> Answer:
        body = {"query": document, "variables": variables}
        reply = await self._courier.send("POST", "", json=body, accept=(HTTPStatus.OK, HTTPStatus.BAD_REQUEST))
        answer = reply.json()
        if not isinstance(answer, dict):
            raise BoardPayload(f"{self._board} answers with JSON that is no GraphQL", hint="look at `base_url`")
        errors, data = _errors(answer), answer.get("data")
        broken = {}
        for error in errors:
            place = _place(error) if isinstance(data, dict) else None
            if place is None:
                raise self._failed(error)
            broken[place] = f"Linear could not give all of it: {_message(error)}"
        if not isinstance(data, dict):
            raise BoardPayload(f"{self._board} answers without data", hint="is `base_url` Linear's GraphQL address?")
        return Answer(data, broken, board_time(reply.headers, self._clock()))

    async def change(self, document: str, variables: Mapping[str, Any]) -> None:
        """A mutation. Raises BoardStatus where Linear says that nothing came of it."""
        answer = await self.ask(document, variables)
        for name, payload in answer.data.items():
            if not isinstance(payload, dict) or payload.get("success") is not True:
                raise BoardStatus(f"{self._board} did not do {name}", hint="it is tried again")

    async def aclose(self) -> None:
        await self._courier.aclose()

    def _failed(self, error: Mapping[str, Any]) -> BoardError:
        said = _message(error)
        if _code(error) in _AUTH_CODES:
            return BoardAuth(
                f"{self._board} does not accept the key: {said}",
                hint="is the key revoked, or may it not write? make one in Linear's settings",
            )
        return BoardStatus(f"{self._board} answers: {said}", hint="it is tried again")


def limited(reply: Reply) -> float | None:
    """The seconds to wait, if the reply is a refusal for rate; Linear says so in a GraphQL error, with HTTP 400."""
    if b"RATELIMITED" not in reply.content:
        return None
    try:
        answer = reply.json()
    except BoardPayload:
        return None
    if not isinstance(answer, dict) or not any(_code(each) == "RATELIMITED" for each in _errors(answer)):
        return None
    now = datetime.now(UTC)
    return retry_after(reply.headers, now) or pace_of(reply.headers, now).blocked or WAIT_UNNAMED


def _credentials(token: str) -> str:
    """An OAuth token goes as a bearer's, a personal key as it is."""
    return f"Bearer {token}" if _OAUTH.fullmatch(token) else token


def _errors(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = answer.get("errors")
    return [each if isinstance(each, dict) else {} for each in errors] if isinstance(errors, list) else []


def _code(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else ""


def _message(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions")
    told = extensions.get("userPresentableMessage") if isinstance(extensions, dict) else None
    message = told or error.get("message")
    return one_line(message)[:200] if isinstance(message, str) and message else "an error without a message"


def _place(error: Mapping[str, Any]) -> int | None:
    """Which issue of a page an error is about; None if it is about more than one."""
    match error.get("path"):
        case ["issues", "nodes", int(index), *_]:
            return index
        case _:
            return None
