"""The real Claude Code for suites that are run on more than one CLI."""

from pathlib import Path

from supervisor.adapters.drivers.claude import ClaudeDriver
from supervisor.domain.config import DriverConfig
from supervisor.domain.durations import Duration
from supervisor.ports import AgentDriver
from tests.agents.claude import PROGRAM, environment, seed
from tests.agents.work import ALLOWED
from tests.fakes.model.server import Model


class ClaudeCode:
    """Claude Code with a stand-in for its model."""

    lacks = frozenset[str]()

    def __init__(self, model: Model) -> None:
        self._model = model

    def driver(self, root: Path) -> AgentDriver:
        (root / "tmp").mkdir(exist_ok=True)
        seed(root / "home", root / "work")
        env = {"HOME": str(root / "home"), "GIT_CONFIG_NOSYSTEM": "1", **environment(self._model, root / "tmp")}
        allowed = ("--allowedTools", *ALLOWED, "Bash(touch two)")
        config = DriverConfig((str(PROGRAM),), "claude", args=allowed, env=env, stop_grace=Duration(10))
        return ClaudeDriver("claude", config, {})

    def prompts(self, root: Path) -> tuple[str, ...]:
        asked = [each for each in self._model.asked.entries if not each.side]
        return asked[-1].dialogue.prompts if asked else ()
