"""From a prompt's way in by REST to the agent's terminal, as the agent itself noted it."""

import hashlib
from time import monotonic

import httpx2
import pytest
import trio

from tests.bench.crowd import Crowd
from tests.bench.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
PROMPTS = 100
LARGE = 10
SCRIPT = "rehearse: say Yes.\n"
BYTES = "tab\there, quotes ' \" `, $HOME $(x) ;;; \\ back, ümläut, 漢字, 👩‍💻, é, #{pid} %0 ~ !\n"


@pytest.mark.parametrize("crowd", [10, 100, 200], indirect=True)
async def test_prompt_to_terminal(crowd: Crowd, figures: Figures) -> None:
    typed, entered, answered = [], [], []
    async with crowd.place.client() as client:
        for number in range(PROMPTS):
            times = await _prompt(crowd, client, crowd.names[number % crowd.size], f"{SCRIPT}Number {number}.")
            typed.append(1000 * times[0])
            entered.append(1000 * times[1])
            answered.append(1000 * times[2])
        at = f"{crowd.size} agents, prompt by REST"
        figures.middle(f"{at}: pasted", typed, "ms", 25)
        figures.middle(f"{at}: entered", entered, "ms", 25)
        figures.middle(f"{at}: answered", answered, "ms")
        text = SCRIPT + BYTES * (200 * 1024 // len(BYTES.encode()))
        large = [1000 * (await _prompt(crowd, client, crowd.names[n % crowd.size], text))[1] for n in range(LARGE)]
        figures.spread(f"{at}: 200 KB, entered, every byte exact", large, "ms")


async def _prompt(crowd: Crowd, client: httpx2.AsyncClient, name: str, text: str) -> tuple[float, float, float]:
    """Seconds until it was pasted, entered, and answered by the daemon; the agent is idle again afterwards."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = len(crowd.place.journal(name))
    began = monotonic()
    answer = await client.post(f"/agents/{name}/prompt", json={"text": text})
    answered = monotonic() - began
    assert answer.json()["delivery"] in ("typed", "delivered"), answer.text
    found: dict[str, float] = {}
    with trio.fail_after(20):
        while "turn-end" not in found:
            for entry in crowd.place.journal(name)[known:]:
                if entry["event"] == "turn-end" or entry.get("sha256") == digest:
                    found[entry["event"]] = entry["mono"] - began
            await trio.sleep(0.005)
    await crowd.until_idle(client, [name])
    return found["paste"], found["prompt"], answered
