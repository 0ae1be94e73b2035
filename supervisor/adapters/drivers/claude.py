"""The driver for Claude Code, and for whatever speaks its hooks and options.

Facts about its hooks, dialogs and files were seen with 2.1.197; they are read leniently, for versions differ.
"""

import json
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never

from supervisor.adapters.drivers import claude_requests
from supervisor.adapters.drivers.claude_dialogs import command_keys, plan_keys, question_keys
from supervisor.adapters.drivers.claude_files import ClaudeFiles
from supervisor.adapters.drivers.claude_hooks import EVENTS, read_hook, turn_broke
from supervisor.adapters.drivers.claude_screens import composer, dialog
from supervisor.adapters.drivers.programs import planned
from supervisor.adapters.drivers.titles import read_title
from supervisor.domain.agent import Meaning
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.hooks import HookEvent, TurnEnd
from supervisor.domain.review import Decision, Question, Request, ReviewKind
from supervisor.domain.signals import Rules
from supervisor.ports import LaunchPlan, LaunchRequest

HOOK_TIMEOUT = 5
"""Seconds Claude waits for our answer to a hook; it goes on without one."""
ASKING_TIMEOUT = 24 * 3600
"""The same for the hook that asks a person, who may answer at Claude's own dialog all the while."""
NAMESPACE = uuid.UUID("6f7fd3d8-3e0a-5f0b-9a55-0b8f0f1f6c2e")
"""For the ids of conversations."""


class ClaudeDriver:
    """Implements `ports.AgentDriver`."""

    kind = "claude"
    has_modes = True

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

    def read_request(self, payload: Mapping[str, object]) -> Request | None:
        """What its PermissionRequest hook asks."""
        return claude_requests.read_request(payload)

    def questions(self, request: Request) -> tuple[Question, ...]:
        """Those of AskUserQuestion."""
        return claude_requests.questions(request)

    def plan_text(self, request: Request) -> str:
        """The plan of ExitPlanMode, in Markdown."""
        return claude_requests.plan_text(request)

    def answer(self, request: Request, decision: Decision, mode: str | None) -> dict[str, object]:
        """The PermissionRequest hook's answer."""
        return claude_requests.answer(request, decision, mode or self._config.permission_mode)

    def mode_after_plan(self, wanted: str | None) -> str | None:
        """The wanted mode where an approval can set it, else its default; None where no mode is asked for at all, and
        its default will do."""
        meant = wanted or self._config.permission_mode
        if meant is None:
            return None
        return wanted if claude_requests.mode_after_plan(meant) == meant else "default"

    def keys_for(self, request: Request, decision: Decision, screen: str) -> tuple[str, ...] | None:
        """For a command, one question, or a plan whose file still holds it; an approved plan is carried out in the
        default mode. Dialogs of other tools show less than was asked."""
        match request.kind:
            case ReviewKind.PERMISSION:
                told = claude_requests.command(request)
                return command_keys(*told, decision, screen) if told is not None else None
            case ReviewKind.PLAN:
                path = claude_requests.plan_file(request)
                if path is None or not self._files.keeps_plan(path, self.plan_text(request)):
                    return None
                return plan_keys(path, decision, screen)
            case ReviewKind.QUESTION:
                return question_keys(self.questions(request), decision, screen)
            case ReviewKind.VISUAL | ReviewKind.PR:
                return None
            case never:
                assert_never(never)

    def was_told(self, conversation_id: str, text: str) -> bool | None:
        """Whether the end of the conversation's file has it."""
        return self._files.holds(conversation_id, text)

    def look(self, pid: int) -> tuple[Meaning, str] | None:
        """What `sessions/PID.json` says."""
        return self._files.status(pid)

    def last_turn(self, conversation_id: str) -> TurnEnd | None:
        """What the conversation's file says."""
        return self._files.last_turn(conversation_id, lambda text, kind: turn_broke(text, kind, datetime.now(UTC)))

    def composer(self, screen: str) -> str | None:
        """What was typed between the last two rules."""
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
        if hooks:
            hooks["PermissionRequest"] = [{"hooks": [{**hook, "timeout": ASKING_TIMEOUT}]}]
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
