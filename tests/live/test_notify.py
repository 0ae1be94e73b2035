"""What a service manager hears of a whole daemon, and the sockets it hands over: by systemd's own protocols."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
import trio

from tests.fakes.listener import Listener
from tests.harness import ROOT, Place

ACTIVATE = shutil.which("systemd-socket-activate")
needs_systemd = pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("form", ["path", "abstract"])
async def test_ready_is_said_once_agents_are_adopted_and_the_edges_open(place: Place, form: str) -> None:
    place.ticket("TASK-1", "hang forever")
    await place.start()
    await place.until_journal("TASK-1", "prompt")
    place.kill()
    _, server, _ = json.loads((place.state / "tmux.json").read_text())
    address = str(place.root / "notify") if form == "path" else f"@{place.root.name}"
    async with Listener(address) as manager, trio.open_nursery() as nursery:
        place.env["NOTIFY_SOCKET"] = address
        os.kill(server, signal.SIGSTOP)
        try:
            nursery.start_soon(place.start)
            assert await manager.until(lambda told: True) == [["STATUS=Adopting what runs"]]
            assert await manager.silence(0.5) == [], "agents cannot have been adopted: their server is stopped"
        finally:
            os.kill(server, signal.SIGCONT)
        told = await manager.until(lambda told: "READY=1" in told)
        assert told == [["READY=1", "STATUS=1 agents at work, 0 tickets need a person"]]
        endpoint = json.loads((place.state / "endpoint.json").read_text())
        async with httpx2.AsyncClient(base_url=endpoint["url"], headers=_bearer(place)) as client:
            agent = (await client.get("/api/v1/agents/TASK-1")).json()
        assert agent["state"]["name"] == "running"
    async with Listener(address) as manager:
        assert await place.stop() == 0
        assert (await manager.next())[0] == "STOPPING=1"


async def test_no_watchdog_no_signs_of_life(place: Place) -> None:
    async with Listener(str(place.root / "notify")) as manager:
        place.env |= {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
        await place.start()
        await manager.until(lambda told: "READY=1" in told)
        assert await manager.silence(0.5) == []


async def test_a_manager_that_does_not_listen_stops_nothing(place: Place) -> None:
    place.env["NOTIFY_SOCKET"] = str(place.root / "nobody")
    await place.start()
    assert (await place.get("/health"))["status"] == "ok"
    assert "service manager not told" in place.log_tail()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["queue", "store", "fleet"])
async def test_a_stuck_actor_stops_the_signs_of_life(place: Place, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "tests.fakes.stuck_daemon", part, str(place.config), str(place.state)]
    monkeypatch.setattr(place, "serve_command", lambda: command)
    async with Listener(str(place.root / "notify")) as manager, trio.open_nursery() as nursery:
        place.env |= {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "600000"}
        await place.start()
        for _ in range(3):
            await manager.until(_is_sign)
        if part == "fleet":
            place.ticket("TASK-1", "hang forever")
        else:
            nursery.start_soon(place.post, "/queue/pause")
        last = (await manager.until(lambda told: not _is_sign(told)))[-1]
        assert last[0].startswith("STATUS=No sign of life from:")
        assert part in last[0]
        assert not any(map(_is_sign, await manager.silence(1.2)))
        assert (await place.get("/health"))["status"] == "ok", "all but that actor goes on"
        nursery.cancel_scope.cancel()


def _is_sign(told: list[str]) -> bool:
    return "WATCHDOG=1" in told


def _bearer(place: Place) -> dict[str, str]:
    return {"Authorization": f"Bearer {(place.state / 'token').read_text().strip()}"}


# --- socket activation ------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return int(found.getsockname()[1])


def activated(place: Place, names: str, *addresses: str) -> list[str]:
    variables = [f"--setenv={name}={value}" for name, value in place.env.items()]
    listen = [word for address in addresses for word in ("-l", address)]
    return [ACTIVATE or "", *variables, *listen, f"--fdname={names}", *place.serve_command()]


@needs_systemd
async def test_the_daemon_takes_the_sockets_that_systemd_holds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rest, stream, unix = free_port(), free_port(), place.root / "rest.sock"
    command = activated(place, "rest:rest-unix:stream", f"127.0.0.1:{rest}", str(unix), f"127.0.0.1:{stream}")
    monkeypatch.setattr(place, "serve_command", lambda: command)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.start)
        with trio.fail_after(20):
            first = await _ask_until_listening(rest)  # systemd starts the daemon for it; it waits in the backlog
        assert first["status"] == "ok"
    endpoint = json.loads((place.state / "endpoint.json").read_text())
    assert endpoint["url"] == f"http://127.0.0.1:{rest}"
    assert endpoint["stream_url"] == f"ws://127.0.0.1:{stream}"
    assert endpoint["socket"] == str(unix)
    assert not (place.state / "api.sock").exists()
    assert (await place.get("/status"))["agents"] == 0
    async with place.events() as events:
        assert (await anext(events))["kind"] == "daemon.started"
    transport = httpx2.AsyncHTTPTransport(uds=str(unix))
    async with httpx2.AsyncClient(transport=transport, headers=_bearer(place)) as client:
        assert (await client.get("http://localhost/api/v1/status")).status_code == 200
    place.ticket("TASK-1", "run env; ls -l /proc/self/fd", "hang forever")
    pid = (await place.until_journal("TASK-1", "start"))["pid"]
    inherited = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert not any("socket" in target for target in inherited), "an agent holds no socket of the daemon"
    assert b"LISTEN_" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert await place.stop() == 0


async def _ask_until_listening(port: int) -> dict[str, str]:
    async with httpx2.AsyncClient(timeout=20.0) as client:
        while True:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/api/v1/health")
            except httpx2.ConnectError:
                await trio.sleep(0.02)  # systemd-socket-activate itself is still starting
                continue
            return dict(answer.json())


@needs_systemd
@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ("rest:web", (), "a socket named 'web'"),
        ("rest:rest", (), "'rest' was passed, or more than one"),
        ("rest:rest-unix", (), "none named 'stream'"),
        ("stream:stream", ("--no-auth",), "more than one"),
    ],
)
def test_sockets_that_are_not_ours_are_refused(place: Place, names: str, options: tuple[str, ...], said: str) -> None:
    port = free_port()
    command = [*activated(place, names, f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _knock(port)
        _, error = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert said in error
    assert "Traceback" not in error


def _knock(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            continue
        return
