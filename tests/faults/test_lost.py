"""The terminal server, an agent or a whole machine goes away: it is noticed, said, and made good."""

import os
import signal
import subprocess
from pathlib import Path

import trio

from tests.harness import Place


def server_pid(socket: Path) -> int:
    shown = subprocess.run(
        ["tmux", "-S", socket, "display-message", "-p", "#{pid}"], capture_output=True, text=True, check=True
    )
    return int(shown.stdout)


async def test_kill_9_of_the_tmux_server(place: Place) -> None:
    place.ticket("TASK-1", "attempt 1: hang forever", "say Done.")
    place.ticket("TASK-2", "attempt 1: hang forever", "say Done.")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    await place.until_journal("TASK-2", "prompt")
    [socket] = place.tmux_sockets_of_server()
    killed = trio.current_time()
    os.kill(server_pid(socket), signal.SIGKILL)
    lost = {(await place.until(lambda event, id=name: event["kind"] == "agent.lost" and event["ticket"] == id))["agent"]
            for name in ("TASK-1", "TASK-2")}  # fmt: skip
    noticed = trio.current_time() - killed
    print(f"lost seen after {noticed * 1000:.0f} ms")
    assert noticed < 1.0
    assert lost == {"TASK-1~1", "TASK-2~1"}
    agents = {each["id"]: each for each in (await place.get("/agents"))["agents"]}
    assert agents["TASK-1~1"]["state"]["name"] == "lost"
    assert agents["TASK-1~1"]["state"]["evidence"]
    assert await place.until_over("TASK-1", "TASK-2") == {"TASK-1": "done", "TASK-2": "done"}
    ticket = await place.get("/tickets/TASK-1")
    assert (ticket["launches"], ticket["attempts"]) == (2, 0)


async def test_tmux_server_gone_while_no_daemon_ran(place: Place) -> None:
    place.ticket("TASK-1", "attempt 1: hang forever", "say Done.")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    place.kill()
    [socket] = place.tmux_sockets_of_server()
    os.kill(server_pid(socket), signal.SIGKILL)
    await place.start()
    await place.until(lambda event: event["kind"] == "agent.lost")
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}


async def test_an_agent_killed_by_signal_is_seen_at_once(place: Place) -> None:
    place.ticket("TASK-1", "attempt 1: hang forever", "say Done.")
    await place.start()
    entry = await place.until_journal("TASK-1", "prompt")
    assert entry["n"] == 1
    pid = place.journal("TASK-1")[0]["pid"]
    async with place.events(since=(await place.get("/status"))["head"]) as stream:
        before = trio.current_time()
        os.kill(pid, signal.SIGKILL)
        async for event in stream:
            if event["kind"] == "agent.exited":
                break
        print(f"exit seen after {(trio.current_time() - before) * 1000:.0f} ms")
    assert event["data"]["evidence"] == "signal 9"
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    assert (await place.get("/tickets/TASK-1"))["attempts"] == 1
