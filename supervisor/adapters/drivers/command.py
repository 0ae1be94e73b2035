"""The driver for any program that works in a terminal: kind `command`."""

import re
from collections.abc import Mapping
from datetime import datetime

from supervisor.adapters.drivers.pattern import takes_too_long
from supervisor.adapters.drivers.programs import planned
from supervisor.adapters.drivers.titles import read_title
from supervisor.domain.agent import Meaning
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.review import Decision, Question, Request
from supervisor.domain.signals import Rules
from supervisor.ports import LaunchPlan, LaunchRequest

_LINE_LIMIT = 500
"""Characters of a screen's last line that a prompt pattern is tried on."""


class CommandDriver:
    """Implements `ports.AgentDriver` for a program of which nothing is known but its configuration."""

    kind = "command"
    has_modes = False

    def __init__(self, name: str, config: DriverConfig) -> None:
        """Raises DriverError if its prompt pattern cannot be used."""
        self.name = name
        self.rules = Rules(idle_after=config.idle_after, has_prompt_pattern=config.prompt_pattern is not None)
        self.interrupt_keys: tuple[str, ...] = (config.interrupt,)
        self.clear_keys: tuple[str, ...] = ()
        self.quit_text = config.quit
        self.stop_grace: float = config.stop_grace
        self._config = config
        self._pattern = _compiled(name, config.prompt_pattern)

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """The program with its arguments, in the agent's environment. Raises DriverError if it cannot be started."""
        return planned(self.name, self._config, request, self._config.args)

    def read_title(self, title: str) -> Meaning | None:
        """What a title says by its beginning. Of a title that never says busy, the signals believe no idle."""
        return read_title(title)

    def read_hook(self, payload: Mapping[str, object], now: datetime) -> None:
        """Such programs have no hooks."""
        return

    def dialog(self, screen: str) -> None:
        """Nothing is known of such a program's dialogs."""
        return

    def read_request(self, payload: Mapping[str, object]) -> None:
        """Such programs ask at their terminal only."""
        return

    def questions(self, request: Request) -> tuple[Question, ...]:
        """None: they ask by no hook."""
        return ()

    def plan_text(self, request: Request) -> str:
        """None, as well."""
        return ""

    def answer(self, request: Request, decision: Decision, mode: str | None) -> dict[str, object]:
        """Nothing is there to be answered."""
        return {}

    def mode_after_plan(self, wanted: str | None) -> None:
        """Such programs have no modes."""
        return

    def keys_for(self, request: Request, decision: Decision, screen: str) -> None:
        """Nothing is known of such a program's dialogs."""
        return

    def was_told(self, conversation_id: str, text: str) -> None:
        """Nothing is known of such a program's conversations."""
        return

    def look(self, pid: int) -> None:
        """Such programs have no status file."""
        return

    def last_turn(self, conversation_id: str) -> None:
        """Nothing is known of such a program's conversations."""
        return

    def composer(self, screen: str) -> None:
        """Nothing is known of such a program's composer."""
        return

    def prompt_shown(self, screen: str) -> bool:
        """Whether the screen's last line that is not empty matches the configured pattern.

        A screen's text has no spaces at line ends, so the line is tried with one too: `> $` can match.
        """
        if self._pattern is None:
            return False
        line = next((line for line in reversed(screen.splitlines()) if line.strip()), None)
        if line is None:
            return False
        tried = line.rstrip()[-_LINE_LIMIT:]
        return any(self._pattern.search(text) is not None for text in (tried, f"{tried} "))


def _compiled(name: str, pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DriverError(
            f"The prompt_pattern of driver {name} is no regular expression: {error}.",
            hint=f"Correct it in [drivers.{name}].",
        ) from None
    if takes_too_long(pattern):
        raise DriverError(
            f"The prompt_pattern of driver {name} could search one line for ever.",
            hint="Repeat no group that itself repeats or offers a choice, and use at most two of `.*`.",
        )
    return compiled
