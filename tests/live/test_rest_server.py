"""How REST is served: connections that live on, end, misbehave, and how all of it stops."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import trio

from tests.fakes.asking import AGENT_1, problem, raw, with_agent
from tests.fakes.served import TOKEN, Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with served.client() as made:
        yield made


async def test_a_connection_lives_on_after_answers_that_came_early(client: httpx2.AsyncClient) -> None:
    """Each answer comes before its request was read; the next request on the connection must not hang."""
    big = b"x" * 200_000
    with trio.fail_after(60):
        for number in range(120):
            match number % 4:
                case 0:
                    early = await client.request("PUT", "tickets", content=big)
                case 1:
                    early = await client.post("tickets", content=big, headers={"Content-Type": "text/plain"})
                case 2:
                    early = await client.post("no/such", content=big)
                case _:
                    early = await client.post("tickets", content=big, headers={"Authorization": "Bearer wrong"})
            assert early.status_code in (405, 415, 404, 401)
            with trio.fail_after(5):
                assert (await client.get("health")).status_code == 200


async def test_who_is_still_sending_gets_the_answer_and_keeps_the_connection(served: Served) -> None:
    body = b"x" * 1_900_000
    head = f"POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    stream = await trio.open_tcp_stream("127.0.0.1", served.port)
    with trio.fail_after(10):
        for _ in range(20):
            await stream.send_all(head + body)
            answer = b""
            while b'"data":{}}' not in answer:
                chunk = await stream.receive_some()
                assert chunk, "the connection was closed"
                answer += chunk
            assert answer.startswith(b"HTTP/1.1 401 ")
    await stream.aclose()


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.web.serve.KEEP_ALIVE", 0.1)
    async with serving() as served:
        for request in ("", "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /api/v1/hea"):
            stream = await raw(served, request)
            with trio.fail_after(5):
                answers = b"".join([chunk async for chunk in stream])
            assert answers.startswith(b"HTTP/1.1 200 ") is request.endswith("\r\n\r\n")
            await stream.aclose()


async def test_a_body_that_never_comes_ends_its_connection_only(served: Served, client: httpx2.AsyncClient) -> None:
    head = f"POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    stream = await raw(served, f"{head}Content-Type: text/plain\r\nContent-Length: 1000000\r\n\r\nab")
    answer = b""
    with trio.fail_after(10):
        async for chunk in stream:
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert (await client.get("health")).status_code == 200
    await stream.aclose()


@pytest.mark.parametrize(
    "garbage",
    [
        "\x16\x03\x01\x02\x00",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + "y" * 200_000 + "\r\n\r\n",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        "GET /api/v1/activity HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    ],
)
async def test_garbage_harms_nobody_else(served: Served, client: httpx2.AsyncClient, garbage: str) -> None:
    stream = await raw(served, garbage)
    with trio.move_on_after(1):
        first = await stream.receive_some()
        assert b" 200 " not in first.split(b"\r\n")[0]
    await stream.aclose()
    assert (await client.get("health")).status_code == 200


async def test_stopping_waits_for_requests_under_way_and_for_nobody_else(served: Served) -> None:
    served.house.sync.slow = trio.Event()
    results: list[object] = []

    async def ask(client: httpx2.AsyncClient) -> None:
        results.append((await client.post("queue/sync")).status_code)

    async with served.client() as idle, served.client() as busy, trio.open_nursery() as nursery:
        await idle.get("health")
        nursery.start_soon(ask, busy)
        await served.house.sync.asked.wait()
        async with trio.open_nursery() as stopping:
            stopping.start_soon(served.rest.stop)
            await trio.testing.wait_all_tasks_blocked(0.05)
            served.house.sync.slow.set()
    assert results == [200]
    with pytest.raises(OSError):  # noqa: PT011  (any of the ways in which nobody listens)
        await trio.open_tcp_stream("127.0.0.1", served.port)


async def test_stopping_takes_less_than_a_second_whatever_clients_do(served: Served) -> None:
    with_agent(served)
    served.house.fleet.sessions[AGENT_1].written = b"x" * (1024 * 1024)
    served.house.sync.slow = trio.Event()
    head = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    stuck = [
        await raw(served, f"GET /api/v1/agents/ENG-1~1/transcript?limit=1048576 HTTP/1.1\r\n{head}\r\n" * 20),
        await raw(served, f"POST /api/v1/queue/sync HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n"),
        await raw(served, f"POST /api/v1/tickets HTTP/1.1\r\n{head}Content-Length: 50\r\n\r\n"),
        await raw(served, "GET /api/v1/hea"),
        await raw(served, ""),
    ]
    await served.house.sync.asked.wait()
    with trio.fail_after(5):
        assert await served.rest.stop() < 1.0
    for stream in stuck:
        await stream.aclose()


async def test_the_unix_socket_is_its_owners_and_needs_the_token_too(tmp_path: Path) -> None:
    path = tmp_path / "rest.sock"
    async with serving(unix=path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/api/v1/") as client:
            assert (await client.get("health")).status_code == 200
            problem(await client.get("status"), 401, "unauthorized")
            problem(await client.get("health", headers={"Host": "evil.example"}), 403, "host_refused")
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert (await client.get("status", headers=headers)).json()["version"] == "0.1.0"
    async with serving(unix=path), httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(path))) as client:
        assert (await client.get("http://localhost/api/v1/health")).status_code == 200  # its dead file was replaced


async def test_without_a_token_all_is_open_to_this_machine_only() -> None:
    async with serving(token=None) as served, served.client(token=None) as client:
        assert (await client.get("status")).status_code == 200
        problem(await client.get("status", headers={"Host": "evil.example"}), 403, "host_refused")
