"""How the rehearsal agent is interrupted, and all the ways in which it ends or refuses to."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from supervisor.domain.terminal import BracketedPaste
from tests.unit.clients.rehearsal.stage import DEADLINE, IDLE, PROGRAM, Start


@pytest.mark.parametrize("by", ["ctrl-c", "escape", "SIGINT"])
def test_a_turn_is_interrupted(start: Start, repository: Path, by: str) -> None:
    agent = start().ready()
    agent.prompt("run echo $$ > pid; exec sleep 1000", "write after x")
    agent.until(lambda: agent.titles()[-1] != IDLE and (repository / "pid").exists())
    if by == "SIGINT":
        agent.process.send_signal(signal.SIGINT)
    else:
        agent.send({"ctrl-c": b"\x03", "escape": b"\x1b"}[by])
    event = agent.event("interrupt")
    assert (event["by"], event["busy"]) == (by, True)
    assert agent.event("turn-end")["outcome"] == "interrupted"
    agent.ready()
    assert b"Interrupted" in agent.output
    assert not (repository / "after").exists()
    assert agent.play("say on")["outcome"] == "done"


def test_two_ctrl_c_in_a_row_quit_when_idle(start: Start) -> None:
    agent = start().ready()
    agent.send(b"\x03")
    agent.event("interrupt", 1)
    agent.send(b"x\x03")
    agent.event("interrupt", 2)
    agent.play("say not yet")
    agent.send(b"\x03\x03")
    assert agent.ended() == 0
    assert agent.events("exit")[0]["code"] == 0


@pytest.mark.parametrize("command", ["/exit", "/quit"])
def test_it_quits_when_told(start: Start, command: str) -> None:
    agent = start().ready()
    agent.send(command.encode() + b"\r")
    assert agent.ended() == 0
    assert agent.said[-2:-1] == [BracketedPaste(False)] or agent.said[-1] == BracketedPaste(False)
    assert not agent.events("prompt")


def test_the_terminal_is_left_as_it_was(repository: Path) -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    command = [sys.executable, "-S", PROGRAM, "rehearse: crash 3"]
    with subprocess.Popen(command, cwd=repository, stdin=slave, stdout=slave, stderr=slave) as process:
        assert process.wait(DEADLINE) == 3
    assert termios.tcgetattr(slave) == before
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize(("line", "status"), [("crash 7", 7), ("exit", 0), ("kill KILL", -9), ("kill SIGSEGV", -11)])
def test_it_ends_as_the_script_says(start: Start, line: str, status: int) -> None:
    agent = start().ready()
    agent.prompt("say last words", line)
    assert agent.ended() == status
    assert "● last words".encode() in agent.output
    assert agent.events("exit")[0]["code"] == (status if status >= 0 else 128 - status)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("script", ["hang forever", "flood 1000", "run sleep 1000"])
def test_a_signal_ends_it_at_once(start: Start, number: signal.Signals, script: str) -> None:
    agent = start().ready()
    agent.prompt(script)
    agent.until(lambda: agent.titles()[-1] != IDLE)
    agent.process.send_signal(number)
    assert agent.ended() == -number
    assert agent.events("exit")[0]["signal"] == number.name


def test_a_closed_terminal_ends_it(start: Start) -> None:
    agent = start().ready()
    os.close(agent.master)
    agent.master = -1
    assert agent.process.wait(DEADLINE) == -signal.SIGHUP
    assert agent.events("exit")[0]["signal"] == "SIGHUP"


def test_refusing_it_can_only_be_killed(start: Start) -> None:
    agent = start().ready()
    agent.prompt("refuse all", "hang forever")
    agent.event("refuse")
    for count, number in enumerate((signal.SIGHUP, signal.SIGTERM), 1):
        agent.process.send_signal(number)
        assert agent.event("refused", count)["signal"] == number.name
    agent.process.send_signal(signal.SIGINT)
    agent.event("interrupt", 1)
    agent.send(b"\x03/exit\r")
    assert agent.event("command")["refused"] is True
    agent.send(b"\x1b")
    assert agent.event("interrupt", 3) == agent.events("interrupt")[-1]
    assert all(event["refused"] for event in agent.events("interrupt"))
    assert not agent.events("turn-end")
    os.close(agent.master)
    agent.master = -1
    agent.process.kill()
    assert agent.process.wait(DEADLINE) == -signal.SIGKILL


def test_children_stay_in_its_process_group(start: Start) -> None:
    agent = start().ready()
    agent.play("child forever", "daemonchild 1000")
    plain, stubborn = (event["pid"] for event in agent.events("child"))
    assert os.getpgid(plain) == os.getpgid(stubborn) == agent.process.pid

    def ignored(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.findall(r"^SigIgn:\s*(\w+)", status, re.MULTILINE)[0], 16)

    mask = 1 << (signal.SIGHUP - 1) | 1 << (signal.SIGTERM - 1)
    assert ignored(stubborn) & mask == mask
    assert ignored(plain) & mask == 0
    agent.send(b"/exit\r")
    assert agent.process.wait(DEADLINE) == 0
    # It is their parent no more, and they outlive it: so much the group is for.
    os.kill(stubborn, 0)
    os.killpg(agent.process.pid, signal.SIGKILL)


def test_a_pipe_instead_of_a_terminal(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", PROGRAM, "--no-paste", "--no-title"],
        cwd=repository,
        input=b"rehearse: say hello\r",
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert "● hello\r\n".encode() in done.stdout


def test_unknown_options_are_refused(repository: Path) -> None:
    done = subprocess.run([sys.executable, "-S", PROGRAM, "--fast"], cwd=repository, capture_output=True)
    assert done.returncode == 2
    assert b"unknown option --fast" in done.stderr
