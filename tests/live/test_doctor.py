"""`operator doctor` with nothing but what the test put on PATH."""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT, Place

GOOD = {"tmux": "tmux 3.5a", "git": "git version 2.39.5", "claude": "2.1.9 (Claude Code)"}


class Ward:
    """A machine whose programs say what the test has them say."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.bin = place.root / "bin"
        self.bin.mkdir()
        for name, said in GOOD.items():
            self.program(name, f"echo '{said}'")

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def examine(self, *options: str, config: bool = True) -> tuple[int, dict[str, dict[str, str]]]:
        """The exit code, and the checks by name."""
        done = self.run("--json", *options, config=config)
        checks = json.loads(done.stdout)["checks"]
        return done.returncode, {check["name"]: check for check in checks}

    def run(self, *options: str, config: bool = True) -> "subprocess.CompletedProcess[str]":
        where = ["--config", str(self.place.config)] if config else []
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "clients.cli.main",
                "doctor",
                "--state-dir",
                str(self.place.state),
                *where,
                *options,
            ],
            env={**self.place.env, "PATH": str(self.bin), "PYTHONPATH": str(ROOT)},
            cwd=self.place.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


@pytest.fixture
def ward() -> Iterator[Ward]:
    place = Place()
    try:
        yield Ward(place)
    finally:
        place.close()


def test_a_machine_that_has_all(ward: Ward) -> None:
    code, found = ward.examine()
    assert (code, {check["level"] for check in found.values()}) == (0, {"ok"}), found
    assert found["claude"]["says"] == f"2.1.9 (Claude Code), {ward.bin}/claude"
    told = ward.run()
    assert told.returncode == 0
    assert f"✓ git          git version 2.39.5, {ward.bin}/git" in told.stdout


@pytest.mark.parametrize(
    ("program", "script", "level", "says"),
    [
        ("tmux", "echo tmux 3.3a", "warn", "loses the exit status"),
        ("tmux", "echo tmux 3.3", "fail", "too old"),
        ("tmux", "echo tmux 2.9a", "fail", "too old"),
        ("tmux", "echo tmux next-3.6", "ok", "next-3.6"),
        ("tmux", "echo tmux master", "ok", "master"),
        ("tmux", "exit 1", "fail", "does not say"),
        ("git", "echo git version 2.30.1", "fail", "too old"),
        ("git", "echo git version 2.50.0.windows.1", "ok", "2.50.0"),
        ("claude", "echo broken >&2; exit 1", "warn", "does not say"),
        ("claude", "printf '\\033[31m2.1\\033[0m\\nmore\\n'", "ok", "2.1"),
        ("claude", "while :; do echo endless; done", "warn", "does not say"),
    ],
)
def test_programs_are_asked(ward: Ward, program: str, script: str, level: str, says: str) -> None:
    ward.program(program, script)
    code, found = ward.examine()
    assert found[program]["level"] == level, found[program]
    assert says in found[program]["says"]
    assert "\x1b" not in found[program]["says"]
    assert code == (1 if level == "fail" else 0)
    assert bool(found[program]["mend"]) is (level != "ok")


def gone(pid: int) -> bool:
    """Whether a process ends now, by what it was sent before."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 5)[0])
    finally:
        os.close(handle)


def test_a_program_that_hangs_is_ended_with_all_it_started(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    from clients.cli import doctor

    pids = ward.place.root / "pids"
    path = ward.program("claude", f"/bin/sleep 1000 & echo $$ $! >{pids}; wait")
    monkeypatch.setattr(doctor, "VERSION_WITHIN", 0.5)
    assert doctor.version_of(str(path)) is None
    for pid in pids.read_text().split():
        assert gone(int(pid)), "it lives on"


def test_programs_that_are_missing(ward: Ward) -> None:
    for name in GOOD:
        (ward.bin / name).unlink()
    code, found = ward.examine()
    assert code == 1
    assert found["tmux"]["mend"] == "sudo apt-get install tmux"
    assert found["git"]["level"] == "fail"
    assert "None of claude, codex, gemini, opencode, aider" in found["agents"]["says"]


def test_a_wrong_configuration(ward: Ward) -> None:
    ward.place.config.write_text("[daemon]\nprot = 7008\n")
    code, found = ward.examine()
    assert (code, found["config"]["level"], found["config"]["mend"]) == (1, "fail", "operator config check")
    assert "prot" in found["config"]["says"]
    ward.place.config.write_text("no toml")
    assert ward.examine()[1]["config"]["level"] == "fail"


def test_no_configuration(ward: Ward) -> None:
    ward.place.config.unlink()
    code, found = ward.examine(config=False)
    assert (code, found["config"]["level"], found["config"]["mend"]) == (0, "warn", "operator init")


def test_a_state_directory_that_others_can_enter(ward: Ward) -> None:
    state = ward.place.state
    state.mkdir(mode=0o700)
    (state / "token").write_text("secret")
    (state / "token").chmod(0o644)
    code, found = ward.examine()
    assert (code, found["state"]["mend"]) == (1, f"chmod go-rwx {state}/token")
    state.chmod(0o755)
    assert str(state) in ward.examine()[1]["state"]["mend"]
    subprocess.run(ward.examine()[1]["state"]["mend"], shell=True, check=True)
    assert ward.examine()[1]["state"]["level"] == "ok", "the command mends it"
    state.chmod(0o710)
    assert ward.examine()[1]["state"]["level"] == "ok", "agents of another user pass through it"


def test_a_state_directory_of_another_user(ward: Ward) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    ward.place.state.mkdir(mode=0o700)
    os.chown(ward.place.state, 1, 1)
    code, found = ward.examine()
    assert (code, "another user" in found["state"]["says"]) == (1, True)


def test_a_port_that_somebody_else_has(ward: Ward) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        text = ward.place.config.read_text().replace("\nport = 0", f"\nport = {number}")
        ward.place.config.write_text(text)
        code, found = ward.examine()
        assert (code, found["port"]["level"], found["stream_port"]["level"]) == (1, "fail", "ok")
        assert found["port"]["mend"] == f"ss -ltnp 'sport = :{number}'"


@pytest.mark.slow
async def test_a_daemon_that_runs(ward: Ward) -> None:
    await ward.place.start()
    _, found = ward.examine()
    assert ward.place.daemon is not None
    assert f"process {ward.place.daemon.pid}" in found["daemon"]["says"]
    assert found["port"]["says"] == f"The daemon's port is {ward.place.url.rpartition(':')[2]}."
    os.kill(ward.place.daemon.pid, 19)
    try:
        code, found = ward.examine()
    finally:
        os.kill(ward.place.daemon.pid, 18)
    assert (code, found["daemon"]["mend"]) == (1, f"kill {ward.place.daemon.pid}")
    assert await ward.place.stop() == 0
    assert "No daemon runs" in ward.examine()[1]["daemon"]["says"], "what endpoint.json says is old"
