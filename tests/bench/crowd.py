"""A daemon with many agents that sit idle, and ways to have them do something at a known moment."""

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import trio

from tests.bench import usage
from tests.harness import Event, Place

HERE = Path(__file__).resolve().parent
BESIDE = 40
"""Agents that may run beside the crowd."""
AT_ONCE = 8
EXTRA = """
[drivers.metronome]
command = ["{python}", "-S", "{metronome}"]
quit = "/exit"
stop_grace = "500ms"
idle_after = "600ms"

[types.TASK]
driver = "rehearsal"

[types.SIT]
mode = "paired"
driver = "rehearsal"
steps = [{{ name = "sit", prompt = "{{{{ ticket.body }}}}" }}]

[types.BEAT]
mode = "paired"
driver = "metronome"
steps = [{{ name = "beat", prompt = "rest" }}]
"""
Say = Callable[[Event], float | None]


class Crowd:
    """`size` rehearsal agents whose first turn is over, in paired tickets: nobody ends them. The queue is paused."""

    def __init__(self, size: int) -> None:
        self.size = size
        extra = EXTRA.format(python=sys.executable, metronome=HERE / "metronome.py")
        self.place = Place(max_agents=size + BESIDE, extra=extra)
        self.names = [f"SIT-{number}" for number in range(1, size + 1)]
        self.beats: list[str] = []

    async def gather(self) -> None:
        """Start the daemon and launch all of them."""
        await self.place.start()
        async with self.place.client() as client:
            await client.post("/queue/pause", json={"reason": "only what the benchmark launches"})
            for name in self.names:
                self.place.ticket(name, "say Ready.", type="SIT")
            await self.launch_all(client, self.names)
            await self.until_settled(client, self.names, "turn-end")

    async def launch_all(self, client: httpx2.AsyncClient, names: Iterable[str]) -> None:
        """Have the board read, and launch these, a few at a time."""
        limit = trio.CapacityLimiter(AT_ONCE)
        await self.until_known(client, names)

        async def launch(name: str) -> None:
            async with limit:
                answer = await client.post(f"/tickets/{name}/launch", json={"force": True})
                assert answer.status_code in (200, 202), (name, answer.text)

        await each(launch, names)

    async def until_known(self, client: httpx2.AsyncClient, names: Iterable[str]) -> None:
        """Have the board read until it shows these tickets: what was written just now has to come to rest first."""
        with trio.fail_after(30):
            for name in names:
                while (await client.get(f"/tickets/{name}")).status_code == 404:
                    await client.post("/queue/sync")

    async def add_beats(self, client: httpx2.AsyncClient, count: int) -> None:
        """Have so many metronomes beside the crowd."""
        new = [f"BEAT-{number}" for number in range(len(self.beats) + 1, count + 1)]
        for name in new:
            self.place.ticket(name, type="BEAT")
        await self.launch_all(client, new)
        await self.until_settled(client, new, "order")
        self.beats += new

    async def mute(self, client: httpx2.AsyncClient) -> None:
        """Have one agent that will never set a title."""
        self.place.ticket("MUTE-1", type="BEAT")
        await self.launch_all(client, ["MUTE-1"])
        await self.until_settled(client, ["MUTE-1"], "order")

    async def order(self, client: httpx2.AsyncClient, text: Callable[[int], str]) -> None:
        """Prompt each metronome; `text` is given its number."""

        async def prompt(name: str) -> None:
            body = {"text": text(self.beats.index(name))}
            answer = await client.post(f"/agents/{name}/prompt", json=body)
            assert answer.status_code in (200, 202), answer.text

        await each(prompt, self.beats)

    async def rest(self, client: httpx2.AsyncClient) -> None:
        """Have all metronomes rest, and wait until they do."""
        await self.order(client, lambda _: "rest")
        for name in self.beats:
            await self.place.until_journal_has(name, lambda _, n=name: self.place.journal(n)[-1].get("text") == "rest")
        await self.until_idle(client, self.beats)

    async def states(self, client: httpx2.AsyncClient) -> dict[str, Event]:
        """What each living agent does, by its ticket."""
        answer = await client.get("/agents/active")
        answer.raise_for_status()
        return {agent["ticket_id"]: agent for agent in answer.json()["agents"]}

    async def until_idle(self, client: httpx2.AsyncClient, names: Iterable[str], within: float = 60.0) -> None:
        wanted = set(names)
        with trio.fail_after(within):
            while True:
                states = await self.states(client)
                if all(name in states and states[name]["state"]["name"] == "idle" for name in wanted):
                    return
                await trio.sleep(0.05)

    async def until_settled(self, client: httpx2.AsyncClient, names: Iterable[str], event: str) -> None:
        """Until each has written this into its journal, and is idle."""
        for name in names:
            await self.place.until_journal(name, event)
        await self.until_idle(client, names)

    # --- processes ----------------------------------------------------------------------------------

    def server(self) -> int:
        """The tmux server's process."""
        [socket] = self.place.tmux_sockets_of_server()
        shown = subprocess.run(
            ["tmux", "-S", socket, "display-message", "-p", "#{pid}"], capture_output=True, text=True, check=True
        )
        return int(shown.stdout)

    def daemon(self) -> int:
        assert self.place.daemon is not None
        return self.place.daemon.pid

    def helpers(self) -> dict[str, list[int]]:
        """Processes of ours beside the daemon, the tmux server and the agents: by program."""
        found: dict[str, list[int]] = {}
        for pid, name in (usage.children(self.daemon()) | usage.children(self.server())).items():
            if name in ("cat", "tmux: client"):
                found.setdefault(name, []).append(pid)
        return found

    def counts(self, names: Iterable[str]) -> dict[str, tuple[int, int, int]]:
        """How often each agent was started, had something pasted, and had a prompt entered, by its own journal."""
        found = {}
        for name in names:
            events = [entry["event"] for entry in self.place.journal(name)]
            found[name] = (events.count("start"), events.count("paste"), events.count("prompt"))
        return found

    def close(self) -> None:
        """End all of it; if the daemon ended before, say what it said."""
        assert self.place.daemon is not None
        code = self.place.daemon.poll()
        said = self.place.log_tail()
        self.place.close()
        assert code is None, (code, said)


async def each(work: Callable[[str], Awaitable[Any]], names: Iterable[str]) -> None:
    """Do it for all at once."""
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(partial(_ignored, work, name))


async def _ignored(work: Callable[[str], Awaitable[Any]], name: str) -> None:
    await work(name)


def stamp(event: Event) -> float | None:
    """The moment that a metronome wrote into its title, if this event was made by one."""
    words = str(event["data"].get("evidence", "")).split()
    if event["kind"] not in ("agent.running", "agent.idle") or len(words) != 2 or "." not in words[1]:
        return None
    return float(words[1])


def last(path: Path, event: str) -> Event | None:
    """The newest entry of a kind in a journal."""
    if not path.exists():
        return None
    for line in reversed(path.read_text().splitlines()):
        entry: Event = json.loads(line)
        if entry["event"] == event:
            return entry
    return None


def killed(pid: int) -> float:
    """Kill a process; the moment before."""
    moment = monotonic()
    os.kill(pid, 9)
    return moment
