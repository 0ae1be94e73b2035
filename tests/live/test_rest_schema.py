"""The API keeps the promises of its own description, whatever schemathesis thinks of sending."""

import os
import sys
from pathlib import Path

import pytest
import trio

from supervisor.domain.agent import Opened
from supervisor.domain.ids import TicketId
from supervisor.domain.review import Artifact, ReviewKind, Visuals
from tests.fakes.served import TOKEN, serving

REAL_NAMES = """
[parameters]
"path.ticket" = "ENG-1"
"path.agent" = "ENG-2~1"
"path.collection" = "backend"
"path.review" = "7000001"
"path.name" = "shots/a.png"
"""


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["", REAL_NAMES], ids=["any names", "real names"])
async def test_the_api_is_as_it_says(tmp_path: Path, settings: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(settings)
    async with serving() as served:
        served.house.fleet.add(served.house.queue.tickets[TicketId("ENG-2")], Opened(1))
        shots = Visuals((Artifact("shots/a.png", "image/png", 4),))
        served.house.review.ask("ENG-1~1", ReviewKind.VISUAL, shots, 7_000_001)
        served.house.fleet.files["shots/a.png"] = b"\x89PNG"
        tool = Path(sys.executable).with_name("schemathesis")
        arguments = ["--checks", "all", "--max-examples", "12", "--no-color", "--seed", "1"]
        with trio.fail_after(100):
            done = await trio.run_process(
                [tool, "run", f"{served.url}/openapi.json", "-H", f"Authorization: Bearer {TOKEN}", *arguments],
                cwd=tmp_path,
                env={**os.environ, "NO_PROXY": "*"},
                check=False,
                capture_stdout=True,
                capture_stderr=True,
            )
    told = done.stdout.decode()
    assert done.returncode == 0, told[-6000:] + done.stderr.decode()[-2000:]
    assert " passed" in told, told[-3000:]
