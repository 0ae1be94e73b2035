"""What one request and one command cost."""

import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.bench.crowd import Crowd
from tests.bench.figures import Figures
from tests.harness import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
REQUESTS = 200
COMMANDS = 15


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


@pytest.mark.parametrize("crowd", [10, 100, 200], indirect=True)
def test_commands(crowd: Crowd, figures: Figures) -> None:
    program = Path(sys.executable).with_name("operator")
    options = ["--state-dir", str(crowd.place.state)]
    env = crowd.place.env | {"PYTHONPATH": str(ROOT)}
    for command in (["status"], ["status", "--json"], ["agent", "list"]):
        argv = [program, *command, *options]
        times = []
        for _ in range(COMMANDS):
            began = monotonic()
            subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL)
            times.append(1000 * (monotonic() - began))
        figures.spread(f"{crowd.size} agents: operator {' '.join(command)}", times[1:], "ms", 150)
