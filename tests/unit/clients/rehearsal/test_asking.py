"""What the rehearsal agent asks is decided once: by its hook or by the person at its dialog, whoever is first."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from clients.cli.demo.rehearsal.dialogs import POINTER
from clients.cli.demo.rehearsal.screen import RULE
from tests.unit.clients.rehearsal.listener import Hook, Hooked, Json, Launch, gate, verdict
from tests.unit.clients.rehearsal.stage import BUSY, IDLE, Start, framed


def asked(agent: Hooked, *script: str) -> Hook:
    """Play a script up to its first question; its hook, held."""
    agent.listener.held = {"PermissionRequest"}
    agent.prompt(*script)
    hook = agent.hook("PermissionRequest")
    agent.event("dialog")
    return hook


def rows(agent: Hooked) -> str:
    return agent.output.rpartition("─".encode())[2].decode()


# Permissions


def test_a_permission_is_asked_on_the_screen_and_by_a_hook(launch: Launch) -> None:
    agent = launch().ready()
    payload = asked(agent, "permission touch made").payload
    (before,) = agent.listener.named("PreToolUse")
    assert "tool_use_id" not in payload
    assert (payload["tool_name"], payload["tool_input"]) == ("Bash", before.payload["tool_input"])
    assert payload["tool_input"]["command"] == "touch made"
    assert payload["permission_suggestions"][0]["rules"] == [{"toolName": "Bash", "ruleContent": "touch made"}]
    agent.until(lambda: "3. No" in rows(agent))
    assert f"{POINTER} 1. Yes\r\n   2. Yes" in rows(agent)
    assert agent.titles()[-2:] == [BUSY, IDLE]  # the title does not tell a question from rest
    status = agent.status()
    assert (status["status"], status["waitingFor"]) == ("waiting", "permission prompt")
    assert status["sessionId"] == payload["session_id"]
    agent.send(b"1")
    agent.until(lambda: BUSY in agent.titles()[-2:])
    agent.hook("Stop")
    agent.ready()
    assert agent.status()["status"] == "idle"
    assert "waitingFor" not in agent.status()


def test_a_hook_allows(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    hook = asked(agent, "permission echo made | tee made", "say went on")
    assert not (repository / "made").exists()
    hook.answer(verdict("allow"))
    agent.event("turn-end")
    agent.sees("Allowed by PermissionRequest hook")
    assert (repository / "made").exists()
    assert agent.told() == ["made"]
    assert agent.names() == ["UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop"]
    assert agent.event("dialog-end")["by"] == "hook"
    agent.ready()
    # The ten rows of the dialog are gone, the composer is back.
    assert agent.output.count(b"3. No\x1b]0;" + BUSY.encode() + b"\x07\x1b[9A\r\x1b[J\r\x1b[K") == 1
    rule = RULE[:39]  # of 40 columns
    assert agent.output.decode().endswith(f"{rule}\r\n{POINTER} \r\n{rule}")


REASON = "No — not\nso.\t“Quoted”\r\n" + "ü" * 20_000


def test_a_hook_denies_and_its_reason_arrives_once_and_exactly(launch: Launch, repository: Path) -> None:
    agent = launch().ready()
    asked(agent, "permission touch made", "say went on").answer(verdict("deny", message=REASON, extra=1))
    assert agent.event("turn-end")["outcome"] == "done"
    (told,) = agent.events("told")
    assert told["text"] == REASON
    assert told["sha256"] == sha256(REASON.encode()).hexdigest()
    assert not (repository / "made").exists()
    assert agent.names() == ["UserPromptSubmit", "PreToolUse", "PermissionRequest", "Stop"]
    assert agent.listener.named("Stop")[0].payload["last_assistant_message"] == "went on"


def test_a_hook_denies_without_a_reason_or_interrupts(launch: Launch) -> None:
    agent = launch().ready()
    asked(agent, "permission echo x").answer(verdict("deny"))
    agent.event("turn-end")
    assert len(agent.told()) == 1
    agent.prompt("permission echo x", "say never")
    agent.hook("PermissionRequest", 2).answer(verdict("deny", message="dropped", interrupt=True))
    assert agent.event("turn-end", 2)["outcome"] == "interrupted"
    assert len(agent.told()) == 1
    assert len(agent.listener.named("Stop")) == 1


def test_a_hook_changes_the_command_and_the_mode(launch: Launch) -> None:
    agent = launch().ready()
    update = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    answer = verdict("allow", updatedInput={"command": "echo changed"}, updatedPermissions=[update])
    asked(agent, "permission echo x").answer(answer)
    assert agent.hook("Stop").payload["permission_mode"] == "acceptEdits"
    assert agent.told() == ["changed"]


@pytest.mark.parametrize("key", [b"1", b"\r"])
def test_a_yes_at_the_terminal_leaves_the_hook_open_and_its_late_answer_means_nothing(
    launch: Launch, key: bytes
) -> None:
    agent = launch().ready()
    first = asked(agent, "permission echo one")
    agent.send(key)
    agent.event("turn-end")
    agent.prompt("permission echo two")
    second = agent.hook("PermissionRequest", 2)
    agent.event("dialog", 2)
    assert not first.closed
    count = len(agent.events("hook"))
    first.answer(verdict("deny", message="too late"))
    assert agent.event("hook", count + 1)["late"] is True
    assert len(agent.events("dialog-end")) == 1  # the next dialog is not answered by mistake
    second.answer(verdict("allow"))
    agent.event("turn-end", 2)
    assert agent.told() == ["one", "two"]


def test_a_late_answer_that_interrupts_stops_the_running_tool(launch: Launch) -> None:
    agent = launch().ready()
    hook = asked(agent, "permission echo $$; exec sleep 1000")
    agent.send(b"1")
    agent.sees("Bash(echo $$")
    hook.answer(verdict("deny", message="stop", interrupt=True))
    assert agent.event("turn-end")["outcome"] == "interrupted"
    assert agent.told() == []
    assert not agent.listener.named("Stop")


@pytest.mark.parametrize("key", [b"3", b"\x1b"])
def test_a_no_at_the_terminal_closes_the_hook_and_fires_none(launch: Launch, repository: Path, key: bytes) -> None:
    agent = launch().ready()
    hook = asked(agent, "permission touch made", "say never")
    agent.send(key)
    agent.until(lambda: hook.closed)
    assert agent.event("turn-end")["outcome"] == "interrupted"
    agent.sees("Interrupted")
    agent.ready()
    assert agent.status()["status"] == "idle"
    assert agent.names()[-1] == "PermissionRequest"
    assert agent.told() == []
    assert not (repository / "made").exists()


def test_ctrl_c_pastes_and_other_keys_do_nothing_to_a_dialog(launch: Launch) -> None:
    agent = launch().ready()
    asked(agent, "permission echo x")
    agent.send(b"\x03ab9" + framed("1\r") + b"\x7f\x1b[A")
    agent.event("dialog-key", 5)
    assert not agent.events("dialog-end")
    agent.send(b"zz1typed")  # what follows the answer is typed into the composer
    agent.event("turn-end")
    agent.send(b"\r")
    assert agent.event("prompt", 2)["text"] == "typed"


def test_what_is_allowed_for_good_is_not_asked_again(launch: Launch) -> None:
    agent = launch().ready()
    asked(agent, "permission echo x")
    agent.send(b"2")
    agent.event("turn-end")
    agent.play("permission echo x")
    assert agent.told() == ["x", "x"]
    assert len(agent.listener.named("PermissionRequest")) == 1


def test_in_bypass_mode_nothing_is_asked(launch: Launch) -> None:
    agent = launch("--permission-mode", "bypassPermissions").ready()
    agent.play("permission echo x")
    assert agent.names() == ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
    assert agent.listener.hooks[-1].payload["permission_mode"] == "bypassPermissions"


@pytest.mark.parametrize("script", ["permission echo x", "ask Which? | A | B", "plan # Plan"])
def test_an_open_dialog_is_told_of_again_after_a_while(launch: Launch, script: str) -> None:
    agent = launch("--notify-after", "0.05").ready()
    asked(agent, script)
    payload = agent.hook("Notification").payload
    assert payload["notification_type"] == "permission_prompt"
    assert not agent.events("dialog-end")


def test_an_answered_dialog_is_not_told_of_later(launch: Launch) -> None:
    agent = launch("--notify-after", "1").ready()
    asked(agent, "permission echo x", "think 1.1").answer(verdict("allow"))
    agent.event("turn-end")
    assert "Notification" not in agent.names()


def test_two_permissions_in_a_turn_are_asked_one_after_the_other(launch: Launch) -> None:
    agent = launch().ready()
    asked(agent, "permission echo one", "permission echo two").answer(verdict("allow"))
    agent.hook("PermissionRequest", 2).answer(verdict("deny", message="not two"))
    agent.event("turn-end")
    assert agent.told() == ["one", "not two"]
    assert agent.names()[3:6] == ["PostToolUse", "PreToolUse", "PermissionRequest"]


def test_a_dialog_without_hooks_is_the_persons_alone(start: Start, repository: Path) -> None:
    agent = start().ready()
    agent.prompt("permission touch made")
    agent.until(lambda: b"3. No" in agent.output)
    agent.send(b"1")
    agent.event("turn-end")
    agent.ready()
    assert (repository / "made").exists()
    assert not (repository / ".rehearsal").exists()


# Plans


def test_a_plan_is_proposed_with_its_text_and_its_file(launch: Launch, home: Path) -> None:
    agent = launch("--permission-mode", "plan").ready()
    hook = asked(agent, "plan # Plan\\n1. Do it", "say planned")
    path = hook.payload["tool_input"]["planFilePath"]
    assert hook.payload["tool_name"] == "ExitPlanMode"
    assert hook.payload["permission_mode"] == "plan"
    assert hook.payload["tool_input"] == {"plan": "# Plan\n1. Do it\n", "planFilePath": path}
    assert "permission_suggestions" not in hook.payload
    assert Path(path).parent == home / ".rehearsal" / "plans"
    assert Path(path).read_text() == "# Plan\n1. Do it\n"
    agent.sees("1. Do it")
    hook.answer(verdict("allow"))
    assert agent.hook("Stop").payload["permission_mode"] == "default"
    assert "# Plan\n1. Do it\n" in agent.told()[-1]


@pytest.mark.parametrize(
    ("asks", "gets"),
    [("acceptEdits", "acceptEdits"), ("auto", "auto"), ("plan", "default"), ("bypassPermissions", "default")],
)
def test_an_approved_plan_may_set_a_mode(launch: Launch, asks: str, gets: str) -> None:
    agent = launch("--permission-mode", "plan").ready()
    update = {"type": "setMode", "mode": asks, "destination": "session"}
    asked(agent, "plan # Plan").answer(verdict("allow", updatedPermissions=[update]))
    assert agent.hook("Stop").payload["permission_mode"] == gets


def test_a_plan_from_another_mode_goes_back_to_it(launch: Launch) -> None:
    agent = launch("--permission-mode", "acceptEdits").ready()
    hook = asked(agent, "plan # Plan")
    assert hook.payload["permission_mode"] == "plan"
    hook.answer(verdict("allow", updatedInput={"plan": "# Better"}))
    assert agent.hook("Stop").payload["permission_mode"] == "acceptEdits"
    assert agent.told()[-1].endswith("# Better")
    assert Path(hook.payload["tool_input"]["planFilePath"]).read_text() == "# Better"


def test_a_rejected_plan_stays_in_plan_mode(launch: Launch) -> None:
    agent = launch("--permission-mode", "plan").ready()
    asked(agent, "plan # Plan", "say once more").answer(verdict("deny", message=REASON))
    assert agent.hook("Stop").payload["permission_mode"] == "plan"
    assert [event["text"] for event in agent.events("told")].count(REASON) == 1


@pytest.mark.parametrize(("key", "mode"), [(b"1", "auto"), (b"2", "default"), (b"3less of it\r", "plan")])
def test_a_person_decides_a_plan_and_its_hook_stays_open(launch: Launch, key: bytes, mode: str) -> None:
    agent = launch("--permission-mode", "plan").ready()
    hook = asked(agent, "plan # Plan")
    agent.send(b"\x03" + key)  # Ctrl-C does nothing
    assert agent.hook("Stop").payload["permission_mode"] == mode
    assert not hook.closed
    assert ("less of it" in agent.told()[-1]) == (mode == "plan")


def test_esc_refuses_a_plan(launch: Launch) -> None:
    agent = launch("--permission-mode", "plan").ready()
    hook = asked(agent, "plan # Plan")
    agent.send(b"3no, wait\x1b")
    agent.until(lambda: hook.closed)
    assert agent.event("turn-end")["outcome"] == "interrupted"
    assert agent.names()[-1] == "PermissionRequest"


def test_a_hook_before_it_does_not_approve_a_plan(launch: Launch) -> None:
    agent = launch("--permission-mode", "plan").ready()
    agent.listener.answers["PreToolUse"] = gate("allow")
    asked(agent, "plan # Plan")
    assert not agent.events("dialog-end")


# Questions

Answer = Callable[[Json], dict[str, Any]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda given: verdict("allow", updatedInput={**given, "answers": {"Which one?": "B"}}), '"Which one?"="B"'),
        (lambda given: verdict("allow", updatedInput={**given, "answers": {"Which one?": "None ✳"}}), '"None ✳"'),
        (lambda given: verdict("allow", updatedInput={"answers": {"Which one?": "B"}}), "questions is missing"),
        (lambda given: verdict("allow", updatedInput={**given, "answers": {"Other?": "B"}}), "did not answer"),
        (lambda given: verdict("allow"), "did not answer"),
        (lambda given: verdict("deny", message="Decide yourself."), "Decide yourself."),
    ],
    ids=["chosen", "written", "answers only", "another question", "bare", "declined"],
)
def test_a_question_is_answered_by_its_hook(launch: Launch, answer: Answer, told: str) -> None:
    agent = launch().ready()
    hook = asked(agent, "ask Which one? | A | B", "say went on")
    (question,) = hook.payload["tool_input"]["questions"]
    assert hook.payload["tool_name"] == "AskUserQuestion"
    assert (question["question"], question["multiSelect"]) == ("Which one?", False)
    assert [option["label"] for option in question["options"]] == ["A", "B"]
    assert "permission_suggestions" not in hook.payload
    hook.answer(answer(hook.payload["tool_input"]))
    agent.event("turn-end")
    (said,) = agent.told()
    assert told in said
    assert agent.names()[-1] == "Stop"


def test_a_question_is_answered_before_it_is_shown(launch: Launch) -> None:
    agent = launch().ready()
    agent.listener.held = {"PreToolUse"}
    agent.prompt("ask Which one? | A | B")
    hook = agent.hook("PreToolUse")
    hook.answer(gate("allow", updatedInput={**hook.payload["tool_input"], "answers": {"Which one?": "A"}}))
    agent.event("turn-end")
    assert '"Which one?"="A"' in agent.told()[0]
    assert "PermissionRequest" not in agent.names()
    assert not agent.events("dialog")


@pytest.mark.parametrize("key", [b"2", b"\x1b"])
def test_a_person_answers_or_declines_a_question(launch: Launch, key: bytes) -> None:
    agent = launch().ready()
    hook = asked(agent, "ask Which one? | A | B")
    agent.send(key)
    if key == b"2":
        after = agent.hook("PostToolUse").payload
        assert after["tool_input"]["answers"] == {"Which one?": "B"}
        agent.event("turn-end")
        assert not hook.closed
    else:
        agent.until(lambda: hook.closed)
        assert agent.event("turn-end")["outcome"] == "interrupted"
        assert agent.told() == []


# What nobody asked for


def test_a_dialog_out_of_nowhere_takes_all_keys_and_nothing_tells_of_it(launch: Launch) -> None:
    agent = launch().ready()
    agent.play("dialog A new version is there\\nRead on?")
    assert agent.names() == ["UserPromptSubmit", "Stop"]
    assert agent.status()["status"] == "idle"
    agent.sees("Read on?")
    agent.send(framed("rehearse: say lost") + b"\r\x15x")
    agent.event("dialog-key", 4)
    assert len(agent.events("prompt")) == 1
    agent.send(b"1")
    assert agent.event("dialog-end")["outcome"] == "seen"
    agent.play("say back", "dialog Again")
    agent.send(b"\x1b")
    agent.event("dialog-end", 2)
    assert not agent.events("interrupt")


def test_a_swallowed_enter_leaves_the_text_where_it_is(launch: Launch) -> None:
    agent = launch().ready()
    agent.play("swallow")
    agent.prompt("say kept")
    agent.event("enter-swallowed")
    assert len(agent.listener.named("UserPromptSubmit")) == 1
    agent.send(b"\r")
    assert agent.hook("UserPromptSubmit", 2).payload["prompt"] == "rehearse: say kept"
