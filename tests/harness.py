"""A whole Operator as a process of its own, in a throw-away place: for tests that may trust nothing less."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import trio
import trio_websocket

ROOT = Path(__file__).resolve().parent.parent
REHEARSAL = ROOT / "clients" / "cli" / "demo" / "rehearsal"
READY = 20.0
GOING = 3.0
"""Seconds that a tmux server has to end by itself, and a killed process to be gone."""
ROUNDS = 20
"""How often it is looked for agents that are still there."""
MARK = f"op-{os.getpid()}-"
"""Begins the name of every place that this run of the tests makes: what is left of any of them is found by it."""
Event = dict[str, Any]

CONFIG = """
[daemon]
port = 0
stream_port = 0

[queue]
max_agents = {max_agents}
retry_base = "200ms"

[sessions]
backend = "{backend}"

[projects.repo]
path = "repo"

{driver}

[collections.board]
provider = "local"
path = "board"
interval = "60s"
"""

REHEARSAL_DRIVER = f"""
[drivers.rehearsal]
command = ["{sys.executable}", "-S", "{REHEARSAL}"]
quit = "/exit"
stop_grace = "500ms"
idle_after = "3s"
"""


class Place:
    """A throw-away workspace: a repository, a board, a configuration, a HOME. Nothing of it outlives `close`."""

    def __init__(
        self, *, max_agents: int = 3, driver: str = REHEARSAL_DRIVER, extra: str = "", backend: str = "tmux"
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix=MARK, dir="/tmp"))  # short: socket paths are limited
        self.state = self.root / "state"
        self.board = self.root / "board"
        self.repo = self.root / "repo"
        self.journals = self.root / "journals"
        for folder in (self.root / "home", self.root / "run", self.journals, self.board / "queue", self.repo):
            folder.mkdir(parents=True)
        (self.root / "run").chmod(0o700)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "REHEARSAL_JOURNAL": f"{self.journals}/",
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self._make_repo()
        self.config = self.root / "operator.toml"
        self._backend = backend
        self.configure(max_agents=max_agents, driver=driver, extra=extra)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.url = self.stream_url = self.token = ""
        self.output = self.root / "serve.log"

    def configure(self, *, max_agents: int = 3, driver: str = REHEARSAL_DRIVER, extra: str = "") -> None:
        """Write the configuration: `driver` is its part about agents, `extra` what comes at its end."""
        self.config.write_text(CONFIG.format(max_agents=max_agents, driver=driver, backend=self._backend) + extra)

    def _make_repo(self) -> None:
        (self.repo / "README.md").write_text("# A project\n")
        identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git(*identity, "commit", "-q", "-m", "Begin")

    def git(self, *args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=self.repo, env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def ticket(self, name: str, *script: str, front: str = "", title: str = "", type: str = "TASK") -> Path:
        """A ticket file in the queue; `name` is its id, `script` what the rehearsal agent does."""
        lines = "\n".join(f"rehearse: {line}" for line in script)
        text = f"---\nid: {name}\ntype: {type}\ntitle: {title or name}\n{front}---\nPlease.\n\n{lines}\n"
        path = self.board / "queue" / f"{name}.md"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.rename(path)
        return path

    # --- the process ------------------------------------------------------------------------------

    def serve_command(self) -> list[str]:
        options = ["--config", str(self.config), "--state-dir", str(self.state)]
        return [sys.executable, "-m", "clients.cli.main", "serve", *options]

    async def start(self) -> None:
        """Start the daemon and wait until it says where it listens."""
        with self.output.open("ab") as log:
            self.daemon = subprocess.Popen(
                self.serve_command(),
                env=self.env,
                cwd=self.root,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.daemon.stdout is not None
        with trio.fail_after(READY):
            line = await trio.to_thread.run_sync(self.daemon.stdout.readline, abandon_on_cancel=True)
        assert b"listens on" in line, (line, self.log_tail())
        endpoint = json.loads((self.state / "endpoint.json").read_text())
        self.url, self.stream_url = endpoint["url"], endpoint["stream_url"]
        self.token = (self.state / "token").read_text().strip()

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()
        self._close_pipe()

    async def stop(self, within: float = 10.0) -> int:
        """SIGTERM; the exit code."""
        assert self.daemon is not None
        self.daemon.terminate()
        with trio.fail_after(within):
            code = await trio.to_thread.run_sync(self.daemon.wait, abandon_on_cancel=True)
        self._close_pipe()
        return code

    def _close_pipe(self) -> None:
        assert self.daemon is not None
        if self.daemon.stdout is not None:
            self.daemon.stdout.close()

    def log_tail(self) -> str:
        return self.output.read_text(errors="replace")[-4000:]

    # --- the wire -----------------------------------------------------------------------------------

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str) -> Any:
        async with self.client() as client:
            answer = await client.get(path)
            answer.raise_for_status()
            return answer.json()

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> httpx2.Response:
        async with self.client() as client:
            return await client.post(path, json=dict(body or {}))

    def client(self) -> httpx2.AsyncClient:
        """For many requests on few connections; paths begin after `/api/v1`."""
        return httpx2.AsyncClient(base_url=f"{self.url}/api/v1", headers=self.headers(), timeout=20.0)

    @asynccontextmanager
    async def events(self, since: int = 0) -> AsyncIterator[AsyncIterator[Event]]:
        """The activity, from `since` on, as the WebSocket brings it."""
        url = f"{self.stream_url}/api/v1/activity?since={since}"
        headers = [(name, value) for name, value in self.headers().items()]
        async with trio_websocket.open_websocket_url(url, extra_headers=headers) as socket:
            stream = _events(socket)
            async with aclosing(stream):
                yield stream

    async def until(self, met: Callable[[Event], bool], *, within: float = 30.0, since: int = 0) -> Event:
        """Wait for an event, past or future."""
        last: deque[Event] = deque(maxlen=40)
        try:
            with trio.fail_after(within):
                async with self.events(since) as stream:
                    async for event in stream:
                        if met(event):
                            return event
                        last.append(event)
        except trio.TooSlowError:
            came = "\n".join(f"{each['seq']} {each['kind']} {each['agent']} {each['data']}"[:200] for each in last)
            raise AssertionError(f"the event did not come within {within} s\n{came}\n{self.log_tail()}") from None
        raise AssertionError("the stream ended")

    async def until_over(self, *tickets: str, within: float = 60.0) -> dict[str, str]:
        """Wait until all these tickets have ended; how each did."""
        open_tickets, ended = set(tickets), {}
        over = {"ticket.done": "done", "ticket.failed": "failed", "ticket.cancelled": "cancelled"}
        with trio.move_on_after(within) as scope:
            async with self.events() as stream:
                while open_tickets:
                    event = await anext(stream)
                    if event["kind"] in over and event["ticket"] in open_tickets:
                        open_tickets.discard(event["ticket"])
                        ended[event["ticket"]] = over[event["kind"]]
        assert not scope.cancelled_caught, (open_tickets, await self._why(open_tickets), self.log_tail())
        return ended

    async def _why(self, tickets: set[str]) -> list[object]:
        found: list[object] = []
        for each in sorted(tickets):
            try:
                found.append(await self.get(f"/tickets/{each}"))
            except httpx2.HTTPError as error:
                found.append(repr(error))
        return found

    # --- what agents received -------------------------------------------------------------------------

    def journal(self, ticket: str) -> list[Event]:
        path = self.journals / f"{ticket}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    async def until_journal(self, ticket: str, event: str, within: float = 30.0) -> Event:
        """Wait until the agent itself wrote that it received or did something."""
        return await self.until_journal_has(ticket, lambda entry: entry["event"] == event, within)

    async def until_journal_has(self, ticket: str, met: Callable[[Event], bool], within: float = 30.0) -> Event:
        """Wait for an entry of the agent's own journal: a file, the only witness that needs no daemon."""
        with trio.fail_after(within):
            while (found := next(filter(met, self.journal(ticket)), None)) is None:  # noqa: ASYNC110
                await trio.sleep(0.005)  # nothing tells a test that a file has grown
        return found

    # --- the end --------------------------------------------------------------------------------------

    def tmux_sockets(self) -> list[Path]:
        return [path for path in (self.root / "run").rglob("*") if path.is_socket()]

    def tmux_sockets_of_server(self) -> list[Path]:
        """The sockets that a living tmux server answers on."""
        return [
            path
            for path in self.tmux_sockets()
            if not subprocess.run(["tmux", "-S", path, "list-sessions"], capture_output=True, check=False).returncode
        ]

    def close(self) -> None:
        """End what runs, by id, and remove the place."""
        if self.daemon is not None:
            self.kill()
        for path in self.tmux_sockets():
            _end_server(path)
        for pid in [*self.host_pids(), *self.agent_pids()]:
            _end(pid)
        shutil.rmtree(self.root, ignore_errors=True)

    def host_pids(self) -> list[int]:
        """The pty hosts that are there. A number may by now mean another process only if its host ended just before."""
        records = [json.loads(path.read_text()) for path in self.state.glob("hosts/*/record")]
        found = []
        for record in records:
            try:
                if b"ptyhost" in Path(f"/proc/{record['host']}/cmdline").read_bytes():
                    found.append(int(record["host"]))
            except OSError:
                continue
        return found

    def agent_pids(self) -> list[int]:
        """Processes that still work for this place: those whose environment names its journals."""
        found = []
        mark = f"REHEARSAL_JOURNAL={self.journals}/".encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        found.append(int(folder.name))
                except OSError:
                    continue
        return found


def leftovers() -> list[str]:
    """Processes, folders and sockets of places that are gone."""
    found = [str(path) for path in Path("/tmp").glob(f"{MARK}*")]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                told += os.fsencode(os.readlink(folder / "cwd"))
            except OSError:
                continue
            if f"/tmp/{MARK}".encode() in told:
                found.append(f"process {folder.name}: {told[:200]!r}")
    return found


def _end_server(socket: Path) -> None:
    """End a tmux server and wait until its process is gone, which takes a while with many panes."""
    tmux = ["tmux", "-S", str(socket)]
    told = subprocess.run([*tmux, "display-message", "-p", "#{pid}"], capture_output=True, text=True, check=False)
    subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
    if told.stdout.strip().isdigit():
        try:
            handle = os.pidfd_open(int(told.stdout))
        except ProcessLookupError:
            return
        try:
            # A control client whose daemon was killed can keep it from ending.
            if not select.select([handle], [], [], GOING)[0]:
                _end(int(told.stdout))
                select.select([handle], [], [], READY)
        finally:
            os.close(handle)


def _end(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        os.kill(pid, signal.SIGKILL)
        select.select([handle], [], [], GOING)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


async def _events(socket: trio_websocket.WebSocketConnection) -> AsyncIterator[Event]:
    while True:
        try:
            frame = json.loads(await socket.get_message())
        except trio_websocket.ConnectionClosed:
            return
        for event in frame.get("events", ()):
            yield event
