"""From a driver's configuration to what is executed."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.ports import LaunchPlan, LaunchRequest


def planned(
    driver: str, config: DriverConfig, request: LaunchRequest, args: Sequence[str], conversation_id: str | None = None
) -> LaunchPlan:
    """The configured program with these arguments, in the agent's environment. Raises DriverError."""
    env = {
        **request.environment,
        **config.env,
        "OPERATOR_TICKET": request.ticket_id,
        "OPERATOR_AGENT": request.agent_id,
    }
    words = (*config.command, *args)
    if any("\0" in word for word in (*words, *env, *env.values())) or any("=" in name for name in env):
        raise DriverError(
            f"The command or environment of driver {driver} holds what no program can be given.",
            hint=f"Remove NUL characters, and = from names, in [drivers.{driver}].",
        )
    if not config.command or not config.command[0]:
        raise DriverError(f"Driver {driver} names no program.", hint=f"Set `command` in [drivers.{driver}].")
    program = find(driver, config.command[0], env)
    return LaunchPlan((program, *words[1:]), env, conversation_id)


def find(driver: str, program: str, env: Mapping[str, str]) -> str:
    """The program's path. Raises DriverError if it is not there or may not be executed."""
    if "/" in program:
        if not os.path.isabs(program):
            raise DriverError(
                f"The program of driver {driver}, {program}, is no absolute path.",
                hint=f"Write a whole path, or a name that is on PATH, in [drivers.{driver}].",
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
            f"The program of driver {driver}, {there[0]}, may not be executed.",
            hint=f"Run `chmod +x {there[0]}`.",
        )
    raise DriverError(
        f"The program of driver {driver}, {program}, was not found.",
        hint=f"Install it, or write its whole path as `command` in [drivers.{driver}].",
    )
