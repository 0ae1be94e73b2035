"""`operator service` on a systemd of the test's own: what a restart spares, what a crash mends, what ends an agent.

The units are systemd's own to check, too. Where no systemd can be run (see tests/fakes/manager.py), that is said.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import trio
from attrs import frozen

from clients.cli.units import DAEMON, SOCKETS, TMUX, UNITS
from supervisor.domain.errors import BackendError
from tests.fakes.manager import OwnSystemd, own_systemd, why_not
from tests.fakes.session_places import TmuxPlace, place_of, running
from tests.harness import ROOT, Place
from tests.live.test_notify import free_port

needs_systemd = pytest.mark.skipif((missing := why_not()) is not None, reason=missing or "")
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@frozen
class Desk:
    """A workspace whose daemon a systemd of our own keeps."""

    place: Place
    manager: OwnSystemd

    def operator(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        options = ("--config", str(self.place.config), "--state-dir", str(self.place.state))
        return self.manager.run(sys.executable, "-m", "clients.cli.main", *words, *options, check=check)

    def ctl(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self.manager.run(*self.manager.control, *words, check=check)

    def pid(self, unit: str = DAEMON) -> int:
        return int(self.manager.show(unit, "MainPID"))

    def drop_in(self, *lines: str) -> None:
        folder = self.manager.root / "home/.config/systemd/user" / f"{DAEMON}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text("\n".join(["[Service]", *lines, ""]))

    async def agent(self, ticket: str) -> int:
        """The process of a ticket's agent, once it is at work."""
        await self.place.until_journal(ticket, "prompt")
        return int(self.place.journal(ticket)[-1].get("pid") or self.place.journal(ticket)[0]["pid"])

    async def until(self, unit: str, name: str, value: str) -> None:
        with trio.fail_after(30):
            while await trio.to_thread.run_sync(self.manager.show, unit, name) != value:  # noqa: ASYNC110
                await trio.sleep(0.05)  # no bus here tells of changes


@contextmanager
def fixed_ports(place: Place) -> Iterator[Place]:
    text = place.config.read_text()
    text = re.sub(r"^(port|stream_port) = 0$", lambda found: f"{found[1]} = {free_port()}", text, flags=re.MULTILINE)
    place.config.write_text(text)
    # The units' own way to give a daemon variables.
    kept = {"PYTHONPATH": str(ROOT), "REHEARSAL_JOURNAL": f"{place.journals}/"}
    place.config.with_name("operator.env").write_text("".join(f"{name}={value}\n" for name, value in kept.items()))
    try:
        yield place
    finally:
        place.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with fixed_ports(Place()) as place, own_systemd(system=False, PYTHONPATH=str(ROOT)) as manager:
        made = Desk(place, manager)
        made.drop_in(f"StandardError=append:{place.output}")
        yield made


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text()


@needs_systemd
async def test_a_restart_spares_agents_and_refuses_no_connection(desk: Desk) -> None:
    desk.place.ticket("TASK-1", "hang forever")
    desk.operator("service", "install")
    agent, daemon = await desk.agent("TASK-1"), desk.pid()
    url = desk.manager.show("operator.socket", "Listen").split(" ")[0]
    asked = 0
    async with trio.open_nursery() as nursery:

        async def keep_asking() -> None:
            nonlocal asked
            async with httpx2.AsyncClient(timeout=20.0) as client:
                while True:
                    headers = {"Connection": "close"}
                    try:
                        await client.get(f"http://{url}/api/v1/health", headers=headers)
                    except (httpx2.RemoteProtocolError, httpx2.ReadError):
                        pass  # accepted by the old daemon in the moment it stopped; a refused one is another error
                    asked += 1

        nursery.start_soon(keep_asking)
        await trio.to_thread.run_sync(desk.ctl, "restart", DAEMON)
        nursery.cancel_scope.cancel()
    assert asked > 0
    assert desk.pid() not in (0, daemon)
    assert is_alive(agent)
    assert f"/{TMUX}" in Path(f"/proc/{agent}/cgroup").read_text()
    assert [entry["event"] for entry in desk.place.journal("TASK-1")].count("prompt") == 1
    status = desk.operator("service", "status")
    assert f"✓ {DAEMON}" in status.stdout
    assert "1 agents at work" in status.stdout
    # Installed once more, with everything in place: the daemon is new, the agent is not.
    desk.operator("service", "install")
    assert is_alive(agent)
    assert "running" in desk.operator("status").stdout


@needs_systemd
async def test_a_killed_daemon_comes_back_and_finds_its_agent(desk: Desk) -> None:
    desk.place.ticket("TASK-1", "hang forever")
    desk.operator("service", "install")
    agent = await desk.agent("TASK-1")
    os.kill(desk.pid(), signal.SIGKILL)
    await desk.until(DAEMON, "NRestarts", "1")
    await desk.until(DAEMON, "SubState", "running")
    assert is_alive(agent)
    assert "running" in desk.operator("agent", "list").stdout


@needs_systemd
async def test_systemd_replaces_a_daemon_with_a_stuck_queue(desk: Desk) -> None:
    desk.place.ticket("TASK-1", "hang forever")
    socket = "%t/operator/" + desk.operator("service", "install", "--dry-run").stdout.partition("%t/operator/")[2][:17]
    stuck = f"{sys.executable} -m tests.fakes.stuck_daemon queue {desk.place.config} {desk.place.state} {socket}"
    desk.drop_in("ExecStart=", f"ExecStart={stuck}", "WatchdogSec=2", f"StandardError=append:{desk.place.output}")
    desk.operator("service", "install")
    agent, daemon = await desk.agent("TASK-1"), desk.pid()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: trio.to_thread.run_sync(lambda: desk.operator("pause", check=False)))
        await desk.until(DAEMON, "NRestarts", "1")
        nursery.cancel_scope.cancel()
    await desk.until(DAEMON, "SubState", "running")
    assert desk.pid() != daemon
    assert '"no sign of life"' in desk.place.log_tail()
    assert is_alive(agent)


@needs_systemd
async def test_a_tmux_server_that_the_daemons_own_unit_started_does_not_outlive_it(desk: Desk) -> None:
    """Why there are two units: the same daemon, left to start tmux by itself."""
    desk.place.ticket("TASK-1", "hang forever")
    where = f"--config {desk.place.config} --state-dir {desk.place.state} --tmux-socket {desk.place.root}/run/own.tmux"
    serve = f"{sys.executable} -m clients.cli.main serve {where}"
    desk.drop_in("ExecStart=", f"ExecStart={serve}", f"StandardError=append:{desk.place.output}")
    desk.operator("service", "install")
    agent = await desk.agent("TASK-1")
    assert f"/{DAEMON}" in Path(f"/proc/{agent}/cgroup").read_text()
    desk.ctl("restart", DAEMON)
    assert not is_alive(agent)


@needs_systemd
async def test_uninstall_leaves_agents_unless_it_is_told_to_end_them(desk: Desk) -> None:
    desk.place.ticket("TASK-1", "hang forever")
    desk.operator("service", "install")
    agent = await desk.agent("TASK-1")
    told = desk.operator("service", "uninstall")
    assert f"systemctl --user stop {TMUX}" in told.stdout
    assert is_alive(agent)
    assert desk.manager.show(DAEMON, "ActiveState") == "inactive"
    desk.operator("service", "install")
    assert "running" in desk.operator("agent", "list").stdout
    assert is_alive(agent)
    desk.operator("service", "uninstall", "--end-agents")
    assert not is_alive(agent)
    assert not list((desk.manager.root / "home/.config/systemd/user").glob("operator*.s*t"))
    assert desk.operator("service", "uninstall", check=False).returncode == 1


@needs_systemd
async def test_nothing_is_installed_beside_a_daemon_or_agents_that_run_by_hand(desk: Desk) -> None:
    place = desk.place
    place.ticket("TASK-1", "hang forever")
    await place.start()
    agent = await desk.agent("TASK-1")
    refused = desk.operator("service", "install", check=False)
    assert (refused.returncode, "runs by hand" in refused.stderr) == (1, True)
    await place.stop()
    refused = desk.operator("service", "install", check=False)
    assert (refused.returncode, "1 terminals of agents" in refused.stderr) == (1, True)
    assert is_alive(agent)
    os.kill(agent, signal.SIGKILL)
    for socket in place.tmux_sockets_of_server():
        subprocess.run(["tmux", "-S", socket, "kill-session", "-a", "-t", "=hub"], check=True)
    desk.operator("service", "install")
    assert not place.tmux_sockets_of_server(), "an empty server is replaced by the unit's"
    assert desk.manager.show(DAEMON, "ActiveState") == "active"


async def test_a_second_tmux_server_for_the_same_agents_is_refused() -> None:
    with place_of(TmuxPlace) as tmux:
        async with running(tmux.backend()):
            pass
        elsewhere = tmux.backend(socket=tmux.socket.with_name("elsewhere.sock"))
        with pytest.RaisesGroup(
            pytest.RaisesExc(BackendError, match="live in another tmux server"), flatten_subgroups=True
        ):
            async with running(elsewhere):
                pass
        async with running(tmux.backend(start_server=False)):
            pass


# --- without a systemd that runs --------------------------------------------------------------------


@pytest.fixture
def dry() -> Iterator[Place]:
    with fixed_ports(Place()) as place:
        yield place


def run(place: Place, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    options = ("--config", str(place.config)) if words[0] == "service" else ()
    return subprocess.run(
        [sys.executable, "-m", "clients.cli.main", *words, *options],
        env={**place.env, "PYTHONPATH": str(ROOT), **environ},
        cwd=place.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("system", [(), ("--system",)], ids=["user", "system"])
def test_a_dry_run_writes_nothing_and_needs_no_systemd(dry: Place, system: tuple[str, ...]) -> None:
    told = run(dry, "service", "install", "--dry-run", *system)
    assert told.returncode == 0, told.stderr
    folder = "/etc/systemd/system" if system else f"{dry.root}/home/.config/systemd/user"
    for name in UNITS:
        assert f"# would write {folder}/{name}\n" in told.stdout
    assert f"enable {TMUX} {' '.join(SOCKETS)} {DAEMON}" in told.stdout
    assert not re.search(r"@[a-z_]+@", told.stdout)
    if not Path("/run/systemd/system").exists():
        assert "systemd does not run here" in told.stdout
        refused = run(dry, "service", "install", *system)
        assert (refused.returncode, "--dry-run" in refused.stderr) == (1, True)
    assert not (dry.root / "home" / ".config").exists()


def rendered(place: Place, folder: Path, *system: str) -> list[Path]:
    """The units as they would be written, in a folder."""
    data = run(place, "service", "install", "--dry-run", "--json", *system)
    files = json.loads(data.stdout)["files"]
    paths = [folder / Path(name).name for name in files if not name.endswith(".conf")]
    for path, text in zip(paths, (text for name, text in files.items() if not name.endswith(".conf")), strict=True):
        path.write_text(text)
    return paths


@needs_analyze
@pytest.mark.parametrize("system", [(), ("--system",)], ids=["user", "system"])
def test_systemd_finds_no_fault_in_the_units(dry: Place, tmp_path: Path, system: tuple[str, ...]) -> None:
    paths = rendered(dry, tmp_path, *system)
    scope = "--system" if system else "--user"
    done = subprocess.run(
        ["systemd-analyze", scope, "verify", *paths],
        env={**os.environ, "XDG_RUNTIME_DIR": str(dry.root / "run")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_analyze
@pytest.mark.parametrize(("system", "most"), [((), 8.0), (("--system",), 3.5)], ids=["user", "system"])
def test_how_much_the_daemons_unit_exposes(
    dry: Place, tmp_path: Path, system: tuple[str, ...], most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    rendered(dry, tmp_path, *system)
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / DAEMON)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    found = re.search(r"exposure level[^:]*: ([0-9.]+)", said)
    assert found is not None, said
    with capsys.disabled():
        print(f"\n{system or ('--user',)}: {found[0]}")
    assert float(found[1]) <= most


def test_a_wheel_brings_the_templates_along(dry: Place, tmp_path: Path) -> None:
    build = "from hatchling import build; import sys; print(build.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    where = run(dry, "service", "install", "--dry-run", PYTHONPATH=str(tmp_path / "site"))
    assert where.returncode == 0, where.stderr
    assert f"# would write {dry.root}/home/.config/systemd/user/{DAEMON}" in where.stdout
    ask = "from clients.cli.units import templates; print(templates(False))"
    env = {**dry.env, "PYTHONPATH": str(tmp_path / "site")}
    found = subprocess.run([sys.executable, "-c", ask], env=env, cwd="/", capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(tmp_path))
