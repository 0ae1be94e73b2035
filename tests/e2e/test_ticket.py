"""One ticket, truly: from a board file to finished work, through every room, as a person and a client see it."""

import hashlib
import json
import os
import subprocess

import pytest
import trio

from tests.harness import Place

EVERY_CLASS = "tab\there, quotes ' \" `, $HOME $(x) ;;; \\ back, ümläut, 漢字, 👩‍💻, اَلْعَرَبِيَّةُ, é, #{pid} %0 ~ !\n\nlast;"


async def test_from_a_board_file_to_finished_work(place: Place) -> None:
    place.ticket("TASK-1", "think 0.1", "write hello.txt Hello", "commit Say hello", title="Say hello")
    await place.start()
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    assert place.git("show", "operator/TASK-1:hello.txt") == "Hello\n"
    await place.until(lambda event: event["kind"] == "board.written" and event["data"]["write"] == "done")
    assert [path.name for path in (place.board / "completed").iterdir()] == ["TASK-1.md"]
    assert "status: done" in (place.board / "completed" / "TASK-1.md").read_text()
    ticket = await place.get("/tickets/TASK-1")
    assert (ticket["status"], ticket["branch"], ticket["no_changes"]) == ("done", "operator/TASK-1", False)
    retired = await place.until(lambda event: event["kind"] == "agent.retired")
    assert retired["agent"] == "TASK-1~1"
    assert not place.agent_pids() or all(pid != place.journal("TASK-1")[0]["pid"] for pid in place.agent_pids())


async def test_a_failed_attempt_is_tried_again_in_the_same_worktree(place: Place) -> None:
    place.ticket("TASK-1", "attempt 1: write half.txt half", "attempt 1: crash 3", "commit Finish")
    await place.start()
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    ticket = await place.get("/tickets/TASK-1")
    assert (ticket["attempts"], ticket["launches"]) == (1, 2)
    assert place.git("show", "operator/TASK-1:half.txt") == "half\n"


async def test_no_attempt_is_left(place: Place) -> None:
    place.ticket("TASK-1", "crash 3")
    await place.start()
    assert await place.until_over("TASK-1") == {"TASK-1": "failed"}
    ticket = await place.get("/tickets/TASK-1")
    assert ticket["attempts"] == 3
    assert "exit 3" in ticket["reason"]


async def test_pause_stops_launches_and_survives_a_restart(place: Place) -> None:
    await place.start()
    answer = await place.post("/queue/pause", {"reason": "lunch"})
    assert answer.json()["paused"] is True
    place.kill()
    place.ticket("TASK-1", "say Done.")
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.created")
    status = await place.get("/status")
    assert (status["paused"], status["pause_reason"]) == (True, "lunch")
    assert (await place.get("/tickets/TASK-1"))["status"] == "queued"
    await place.post("/queue/resume")
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}


async def test_a_second_launch_gets_409_with_the_holder(place: Place) -> None:
    place.ticket("TASK-1", "hang forever")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    answer = await place.post("/tickets/TASK-1/launch")
    assert answer.status_code == 409
    assert answer.json()["code"] == "ticket_taken"
    assert "TASK-1~1" in answer.text


async def test_a_prompt_arrives_with_every_byte_and_to_the_dead_is_refused(place: Place) -> None:
    place.ticket("TASK-1", "attempt 1: say Ready.", front="labels: []\n")
    extra = '\n[types.PAIR]\nmode = "paired"\nsteps = [{ name = "sit", prompt = "{{ ticket.body }}" }]\n'
    place.config.write_text(place.config.read_text() + extra)
    path = place.board / "queue" / "TASK-1.md"
    path.write_text(path.read_text().replace("type: TASK", "type: PAIR"))
    await place.start()
    await place.until_journal("TASK-1", "turn-end")
    await place.until(lambda event: event["kind"] == "delivery.delivered")
    big = (EVERY_CLASS + "\n") * (200 * 1024 // len(EVERY_CLASS.encode()))
    escape = "before \x1b[201~rm -rf\r\x03 after"
    for text, arrives in ((EVERY_CLASS, EVERY_CLASS), (big, big), (escape, "before [201~rm -rf\n after")):
        answer = await place.post("/agents/TASK-1/prompt", {"text": text})
        assert answer.status_code in (200, 202), answer.text
        expected = hashlib.sha256(arrives.encode()).hexdigest()
        arrived = ("prompt", expected)
        await place.until_journal_has("TASK-1", lambda e, want=arrived: (e["event"], e.get("sha256")) == want)
    counted = [entry["event"] for entry in place.journal("TASK-1")]
    assert counted.count("prompt") == 4
    assert "key" not in counted
    os.kill(place.journal("TASK-1")[0]["pid"], 9)
    await place.until(lambda event: event["kind"] == "agent.exited")
    refused = await place.post("/agents/TASK-1~1/prompt", {"text": "are you there?"})
    assert (refused.status_code, refused.json()["code"]) == (409, "session_gone"), refused.text


async def test_sigterm_with_stalled_subscribers(place: Place) -> None:
    place.ticket("TASK-1", "hang forever")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    pid = place.journal("TASK-1")[0]["pid"]
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            await nursery.start(stall, place)
        before = trio.current_time()
        assert await place.stop() == 0
        took = trio.current_time() - before
        nursery.cancel_scope.cancel()
    print(f"stopped after {took * 1000:.0f} ms")
    assert took < 2.0
    os.kill(pid, 0)  # the agent lives on
    await place.start()
    agent = await place.get("/agents/TASK-1~1")
    assert agent["state"]["name"] == "running"


async def stall(place: Place, *, task_status: trio.TaskStatus[None]) -> None:
    """A subscriber that never reads a byte, not even the answer to its handshake."""
    port = int(place.stream_url.rsplit(":", 1)[1])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(
            b"GET /api/v1/activity?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + place.token.encode() + b"\r\n\r\n"
        )
        task_status.started()
        await trio.sleep_forever()


async def test_secrets_stay_out_of_agents(place: Place) -> None:
    place.env |= {"OPERATOR_TOKEN": "hush-1", "CLAUDECODE": "1", "TMUX": "/tmp/x,1,0"}
    place.ticket("TASK-1", "run env", "hang forever")
    await place.start()
    await place.until_journal("TASK-1", "run")
    pid = place.journal("TASK-1")[0]["pid"]
    with open(f"/proc/{pid}/environ", "rb") as file:
        seen = file.read()
    assert b"OPERATOR_TOKEN" not in seen
    assert b"CLAUDECODE" not in seen
    assert b"TMUX=" not in seen
    assert b"OPERATOR_TICKET=TASK-1" in seen
    for word in ("hush-1", place.token):
        assert word not in place.log_tail()
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        assert word not in listed.stdout


async def test_a_second_daemon_is_refused(place: Place) -> None:
    await place.start()
    second = subprocess.run(
        [*place.serve_command()], env=place.env, cwd=place.root, capture_output=True, text=True, check=False, timeout=20
    )
    assert second.returncode == 1
    assert "another daemon" in second.stderr


async def test_blocked_and_parked_tickets_say_why(place: Place) -> None:
    place.ticket("TASK-2", "say Two.", front="blocked_by: [TASK-1]\n")
    place.ticket("TASK-3", "say Three.", front="project: nowhere\n")
    await place.start()
    await place.until(lambda event: event["kind"] == "ticket.created" and event["ticket"] == "TASK-3")
    two, three = [(await place.get(f"/tickets/{each}")) for each in ("TASK-2", "TASK-3")]
    assert (two["status"], "TASK-1" in two["reason"]) == ("parked", True)
    assert (three["status"], "nowhere" in three["reason"]) == ("parked", True)
    place.ticket("TASK-1", "say One.")
    assert await place.until_over("TASK-1", "TASK-2") == {"TASK-1": "done", "TASK-2": "done"}


@pytest.mark.parametrize("verb", ["cancel", "done"])
async def test_a_person_ends_a_running_ticket(place: Place, verb: str) -> None:
    place.ticket("TASK-1", "refuse", "hang forever")
    await place.start()
    await place.until_journal("TASK-1", "refuse")
    answer = await place.post(f"/tickets/TASK-1/{verb}")
    assert answer.status_code == 200, answer.text
    await place.until(lambda event: event["kind"] == "agent.retired")
    assert not place.agent_pids() or place.journal("TASK-1")[0]["pid"] not in place.agent_pids()
    assert json.loads(answer.text)["status"] in ("cancelled", "done")
