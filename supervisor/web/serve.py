"""REST on real sockets: hypercorn's protocol under an accept loop of our own.

hypercorn's own loop has neither a bound on connections nor a fence around one, lets every child inherit its
sockets, and shields writes without a deadline, so that one client that stops reading stops the shutdown.
"""

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import TrioSingleTask, WorkerContext
from hypercorn.typing import AppWrapper, ASGIFramework, ConnectionState, TaskGroup
from hypercorn.typing import Event as Signal
from quart_trio import QuartTrio

from supervisor.web.asgi import Asgi, drained, http_only, slashes_kept
from supervisor.web.linger import until_cancelled

log = structlog.get_logger()

SEND_DEADLINE = 30.0
CLOSE_DEADLINE = 0.5
KEEP_ALIVE = 30.0
"""Seconds that a connection may be idle, or take for the head of a request."""
GRACE = 0.8
"""Seconds that requests under way have when the daemon stops."""
CONNECTIONS = 1000


class _Idle(TrioSingleTask):
    """When a connection was idle for too long: one task and a deadline that moves, for all requests on it.

    hypercorn's own starts a task after each request, which costs more than the request's parsing, and leaves the
    last one alone with a connection that its client has closed.
    """

    def __init__(self) -> None:
        self._patience = trio.CancelScope()
        self._watched = False
        self._idle = False

    async def restart(self, task_group: TaskGroup, action: Callable[[], Awaitable[None]]) -> None:
        self._idle = True
        self._patience.deadline = trio.current_time() + KEEP_ALIVE
        if not self._watched:
            self._watched = True
            task_group.spawn(action)

    async def stop(self) -> None:
        self._idle = False
        self._patience.deadline = math.inf

    def end(self) -> None:
        """The connection is over."""
        self._idle = False
        self._patience.cancel()

    async def over(self, terminated: Signal) -> bool:
        """Wait until it was idle for too long, or is idle when all is to end; False if it ends otherwise."""
        with self._patience:
            await terminated.wait()
        return self._idle


class _Connection(TCPServer):
    """One connection, whose writes end: in time, at cancellation, or with the connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle_task: _Idle = _Idle()

    async def _read_data(self) -> None:
        await super()._read_data()
        self.idle_task.end()  # its client is gone; so is the connection, once no answer is under way

    async def _idle_timeout(self) -> None:
        if await self.idle_task.over(self.context.terminated):
            with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                await self._initiate_server_close()

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated):
            await super().protocol_send(event)  # suspends nowhere
            return
        if not isinstance(event, RawData):
            # The end of a request cancels the very task that says so here. Unshielded, its connection would not
            # be closed, and the next request on it would hang.
            with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                await super().protocol_send(event)
            return
        if not event.data:
            return  # the end of an answer whose length was told
        async with self.send_lock:
            sent = False
            try:
                with trio.move_on_after(SEND_DEADLINE):
                    await self.stream.send_all(event.data)
                    sent = True
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the peer is gone, which is told below
            finally:
                if not sent:
                    await trio.aclose_forcefully(self.stream)  # half an answer went out: nothing may follow it
        if not sent:
            await self.protocol.handle(Closed())


def hypercorn_config() -> Config:
    """No log of accesses; errors go to the standard logger, which the daemon's logging takes in."""
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.keep_alive_timeout = KEEP_ALIVE
    config.keep_alive_max_requests = 10_000
    config.include_server_header = False
    return config


async def serve_rest(
    app: QuartTrio,
    listeners: list[trio.SocketListener],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then requests under way have `GRACE` seconds. The listeners are closed."""
    await until_cancelled(partial(_serve, app, listeners), task_status=task_status)


async def _serve(
    app: QuartTrio,
    listeners: list[trio.SocketListener],
    stopping: trio.Event,
    task_status: trio.TaskStatus[None],
) -> None:
    config = hypercorn_config()
    wrapped = ASGIWrapper(cast(ASGIFramework, drained(http_only(slashes_kept(cast(Asgi, app))))))
    context = WorkerContext(None)
    async with trio.open_nursery() as lifespan_nursery:
        lifespan = Lifespan(wrapped, config, {})
        await lifespan_nursery.start(lifespan.handle_lifespan)
        await lifespan.wait_for_startup()
        async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
            accept = partial(_accepted, connections, wrapped, config, context)
            await accepting.start(partial(trio.serve_listeners, accept, listeners, handler_nursery=connections))
            task_status.started()
            await stopping.wait()
            accepting.cancel_scope.cancel()
            await context.terminated.set()
            connections.cancel_scope.deadline = trio.current_time() + GRACE
        lifespan_nursery.cancel_scope.cancel()


async def _accepted(
    connections: trio.Nursery,
    app: AppWrapper,
    config: Config,
    context: WorkerContext,
    stream: trio.SocketStream,
) -> None:
    """One connection, in a fence: whatever a peer provokes in the protocol ends its own connection only."""
    if len(connections.child_tasks) > CONNECTIONS:
        return  # what serves listeners closes it
    try:
        # its annotation names TLS streams only; it serves plain ones alike
        await _Connection(app, config, context, ConnectionState({}), cast(Any, stream)).run()
    except Exception as error:
        log.warning("connection failed", error=repr(error)[:500])
