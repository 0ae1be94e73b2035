"""The demo's workspace, its view, and that it ends its own processes and no others."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from clients.cli.demo import processes
from clients.cli.demo.view import frame
from clients.cli.demo.workspace import MARKER, TICKETS, Workspace, make
from clients.cli.terminal import Terminal
from clients.cli.text import width
from supervisor.configfile import load_config
from supervisor.domain.environment import for_agents
from supervisor.domain.views import EventView
from tests.unit.clients.cli.samples import NOW, PARKED, TICKET


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "demo")
    made.root.mkdir()
    make(made)
    return made


def test_the_workspace_is_whole(space: Workspace) -> None:
    config = load_config(space.config).config
    assert config.queue.max_agents == 2
    assert config.projects["greeter"].path == str(space.repository)
    assert Path(config.drivers["rehearsal"].command[-1]).is_dir()
    assert sorted(os.listdir(space.tickets / "queue")) == ["FEAT-1.md", "FIX-1.md", "TASK-1.md"]
    assert space.git("status", "--porcelain") == ""


def test_one_ticket_crashes_in_its_first_attempt_only() -> None:
    crashing = [path.stem for path in TICKETS if "crash" in path.read_text("utf-8")]
    assert crashing == ["FIX-1"]
    assert "attempt 1: crash 1" in TICKETS[1].read_text("utf-8")


def test_nothing_of_the_users_is_in_reach(space: Workspace) -> None:
    found = space.environment({"PATH": "/bin", "GIT_DIR": "/x", "OPERATOR_URL": "http://x", "TMUX": "/y", "HOME": ""})
    assert not {"GIT_DIR", "OPERATOR_URL", "TMUX"} & set(found)
    assert found["HOME"] == str(space.root / "home")
    assert for_agents(found, ())[MARKER] == str(space.root)  # so that its agents are known as well


def test_its_processes_are_ended_and_no_others(space: Workspace) -> None:
    sleeper = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)",
    ]
    ours = [
        subprocess.Popen(sleeper, env=space.environment(), stdout=subprocess.PIPE),
        subprocess.Popen(stubborn, env=space.environment(), stdout=subprocess.PIPE),
        subprocess.Popen(sleeper, cwd=space.repository, stdout=subprocess.PIPE),
    ]
    foreign = subprocess.Popen(sleeper, stdout=subprocess.PIPE)
    try:
        for process in (*ours, foreign):
            assert process.stdout is not None
            process.stdout.readline()
        assert {each.pid for each in processes.alive(space)} == {each.pid for each in ours}
        assert processes.end(space, grace=0.5) == []
        assert foreign.poll() is None
        assert [each.wait(5) for each in ours] == [-15, -9, -15]
    finally:
        for process in (*ours, foreign):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def test_its_tmux_server_is_found_though_nothing_but_its_socket_tells(space: Workspace) -> None:
    socket = space.root / "run" / "x.tmux"
    foreign = space.root.parent / "foreign.tmux"
    start = ["-f", "/dev/null", "start-server", ";", "set-option", "-s", "exit-empty", "off"]
    clean = {"PATH": os.environ["PATH"]}
    try:
        for path in (socket, foreign):
            subprocess.run(["tmux", "-S", str(path), *start], cwd="/", env=clean, check=True)
        [server] = processes.alive(space)
        assert str(socket) in server.command
        assert processes.end(space) == []
        assert subprocess.run(["tmux", "-S", str(foreign), "list-sessions"], env=clean, check=False).returncode == 0
    finally:
        for path in (socket, foreign):
            subprocess.run(["tmux", "-S", str(path), "kill-server"], env=clean, capture_output=True, check=False)


def test_the_view_fits_and_says_all() -> None:
    tickets = (evolve(TICKET, status="done"), PARKED, evolve(TICKET, id="A-1", status="running", title="漢字" * 60))
    events = [EventView(n, NOW, "ticket.done", f"T-{n}", None, {}) for n in range(20)]
    lines = frame(tickets, events, ["漢字" * 60], NOW + timedelta(seconds=1), 12.4, Terminal(columns=60))
    assert lines[0] == "Operator · 1 of 3 tickets ended · 12 s"
    assert all(width(line) <= 60 for line in lines)
    assert "T-19" in lines[-3]
    assert len(lines) == 2 + 3 + 1 + 8 + 2
