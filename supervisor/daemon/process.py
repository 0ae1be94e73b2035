"""One daemon process: what starts after what, and what stops before what.

Nested nurseries are the order: store outermost, then the terminal backends, the actors, and the edges innermost.
SIGTERM cancels the innermost; each layer is cancelled once all inside it has ended. Agents outlive all of it.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol, assert_never

import structlog
import trio
from attrs import frozen

from supervisor.actors.activity import ActivityLog
from supervisor.actors.fleet import Fleet, Hooks, World
from supervisor.actors.kit import supervise, wall_clock
from supervisor.actors.queue import Queue
from supervisor.actors.review import Review, Tools
from supervisor.actors.store import Store, prune_for_ever
from supervisor.actors.sync import Sync
from supervisor.adapters.drivers.claude import ClaudeDriver
from supervisor.adapters.drivers.codex import CodexDriver
from supervisor.adapters.drivers.command import CommandDriver
from supervisor.adapters.hooks import KeptHooks
from supervisor.adapters.prompts import JinjaPrompts
from supervisor.adapters.pullrequests import GhPullRequests
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.adapters.workspaces import GitWorkspaces
from supervisor.daemon import files, logs, sockets
from supervisor.daemon.backends import DETAILS, backends
from supervisor.daemon.boards import boards
from supervisor.daemon.notify import Proof, ServiceManager
from supervisor.daemon.options import ServeOptions
from supervisor.daemon.other_user import at_home, keep_capabilities_to_ourselves
from supervisor.daemon.overview import Overview
from supervisor.domain.activity import Entry
from supervisor.domain.board_config import secret_names
from supervisor.domain.config import Config, DriverConfig, issue_types
from supervisor.domain.environment import for_agents
from supervisor.domain.errors import OperatorError
from supervisor.domain.ids import AgentId
from supervisor.domain.queue import Settings
from supervisor.domain.retention import Retention
from supervisor.domain.tokens import agent_token
from supervisor.domain.views import Endpoint
from supervisor.ports import AgentDriver, KanbanProvider
from supervisor.web.app import create_app
from supervisor.web.house import About, Gate, House
from supervisor.web.security import Security
from supervisor.web.serve import serve_rest
from supervisor.web.stream import serve_stream

log = structlog.get_logger()


class Startable(Protocol):
    """A task that says when it works."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


def run_daemon(config: Config, options: ServeOptions) -> int:
    """Run until SIGTERM or SIGINT; the process's exit code."""
    logs.set_up(config.daemon.log_level, options.log_format)
    apart = options.agents_user is not None
    os.umask(0o007 if apart else 0o077)
    if apart:
        keep_capabilities_to_ourselves()
    try:
        files.prepare(options.state_dir, shared=apart)
        with files.locked(options.state_dir):
            return trio.run(partial(_main, config, options), strict_exception_groups=True)
    except* OperatorError as group:
        for error in _leaves(group):
            print(f"operator: {error}", file=sys.stderr)
            if isinstance(error, OperatorError) and error.hint:
                print(f"  {error.hint}", file=sys.stderr)
    return 1


def _leaves(group: BaseExceptionGroup[OperatorError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def _main(config: Config, options: ServeOptions) -> int:
    stop = trio.Event()
    async with trio.open_nursery() as watcher:
        await watcher.start(_signals, stop)
        await Daemon(config, options).serve(stop)
        watcher.cancel_scope.cancel(reason="the daemon has stopped")
    return 0


async def _signals(stop: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as arrived:
        task_status.started()
        async for number in arrived:
            log.info("stopping", signal=signal.Signals(number).name)
            stop.set()


@frozen
class Actors:
    """The handles, once all actors work."""

    fleet: Fleet
    review: Review
    queue: Queue
    sync: Sync

    def proofs(self, store: Store) -> dict[str, Proof]:
        """By whose word the daemon is alive."""
        return {
            "store": store.alive,
            "fleet": self.fleet.alive,
            "review": self.review.alive,
            "queue": self.queue.alive,
            "sync": self.sync.alive,
        }

    def summary(self) -> str:
        """The state of things in a line."""
        return f"{self.fleet.load().total} agents at work, {self.queue.awaiting()} tickets need a person"


class Daemon:
    """Joins the adapters to the actors and the actors to the edges."""

    def __init__(self, config: Config, options: ServeOptions) -> None:
        self._config = config
        self._options = options
        self._state_dir = options.state_dir
        self._since = wall_clock()
        self._hook_secret = files.hook_secret(options.state_dir)
        self._backends = backends(config.sessions, options)
        self._url = ""
        """Where REST is; known once the sockets are bound, which is before anything else."""

    async def serve(self, stop: trio.Event) -> None:
        manager = ServiceManager.of(os.environ)
        bound = self._bind()
        self._url = f"http://{_shown(bound.host)}:{bound.port}"
        await manager.tell("STATUS=Adopting what runs")
        disk = SqlDisk(self._state_dir / "operator.db")
        store = Store(disk)
        activity = ActivityLog(store)
        async with _layer() as stores:
            await stores.start(store.run)
            async with _layer() as terminals:
                for backend in self._backends.values():
                    await terminals.start(backend.run)
                async with boards(self._config, os.environ) as providers, _layer() as acting:
                    actors = await self._start_actors(acting, store, providers)
                    acting.start_soon(prune_for_ever, store, Retention(), wall_clock)
                    async with trio.open_nursery() as edges:
                        url = await self._open_edges(edges, bound, actors, activity, store)
                        print(f"Operator {_version()} listens on {url}", flush=True)
                        await manager.tell("READY=1", f"STATUS={actors.summary()}")
                        edges.start_soon(manager.feed, actors.proofs(store), actors.summary)
                        await stop.wait()
                        await manager.tell("STOPPING=1", "STATUS=Stopping; agents go on")
                        actors.review.let_go()  # else the edges would wait for people
                        edges.cancel_scope.cancel(reason="asked to stop")
                for handle in (actors.queue, actors.fleet):
                    handle.drain()

    def _bind(self) -> sockets.Bound:
        daemon = self._config.daemon
        host = self._options.host or daemon.host
        port = daemon.port if self._options.port is None else self._options.port
        stream_port = daemon.stream_port if self._options.stream_port is None else self._options.stream_port
        unix_path = self._state_dir / "api.sock"
        usable = unix_path if len(os.fsencode(unix_path)) < 108 else None
        given = sockets.passed(os.environ)
        if given:
            return sockets.adopt(given, usable, loopback_only=self._options.no_auth)
        return sockets.bind(host, port, stream_port, files.last_endpoint(self._state_dir), usable)

    # --- actors -----------------------------------------------------------------------------------

    async def _start_actors(
        self, nursery: trio.Nursery, store: Store, providers: Mapping[str, KanbanProvider]
    ) -> Actors:
        config, clock = self._config, wall_clock
        types = issue_types(config)
        drivers = {name: self._driver(name, given) for name, given in config.drivers.items()}
        environment = for_agents(os.environ, secret_names(config.collections.values()))
        of_agents = at_home(self._options.agents_user, environment)
        workspaces = GitWorkspaces(
            self._state_dir / "worktrees", config.projects, self._state_dir / "exports", environment
        )
        prompts = JinjaPrompts()
        sync: Sync

        async def reread(collection: str, external_id: str) -> bool:
            return await sync.reread(collection, external_id)

        hooks = Hooks(self._hook_url, self._hook_token)
        private = self._state_dir / "agents"
        world = World(self._backends, drivers, workspaces, reread, hooks, private, of_agents, KeptHooks(private))
        fleet = Fleet(store, world, config, clock)
        pulls = GhPullRequests(config.projects, environment)
        review = Review(store, fleet, Tools(prompts, workspaces, pulls), types, config.permissions, clock)
        queue = Queue(store, fleet, review, Settings.of(config), clock)
        sync = Sync(store, queue, review, types, providers, config.collections, clock)
        for name, actor in (("fleet", fleet), ("review", review), ("queue", queue), ("sync", sync)):
            await nursery.start(partial(_fenced, name, actor.run, partial(_note_crash, store)))
        return Actors(fleet, review, queue, sync)

    def _driver(self, name: str, given: DriverConfig) -> AgentDriver:
        match given.kind:
            case "command":
                return CommandDriver(name, given)
            case "claude":
                return ClaudeDriver(name, given, os.environ)
            case "codex":
                return CodexDriver(name, given, os.environ)
            case never:
                assert_never(never)

    def _hook_url(self, agent_id: AgentId) -> str:
        return f"{self._url}/api/v1/agents/{agent_id}/signals"

    def _hook_token(self, agent_id: AgentId) -> str:
        return agent_token(self._hook_secret, agent_id)

    # --- edges ------------------------------------------------------------------------------------

    async def _open_edges(
        self,
        nursery: trio.Nursery,
        bound: sockets.Bound,
        actors: Actors,
        activity: ActivityLog,
        store: Store,
    ) -> str:
        token = None if self._options.no_auth else files.token(self._state_dir)
        url, stream_url = self._url, f"ws://{_shown(bound.host)}:{bound.stream_port}"
        security = Security(token, bound.host)
        gate = Gate(About(_version(), self._state_dir.name))
        gate.open(self._house(actors, activity, store, stream_url, self._warnings(bound)))
        await nursery.start(serve_rest, create_app(gate, security), bound.rest_listeners)
        await nursery.start(serve_stream, gate, security, [bound.stream])
        endpoint = Endpoint(
            pid=os.getpid(),
            version=_version(),
            url=url,
            stream_url=stream_url,
            socket=str(bound.unix_path) if bound.unix_path is not None else None,
            token_file=str(self._state_dir / "token") if token is not None else None,
            started_at=self._since,
        )
        await trio.to_thread.run_sync(files.write_endpoint, self._state_dir, endpoint)
        entry = Entry("daemon.started", wall_clock(), data={"version": _version(), "pid": os.getpid()})
        await store.commit(entries=[entry], durable=False)
        return url

    def _house(
        self, actors: Actors, activity: ActivityLog, store: Store, stream_url: str, warnings: tuple[str, ...]
    ) -> House:
        overview = Overview(
            version=_version(),
            config=self._config,
            state_dir=self._state_dir,
            stream_url=stream_url,
            since=self._since,
            backends={name: DETAILS[name] for name in self._backends},
            warnings=warnings,
            queue=actors.queue,
            fleet=actors.fleet,
            sync=actors.sync,
            activity=activity,
        )
        return House(
            queue=actors.queue,
            sync=actors.sync,
            fleet=actors.fleet,
            review=actors.review,
            activity=activity,
            types=issue_types(self._config),
            hook_token=self._hook_token,
            status=overview,
        )

    def _warnings(self, bound: sockets.Bound) -> tuple[str, ...]:
        found: list[str] = []
        if self._options.no_auth:
            found.append("no token is asked for (--no-auth): every program of this machine can use this daemon")
        if bound.moved:
            found.append("an earlier port was taken by another program: this daemon listens on a new one")
        for warning in found:
            log.warning(warning)
        return tuple(found)


@asynccontextmanager
async def _layer() -> AsyncIterator[trio.Nursery]:
    """A nursery whose tasks are cancelled when its body has ended: then all inside it has ended already."""
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel(reason="the layer inside has ended")


async def _fenced(
    name: str,
    run: Startable,
    crashed: Callable[[str, Exception], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    """An actor under supervision; started when its first run is."""
    once = _Once(task_status)
    await supervise(name, lambda: run(task_status=once), crashed=crashed)


class _Once:
    """A task status that may be told again after a restart."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status
        self._told = False

    def started(self, value: None = None) -> None:
        if not self._told:
            self._told = True
            self._task_status.started(value)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _note_crash(store: Store, name: str, error: Exception) -> None:
    entry = Entry("actor.crashed", wall_clock(), data={"actor": name, "error": repr(error)[:500]})
    await store.commit(entries=[entry], durable=False)


def _version() -> str:
    try:
        return version("operator-supervisor")
    except PackageNotFoundError:
        return "unknown"
