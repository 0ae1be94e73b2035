"""`operator demo` as a process: what it promises at its end is true, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.slow
DEADLINE = 110.0


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "LANG": "C.UTF-8", "HOME": "", **more}


def leftovers(workspace: str) -> list[str]:
    """Every process that names the workspace anywhere, found without the demo's own code."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = b" ".join((entry / part).read_bytes() for part in ("cmdline", "environ"))
            text += os.readlink(entry / "cwd").encode()
        except OSError:
            continue  # another user's, or just gone
        if workspace.encode() in text and int(entry.name) != os.getpid():
            found.append(f"{entry.name}: {text[:300]!r}")
    return found


class Demo:
    """A demo under way."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.text = ""

    async def until(self, wanted: str) -> None:
        assert self.process.stdout is not None
        while wanted not in self.text:
            piece = await self.process.stdout.receive_some()
            assert piece, self.text
            self.text += piece.decode()

    async def end(self) -> int:
        assert self.process.stdout is not None
        async for piece in self.process.stdout:
            self.text += piece.decode()
        return await self.process.wait()

    @property
    def workspace(self) -> str:
        return self.text.split(" are in ", 1)[1].split(".\n", 1)[0]


async def begin(**more: str) -> Demo:
    command = [sys.executable, "-m", "clients.cli.main", "demo"]
    environ = environment(**more)
    return Demo(
        await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ)
    )


async def test_three_tickets_are_done_and_nothing_is_left() -> None:
    with trio.fail_after(DEADLINE):
        demo = await begin()
        code = await demo.end()
    assert code == 0, demo.text
    assert "FIX-1 · done · 2 attempts" in demo.text
    assert "tickets/completed: FEAT-1.md, FIX-1.md, TASK-1.md" in demo.text
    assert "no process of the demo is left" in demo.text
    assert leftovers(demo.workspace) == []
    assert not os.path.exists(demo.workspace)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [" are in ", "● running"], ids=["at the start", "at work"])
async def test_being_interrupted_leaves_nothing_either(number: signal.Signals, moment: str) -> None:
    with trio.fail_after(DEADLINE):
        demo = await begin()
        await demo.until(moment)
        demo.process.send_signal(number)
        code = await demo.end()
    assert code == 130, demo.text
    assert "Traceback" not in demo.text
    assert leftovers(demo.workspace) == []
    assert not os.path.exists(demo.workspace)


async def ended(pid: int) -> None:
    """Wait for a process that is not our child."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(watched)
    finally:
        os.close(watched)


async def test_what_is_kept_goes_away_as_it_says() -> None:
    with trio.fail_after(DEADLINE):
        demo = await begin(KEEP="1")
        code = await demo.end()
        kept = demo.text.split("All of it is kept.", 1)[1]
        stop = kept.split("Stop the daemon: ", 1)[1].splitlines()[0]
        commands = [line.strip() for line in kept.splitlines() if line.startswith(("  tmux ", "  rm "))]
        left = [int(each.partition(":")[0]) for each in leftovers(demo.workspace)]
        try:
            await trio.run_process(stop, shell=True)
            await ended(int(stop.removeprefix("kill ")))
        finally:
            for command in commands:
                await trio.run_process(command, shell=True)
        for pid in left:
            await ended(pid)
    assert code == 0
    assert len(left) >= 2  # the daemon and its tmux server
    assert leftovers(demo.workspace) == []
    assert not os.path.exists(demo.workspace)
