"""The REST API on real sockets, with real clients: every route, every refusal, and how it stops."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from attrs import evolve

from supervisor.domain import views
from supervisor.domain.agent import LaunchFailed, Opened, Retired
from supervisor.domain.errors import BoardRateLimited, Conflict
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.ticket import Done, move
from supervisor.domain.wire import from_json
from supervisor.web import queue
from tests.fakes.house import NOON
from tests.fakes.served import TOKEN, Served, serving

ENG_1, AGENT_1 = TicketId("ENG-1"), AgentId("ENG-1~1")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with served.client() as made:
        yield made


def with_agent(served: Served) -> None:
    """ENG-1 is held by a live agent."""
    agent = served.house.fleet.add(served.house.queue.tickets[ENG_1], Opened(1))
    assert agent.id == AGENT_1


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The response is this problem, whole and well-formed."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found.keys() == {
        *("type", "title", "status", "detail", "code", "hint"),
        *("error", "message", "fields", "data"),
    }
    assert found["status"] == status
    assert found["code"] == found["error"] == code
    assert found["message"] == found["detail"] != ""
    assert isinstance(found, dict)
    return found


# --- routes -----------------------------------------------------------------------------------------


async def test_health_status_and_lists(served: Served, client: httpx2.AsyncClient) -> None:
    async with served.client(token=None) as anybody:
        health = from_json((await anybody.get("health")).content, views.HealthView)
    assert health == views.HealthView("ok", "0.1.0", "work")
    assert from_json((await client.get("status")).content, views.StatusView) == served.house.status()
    found = from_json((await client.get("collections")).content, views.CollectionList)
    assert [each.name for each in found.collections] == ["backend"]
    types = from_json((await client.get("issuetypes")).content, views.TypeList)
    assert [each.name for each in types.issuetypes] == ["INV", "FIX", "FEAT", "TASK", "SPIKE"]


async def test_queue(served: Served, client: httpx2.AsyncClient) -> None:
    synced = from_json((await client.post("queue/sync")).content, views.SyncView)
    assert synced.created == ("ENG-1",)
    assert (await client.post("queue/sync/backend", json={})).status_code == 200
    problem(await client.post("queue/sync/nowhere"), 404, "not_found")
    paused = from_json((await client.post("queue/pause", json={"reason": "lunch"})).content, views.PauseView)
    assert (paused.paused, paused.queued) == (True, 2)
    assert served.house.queue.paused == "lunch"
    assert from_json((await client.post("queue/resume")).content, views.PauseView).paused is False
    assert from_json((await client.get("queue/status")).content, views.QueueStatus).queued == 2


async def test_kanban_has_each_ticket_in_one_column(served: Served, client: httpx2.AsyncClient) -> None:
    await client.post("tickets/ENG-1/launch")
    ended = move(evolve(served.house.queue.tickets[ENG_1], id=TicketId("OLD-1")), Done(NOON))
    served.house.queue.tickets[ended.id] = ended
    board = from_json((await client.get("queue/kanban")).content, views.Kanban)
    columns = [board.queue, board.running, board.awaiting, board.done]
    assert [[each.id for each in column] for column in columns] == [["ENG-2"], ["ENG-1"], [], ["OLD-1"]]
    assert board.total_count == 3


async def test_tickets_are_found_page_by_page(served: Served, client: httpx2.AsyncClient) -> None:
    for number in range(10, 35):
        made = evolve(served.house.queue.tickets[ENG_1], id=TicketId(f"X-{number}"), title=f"Köln {number}")
        served.house.queue.tickets[made.id] = made
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        asked = {"limit": "10", "q": "KÖLN", "status": "queued,parked"} | ({"cursor": cursor} if cursor else {})
        page = from_json((await client.get("tickets", params=asked)).content, views.TicketPage)
        assert page.total_count == 25
        seen += [each.id for each in page.tickets]
        cursor = page.next_cursor
    assert cursor is None
    assert seen == [f"X-{number}" for number in range(34, 9, -1)]
    none = from_json((await client.get("tickets", params={"collection": "other"})).content, views.TicketPage)
    assert none == views.TicketPage((), None, 0)
    fields = problem(await client.get("tickets?status=sleeping&limit=0&cursor=x&zz=1"), 422, "invalid")["fields"]
    assert fields.keys() >= {"status[0]", "limit", "zz"}
    for cursor in ("%ff", "x", "1", "9" * 40 + ".A"):
        assert problem(await client.get(f"tickets?cursor={cursor}"), 422, "invalid")["fields"].keys() == {"cursor"}


async def test_a_ticket_is_written_read_and_changed(client: httpx2.AsyncClient) -> None:
    new = {"title": "Neu 漢字 \U0001f600", "body": "text\nmore", "labels": ["a"], "priority": 2}
    response = await client.post("tickets", json=new)
    assert response.status_code == 201
    made = from_json(response.content, views.TicketDetail)
    assert (made.title, made.body, made.labels, made.priority) == (new["title"], "text\nmore", ("a",), 2)
    changed = from_json((await client.patch(f"tickets/{made.id}", json={"body": "other"})).content, views.TicketDetail)
    assert (changed.title, changed.body) == (new["title"], "other")
    assert from_json((await client.get(f"tickets/{made.id}")).content, views.TicketDetail) == changed


async def test_a_boards_key_with_a_slash_finds_its_ticket(client: httpx2.AsyncClient) -> None:
    assert (await client.get("tickets/board%2F2")).json()["id"] == "ENG-2"
    assert (await client.post("tickets/board%2f2/launch")).json()["ticket_id"] == "ENG-2"
    problem(await client.get("tickets/board%252F2"), 404, "not_found")


async def test_wrong_fields_are_all_named(client: httpx2.AsyncClient) -> None:
    wrong = {"title": "two\nlines", "priority": 0, "labels": ["x" * 500], "type": 7, "surprise": True}
    fields = problem(await client.post("tickets", json=wrong), 422, "invalid")["fields"]
    assert fields.keys() == {"title", "priority", "labels", "type", "surprise"}
    assert problem(await client.post("tickets"), 422, "invalid")["fields"].keys() == {"body"}


async def test_a_launch_says_how_to_attach(client: httpx2.AsyncClient) -> None:
    response = await client.post("tickets/ENG-1/launch", json={"force": True})
    assert response.status_code == 200
    launched = from_json(response.content, views.LaunchView)
    assert (launched.agent_id, launched.phase, launched.branch) == ("ENG-1~1", "opened", "operator/ENG-1")
    assert launched.command[0] == "tmux"
    again = problem(await client.post("tickets/ENG-1/launch"), 409, "ticket_taken")
    assert again["data"] == {"agent_id": "ENG-1~1"}


async def test_a_launch_that_takes_long_is_said_to_be_pending(
    served: Served, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.web.tickets.LAUNCH_WAIT", 0.05)
    served.house.fleet.after_launch = None
    response = await client.post("tickets/ENG-1/launch")
    assert response.status_code == 202
    assert from_json(response.content, views.LaunchView).phase == "planned"


async def test_a_launch_that_failed_is_a_conflict_with_its_reason(served: Served, client: httpx2.AsyncClient) -> None:
    served.house.fleet.after_launch = LaunchFailed(NOON, "driver_failed", "claude is not there", "install it")
    failed = problem(await client.post("tickets/ENG-1/launch"), 409, "driver_failed")
    assert (failed["message"], failed["hint"]) == ("claude is not there", "install it")


async def test_tickets_are_ended_and_taken_up_again(served: Served, client: httpx2.AsyncClient) -> None:
    cancelled = await client.post("tickets/ENG-1/cancel", json={"reason": "no longer wanted"})
    assert from_json(cancelled.content, views.TicketDetail).status == "cancelled"
    assert served.house.queue.cancelled == [("ENG-1", "no longer wanted")]
    problem(await client.post("tickets/ENG-1/cancel"), 409, "conflict")
    cleaned = from_json((await client.post("tickets/ENG-1/clean")).content, views.TicketDetail)
    assert cleaned.exported == "/work/exports/x.tar.gz"
    assert (await client.post("tickets/ENG-1/retry")).json()["status"] == "queued"
    assert (await client.post("tickets/ENG-1/done")).json()["status"] == "done"
    problem(await client.post("tickets/ENG-2/clean"), 409, "conflict")


async def test_agents_are_listed_and_shown(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    served.house.fleet.add(evolve(served.house.queue.tickets[ENG_1], id=TicketId("A-1")), Retired(NOON, "over"))
    everyone = from_json((await client.get("agents")).content, views.AgentList)
    assert (everyone.count, len(everyone.agents)) == (2, 2)
    active = from_json((await client.get("agents/active")).content, views.AgentList)
    assert [each.id for each in active.agents] == ["ENG-1~1"]
    by_id = from_json((await client.get("agents/ENG-1~1")).content, views.AgentView)
    by_ticket = from_json((await client.get("agents/ENG-1")).content, views.AgentView)
    assert by_id == by_ticket == active.agents[0]
    assert (by_id.state.name, by_id.state.evidence) == ("idle", "title says idle")
    problem(await client.get("agents/NOPE~9"), 404, "not_found")


async def test_an_agent_is_typed_to_and_ended(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    session = served.house.fleet.sessions[AGENT_1]
    text = "line\nünïcödé \U0001f600\t'\"`$;"
    typed = await client.post("agents/ENG-1~1/prompt", json={"text": text})
    assert typed.status_code == 200
    assert from_json(typed.content, views.DeliveryView).delivery == "typed"
    assert session.typed == [text]
    later = await client.post("agents/ENG-1/prompt", json={"text": "later"})
    assert (later.status_code, later.json()["delivery"]) == (202, "pending")
    assert (await client.post("agents/ENG-1~1/interrupt")).json()["id"] == "ENG-1~1"
    assert session.interrupts == 1
    stopped = from_json((await client.post("agents/ENG-1~1/stop")).content, views.AgentView)
    assert stopped.phase == "retired"
    problem(await client.post("agents/ENG-1~1/prompt", json={"text": ""}), 422, "invalid")


async def test_a_long_prompt_arrives_whole(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    text = "x€" * 250_000
    assert (await client.post("agents/ENG-1~1/prompt", json={"text": text})).status_code == 200
    assert served.house.fleet.sessions[AGENT_1].typed == [text]


async def test_an_agents_terminal_is_read(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    attach = from_json((await client.get("agents/ENG-1~1/attach")).content, views.AttachView)
    assert attach.tmux[0] == "tmux"
    screen = await client.get("agents/ENG-1~1/screen")
    assert screen.headers["content-type"] == "text/plain; charset=utf-8"
    assert screen.text == served.house.fleet.sessions[AGENT_1].shown
    piece = await client.get("agents/ENG-1~1/transcript", params={"offset": 0, "limit": 3})
    assert (piece.headers["x-offset"], piece.content) == ("4", b"456")
    assert piece.headers["content-type"] == "application/octet-stream"
    served.house.fleet.patch = b"+caf\xe9 \xff\n".decode("utf-8", "surrogateescape")
    assert (await client.get("agents/ENG-1~1/diff")).content == b"+caf\xe9 \xff\n"
    problem(await client.get("agents/ENG-1~1/transcript?offset=-1&limit=99999999"), 422, "invalid")


async def test_an_agents_history_has_its_proofs(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    await served.house.happen("agent.running", "ENG-1", "ENG-1~1", source="title", evidence="a spinner")
    await served.house.happen("agent.running", "ENG-2", "ENG-2~1", source="title", evidence="not ours")
    await served.house.happen("delivery.typed", "ENG-1", "ENG-1~1")
    history = from_json((await client.get("agents/ENG-1~1/history")).content, views.History)
    assert [(each.name, each.source, each.evidence) for each in history.states] == [("running", "title", "a spinner")]


async def test_an_agent_without_a_session_is_a_conflict(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    del served.house.fleet.sessions[AGENT_1]
    for path in ("attach", "screen", "transcript"):
        problem(await client.get(f"agents/ENG-1~1/{path}"), 409, "session_gone")


async def test_the_activity_is_read_page_by_page(served: Served, client: httpx2.AsyncClient) -> None:
    await served.house.happen("ticket.queued", "ENG-1", times=5)
    await served.house.happen("agent.running", "ENG-1", "ENG-1~1", times=5)
    page = from_json((await client.get("activity?since=3&limit=4")).content, views.ActivityPage)
    assert ([each.seq for each in page.events], page.head, page.oldest) == ([4, 5, 6, 7], 10, 1)
    asked = "activity?kinds=agent.*,ticket.done&agent=ENG-1~1&ticket=ENG-1"
    chosen = from_json((await client.get(asked)).content, views.ActivityPage)
    assert [each.seq for each in chosen.events] == [6, 7, 8, 9, 10]
    assert chosen.events[0].kind == "agent.running"
    problem(await client.get(f"activity?since={10**30}"), 422, "invalid")


async def test_metrics_count_what_was_asked(served: Served, client: httpx2.AsyncClient) -> None:
    with_agent(served)
    await served.house.happen("ticket.queued")
    await client.get("status")
    await client.request("BREW", "status")
    text = (await client.get("metrics")).text
    for line in (
        'operator_http_requests_total{method="GET",route="status.status",status="200"} 1.0',
        'operator_http_requests_total{method="other",route="none",status="405"} 1.0',
        'operator_tickets{status="queued"} 2.0',
        'operator_agents{state="idle"} 1.0',
        "operator_activity_entries_total 1.0",
        "operator_ready 1.0",
    ):
        assert line in text.splitlines()


async def test_the_api_describes_itself(client: httpx2.AsyncClient) -> None:
    described = (await client.get("openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    docs = await client.get("docs")
    assert docs.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in docs.headers["content-security-policy"]


# --- refusals ---------------------------------------------------------------------------------------


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


# --- the server -------------------------------------------------------------------------------------


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


async def raw(served: Served, request: str) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", served.port)
    try:
        await stream.send_all(request.encode())
    except trio.BrokenResourceError:
        pass  # refused before it was all sent
    return stream


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
