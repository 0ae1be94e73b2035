"""The driver for Codex. Facts about its hooks, dialogs and files were seen with 0.169; they are read leniently."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from supervisor.adapters.drivers import codex_hooks, codex_screens, private
from supervisor.adapters.drivers.codex_files import CodexFiles
from supervisor.adapters.drivers.programs import planned
from supervisor.adapters.drivers.titles import read_title
from supervisor.domain.agent import Meaning
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.hooks import HookEvent, TurnEnd
from supervisor.domain.review import Decision, Question, Request, ReviewKind
from supervisor.domain.signals import Rules
from supervisor.ports import LaunchPlan, LaunchRequest

MODES: Final[Mapping[str, tuple[str, ...]]] = {
    "read-only": ("-s", "read-only"),
    "workspace-write": ("-s", "workspace-write", "-a", "on-request"),
    "danger-full-access": ("-s", "danger-full-access"),
    # What other CLIs call the like, for types whose steps are worked on by any of them.
    "plan": ("-s", "read-only"),
    "default": ("-s", "workspace-write", "-a", "on-request"),
    "acceptEdits": ("-s", "workspace-write", "-a", "on-request"),
    "auto": ("-s", "workspace-write", "-a", "never"),
    "bypassPermissions": ("--dangerously-bypass-approvals-and-sandbox",),
}
"""Permission modes, as its own options: what its sandbox allows, and when it asks."""


class CodexDriver:
    """Implements `ports.AgentDriver`."""

    kind = "codex"
    has_modes = True

    def __init__(self, name: str, config: DriverConfig, environ: Mapping[str, str]) -> None:
        """Raises DriverError for a permission mode that is none."""
        self.name = name
        self.rules = Rules(idle_after=config.idle_after, screen_tells_ready=True, record=True)
        self.interrupt_keys: tuple[str, ...] = (config.interrupt,)
        # With nothing in the composer it would end the program.
        self.clear_keys: tuple[str, ...] = ("C-c",)
        self.quit_text: str | None = config.quit or "/quit"
        self.stop_grace: float = config.stop_grace
        self._config = config
        self._files = CodexFiles(_home({**environ, **config.env}))
        self._mode_options(config.permission_mode)

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """Its options, hooks included; what those need to know stands in a 0600 file. Raises DriverError."""
        earlier = request.conversation_id
        resumed = earlier if earlier is not None and self._files.is_saved(earlier) else None
        args = ["resume"] if resumed is not None else []
        # A server in the background would outlive the terminal, and hold the conversation.
        args += [*self._config.args, "--no-daemon", "-c", "check_for_update_on_startup=false"]
        if self._config.model:
            args += ["-m", self._config.model]
        args += self._mode_options(request.permission_mode or self._config.permission_mode)
        if request.hook_url:
            for setting in self._hook_settings(request):
                args += ["-c", setting]
        if resumed is not None:
            args.append(resumed)
        return planned(self.name, self._config, request, args, resumed)

    def read_title(self, title: str) -> Meaning | None:
        """Busy by its spinner, asking by its mark, else idle."""
        return read_title(title)

    def prompt_shown(self, screen: str) -> bool:
        """Whether it shows its composer; it has no better way to say that it is ready."""
        return codex_screens.prompt_shown(screen)

    def read_hook(self, payload: Mapping[str, object], now: datetime) -> HookEvent | None:
        """What one of its hooks says. None tells of an interrupt or an error."""
        return codex_hooks.read_hook(payload)

    def dialog(self, screen: str) -> str | None:
        """The question of a first-run dialog."""
        return codex_screens.dialog(screen)

    def read_request(self, payload: Mapping[str, object]) -> Request | None:
        """What its PermissionRequest hook asks."""
        return codex_hooks.read_request(payload)

    def questions(self, request: Request) -> tuple[Question, ...]:
        """None: it asks them by no hook."""
        return ()

    def plan_text(self, request: Request) -> str:
        """None, as well."""
        return ""

    def answer(self, request: Request, decision: Decision, mode: str | None) -> dict[str, object]:
        """The PermissionRequest hook's answer."""
        return codex_hooks.answer(request, decision)

    def mode_after_plan(self, wanted: str | None) -> None:
        """It proposes no plans by a hook."""
        return

    def keys_for(self, request: Request, decision: Decision, screen: str) -> tuple[str, ...] | None:
        """For a command of one line; the key that refuses also stops the turn."""
        command = codex_hooks.command(request) if request.kind is ReviewKind.PERMISSION else None
        return codex_screens.command_keys(command, decision, screen) if command is not None else None

    def was_told(self, conversation_id: str, text: str) -> bool | None:
        """Whether the end of the conversation's file has it."""
        return self._files.holds(conversation_id, text)

    def look(self, pid: int) -> None:
        """It has no status file."""
        return

    def last_turn(self, conversation_id: str) -> TurnEnd | None:
        """What the conversation's file says."""
        return self._files.last_turn(conversation_id, datetime.now(UTC))

    def composer(self, screen: str) -> str | None:
        """What was typed between its mark and the footer."""
        return codex_screens.composer(screen)

    def _hook_settings(self, request: LaunchRequest) -> list[str]:
        """The script goes along: one that an update removes would leave hooks that Codex takes for a refusal."""
        script = private.write(self.name, request.private_dir, "hook.py", codex_hooks.HOOK.read_text(encoding="utf-8"))
        told = private.write(self.name, request.private_dir, "hook", f"{request.hook_url}\n{request.hook_token}\n")
        return codex_hooks.settings(script, told)

    def _mode_options(self, mode: str | None) -> tuple[str, ...]:
        if mode is None:
            return ()
        try:
            return MODES[mode]
        except KeyError:
            raise DriverError(
                f"Codex has no permission mode {mode!r}.",
                hint=f"Write one of {', '.join(MODES)} for driver {self.name} and in the steps it works on.",
            ) from None


def _home(environ: Mapping[str, str]) -> Path:
    named = environ.get("CODEX_HOME")
    return Path(named) if named else Path(environ.get("HOME") or Path.home()) / ".codex"
