"""The rehearsal agent calls its hooks as Claude Code does, obeys what decides, and is never held up by the rest."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.clients.rehearsal.listener import EVENTS, Launch, Listener, gate, response, verdict
from tests.unit.clients.rehearsal.stage import DEADLINE, PROGRAM, Rehearsal, framed

BASE = {"session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id"}
KEYS = {
    "UserPromptSubmit": {"permission_mode", "prompt"},
    "PreToolUse": {"permission_mode", "tool_name", "tool_input", "tool_use_id"},
    "PostToolUse": {
        "permission_mode", "tool_name", "tool_input", "tool_use_id", "tool_response", "duration_ms",
    },
    "PostToolUseFailure": {
        "permission_mode", "tool_name", "tool_input", "tool_use_id", "error", "is_interrupt", "duration_ms",
    },
    "Stop": {
        "permission_mode", "stop_hook_active", "last_assistant_message", "background_tasks", "session_crons",
    },
}  # fmt: skip


def test_a_turn_is_told_from_its_prompt_to_its_end(launch: Launch, repository: Path, home: Path) -> None:
    agent = launch().ready()
    agent.play("write a.txt one", "append a.txt two", "run echo out; exit 3", "run echo out", "commit It", "say a\\nb")
    tools = ["PreToolUse", "PostToolUse"]
    failed = ["PreToolUse", "PostToolUseFailure"]
    assert agent.names() == ["UserPromptSubmit", *tools, *tools, *failed, *tools, *tools, "Stop"]
    payloads = [hook.payload for hook in agent.listener.hooks]
    for payload in payloads:
        assert payload.keys() == BASE | KEYS[payload["hook_event_name"]]
        assert payload["cwd"] == str(repository)
        assert payload["transcript_path"] == str(home / ".rehearsal" / f"{payload['session_id']}.jsonl")
        assert payload["permission_mode"] == "default"
    assert len({payload["session_id"] for payload in payloads}) == 1
    used = [payload for payload in payloads if "tool_use_id" in payload]
    assert [payload["tool_name"] for payload in used[::2]] == ["Write", "Edit", "Bash", "Bash", "Bash"]
    assert [payload["tool_use_id"] for payload in used[::2]] == [payload["tool_use_id"] for payload in used[1::2]]
    assert used[0]["tool_input"] == {"file_path": str(repository / "a.txt"), "content": "one\n"}
    assert used[2]["tool_input"]["new_string"] == "two\n"
    assert used[5]["error"] == "Exit code 3\nout"
    assert used[7]["tool_response"]["stdout"] == "out"
    assert used[8]["tool_input"]["command"] == "git add -A && git commit -m 'It'"
    stop = payloads[-1]
    assert (stop["stop_hook_active"], stop["last_assistant_message"]) == (False, "a\nb")
    assert agent.listener.hooks[0].headers["Authorization"] == "Bearer secret"
    assert agent.told()[2:4] == ["Exit code 3\nout", "out"]


def test_the_prompt_is_told_as_a_terminal_would_leave_it(launch: Launch) -> None:
    agent = launch().ready()
    agent.send(framed("  one\r\ttwo\nthree  ") + b"\r")
    assert agent.hook("UserPromptSubmit").payload["prompt"] == "  one\n    two\nthree  "


def test_a_held_hook_does_not_hold_the_terminal(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    agent.listener.held = {"PreToolUse"}
    agent.prompt("write a.txt x")
    hook = agent.hook("PreToolUse")
    agent.send(b"typed meanwhile")
    agent.sees("typed meanwhile")
    titles = len(agent.titles())
    agent.until(lambda: len(agent.titles()) > titles + 1)  # the spinner turns
    assert not (repository / "a.txt").exists()
    hook.answer({})
    agent.hook("Stop")
    assert (repository / "a.txt").exists()


@pytest.mark.parametrize("event", ["UserPromptSubmit", "PreToolUse", "Stop"])
def test_esc_interrupts_a_turn_whose_hook_is_held_and_fires_none(launch: Launch, event: str) -> None:
    agent = launch().ready()
    agent.listener.held = {event}
    agent.prompt("run echo x")
    hook = agent.hook(event)
    agent.send(b"\x1b")
    agent.until(lambda: hook.closed)
    assert agent.event("turn-end")["outcome"] == "interrupted"
    agent.ready()
    assert agent.names()[-1] == event
    agent.listener.held = set()
    agent.play("say on")
    assert agent.names()[-2:] == ["UserPromptSubmit", "Stop"]


def test_a_tool_is_refused_before_its_use(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    agent.listener.answers["PreToolUse"] = gate("deny", permissionDecisionReason="not\nthis “one”")
    agent.play("write a.txt x", "say went on")
    assert not (repository / "a.txt").exists()
    assert agent.told() == ["not\nthis “one”"]
    assert agent.names() == ["UserPromptSubmit", "PreToolUse", "Stop"]


def test_a_hook_before_a_tool_may_change_it_or_have_it_asked_about(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    agent.listener.answers["PreToolUse"] = gate("allow", updatedInput={"command": "echo changed"})
    agent.play("permission echo x")
    assert agent.told() == ["changed"]
    assert "PermissionRequest" not in agent.names()
    agent.listener.answers = {"PreToolUse": gate("ask"), "PermissionRequest": verdict("deny", message="no")}
    agent.play("write a.txt x")
    assert agent.hook("PermissionRequest").payload["tool_name"] == "Write"
    assert agent.told() == ["changed", "no"]
    assert not (repository / "a.txt").exists()


def test_a_prompt_is_blocked_or_gets_a_message_added(launch: Launch) -> None:
    agent = launch().ready()
    agent.listener.answers["UserPromptSubmit"] = {"decision": "block", "reason": "not now"}
    assert agent.play("say no")["outcome"] == "blocked"
    agent.sees("not now")
    assert agent.names() == ["UserPromptSubmit"]
    output = {"hookEventName": "UserPromptSubmit", "additionalContext": "mind the gap"}
    agent.listener.answers["UserPromptSubmit"] = {"hookSpecificOutput": output}
    agent.play("say yes")
    assert agent.told() == ["mind the gap"]


def test_a_stop_hook_that_blocks_makes_the_turn_go_on(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    agent.listener.held = {"Stop"}
    agent.prompt("say one")
    agent.hook("Stop").answer({"decision": "block", "reason": "More.\nrehearse: write more.txt x"})
    second = agent.hook("Stop", 2)
    assert second.payload["stop_hook_active"] is True
    assert (repository / "more.txt").exists()
    second.answer({})
    assert agent.event("turn-end")["outcome"] == "done"


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_with_nobody_listening_all_goes_on_at_once(launch: Launch, tmp_path: Path, repository: Path) -> None:
    url = f"http://127.0.0.1:{refused_port()}/hook"
    path = tmp_path / "closed.json"
    path.write_text(json.dumps({"hooks": {event: [{"hooks": [{"type": "http", "url": url}]}] for event in EVENTS}}))
    agent = launch(settings=str(path)).ready()
    agent.play("write a.txt x", "say on")
    assert (repository / "a.txt").exists()
    assert {event["outcome"] for event in agent.events("hook")} == {"refused"}
    agent.prompt("permission touch made")
    agent.event("dialog")
    agent.send(b"1")
    agent.until(lambda: (repository / "made").exists())
    agent.ready()
    agent.send(b"/exit\r")
    assert agent.ended() == 0


NO_OPINION: dict[str, bytes] = {
    "500": response(verdict("allow"), 500),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "not JSON": response(b"allow"),
    "empty": response(b""),
    "nothing": response({}),
    "a list": response(b"[]"),
    "not HTTP": b"SSH-2.0-x\r\n\r\n",
    "cut": response(verdict("allow"))[:-3],
    "no event name": response({"hookSpecificOutput": {"decision": {"behavior": "allow"}}}),
    "maybe": response(verdict("maybe")),
    "a message that is none": response(verdict("deny", message=7)),
    "block": response({"decision": "block", "reason": "no"}),
    "continue": response({"continue": False}),
    "another event's": response(gate("allow")),
    "FIN": b"",
}


@pytest.mark.parametrize("answer", NO_OPINION)
def test_what_is_no_decision_leaves_the_dialog_to_the_person(launch: Launch, repository: Path, answer: str) -> None:
    agent = launch().ready()
    agent.listener.held = {"PermissionRequest"}
    agent.prompt("permission touch made")
    agent.hook("PermissionRequest").raw(NO_OPINION[answer])
    agent.until(lambda: any(event["name"] == "PermissionRequest" for event in agent.events("hook")))
    agent.send(b"x")
    agent.event("dialog-key")
    assert not agent.events("dialog-end")
    assert not (repository / "made").exists()
    agent.send(b"1")
    agent.hook("Stop")
    assert (repository / "made").exists()


def test_a_reset_and_a_timeout_fail_open_to_the_person(launch: Launch, listener: Listener, tmp_path: Path) -> None:
    settings = listener.settings(tmp_path / "short.json", "PermissionRequest", timeout=0.3)
    listener.held = {"PermissionRequest"}
    agent = launch(settings=settings).ready()
    agent.prompt("permission echo x")
    agent.hook("PermissionRequest").raw(b"", reset=True)
    agent.event("dialog")
    agent.send(b"1")
    agent.event("turn-end")
    agent.prompt("permission echo y")
    second = agent.hook("PermissionRequest", 2)
    agent.until(lambda: second.closed)
    agent.send(b"1")
    agent.event("turn-end", 2)
    assert [event["outcome"] for event in agent.events("hook")] in (["reset", "timeout"], ["closed", "timeout"])
    assert agent.told() == ["x", "y"]


def test_answers_in_chunks_and_without_a_length_are_understood(launch: Launch) -> None:
    agent = launch().ready()
    agent.listener.held = {"PermissionRequest"}
    body = json.dumps(verdict("deny", message="no, in pieces")).encode()
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 9]), body[i : i + 9]) for i in range(0, len(body), 9))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    until_closed = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + body
    for count, data in enumerate((chunked, until_closed), 1):
        agent.prompt("permission echo x")
        agent.hook("PermissionRequest", count).raw(data)
        agent.event("turn-end", count)
    assert agent.told() == ["no, in pieces"] * 2


def test_of_two_hooks_the_first_decision_counts_and_no_opinion_is_none(
    launch: Launch, listener: Listener, tmp_path: Path
) -> None:
    settings = json.loads(Path(listener.settings(tmp_path / "two.json", "PermissionRequest")).read_text())
    settings["hooks"]["PermissionRequest"] *= 3
    (tmp_path / "two.json").write_text(json.dumps(settings))
    listener.held = {"PermissionRequest"}
    agent = launch(settings=str(tmp_path / "two.json")).ready()
    agent.prompt("permission echo x")
    agent.until(lambda: len(listener.hooks) == 3)
    first, second, third = listener.hooks
    first.answer({})
    second.answer(verdict("deny", message="the second says no"))
    agent.event("turn-end")
    third.answer(verdict("allow"))
    agent.until(lambda: len(agent.events("hook")) == 3)
    assert agent.told() == ["the second says no"]
    assert agent.events("hook")[-1]["late"] is True


def test_matchers_choose_by_tool_and_by_kind(launch: Launch, listener: Listener, tmp_path: Path) -> None:
    settings = listener.settings(tmp_path / "m.json", "PreToolUse", "Stop", matcher="Edit|Wri.*")
    agent = launch(settings=settings).ready()
    agent.play("write a x", "append a y", "run echo x")
    assert [hook.payload["tool_name"] for hook in listener.named("PreToolUse")] == ["Write", "Edit"]


@pytest.mark.parametrize(
    ("how", "reason"), [("/exit", "prompt_input_exit"), ("\x03\x03", "prompt_input_exit"), ("verb", "other"),
                        ("SIGHUP", "other"), ("SIGTERM", "other")]
)  # fmt: skip
def test_the_end_of_the_session_is_told(launch: Launch, how: str, reason: str) -> None:
    agent = launch().ready()
    sessions = agent.files / "sessions"
    assert len(list(sessions.iterdir())) == 1
    if how.startswith("SIG"):
        agent.process.send_signal(getattr(signal, how))
    elif how == "verb":
        agent.prompt("exit")
    else:
        agent.send(f"{how}\r".encode() if how == "/exit" else how.encode())
    status = agent.ended()
    assert status == (-getattr(signal, how) if how.startswith("SIG") else 0)
    assert agent.names()[-1] == "SessionEnd"
    assert agent.listener.hooks[-1].payload["reason"] == reason
    assert list(sessions.iterdir()) == []
    assert (b"--resume" in agent.output) == (reason != "other")


def test_a_held_farewell_does_not_hold_the_end(launch: Launch) -> None:
    agent = launch().ready()
    agent.listener.held = {"SessionEnd"}
    agent.send(b"/exit\r")
    assert agent.ended() == 0
    agent_hook = agent.listener.named("SessionEnd")[0]
    assert agent_hook.payload["reason"] == "prompt_input_exit"


def test_of_a_kill_only_the_status_file_is_left(launch: Launch) -> None:
    agent = launch().ready()
    agent.prompt("hang forever")
    agent.hook("UserPromptSubmit")
    agent.until(lambda: agent.titles()[-1].startswith("⠂"))
    agent.process.kill()
    assert agent.ended() == -signal.SIGKILL
    assert agent.names() == ["UserPromptSubmit"]
    assert agent.status()["status"] == "busy"


def command(path: Path, **commands: str) -> str:
    """A settings file in which these events run programs."""
    hooks = {
        name: [{"hooks": [{"type": "command", "command": text, "timeout": 60}]}] for name, text in commands.items()
    }
    path.write_text(json.dumps({"hooks": hooks}))
    return str(path)


def test_programs_are_told_by_their_input_and_answer_by_their_output(launch: Launch, tmp_path: Path) -> None:
    allow = json.dumps(verdict("deny", message="said a program"))
    settings = command(
        tmp_path / "c.json",
        SessionStart=f"cat >>{tmp_path}/began; echo $CLAUDE_CODE_SESSION_ID >>{tmp_path}/began",
        PermissionRequest=f"cat >>{tmp_path}/asked; echo '{allow}'",
        Stop="exit 7",
    )
    agent = launch(settings=settings).ready()
    agent.play("permission echo x", "say on")
    agent.event("hook", 3)
    began, session = (tmp_path / "began").read_text().rsplit("}", 1)
    payload = json.loads(began + "}")
    assert payload.keys() == BASE - {"prompt_id"} | {"source"}
    assert (payload["source"], payload["session_id"]) == ("startup", session.strip())
    assert json.loads((tmp_path / "asked").read_text())["tool_input"]["command"] == "echo x"
    assert agent.told() == ["said a program"]
    assert {event["name"]: event["outcome"] for event in agent.events("hook")} == {
        "SessionStart": "answered", "PermissionRequest": "answered", "Stop": "exit 7",
    }  # fmt: skip


def test_a_session_start_is_never_posted(launch: Launch) -> None:
    agent = launch().ready()
    agent.play("say x")
    assert "SessionStart" not in agent.names()


@pytest.mark.parametrize("key", ["3", "1"])
def test_a_program_is_ended_by_a_no_and_left_alone_by_a_yes(launch: Launch, tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "gate")
    held = f"trap 'echo ended >>{tmp_path}/said; exit' TERM; echo $$ >{tmp_path}/pid; read x <{tmp_path}/gate; exit 2"
    agent = launch(settings=command(tmp_path / "c.json", PermissionRequest=held)).ready()
    agent.prompt("permission echo x")
    agent.event("dialog")
    agent.until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    agent.send(key.encode())
    agent.event("turn-end")
    pid = int((tmp_path / "pid").read_text())
    if key == "3":
        assert agent.event("hook")["outcome"] == "abandoned"
        agent.until(lambda: (tmp_path / "said").exists())
    else:
        os.kill(pid, 0)
        descriptor = os.open(tmp_path / "gate", os.O_WRONLY)
        os.write(descriptor, b"go\n")
        os.close(descriptor)
        assert agent.event("hook")["outcome"] == "exit 2"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("[", "Expecting"),
        ("[]", "not an object"),
        ('{"hooks": {"Stop": [{"hooks": [{"type": "http"}]}]}}', "of type http with a url"),
        ('{"hooks": {"Stop": [{"hooks": [{"type": "http", "url": "https://127.0.0.1/"}]}]}}', "not an http URL"),
        ('{"hooks": {"Stop": [{"hooks": [{"type": "http", "url": "http://example.org/"}]}]}}', "not an http URL"),
        ('{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x", "timeout": 0}]}]}}', "above 0"),
        ('{"hooks": {"Stop": [{"matcher": "(", "hooks": [{"type": "command", "command": "x"}]}]}}', "matcher"),
    ],
)
def test_settings_that_it_cannot_use_are_refused(repository: Path, tmp_path: Path, settings: str, problem: str) -> None:
    (tmp_path / "s.json").write_text(settings)
    agent = Rehearsal(repository, "--settings", str(tmp_path / "s.json"), home=tmp_path)
    try:
        assert agent.ended() == 2
        assert problem.encode() in agent.output
    finally:
        agent.close()


def test_a_timeout_that_overflows_is_none_at_all(launch: Launch, listener: Listener, tmp_path: Path) -> None:
    listener.held = {"Stop"}
    agent = launch(settings=listener.settings(tmp_path / "s.json", "Stop", timeout=2147484)).ready()
    agent.play("say x")
    assert agent.events("hook")[0]["outcome"] == "timeout"


def test_nothing_is_loaded_that_only_hooks_need(repository: Path) -> None:
    command = [sys.executable, "-S", "-X", "importtime", PROGRAM, "--help"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=DEADLINE)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    ours = "clients.cli.demo.rehearsal"
    assert f"{ours}.agent" in loaded
    heavy = {"dataclasses", "http", "inspect", "socket", "subprocess", "threading", "typing", "urllib", "uuid"}
    assert not loaded & {*heavy, f"{ours}.answers", f"{ours}.post", f"{ours}.program", f"{ours}.settings"}
