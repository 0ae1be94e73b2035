"""The real Claude Code works on tickets under a real daemon: each moment is said, truly and soon."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.agents.conftest import Measured
from tests.agents.hooks import Hooks
from tests.agents.work import Came, at_work
from tests.fakes.model.server import Model
from tests.harness import Place

pytestmark = pytest.mark.agents

SOON = 0.1
"""Seconds in which a hook's news has to be an event, if this machine has nothing else to do."""


def held(came: Came, moment: float, measured: Measured, what: str) -> float:
    """Note how long after its cause an event came."""
    measured(what, came.at - moment)
    return came.at - moment


# --- a ticket's life --------------------------------------------------------------------------------------


async def test_from_the_queue_to_a_commit(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "think 0.3", "write hello.txt Hello", "commit Say hello")
        await work.start()
        ready = await work.said("agent.idle", source="status")
        held(ready, (await work.status("idle")).at, measured, "status file says idle → agent.idle (ready)")
        typed = await work.said("delivery.submitted")
        measured("agent.idle → prompt pasted, seen in the composer and entered", typed.at - ready.at)
        taken = await hooks.until("UserPromptSubmit")
        delivered = await work.said("delivery.delivered")
        measured("prompt entered → delivery.delivered", delivered.at - typed.at)
        running = await work.said("agent.running")
        assert running.data["source"] == "submit"
        stop = await hooks.until("Stop")
        idle = await work.turn_ended()
        assert (idle.data["source"], idle.data["turns"]) == ("hook", 1)
        held(idle, stop.at, measured, "hook Stop → agent.idle")
        done = await work.said("ticket.done")
        held(done, stop.at, measured, "hook Stop → ticket.done")
        retired = await work.said("agent.retired")
        held(retired, done.at, measured, "ticket.done → its process has ended")
        exited = await work.said("agent.exited")
        assert exited.data["evidence"] == "exit 0"  # it was asked to leave, not killed
        assert hooks.seen.entries[-1].payload["reason"] == "prompt_input_exit"
        assert work.place.git("show", "operator/TASK-1:hello.txt") == "Hello\n"
        (prompt,) = work.prompts()
        assert prompt == taken.payload["prompt"]
        assert "agent.asking" not in work.kinds()
        ticket = await work.place.get("/tickets/TASK-1")
        assert (ticket["attempts"], ticket["no_changes"]) == (0, False)


async def test_a_paired_ticket_is_done_when_its_person_leaves(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("SPIKE-1", "say I see", type="SPIKE")
        await work.start()
        await work.turn_ended()
        entered = await work.type("What now?", "SPIKE-1")
        running = await work.said("agent.running", "SPIKE-1", source="hook")
        assert running.at > entered  # a prompt that Operator did not type
        await work.events.until(lambda came: came.kind == "agent.idle" and came.data["turns"] == 2)
        assert (await work.place.get("/tickets/SPIKE-1"))["status"] == "running"
        await work.type("/exit", "SPIKE-1")
        await work.said("ticket.done", "SPIKE-1")
        assert work.prompts()[1:] == ("What now?",)


# --- dialogs ------------------------------------------------------------------------------------------------


async def test_a_permission_dialog_is_answered_at_the_terminal(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch one", "permission touch two")
        await work.start()
        request = await hooks.until("PermissionRequest")
        asking = await work.said("agent.asking")
        took = held(asking, request.at, measured, "hook PermissionRequest → agent.asking")
        assert asking.data["evidence"] == "It wants to use Bash: touch one"
        await hooks.until("Notification")  # the same dialog, said again after six seconds
        view = await work.place.get("/agents/TASK-1")
        assert (view["state"]["name"], view["needs"]) == ("awaiting_input", "It wants to use Bash: touch one")

        since = work.mark()
        pressed = await work.press("1")
        running = await work.said("agent.running", since=since)
        held(running, pressed, measured, "key 1 at a dialog → agent.running")
        again = await work.said("agent.asking", since=since)
        assert again.data["evidence"] == "It wants to use Bash: touch two"
        request = await hooks.until("PermissionRequest", met=lambda hook: hook is not request)
        took = min(took, held(again, request.at, measured, "hook PermissionRequest → agent.asking, once more"))
        assert took < SOON
        await work.until_screen("Do you want to proceed?")
        pressed = await work.press("Escape")
        idle = await work.turn_ended(since)
        held(idle, pressed, measured, "Esc at a dialog (no hook) → agent.idle")
        assert idle.data["source"] == "status"
        needs = await work.said("agent.needs_you")
        assert needs.data["why"] == "its turn was interrupted"
        folder = Path((await work.place.get("/agents/TASK-1"))["worktree_path"])
        assert [(folder / name).exists() for name in ("one", "two")] == [True, False]
        assert len(work.prompts()) == 1


async def test_a_question_is_said_and_answered_at_the_terminal(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "ask Which one? | Red | Blue", "say good")
        await work.start()
        request = await hooks.until("PermissionRequest")
        asking = await work.said("agent.asking", evidence="Which one?")
        held(asking, request.at, measured, "hook of a question → agent.asking")
        assert asking.data["source"] == "hook"
        await work.until_screen("Blue")
        await work.press("2")
        await work.said("ticket.done")
        assert '"Which one?"="Blue"' in model.of(*work.conversations())[-1].dialogue.results[0]


async def test_nothing_is_typed_into_the_dialog_of_a_first_run(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with at_work(model, hooks, trusted=False) as work:
        work.place.ticket("TASK-1", "say done")
        await work.start()
        asking = await work.said("agent.asking", source="screen")
        assert "trusted" in asking.data["evidence"]
        assert (await work.place.get("/agents/TASK-1"))["needs"] == asking.data["evidence"]
        assert "delivery.submitted" not in work.kinds()
        screen = await work.screen()
        assert "Yes, I trust this folder" in screen
        pressed = await work.press("Enter")
        ready = await work.said("agent.idle", source="status")
        held(ready, pressed, measured, "Enter at the trust dialog → agent.idle (ready)")
        await work.said("ticket.done")
        assert len(work.prompts()) == 1


# --- turns that end otherwise -------------------------------------------------------------------------------


async def test_an_error_of_the_model_is_rested_on_and_then_gone_on_from(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "turn 1: status 400", "turn 2: write late.txt Late", "turn 2: commit At last")
        await work.start()
        failure = await hooks.until("StopFailure")
        idle = await work.turn_ended()
        held(idle, failure.at, measured, "hook StopFailure → agent.idle")
        assert idle.data["source"] == "hook"
        assert "API Error: 400" in idle.data["evidence"]
        await work.said("step.resting")
        await work.said("step.nudged")
        await work.said("ticket.done")
        _, nudge = work.prompts()
        assert nudge.startswith("Your last turn ended with an error")
        assert work.place.git("show", "operator/TASK-1:late.txt") == "Late\n"
        assert (await work.place.get("/tickets/TASK-1"))["attempts"] == 0


async def test_a_usage_limit_parks_every_ticket_of_the_driver(model: Model, hooks: Hooks, measured: Measured) -> None:
    def subscribe(_: Place, env: dict[str, str]) -> None:  # only a subscription has such limits
        del env["ANTHROPIC_API_KEY"]
        env["CLAUDE_CODE_OAUTH_TOKEN"] = "sk-ant-oat01-dummy"

    async with at_work(model, hooks, max_agents=1, prepare=subscribe) as work:
        work.place.ticket("TASK-1", "limit 7200")
        work.place.ticket("TASK-2", "say never yet")
        await work.start()
        failure = await hooks.until("StopFailure")
        ends = datetime.now(UTC) + timedelta(seconds=7200)
        limited = await work.said("agent.limited")
        held(limited, failure.at, measured, "hook StopFailure of a usage limit → agent.limited")
        until = datetime.fromisoformat(limited.data["until"])
        assert abs(until - ends) < timedelta(minutes=2)
        await work.said("ticket.parked", "TASK-1")
        await work.said("ticket.parked", "TASK-2")
        await work.said("agent.retired")
        for name in ("TASK-1", "TASK-2"):
            ticket = await work.place.get(f"/tickets/{name}")
            assert (ticket["status"], ticket["attempts"]) == ("parked", 0), ticket
            assert "usage limit" in ticket["reason"] or "session limit" in ticket["reason"], ticket
        assert len(model.of(*work.conversations())) == 1


async def test_an_interrupt_at_the_keyboard_is_seen_and_waits_for_its_person(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "turn 1: say half a sentence", "turn 1: think 60", "turn 2: say whole")
        await work.start()
        await work.said("agent.running")
        await work.until_screen("● half a sentence")  # as the model's, not in the prompt
        pressed = await work.press("Escape")
        idle = await work.turn_ended()
        held(idle, pressed, measured, "Esc in a turn (no hook) → agent.idle")
        needs = await work.said("agent.needs_you")
        assert needs.data["why"] == "its turn was interrupted"
        answer = await work.place.post("/agents/TASK-1/prompt", {"text": "Say all of it."})
        assert answer.json()["delivery"] in ("typed", "delivered")
        await work.said("ticket.done")
        assert work.prompts()[1:] == ("Say all of it.",)


async def test_background_work_under_a_finished_turn_is_no_end(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "background 2", "say it goes on")
        await work.start()
        first = await hooks.until("Stop")
        assert len(first.payload["background_tasks"]) == 1
        assert await work.state() == "running"
        second = await hooks.until("Stop", met=lambda hook: not hook.payload["background_tasks"])
        done = await work.said("ticket.done")
        assert done.at > second.at > first.at + 1.5


# --- ends ---------------------------------------------------------------------------------------------------


async def test_a_killed_agent_is_followed_by_one_that_resumes_its_conversation(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "turn 1: write half.txt Half", "turn 1: think 60", "turn 2: commit Both halves")
        await work.start()
        await model.until(lambda asked: asked.dialogue.results != () and asked.outcome == "open")
        await work.kept('"tool_result"')
        killed = await work.kill()
        exited = await work.said("agent.exited")
        assert exited.data["evidence"] == f"signal {int(signal.SIGKILL)}"
        held(exited, killed, measured, "kill -9 → agent.exited")
        await work.said("ticket.done")
        ticket = await work.place.get("/tickets/TASK-1")
        assert (ticket["attempts"], ticket["launches"]) == (1, 2)
        assert len(work.conversations()) == 1
        _, second = work.prompts()
        assert second.startswith("An earlier attempt at this ticket ended")
        assert work.place.git("show", "operator/TASK-1:half.txt") == "Half\n"


async def test_a_conversation_that_was_never_saved_is_not_resumed(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "say well")
        await work.start()
        await work.status("idle")
        await work.kill()
        await work.said("ticket.done")
        assert (await work.place.get("/tickets/TASK-1"))["launches"] == 2


async def test_hooks_that_are_switched_off_leave_title_and_files(model: Model, hooks: Hooks) -> None:
    def disable(place: Place, _: dict[str, str]) -> None:
        path = place.root / "home" / ".claude" / "settings.json"
        path.write_text(json.dumps({"disableAllHooks": True}))

    async with at_work(model, hooks, prepare=disable) as work:
        work.place.ticket("TASK-1", "permission touch one", "think 0.5")
        await work.start()
        asking = await work.said("agent.asking")
        assert asking.data["source"] == "status"
        await work.press("1")
        await work.said("ticket.done")
        assert len(work.prompts()) == 1
        assert not hooks.names


# --- the daemon dies ----------------------------------------------------------------------------------------


async def test_a_turn_outlives_the_daemon(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "think 4", "write late.txt Late", "commit After it")
        await work.start()
        await work.said("delivery.delivered")
        await work.kill_daemon()
        await work.start()
        assert await work.state() == "running"
        await work.said("ticket.done")
        assert len(work.prompts()) == 1
        assert (await work.place.get("/tickets/TASK-1"))["launches"] == 1


@pytest.mark.parametrize(
    ("script", "key", "tells"),
    [
        (("think 1", "say well"), None, "ticket.done"),
        (("think 1", "status 400"), None, "step.resting"),
        (("say half", "think 60"), "Escape", "agent.needs_you"),
    ],
)
async def test_how_a_turn_ended_while_no_daemon_ran_is_found_out(
    model: Model, hooks: Hooks, script: tuple[str, ...], key: str | None, tells: str
) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", *script)
        await work.start()
        await work.said("delivery.delivered")
        await model.until(lambda asked: asked.outcome == "open")
        since = len(work.statuses)
        await work.kill_daemon()
        if key is not None:
            await work.press(key)
        await work.status("idle", since)
        await work.start()
        await work.said(tells)
        assert len(work.prompts()) == 1


async def test_a_dialog_outlives_the_daemon(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch one", "permission touch two", "think 3")
        await work.start()
        await work.said("agent.asking")
        first = await work.status("waiting")
        await work.until_screen("Do you want to proceed?")
        await work.kill_daemon()
        await work.start()
        assert await work.state() == "awaiting_input"
        await work.kill_daemon()
        await work.press("1")  # the next dialog opens while nobody hears of it
        await work.status("waiting", after=first)
        since = work.mark()
        await work.start()
        assert await work.state() == "awaiting_input"
        since = work.mark()
        await work.until_screen(lambda screen: "touch two" in map(str.strip, screen.splitlines()))
        await work.press("1")
        await work.said("agent.running", since=since)
        await work.said("ticket.done")
        folder = Path((await work.place.get("/agents/TASK-1"))["worktree_path"])
        assert (folder / "two").exists()
        assert len(work.prompts()) == 1
        assert (await work.place.get("/tickets/TASK-1"))["launches"] == 1


async def test_a_dialog_that_opened_while_no_daemon_ran_is_seen(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "think 1.5", "permission touch one")
        await work.start()
        await work.said("delivery.delivered")
        await work.kill_daemon()
        await hooks.until("PermissionRequest")
        await work.status("waiting")
        since = work.mark()
        await work.start()
        asking = await work.said("agent.asking", since=since)
        assert asking.data["source"] == "status"
        assert "ticket.done" not in work.kinds()
        await work.press("Escape")
        await work.said("agent.needs_you", why="its turn was interrupted")
        assert len(work.prompts()) == 1
