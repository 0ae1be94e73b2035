"""The driver for any program that works in a terminal: kind `command`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from supervisor.adapters.drivers.pattern import takes_too_long
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.signals import Meaning, Rules
from supervisor.ports import LaunchPlan, LaunchRequest

_SPINNERS = frozenset(
    "".join(map(chr, range(0x2801, 0x2900)))  # braille, but for the blank one
    + "◐◓◑◒◴◷◶◵◰◳◲◱◜◝◞◟◠◡◢◣◤◥▖▘▝▗⬖⬘⬗⬙⣷"
    + "🌑🌒🌓🌔🌕🌖🌗🌘🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛⏳⌛"
)
"""What programs draw at a title's beginning while they work. No letter and no `-\\|/`: those begin other titles."""

_ASKS = re.compile(r"\[ ?[!.?] ?\]|✋|\W*action required\b", re.IGNORECASE)
"""How titles begin that ask for a person: `[ ! ] Action Required | project`, `✋  Action Required (project)`."""

_LINE_LIMIT = 500
"""Characters of a screen's last line that a prompt pattern is tried on."""


class CommandDriver:
    """Implements `ports.AgentDriver` for a program of which nothing is known but its configuration."""

    kind = "command"

    def __init__(self, name: str, config: DriverConfig) -> None:
        """Raises DriverError if its prompt pattern cannot be used."""
        self.name = name
        self.rules = Rules(idle_after=config.idle_after, has_prompt_pattern=config.prompt_pattern is not None)
        self.interrupt_keys: tuple[str, ...] = (config.interrupt,)
        self.quit_text = config.quit
        self.stop_grace: float = config.stop_grace
        self._config = config
        self._pattern = _compiled(name, config.prompt_pattern)

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """The program with its arguments, in the agent's environment. Raises DriverError if it cannot be started."""
        env = {
            **request.environment,
            **self._config.env,
            "OPERATOR_TICKET": request.ticket_id,
            "OPERATOR_AGENT": request.agent_id,
        }
        words = (*self._config.command, *self._config.args)
        if any("\0" in word for word in (*words, *env, *env.values())) or any("=" in name for name in env):
            raise DriverError(
                f"The command or environment of driver {self.name} holds what no program can be given.",
                hint=f"Remove NUL characters, and = from names, in [drivers.{self.name}].",
            )
        if not self._config.command or not self._config.command[0]:
            raise DriverError(f"Driver {self.name} names no program.", hint=f"Set `command` in [drivers.{self.name}].")
        program = self._find(self._config.command[0], env)
        return LaunchPlan((program, *words[1:]), env)

    def read_title(self, title: str) -> Meaning | None:
        """What a title says by its beginning. Of a title that never says busy, the signals believe no idle."""
        text = title.strip()
        if not text:
            return None
        if text[0] in _SPINNERS:
            return Meaning.BUSY
        return Meaning.ASKING if _ASKS.match(text) else Meaning.IDLE

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

    def _find(self, program: str, env: Mapping[str, str]) -> str:
        if "/" in program:
            if not os.path.isabs(program):
                raise DriverError(
                    f"The program of driver {self.name}, {program}, is no absolute path.",
                    hint=f"Write a whole path, or a name that is on PATH, in [drivers.{self.name}].",
                )
            candidates = [Path(program)]
        else:
            folders = env.get("PATH", os.defpath).split(os.pathsep)
            candidates = [Path(folder, program) for folder in folders if os.path.isabs(folder)]
        there = [path for path in candidates if path.is_file()]
        for path in there:
            if os.access(path, os.X_OK):
                return str(path)
        if there:
            raise DriverError(
                f"The program of driver {self.name}, {there[0]}, may not be executed.",
                hint=f"Run `chmod +x {there[0]}`.",
            )
        raise DriverError(
            f"The program of driver {self.name}, {program}, was not found.",
            hint=f"Install it, or write its whole path as `command` in [drivers.{self.name}].",
        )


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
