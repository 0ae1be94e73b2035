"""An agent CLI in a real terminal, under its driver and a session actor, with nothing else of a daemon around them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
import trio

from supervisor.actors.kit import wall_clock
from supervisor.actors.session import SessionActor
from supervisor.actors.store import Store
from supervisor.adapters.drivers.claude import ClaudeDriver
from supervisor.adapters.hooks import KeptHooks
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.agent import SETTLED, Activity, Agent, Delivery, Opened, Proof, Source, Starting
from supervisor.domain.config import DriverConfig
from supervisor.domain.durations import Duration
from supervisor.domain.errors import OperatorError
from supervisor.domain.ids import AgentId, DeliveryId, TicketId
from supervisor.domain.tokens import agent_token
from supervisor.ports import AgentDriver, LaunchRequest, Session, SessionBackend, SessionSpec
from tests.fakes.model.http import Exchange, serve
from tests.fakes.seen import WITHIN, Seen
from tests.fakes.session_places import PLACES
from tests.harness import REHEARSAL

AGENT = AgentId("A-1~1")
SECRET = b"secret"


class Cli(Protocol):
    """A CLI that the suite is run on."""

    lacks: frozenset[str]
    """What it has not got: `status file`, `questions`, `background`, `error hook`, `chosen id`."""

    def driver(self, root: Path) -> AgentDriver:
        """Its driver, for a HOME in `root` where nothing keeps it from working in `root`/work."""

    def prompts(self, root: Path) -> tuple[str, ...]:
        """The prompts of the conversation that is under way, as they reached it or its model."""


class Rehearsal:
    """The rehearsal agent, which speaks Claude Code's protocol."""

    lacks = frozenset[str]()

    def driver(self, root: Path) -> AgentDriver:
        env = {
            "HOME": str(root / "home"),
            "CLAUDE_CONFIG_DIR": str(root / "home" / ".rehearsal"),
            "REHEARSAL_JOURNAL": str(root / "journal.jsonl"),
        }
        command = (sys.executable, "-S", str(REHEARSAL))
        return ClaudeDriver("rehearsal", DriverConfig(command, "claude", env=env, stop_grace=Duration(10)), {})

    def prompts(self, root: Path) -> tuple[str, ...]:
        entries = [json.loads(line) for line in (root / "journal.jsonl").read_text().splitlines()]
        return tuple(entry["text"] for entry in entries if entry["event"] == "prompt")


class Working:
    """One agent at work."""

    def __init__(self, rig: "Rig", agent: Agent, session: Session, driver: AgentDriver) -> None:
        self.agent = agent
        self.session = session
        self._driver = driver
        self.activities: Seen[Activity] = Seen()
        missed = KeptHooks(rig.root / "private")
        self.actor = SessionActor(agent, session, driver, rig.store, wall_clock, self._published, missed)
        self.handle = self.actor.handle
        self._numbers = count(1)

    def _published(self, activity: Activity, _: bool) -> None:
        self.activities.add(activity)

    @property
    def now(self) -> Activity:
        return self.activities.entries[-1]

    @property
    def conversation(self) -> str | None:
        """The one that it was started in, or said that it is in."""
        return self.now.conversation_id or self.agent.conversation_id

    async def until(self, met: Callable[[Activity], bool], since: int = 0) -> Activity:
        """Wait until its activity was so at any time from `since` on."""
        return await self.activities.until(met, since=since)

    def mark(self) -> int:
        return len(self.activities)

    async def deliver(self, text: str) -> DeliveryId:
        """Have a text typed, as soon as the agent can take it."""
        number = DeliveryId(f"{self.agent.id}.{next(self._numbers)}")
        await self.handle.deliver(number, text, "step")
        return number

    async def settled(self, delivery_id: DeliveryId) -> Delivery:
        with trio.fail_after(WITHIN):
            return await self.handle.deliveries[delivery_id].until(lambda each: each.state in SETTLED)

    async def held(self, delivery_id: DeliveryId) -> Delivery:
        """Wait until a text is said to wait for something."""
        with trio.fail_after(WITHIN):
            return await self.handle.deliveries[delivery_id].until(lambda each: each.reason != "")

    async def press(self, *keys: str) -> None:
        """A person's keys."""
        await self.session.press(*keys)

    async def type(self, text: str) -> None:
        """A person types this into the composer."""
        await self.press(*(" ".join(text).replace("   ", " Space ").split()))
        await self.until_composer(text)

    async def until_dialog(self) -> None:
        """Wait until a dialog stands where the composer was: what tells of it may come before it."""
        with trio.fail_after(WITHIN):
            while self._driver.composer(await self.session.screen(styled=True)) is not None:  # noqa: ASYNC110
                await trio.sleep(0.02)  # what tells that the screen has changed is the actor's

    async def until_composer(self, text: str) -> None:
        """Wait until the composer holds just this."""
        shown: str | None = None
        with trio.move_on_after(WITHIN):
            while (shown := self._driver.composer(await self.session.screen(styled=True))) != text:  # noqa: ASYNC110
                await trio.sleep(0.02)  # what tells that the screen has changed is the actor's
        assert shown == text

    def kill(self) -> None:
        assert self.session.pid is not None
        os.kill(self.session.pid, signal.SIGKILL)


class Rig:
    """A store, a terminal backend, a receiver of hooks, and one working directory."""

    def __init__(self, root: Path, cli: Cli, store: Store, backend: SessionBackend, nursery: trio.Nursery) -> None:
        self.root = root
        self.cli = cli
        self.driver = cli.driver(root)
        self.store = store
        self.backend = backend
        self.work = root / "work"
        self.url = ""
        self.heard: Seen[Mapping[str, object]] = Seen()
        """Every hook that was called with the right token, whether an actor listened or not."""
        self._nursery = nursery
        self._sessions: list[Session] = []
        self._listening: Working | None = None
        self._scope = trio.CancelScope()

    async def launch(self, agent_id: AgentId = AGENT, earlier: str | None = None) -> Working:
        """Start the CLI; `earlier` is the conversation to go on with."""
        request = self.request(agent_id, earlier)
        plan = self.driver.plan(request)
        session = await self.backend.open(SessionSpec(agent_id, plan.argv, request.cwd, plan.env))
        self._sessions.append(session)
        agent = Agent(
            id=agent_id,
            ticket_id=TicketId("A-1"),
            ticket_type="TASK",
            title="A ticket",
            project="work",
            driver=self.driver.name,
            backend=self.backend.name,
            started_at=wall_clock(),
            phase=Opened(session.pid),
            conversation_id=plan.conversation_id,
        )
        activity = Activity(agent_id, Starting(Proof(wall_clock(), Source.LAUNCH, "its process was started")))
        await self.store.commit(agent, activity)
        return self._attend(Working(self, agent, session, self.driver), activity)

    def request(self, agent_id: AgentId = AGENT, earlier: str | None = None) -> LaunchRequest:
        return LaunchRequest(
            agent_id,
            TicketId("A-1"),
            str(self.work),
            {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            self.root / "private" / agent_id,
            f"{self.url}/{agent_id}",
            agent_token(SECRET, agent_id),
            launch=f"{agent_id} {self.root}",
            conversation_id=earlier,
        )

    def away(self) -> None:
        """As if the daemon were killed: nobody attends to the agent or hears its hooks any more."""
        self._scope.cancel()
        self._listening = None

    async def back(self, working: Working) -> Working:
        """A new daemon takes up what is stored of the agent."""
        [activity] = await self.store.load(Activity)
        return self._attend(Working(self, working.agent, working.session, self.driver), activity)

    def _attend(self, working: Working, activity: Activity) -> Working:
        self._listening, self._scope = working, trio.CancelScope()
        working.activities.add(activity)
        self._nursery.start_soon(self._run, working, activity, self._scope)
        return working

    async def _run(self, working: Working, activity: Activity, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await working.actor.run(activity)
        finally:
            working.actor.drain()

    async def hear(self, exchange: Exchange) -> None:
        """A hook of the CLI's."""
        agent_id = exchange.request.path.rpartition("/")[2]
        if exchange.request.headers.get("authorization") != f"Bearer {agent_token(SECRET, AgentId(agent_id))}":
            await exchange.answer(401)
            return
        payload = exchange.request.json()
        self.heard.add(payload)
        try:
            heard = await self._listening.handle.hear(payload) if self._listening is not None else None
        except OperatorError:
            heard = None
        if heard is None:
            await exchange.answer(503)
        else:
            await exchange.json(heard.answer)

    async def hook(self, name: str) -> Mapping[str, object]:
        return await self.heard.until(lambda payload: payload["hook_event_name"] == name)

    async def left_off(self, working: Working, hook: str) -> None:
        """Wait until its turn is over while nobody attends: by the hook that tells it, else by its record."""
        if hook == "StopFailure" and "error hook" in self.cli.lacks:
            conversation = working.conversation
            assert conversation is not None
            with trio.fail_after(WITHIN):
                while self.driver.last_turn(conversation) is None:  # noqa: ASYNC110
                    await trio.sleep(0.02)  # nothing rings when a file of the CLI's has grown
        else:
            await self.hook(hook)

    def prompts(self) -> tuple[str, ...]:
        return self.cli.prompts(self.root)

    def needs(self, what: str) -> None:
        """Skip a test of what this CLI has not got."""
        if what in self.cli.lacks:
            pytest.skip(f"it has no {what}")

    async def end(self) -> None:
        """End what runs: an agent that outlives the test would write into its HOME again."""
        with trio.fail_after(WITHIN):
            for session in self._sessions:
                await session.stop(0.2)


@asynccontextmanager
async def rig(cli: Cli, backend: str = "tmux") -> AsyncIterator[Rig]:
    """A place for one agent at a time; nothing of it is left afterwards."""
    root = Path(tempfile.mkdtemp(prefix="dr-", dir="/tmp"))  # short: socket paths are limited
    for folder in ("home", "work", "state"):
        (root / folder).mkdir(mode=0o700)
    subprocess.run(["git", "init", "-q", "-b", "main", str(root / "work")], check=True)
    place = PLACES[backend](root / "state")
    try:
        async with trio.open_nursery() as behind:
            store = Store(SqlDisk(root / "operator.db"))
            sessions = place.backend()
            await behind.start(store.run)
            await behind.start(sessions.run)
            async with trio.open_nursery() as nursery:
                made = Rig(root, cli, store, sessions, nursery)
                port = await nursery.start(partial(serve, made.hear))
                made.url = f"http://127.0.0.1:{port}/agents"
                yield made
                nursery.cancel_scope.cancel()
            await made.end()
            behind.cancel_scope.cancel()
    finally:
        place.end()
        shutil.rmtree(root, ignore_errors=True)
    assert not root.exists()
