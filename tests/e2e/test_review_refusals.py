"""Verdicts that cannot be: whoever comes second, decides something else, or gives no reason is told so, in words."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import trio
import trio.testing

from supervisor.domain.review import REASON_LIMIT
from tests.fakes.reviewing import BUILD, PLAN, Reviewing


@pytest.fixture
def place() -> Iterator[Reviewing]:
    made = Reviewing()
    try:
        yield made
        assert "Traceback" not in made.log_tail()
    finally:
        made.close()


@pytest.fixture
async def pending(place: Reviewing) -> Reviewing:
    """A daemon with one plan that waits for its verdict: review 1 of PLAN-1."""
    place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
    await place.start()
    await place.opened(1)
    return place


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code
    assert problem["message"] == problem["message"].strip() != ""
    return problem


async def decide_at_once(place: Reviewing, named: bool, people: int = 6) -> dict[str, httpx2.Response]:
    """Half of them approve, half reject, all at the same time."""
    answers: dict[str, httpx2.Response] = {}
    ready = trio.Event()

    async def decide(who: str, verb: str, body: dict[str, object]) -> None:
        async with place.client() as client:
            await client.get("/health")
            await ready.wait()
            answers[who] = await client.post(f"/agents/PLAN-1/{verb}", json=body, headers={"X-Operator-User": who})

    async with trio.open_nursery() as nursery:
        for number in range(people):
            verb, body = ("approve", {}) if number % 2 else ("reject", {"reason": f"Says {number}."})
            nursery.start_soon(decide, f"p{number}", verb, {**body, **({"review_id": 1} if named else {})})
        await trio.testing.wait_all_tasks_blocked(0.3)
        ready.set()
    return answers


@pytest.mark.parametrize("named", [True, False], ids=["by number", "without one"])
async def test_of_people_who_decide_at_once_one_does_and_the_others_learn_who(pending: Reviewing, named: bool) -> None:
    answers = await decide_at_once(pending, named)
    [first] = [who for who, answer in answers.items() if answer.status_code == 200]
    verdict = answers.pop(first).json()
    assert verdict["review_id"] == 1
    for answer in answers.values():
        problem = refused(answer, 409, "already_decided")
        assert f"review 1 was {verdict['status']} already, by {first}" in problem["message"]
        assert (problem["data"]["status"], problem["data"]["by"]) == (verdict["status"], first)
    review = await pending.get("/reviews/1")
    assert (review["status"], review["decided_by"]) == (verdict["status"], first)
    if verdict["status"] == "rejected":
        await pending.opened(2)
        assert sum(pending.heard("PLAN-1", f"Says {number}.") for number in range(6)) == 1
    else:
        assert await pending.until_over("PLAN-1") == {"PLAN-1": "done"}
        assert not pending.heard("PLAN-1", "Says")


async def test_the_first_verdict_is_named_also_by_the_next_daemon(pending: Reviewing) -> None:
    await pending.decide("PLAN-1", "reject", reason="Not so.")
    await pending.opened(2)
    pending.kill()
    await pending.start()
    problem = refused(await pending.post("/agents/PLAN-1/approve", {"review_id": 1}), 409, "already_decided")
    assert "rejected already" in problem["message"]
    assert (await pending.get("/reviews/2"))["status"] == "pending"


async def test_a_review_that_is_not_this_agent_s_is_not_decided(pending: Reviewing) -> None:
    pending.ticket("PLAN-2", *PLAN, *BUILD, type="PLAN")
    await pending.opened(2)
    problem = refused(await pending.post("/agents/PLAN-1/approve", {"review_id": 2}), 409, "stale_review")
    assert "of PLAN-2~1, not of PLAN-1~1" in problem["message"]
    assert problem["hint"] == "operator review show 2"
    refused(await pending.post("/agents/PLAN-1/approve", {"review_id": 99}), 404, "not_found")
    refused(await pending.post("/agents/NONE-1/approve"), 404, "not_found")
    refused(await pending.post("/agents/NONE-1/reject", {"reason": "x", "review_id": 1}), 404, "not_found")
    for number in (1, 2):
        assert (await pending.get(f"/reviews/{number}"))["status"] == "pending"


async def test_an_agent_of_whom_nothing_is_to_be_decided(place: Reviewing) -> None:
    place.ticket("TASK-1", "wait go")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    for verb, body in (("approve", {}), ("reject", {"reason": "No."}), ("answer", {"answers": {"": "x"}})):
        problem = refused(await place.post(f"/agents/TASK-1/{verb}", body), 409, "no_review")
        assert "no review of TASK-1~1 is pending" in problem["message"]
        assert "operator review list" in problem["hint"]


async def test_a_number_that_is_none(pending: Reviewing) -> None:
    bodies: dict[str, dict[str, object]] = {"reject": {"reason": "x"}, "approve": {}, "answer": {"answers": {"": "x"}}}
    for verb, body in bodies.items():
        for number in (0, -1, 2**60, "1", 1.5, True):
            answer = await pending.post(f"/agents/PLAN-1/{verb}", body | {"review_id": number})
            assert "review_id" in refused(answer, 422, "invalid")["fields"], (verb, number)


async def test_a_rejection_says_why(pending: Reviewing) -> None:
    for reason in ("", " \n\t", "\x00\x1b", None, 7, "x" * (REASON_LIMIT + 1)):
        problem = refused(await pending.post("/agents/PLAN-1/reject", {"reason": reason}), 422, "invalid")
        assert problem["fields"].keys() == {"reason"}
        assert (await pending.get("/reviews/1"))["status"] == "pending"


async def test_what_is_not_asked_cannot_be_answered(pending: Reviewing) -> None:
    problem = refused(await pending.post("/agents/PLAN-1/answer", {"answers": {"": "x"}}), 422, "invalid")
    assert "it is approved or rejected" in problem["message"]
    assert problem["hint"] == "operator approve PLAN-1"


async def test_a_reason_that_no_terminal_can_be_sent_as_it_is_harms_nobody(pending: Reviewing) -> None:
    """Half a character is refused; of keys and the end of a paste among it, what can be said is said, once."""
    async with pending.client() as client:
        half = await client.post(
            "/agents/PLAN-1/reject", content=b'{"reason": "\\ud800"}', headers={"content-type": "application/json"}
        )
    refused(half, 422, "invalid")
    reason = "Before\x1b[201~\x03\r\x1b after \x9b the end"
    assert (await pending.decide("PLAN-1", "reject", reason=reason))["delivery"] == "delivered"
    await pending.opened(2)
    assert pending.heard("PLAN-1", "Before[201~\n after  the end") == 1
    assert not [each for each in pending.journal("PLAN-1") if each["event"] in ("interrupt", "key", "enter-empty")]
    assert (await pending.get("/reviews/1"))["reason"] == reason
