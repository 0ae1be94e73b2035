"""A ticket on a board elsewhere: an agent takes it up, people decide, and the board shows each stage of it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
import trio

from supervisor.domain.ticket import BoardState
from tests.fakes.boards.sites import SITES, Site
from tests.harness import Place

PATIENCE = 40.0
BOARD = """
[collections.backend]
{config}
interval = "1s"
webhook_secret_env = "BOARD_SECRET"
{more}
"""
FIX = (
    "rehearse: step reproduce: write .operator/reproduction.md It fails.\n"
    "rehearse: step fix: append fixed.txt once\n"
    "rehearse: step fix: commit Fix it\n"
)
TASK = "rehearse: append work.txt done\nrehearse: commit Work\nrehearse: say Done."


@pytest.fixture(params=list(SITES))
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with SITES[request.param]() as made:
        yield made


def join(place: Place, site: Site, more: str = "", **options: int) -> None:
    """Have the place's daemon read the site."""
    place.env |= site.env
    place.configure(extra=BOARD.format(config=site.config, more=more), **options)


async def until(met: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """A stand-in lives in this very process, and says nothing of its own accord."""
    with trio.move_on_after(within):
        while not met():  # noqa: ASYNC110
            await trio.sleep(0.02)
        return
    raise AssertionError(what)


async def test_a_fix_from_the_board_to_its_end(place: Place, site: Site) -> None:
    join(place, site, more="types = { bug = 'FIX', Task = 'FIX' }")
    issue = site.add("A bug", FIX, labels=("bug",))
    key = site.key(issue)
    await place.start()
    await until(lambda: site.state(issue) == "In Progress", "in progress at launch")
    await place.until(lambda event: event["kind"] == "review.opened")
    await until(lambda: bool(site.comments(issue)), "a comment while it is worked on")
    review_state = "In Progress" if site.name == "github" else "In Review"
    await until(lambda: site.state(issue) == review_state, f"in review: {site.state(issue)}")
    site.say(issue, "A person says something.")

    answer = await place.post(f"/agents/{key}/reject", {"reason": "Not like @this ``` please."})
    assert answer.status_code == 200, answer.text
    await until(lambda: site.state(issue) == "In Progress", "back in progress once it is decided")
    await place.until(lambda event: event["kind"] == "review.opened" and event["data"]["review"] == 2)
    assert (await place.post(f"/agents/{key}/approve")).status_code == 200
    await until(lambda: site.state(issue) == "Done", "done")
    assert await place.until_over(key) == {key: "done"}

    # The last edit may have to wait for its time: one edit in 30 s.
    await until(lambda: "it is done" in site.comments(issue)[0], f"the last word: {site.comments(issue)}", 45)
    [comment] = site.comments(issue)
    assert "Not like @this" in comment
    assert "rejected by" in comment
    assert f"operator/{key}" in comment
    assert site.token not in comment
    await nothing_pending(place)
    kinds = [event["kind"] for event in (await place.get("/activity?limit=500"))["events"]]
    assert "board.conflict" not in kinds
    assert "ticket.conflict" not in kinds
    log = place.output.read_text()
    activity = str(await place.get("/activity?limit=500"))
    for secret in site.env.values():
        assert secret not in log
        assert secret not in activity
        assert secret.encode() not in (place.state / "operator.db").read_bytes()


async def nothing_pending(place: Place) -> None:
    with trio.fail_after(PATIENCE):
        while (await place.get("/collections/backend/writes"))["writes"]:  # noqa: ASYNC110  the last is done silently
            await trio.sleep(0.1)


async def test_agents_do_not_inherit_the_boards_secrets(place: Place, site: Site) -> None:
    join(place, site)
    issue = site.add("A task", "rehearse: think 20")
    key = site.key(issue)
    await place.start()
    await place.until_journal(key, "prompt")
    assert place.daemon is not None
    pids = [pid for pid in place.agent_pids() if pid != place.daemon.pid]
    assert pids
    for pid in pids:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        assert not any(secret.encode() in environ for secret in site.env.values())


async def test_a_webhook_wakes_a_reading_and_nothing_else_does(place: Place, site: Site) -> None:
    join(place, site, more='full_every = "2h"\nlabels = ["agent"]')
    place.config.write_text(place.config.read_text().replace('interval = "1s"', 'interval = "1h"'))
    await place.start()
    await place.until(lambda event: event["kind"] == "daemon.started")
    with trio.fail_after(PATIENCE):
        while not (await place.get("/collections"))["collections"][1]["last_sync"]:  # noqa: ASYNC110  it tells nobody
            await trio.sleep(0.05)
    issue = site.add("A task", TASK)
    asked = site.asked()
    headers, body = site.webhook()
    name = next(iter(headers))
    url = f"{place.url}/api/v1/collections/backend/webhook"
    async with httpx2.AsyncClient() as client:
        kind = {"content-type": "application/json", "host": "hooks.example"}
        forged = {name: headers[name][:-4] + "0000"}
        assert (await client.post(url, content=body, headers={**headers, **forged, **kind})).status_code == 401
        assert (await client.post(url, content=body, headers=kind)).status_code == 401
        assert (await client.post(url, content=body + b" ", headers={**headers, **kind})).status_code == 401
        too_large = await client.post(url, content=b'"' + b"x" * (1 << 20) + b'"', headers=kind)
        assert too_large.status_code == 413
        assert site.asked() == asked, "nothing happens by a wrong signature"
        headers, body = site.webhook()
        good = await client.post(url, content=body, headers={**headers, **kind})
        assert (good.status_code, good.json()) == (202, {"collection": "backend"})
    created = await place.until(lambda event: event["kind"] == "ticket.created")
    assert created["ticket"] == site.key(issue)


MOMENTS = {
    "closed": lambda site, issue: site.move(issue, BoardState.DONE),
    "cancelled": lambda site, issue: site.move(issue, BoardState.CANCELLED),
    "deleted": lambda site, issue: site.delete(issue),
}


@pytest.mark.parametrize("how", ["closed", "deleted"])
async def test_a_person_takes_it_away_while_its_agent_works(place: Place, site: Site, how: str) -> None:
    join(place, site, more='on_closed = "stop"')
    issue = site.add("A task", "rehearse: think 30")
    key = site.key(issue)
    await place.start()
    await place.until_journal(key, "prompt")
    await until(lambda: site.state(issue) == "In Progress", "in progress")
    await nothing_pending(place)
    state = site.state(issue)
    MOMENTS[how](site, issue)
    if how == "deleted":
        await place.post("/queue/sync/backend")
    ended = await place.until_over(key, within=20) if how == "closed" else {}
    if how == "closed":
        assert ended == {key: "cancelled"}
        assert site.state(issue) == "Done" != state  # theirs stays


async def test_edits_comments_and_labels_of_people_are_not_moves(place: Place, site: Site) -> None:
    join(place, site, more='labels = ["agent"]')
    issue = site.add("A task", "rehearse: think 3\n" + TASK, labels=("agent",))
    other = site.add("Not for agents", TASK)
    key = site.key(issue)
    await place.start()
    await place.until_journal(key, "prompt")
    site.edit(issue, "Another title")
    site.say(issue, "What about this?")
    await place.until(lambda event: event["kind"] == "ticket.updated" and event["data"]["changed"] == "title")
    assert (await place.get(f"/tickets/{key}"))["title"] == "Another title"
    assert await place.until_over(key) == {key: "done"}
    await until(lambda: site.state(issue) == "Done", "done")
    parked = await place.get(f"/tickets/{site.key(other)}")
    assert (parked["status"], "labels" in parked["reason"]) == ("parked", True)
    site.relabel(other, "agent")
    await place.until_over(site.key(other))
