"""The real Codex works on tickets under a real daemon: each moment is said, truly and soon."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
import trio

from tests.agents.codex import codex_at_work, driver
from tests.agents.conftest import Measured
from tests.agents.hooks import Hooks
from tests.agents.work import Came, Work
from tests.fakes.model.server import Model
from tests.harness import Place

pytestmark = pytest.mark.agents

ASKS = "Would you like to run the following command?"
REASON = "Not this one: it is “kept”."
GIT_ALLOWED = '\n[[permissions]]\naction = "allow"\ntool = "Bash"\npattern = "git *"\n'


def results(work: Work) -> str:
    return "\n".join("\n".join(asked.dialogue.results) for asked in work.model.asked.entries if not asked.side)


async def opened(work: Work, since: int = 0) -> Came:
    return await work.said("review.opened", since=since)


async def test_from_the_queue_to_a_commit(model: Model, hooks: Hooks, measured: Measured) -> None:
    def allow_git(place: Place) -> None:  # its sandbox keeps git's own folder from it
        place.configure(driver=driver(place), extra=GIT_ALLOWED)

    commit = "permission git -c user.name=R -c user.email=r@localhost commit -q -m Hello"
    async with codex_at_work(model, hooks, prepare=allow_git) as work:
        begun = trio.current_time()
        work.place.ticket("TASK-1", "write hello.txt Hello", "permission git add hello.txt", commit, "say done")
        await work.start()
        ready = await work.said("agent.idle", source="screen")
        measured("codex: daemon's start → agent.idle (ready)", ready.at - begun)
        typed = await work.said("delivery.submitted")
        measured("codex: agent.idle → prompt pasted, seen in the composer and entered", typed.at - ready.at)
        taken = await hooks.until("UserPromptSubmit")
        delivered = await work.said("delivery.delivered")
        measured("codex: prompt entered → delivery.delivered", delivered.at - typed.at)
        running = await work.said("agent.running")
        assert running.data["source"] == "submit"
        stop = await hooks.until("Stop")
        idle = await work.turn_ended()
        assert (idle.data["source"], idle.data["turns"]) == ("hook", 1)
        measured("codex: hook Stop → agent.idle", idle.at - stop.at)
        done = await work.said("ticket.done")
        measured("codex: hook Stop → ticket.done", done.at - stop.at)
        exited = await work.said("agent.exited")
        measured("codex: ticket.done → its process has ended", exited.at - done.at)
        assert exited.data["evidence"] == "exit 0"  # it was asked to leave, not killed
        assert work.place.git("show", "operator/TASK-1:hello.txt") == "Hello\n"
        assert work.prompts() == (taken.payload["prompt"],)
        assert work.kinds().count("permission.allowed") == 2
        assert "agent.needs_you" not in work.kinds()
        assert (await work.place.get("/tickets/TASK-1"))["no_changes"] is False


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_permission_is_decided_through_its_hook(
    model: Model, hooks: Hooks, measured: Measured, verb: str
) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch made", "say went on")
        await work.start()
        asked = await hooks.until("PermissionRequest")
        asking = await work.said("agent.asking")
        measured("codex: hook PermissionRequest → agent.asking", asking.at - asked.at)
        assert asking.data["evidence"] == "It wants to use Bash: touch made"
        review = await opened(work)
        view = await work.place.get("/agents/TASK-1")
        assert (view["status"], view["review_id"]) == ("awaiting_input", review.data["review"])
        await trio.sleep(2)  # its title says busy all the while, for longer than a contradiction is borne
        assert (await work.place.get(f"/reviews/{review.data['review']}"))["status"] == "pending"
        assert ASKS not in await work.screen()

        said = trio.current_time()
        body = {"review_id": review.data["review"], **({"reason": REASON} if verb == "reject" else {})}
        assert (await work.place.post(f"/agents/TASK-1/{verb}", body)).is_success
        running = await work.said("agent.running", source="hook", since=work.events.entries.index(review))
        measured(f"codex: {verb} → agent.running", running.at - said)
        stop = await hooks.until("Stop")
        measured(f"codex: {verb} → hook Stop", stop.at - said)
        await work.said("ticket.done")
        ticket = await work.place.get("/tickets/TASK-1")
        assert ticket["no_changes"] is (verb == "reject")
        assert work.kinds().count("review.opened") == 1
        assert (REASON in results(work)) is (verb == "reject")
        assert work.prompts()[1:] == ()  # the reason came as the tool's result, and not once more as a prompt


async def test_after_a_restart_a_permission_is_decided_at_its_dialog(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch made", "say went on")
        await work.start()
        review = await opened(work)
        killed = trio.current_time()
        await work.kill_daemon()
        await work.until_screen(ASKS)  # its hook has ended, and it asks by itself
        measured("codex: kill -9 of the daemon → its own dialog", trio.current_time() - killed)
        await work.start()
        view = await work.place.get(f"/reviews/{review.data['review']}")
        assert (view["status"], view["held"]) == ("pending", False)
        assert (await work.place.post("/agents/TASK-1/approve", {"review_id": review.data["review"]})).is_success
        await hooks.until("PostToolUse")
        await work.said("ticket.done")
        assert (await work.place.get("/tickets/TASK-1"))["no_changes"] is False


async def test_esc_while_its_hook_asks_supersedes_the_review(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch made", "say went on")
        await work.start()
        await opened(work)
        pressed = await work.press("Escape")
        over = await work.said("review.superseded")
        measured("codex: Esc while its hook asks → review.superseded", over.at - pressed)
        needs = await work.said("agent.needs_you")
        assert needs.data["why"] == "its turn was interrupted"
        assert "Traceback" not in work.place.log_tail()


async def test_an_interrupt_at_the_keyboard_is_seen_and_waits_for_its_person(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "turn 1: say half a sentence", "turn 1: think 60", "turn 2: say whole")
        await work.start()
        await work.said("agent.running")
        await work.until_screen("• half a sentence")
        pressed = await work.press("Escape")
        idle = await work.turn_ended()
        measured("codex: Esc in a turn (no hook) → agent.idle", idle.at - pressed)
        assert idle.data["source"] == "title"
        needs = await work.said("agent.needs_you")
        assert needs.data["why"] == "its turn was interrupted"
        answer = await work.place.post("/agents/TASK-1/prompt", {"text": "Say all of it."})
        assert answer.json()["delivery"] in ("typed", "delivered")
        await work.said("ticket.done")
        assert work.prompts()[1:] == ("Say all of it.",)


# --- errors --------------------------------------------------------------------------------------------------


async def test_an_error_of_the_model_is_told_by_its_record(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "turn 1: fail 400 too bad", "turn 2: say better")
        await work.start()
        asked = await model.until(lambda each: each.outcome != "open")
        failed = await work.said("step.resting")
        measured("codex: HTTP 400 (no hook) → step.resting", failed.at - asked.at)
        assert "too bad" in failed.data["why"]
        await work.said("ticket.done", within=60)
        assert (await work.place.get("/tickets/TASK-1"))["attempts"] == 0


async def test_a_usage_limit_parks_every_ticket_of_the_driver(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.configure(max_agents=1, driver=driver(work.place))
        work.place.ticket("TASK-1", "limit 7200")
        work.place.ticket("TASK-2", "say never yet")
        await work.start()
        asked = await model.until(lambda each: each.outcome != "open")
        ends = datetime.now(UTC) + timedelta(seconds=7200)
        limited = await work.said("agent.limited")
        measured("codex: HTTP 429, usage limit (no hook) → agent.limited", limited.at - asked.at)
        assert abs(datetime.fromisoformat(limited.data["until"]) - ends) < timedelta(minutes=2)
        await work.said("ticket.parked", "TASK-1")
        await work.said("ticket.parked", "TASK-2")
        assert len(model.of(*work.conversations())) == 1


async def test_an_overload_looks_busy_until_it_is_over(model: Model, hooks: Hooks) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "status 529 1", "drop", "say at last")
        await work.start()
        await work.said("ticket.done", within=60)
        assert "step.resting" not in work.kinds()
        assert [each.outcome for each in model.of(*work.conversations())] == ["status 529", "dropped", "answered"]


async def test_a_model_that_refuses_connections_looks_busy_and_can_be_interrupted(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with codex_at_work(model, hooks, url="http://127.0.0.1:9") as work:
        work.place.ticket("TASK-1", "say never")
        await work.start()
        await work.said("delivery.delivered")
        await work.until_screen("waiting for network")  # it waits for ever, and neither hook nor title says so
        assert await work.state() == "running"
        assert (await work.place.post("/agents/TASK-1/interrupt")).is_success
        pressed = trio.current_time()
        idle = await work.turn_ended()
        measured("codex: interrupted by REST while it waits for the network → agent.idle", idle.at - pressed)
        assert (await work.said("agent.needs_you")).data["why"] == "its turn was interrupted"


# --- ends -----------------------------------------------------------------------------------------------------


async def test_a_killed_one_is_seen_and_its_successor_resumes_the_conversation(
    model: Model, hooks: Hooks, measured: Measured
) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.configure(driver=driver(work.place))
        work.place.ticket("TASK-1", "turn 1: say half a sentence", "turn 1: think 60", "turn 2: say whole")
        await work.start()
        await work.said("agent.running")
        await work.until_screen("• half a sentence")
        killed = await work.kill()
        exited = await work.said("agent.exited")
        measured("codex: kill -9 → agent.exited", exited.at - killed)
        assert exited.data["evidence"] == f"signal {signal.SIGKILL}"
        done = await work.said("ticket.done", within=60)
        assert done.event["agent"] in (None, "TASK-1~2")
        assert len(work.conversations()) == 1  # the same, learned from its hook
        assert len(work.prompts()) == 2


async def test_what_its_hooks_said_to_no_daemon_is_heard_by_the_next(model: Model, hooks: Hooks) -> None:
    async with codex_at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "say half", "think 2", "say whole")
        await work.start()
        await work.said("delivery.delivered")
        await work.kill_daemon()
        await hooks.until("Stop")
        kept = work.place.state / "agents" / "TASK-1~1" / "missed"
        assert {each.suffix for each in kept.iterdir()} == {".json"}
        since = work.mark()
        await work.start()
        idle = await work.turn_ended(since)
        assert idle.data["source"] == "hook"
        await work.said("ticket.done", since=since)
        assert not list(kept.iterdir())


# --- first runs -------------------------------------------------------------------------------------------------


async def test_nothing_is_typed_into_the_dialog_of_a_first_run(model: Model, hooks: Hooks, measured: Measured) -> None:
    async with codex_at_work(model, hooks, trusted=False) as work:
        work.place.ticket("TASK-1", "say done")
        await work.start()
        asking = await work.said("agent.asking", source="screen")
        assert asking.data["evidence"] == "Codex asks whether this folder is to be trusted."
        assert "Trust this folder?" in await work.screen()
        pressed = await work.press("Enter")
        ready = await work.said("agent.idle", source="screen")
        measured("codex: trusted at the terminal → agent.idle", ready.at - pressed)
        await work.said("ticket.done")
