"""The edge on real sockets, before a house of fakes."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import trio
from attrs import frozen

from supervisor.actors.store import Store
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.daemon.sockets import bind
from supervisor.web.app import create_app
from supervisor.web.house import About, Gate
from supervisor.web.security import Security
from supervisor.web.serve import serve_rest
from supervisor.web.stream import Limits, serve_stream
from tests.fakes.house import FakeHouse

TOKEN = "s3cret-token"


@frozen
class Served:
    """Where the edge listens, and what stands behind it."""

    house: FakeHouse
    gate: Gate
    port: int
    stream_port: int
    rest: "Part"
    stream: "Part"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.stream_port}/api/v1/activity"

    def client(self, token: str | None = TOKEN, **options: object) -> httpx2.AsyncClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=f"{self.url}/", headers=headers, trust_env=False, timeout=20.0, **options)


@asynccontextmanager
async def serving(
    *, token: str | None = TOKEN, unix: Path | None = None, opened: bool = True, limits: Limits | None = None
) -> AsyncIterator[Served]:
    """Serve until the block ends; REST and stream can each be stopped before."""
    gate, security = Gate(About("0.1.0", "work")), Security(token)
    bound = bind("127.0.0.1", 0, 0, None, unix)
    with TemporaryDirectory() as folder:
        store = Store(SqlDisk(Path(folder) / "operator.db"))
        house = FakeHouse(store)
        async with trio.open_nursery() as outer:
            await outer.start(store.run)
            if opened:
                gate.open(house.house())
            async with trio.open_nursery() as nursery:
                served = Served(house, gate, bound.port, bound.stream_port, Part(), Part())
                await nursery.start(
                    served.rest.run, partial(serve_rest, create_app(gate, security), bound.rest_listeners)
                )
                stream = partial(serve_stream, gate, security, [bound.stream], limits=limits)
                await nursery.start(served.stream.run, stream)
                try:
                    yield served
                finally:
                    nursery.cancel_scope.cancel()
            outer.cancel_scope.cancel()


class Part:
    """A server that can be stopped by itself."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, serve: partial[Coroutine[None, None, None]], *, task_status: trio.TaskStatus[None]) -> None:
        with self._scope:
            await serve(task_status=task_status)
        self._ended.set()

    async def stop(self) -> float:
        """Cancel it, and say how many seconds it took to return."""
        started = trio.current_time()
        self._scope.cancel()
        await self._ended.wait()
        return trio.current_time() - started
