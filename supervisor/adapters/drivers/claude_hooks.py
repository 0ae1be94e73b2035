"""Claude Code's hook payloads. They come from outside: anything may be missing, or of another type."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from supervisor.domain.hooks import (
    Asked,
    HookEvent,
    PromptTaken,
    SaysIdle,
    SessionBegan,
    SessionEnded,
    ToolUsed,
    TurnBroke,
    TurnDone,
)

EVENTS = (
    "UserPromptSubmit",
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PostToolUseFailure",
    "Notification",
    "Stop",
    "StopFailure",
    "SessionEnd",
)
"""What is subscribed to. SessionStart is not called over http."""

SHOWN = 300
"""Characters of a question or an error that are kept."""


def read_hook(payload: Mapping[str, object], now: datetime) -> HookEvent | None:
    """What a payload says; None for an event, or a form of one, that says nothing to us."""
    match payload.get("hook_event_name"):
        case "SessionStart":
            return SessionBegan(_text(payload, "session_id") or None)
        case "UserPromptSubmit":
            return PromptTaken()
        case "PreToolUse" | "PostToolUse" | "PostToolUseFailure":
            return ToolUsed(_text(payload, "tool_name") or "a tool")
        case "PermissionRequest":
            return Asked(_question(payload))
        case "Notification":
            return _notification(payload)
        case "Stop":
            tasks = payload.get("background_tasks")
            return TurnDone(len(tasks) if isinstance(tasks, list) else 0)
        case "StopFailure":
            error = _text(payload, "last_assistant_message") or _text(payload, "error") or "unknown"
            return TurnBroke(error, limit_until(error, now))
        case "SessionEnd":
            return SessionEnded(_text(payload, "reason"))
        case _:
            return None


def _notification(payload: Mapping[str, object]) -> HookEvent | None:
    match payload.get("notification_type"):
        case "permission_prompt":
            return Asked(_text(payload, "message") or "Claude Code asks for permission.")
        case "idle_prompt":
            return SaysIdle()
        case _:
            return None


def _question(payload: Mapping[str, object]) -> str:
    tool, given = _text(payload, "tool_name"), payload.get("tool_input")
    details = given if isinstance(given, dict) else {}
    match tool:
        case "AskUserQuestion":
            questions = details.get("questions")
            first = questions[0] if isinstance(questions, list) and questions else None
            asked = first.get("question") if isinstance(first, dict) else None
            return _short(asked) if isinstance(asked, str) else "It asks a question."
        case "ExitPlanMode":
            return "It proposes a plan."
        case _:
            told = (details.get(key) for key in ("command", "file_path", "url"))
            what = next((each for each in told if isinstance(each, str)), None)
            return _short(f"It wants to use {tool or 'a tool'}" + (f": {what}" if what else "."))


def _text(payload: Mapping[str, object], key: str) -> str:
    value = payload.get(key)
    return _short(value) if isinstance(value, str) else ""


def _short(text: str) -> str:
    clean = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * SHOWN]).split())
    return clean if len(clean) <= SHOWN else clean[: SHOWN - 1] + "…"


_EPOCH = re.compile(r"limit reached\|(\d{10})\b")
_CLOCK = re.compile(r"\blimit\b.{0,80}?\bresets?(?: at)? (\d{1,2})(?::(\d{2}))? ?(am|pm)\b", re.IGNORECASE)


def limit_until(text: str, now: datetime) -> datetime | None:
    """When a usage limit ends that a message tells of: as a time stamp, or as the next such time of day here."""
    stamp = _EPOCH.search(text)
    if stamp is not None:
        return datetime.fromtimestamp(int(stamp[1]), UTC)
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    hour, minute = int(clock[1]), int(clock[2] or 0)
    if not 1 <= hour <= 12 or minute > 59:
        return None
    hour = hour % 12 + (12 if clock[3].lower() == "pm" else 0)
    here = now.astimezone()
    at = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (at if at > here else at + timedelta(days=1)).astimezone(UTC)
