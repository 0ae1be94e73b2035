"""Reviews over REST, on real sockets: what is to be decided, what is looked at, and verdicts."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import trio
from attrs import evolve

from supervisor.domain import views
from supervisor.domain.agent import Delivery, DeliveryState, Opened
from supervisor.domain.errors import AnswerAtTerminal
from supervisor.domain.ids import DeliveryId, ReviewId
from supervisor.domain.review import (
    Answered,
    Approved,
    Artifact,
    Question,
    Questions,
    Rejected,
    Review,
    ReviewKind,
    Superseded,
    Visuals,
)
from supervisor.domain.ticket import Parked, ParkReason, Resume, move
from supervisor.domain.wire import from_json
from tests.fakes.asking import AGENT_1, ENG_1, problem, raw, with_agent
from tests.fakes.house import NOON
from tests.fakes.served import TOKEN, Served, serving
from tests.unit.domain.samples import ASKS, CHANGES, PERMISSION, PLAN, QUESTIONS

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
HTML = b"<!doctype html><script>fetch('/api/v1/status')</script>"
POLICY = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        with_agent(running)
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with served.client() as made:
        yield made


def asked(served: Served, kind: ReviewKind = ReviewKind.PLAN) -> Review:
    subject = {
        ReviewKind.PLAN: PLAN,
        ReviewKind.PERMISSION: PERMISSION,
        ReviewKind.QUESTION: QUESTIONS,
        ReviewKind.PR: CHANGES,
    }[kind]
    return served.house.review.ask(AGENT_1, kind, subject)


def verdict(response: httpx2.Response) -> views.VerdictView:
    assert response.status_code == 200, response.text
    return from_json(response.content, views.VerdictView)


# --- what is to be decided ------------------------------------------------------------------------


async def test_reviews_are_listed_newest_first(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served)
    asked(served, ReviewKind.PERMISSION)
    await client.post("agents/ENG-1/approve", json={"review_id": 1})
    found = from_json((await client.get("reviews")).content, views.ReviewList)
    assert ([each.id for each in found.reviews], found.count) == ([2, 1], 2)
    for query, numbers in (("status=pending", [2]), ("ticket=ENG-1&limit=1", [2]), ("ticket=ENG-2", [])):
        found = from_json((await client.get(f"reviews?{query}")).content, views.ReviewList)
        assert [each.id for each in found.reviews] == numbers
    fields = problem(await client.get("reviews?status=open&limit=0"), 422, "invalid")["fields"]
    assert fields.keys() == {"status", "limit"}


async def test_a_review_has_all_that_a_verdict_needs(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served, ReviewKind.PERMISSION)
    seen = from_json((await client.get("reviews/1")).content, views.ReviewView)
    assert (seen.kind, seen.tool, seen.command, seen.held) == ("permission", "Bash", "rm -rf build", True)
    served.house.review.held.clear()
    assert (await client.get("reviews/1")).json()["held"] is False
    for number in ("2", "x", "0", "9" * 30, "-1"):
        problem(await client.get(f"reviews/{number}"), 404, "not_found")


async def test_agent_and_ticket_say_what_they_wait_for(served: Served, client: httpx2.AsyncClient) -> None:
    await client.post("tickets/ENG-2/launch")
    served.house.review.ask("ENG-2~1", ReviewKind.PLAN, PLAN)
    agent = from_json((await client.get("agents/ENG-2")).content, views.AgentView)
    assert (agent.state.name, agent.status, agent.review_id) == ("awaiting_review", "awaiting_input", 1)
    ticket = from_json((await client.get("tickets/ENG-2")).content, views.TicketDetail)
    assert (ticket.status, ticket.reason) == ("awaiting", agent.needs)
    board = from_json((await client.get("queue/kanban")).content, views.Kanban)
    assert [each.id for each in board.awaiting] == ["ENG-2"]


async def test_a_ticket_that_waits_for_its_pull_request_is_in_one_column(
    served: Served, client: httpx2.AsyncClient
) -> None:
    review = asked(served, ReviewKind.PR)
    ticket = evolve(served.house.queue.tickets[ENG_1], resume=Resume(review_id=review.id))
    served.house.queue.tickets[ENG_1] = move(ticket, Parked(NOON, ParkReason.REVIEW, "review 1 waits"))
    board = from_json((await client.get("queue/kanban")).content, views.Kanban)
    assert ([each.id for each in board.queue], [each.id for each in board.awaiting]) == (["ENG-2"], ["ENG-1"])
    page = from_json((await client.get("tickets?status=awaiting")).content, views.TicketPage)
    assert [each.id for each in page.tickets] == ["ENG-1"]
    assert verdict(await client.post("agents/ENG-1/approve")).review_id == 1


async def test_pending_reviews_are_counted(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served)
    text = (await client.get("metrics")).text
    assert 'operator_reviews_pending{kind="plan"} 1.0' in text
    assert 'operator_reviews_pending{kind="pr"} 0.0' in text


# --- what agents left to be looked at -------------------------------------------------------------


def shown(served: Served, name: str, media: str, content: bytes) -> None:
    served.house.fleet.files[name] = content
    served.house.review.ask(AGENT_1, ReviewKind.VISUAL, Visuals((Artifact(name, media, len(content)),)))


@pytest.mark.parametrize(
    ("name", "media", "content", "type", "disposition"),
    [
        ("shots/a b.png", "image/png", PNG, "image/png", "inline"),
        ("page.html", "text/html", HTML, "text/html; charset=utf-8", "inline"),
        ("notes.md", "text/markdown", b"# x", "text/plain; charset=utf-8", "inline"),
        ("picture.png", "text/plain", b"no picture", "text/plain; charset=utf-8", "inline"),
        ("a.svg", "image/svg+xml", b"<svg/>", "image/svg+xml", "inline"),
        ("a.zip", "application/zip", b"PK", "application/zip", "attachment"),
        ("odd", "image/png\r\nX-Evil: 1", b"x", "application/octet-stream", "attachment"),
        ("empty.txt", "text/plain", b"", "text/plain; charset=utf-8", "inline"),
        ("a\nb/c\r\nd.txt", "text/plain", b"x", "text/plain; charset=utf-8", "inline"),
        ("line ends\n", "text/plain", b"x", "text/plain; charset=utf-8", "inline"),
        ("100% \\ ~'\"<b>", "text/plain", b"x", "text/plain; charset=utf-8", "inline"),
        ("ü/漢?#%2F&.txt", "text/plain", b"x", "text/plain; charset=utf-8", "inline"),
    ],
)
async def test_an_artifact_is_served_by_what_it_is_and_can_do_nothing(
    served: Served, client: httpx2.AsyncClient, name: str, media: str, content: bytes, type: str, disposition: str
) -> None:
    shown(served, name, media, content)
    [artifact] = from_json((await client.get("reviews/1")).content, views.ReviewView).artifacts
    assert artifact.url is not None
    response = await client.get(artifact.url.removeprefix("/"))
    assert (response.status_code, response.content) == (200, content), response.text
    assert response.headers["content-type"] == type
    assert response.headers["content-security-policy"] == POLICY
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-disposition"].startswith(f"{disposition}; filename*=UTF-8''")
    assert "x-evil" not in response.headers


@pytest.mark.parametrize(
    "path",
    ["other.png", "../../token", "a/../shots/a.png", "shots%2F..%2Fa.png", "./shots/a.png", "shots/a.png/", "shots",
     "shots/a.png%00", "/shots/a.png", "SHOTS/A.PNG", "%2e%2e/shots/a.png"],
)  # fmt: skip
async def test_only_what_the_review_lists_is_served(served: Served, path: str) -> None:
    shown(served, "shots/a.png", "image/png", PNG)
    served.house.fleet.files |= {"other.png": PNG, "../../token": b"secret"}
    stream = await raw(  # as it stands: clients would tidy the path up
        served,
        f"GET /api/v1/reviews/1/artifacts/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
    )
    answer = b""
    async with stream:
        with trio.fail_after(10):
            while chunk := await stream.receive_some():
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert PNG not in answer
    assert b"secret" not in answer


async def test_an_artifact_needs_the_token(served: Served) -> None:
    shown(served, "a.png", "image/png", PNG)
    async with served.client(token=None) as anybody:
        problem(await anybody.get("reviews/1/artifacts/a.png"), 401, "unauthorized")


async def test_an_artifact_that_is_too_large_or_gone_is_refused(served: Served, client: httpx2.AsyncClient) -> None:
    shown(served, "gone.png", "image/png", PNG)
    served.house.fleet.files.clear()
    refused = problem(await client.get("reviews/1/artifacts/gone.png"), 404, "artifact_gone")
    assert refused["hint"] == "operator attach ENG-1"
    huge = Visuals((Artifact("film.webm", "video/webm", 32 * 1024 * 1024 + 1),))
    served.house.review.ask(AGENT_1, ReviewKind.VISUAL, huge)
    refused = problem(await client.get("reviews/2/artifacts/film.webm"), 413, "artifact_too_large")
    assert "32 MB" in refused["message"]
    problem(await client.get("reviews/9/artifacts/x"), 404, "not_found")


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["ENG-1", "ENG-1~1"])
async def test_an_approval_says_what_was_decided_and_who_did(
    served: Served, client: httpx2.AsyncClient, target: str
) -> None:
    asked(served, ReviewKind.PERMISSION)
    response = await client.post(f"agents/{target}/approve", headers={"X-Operator-User": "ada"})
    assert verdict(response) == views.VerdictView(
        "ENG-1~1", 1, "approved", "delivered", "ENG-1 may go on with: rm -rf build"
    )
    decision = served.house.review.all[ReviewId(1)].decision
    assert isinstance(decision, Approved)
    assert decision.by == "ada"


async def test_a_rejection_carries_its_reason_letter_for_letter(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served)
    reason = "  # Not so\n\n\tuse the “middleware” 漢字\r\n "
    assert verdict(await client.post("agents/ENG-1/reject", json={"reason": reason})).status == "rejected"
    decision = served.house.review.all[ReviewId(1)].decision
    assert isinstance(decision, Rejected)
    assert (decision.reason, decision.by) == (reason, "rest")


@pytest.mark.parametrize("key", ["Which db?", "1", ""])
async def test_a_question_is_answered(served: Served, client: httpx2.AsyncClient, key: str) -> None:
    asked(served, ReviewKind.QUESTION)
    assert verdict(await client.post("agents/ENG-1/answer", json={"answers": {key: "mine"}})).status == "answered"
    decision = served.house.review.all[ReviewId(1)].decision
    assert isinstance(decision, Answered)
    assert decision.answers == {"Which db?": "mine"}


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " \n\t"}, {"reason": None}, {"reason": "x" * 100_001}])
async def test_a_rejection_without_a_reason_names_the_field(
    served: Served, client: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    asked(served)
    assert problem(await client.post("agents/ENG-1/reject", json=body), 422, "invalid")["fields"].keys() == {"reason"}
    assert served.house.review.all[ReviewId(1)].pending


async def test_a_second_verdict_is_told_the_first(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served)
    await client.post("agents/ENG-1/approve", headers={"X-Operator-User": "ada"})
    late = {"review_id": 1, "reason": "no"}
    refused = problem(await client.post("agents/ENG-1/reject", json=late), 409, "already_decided")
    assert refused["data"].keys() == {"review_id", "status", "by", "at"}
    assert (refused["data"]["status"], refused["data"]["by"]) == ("approved", "ada")
    assert "approved already, by ada" in refused["message"]


async def test_a_tickets_earlier_review_is_told_how_it_was_decided(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served)
    await client.post("agents/ENG-1/approve")
    served.house.fleet.add(evolve(served.house.queue.tickets[ENG_1], launches=1), Opened(2))
    assert (await client.get("agents/ENG-1")).json()["id"] == "ENG-1~2"
    problem(await client.post("agents/ENG-1/approve", json={"review_id": 1}), 409, "already_decided")


async def test_a_tickets_review_is_decided_when_its_agent_is_forgotten(
    served: Served, client: httpx2.AsyncClient
) -> None:
    asked(served, ReviewKind.PR)
    served.house.fleet.agents.clear()
    problem(await client.get("agents/ENG-1"), 404, "not_found")
    assert verdict(await client.post("agents/ENG-1/approve")).agent_id == AGENT_1


async def test_a_review_that_was_overtaken_is_told_so(served: Served, client: httpx2.AsyncClient) -> None:
    review = asked(served, ReviewKind.PERMISSION)
    over = Superseded(NOON, "it was answered at the terminal")
    served.house.review.all[review.id] = evolve(review, decision=over, told=True)
    refused = problem(await client.post("agents/ENG-1/approve", json={"review_id": 1}), 409, "already_decided")
    assert "answered at the terminal" in refused["message"]


async def test_what_is_not_there_to_decide_is_refused(served: Served, client: httpx2.AsyncClient) -> None:
    problem(await client.post("agents/ENG-1/approve"), 409, "no_review")
    problem(await client.post("agents/ENG-1/approve", json={"review_id": 7}), 404, "not_found")
    problem(await client.post("agents/NO-1/approve"), 404, "not_found")
    await client.post("tickets/ENG-2/launch")
    asked(served)
    problem(await client.post("agents/ENG-2/approve", json={"review_id": 1}), 409, "stale_review")
    problem(await client.post("agents/NO-1/approve", json={"review_id": 1}), 404, "not_found")
    asked(served)
    refused = problem(await client.post("agents/ENG-1/approve"), 409, "ambiguous")
    assert "1, 2" in refused["message"]


async def test_verdicts_that_do_not_fit_say_what_does(served: Served, client: httpx2.AsyncClient) -> None:
    asked(served, ReviewKind.QUESTION)
    refused = problem(await client.post("agents/ENG-1/approve"), 422, "invalid")
    assert refused["hint"] == "operator answer ENG-1 ANSWER"
    two = Questions(ASKS, (Question("a?"), Question("b?")))
    served.house.review.ask(AGENT_1, ReviewKind.QUESTION, two)
    for answers in ({}, {"1": "x"}, {"3": "x"}, {"": "x"}, {"a?": "x", "b?": "  "}):
        answered = await client.post("agents/ENG-1/answer", json={"answers": answers, "review_id": 2})
        assert problem(answered, 422, "invalid")["fields"].keys() == {"answers"}
    served.house.review.ask(AGENT_1, ReviewKind.PLAN, PLAN)
    answered = await client.post("agents/ENG-1/answer", json={"answers": {"": "x"}, "review_id": 3})
    problem(answered, 422, "invalid")


async def test_a_dialog_that_is_not_certain_is_answered_at_the_terminal(
    served: Served, client: httpx2.AsyncClient
) -> None:
    asked(served, ReviewKind.PERMISSION)
    served.house.review.fails = AnswerAtTerminal("its hook is gone", hint="operator attach ENG-1")
    refused = problem(await client.post("agents/ENG-1/approve"), 409, "answer_at_terminal")
    assert refused["hint"] == "operator attach ENG-1"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\tb", "ü"])
async def test_a_name_that_is_none_is_refused(served: Served, client: httpx2.AsyncClient, name: str) -> None:
    asked(served)
    header = {"X-Operator-User": name.encode()}
    fields = problem(await client.post("agents/ENG-1/approve", headers=header), 422, "invalid")["fields"]
    assert fields.keys() == {"X-Operator-User"}
    assert served.house.review.all[ReviewId(1)].pending


async def test_the_same_verdict_sent_again_with_its_key_is_given_once(
    served: Served, client: httpx2.AsyncClient
) -> None:
    asked(served)
    header = {"Idempotency-Key": "k"}
    first = await client.post("agents/ENG-1/approve", headers=header, json={"review_id": 1})
    assert verdict(await client.post("agents/ENG-1/approve", headers=header, json={"review_id": 1})) == verdict(first)


async def test_a_verdict_by_text_waits_for_its_delivery(served: Served, client: httpx2.AsyncClient) -> None:
    fleet, review = served.house.fleet, served.house.review
    text = Delivery(DeliveryId("d"), AGENT_1, "no", NOON)
    decided = trio.Event()

    def carried(given: Review) -> Review:
        decided.set()
        return evolve(given, told=True, delivery_id=text.id)

    review.comes_to = carried
    asked(served)
    answers: list[httpx2.Response] = []

    async def reject() -> None:
        answers.append(await client.post("agents/ENG-1/reject", json={"reason": "no"}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reject)
        with trio.fail_after(10):
            await decided.wait()
        assert answers == []
        fleet.deliveries[text.id] = evolve(text, state=DeliveryState.DELIVERED)
    assert verdict(answers[0]).delivery == "delivered"


async def test_a_verdict_whose_effect_takes_long_is_said_to_be_pending(
    served: Served, client: httpx2.AsyncClient
) -> None:
    served.house.review.comes_to = lambda decided: decided
    asked(served)
    started = trio.current_time()
    seen = verdict(await client.post("agents/ENG-1/approve"))
    assert (seen.status, seen.delivery) == ("approved", "pending")
    assert 1.5 < trio.current_time() - started < 10
