"""Hooks that `supervisor/hook.py` could not tell any daemon, in the folder `missed` of each agent's own."""

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from supervisor.domain.ids import AgentId

AT_MOST: Final = 1000
"""Hooks that are read at once, the oldest first."""
LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one."""
_NAME = re.compile(r"\d{20}-\d+\.json")


class KeptHooks:
    """Implements `ports.MissedHooks`. The files come from agents: what is of another form says nothing."""

    def __init__(self, private: Path) -> None:
        self._private = private

    def read(self, agent_id: AgentId) -> Mapping[str, Mapping[str, object]]:
        """By the names of their files, which begin with their times."""
        try:
            names = sorted(each.name for each in self._folder(agent_id).iterdir() if _NAME.fullmatch(each.name))
        except OSError:
            return {}
        return {name: _payload(self._folder(agent_id) / name) for name in names[:AT_MOST]}

    def forget(self, agent_id: AgentId, names: Iterable[str]) -> None:
        """Remove their files."""
        for name in names:
            with contextlib.suppress(OSError):  # it is read once more then, and says nothing new
                (self._folder(agent_id) / name).unlink()

    def _folder(self, agent_id: AgentId) -> Path:
        return self._private / agent_id / "missed"


def _payload(path: Path) -> Mapping[str, object]:
    try:
        if not path.is_file() or path.is_symlink():
            return {}
        with path.open("rb") as file:
            told = json.loads(file.read(LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
