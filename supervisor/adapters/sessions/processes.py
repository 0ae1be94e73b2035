"""Processes as the kernel shows them: who belongs to an agent, when it ends, whether it works, how to end it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
from attrs import field, frozen

from supervisor.domain.errors import BackendError

_PROC = Path("/proc")
_LADDER = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)
_KNOWN_LIMIT = 1024
KILL_PATIENCE = 2.0
"""Seconds a killed process has at least to be gone: the kernel may be busy freeing its memory."""


@frozen
class Process:
    """One process at the moment it was looked at. Pid and start time together name it for good."""

    pid: int
    state: str
    parent: int
    session: int
    start: int
    """When it began, in clock ticks since the machine did."""
    ticks: int
    """Processor time of its own, in clock ticks."""
    reaped_ticks: int
    """Processor time of those of its children that ended and were waited for."""

    @property
    def key(self) -> tuple[int, int]:
        return self.pid, self.start

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


def look_at(pid: int) -> Process | None:
    """The process with that number now, if there is one."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The program's name stands in brackets and may itself contain any byte but NUL.
    fields = text.rpartition(b")")[2].split()
    return Process(
        pid=pid,
        state=fields[0].decode("ascii"),
        parent=int(fields[1]),
        session=int(fields[3]),
        start=int(fields[19]),
        ticks=int(fields[11]) + int(fields[12]),
        reaped_ticks=int(fields[13]) + int(fields[14]),
    )


def look_at_all() -> dict[int, Process]:
    """Every process of the machine, by its number."""
    seen = (look_at(int(name)) for name in os.listdir(_PROC) if name.isdecimal())
    return {process.pid: process for process in seen if process is not None}


def children_of(pid: int) -> Iterator[int]:
    """The children that any thread of a process has now."""
    try:
        for thread in os.listdir(_PROC / str(pid) / "task"):
            yield from map(int, (_PROC / str(pid) / "task" / thread / "children").read_bytes().split())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return


async def ended(pid: int, parent: int) -> None:
    """Wait until a child of `parent` has ended, reaped or not.

    Returns at once when the number belongs to nobody, or by now to somebody else's child.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        process = look_at(pid)
        if process is not None and process.parent == parent:
            await trio.lowlevel.wait_readable(handle)
    finally:
        os.close(handle)


@frozen
class Family:
    """An agent's process, what it started, and what shares its terminal session, however they detach.

    Whoever was seen as a member stays one after its parents are gone; a number that was given to another
    process since is told by its start time.
    """

    pid: int
    start: int | None
    """None: the process was gone before anybody looked."""
    strangers: frozenset[int] = frozenset()
    """Processes that are never members, such as the tmux server."""
    _known: set[tuple[int, int]] = field(factory=set)
    _spent: dict[tuple[int, int], int] = field(factory=dict)

    def members(self) -> list[Process]:
        """All living members. Reads the whole process table: call it in a thread."""
        table = look_at_all()
        leader = table.get(self.pid)
        # A new process under the agent's number proves that nothing of the agent's session was left.
        is_ours = leader is None or leader.start == self.start
        found = {
            process.pid
            for process in table.values()
            if process.key in self._known or (is_ours and self.pid in (process.pid, process.session))
        }
        grown = True
        while grown:
            more = {p.pid for p in table.values() if p.parent in found and p.pid not in found}
            found |= more
            grown = bool(more)
        found -= self.strangers | {os.getpid(), 1}
        self._known.clear()
        self._known.update(table[pid].key for pid in found)
        return [table[pid] for pid in found if table[pid].alive]

    def worked(self) -> bool:
        """Whether a descendant used the processor since the last call; children that came and went count."""
        spent: dict[tuple[int, int], int] = {}
        leader = look_at(self.pid)
        if leader is None or leader.start != self.start:
            return False
        spent[leader.key] = leader.reaped_ticks
        waiting = list(children_of(self.pid))
        while waiting:
            process = look_at(waiting.pop())
            if process is not None and process.key not in spent:
                spent[process.key] = process.ticks + process.reaped_ticks
                self._known.add(process.key)
                waiting.extend(children_of(process.pid))
        if len(self._known) > _KNOWN_LIMIT:
            self._known.intersection_update(process.key for process in look_at_all().values())
        worked = any(ticks > self._spent.get(key, 0) for key, ticks in spent.items())
        self._spent.clear()
        self._spent.update(spent)
        return worked


async def end(family: Family, grace: float) -> None:
    """Hang up, terminate, kill: `grace` seconds apart, no further than needed, until no member is left.

    Raises BackendError when some outlive even that.
    """
    for number in _LADDER:
        patience = max(grace, KILL_PATIENCE) if number is signal.SIGKILL else grace
        with trio.move_on_after(patience):
            await _signal_until_gone(family, number)
            return
    left = await trio.to_thread.run_sync(family.members)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise BackendError(f"these processes could not be ended: {pids}", hint="look at what holds them")


async def _signal_until_gone(family: Family, number: signal.Signals) -> None:
    """Signal every member once, also those that were born meanwhile."""
    signalled: set[tuple[int, int]] = set()
    while living := await trio.to_thread.run_sync(family.members):
        with _handles(living) as handles:
            for key, handle in handles.items():
                if key not in signalled:
                    signalled.add(key)
                    _send(handle, number)
            for handle in handles.values():
                await trio.lowlevel.wait_readable(handle)


@contextmanager
def _handles(processes: list[Process]) -> Iterator[dict[tuple[int, int], int]]:
    """Process handles, which never come to mean another process; of those that are still who they were."""
    handles: dict[tuple[int, int], int] = {}
    try:
        for process in processes:
            try:
                handle = os.pidfd_open(process.pid)
            except ProcessLookupError:
                continue
            handles[process.key] = handle
            now = look_at(process.pid)
            if now is None or now.start != process.start:
                os.close(handles.pop(process.key))
        yield handles
    finally:
        for handle in handles.values():
            os.close(handle)


def _send(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
        # A stopped process acts on nothing but KILL until it is continued.
        signal.pidfd_send_signal(handle, signal.SIGCONT)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or another user's: whether it is left is looked at in the end
