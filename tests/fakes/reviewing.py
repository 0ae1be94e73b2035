"""A whole daemon whose agents are reviewed: rehearsal agents with and without hooks, verdicts by REST, and counts."""

import hashlib
import random
import sys
from collections.abc import Callable
from typing import Any

import trio

from supervisor.domain.verdicts import redo_note
from tests.harness import REHEARSAL, REHEARSAL_DRIVER, Event, Place

HOOKED = f"""
[drivers.rehearsal]
kind = "claude"
command = ["{sys.executable}", "-S", "{REHEARSAL}"]
stop_grace = "500ms"
env = {{ CLAUDE_CONFIG_DIR = "@HOME@/.rehearsal" }}
"""
PLANNED = """
[[types.PLAN.steps]]
name = "plan"
prompt = "You are in step plan of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
artifacts = [".operator/plan.md"]
review = "plan"

[[types.PLAN.steps]]
name = "build"
prompt = "You are in step build of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"

[[types.OFFER.steps]]
name = "fix"
prompt = "You are in step fix of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
review = "pr"
"""
"""Issue types that have one review, and not more."""
PLAN = (
    "step plan: write .operator/plan.md # A plan",
    "redo plan: append .operator/plan.md And more.",
    "step plan: say It is planned.",
    "redo plan: say It is planned anew.",
)
"""A turn ends with something said: else its record looks as if it had been stopped."""
BUILD = ("step build: write built.txt built", "step build: commit Build it", "step build: say It is built.")
REASON_SIZE = 10_000
_RANGES = ((0x20, 0x7E), (0xA1, 0x2FF), (0x370, 0x1FFF), (0x2010, 0x27BF), (0x3041, 0xD7FF), (0x1F300, 0x1FAFF))


def any_reason(seed: object) -> str:
    """10 KB of any Unicode that a terminal can be sent, in several lines; no two seeds have the same."""
    dice = random.Random(f"{seed}")
    text = f"Reason {seed}:\n"
    while len(text.encode()) < REASON_SIZE:
        text += "".join(chr(dice.randint(*dice.choice(_RANGES))) for _ in range(60)) + dice.choice("\n\t ")
    return text.strip()


def told_of(step: str, reason: str) -> str:
    """What an agent's terminal is given for a rejection of a step's end."""
    return f"What you made in step {step} was reviewed. {redo_note(reason)}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Reviewing(Place):
    """A place with issue types that are reviewed."""

    def __init__(self, *, hooks: bool = False, max_agents: int = 3, types: str = PLANNED) -> None:
        super().__init__()
        self.driver = HOOKED.replace("@HOME@", str(self.root / "home")) if hooks else REHEARSAL_DRIVER
        self.configure(max_agents=max_agents, driver=self.driver, extra=types)

    async def opened(self, number: int, within: float = 40.0) -> dict[str, Any]:
        """Wait for a review, and look at it."""
        await self.until(about("review.opened", number), within=within)
        view: dict[str, Any] = await self.get(f"/reviews/{number}")
        return view

    async def decide(self, ref: str, verb: str, **body: object) -> dict[str, Any]:
        answer = await self.post(f"/agents/{ref}/{verb}", body)
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    async def until_told(self, number: int, within: float = 20.0) -> dict[str, Any]:
        """Wait until the verdict is where it acts."""
        with trio.fail_after(within):
            while not (view := await self.get(f"/reviews/{number}"))["told"]:  # noqa: ASYNC110
                await trio.sleep(0.02)  # nothing is told when a verdict was carried out
        found: dict[str, Any] = view
        return found

    def counted(self, ticket: str, event: str, text: str) -> int:
        """How often exactly these bytes reached the agent as a paste or a prompt."""
        wanted = digest(text)
        return sum(each["event"] == event and each.get("sha256") == wanted for each in self.journal(ticket))

    def heard(self, ticket: str, text: str) -> int:
        """How often the agent, or the model behind it, was told something that holds this."""
        return sum(text in each["text"] for each in self.journal(ticket) if each["event"] in ("told", "prompt"))

    async def steps(self, ticket: str) -> list[tuple[str, int]]:
        """Each run of a step that was begun, in order."""
        found = (await self.get(f"/activity?ticket={ticket}&limit=1000&kinds=step.started"))["events"]
        return [(event["data"]["step"], event["data"]["run"]) for event in found]

    async def press(self, ticket: str, *keys: str) -> None:
        """A person's keys at an agent's terminal."""
        (socket,) = self.tmux_sockets_of_server()
        tmux = ["tmux", "-S", str(socket)]
        listed = await trio.run_process([*tmux, "list-sessions", "-F", "#{session_name}"], capture_stdout=True)
        [name] = [each for each in listed.stdout.decode().split() if ticket in each]
        await trio.run_process([*tmux, "send-keys", "-t", f"={name}:", *keys])


def about(kind: str, number: int | None = None) -> Callable[[Event], bool]:
    """Picks the entry of this kind about this review."""
    return lambda event: event["kind"] == kind and number in (None, event["data"].get("review"))
