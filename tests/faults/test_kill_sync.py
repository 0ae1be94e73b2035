"""kill -9 of the daemon while it writes to a board: nothing of the outbox is lost, and nothing is written twice."""

import random
from itertools import pairwise

import pytest
import trio

from supervisor.domain.ticket import BoardState
from tests.e2e.test_boards import TASK, join, nothing_pending, until
from tests.fakes.boards.sites import SITES, LinearSite
from tests.harness import Place


def assert_written_once(site: LinearSite, issue: str) -> None:
    """In progress, then done; one comment; and no change that changed nothing."""
    history = site.server.person.history[issue]
    states = [history[0][0], *(after for (before, _), (after, _) in pairwise(history) if after != before)]
    assert states == ["In Progress", "Done"], history
    assert not [one for one, other in pairwise(history) if one == other], history
    [comment] = site.comments(issue)
    assert "it is done" in comment


STAGES = ("ticket.created", "ticket.launching", "board.written", "ticket.running", "ticket.done")


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_right_after_a_stage_was_said(place: Place, stage: str) -> None:
    async with SITES["linear"]() as site:
        assert isinstance(site, LinearSite)
        join(place, site)
        issue = site.add("A task", TASK)
        await place.start()
        await place.until(lambda event: event["kind"] == stage)
        place.kill()
        await place.start()
        await until(lambda: site.state(issue) == "Done", "done")
        await nothing_pending(place)
        assert_written_once(site, issue)


@pytest.mark.parametrize("operation", ["Record", "UpdateIssue", "CreateComment", "UpdateComment"])
async def test_killed_when_a_write_was_made_and_its_answer_not_heard(place: Place, operation: str) -> None:
    async with SITES["linear"]() as site:
        assert isinstance(site, LinearSite)
        join(place, site)
        issue = site.add("A task", "rehearse: think 1\n" + TASK)
        await place.start()
        await place.until(lambda event: event["kind"] == "ticket.created")
        site.server.trouble("cut_after", times=1, on=operation)
        await until(lambda: site.server.requests[operation] > 0, f"{operation} was never asked")
        place.kill()
        site.calm()
        await place.start()
        await until(lambda: site.state(issue) == "Done", "done")
        await nothing_pending(place)
        assert_written_once(site, issue)


@pytest.mark.timeout(1800)
async def test_random_kills(place: Place, request: pytest.FixtureRequest) -> None:
    kills = request.config.getoption("--kills")
    seed = request.config.getoption("--seed") or random.SystemRandom().randrange(10**9)
    print(f"{kills} random kills, seed {seed}")
    dice = random.Random(seed)
    async with SITES["linear"]() as site:
        assert isinstance(site, LinearSite)
        join(place, site)
        issues: list[str] = []
        meddled: set[str] = set()
        for _ in range(kills):
            for _ in range(dice.choice((0, 1, 1, 2))):
                issues.append(site.add(f"Task {len(issues)}", TASK))
            if dice.random() < 0.3:
                site.server.trouble(dice.choice(("cut_before", "cut_after", "broken", "broken_after")), times=2)
            if issues and dice.random() < 0.3:
                meddled.add(_meddle(site, dice.choice(issues), dice))
            await place.start()
            await trio.sleep(dice.expovariate(1 / 0.5))  # the moment of a random kill is the very thing that is random
            place.kill()
        site.calm()
        await place.start()
        await place.until_over(*(site.key(each) for each in issues if each not in meddled), within=60 + 3 * len(issues))
        await nothing_pending(place)
        for each in issues:
            if each not in meddled:
                assert_written_once(site, each)
        for each in meddled:
            history = site.server.person.history.get(each, [])
            assert not [one for one, other in pairwise(history) if one == other], history
            assert len(site.comments(each)) <= 1
        assert await place.stop() == 0


def _meddle(site: LinearSite, issue: str, dice: random.Random) -> str:
    """A person does something to an issue, at whatever moment this is."""
    match dice.choice(("move", "edit", "close", "delete", "comment")):
        case "move":
            site.move(issue, BoardState.OPEN)
        case "edit":
            site.edit(issue, f"Edited {dice.random()}")
        case "close":
            site.move(issue, BoardState.CANCELLED)
        case "delete":
            site.delete(issue)
        case _:
            site.say(issue, "A person says something.")
    return issue
