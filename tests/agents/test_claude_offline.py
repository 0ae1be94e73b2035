"""What the driver for Claude Code relies on, seen on the real one with a stand-in for its model."""

import os
import re
import signal
import uuid

import pytest
import trio

from tests.agents.claude import COMPOSER, Claude, Home, claude_at_work
from tests.agents.conftest import Measured
from tests.agents.hooks import Hooks, Json
from tests.fakes.model.server import Model

pytestmark = pytest.mark.agents

IDLE, BUSY = "✳", "⠂⠐"
"""How its title begins."""
DIALOG = "Do you want to proceed?"


def decision(behavior: str, **more: object) -> Json:
    """A verdict as a PermissionRequest hook gives it."""
    verdict = {"behavior": behavior, **more}
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": verdict}}


async def first_turn(claude: Claude, hooks: Hooks, prompt: str) -> tuple[float, Json]:
    """Type a first prompt; when Enter was sent, and what the hook said of it."""
    await claude.ready()
    since = hooks.mark()
    entered = await claude.type(prompt)
    return entered, (await hooks.until("UserPromptSubmit", since=since)).payload


async def test_a_pasted_prompt_is_acknowledged_and_its_turn_ends(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    prompt = "Say it — in two lines.\nrehearse: say all is well"
    begun = trio.current_time()
    async with claude_at_work(home, hooks) as claude:
        await claude.pane.until_screen(COMPOSER)
        measured("start → composer on screen", trio.current_time() - begun)
        idle = await claude.status("idle")
        measured("start → status file says idle", idle.at - begun)
        assert idle.pid == claude.pane.pid
        entered, told = await first_turn(claude, hooks, prompt)
        assert told["prompt"] == prompt
        session = told["session_id"]
        assert idle.told["sessionId"] == session

        stop = await hooks.until("Stop")
        assert stop.payload["last_assistant_message"] == "all is well"
        assert hooks.names == ["UserPromptSubmit", "Stop"]  # no SessionStart: it is not posted
        assert [asked.prompt for asked in model.of(session)] == [prompt]

        busy = await claude.pane.titles.until(lambda title: title.text[0] in BUSY)
        calm = await claude.pane.titles.until(lambda title: title.text[0] == IDLE and title.at > busy.at)
        working = await claude.status("busy")
        rested = await claude.statuses.until(lambda each: each.state == "idle" and each.at > working.at)
        submitted, asked = hooks.seen.entries[0], model.of(session)[0]
        measured("Enter → UserPromptSubmit", submitted.at - entered)
        measured("Enter → request at the model", asked.at - entered)
        measured("Enter → busy title", busy.at - entered)
        measured("Enter → status file says busy", working.at - entered)
        measured("Enter → Stop (the model answers at once)", stop.at - entered)
        measured("Stop → idle title", calm.at - stop.at)
        measured("Stop → status file says idle", rested.at - stop.at)


async def test_a_tool_call_that_needs_no_permission_is_told_before_and_after(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    async with claude_at_work(home, hooks) as claude:
        _, told = await first_turn(claude, hooks, "rehearse: run echo out loud\nrehearse: say heard")
        await hooks.until("Stop")
        assert hooks.names == ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
        _, before, after, _ = hooks.seen.entries
        assert before.payload["tool_name"] == "Bash"
        assert before.payload["tool_input"]["command"] == "echo out loud"
        assert after.payload["tool_use_id"] == before.payload["tool_use_id"]
        assert after.payload["tool_response"]["stdout"] == "out loud"
        assert [asked.dialogue.results for asked in model.of(told["session_id"])] == [(), ("out loud",)]
        measured("PreToolUse → PostToolUse of an echo", after.at - before.at)


async def test_no_opinion_leaves_the_dialog_to_the_person(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    async with claude_at_work(home, hooks) as claude:
        await first_turn(claude, hooks, "rehearse: run touch made\nrehearse: say made it")
        before = await hooks.until("PreToolUse")
        request = await hooks.until("PermissionRequest")
        assert "tool_use_id" not in request.payload
        assert request.payload["tool_input"] == before.payload["tool_input"]
        await claude.pane.until_screen(DIALOG)
        measured("PreToolUse → PermissionRequest", request.at - before.at)
        measured("PermissionRequest → dialog on screen", trio.current_time() - request.at)
        waiting = await claude.status("waiting")
        assert waiting.told["waitingFor"] == "permission prompt"
        measured("PermissionRequest → status file says waiting", waiting.at - request.at)

        notice = await hooks.until("Notification")  # comes only while the dialog is still open
        assert notice.payload["notification_type"] == "permission_prompt"
        measured("PermissionRequest → Notification", notice.at - request.at)
        assert DIALOG in await claude.pane.screen()
        assert not (home.work / "made").exists()

        pressed = await claude.press("1")
        after = await hooks.until("PostToolUse")
        measured("key 1 → PostToolUse", after.at - pressed)
        await hooks.until("Stop")
        assert (home.work / "made").exists()
        assert hooks.names[-2:] == ["PostToolUse", "Stop"]


@pytest.mark.parametrize("verdict", ["allow", "deny"])
async def test_a_held_hook_decides_the_dialog(
    home: Home, hooks: Hooks, model: Model, measured: Measured, verdict: str
) -> None:
    hooks.held = {"PermissionRequest"}
    async with claude_at_work(home, hooks) as claude:
        _, told = await first_turn(claude, hooks, "rehearse: run touch made\nrehearse: say went on")
        request = await hooks.until("PermissionRequest")
        await claude.pane.until_screen(DIALOG)
        answered = trio.current_time()
        request.answer(decision("allow") if verdict == "allow" else decision("deny", message="not\nthis “one”"))
        stop = await hooks.until("Stop")
        assert stop.payload["last_assistant_message"] == "went on"
        measured(f"verdict {verdict} → Stop", stop.at - answered)
        assert (home.work / "made").exists() == (verdict == "allow")
        assert ("PostToolUse" in hooks.names) == (verdict == "allow")
        if verdict == "deny":
            assert model.of(told["session_id"])[-1].dialogue.results == ("not\nthis “one”",)


async def test_a_person_at_the_terminal_overtakes_a_held_hook(home: Home, hooks: Hooks, measured: Measured) -> None:
    hooks.held = {"PermissionRequest"}
    async with claude_at_work(home, hooks) as claude:
        await first_turn(claude, hooks, "rehearse: run touch made")
        request = await hooks.until("PermissionRequest")
        await claude.pane.until_screen(DIALOG)
        since = len(claude.statuses)
        refused = await claude.press("Escape")
        await hooks.seen.until(lambda hook: hook.closed is not None)
        assert request.closed is not None
        measured("Esc on a dialog → its hook's connection closed", request.closed - refused)
        idle = await claude.status("idle", since)
        measured("Esc on a dialog → status file says idle", idle.at - refused)
        assert not (home.work / "made").exists()
        assert "Stop" not in hooks.names


async def test_an_interrupt_is_told_by_title_and_status_file_alone(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    async with claude_at_work(home, hooks) as claude:
        await first_turn(claude, hooks, "rehearse: say half a sentence\nrehearse: think 60\nrehearse: say no more")
        await claude.pane.until_screen("● half a sentence")
        await claude.status("busy")
        titles, statuses = len(claude.pane.titles), len(claude.statuses)
        pressed = await claude.press("Escape")
        idle = await claude.status("idle", statuses)
        title = await claude.pane.titles.until(lambda each: each.text[0] == IDLE, since=titles)
        cut = await model.until(lambda asked: asked.outcome == "cut")
        assert cut.prompt.endswith("no more")
        measured("Esc in a stream → status file says idle", idle.at - pressed)
        measured("Esc in a stream → idle title", title.at - pressed)
        await claude.pane.until_screen("Interrupted")

        await claude.type("rehearse: say again")
        await hooks.until("Stop")
        assert hooks.names == ["UserPromptSubmit", "UserPromptSubmit", "Stop"]


async def test_an_interrupt_before_the_answer_began_puts_the_prompt_back(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    async with claude_at_work(home, hooks) as claude:
        await first_turn(claude, hooks, "rehearse: hang 60")
        await model.until(lambda asked: asked.outcome == "open")
        await claude.status("busy")
        since = len(claude.statuses)
        pressed = await claude.press("Escape")
        idle = await claude.status("idle", since)
        measured("Esc before the answer → status file says idle", idle.at - pressed)
        put_back = re.compile(rf"{COMPOSER}\srehearse: hang 60\n──")
        await claude.pane.until_screen(lambda screen: put_back.search(screen) is not None)
        assert "Interrupted" not in await claude.pane.screen()
        assert hooks.names == ["UserPromptSubmit"]


async def test_a_prompt_typed_while_a_tool_runs_joins_the_turn_without_a_hook(
    home: Home, hooks: Hooks, model: Model
) -> None:
    gate, hold = home.work / "gate", home.work / "hold"
    os.mkfifo(gate)
    hold.write_text("#!/bin/sh\nread -r word <gate && echo $word\n")
    hold.chmod(0o700)
    async with claude_at_work(home, hooks, "--allowedTools", "Bash(./hold)") as claude:
        _, told = await first_turn(claude, hooks, "rehearse: run ./hold\nrehearse: say through")
        await hooks.until("PreToolUse")
        await claude.type("Mind the gap.")
        await claude.pane.until_screen("edit queued messages")
        await trio.to_thread.run_sync(gate.write_text, "open\n", abandon_on_cancel=True)
        await hooks.until("Stop")
        assert hooks.names == ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
        last = model.of(told["session_id"])[-1].dialogue
        assert (last.results, last.asides) == (("open",), ("Mind the gap.",))
        assert len(last.prompts) == 1


async def test_an_error_of_the_model_ends_the_turn_with_stop_failure(
    home: Home, hooks: Hooks, measured: Measured
) -> None:
    async with claude_at_work(home, hooks) as claude:
        entered, _ = await first_turn(claude, hooks, "rehearse: status 400")
        failure = await hooks.until("StopFailure")
        assert "400 stand-in 400" in failure.payload["last_assistant_message"]
        measured("Enter → StopFailure (400 at once)", failure.at - entered)
        since = len(claude.statuses)
        await claude.type("rehearse: say better now")
        await hooks.until("Stop")
        await claude.status("idle", since)
        assert hooks.names == ["UserPromptSubmit", "StopFailure", "UserPromptSubmit", "Stop"]


async def test_a_model_that_is_overloaded_or_hangs_up_is_asked_again_without_a_word(
    home: Home, hooks: Hooks, model: Model, measured: Measured
) -> None:
    script = "rehearse: status 529 1\nrehearse: drop\nrehearse: say at last"
    async with claude_at_work(home, hooks) as claude:
        entered, told = await first_turn(claude, hooks, script)
        stop = await hooks.until("Stop", within=60)
        measured("Enter → Stop over a 529 with Retry-After 1 and a lost connection", stop.at - entered)
        assert hooks.names == ["UserPromptSubmit", "Stop"]
        await model.until(lambda asked: asked.outcome == "answered")
        outcomes = [asked.outcome for asked in model.of(told["session_id"])]
        assert outcomes == ["status 529", "dropped", "answered"]


async def test_a_question_is_answered_through_its_hook(home: Home, hooks: Hooks, model: Model) -> None:
    hooks.held = {"PermissionRequest"}
    async with claude_at_work(home, hooks) as claude:
        _, told = await first_turn(claude, hooks, "rehearse: ask Which one? | Red | Blue\nrehearse: say good")
        request = await hooks.until("PermissionRequest")
        assert request.payload["tool_name"] == "AskUserQuestion"
        asked = request.payload["tool_input"]
        assert [each["label"] for each in asked["questions"][0]["options"]] == ["Red", "Blue"]
        request.answer(decision("allow", updatedInput={**asked, "answers": {"Which one?": "Blue"}}))
        await hooks.until("Stop")
        (result,) = model.of(told["session_id"])[-1].dialogue.results
        assert '"Which one?"="Blue"' in result


async def test_a_plan_comes_with_its_whole_text_and_is_approved_by_its_hook(
    home: Home, hooks: Hooks, model: Model
) -> None:
    hooks.held = {"PermissionRequest"}
    async with claude_at_work(home, hooks, "--permission-mode", "plan") as claude:
        _, told = await first_turn(claude, hooks, "rehearse: plan # Plan\\n1. Do it\nrehearse: say planned")
        request = await hooks.until("PermissionRequest")
        assert request.payload["tool_name"] == "ExitPlanMode"
        assert request.payload["tool_input"]["plan"] == "# Plan\n1. Do it\n"
        request.answer(decision("allow"))
        stop = await hooks.until("Stop")
        assert stop.payload["permission_mode"] == "default"
        assert "approved" in model.of(told["session_id"])[-1].dialogue.results[-1]


async def test_exit_is_told_and_leaves_status_0(home: Home, hooks: Hooks, measured: Measured) -> None:
    async with claude_at_work(home, hooks) as claude:
        await claude.ready()
        entered = await claude.type("/exit")
        end = await claude.pane.ended()
        assert (end.status, end.signal) == (0, None)
        assert hooks.seen.entries[-1].payload["reason"] == "prompt_input_exit"
        assert hooks.names == ["SessionEnd"]
        measured("Enter of /exit → process gone", end.at - entered)


async def test_a_conversation_goes_on_after_resume(home: Home, hooks: Hooks, model: Model, measured: Measured) -> None:
    session = str(uuid.uuid4())
    script = "rehearse: turn 1: say one\nrehearse: turn 2: say two"
    async with claude_at_work(home, hooks, "--session-id", session) as claude:
        _, told = await first_turn(claude, hooks, script)
        assert told["session_id"] == session
        stop = await hooks.until("Stop")
        # Sent away between the two, it may leave a conversation without this turn, or none at all.
        kept = await claude.kept(told["transcript_path"], '"text":"one"')
        measured("Stop → turn in the transcript", kept - stop.at)
        await claude.type("/exit")
        await claude.pane.ended()
    since, begun = hooks.mark(), trio.current_time()
    async with claude_at_work(home, hooks, "--resume", session) as claude:
        await claude.ready()
        measured("start with --resume → ready", trio.current_time() - begun)
        await claude.type("And now?")
        stop = await hooks.until("Stop", since=since)
        assert stop.payload["session_id"] == session
        assert stop.payload["last_assistant_message"] == "two"
        assert model.of(session)[-1].dialogue.prompts == (script, "And now?")


async def test_kill_is_told_by_nothing_but_the_process(home: Home, hooks: Hooks, measured: Measured) -> None:
    async with claude_at_work(home, hooks) as claude:
        await first_turn(claude, hooks, "rehearse: think 60")
        await claude.status("busy")
        killed = trio.current_time()
        os.kill(claude.pane.pid, signal.SIGKILL)
        end = await claude.pane.ended()
        assert (end.status, end.signal) == (None, signal.SIGKILL)
        measured("kill -9 → process gone", end.at - killed)
        assert hooks.names == ["UserPromptSubmit"]
        left = home.sessions / f"{claude.pane.pid}.json"
        assert '"status":"busy"' in left.read_text().replace(": ", ":")  # it stays, and says what is no longer true
