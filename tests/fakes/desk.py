"""`operator` as a process of its own, as people and programs run it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import trio
from attrs import frozen

from supervisor.domain.views import Endpoint
from supervisor.domain.wire import to_json
from tests.fakes.house import NOON
from tests.fakes.served import TOKEN, Served

DEADLINE = 30.0


@frozen
class Ran:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@frozen
class Desk:
    """A daemon's edge, and a state directory that names it."""

    served: Served
    state: Path

    async def run(self, *arguments: str, text: str = "", **environ: str) -> Ran:
        return await operator(*arguments, text=text, OPERATOR_STATE_DIR=str(self.state), **environ)


def environment(**more: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "LD_LIBRARY_PATH")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return inherited | {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": os.getcwd()} | more


async def operator(*arguments: str, text: str = "", **environ: str) -> Ran:
    command = [sys.executable, "-m", "clients.cli.main", *arguments]
    with trio.fail_after(DEADLINE):
        done = await trio.run_process(
            command,
            stdin=text.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment(**environ),
        )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def name_it(served: Served, state: Path) -> None:
    (state / "token").write_text(TOKEN)
    stream = f"ws://127.0.0.1:{served.stream_port}"
    url = f"http://127.0.0.1:{served.port}"
    made = Endpoint(os.getpid(), "0.1.0", url, stream, None, str(state / "token"), NOON)
    (state / "endpoint.json").write_text(to_json(made))
