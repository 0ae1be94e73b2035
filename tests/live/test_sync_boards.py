"""Boards elsewhere in trouble, in great numbers and over a day: what is asked of them, when, and what becomes of it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.domain.ticket import BoardState
from tests.e2e.test_boards import BOARD, TASK, join, nothing_pending, until
from tests.fakes.boards.sites import SITES, JiraSite, LinearSite, Site, Trouble
from tests.harness import Event, Place

README = Path(__file__).resolve().parents[2] / "README.md"
CODES: dict[Trouble, str] = {
    "auth": "auth",
    "broken": "status",
    "html": "payload",
    "half": "transport",
    "types": "payload",
    "loop": "pagination",
    "cut": "transport",
}
MANY = 100_000


@pytest.fixture(params=list(SITES))
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with SITES[request.param]() as made:
        yield made


@pytest.fixture
async def linear() -> AsyncIterator[LinearSite]:
    async with SITES["linear"]() as made:
        assert isinstance(made, LinearSite)
        yield made


def failed(event: Event) -> bool:
    return bool(event["kind"] == "sync.failed" and event["data"]["collection"] == "backend")


async def view(place: Place) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await place.get("/collections"))["collections"]
    return next(each for each in found if each["name"] == "backend")


@pytest.mark.parametrize("kind", list(CODES))
async def test_trouble_has_its_code_and_keeps_only_itself_waiting(place: Place, site: Site, kind: Trouble) -> None:
    join(place, site)
    issue = site.add("A task", TASK)
    site.trouble(kind, MANY)
    place.ticket("TASK-1", "say Done.")
    await place.start()
    told = await place.until(failed)
    assert told["data"]["code"] == CODES[kind], told
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    shown = await view(place)
    assert (shown["error_code"], bool(shown["error"]), bool(shown["hint"])) == (CODES[kind], True, True)
    assert site.token not in str(shown)
    site.calm()
    created = await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] != "TASK-1")
    assert created["ticket"] == site.key(issue)
    assert (await view(place))["error_code"] is None


async def test_an_answer_that_never_comes(place: Place, linear: LinearSite) -> None:
    join(place, linear)
    issue = linear.add("A task", TASK)
    linear.trouble("silent", 1)
    place.ticket("TASK-1", "say Done.")
    await place.start()
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    assert (await place.until(failed, within=40))["data"]["code"] == "transport"
    assert await place.until_over(linear.key(issue)) == {linear.key(issue): "done"}


async def test_retry_after_is_obeyed_by_readings_and_writes_and_across_restarts(place: Place, site: Site) -> None:
    join(place, site)
    issue = site.add("A task", "rehearse: think 2\n" + TASK)
    key = site.key(issue)
    await place.start()
    await place.until_journal(key, "prompt")
    await until(lambda: site.state(issue) == "In Progress", "in progress")
    site.trouble("limited", 1)
    before = site.asked()
    await until(lambda: site.asked() > before, "a request that is refused")
    refused_at = time.monotonic()
    asked = site.asked()
    answer = await place.post("/queue/sync/backend")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 7
    assert (await view(place))["retry_at"] is not None
    assert site.asked() == asked
    place.kill()
    await place.start()
    await until(lambda: site.asked() > asked, "asked again")
    assert time.monotonic() - refused_at > 6.8
    await until(lambda: site.state(issue) == "Done", "done at last")


async def test_a_board_that_is_down_for_the_whole_run_misses_nothing(place: Place, site: Site) -> None:
    join(place, site)
    issue = site.add("A task", "rehearse: think 1\n" + TASK)
    key = site.key(issue)
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.created")
    site.trouble("cut", MANY)
    assert await place.until_over(key) == {key: "done"}
    owed = (await place.get("/collections/backend/writes"))["writes"]
    assert owed[-1]["kind"] == "done"
    assert any(each["error"] for each in owed), owed
    shown = await view(place)
    assert shown["oldest_write"] is not None
    assert shown["write_error"]
    asked = site.asked()
    await trio.sleep(2)
    assert site.asked() - asked <= 12, "it is tried ever more seldom"
    place.kill()
    await place.start()
    site.calm()
    await until(lambda: site.state(issue) == "Done", "done at last")
    await until(lambda: bool(site.comments(issue)) and "it is done" in site.comments(issue)[0], "and said")
    await nothing_pending(place)
    assert len(site.comments(issue)) == 1


async def test_a_person_moves_it_while_our_write_is_on_its_way(place: Place, site: Site) -> None:
    join(place, site)
    issue = site.add("A task", "rehearse: think 4\n" + TASK)
    key = site.key(issue)
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.running")
    await until(lambda: site.state(issue) == "In Progress", "in progress")
    site.trouble("cut", MANY)
    assert await place.until_over(key) == {key: "done"}
    site.move(issue, BoardState.CANCELLED)
    theirs = site.state(issue)
    site.calm()
    told = await place.until(lambda event: event["kind"] == "board.conflict" and event["ticket"] == key)
    assert told["data"]["write"] == "done"
    await nothing_pending(place)
    assert site.state(issue) == theirs
    assert "which stays" in (await place.get(f"/tickets/{key}"))["conflict"]


async def test_a_record_that_a_search_misses_is_not_taken_for_gone(place: Place) -> None:
    async with SITES["jira"]() as site:
        assert isinstance(site, JiraSite)
        join(place, site, more='full_every = "1s"\nlabels = ["agent"]')
        waits = site.add("A task without the label", TASK)
        gone = site.add("Another", "rehearse: think 30", labels=("agent",))
        await place.start()
        await place.until_journal(site.key(gone), "prompt")
        site.server.site._index[waits] = None  # the search's index lags
        hidden = (await view(place))["last_full"]
        other = site.key(gone)
        site.delete(gone)
        closed = await place.until(lambda each: each["kind"] == "ticket.closed_on_board")
        assert closed["ticket"] == other
        assert (await view(place))["last_full"] >= hidden
        left = await place.get(f"/tickets/{site.key(waits)}")
        assert (left["status"], "labels" in left["reason"]) == ("parked", True)


async def test_another_place_closes_nothing_of_the_old_one(place: Place, linear: LinearSite) -> None:
    linear.server.person.add_team("OPS")
    join(place, linear, more='labels = ["agent"]')
    issue = linear.add("A task", TASK)
    key = linear.key(issue)
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.created")
    await place.stop()
    there = linear.server.person.add("Elsewhere", TASK, team="OPS")
    moved = linear.config.replace('"ENG"', '"OPS"')
    place.configure(extra=BOARD.format(config=moved, more='labels = ["agent"]'))
    await place.start()
    await place.until(lambda event: event["kind"] == "collection.moved")
    await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] == linear.key(there))
    left = await place.get(f"/tickets/{key}")
    assert (left["status"], "reads another place now" in left["reason"]) == ("parked", True)
    await place.stop()
    join(place, linear, more='labels = ["agent"]')
    await place.start()
    linear.relabel(issue, "agent")
    assert await place.until_over(key) == {key: "done"}
    await until(lambda: linear.state(issue) == "Done", "done at the old place")


async def test_a_token_file_for_everybody_is_refused_with_what_mends_it(place: Place, linear: LinearSite) -> None:
    file = place.root / "key"
    file.write_text(linear.token + "\n")
    file.chmod(0o644)
    place.configure(extra=BOARD.format(config=linear.config, more='token_file = "key"').replace("webhook", "# webhook"))
    linear.add("A task", TASK)
    await place.start()
    told = await place.until(failed)
    assert (told["data"]["code"], f"chmod 600 {file}" in told["data"]["hint"]) == ("auth", True)
    assert linear.asked() == 0
    file.chmod(0o600)
    await place.stop()
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.created")


async def test_a_missing_token_is_that_collections_error(place: Place, linear: LinearSite) -> None:
    join(place, linear)
    del place.env["LINEAR_API_KEY"]
    place.ticket("TASK-1", "say Done.")
    await place.start()
    told = await place.until(failed)
    assert (told["data"]["code"], "LINEAR_API_KEY" in told["data"]["hint"]) == ("auth", True)
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}


@pytest.mark.timeout(900)
async def test_a_thousand_issues(linear: LinearSite, request: pytest.FixtureRequest) -> None:
    agents = request.config.getoption("--agents")
    place = Place(max_agents=agents)
    try:
        join(place, linear, max_agents=agents)
        issues = [linear.add(f"Issue {n}", "rehearse: think 600") for n in range(1000)]
        began = time.monotonic()
        await place.start()
        with trio.fail_after(300):
            while (await place.get("/queue/status"))["in_progress"] < agents:  # noqa: ASYNC110  it is the sum that counts
                await trio.sleep(0.5)
        running = time.monotonic() - began
        await until(lambda: [linear.state(each) for each in issues].count("In Progress") == agents, "shown", 120)
        counted = dict(linear.server.requests)
        print(f"1000 issues, {agents} running after {running:.1f} s: {sum(counted.values())} requests, {counted}")
        pages = 1000 // 50 + 1
        assert counted["Issues"] <= pages + 2 * agents + 2 * (time.monotonic() - began), "not one for each issue"
    finally:
        place.close()
    assert not place.agent_pids()


LIVES = 20
"""Tickets that one agent ends in a day, for the budget."""
BUDGET = {"linear": 5_000, "jira": 5_500, "github": 5_200, "github project": 8_500}
"""Requests per day for 200 issues and 10 agents."""


async def test_a_days_requests_stay_within_the_documented_budget(place: Place, site: Site) -> None:
    """Counted: a reading of everything, of what changed, and a ticket's life; the day is their sum."""
    join(place, site, more="types = { bug = 'FIX', Task = 'FIX' }")
    place.config.write_text(place.config.read_text().replace('interval = "1s"', 'interval = "1h"'))
    for n in range(199):
        site.move(site.add(f"Old {n}"), BoardState.DONE)
    site.age()
    await place.start()
    with trio.fail_after(30):
        while not (await view(place))["last_sync"]:  # noqa: ASYNC110  a reading without news tells nobody
            await trio.sleep(0.05)
    full = site.asked()
    for _ in range(5):
        assert (await place.post("/queue/sync/backend")).status_code == 200
    changes = (site.asked() - full) / 5
    fix = "rehearse: step reproduce: write .operator/reproduction.md x\nrehearse: step fix: commit Fix it"
    issue = site.add("A bug", fix, labels=("bug",))
    before = site.asked()
    assert (await place.post("/queue/sync/backend")).status_code == 200
    await place.until(lambda event: event["kind"] == "review.opened")
    await place.post(f"/agents/{site.key(issue)}/approve")
    await until(lambda: bool(site.comments(issue)) and "it is done" in site.comments(issue)[0], "the last word", 60)
    await nothing_pending(place)
    life = site.asked() - before
    day = 24 * 60 * changes + 4 * full + 10 * LIVES * life
    print(f"{site.name}: full {full}, changes {changes:g}, a ticket {life}, a day {day:g}")
    assert day <= BUDGET[site.name]
    assert f"{BUDGET[site.name]:,}" in README.read_text()
