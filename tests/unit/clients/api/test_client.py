"""Answers and refusals, over a transport that answers by itself; and a client without an event loop."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from clients.api.blocking import drive
from clients.api.client import Client, TicketText, connect
from clients.api.errors import ApiError, BadAnswer, NoDaemon, Refused, TooSlow
from clients.api.http import HttpTransport
from clients.api.locate import Where, locate
from supervisor.domain.views import Endpoint
from supervisor.domain.wire import to_json

WHERE = Where("http://127.0.0.1:7008", "secret", Path("/state"))
HEALTH = {"status": "ok", "version": "1", "directory_name": "state"}


def answering(answer: Callable[[httpx2.Request], httpx2.Response]) -> HttpTransport:
    return HttpTransport(httpx2.AsyncClient(transport=httpx2.MockTransport(answer), trust_env=False))


async def ask(answer: Callable[[httpx2.Request], httpx2.Response]) -> object:
    async with connect(WHERE, answering(answer)) as client:
        return await client.health()


async def test_a_request_carries_the_token_and_the_path() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json=HEALTH)

    await ask(answer)
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert str(seen[0].url) == "http://127.0.0.1:7008/api/v1/health"


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "a?b", "a#b", "ü", "a b"])
async def test_a_name_stays_one_part_of_the_path(name: str) -> None:
    seen: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.raw_path)
        return httpx2.Response(404, json={"code": "not_found", "message": "no"})

    async with connect(WHERE, answering(answer)) as client:
        with pytest.raises(Refused):
            await client.agent(name)
    assert seen[0].count(b"/") == 4
    assert b".." not in seen[0].split(b"/")
    assert b"?" not in seen[0]


async def test_a_problem_becomes_a_refusal() -> None:
    problem = {
        "code": "ticket_taken",
        "message": "ENG-1 is taken",
        "hint": "Wait.",
        "status": 409,
        "fields": {"title": "is missing"},
        "data": {"agent_id": "ENG-1~1"},
    }

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, json=problem, headers={"content-type": "application/problem+json"})

    with pytest.raises(Refused) as caught:
        await ask(answer)
    error = caught.value
    assert (error.code, error.message, error.hint, error.status) == ("ticket_taken", "ENG-1 is taken", "Wait.", 409)
    assert error.fields == {"title": "is missing"}
    assert error.data == {"agent_id": "ENG-1~1"}


@pytest.mark.parametrize(
    ("status", "content"),
    [(200, b"<html>"), (200, b"{}"), (200, b'{"status": 3}'), (404, b"<html>"), (500, b"[]"), (200, b"\xff")],
)
async def test_what_is_no_daemon_is_said(status: int, content: bytes) -> None:
    with pytest.raises(BadAnswer):
        await ask(lambda _: httpx2.Response(status, content=content, headers={"content-type": "application/json"}))


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (httpx2.ConnectError("refused"), NoDaemon),
        (httpx2.ConnectTimeout("late"), NoDaemon),
        (httpx2.ReadTimeout("late"), TooSlow),
        (httpx2.ReadError("reset"), BadAnswer),
        (httpx2.RemoteProtocolError("garbage"), BadAnswer),
    ],
)
async def test_failures_of_the_connection(raised: Exception, error: type[ApiError]) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise raised

    with pytest.raises(error):
        await ask(answer)


async def test_only_what_was_said_of_a_ticket_is_sent() -> None:
    sent: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(422, json={"code": "invalid", "message": "no"})

    async with connect(WHERE, answering(answer)) as client:
        with pytest.raises(Refused):
            await client.create_ticket(TicketText(title="x", labels=["a"]))
    assert sent == [{"title": "x", "labels": ["a"]}]


def test_a_coroutine_that_waits_for_something_else_is_a_defect() -> None:
    async def sleeps() -> None:
        import trio

        await trio.lowlevel.checkpoint()

    with pytest.raises((RuntimeError, BaseException), match=r"event loop|run\(\)|async context"):
        drive(sleeps().__await__())


# --- where the daemon is ----------------------------------------------------------------------------


def endpoint(folder: Path, url: str = "http://127.0.0.1:4000") -> None:
    (folder / "token").write_text("from-file\n")
    made = Endpoint(1, "1", url, "ws://127.0.0.1:4001", None, str(folder / "token"), datetime(2026, 1, 1, tzinfo=UTC))
    (folder / "endpoint.json").write_text(to_json(made))


def test_the_state_directory_says_where(tmp_path: Path) -> None:
    endpoint(tmp_path)
    where = locate(tmp_path, environ={})
    assert (where.url, where.token, where.stream_url) == ("http://127.0.0.1:4000", "from-file", "ws://127.0.0.1:4001")
    assert locate(environ={"OPERATOR_STATE_DIR": str(tmp_path)}) == where
    assert locate(tmp_path, environ={"OPERATOR_TOKEN": "given"}).token == "given"


def test_a_token_goes_to_nobody_else(tmp_path: Path) -> None:
    endpoint(tmp_path)
    assert locate(tmp_path, url="http://example.test:4000", environ={}).token is None
    assert locate(tmp_path, environ={"OPERATOR_URL": "http://127.0.0.1:4002"}).token is None
    assert locate(tmp_path, url="http://127.0.0.1:4000/", environ={}).token == "from-file"
    assert "from-file" not in repr(locate(tmp_path, environ={}))


@pytest.mark.parametrize("text", [None, "", "{}", "\x00", '{"url": 3}'])
def test_without_an_endpoint_there_is_no_daemon(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "endpoint.json").write_text(text)
    with pytest.raises(NoDaemon) as caught:
        locate(tmp_path, environ={})
    assert "operator serve" in caught.value.hint
    assert isinstance(Client, type)
