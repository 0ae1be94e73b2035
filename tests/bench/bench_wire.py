"""What one request and one command cost."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import monotonic

import pytest

from tests.bench.crowd import Crowd
from tests.bench.figures import Figures

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
REQUESTS = 200
COMMANDS = 11


@pytest.mark.parametrize("crowd", [10, 100, 200], indirect=True)
async def test_requests(crowd: Crowd, figures: Figures) -> None:
    async with crowd.place.client() as client:
        for path in ("/health", "/status", "/agents/active", "/queue/kanban"):
            times = []
            for _ in range(REQUESTS):
                began = monotonic()
                (await client.get(path)).raise_for_status()
                times.append(1000 * (monotonic() - began))
            figures.middle(f"{crowd.size} agents: GET {path}", times, "ms")


@pytest.mark.parametrize("crowd", [10, 100], indirect=True)
def test_commands(crowd: Crowd, figures: Figures) -> None:
    program = Path(sys.executable).with_name("operator")
    options = ["--state-dir", str(crowd.place.state)]
    for command in (["status"], ["status", "--json"], ["agent", "list"]):
        argv = [program, *command, *options]
        times, used = [], []
        for _ in range(COMMANDS):
            before, began = _children(), monotonic()
            subprocess.run(argv, env=crowd.place.env, check=True, stdout=subprocess.DEVNULL)
            times.append(1000 * (monotonic() - began))
            used.append(1000 * (_children() - before))
        note = f"processor {median(used):.0f}"
        figures.spread(f"{crowd.size} agents: operator {' '.join(command)}", times[1:], "ms", 150, note)


def _children() -> float:
    """Processor seconds of all children that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system
