"""One daemon process: what starts after what, and what stops before what.

Nested nurseries are the order: store outermost, then the terminal backends, the actors, and the edges innermost.
SIGTERM cancels the innermost; each layer is cancelled once all inside it has ended. Agents outlive all of it.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import structlog
import trio
from attrs import frozen

from supervisor.actors.activity import ActivityLog
from supervisor.actors.fleet import Fleet, World
from supervisor.actors.kit import supervise, wall_clock
from supervisor.actors.queue import Queue
from supervisor.actors.review import Review
from supervisor.actors.store import Store
from supervisor.actors.sync import Sync
from supervisor.adapters.drivers.command import CommandDriver
from supervisor.adapters.kanban.local import LocalBoard
from supervisor.adapters.prompts import JinjaPrompts
from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.adapters.workspaces import GitWorkspaces
from supervisor.daemon import files, logs, sockets
from supervisor.daemon.options import ServeOptions
from supervisor.daemon.overview import Overview
from supervisor.domain.activity import Entry
from supervisor.domain.config import Config, issue_types
from supervisor.domain.environment import for_agents
from supervisor.domain.errors import OperatorError
from supervisor.domain.queue import Settings
from supervisor.domain.views import Endpoint
from supervisor.ports import SessionBackend
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
    os.umask(0o077)
    try:
        files.prepare(options.state_dir)
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


class Daemon:
    """Joins the adapters to the actors and the actors to the edges."""

    def __init__(self, config: Config, options: ServeOptions) -> None:
        self._config = config
        self._options = options
        self._state_dir = options.state_dir
        self._host = options.host or config.daemon.host
        self._since = wall_clock()

    async def serve(self, stop: trio.Event) -> None:
        bound, unix_path = self._bind()
        disk = SqlDisk(self._state_dir / "operator.db")
        store = Store(disk)
        activity = ActivityLog(store)
        backend = TmuxBackend(self._state_dir, transcript_limit=self._config.sessions.transcript_limit)
        async with _layer() as stores:
            await stores.start(store.run)
            async with _layer() as backends:
                await backends.start(backend.run)
                async with _layer() as acting:
                    actors = await self._start_actors(acting, store, backend)
                    async with trio.open_nursery() as edges:
                        url = await self._open_edges(edges, bound, unix_path, actors, activity, store)
                        print(f"Operator {_version()} listens on {url}", flush=True)
                        await stop.wait()
                        edges.cancel_scope.cancel(reason="asked to stop")
                for handle in (actors.queue, actors.fleet):
                    handle.drain()

    def _bind(self) -> tuple[sockets.Bound, Path | None]:
        daemon = self._config.daemon
        port = daemon.port if self._options.port is None else self._options.port
        stream_port = daemon.stream_port if self._options.stream_port is None else self._options.stream_port
        unix_path = self._state_dir / "api.sock"
        usable = unix_path if len(os.fsencode(unix_path)) < 108 else None
        return sockets.bind(self._host, port, stream_port, files.last_endpoint(self._state_dir), usable), usable

    # --- actors -----------------------------------------------------------------------------------

    async def _start_actors(self, nursery: trio.Nursery, store: Store, backend: SessionBackend) -> Actors:
        config, clock = self._config, wall_clock
        types = issue_types(config)
        drivers = {name: CommandDriver(name, given) for name, given in config.drivers.items()}
        providers = {
            name: LocalBoard(name, Path(given.path), type=given.type or "TASK", types=tuple(types))
            for name, given in config.collections.items()
        }
        environment = for_agents(os.environ, frozenset())
        workspaces = GitWorkspaces(
            self._state_dir / "worktrees", config.projects, self._state_dir / "exports", environment
        )
        prompts = JinjaPrompts()
        sync: Sync

        async def reread(collection: str, external_id: str) -> bool:
            return await sync.reread(collection, external_id)

        world = World({backend.name: backend}, drivers, workspaces, reread, environment)
        fleet = Fleet(store, world, config, clock)
        review = Review(store, fleet, prompts, workspaces, types, clock)
        queue = Queue(store, fleet, review, Settings.of(config), clock)
        sync = Sync(store, queue, providers, config.collections, clock)
        for name, actor in (("fleet", fleet), ("review", review), ("queue", queue), ("sync", sync)):
            await nursery.start(partial(_fenced, name, actor.run, partial(_note_crash, store)))
        return Actors(fleet, review, queue, sync)

    # --- edges ------------------------------------------------------------------------------------

    async def _open_edges(
        self,
        nursery: trio.Nursery,
        bound: sockets.Bound,
        unix_path: Path | None,
        actors: Actors,
        activity: ActivityLog,
        store: Store,
    ) -> str:
        token = None if self._options.no_auth else files.token(self._state_dir)
        shown = f"[{self._host}]" if ":" in self._host else self._host
        url, stream_url = f"http://{shown}:{bound.port}", f"ws://{shown}:{bound.stream_port}"
        security = Security(token, self._host)
        gate = Gate(About(_version(), self._state_dir.name))
        gate.open(self._house(actors, activity, store, stream_url, self._warnings(bound)))
        await nursery.start(serve_rest, create_app(gate, security), bound.rest_listeners)
        await nursery.start(serve_stream, gate, security, [bound.stream])
        endpoint = Endpoint(
            pid=os.getpid(),
            version=_version(),
            url=url,
            stream_url=stream_url,
            socket=str(unix_path) if unix_path is not None else None,
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
            backends={"tmux": "one private server"},
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


async def _note_crash(store: Store, name: str, error: Exception) -> None:
    entry = Entry("actor.crashed", wall_clock(), data={"actor": name, "error": repr(error)[:500]})
    await store.commit(entries=[entry], durable=False)


def _version() -> str:
    try:
        return version("operator-supervisor")
    except PackageNotFoundError:
        return "unknown"
