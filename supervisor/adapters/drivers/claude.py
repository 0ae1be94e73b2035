"""The driver for Claude Code, and for whatever speaks its hooks and options.

Facts about its hooks, dialogs and files were seen with 2.1.197; they are read leniently, for versions differ.
"""

import json
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from supervisor.adapters.drivers.claude_files import ClaudeFiles
from supervisor.adapters.drivers.claude_hooks import EVENTS, read_hook, turn_broke
from supervisor.adapters.drivers.claude_screens import composer, dialog
from supervisor.adapters.drivers.programs import planned
from supervisor.adapters.drivers.titles import read_title
from supervisor.domain.agent import Meaning
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.hooks import HookEvent, TurnEnd
from supervisor.domain.signals import Rules
from supervisor.ports import LaunchPlan, LaunchRequest

HOOK_TIMEOUT = 5
"""Seconds Claude waits for our answer to a hook; it goes on without one."""
NAMESPACE = uuid.UUID("6f7fd3d8-3e0a-5f0b-9a55-0b8f0f1f6c2e")
"""For the ids of conversations."""


class ClaudeDriver:
    """Implements `ports.AgentDriver`."""

    kind = "claude"

    def __init__(self, name: str, config: DriverConfig, environ: Mapping[str, str]) -> None:
        self.name = name
        self.rules = Rules(idle_after=config.idle_after, status_file=True)
        self.interrupt_keys: tuple[str, ...] = (config.interrupt,)
        # Once, for two end the CLI; Ctrl-U takes one line only.
        self.clear_keys: tuple[str, ...] = ("C-c",)
        self.quit_text: str | None = config.quit or "/exit"
        self.stop_grace: float = config.stop_grace
        self._config = config
        self._files = ClaudeFiles(_config_folder({**environ, **config.env}))

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """Its options, and its hooks in a 0600 file that is added to the user's own settings. Raises DriverError."""
        settings = self._write_settings(request)
        conversation, resumed = self._conversation(request)
        args = ["--settings", str(settings), "--resume" if resumed else "--session-id", conversation]
        if self._config.model:
            args += ["--model", self._config.model]
        mode = request.permission_mode or self._config.permission_mode
        if mode:
            args += ["--permission-mode", mode]
        return planned(self.name, self._config, request, (*self._config.args, *args), conversation)

    def read_title(self, title: str) -> Meaning | None:
        """Busy by its spinner; a title without one is also that of an open dialog, so it means idle only to signals
        that know of no dialog."""
        return read_title(title)

    def prompt_shown(self, screen: str) -> bool:
        """Never: its status file says it better."""
        return False

    def read_hook(self, payload: Mapping[str, object], now: datetime) -> HookEvent | None:
        """What one of its hooks says."""
        return read_hook(payload, now)

    def dialog(self, screen: str) -> str | None:
        """The question of a first-run dialog."""
        return dialog(screen)

    def look(self, pid: int) -> tuple[Meaning, str] | None:
        """What `sessions/PID.json` says."""
        return self._files.status(pid)

    def last_turn(self, conversation_id: str) -> TurnEnd | None:
        """What the conversation's file says."""
        return self._files.last_turn(conversation_id, lambda text, kind: turn_broke(text, kind, datetime.now(UTC)))

    def composer(self, screen: str) -> str | None:
        """What stands between the last two rules; it may be a suggestion of the CLI's own."""
        return composer(screen)

    def _conversation(self, request: LaunchRequest) -> tuple[str, bool]:
        """Its id, and whether it is resumed: only if what was said in it was saved, else it cannot be.

        A new one's id follows from the launch, so that a launch that is tried again has the same; one that was
        ever used cannot be used for another conversation.
        """
        earlier = request.conversation_id
        if earlier is not None and self._files.is_saved(earlier):
            return earlier, True
        return str(uuid.uuid5(NAMESPACE, f"{request.cwd}\0{request.launch or request.agent_id}")), False

    def _write_settings(self, request: LaunchRequest) -> Path:
        hook = {
            "type": "http",
            "url": request.hook_url,
            "timeout": HOOK_TIMEOUT,
            "headers": {"Authorization": f"Bearer {request.hook_token}"},
        }
        hooks = {event: [{"hooks": [hook]}] for event in EVENTS} if request.hook_url else {}
        path = request.private_dir / "claude.json"
        try:
            request.private_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"hooks": hooks}, file)
            temporary.replace(path)
        except OSError as error:
            raise DriverError(
                f"The settings of driver {self.name} could not be written: {error.strerror}.",
                hint="Free some space, or correct the rights of the state directory.",
            ) from None
        return path


def _config_folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("CLAUDE_CONFIG_DIR")
    return Path(named) if named else Path(environ.get("HOME") or Path.home()) / ".claude"
