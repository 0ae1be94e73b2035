"""A whole daemon whose agents live in pty hosts: there is no tmux, and nothing is lost when anything dies."""

import json
import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.fakes.session_places import is_alive
from tests.harness import Place


@pytest.fixture
def hosted() -> Iterator[Place]:
    """A place without tmux on its PATH."""
    made = Place(backend="auto")
    programs = made.root / "bin"
    programs.mkdir()
    for name in ("git", "sh", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    made.env["PATH"] = str(programs)
    try:
        yield made
    finally:
        made.close()
    assert not made.agent_pids()
    assert not made.host_pids()


async def test_a_ticket_is_done_without_any_tmux(hosted: Place) -> None:
    hosted.ticket("TASK-1", "think 0.1", "write hello.txt Hello", "commit Say hello")
    await hosted.start()
    assert await hosted.until_over("TASK-1") == {"TASK-1": "done"}
    assert hosted.git("show", "operator/TASK-1:hello.txt") == "Hello\n"
    (agent,) = (await hosted.get("/agents"))["agents"]
    assert agent["backend"] == "vscode"
    status = await hosted.get("/status")
    assert [(each["name"], each["ok"]) for each in status["backends"]] == [("vscode", True)]
    assert "ptyhost" in " ".join((await hosted.get(f"/agents/{agent['id']}/attach"))["argv"])
    assert not hosted.tmux_sockets()


async def test_agents_and_their_turns_survive_kill_9_of_the_daemon(hosted: Place) -> None:
    hosted.ticket("TASK-1", "think 1.5", "write hello.txt Hello", "commit Say hello")
    await hosted.start()
    await hosted.until_journal("TASK-1", "prompt")
    hosted.kill()
    await hosted.start()
    assert await hosted.until_over("TASK-1") == {"TASK-1": "done"}
    prompts = [entry for entry in hosted.journal("TASK-1") if entry["event"] == "prompt"]
    starts = [entry for entry in hosted.journal("TASK-1") if entry["event"] == "start"]
    assert (len(prompts), len(starts)) == (1, 1)


async def test_a_host_that_is_killed_costs_a_launch_and_no_attempt(hosted: Place) -> None:
    hosted.ticket("TASK-1", "attempt 1: think 60", "attempt 2: think 60", "commit Nothing")
    await hosted.start()
    await hosted.until_journal("TASK-1", "prompt")
    (record,) = hosted.state.glob("hosts/*/record")
    said = json.loads(record.read_text())
    os.kill(said["host"], signal.SIGKILL)
    lost = await hosted.until(lambda event: event["kind"] == "agent.lost", within=10.0)
    assert "pty host" in lost["data"]["evidence"]
    assert "ended with it" in lost["data"]["evidence"]
    assert not is_alive(said["pid"])
    await hosted.until(lambda event: event["kind"] == "agent.running" and event["agent"] == "TASK-1~2")
    assert (await hosted.get("/tickets/TASK-1"))["attempts"] == 0
