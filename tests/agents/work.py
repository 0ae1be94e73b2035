"""Claude Code at work under a whole daemon: what the daemon says of it beside what it itself says and does."""

import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import frozen

from supervisor.adapters.drivers.claude_screens import composer
from tests.agents.claude import EVENTS, PROGRAM, Status, environment, seed, watch_statuses
from tests.agents.hooks import Hooks
from tests.fakes.model.server import Asked, Model
from tests.fakes.seen import WITHIN, Seen
from tests.harness import Event, Place

ALLOWED = ("Write", "Bash(git *)", "Bash(printf *)")
"""What it may do unasked, so that it asks for a script's `permission` only."""


@frozen
class Came:
    """An event, and when it came over the WebSocket."""

    event: Event
    at: float

    @property
    def kind(self) -> str:
        return str(self.event["kind"])

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.event["data"]
        return found


class Work:
    """One daemon whose tickets the real Claude Code works on."""

    def __init__(self, place: Place, model: Model, hooks: Hooks, nursery: trio.Nursery) -> None:
        self.place = place
        self.model = model
        self.hooks = hooks
        """Its hooks, posted to the test as well as to the daemon."""
        self.statuses: Seen[Status] = Seen()
        self.events: Seen[Came] = Seen()
        self._nursery = nursery

    # --- the daemon -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the daemon, and take down its activity."""
        await self.place.start()
        await self._nursery.start(self._listen)

    async def kill_daemon(self) -> None:
        """kill -9 the daemon."""
        self._listening.cancel()
        await self._silent.wait()
        self.place.kill()

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        self._listening, self._silent = trio.CancelScope(), trio.Event()
        last = self.events.entries[-1].event["seq"] if self.events.entries else 0
        with self._listening:
            async with self.place.events(last) as stream:
                task_status.started()
                async for event in stream:
                    self.events.add(Came(event, trio.current_time()))
        self._silent.set()

    async def said(
        self, kind: str, ticket: str = "TASK-1", *, since: int = 0, within: float = WITHIN, **data: object
    ) -> Came:
        """Wait until the daemon says this of a ticket."""

        def met(came: Came) -> bool:
            of_it = came.kind == kind and came.event["ticket"] == ticket
            return of_it and all(came.data.get(name) == value for name, value in data.items())

        try:
            return await self.events.until(met, since=since, within=within)
        except AssertionError as error:
            story = "\n".join(f"{came.kind} {came.data}" for came in self.events.entries)
            raise AssertionError(f"no {kind} {data}: {error}\n{story}\n{self.place.log_tail()}") from None

    async def turn_ended(self, since: int = 0, turns: int = 1) -> Came:
        """Wait until an agent rests after so many turns."""
        return await self.events.until(
            lambda came: came.kind == "agent.idle" and came.data["turns"] >= turns, since=since
        )

    def mark(self) -> int:
        """Where the next event will stand."""
        return len(self.events)

    def kinds(self, since: int = 0) -> list[str]:
        return [came.kind for came in self.events.entries[since:]]

    async def state(self, agent: str = "TASK-1") -> str:
        view = await self.place.get(f"/agents/{agent}")
        return str(view["state"]["name"])

    # --- a person at the terminal -------------------------------------------------------------------

    async def press(self, *keys: str, ticket: str = "TASK-1") -> float:
        """Press keys at the agent's terminal; when they were sent."""
        session = await self._session(ticket)
        at = trio.current_time()
        await self._tmux("send-keys", "-t", f"={session}:", *keys)
        return at

    async def type(self, text: str, ticket: str = "TASK-1") -> float:
        """Type a line and press Enter once it is shown; when Enter was pressed."""
        await self.half_type(text, ticket)
        return await self.press("Enter", ticket=ticket)

    async def half_type(self, text: str, ticket: str = "TASK-1") -> None:
        """Type into the composer, and wait until it is shown there."""
        session = await self._session(ticket)
        await self._tmux("send-keys", "-t", f"={session}:", "-l", text)
        await self._until_composed(text, ticket)

    async def erase(self, text: str, ticket: str = "TASK-1") -> None:
        """Take back what is in the composer, key by key: some of them change its mode."""
        while text:
            text = text[:-1]
            await self.press("BSpace", ticket=ticket)
            await self._until_composed(text, ticket)

    async def _until_composed(self, text: str, ticket: str) -> None:
        await self.until_screen(lambda screen: _composed(screen) == text.strip(), ticket)

    async def screen(self, ticket: str = "TASK-1") -> str:
        return await self._tmux("capture-pane", "-p", "-t", f"={await self._session(ticket)}:")

    async def until_screen(self, met: str | Callable[[str], bool], ticket: str = "TASK-1") -> str:
        """Wait until the terminal shows a text, or is as it should be."""
        screen = ""
        with trio.move_on_after(WITHIN):
            while True:
                screen = await self.screen(ticket)
                if met in screen if isinstance(met, str) else met(screen):
                    return screen
                await trio.sleep(0.03)  # nothing tells a test that the screen has changed
        raise AssertionError(f"the screen did not show {met}:\n{screen}")

    async def pid(self, ticket: str = "TASK-1") -> int:
        session = await self._session(ticket)
        return int(await self._tmux("display-message", "-p", "-t", f"={session}:", "#{pane_pid}"))

    async def kill(self, ticket: str = "TASK-1") -> float:
        """kill -9 the agent; when."""
        pid = await self.pid(ticket)
        os.kill(pid, signal.SIGKILL)
        return trio.current_time()

    async def _session(self, ticket: str) -> str:
        came = next(each for each in reversed(self.events.entries) if _opened(each, ticket))
        return str(came.data["session"])

    async def _tmux(self, *arguments: str) -> str:
        (socket,) = self.place.tmux_sockets_of_server()
        done = await trio.run_process(["tmux", "-S", str(socket), *arguments], capture_stdout=True)
        return done.stdout.decode()

    # --- what Claude Code says ------------------------------------------------------------------------

    def prompts(self) -> tuple[str, ...]:
        """All prompts of the conversation, as the model was told them last."""
        return self._asked()[-1].dialogue.prompts

    def conversations(self) -> set[str]:
        return {each.dialogue.conversation for each in self._asked()}

    def _asked(self) -> list[Asked]:
        return [each for each in self.model.asked.entries if not each.side]

    async def kept(self, text: str) -> None:
        """Wait until a conversation's file holds this: not before then can it be resumed."""
        projects = self.place.root / "home" / ".claude" / "projects"
        with trio.fail_after(WITHIN):
            while not any(text in path.read_text() for path in projects.glob("*/*.jsonl")):  # noqa: ASYNC110
                await trio.sleep(0.03)  # nothing tells a test that a file has grown

    async def status(self, state: str, since: int = 0, *, after: Status | None = None) -> Status:
        """Wait until its status file says so, as something newer than what it said in `after`."""
        told = after.told["statusUpdatedAt"] if after is not None else 0
        return await self.statuses.until(
            lambda each: each.state == state and each.told.get("statusUpdatedAt", 0) > told, since=since
        )


def _composed(screen: str) -> str | None:
    found = composer(screen)
    return found.replace("!\xa0", "!") if found is not None else None


def _opened(came: Came, ticket: str) -> bool:
    return came.kind == "agent.starting" and came.event["ticket"] == ticket and "session" in came.data


def driver(env: Mapping[str, str], args: tuple[str, ...] = (), more: str = "") -> str:
    """The configuration's part about agents, for the real Claude Code."""
    inherited = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
    options = json.dumps(["--allowedTools", *ALLOWED, *args])
    return (
        f'[drivers.claude]\nkind = "claude"\ncommand = ["{PROGRAM}"]\nargs = {options}\n'
        f'stop_grace = "10s"\nenv = {{ {inherited} }}\n{more}\n'
    )


Prepare = Callable[[Place, dict[str, str]], None]
"""Changes a place and the agents' environment before the daemon starts."""


@asynccontextmanager
async def at_work(
    model: Model, hooks: Hooks, *, trusted: bool = True, max_agents: int = 3, prepare: Prepare | None = None
) -> AsyncIterator[Work]:
    """A place for Claude Code to work in, with no daemon yet; nothing is left of it afterwards."""
    env: dict[str, str] = {}
    place = Place(max_agents=max_agents)
    try:
        (place.root / "tmp").mkdir()
        home = place.root / "home"
        (home / ".claude" / "sessions").mkdir(parents=True)
        (home / ".claude" / "settings.json").write_text(json.dumps(hooks.settings(*EVENTS, timeout=5)))
        seed(home, *([place.repo] if trusted else []))
        env |= environment(model, place.root / "tmp")
        if prepare is not None:
            prepare(place, env)
        place.configure(max_agents=max_agents, driver=driver(env))
        async with trio.open_nursery() as nursery:
            work = Work(place, model, hooks, nursery)
            await nursery.start(watch_statuses, home / ".claude" / "sessions", work.statuses)
            yield work
            nursery.cancel_scope.cancel()
    finally:
        place.close()
    assert not place.agent_pids()
