"""A person decides, and the agent hears it: a feature from its plan to its merge, on REST alone."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hands import BOTH, ByCommand, ByRest
from tests.harness import ROOT, Event, Place

FEATURE = (
    "step plan: write .operator/plan.md # A first plan",
    "redo plan: write .operator/plan.md # A better plan",
    "step build: write feature.txt built",
    "step build: commit Build it",
    "step show: write .operator/show/page.html <!doctype html><script>alert(1)</script>",
    "redo show: write .operator/show/page.html <!doctype html><p>better</p>",
    "step offer: write .operator/summary.md It is done.",
)


def opened(number: int) -> Any:
    return lambda event: event["kind"] == "review.opened" and event["data"]["review"] == number


async def reviewed(place: Place, number: int, kind: str) -> dict[str, Any]:
    await place.until(opened(number))
    review: dict[str, Any] = await place.get(f"/reviews/{number}")
    assert (review["status"], review["kind"], review["held"]) == ("pending", kind, False)
    return review


def prompts(place: Place, ticket: str) -> list[Event]:
    return [entry for entry in place.journal(ticket) if entry["event"] == "prompt"]


@pytest.mark.parametrize("by", BOTH)
async def test_a_feature_from_its_plan_to_its_end(place: Place, by: type[ByRest] | type[ByCommand]) -> None:
    hands = by(place)
    place.ticket("FEAT-1", *FEATURE, type="FEAT", title="A feature")
    await place.start()

    plan = await reviewed(place, 1, "plan")
    assert (plan["plan"], plan["plan_path"], plan["title"]) == ("# A first plan\n", ".operator/plan.md", "A first plan")
    ticket = await place.get("/tickets/FEAT-1")
    agent = await place.get("/agents/FEAT-1")
    assert (ticket["status"], ticket["step"], agent["state"]["name"]) == ("awaiting", "plan", "awaiting_review")
    assert (agent["review_id"], agent["status"]) == (1, "awaiting_input")
    reason = "Näher am Ziel ✓ " + "".join(chr(0x4E00 + n % 2000) for n in range(3000)) + secrets.token_hex(500)
    answer = await hands.reject("FEAT-1", 1, reason)
    assert (answer["status"], answer["delivery"]) == ("rejected", "delivered")

    again = await reviewed(place, 2, "plan")
    assert (again["plan"], again["run"]) == ("# A better plan\n", 2)
    assert (await hands.shown(2))["status"] == "pending"
    await hands.approve("FEAT-1", 2)

    shown = await reviewed(place, 3, "visual")
    assert [each["name"] for each in shown["artifacts"]] == [".operator/show/page.html"]
    await hands.reject("FEAT-1", 3, "No script, please.")
    await reviewed(place, 4, "visual")
    await hands.approve("FEAT-1", 4)

    offered = await reviewed(place, 5, "pr")
    assert (offered["branch"], offered["commits"], "feature.txt" in offered["stat"]) == ("operator/FEAT-1", 1, True)
    waiting = await place.until(lambda event: event["kind"] == "ticket.parked")
    assert waiting["data"]["reason"].startswith("review")
    assert (await place.get("/tickets/FEAT-1"))["status"] == "awaiting"
    await place.until(lambda event: event["kind"] == "agent.retired")
    await hands.approve("FEAT-1", 5)
    assert await place.until_over("FEAT-1") == {"FEAT-1": "done"}

    told = [entry["text"] for entry in prompts(place, "FEAT-1")]
    assert len(told) == 6, [text[:80] for text in told]
    assert sum(reason[:400] in text for text in told) == 1
    assert place.git("show", "operator/FEAT-1:feature.txt") == "built\n"


async def test_a_rejected_branch_is_built_again_by_an_agent_that_is_told_why(place: Place) -> None:
    place.ticket(
        "FIX-1",
        "step reproduce: write .operator/reproduction.md It fails.",
        "step fix: append fixed.txt once",
        "step fix: commit Fix it",
        type="FIX",
    )
    await place.start()
    await reviewed(place, 1, "pr")
    assert (await place.post("/agents/FIX-1/reject", {"reason": "Once more."})).status_code == 200
    second = await reviewed(place, 2, "pr")
    assert (second["agent_id"], second["commits"]) == ("FIX-1~2", 2)
    assert "Once more." in prompts(place, "FIX-1")[-1]["text"]
    assert (await place.post("/agents/FIX-1/approve")).status_code == 200
    assert await place.until_over("FIX-1") == {"FIX-1": "done"}


async def test_two_people_decide_at_once(place: Place) -> None:
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await place.start()
    await reviewed(place, 1, "plan")
    first = await place.post("/agents/FEAT-1/approve", {"review_id": 1})
    second = await place.post("/agents/FEAT-1/reject", {"review_id": 1, "reason": "No."})
    assert (first.status_code, second.status_code) == (200, 409)
    problem = second.json()
    assert (problem["code"], problem["status"]) == ("already_decided", 409), problem
    assert "approved" in problem["message"]


@pytest.mark.parametrize("moment", ["reject", "approve"])
async def test_a_verdict_outlives_the_daemon(place: Place, moment: str) -> None:
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await place.start()
    await reviewed(place, 1, "plan")
    body = {"reason": "Again."} if moment == "reject" else {}
    await place.post(f"/agents/FEAT-1/{moment}", body)
    place.kill()
    await place.start()
    await reviewed(place, 2, "plan" if moment == "reject" else "visual")
    assert sum("Again." in entry["text"] for entry in prompts(place, "FEAT-1")) == (moment == "reject")


async def test_typing_at_the_terminal_supersedes_a_review(place: Place) -> None:
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await place.start()
    await reviewed(place, 1, "plan")
    await place.post("/agents/FEAT-1/prompt", {"text": "rehearse: write .operator/plan.md # By a person"})
    await place.until(lambda event: event["kind"] == "review.superseded" and event["data"]["review"] == 1)
    again = await reviewed(place, 2, "plan")
    assert again["plan"] == "# By a person\n"


def offering(place: Place) -> Path:
    """Have the project's branches offered by a `gh`; where that keeps its pull requests."""
    (place.root / "bin").mkdir()
    program = place.root / "bin" / "gh"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests" / "fakes" / "gh.py"} "$@"\n')
    program.chmod(0o755)
    store = place.root / "gh.json"
    place.env |= {"PATH": f"{program.parent}:{place.env['PATH']}", "FAKE_GH": str(store)}
    place.git("init", "-q", "--bare", str(place.root / "remote.git"))
    place.git("remote", "add", "origin", str(place.root / "remote.git"))
    text = place.config.read_text()
    place.config.write_text(text.replace('path = "repo"', 'path = "repo"\npull_requests = "gh"'))
    return store


@pytest.mark.parametrize(("state", "after"), [("MERGED", "ticket.done"), ("CLOSED", "review.superseded")])
async def test_a_pull_request_is_watched_until_it_is_merged_or_closed(place: Place, state: str, after: str) -> None:
    store = offering(place)
    script = ("step reproduce: write .operator/reproduction.md x", "step fix: write a.txt a", "step fix: commit Fix")
    place.ticket("FIX-1", *script, type="FIX")
    await place.start()
    offered = await reviewed(place, 1, "pr")
    assert (offered["url"], offered["note"]) == ("https://git.example/o/r/pull/1", None)
    kept = json.loads(store.read_text())
    kept["pulls"][0]["state"] = state
    store.write_text(json.dumps(kept))
    assert await place.stop() == 0
    await place.start()  # it looks at once, and then every minute
    await place.until(lambda event: event["kind"] == after)
    review = await place.get("/reviews/1")
    assert (review["status"], "merg" in review["decided_by"]) == (
        "approved" if state == "MERGED" else "superseded",
        True,
    )


async def test_without_a_pull_request_the_branch_is_decided_about(place: Place) -> None:
    offering(place)
    place.env["FAKE_GH_TROUBLE"] = "auth"
    place.ticket("FIX-1", "step reproduce: write .operator/reproduction.md x", "step fix: write a.txt a",
                 "step fix: commit Fix", type="FIX")  # fmt: skip
    await place.start()
    offered = await reviewed(place, 1, "pr")
    assert (offered["url"], offered["commits"]) == (None, 1)
    assert "no pull request was opened" in offered["note"]
    assert (await place.post("/agents/FIX-1/approve")).status_code == 200
    assert await place.until_over("FIX-1") == {"FIX-1": "done"}
