"""What stands in the composer of the real Claude Code: a prompt is added to nothing that a person has typed there."""

import pytest
import trio

from supervisor.domain.delivery import HELD
from tests.agents.hooks import Hooks
from tests.agents.work import at_work
from tests.fakes.model.server import TITLE, Model
from tests.harness import Place

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("lines", [1, 80])
async def test_a_prompt_that_an_interrupt_put_back_is_not_merged_with_the_next(
    model: Model, hooks: Hooks, lines: int
) -> None:
    """Whether its whole text is to be seen then, or only its end."""
    async with at_work(model, hooks) as work:
        work.place.ticket("TASK-1", "hang 60", *(f"say {number}" for number in range(1, lines)))
        await work.start()
        await model.until(lambda asked: asked.outcome == "open")
        await work.said("delivery.delivered")
        interrupted = await work.place.post("/agents/TASK-1/interrupt")
        assert interrupted.status_code == 200
        await work.said("agent.needs_you", why="its turn was interrupted")
        assert ("rehearse: hang 60" if lines == 1 else f"rehearse: say {lines - 1}") in await work.screen()
        text = "Do this instead.\nIn two lines."
        await work.place.post("/agents/TASK-1/prompt", {"text": text})
        await work.said("ticket.done")
        assert work.prompts() == (text,)  # what was put back was never answered, so the model knows nothing of it
        assert (await work.place.get("/tickets/TASK-1"))["attempts"] == 0


@pytest.mark.parametrize("typed", ["Half a thou", "!ls"])
async def test_a_prompt_is_not_added_to_what_a_person_has_typed(model: Model, hooks: Hooks, typed: str) -> None:
    """Least of all to a command for the shell."""
    async with at_work(model, hooks) as work:
        work.place.ticket("SPIKE-1", "say I see", type="SPIKE")
        await work.start()
        await work.turn_ended()
        await work.half_type(typed, "SPIKE-1")
        answer = await work.place.post("/agents/SPIKE-1/prompt", {"text": "And this."})
        assert (answer.status_code, answer.json()["delivery"]) == (202, "pending")
        assert answer.json()["reason"] == HELD
        await work.said("delivery.pending", "SPIKE-1", reason=HELD)
        await work.erase(typed, "SPIKE-1")
        await work.turn_ended(turns=2)
        assert work.prompts()[1:] == ("And this.",)


async def test_a_suggestion_of_its_own_is_nothing_that_a_person_has_typed(model: Model, hooks: Hooks) -> None:
    def suggest(_: Place, env: dict[str, str]) -> None:
        env["CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION"] = "1"

    async with at_work(model, hooks, prepare=suggest) as work:
        work.place.ticket("SPIKE-1", "turn 1: say one", "turn 2: say two", type="SPIKE")
        await work.start()
        await work.turn_ended()
        suggested, turns = f"\u276f\xa0{TITLE.text}", 1
        while suggested not in await work.screen("SPIKE-1"):  # it drops one for an Enter that it hears late
            turns += 1
            assert turns < 6
            await work.type("Go on please.", "SPIKE-1")
            await work.turn_ended(turns=turns)
            with trio.move_on_after(3):
                await work.until_screen(suggested, "SPIKE-1")
        answer = await work.place.post("/agents/SPIKE-1/prompt", {"text": "And this."})
        assert answer.json()["delivery"] in ("typed", "delivered")
        await work.turn_ended(turns=turns + 1)
        assert work.prompts()[turns:] == ("And this.",)
