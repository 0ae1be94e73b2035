"""What the REST API refuses, and how: hostile, mistaken and early requests, and keys used twice."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import trio
from attrs import evolve

from supervisor.domain.errors import BoardRateLimited, Conflict
from supervisor.web import queue
from tests.fakes.asking import problem
from tests.fakes.served import TOKEN, Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with served.client() as made:
        yield made


async def test_without_the_token_only_health_answers(served: Served) -> None:
    async with served.client(token=None) as stranger:
        assert (await stranger.get("health")).status_code == 200
        for path in ("status", "tickets", "agents", "activity", "metrics", "openapi.json", "docs", "no/such/route"):
            refused = await stranger.get(path)
            problem(refused, 401, "unauthorized")
            assert refused.headers["www-authenticate"].startswith("Bearer")
        problem(await stranger.post("queue/pause", json={}), 401, "unauthorized")
        problem(await stranger.post("health"), 401, "unauthorized")
    async with served.client(token=TOKEN[:-1]) as guesser:
        problem(await guesser.get("status"), 401, "unauthorized")
    assert served.house.queue.is_paused is False


async def test_names_that_are_not_ours_are_refused_first(served: Served, client: httpx2.AsyncClient) -> None:
    for host in (f"evil.example:{served.port}", "127.0.0.1.evil.example", "evil.example"):
        problem(await client.get("health", headers={"Host": host}), 403, "host_refused")
        problem(await client.post("queue/pause", headers={"Host": host}, json={}), 403, "host_refused")
    for host in (f"localhost:{served.port}", f"[::1]:{served.port}", "localhost:4711"):
        assert (await client.get("health", headers={"Host": host})).status_code == 200
    assert served.house.queue.is_paused is False


async def test_pages_from_elsewhere_are_refused(served: Served, client: httpx2.AsyncClient) -> None:
    for origin in ("https://evil.example", "null", "http://localhost.evil.example"):
        refused = await client.post("queue/pause", headers={"Origin": origin}, json={})
        problem(refused, 403, "origin_refused")
        assert "access-control-allow-origin" not in refused.headers
        preflight = await client.request("OPTIONS", "queue/pause", headers={"Origin": origin})
        problem(preflight, 403, "origin_refused")
    own = "vscode-webview://0a1b2c"
    allowed = await client.get("status", headers={"Origin": own})
    assert allowed.headers["access-control-allow-origin"] == own
    assert served.house.queue.is_paused is False


async def test_options_need_no_token(served: Served) -> None:
    async with served.client(token=None) as browser:
        asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
        preflight = await browser.request("OPTIONS", "queue/pause", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["allow"] == "OPTIONS, POST"
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert (await browser.request("OPTIONS", "no/such")).status_code == 401


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
async def test_only_json_is_a_body(served: Served, client: httpx2.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    problem(await client.post("queue/pause", content=b'{"reason": "x"}', headers=headers), 415, "not_json")
    assert served.house.queue.is_paused is False


async def test_malformed_bodies_are_refused(client: httpx2.AsyncClient) -> None:
    for content in (b"{", b"\xff", b"[" * 200_000, b'"\\ud800"', b'{"title": NaN}', b"[]", b"null"):
        refused = await client.post("tickets", content=content, headers={"Content-Type": "application/json"})
        assert problem(refused, 422, "invalid")["fields"].keys() == {"body"}


class _Pieces:
    """A body of unsaid length, in pieces of 10 kB."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        self._left -= 1
        if self._left < 0:
            raise StopAsyncIteration
        return b" " * 10_000


async def test_a_large_body_is_refused(client: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    big = b'{"title": "' + b"x" * 2_100_000 + b'"}'
    problem(await client.post("tickets", content=big, headers=headers), 413, "too_large")

    problem(await client.post("tickets", content=_Pieces(300), headers=headers), 413, "too_large")
    assert (await client.get("health")).status_code == 200


async def test_unknown_routes_and_methods(client: httpx2.AsyncClient) -> None:
    problem(await client.get("no/such/route"), 404, "no_route")
    problem(await client.get(client.base_url.copy_with(path="/")), 404, "no_route")
    problem(await client.get("tickets//"), 404, "no_route")
    wrong = await client.delete("tickets/ENG-1")
    problem(wrong, 405, "no_method")
    assert {"GET", "PATCH"} <= set(wrong.headers["allow"].split(", "))
    problem(await client.post("queue/status", json={}), 405, "no_method")


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "%2Fetc%2Fpasswd", "%00", "%ff", "a%0d%0aX-Evil:1", "x" * 3000, "'%3B--", "{id}", "%25", "~"],
)
async def test_hostile_names_are_only_unknown(client: httpx2.AsyncClient, name: str) -> None:
    for path in (f"tickets/{name}", f"agents/{name}", f"agents/{name}/diff"):
        raw = client.base_url.copy_with(raw_path=f"/api/v1/{path}".encode())
        answer = await client.get(raw)
        assert answer.status_code == 404
        assert "x-evil" not in answer.headers
    raw = client.base_url.copy_with(raw_path=f"/api/v1/queue/sync/{name}".encode())
    assert (await client.post(raw)).status_code == 404


async def test_while_starting_all_but_health_waits(served: Served, client: httpx2.AsyncClient) -> None:
    served.gate.close()
    early = await client.get("status")
    problem(early, 503, "unavailable")
    assert early.headers["retry-after"] == "1"
    assert (await client.get("health")).json()["status"] == "starting"
    assert (await client.get("openapi.json")).status_code == 200
    assert "operator_ready 0.0" in (await client.get("metrics")).text
    served.gate.open(served.house.house())
    assert (await client.get("status")).status_code == 200


async def test_what_breaks_inside_is_not_told_outside(served: Served, client: httpx2.AsyncClient) -> None:
    served.house.sync.fails = RuntimeError("password=hunter2")
    broken = await client.post("queue/sync")
    problem(broken, 500, "internal")
    assert "hunter2" not in broken.text
    served.house.sync.fails = BoardRateLimited("Linear asks to wait", 30.4)
    limited = await client.post("queue/sync")
    problem(limited, 429, "rate_limited")
    assert limited.headers["retry-after"] == "31"


async def test_a_handler_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hurried = [evolve(route, deadline=0.05) for route in queue.routes]
    monkeypatch.setattr(queue.routes, "_routes", hurried)
    async with serving() as served, served.client() as client:
        served.house.sync.slow = trio.Event()
        late = await client.post("queue/sync")
        problem(late, 503, "too_slow")
        assert late.headers["retry-after"] == "1"


# --- keys -------------------------------------------------------------------------------------------


async def test_the_same_key_does_it_once(served: Served, client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await client.post("tickets", json={"title": "Once"}, headers=key)
    again = await client.post("tickets", json={"title": "Once"}, headers=key)
    assert (first.status_code, first.content) == (201, again.content)
    assert len(served.house.queue.tickets) == 3
    other = problem(await client.post("tickets", json={"title": "Else"}, headers=key), 422, "invalid")
    assert other["fields"].keys() == {"Idempotency-Key"}
    problem(await client.post("tickets", json={"title": "x"}, headers={"Idempotency-Key": "a b"}), 422, "invalid")


async def test_a_refusal_is_not_kept(served: Served, client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-2"}
    served.house.sync.fails = Conflict("not now")
    problem(await client.post("queue/sync", headers=key), 409, "conflict")
    served.house.sync.fails = None
    assert (await client.post("queue/sync", headers=key)).status_code == 200


async def test_who_hangs_up_and_asks_again_gets_the_first_act(served: Served) -> None:
    sync = served.house.sync
    sync.slow = trio.Event()
    key = {"Idempotency-Key": "k-3"}
    async with served.client() as impatient:
        with trio.move_on_after(0.3):
            await impatient.post("queue/sync", headers=key)
    assert sync.syncs == 1
    answers: list[int] = []

    async def ask() -> None:
        async with served.client() as patient:
            answers.append((await patient.post("queue/sync", headers=key)).status_code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        sync.slow.set()
    assert (answers, sync.syncs) == ([200, 200], 1)
