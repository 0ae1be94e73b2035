"""Claude Code's hook payloads. They come from outside: anything may be missing, or of another type."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve

from supervisor.domain.hooks import (
    Asked,
    HookEvent,
    PlanTaken,
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

PLAN_TOOL: Final = "ExitPlanMode"
"""Proposes a plan; it is used once the plan was accepted, and not at all if it was not."""
QUESTION_TOOL: Final = "AskUserQuestion"

SHOWN = 300
"""Characters of a question or an error that are kept."""


def read_hook(payload: Mapping[str, object], now: datetime) -> HookEvent | None:
    """What a payload says; None for an event, or a form of one, that says nothing to us."""
    turn = _text(payload, "prompt_id") or None
    match payload.get("hook_event_name"):
        case "SessionStart":
            return SessionBegan(_text(payload, "session_id") or None)
        case "UserPromptSubmit":
            return PromptTaken(turn)
        case "PostToolUse" if payload.get("tool_name") == PLAN_TOOL:
            return PlanTaken(_text(payload, "tool_use_id") or None, turn)
        case "PreToolUse" | "PostToolUse" | "PostToolUseFailure":
            return ToolUsed(_text(payload, "tool_name") or "a tool", turn)
        case "PermissionRequest":
            return Asked(question(payload), turn=turn)
        case "Notification":
            return _notification(payload, turn)
        case "Stop":
            tasks = payload.get("background_tasks")
            return TurnDone(len(tasks) if isinstance(tasks, list) else 0, turn)
        case "StopFailure":
            kind = _text(payload, "error") or "unknown"
            return evolve(turn_broke(_text(payload, "last_assistant_message") or kind, kind, now), turn=turn)
        case "SessionEnd":
            return SessionEnded(_text(payload, "reason"))
        case _:
            return None


def _notification(payload: Mapping[str, object], turn: str | None) -> HookEvent | None:
    match payload.get("notification_type"):
        case "permission_prompt":
            return Asked(_text(payload, "message") or "Claude Code asks for permission.", True, turn)
        case "idle_prompt":
            return SaysIdle(turn)
        case _:
            return None


def question(payload: Mapping[str, object]) -> str:
    """What a PermissionRequest asks, in one line of bounded length."""
    tool, given = _text(payload, "tool_name"), payload.get("tool_input")
    details = given if isinstance(given, dict) else {}
    if tool == PLAN_TOOL:
        return "It proposes a plan."
    if tool == QUESTION_TOOL:
        questions = details.get("questions")
        first = questions[0] if isinstance(questions, list) and questions else None
        asked = first.get("question") if isinstance(first, dict) else None
        return short(asked) if isinstance(asked, str) else "It asks a question."
    told = (details.get(key) for key in ("command", "file_path", "url"))
    what = next((each for each in told if isinstance(each, str)), None)
    return short(f"It wants to use {tool or 'a tool'}" + (f": {what}" if what else "."))


def _text(payload: Mapping[str, object], key: str) -> str:
    value = payload.get(key)
    return short(value) if isinstance(value, str) else ""


def short(text: str) -> str:
    """A text of a person's or a model's as one line of bounded length."""
    clean = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * SHOWN]).split())
    return clean if len(clean) <= SHOWN else clean[: SHOWN - 1] + "…"


def turn_broke(text: str, error: str, now: datetime) -> TurnBroke:
    """A turn that ended with an error: its text, and the word that Claude Code has for its kind."""
    until = limit_until(text, now)
    if until is None and error == "rate_limit" and _HIT.search(text):
        until = now + UNKNOWN_LIMIT
    return TurnBroke(short(text), until)


UNKNOWN_LIMIT: Final = timedelta(hours=1)
"""How long nothing is tried when a usage limit is said to be reached, but not until when."""
JUST_NOW: Final = timedelta(minutes=10)
"""A limit that ended so shortly before is about to end; before that, tomorrow's time of day is meant."""
MINUTE: Final = timedelta(minutes=1)

_HIT = re.compile(r"\byou.{1,4}(hit|reached|out of)\b", re.IGNORECASE)
_EPOCH = re.compile(r"limit reached\|(\d{10})\b")
_CLOCK = re.compile(
    r"\b(?:limit|usage|credits)\b.{0,80}?\bresets?(?: at)? "
    r"(?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d{1,2}),? (?:(?P<year>\d{4}),? )?(?:at )?)?"
    r"(?P<hour>1[0-2]|[1-9])(?::(?P<minute>\d{2}))? ?(?P<half>am|pm)\b(?: \((?P<zone>[\w/+-]+)\))?",
    re.IGNORECASE,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def limit_until(text: str, now: datetime) -> datetime | None:
    """When a usage limit ends that a message tells of: as a time stamp, or as the next such time of day or date."""
    stamp = _EPOCH.search(text)
    if stamp is not None:
        return datetime.fromtimestamp(int(stamp[1]), UTC)
    told = _CLOCK.search(text)
    if told is None:
        return None
    here = now.astimezone(_zone(told["zone"]))
    hour = int(told["hour"]) % 12 + (12 if told["half"].lower() == "pm" else 0)
    try:
        at = here.replace(hour=hour, minute=int(told["minute"] or 0), second=0, microsecond=0)
        if told["month"] is not None:
            month = _MONTHS.index(told["month"].lower()) + 1
            at = at.replace(year=int(told["year"] or here.year), month=month, day=int(told["day"]))
    except ValueError:
        return None
    if told["month"] is None and at <= here - JUST_NOW:
        at += timedelta(days=1)
    # It tells whole minutes: the limit ends within the one that it names.
    return max(at + MINUTE, here + MINUTE).astimezone(UTC)


def _zone(name: str | None) -> tzinfo | None:
    """A time zone by its name; None is this machine's."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
