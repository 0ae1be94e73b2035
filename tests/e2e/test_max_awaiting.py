"""No new work is begun while people have enough to decide, and whoever looks is told so."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.fakes.reviewing import BUILD, PLAN, Reviewing
from tests.harness import ROOT


@pytest.fixture
def place() -> Iterator[Reviewing]:
    made = Reviewing()
    made.config.write_text(made.config.read_text().replace("[queue]\n", "[queue]\nmax_awaiting = 1\n"))
    try:
        yield made
        assert "Traceback" not in made.log_tail()
    finally:
        made.close()


def page(place: Reviewing) -> str:
    """What `operator status` shows."""
    command = [sys.executable, "-m", "clients.cli.main", "status", "--state-dir", str(place.state)]
    env = place.env | {"NO_COLOR": "1", "COLUMNS": "160"}
    return subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, text=True).stdout


async def assert_full(place: Reviewing, waiting: str) -> None:
    status = await place.get("/status")
    assert (status["needs_you"], status["counts"]["awaiting"], status["counts"]["queued"]) == (1, 1, 1)
    assert (status["counts"]["in_progress"], status["counts"]["parked"]) == (0, 0)
    [warning] = status["warnings"]
    assert warning.startswith("1 ticket waits for a person, so no more are started (queue.max_awaiting = 1)")
    assert warning in page(place)
    assert (await place.get(f"/tickets/{waiting}"))["status"] == "queued"


async def test_a_plan_that_waits_keeps_the_next_ticket_waiting(place: Reviewing) -> None:
    place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
    await place.start()
    await place.opened(1)
    place.ticket("TASK-1", "say Here.")
    await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] == "TASK-1")
    await assert_full(place, "TASK-1")
    await place.decide("PLAN-1", "approve")
    assert await place.until_over("PLAN-1", "TASK-1") == {"PLAN-1": "done", "TASK-1": "done"}
    assert (await place.get("/status"))["warnings"] == []


async def test_a_branch_that_waits_counts_although_no_agent_holds_it(place: Reviewing) -> None:
    place.ticket("OFFER-1", "append work.txt more", "commit Work", type="OFFER")
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.parked" and event["ticket"] == "OFFER-1")
    place.ticket("TASK-1", "say Here.")
    await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] == "TASK-1")
    await assert_full(place, "TASK-1")
    place.kill()
    await place.start()
    await assert_full(place, "TASK-1")
    await place.decide("OFFER-1", "approve")
    assert await place.until_over("OFFER-1", "TASK-1") == {"OFFER-1": "done", "TASK-1": "done"}


async def test_a_person_may_launch_one_by_name_all_the_same(place: Reviewing) -> None:
    place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
    await place.start()
    await place.opened(1)
    place.ticket("TASK-1", "say Here.")
    await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] == "TASK-1")
    assert (await place.post("/tickets/TASK-1/launch")).status_code in (200, 202)
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    assert (await place.get("/reviews/1"))["status"] == "pending"
