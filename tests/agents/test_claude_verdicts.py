"""What the real Claude Code asks is decided through the daemon: by its hook, and after a restart at its dialog."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.agents.conftest import Measured
from tests.agents.hooks import Hooks
from tests.agents.work import Came, Work, at_work, driver
from tests.fakes.model.server import Model
from tests.harness import Place

pytestmark = pytest.mark.agents

REASON = "No — not\nso.\t“Quoted” \\ 漢字 🎉\n" + "ü" * 10_000
DIALOG = "Do you want to proceed?"
PLAN_DIALOG = "Would you like to proceed?"


async def opened(work: Work, since: int = 0) -> Came:
    """The next review."""
    return await work.said("review.opened", since=since)


async def decide(work: Work, verb: str, review: Came, **more: object) -> Mapping[str, Any]:
    answer = await work.place.post(f"/agents/TASK-1/{verb}", {"review_id": review.data["review"], **more})
    assert answer.status_code == 200, answer.text
    view: Mapping[str, Any] = answer.json()
    return view


def results(work: Work) -> tuple[str, ...]:
    """What the model was told of its tool calls."""
    asked = [each for each in work.model.asked.entries if not each.side]
    return asked[-1].dialogue.results


def in_plan_mode(found: dict[str, str]) -> Any:
    """Keeps the agents' environment, so that the configuration can be written anew."""

    def prepare(_: Place, env: dict[str, str]) -> None:
        found.update(env)

    return prepare


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_permission_is_decided(model: Model, hooks: Hooks, measured: Measured, verb: str) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch made", "say went on")
        await work.start()
        review = await opened(work)
        await work.until_screen(DIALOG)
        more = {"reason": REASON} if verb == "reject" else {}
        assert (await decide(work, verb, review, **more))["delivery"] == "delivered"
        said = {"approve": "review.approved", "reject": "review.rejected"}[verb]
        decided = await work.said(said)
        stop = await hooks.until("Stop")
        measured(f"{said} → Stop", stop.at - decided.at)
        await work.said("ticket.done")
        assert (await work.place.get("/tickets/TASK-1"))["no_changes"] is (verb == "reject")
        assert (REASON in results(work)) is (verb == "reject")  # to the letter, as the tool's own result
        assert work.kinds().count("review.opened") == 1


async def test_a_person_who_declines_at_the_terminal_is_not_overruled(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "permission touch made", "say went on")
        await work.start()
        review = await opened(work)
        await work.until_screen(DIALOG)
        await work.press("Escape")
        over = await work.said("review.superseded")
        assert over.data["review"] == review.data["review"]
        late = await work.place.post("/agents/TASK-1/approve", {"review_id": review.data["review"]})
        assert (late.status_code, late.json()["code"]) == (409, "already_decided")
        assert "Traceback" not in work.place.log_tail()


async def test_a_question_is_answered_in_the_persons_own_words(model: Model, hooks: Hooks) -> None:
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "ask Which db? | Postgres | SQLite", "say went on")
        await work.start()
        review = await opened(work)
        view = await work.place.get(f"/reviews/{review.data['review']}")
        assert [each["label"] for each in view["questions"][0]["options"]] == ["Postgres", "SQLite"]
        await decide(work, "answer", review, answers={"Which db?": "Neither — use “files”"})
        await work.said("ticket.done")
        assert any('"Which db?"="Neither — use “files”"' in each for each in results(work))


async def test_a_plan_is_rejected_and_the_next_one_approved(model: Model, hooks: Hooks) -> None:
    env: dict[str, str] = {}
    async with at_work(model, hooks, prepare=in_plan_mode(env)) as work:
        work.place.configure(driver=driver(env, more='permission_mode = "plan"'))
        work.place.ticket("TASK-1", "plan # One", "plan # Two\\n1. Do it", "say went on")
        await work.start()
        first = await opened(work)
        since = work.mark()
        assert (await work.place.get(f"/reviews/{first.data['review']}"))["plan"] == "# One\n"
        await decide(work, "reject", first, reason=REASON)
        second = await opened(work, since)
        assert (await work.place.get(f"/reviews/{second.data['review']}"))["plan"] == "# Two\n1. Do it\n"
        assert REASON in results(work)
        await decide(work, "approve", second)
        await work.said("ticket.done")
        assert "approved" in results(work)[-1]
        taken = [each for each in hooks.seen.entries if each.name == "PostToolUse"]
        assert [each.payload["tool_name"] for each in taken].count("ExitPlanMode") == 1  # only what was accepted


SCRIPTS = {
    "a command": (("permission touch made", "say went on"), DIALOG, "approve", {}),
    "a command, denied": (("permission touch made", "say went on"), DIALOG, "reject", {"reason": "Not so."}),
    "a plan": (("plan # One\\n1. Do it", "say went on"), PLAN_DIALOG, "approve", {}),
    "a question": (("ask Which db? | A | B", "say on"), "Type something.", "answer", {"answers": {"": "B"}}),
}


@pytest.mark.parametrize("what", SCRIPTS)
async def test_after_a_restart_it_is_decided_at_its_dialog(model: Model, hooks: Hooks, what: str) -> None:
    script, dialog, verb, more = SCRIPTS[what]
    env: dict[str, str] = {}
    async with at_work(model, hooks, prepare=in_plan_mode(env)) as work:
        if what == "a plan":
            work.place.configure(driver=driver(env, more='permission_mode = "plan"'))
        work.place.ticket("TASK-1", *script)
        await work.start()
        review = await opened(work)
        await work.until_screen(dialog)
        await work.kill_daemon()
        await work.start()
        view = await work.place.get(f"/reviews/{review.data['review']}")
        assert (view["status"], view["held"]) == ("pending", False)
        await decide(work, verb, review, **more)
        match what:
            case "a command":
                await hooks.until("PostToolUse")
            case "a command, denied":
                prompt = await hooks.until("UserPromptSubmit", met=lambda each: "Not so." in each.payload["prompt"])
                assert prompt.payload["prompt"] == "Not so."
            case "a plan":
                await work.said("ticket.done")
                assert "approved" in results(work)[-1]
            case _:
                await work.said("ticket.done")
                assert any('"Which db?"="B"' in each for each in results(work))
