"""The rehearsal agent's conversations, how their turns end, and what it says of itself meanwhile."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.unit.clients.rehearsal.listener import EVENTS, Launch, Listener
from tests.unit.clients.rehearsal.stage import IDLE, Rehearsal, Start, framed

UUID = "12345678-9abc-4def-8123-456789abcdef"


def test_a_conversation_goes_on_where_it_was(launch: Launch, home: Path) -> None:
    agent = launch("--session-id", UUID).ready()
    script = "rehearse: turn 1: say one\nrehearse: turn 2: say two"
    agent.send(framed(script) + b"\r")
    first = agent.hook("Stop").payload
    assert (first["session_id"], first["last_assistant_message"]) == (UUID, "one")
    lines = [json.loads(line) for line in Path(first["transcript_path"]).read_text().splitlines()]
    assert [(line["type"], line["text"]) for line in lines] == [("user", script), ("assistant", "one")]
    assert [link.read_bytes() for link in (home / ".rehearsal" / "projects").glob(f"*/{UUID}.jsonl")] == [
        Path(first["transcript_path"]).read_bytes()
    ]
    agent.ready()
    agent.process.kill()
    agent.ended()

    agent = launch("--resume", UUID).ready()
    assert agent.event("resume")["prompts"] == [script]
    agent.send(framed("And now?") + b"\r")
    second = agent.hook("Stop", 2).payload
    assert (second["session_id"], second["last_assistant_message"]) == (UUID, "two")
    assert agent.event("prompt", 2)["n"] == 2


def test_a_resumed_session_says_so(launch: Launch, tmp_path: Path) -> None:
    entry = {"type": "command", "command": f"cat >>{tmp_path}/began; echo >>{tmp_path}/began"}
    (tmp_path / "c.json").write_text(json.dumps({"hooks": {"SessionStart": [{"hooks": [entry]}]}}))
    for option in ("--session-id", "--resume"):
        agent = launch(option, UUID, settings=str(tmp_path / "c.json")).ready()
        agent.play("say x")
        agent.event("hook", 1 + (option == "--resume"))  # the program has ended
        agent.send(b"/exit\r")
        agent.ended()
    began = [json.loads(line) for line in (tmp_path / "began").read_text().splitlines()]
    assert [line["source"] for line in began] == ["startup", "resume"]


def test_an_id_that_is_taken_and_one_that_is_unknown_are_refused(launch: Launch) -> None:
    agent = launch("--session-id", UUID).ready()
    agent.send(b"/exit\r")  # nothing was said: there is no conversation yet
    agent.ended()
    agent = launch("--session-id", UUID).ready()
    agent.play("say x")
    taken = launch("--session-id", UUID)
    assert taken.ended() == 1
    assert b"already in use" in taken.output
    unknown = launch("--resume", UUID.replace("1", "0"))
    assert unknown.ended() == 1
    assert b"No conversation found" in unknown.output


@pytest.mark.parametrize(
    "options",
    [
        ["--session-id", "../../x"],
        ["--resume"],
        ["--permission-mode", "reckless"],
        ["--idle-after", "soon"],
        ["--session-id", UUID, "--resume", UUID],
        ["--settings", "/nowhere/s.json"],
    ],
)
def test_options_that_make_no_sense_are_refused(repository: Path, options: list[str]) -> None:
    agent = Rehearsal(repository, *options)
    try:
        assert agent.ended() == 2
    finally:
        agent.close()


def test_without_its_options_nothing_of_the_protocol_is_left(start: Start, repository: Path, home: Path) -> None:
    agent = start().ready()
    agent.play("write a.txt x", "run echo out", "ask Which? |", "background 0")
    assert not (repository / ".rehearsal").exists()
    assert {event["event"] for event in agent.events()} <= {
        "start", "paste", "prompt", "run", "problem", "background", "turn-end", "told",
    }  # fmt: skip
    assert all("ended" in event["text"] for event in agent.events("told"))


def test_the_status_file_follows_each_turn(launch: Launch, tmp_path: Path) -> None:
    agent = launch().ready()
    rest = agent.status()
    assert (rest["status"], rest["pid"]) == ("idle", agent.process.pid)
    agent.prompt(f"wait {tmp_path / 'go'}")
    agent.until(lambda: agent.titles()[-1] != IDLE)
    busy = agent.status()
    assert busy["status"] == "busy"
    assert busy["statusUpdatedAt"] >= rest["statusUpdatedAt"]
    agent.send(b"\x1b")
    agent.ready()
    assert agent.status()["status"] == "idle"
    assert [path.name for path in (agent.files / "sessions").iterdir()] == [f"{agent.process.pid}.json"]
    assert agent.names() == ["UserPromptSubmit"]


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("fail 400 bad request", "unknown", "API Error: 400 bad request"),
        ("fail server_error", "server_error", "API Error: server_error"),
        ("fail invalid_request too long", "invalid_request", "API Error: too long"),
        ("fail 429 3:30pm", "rate_limit", "You've hit your usage limit · resets 3:30pm"),
        ("fail 429 1795600000", "rate_limit", "Usage limit reached|1795600000"),
    ],
)
def test_an_error_ends_the_turn_with_a_hook_of_its_own(launch: Launch, line: str, error: str, message: str) -> None:
    agent = launch("--idle-after", "0.05").ready()
    assert agent.play(line, "say never")["outcome"] == "failed"
    payload = agent.hook("StopFailure").payload
    assert (payload["error"], payload["last_assistant_message"]) == (error, message)
    assert "permission_mode" not in payload
    assert b"never" not in agent.output.partition(b"say never")[2]
    agent.play("say on")
    agent.hook("Notification")
    assert agent.names() == ["UserPromptSubmit", "StopFailure", "UserPromptSubmit", "Stop", "Notification"]


def test_it_says_when_it_has_waited_for_a_prompt(launch: Launch) -> None:
    agent = launch("--idle-after", "0.05").ready()
    agent.play("say x")
    assert agent.hook("Notification").payload["notification_type"] == "idle_prompt"
    agent.play("say x")
    agent.hook("Notification", 2)
    assert agent.names() == ["UserPromptSubmit", "Stop", "Notification"] * 2


def test_it_does_not_say_so_when_a_prompt_came_in_time(launch: Launch) -> None:
    agent = launch("--idle-after", "1").ready()
    agent.play("say x")
    agent.play("think 1.1")
    assert agent.names() == ["UserPromptSubmit", "Stop"] * 2


def test_a_task_in_the_background_outlasts_its_turn(launch: Launch) -> None:
    agent = launch().ready()
    agent.play("background forever", "say started it")
    (task,) = agent.hook("Stop").payload["background_tasks"]
    assert (task["type"], task["status"]) == ("shell", "running")
    pid = agent.event("background")["pid"]
    assert os.getpgid(pid) == agent.process.pid
    assert agent.status()["status"] == "idle"
    os.kill(pid, signal.SIGTERM)
    assert agent.hook("Stop", 2).payload["background_tasks"] == []
    agent.event("turn-end", 2)
    assert task["id"] in agent.told()[-1]
    assert agent.names() == ["UserPromptSubmit", "Stop", "Stop"]


def test_prompts_that_come_while_it_speaks_share_one_turn(launch: Launch, tmp_path: Path) -> None:
    agent = launch().ready()
    agent.prompt(f"wait {tmp_path / 'go'}")
    agent.hook("UserPromptSubmit")
    agent.prompt("say two")
    agent.prompt("say three")
    assert agent.event("prompt", 3)["queued"] is True
    (tmp_path / "go").touch()
    assert agent.event("turn-end", 2)["n"] == 3
    names = ["UserPromptSubmit", "Stop", "UserPromptSubmit", "UserPromptSubmit", "Stop"]
    assert agent.names() == names
    assert agent.listener.hooks[-1].payload["last_assistant_message"] == "three"


def test_a_prompt_that_comes_while_a_tool_runs_joins_the_turn_without_a_hook(
    launch: Launch, repository: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    agent = launch().ready()
    agent.prompt(f"run read x <{tmp_path}/gate; echo $x", "say through")
    agent.sees("● Bash(read")
    agent.send(framed("Mind the gap.\nrehearse: write aside.txt x") + b"\r")
    assert agent.event("prompt", 2)["folded"] is True
    (tmp_path / "gate").write_text("open\n")
    agent.event("turn-end")
    agent.ready()
    result, aside, *_ = agent.told()
    assert result == "open"
    assert aside.endswith("Mind the gap.\nrehearse: write aside.txt x")
    assert (repository / "aside.txt").exists()
    assert agent.names().count("UserPromptSubmit") == agent.names().count("Stop") == 1


def test_a_prompt_that_came_for_an_interrupted_tool_gets_a_turn(launch: Launch) -> None:
    agent = launch().ready()
    agent.prompt("run exec sleep 1000")
    agent.sees("● Bash(exec")
    agent.send(framed("rehearse: say after all") + b"\r")
    agent.event("prompt", 2)
    agent.send(b"\x1b")
    assert agent.hook("Stop").payload["last_assistant_message"] == "after all"


def test_all_that_it_subscribes_to_is_called(launch: Launch, listener: Listener) -> None:
    """Every event of the settings but the one that is never posted."""
    agent = launch("--idle-after", "0").ready()
    listener.answers["PermissionRequest"] = {}
    agent.play("run exit 1")
    agent.hook("Notification")
    agent.prompt("permission echo x")
    agent.event("dialog")
    agent.send(b"1")
    agent.event("turn-end", 2)
    agent.play("fail x")
    agent.send(b"/exit\r")
    agent.ended()
    assert set(agent.names()) == set(EVENTS) - {"SessionStart"}
