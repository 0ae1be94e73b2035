"""The processes of one demo: found by the mark in their environment, ended one by one, and counted."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from clients.cli.demo.workspace import MARKER, Workspace

_POLL = 0.05


@frozen
class Process:
    """One process of the demo."""

    pid: int
    command: str


def alive(space: Workspace) -> list[Process]:
    """Every process that carries the demo's mark, works in its folder, or is its tmux server. Needs /proc."""
    entries = [each for each in Path("/proc").glob("[0-9]*") if int(each.name) != os.getpid()]
    return [Process(int(each.name), " ".join(_command(each))) for each in entries if _belongs(each, space)]


def _command(entry: Path) -> list[str]:
    return _read(entry / "cmdline").decode("utf-8", "replace").split("\0")


def _belongs(entry: Path, space: Workspace) -> bool:
    mark = f"{MARKER}={space.root}".encode()
    if mark in _read(entry / "environ").split(b"\0") or _is_server(_command(entry), space):
        return True
    try:
        folder = os.readlink(entry / "cwd")
    except OSError:
        return False  # another user's, or just gone
    return Path(folder).is_relative_to(space.root)


def _is_server(command: list[str], space: Workspace) -> bool:
    """The daemon starts tmux with a clean environment and elsewhere: only the socket tells whose it is."""
    program, *arguments = command
    if not os.path.basename(program).startswith("tmux") or "-S" not in arguments[:-1]:
        return False
    return Path(arguments[arguments.index("-S") + 1]).is_relative_to(space.root)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def end(space: Workspace, grace: float = 3.0) -> list[Process]:
    """End whatever is left of the demo, first politely; what still lives then, if anything."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = alive(space)
        for process in left:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                pass  # it ended meanwhile
        if not _gone(space, left, grace):
            continue
        return []
    return alive(space)


def _gone(space: Workspace, left: Sequence[Process], grace: float) -> bool:
    deadline = time.monotonic() + grace
    while left and alive(space):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
