"""Hooks in their plain form are answered before the framework, and nobody can tell by the answer."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import trio
from quart import Quart, request_started

from supervisor.actors.session import Heard
from supervisor.domain.ids import AgentId
from tests.fakes.house import FakeSession
from tests.fakes.served import Served, serving

AGENT = AgentId("ENG-1~1")
PATH = f"/api/v1/agents/{AGENT}/signals"
STOP = json.dumps({"hook_event_name": "Stop", "text": "ünï" * 1000}).encode()


class Hearing(FakeSession):
    """A session that hears hooks; told to hold them, it answers none."""

    def __init__(self) -> None:
        super().__init__(AGENT)
        self.heard: list[Mapping[str, object]] = []
        self.holds = False
        self.let_go = trio.Event()

    async def hear(self, payload: Mapping[str, object]) -> Heard:
        self.heard.append(payload)
        if self.holds:
            try:
                await trio.sleep_forever()
            finally:
                self.let_go.set()
        return Heard({"continue": True})


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
def session(served: Served) -> Hearing:
    made = served.house.fleet.sessions[AGENT] = Hearing()
    return made


@pytest.fixture
def framework() -> Iterator[list[str]]:
    """The paths that came as far as the framework."""
    seen: list[str] = []

    async def note(_: Quart, **__: object) -> None:
        from quart import request

        seen.append(request.path)

    with request_started.connected_to(note):
        yield seen


def head(path: str = PATH, token: str | None = f"hook-{AGENT}", **more: str) -> bytes:
    fields = {"Host": "127.0.0.1", "Content-Type": "application/json"}
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode()


def plain(body: bytes, **more: Any) -> bytes:
    return head(Content_Length=str(len(body)), **more) + body


def chunked(body: bytes, **more: Any) -> bytes:
    """The same, in a form that is the framework's."""
    return head(Transfer_Encoding="chunked", **more) + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


async def answered(stream: trio.SocketStream) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers without the time, and body of the next answer on a connection."""
    with trio.fail_after(5):
        received = b""
        while b"\r\n\r\n" not in received:
            received += await some(stream)
        told, _, body = received.partition(b"\r\n\r\n")
        status, *lines = told.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(fields["content-length"]):
            body += await some(stream)
    fields.pop("date", None)
    return status, fields, body


async def some(stream: trio.SocketStream) -> bytes:
    piece = await stream.receive_some()
    assert piece, "the connection was closed"
    return bytes(piece)


async def connection(served: Served) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", served.port)


CASES: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "a hook": (STOP, {}, "200"),
    "another token": (STOP, {"token": "hook-ENG-1~2"}, "401"),
    "no token": (STOP, {"token": None}, "401"),
    "an agent without a session": (STOP, {"path": "/api/v1/agents/ENG-9~1/signals", "token": "hook-ENG-9~1"}, "409"),
    "no JSON": (b"{", {}, "422"),
    "nothing": (b"", {}, "422"),
    "no object": (b"[1]", {}, "422"),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_answer_is_the_frameworks(served: Served, session: Hearing, framework: list[str], case: str) -> None:
    body, more, status = CASES[case]
    stream = await connection(served)
    async with stream:
        await stream.send_all(plain(body, **more))
        here = await answered(stream)
        assert framework == []
        await stream.send_all(chunked(body, **more))
        there = await answered(stream)
        assert framework == [more.get("path", PATH)]
    assert here == there
    assert here[0].split()[1] == status
    assert session.heard == [json.loads(STOP)] * 2 * (status == "200")
    assert served.gate.requests["POST", "signals.signal", int(status)] == 2


UNUSUAL: dict[str, tuple[bytes, str]] = {
    "a web page": (plain(STOP, Origin="https://evil.example"), "403"),
    "our own page": (plain(STOP, Origin="http://localhost:7008"), "200"),
    "another host": (plain(STOP, Host="evil.example"), "403"),
    "no host's name": (plain(STOP, Host="\xe9"), "403"),
    "text": (plain(STOP, Content_Type="text/plain"), "415"),
    "a charset": (plain(STOP, Content_Type="application/json; charset=utf-8"), "200"),
    "a query": (plain(STOP, path=f"{PATH}?x=1"), "200"),
    "escapes in the path": (plain(STOP, path=PATH.replace("~", "%7E")), "200"),
    "two tokens": (plain(b"{}", authorization="Bearer other"), "200"),
    "two types": (head(Content_Length="2", content_type="text/plain") + b"{}", "200"),
    "a large body": (plain(b'{"x": "' + b"x" * 300_000 + b'"}'), "200"),
    "too large a body": (head(Content_Length="99999999999"), "413"),
}


@pytest.mark.parametrize("case", UNUSUAL)
async def test_anything_unusual_is_left_to_the_framework(
    served: Served, session: Hearing, framework: list[str], case: str
) -> None:
    request, status = UNUSUAL[case]
    stream = await connection(served)
    async with stream:
        await stream.send_all(request)
        assert (await answered(stream))[0].split()[1] == status
    assert len(framework) == 1


async def test_a_slow_body_is_heard_once_and_whole(
    served: Served, session: Hearing, framework: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.web.signals.PLAIN_WAIT", 0.05)
    stream = await connection(served)
    async with stream:
        await stream.send_all(head(Content_Length=str(len(STOP))) + STOP[:10])
        with trio.fail_after(5):
            while not framework:  # noqa: ASYNC110  (the framework has it: the time to wait for more is over)
                await trio.sleep(0.01)
        await stream.send_all(STOP[10:])
        assert (await answered(stream))[0] == "HTTP/1.1 200 "
    assert session.heard == [json.loads(STOP)]


async def test_who_hangs_up_is_waited_for_no_longer(served: Served, session: Hearing) -> None:
    session.holds = True
    stream = await connection(served)
    await stream.send_all(plain(STOP))
    with trio.fail_after(5):
        while not session.heard:  # noqa: ASYNC110  (nothing rings when a fake is called)
            await trio.sleep(0.01)
        await stream.aclose()
        await session.let_go.wait()
    assert not [key for key in served.gate.requests if key[1] == "signals.signal"]


async def test_before_there_is_a_house_it_says_so(framework: list[str]) -> None:
    async with serving(opened=False) as served, await connection(served) as stream:
        await stream.send_all(plain(STOP))
        status, fields, _ = await answered(stream)
        assert status.split()[1] == "503"
        assert "retry-after" in fields


async def test_connections_of_clients_that_left_are_gone(served: Served, session: Hearing) -> None:
    """Each call of a command makes its own: kept until they have been idle for long, they would fill the room."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        async with await connection(served) as stream:
            await stream.send_all(plain(STOP))
            await answered(stream)
    with trio.fail_after(5):
        while len(os.listdir("/proc/self/fd")) > before + 5:  # noqa: ASYNC110  (the kernel rings nobody)
            await trio.sleep(0.01)
