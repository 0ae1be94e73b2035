"""A feature with the real Claude Code: its plan, what it built, and its branch, rejected and approved by a person."""

import json

import pytest

from tests.agents.conftest import Measured
from tests.agents.hooks import Hooks
from tests.agents.work import Came, Work, at_work
from tests.fakes.model.server import Model
from tests.hands import BOTH, ByCommand, ByRest

pytestmark = pytest.mark.agents

REASON = "No — “not” so.\n\tKeep \\n and 漢字 🎉, please.\n" + "ü" * 4_000
FEATURE = (
    "step plan: plan # One",
    "step plan: plan # Two\\n1. Do it",
    "step plan: say I begin at once.",
    "step build: write feature.txt built",
    "step build: commit Build it",
    "step show: write .operator/show/page.html <!doctype html><p>one",
    "redo show: write .operator/show/page.html <!doctype html><p>two",
    "step offer: write .operator/summary.md It is done.",
)


async def opened(work: Work, number: int, kind: str) -> Came:
    came = await work.said("review.opened", "FEAT-1", review=number)
    assert came.data["kind"] == kind
    return came


@pytest.mark.parametrize("by", BOTH)
async def test_a_feature_from_its_plan_to_its_end(
    model: Model, hooks: Hooks, measured: Measured, by: type[ByRest] | type[ByCommand]
) -> None:
    async with at_work(model, hooks) as work:
        hands = by(work.place)
        work.place.ticket("FEAT-1", *FEATURE, type="FEAT", title="A feature")
        await work.start()
        await opened(work, 1, "plan")
        assert (await hands.shown(1))["plan"] == "# One\n"
        await hands.reject("FEAT-1", 1, REASON)
        await opened(work, 2, "plan")
        assert (await hands.shown(2))["plan"] == "# Two\n1. Do it\n"
        await hands.approve("FEAT-1", 2)
        await opened(work, 3, "visual")
        await hands.reject("FEAT-1", 3, "Show two.")
        rejected = await work.said("review.rejected", "FEAT-1", review=3)
        prompted = await hooks.until("UserPromptSubmit", met=lambda hook: "Show two." in str(hook.payload["prompt"]))
        measured("review.rejected → the reason's prompt taken", prompted.at - rejected.at)
        await opened(work, 4, "visual")
        await hands.approve("FEAT-1", 4)
        await opened(work, 5, "pr")
        assert (await hands.shown(5))["commits"] == 1
        await hands.approve("FEAT-1", 5)
        await work.said("ticket.done", "FEAT-1")
        assert work.place.git("show", "operator/FEAT-1:feature.txt").strip() == "built"
        told = json.dumps(work.model.asked.entries[-1].body, ensure_ascii=False)
        assert told.count(json.dumps(REASON, ensure_ascii=False)[1:-1]) == 1
        assert told.count("Show two.") == 1
        assert len(work.conversations()) == 1
