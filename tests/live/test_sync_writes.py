"""What a board is told, and how often: edits of a comment have their time, and a lost answer makes no second write."""

import time
from collections.abc import AsyncIterator

import pytest

from supervisor.actors.sync.writing import COMMENT_EVERY
from tests.e2e.test_boards import TASK, join, nothing_pending, until
from tests.fakes.boards.sites import SITES, LinearSite
from tests.harness import Place

PLANNED = "rehearse: step reproduce: write .operator/reproduction.md It fails.\nrehearse: step fix: commit Fix it"
LATE = 2.0
"""Seconds by which a moment may be seen late here."""


@pytest.fixture
async def linear() -> AsyncIterator[LinearSite]:
    async with SITES["linear"]() as made:
        assert isinstance(made, LinearSite)
        yield made


def comment_writes(site: LinearSite) -> int:
    return site.server.requests["CreateComment"] + site.server.requests["UpdateComment"]


async def test_what_happens_within_the_time_of_a_comment_is_one_edit_at_its_end(
    place: Place, linear: LinearSite
) -> None:
    join(place, linear, more="types = { bug = 'FIX' }")
    issue = linear.add("A bug", PLANNED, labels=("bug",))
    key = linear.key(issue)
    await place.start()
    await until(lambda: bool(linear.comments(issue)), "a comment at the launch")
    first = time.monotonic()
    await place.until(lambda event: event["kind"] == "review.opened")
    await until(lambda: linear.state(issue) == "In Review", "states do not wait for the comment")
    assert (await place.post(f"/agents/{key}/reject", {"reason": "Say more."})).status_code == 200
    await place.until(lambda event: event["kind"] == "review.opened" and event["data"]["review"] == 2)
    assert (await place.post(f"/agents/{key}/approve")).status_code == 200
    await until(lambda: linear.state(issue) == "Done", "nor does the last")
    assert time.monotonic() - first < COMMENT_EVERY - LATE, "too slow to show anything"
    assert comment_writes(linear) == 1
    await until(lambda: comment_writes(linear) > 1, "the edit that is owed", COMMENT_EVERY + LATE)
    assert time.monotonic() - first > COMMENT_EVERY - LATE
    await nothing_pending(place)
    [comment] = linear.comments(issue)
    assert ("it is done" in comment, "Say more." in comment) == (True, True)
    assert comment_writes(linear) == 2


async def test_a_write_whose_answer_was_lost_is_neither_made_again_nor_taken_for_a_persons(
    place: Place, linear: LinearSite
) -> None:
    join(place, linear)
    place.config.write_text(place.config.read_text().replace('interval = "1s"', 'interval = "1h"'))
    issue = linear.add("A task", "rehearse: think 20\n" + TASK)
    key = linear.key(issue)
    linear.server.trouble("cut_after", on="UpdateIssue")
    await place.start()
    await until(lambda: linear.server.requests["UpdateIssue"] > 0, "the state is written")
    linear.server.trouble("cut_before", 3, on="Record")  # it stays on its way while the board is read
    await place.until(lambda event: event["kind"] == "board.write_failed")
    assert linear.state(issue) == "In Progress"
    for _ in range(2):
        assert (await place.post("/queue/sync/backend")).status_code == 200
    assert (await place.get("/collections/backend/writes"))["writes"], "too late to show anything"
    linear.calm()
    await place.until(lambda event: event["kind"] == "board.written" and event["data"]["write"] == "started")
    assert (await place.post("/queue/sync/backend")).status_code == 200
    kinds = {event["kind"] for event in (await place.get("/activity?limit=500"))["events"] if event["ticket"] == key}
    assert not kinds & {"board.conflict", "ticket.conflict", "ticket.updated", "ticket.closed_on_board"}, kinds
    ticket = await place.get(f"/tickets/{key}")
    assert (ticket["status"], ticket["conflict"]) == ("running", None)
    assert linear.server.requests["UpdateIssue"] == 1


async def test_a_retry_is_not_undone_by_the_end_that_the_board_still_shows(place: Place, linear: LinearSite) -> None:
    """The board is asked once more before a launch; what it says of a state that we are about to undo is our own."""
    join(place, linear)
    issue = linear.add("A task", "rehearse: attempt 1: wait never\n" + TASK)
    key = linear.key(issue)
    await place.start()
    await place.until(lambda event: event["kind"] == "delivery.delivered")
    assert (await place.post(f"/tickets/{key}/cancel")).status_code == 200
    await until(lambda: linear.state(issue) == "Canceled", "the end of it")
    await place.until(lambda event: event["kind"] == "board.written" and event["data"]["write"] == "cancelled")
    linear.server.trouble("cut_before", 1000, on="UpdateIssue")
    assert (await place.post(f"/tickets/{key}/retry")).status_code == 200
    await place.until(lambda event: event["kind"] == "agent.starting" and event["agent"] == f"{key}~2")
    assert linear.state(issue) == "Canceled"
    linear.calm()
    assert (await place.until(lambda event: event["kind"] == "ticket.done"))["ticket"] == key
    await until(lambda: linear.state(issue) == "Done", "done")
