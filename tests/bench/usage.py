"""What processes use, as the kernel tells it."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def stat(pid: int) -> list[str]:
    """The fields of a process after its name: state, parent, ..."""
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()


def seconds(pids: Iterable[int], *, reaped: bool = True) -> float:
    """Processor time of these processes and, `reaped`, of those of their children that have ended."""
    fields = (stat(pid)[11 : 15 if reaped else 13] for pid in pids)
    return sum(sum(map(int, each)) for each in fields) / _TICK


def memory(pids: Iterable[int]) -> tuple[float, float]:
    """Resident and proportional memory in MB."""
    resident = proportional = 0
    for pid in pids:
        for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                resident += int(line.split()[1])
            elif line.startswith("Pss:"):
                proportional += int(line.split()[1])
    return resident / 1024, proportional / 1024


def children(pid: int) -> dict[int, str]:
    """The living children of a process, with the names of their programs."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if int(stat(int(folder.name))[1]) == pid:
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
