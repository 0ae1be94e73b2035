"""The REST API on real sockets, with real clients: every route on its happy path."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from attrs import evolve

from supervisor.domain import views
from supervisor.domain.agent import LaunchFailed, Retired
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import Done, move
from supervisor.domain.wire import from_json
from tests.fakes.asking import AGENT_1, ENG_1, problem, with_agent
from tests.fakes.house import NOON
from tests.fakes.served import Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with served.client() as made:
        yield made


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
    assert attach.argv[0] == "tmux"
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
