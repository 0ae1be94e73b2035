"""Running a program with a deadline, bounded output, and an end that reaches every process it started."""

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT

import trio
from attrs import frozen

OWNER = "OPERATOR_PREPARES"
"""Environment variable that marks every process at work on making a worktree, with that worktree's path."""

GRACE = 3.0
"""Seconds between terminate and kill, and again until a killed process must be gone."""

_LOOKS = 60
"""How often it is looked in that time whether they are gone."""

_DRAIN = 1.0
"""Seconds that output may lag behind its program's end: what a program leaves running may hold it open."""


@frozen
class Ended:
    """How a program ended."""

    code: int | None
    """Its exit code, negative for a signal; None when it was ended because its time was up."""
    full: bool
    """Whether it was ended because `out` would take no more."""


async def run(
    argv: tuple[str, ...],
    cwd: Path,
    env: Mapping[str, str],
    within: float,
    out: Callable[[bytes], bool],
    err: Callable[[bytes], bool] | None = None,
    stdin: bytes = b"",
) -> Ended:
    """Run a program in a session of its own. `out` takes its output, and says whether it takes more.

    `err` takes standard error; without it both go to `out`. Raises OSError if it cannot be started.
    Cancelled or overdue: its process group is terminated, then killed, and seen gone.
    """
    full = False
    open_streams = 1 if err is None else 2
    drained = trio.Event()

    async def pump(stream: trio.abc.ReceiveStream | None, take: Callable[[bytes], bool]) -> None:
        nonlocal full, open_streams
        assert stream is not None
        async for chunk in stream:
            if not take(bytes(chunk)):
                full = True
                scope.cancel(reason="it has said enough")
        open_streams -= 1
        if not open_streams:
            drained.set()

    code: int | None = None
    process: trio.Process | None = None
    failure: OSError | None = None
    try:
        with trio.move_on_after(within) as scope:  # noqa: ASYNC912  (without a process there is nothing to wait for)
            async with trio.open_nursery() as nursery:
                try:
                    process = await nursery.start(_started(argv, cwd, env, stdin, err is None))
                except OSError as error:
                    failure = error
                else:
                    nursery.start_soon(pump, process.stdout, out)
                    if err is not None:
                        nursery.start_soon(pump, process.stderr, err)
                    code = await process.wait()
                    with trio.move_on_after(_DRAIN):
                        await drained.wait()
                    nursery.cancel_scope.cancel(reason="the program has ended")
    finally:
        if process is not None and code is None:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 3 * GRACE):
                await end_group(process.pid)
    if failure is not None:
        raise failure
    return Ended(code, full)


def _started(
    argv: tuple[str, ...], cwd: Path, env: Mapping[str, str], stdin: bytes, joined: bool
) -> partial[Awaitable[object]]:
    return partial(
        trio.run_process,
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=stdin,
        stdout=PIPE,
        stderr=STDOUT if joined else PIPE,
        check=False,
        start_new_session=True,
        deliver_cancel=_end_group_of,
    )


async def _end_group_of(process: trio.Process) -> None:
    """Trio shields this and ends it with the process; what is left of the group is ended after it."""
    await end_group(process.pid)


async def end_group(group: int) -> bool:
    """Terminate, then kill every process of a group, each within GRACE. True if they are seen gone."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, wanted)
        except (ProcessLookupError, PermissionError):
            return True
        for _ in range(_LOOKS):
            if not await trio.to_thread.run_sync(_any_alive, group):
                return True
            await trio.sleep(GRACE / _LOOKS)
    return False


def _any_alive(group: int) -> bool:
    """Whether a process of the group runs; one that only waits to be reaped does not."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = entry.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # ended meanwhile
        if int(its_group) == group and state not in "ZX":
            return True
    return not Path("/proc/self/stat").exists()


async def end_leftovers(owner: str) -> bool:
    """End what an earlier daemon left at work on a worktree, wherever it went. True if nothing is left.

    Found by the mark in its environment (Linux), so a process id that was used again is never hit.
    """
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        left = await trio.to_thread.run_sync(_marked, owner)
        if not left:
            return True
        for pid in left:
            try:
                os.kill(pid, wanted)
            except ProcessLookupError:
                pass  # it has just ended by itself
        for _ in range(_LOOKS):
            if not await trio.to_thread.run_sync(_marked, owner):
                return True
            await trio.sleep(GRACE / _LOOKS)
    return False


def _marked(owner: str) -> list[int]:
    mark = os.fsencode(f"{OWNER}={owner}")
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            environ = entry.read_bytes()
        except OSError:
            continue  # ended meanwhile, or another user's
        if mark in environ.split(b"\0") and int(entry.parent.name) != os.getpid():
            found.append(int(entry.parent.name))
    return found
