"""Codex's hooks: how it is told to call them, what their payloads say, and what they are answered.

Seen with 0.169. Payloads come from outside: anything may be missing, or of another type. While the hook that asks
for a permission is open Codex shows no dialog for it; that comes once the hook has ended without an answer.
"""

import hashlib
import json
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from supervisor.adapters.drivers.claude_hooks import short
from supervisor.domain.hooks import Asked, HookEvent, PromptTaken, SessionBegan, SessionEnded, ToolUsed, TurnDone
from supervisor.domain.review import Answered, Approved, Decision, Pending, Rejected, Request, ReviewKind, Superseded

Json = dict[str, object]

HOOK: Final = Path(__file__).resolve().parents[2] / "hook.py"
EVENTS: Final = {
    "SessionStart": "keep",
    "UserPromptSubmit": "keep",
    "PreToolUse": "tell",
    "PermissionRequest": "hold",
    "PostToolUse": "tell",
    "Stop": "keep",
    "SessionEnd": "keep",
}
"""What is subscribed to, and how `hook.py` is to take it."""
HOOK_TIMEOUT: Final = 3
"""Seconds that Codex waits for a hook; the one of SessionEnd never longer."""
ASKING_TIMEOUT: Final = 24 * 3600
"""The same for the hook that asks a person."""
SESSION_FLAGS: Final = "/<session-flags>/config.toml"
"""What Codex calls the place of hooks that were given by arguments."""
SHELL: Final = "Bash"
NAME_LIMIT: Final = 200
"""Characters of a tool's name."""


def settings(script: Path, told: Path) -> list[str]:
    """Configuration for `-c`, in TOML, that has these hooks called, beside all others.

    Each is vouched for by its hash, so that Codex need not ask about ours, and still asks about any other.
    """
    found, trusted = list[str](), list[str]()
    for event, how in EVENTS.items():
        command = shlex.join([sys.executable, "-I", "-S", str(script), str(told), how])
        timeout = ASKING_TIMEOUT if how == "hold" else HOOK_TIMEOUT
        found.append(f'hooks.{event}=[{{hooks=[{{type="command",command={toml(command)},timeout={timeout}}}]}}]')
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
        place = toml(f"{SESSION_FLAGS}:{name}:0:0")
        trusted.append(f"{place}={{trusted_hash={toml(_fingerprint(name, command, timeout))}}}")
    return [*found, f"hooks.state={{{','.join(trusted)}}}"]


def toml(text: str) -> str:
    """A text as a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _fingerprint(event: str, command: str, timeout: int) -> str:
    hook = {"type": "command", "command": command, "timeout": timeout, "async": False}
    whole = json.dumps(
        {"event_name": event, "hooks": [hook]}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"sha256:{hashlib.sha256(whole.encode('utf-8', 'surrogateescape')).hexdigest()}"


def read_hook(payload: Mapping[str, object]) -> HookEvent | None:
    """What a payload says; None for an event, or a form of one, that says nothing to us."""
    turn = _text(payload, "turn_id") or None
    match payload.get("hook_event_name"):
        case "SessionStart":
            return SessionBegan(_text(payload, "session_id") or None)
        case "UserPromptSubmit":
            return PromptTaken(turn)
        case "PreToolUse" | "PostToolUse":
            return ToolUsed(_text(payload, "tool_name") or "a tool", turn)
        case "PermissionRequest":
            return Asked(question(payload), turn=turn, shown=False)
        case "Stop":
            return TurnDone(0, turn)
        case "SessionEnd":
            return SessionEnded(_text(payload, "reason"))
        case _:
            return None


def question(payload: Mapping[str, object]) -> str:
    """What a PermissionRequest asks, in one line of bounded length."""
    given = payload.get("tool_input")
    what = given.get("command") if isinstance(given, dict) else None
    if isinstance(what, list):
        what = " ".join(str(word) for word in what)
    tool = _text(payload, "tool_name") or "a tool"
    return short(f"It wants to use {tool}" + (f": {what}" if isinstance(what, str) and what.strip() else "."))


def read_request(payload: Mapping[str, object]) -> Request | None:
    """What a payload asks a person; None for what is no request."""
    tool, given = payload.get("tool_name"), payload.get("tool_input")
    if payload.get("hook_event_name") != "PermissionRequest" or not isinstance(given, dict):
        return None
    if not isinstance(tool, str) or not 0 < len(tool) <= NAME_LIMIT:
        return None
    turn = payload.get("turn_id")
    return Request(
        ReviewKind.PERMISSION,
        tool,
        _encoded(given),
        question(payload),
        turn if isinstance(turn, str) and turn else None,
    )


def command(request: Request) -> str | None:
    """The shell command that a request wants to run; None for another tool."""
    try:
        given = json.loads(request.input)
    except (ValueError, RecursionError):
        return None
    what = given.get("command") if isinstance(given, dict) else None
    return what if request.tool == SHELL and isinstance(what, str) else None


def answer(request: Request, decision: Decision) -> Json:
    """The hook's answer. Any key that Codex does not know would make it drop the whole of it."""
    if request.kind is not ReviewKind.PERMISSION:
        return {}
    match decision:
        case Approved():
            return _decided({"behavior": "allow"})
        case Rejected(reason=reason):
            return _decided({"behavior": "deny", "message": reason})
        case Answered() | Pending() | Superseded():
            return {}
        case never:
            assert_never(never)


def _decided(decision: Json) -> Json:
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def _encoded(given: Json) -> str:
    """As people read it; in ASCII where it holds what no UTF-8 can carry."""
    text = json.dumps(given, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(given)
    return text


def _text(payload: Mapping[str, object], key: str) -> str:
    value = payload.get(key)
    return short(value) if isinstance(value, str) else ""
