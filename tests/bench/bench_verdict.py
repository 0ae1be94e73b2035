"""From a person's verdict by REST to where it acts: the agent's terminal, the hook's answer in its hands."""

from collections.abc import Callable, Iterator
from time import monotonic

import httpx2
import pytest
import trio

from tests.bench.figures import Figures
from tests.fakes.reviewing import Reviewing, digest, told_of
from tests.harness import Event

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
ROUNDS = 40
BAR = 25.0
TYPES = """
[[types.ROUND.steps]]
name = "plan"
prompt = "You are in step plan of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
artifacts = ["plan.md"]
review = "plan"

[[types.ROUND.steps]]
name = "build"
prompt = "You are in step build of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
"""
ANEW = ("step plan: write plan.md One", "redo plan: append plan.md More", "say Done.", "redo plan: say Done.")


@pytest.fixture
def hooked() -> Iterator[Reviewing]:
    yield from _place(hooks=True)


@pytest.fixture
def plain() -> Iterator[Reviewing]:
    yield from _place(hooks=False)


def _place(*, hooks: bool) -> Iterator[Reviewing]:
    made = Reviewing(hooks=hooks, types=TYPES)
    try:
        yield made
    finally:
        made.close()


async def test_a_rejection_by_prompt(plain: Reviewing, hooked: Reviewing, figures: Figures) -> None:
    for place, name in ((plain, "no hooks"), (hooked, "hooks")):
        place.ticket("ROUND-1", *ANEW, type="ROUND")
        await place.start()
        pasted, entered, answered = [], [], []
        async with place.client() as client:
            for number in range(1, ROUNDS + 1):
                await place.opened(number)
                await trio.sleep(0.05)  # what the step's end set off is over
                text = told_of("plan", f"Reason {number}.")
                moments, took = await _decided(
                    place, client, "reject", {"reason": f"Reason {number}."}, _bytes(digest(text)), ("paste", "prompt")
                )
                pasted.append(moments[0])
                entered.append(moments[1])
                answered.append(took)
        figures.middle(f"reject by REST, {name}: in the terminal", pasted, "ms", BAR)
        figures.middle(f"reject by REST, {name}: entered", entered, "ms", BAR)
        figures.middle(f"reject by REST, {name}: answered as delivered", answered, "ms")


async def test_an_approval_by_prompt(plain: Reviewing, figures: Figures) -> None:
    """Each ticket's next step is prompted in the same session."""
    await plain.start()
    pasted, entered = [], []
    async with plain.client() as client:
        for number in range(1, ROUNDS // 2 + 1):
            name = f"ROUND-{number}"
            plain.ticket(name, *ANEW, type="ROUND")
            await plain.opened(number)
            await trio.sleep(0.05)
            moments, _ = await _decided(
                plain, client, "approve", {}, lambda entry: "in step build" in entry.get("text", ""), ("prompt",), name
            )
            pasts = [entry for entry in plain.journal(name) if entry["event"] == "paste"]
            entered.append(moments[0])
            pasted.append(moments[0] - 1000 * (_last(plain, name, "prompt")["mono"] - pasts[1]["mono"]))
            await plain.until_over(name)
    figures.middle("approve by REST: next step in the terminal", pasted, "ms", BAR)
    figures.middle("approve by REST: next step entered", entered, "ms", BAR)


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_verdict_by_hook(hooked: Reviewing, figures: Figures, verb: str) -> None:
    """A permission's hook is held: how long until the agent has its answer."""
    hooked.ticket("TASK-1", *("permission true",) * ROUNDS, "say Done.")
    await hooked.start()
    heard, answered = [], []
    async with hooked.client() as client:
        for number in range(1, ROUNDS + 1):
            await hooked.opened(number)
            await trio.sleep(0.05)
            body = {"reason": "No."} if verb == "reject" else {}
            moments, took = await _decided(hooked, client, verb, body, _asked, ("hook",))
            heard.append(moments[0])
            answered.append(took)
    figures.middle(f"{verb} by REST, held hook: in the agent's hands", heard, "ms", BAR)
    figures.middle(f"{verb} by REST, held hook: answered as delivered", answered, "ms")


def _bytes(sha256: str) -> Callable[[Event], bool]:
    return lambda entry: entry.get("sha256") == sha256


def _asked(entry: Event) -> bool:
    return entry.get("name") == "PermissionRequest"


def _last(place: Reviewing, ticket: str, event: str) -> Event:
    return next(entry for entry in reversed(place.journal(ticket)) if entry["event"] == event)


async def _decided(
    place: Reviewing,
    client: httpx2.AsyncClient,
    verb: str,
    body: dict[str, object],
    met: Callable[[Event], bool],
    events: tuple[str, ...],
    ticket: str | None = None,
) -> tuple[list[float], float]:
    """Milliseconds until the agent noted each of these events, and until the verdict was answered."""
    [path] = [place.journals / f"{ticket}.jsonl"] if ticket else list(place.journals.glob("*.jsonl"))
    name, known = path.stem, len(place.journal(path.stem))
    began = monotonic()
    answer = await client.post(f"/agents/{name}/{verb}", json=body)
    took = monotonic() - began
    assert answer.status_code == 200, answer.text
    found: dict[str, float] = {}
    with trio.fail_after(20):
        while found.keys() != set(events):
            for entry in place.journal(name)[known:]:
                if entry["event"] in events and met(entry):
                    found[entry["event"]] = 1000 * (entry["mono"] - began)
            await trio.sleep(0.005)  # nothing tells a test that a file has grown
    return [found[event] for event in events], 1000 * took
