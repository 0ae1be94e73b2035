"""kill -9 of the daemon while agents work: nothing is launched, typed or entered twice, and nothing is lost."""

import random
import subprocess
from collections import Counter

import pytest
import trio

from tests.harness import Event, Place

SCRIPT = ("think 0.4", "append work.txt {name}\\n", "commit Work on {name}", "think 0.2", "say Done.")


def put(place: Place, name: str) -> None:
    place.ticket(name, *(line.format(name=name) for line in SCRIPT))


def assert_worked_once(place: Place, name: str) -> None:
    """What the agent itself counted: one start, one paste, one prompt, no stray key; and one commit of it."""
    counted = Counter(entry["event"] for entry in place.journal(name))
    [prompt] = [entry for entry in place.journal(name) if entry["event"] == "prompt"]
    pasted = [entry["sha256"] for entry in place.journal(name) if entry["event"] == "paste"]
    story = [(entry["event"], entry.get("text", "")[:60]) for entry in place.journal(name)]
    assert counted["start"] == 1, (name, story)
    assert pasted.count(prompt["sha256"]) == 1, (name, story)
    assert len(pasted) <= 2, (name, story)  # the other one is the `/exit` that ends it
    assert counted["enter-empty"] == counted["key"] == counted["interrupt"] == 0, (name, story)
    assert place.git("log", "--format=%s", f"main..operator/{name}").splitlines() == [f"Work on {name}"]


async def assert_all_true(place: Place, names: list[str]) -> None:
    for name in names:
        ticket = await place.get(f"/tickets/{name}")
        assert (ticket["status"], ticket["launches"], ticket["attempts"]) == ("done", 1, 0), ticket
        assert_worked_once(place, name)
    await place.until(lambda event: event["kind"] == "board.written" and event["data"]["write"] == "done")
    seqs = [event["seq"] for event in await everything(place)]
    assert seqs == list(range(1, len(seqs) + 1))


async def everything(place: Place) -> list[Event]:
    found: list[Event] = []
    head = (await place.get("/status"))["head"]
    async with place.events() as stream:
        async for event in stream:
            found.append(event)
            if event["seq"] >= head:
                return found
    return found


STAGES = ("ticket.created", "ticket.launching", "agent.planned", "agent.prepared", "agent.starting", "agent.idle",
          "step.started", "delivery.submitted", "ticket.running", "agent.running", "step.done", "ticket.done",
          "agent.ending", "agent.retired")  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_right_after_a_stage_was_said(place: Place, stage: str) -> None:
    put(place, "TASK-1")
    await place.start()
    await place.until(lambda event: event["kind"] == stage and event["ticket"] == "TASK-1")
    place.kill()
    await place.start()
    await place.until_over("TASK-1")
    await assert_all_true(place, ["TASK-1"])


@pytest.mark.parametrize("moment", ["start", "paste", "prompt", "commit", "turn-end"])
async def test_killed_at_a_moment_the_agent_itself_saw(place: Place, moment: str) -> None:
    put(place, "TASK-1")
    await place.start()
    await place.until_journal("TASK-1", moment)
    place.kill()
    await place.start()
    await place.until_over("TASK-1")
    await assert_all_true(place, ["TASK-1"])


async def test_turns_that_end_while_no_daemon_runs_are_seen(place: Place) -> None:
    put(place, "TASK-1")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    place.kill()
    await place.until_journal("TASK-1", "turn-end")
    await place.start()
    await place.until_over("TASK-1")
    await assert_all_true(place, ["TASK-1"])


async def test_an_agent_that_ends_while_no_daemon_runs_is_seen_with_its_status(place: Place) -> None:
    place.ticket("TASK-1", "think 0.5", "attempt 1: crash 7", "say Better.")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    place.kill()
    await place.until_journal("TASK-1", "exit")
    await place.start()
    exited = await place.until(lambda event: event["kind"] == "agent.exited")
    assert exited["data"]["evidence"] == "exit 7"
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}


@pytest.mark.timeout(1800)
async def test_random_kills(place: Place, request: pytest.FixtureRequest) -> None:
    kills = request.config.getoption("--kills")
    seed = request.config.getoption("--seed") or random.SystemRandom().randrange(10**9)
    print(f"{kills} random kills, seed {seed}")
    dice = random.Random(seed)
    names: list[str] = []
    for _ in range(kills):
        for _ in range(dice.choice((0, 1, 1, 2))):
            names.append(f"TASK-{len(names) + 1}")
            put(place, names[-1])
        await place.start()
        await trio.sleep(dice.expovariate(1 / 0.4))  # the moment of a random kill is the very thing that is random
        place.kill()
    await place.start()
    await place.until_over(*names, within=60 + 3 * len(names))
    await assert_all_true(place, names)
    assert subprocess.run(["git", "fsck", "--no-dangling"], cwd=place.repo, check=False).returncode == 0
    assert await place.stop() == 0
