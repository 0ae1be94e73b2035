"""The real Codex, offline: a HOME of its own, and a stand-in for its model."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from supervisor.adapters.drivers import codex_hooks, private
from supervisor.adapters.drivers.codex import CodexDriver
from supervisor.domain.config import DriverConfig
from supervisor.domain.durations import Duration
from supervisor.ports import AgentDriver
from tests.agents.hooks import Hooks
from tests.agents.work import Work
from tests.fakes.model.server import Model
from tests.harness import ROOT, Place

PROGRAM: Final = ROOT / ".cache" / "agents" / "bin" / "codex"
NOWHERE: Final = "http://127.0.0.1:9"
"""A proxy that nothing listens at: it asks for news and plugins at its start, and nothing turns all of that off."""


def environment(tmp: Path) -> dict[str, str]:
    """What keeps Codex offline."""
    return {
        "TMPDIR": str(tmp),
        "STAND_IN_KEY": "dummy",
        "HTTPS_PROXY": NOWHERE,
        "HTTP_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1",
    }


def seed(home: Path, url: str, *trusted: Path) -> None:
    """A user's own configuration: a model that is the stand-in at this address, and these folders trusted."""
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    projects = "".join(f'\n[projects."{each}"]\ntrust_level = "trusted"\n' for each in trusted)
    (folder / "config.toml").write_text(
        f"""model = "gpt-5-codex"
model_provider = "stand-in"
sandbox_mode = "workspace-write"
approval_policy = "on-request"

[analytics]
enabled = false

[model_providers.stand-in]
name = "stand-in"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "STAND_IN_KEY"
stream_max_retries = 2
request_max_retries = 1
{projects}"""
    )


class Codex:
    """Codex with a stand-in for its model."""

    lacks = frozenset({"status file", "questions", "background", "error hook", "chosen id"})

    def __init__(self, model: Model) -> None:
        self._model = model

    def driver(self, root: Path) -> AgentDriver:
        (root / "tmp").mkdir(exist_ok=True)
        seed(root / "home", self._model.url, root / "work")
        env = {"HOME": str(root / "home"), "GIT_CONFIG_NOSYSTEM": "1", **environment(root / "tmp")}
        return CodexDriver("codex", DriverConfig((str(PROGRAM),), "codex", env=env, stop_grace=Duration(10)), {})

    def prompts(self, root: Path) -> tuple[str, ...]:
        asked = [each for each in self._model.asked.entries if not each.side]
        return asked[-1].dialogue.prompts if asked else ()


Prepare = Callable[[Place], None]
"""Changes a place before the daemon starts."""


def driver(place: Place, more: str = "") -> str:
    """The configuration's part about agents, for the real Codex."""
    inherited = ", ".join(f"{name} = {json.dumps(value)}" for name, value in environment(place.root / "tmp").items())
    settings = f'kind = "codex"\ncommand = ["{PROGRAM}"]\nstop_grace = "10s"\nenv = {{ {inherited} }}'
    return f"[drivers.codex]\n{settings}\n{more}\n"


def own_hooks(place: Place, hooks: Hooks) -> None:
    """Hooks of the user's own, in their configuration, that are posted to a test."""
    told = private.write("user", place.root / "own", "hook", f"{hooks.url}\nnone\n")
    config = place.root / "home" / ".codex" / "config.toml"
    lines = codex_hooks.settings(codex_hooks.HOOK, told)
    # They are trusted where they stand, and none of them is to hold the agent.
    own = [line.replace(codex_hooks.SESSION_FLAGS, str(config)) for line in lines]
    config.write_text("\n".join(own) + "\n" + config.read_text())


@asynccontextmanager
async def codex_at_work(
    model: Model, hooks: Hooks, *, trusted: bool = True, url: str | None = None, prepare: Prepare | None = None
) -> AsyncIterator[Work]:
    """A place for Codex to work in, with no daemon yet; nothing is left of it afterwards."""
    place = Place(max_agents=3)
    try:
        (place.root / "tmp").mkdir()
        home = place.root / "home"
        home.mkdir(exist_ok=True)
        seed(home, url or model.url, *([place.repo] if trusted else []))
        own_hooks(place, hooks)
        place.configure(driver=driver(place))
        if prepare is not None:
            prepare(place)
        async with trio.open_nursery() as nursery:
            yield Work(place, model, hooks, nursery)
            nursery.cancel_scope.cancel()
    finally:
        place.close()
    assert not place.agent_pids()
