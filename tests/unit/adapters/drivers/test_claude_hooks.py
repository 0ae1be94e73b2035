"""What Claude Code's hooks say. The payloads are those that 2.1.197 sent, shortened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude_hooks import EVENTS, SHOWN, UNKNOWN_LIMIT, read_hook, turn_broke
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

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        ({"hook_event_name": "SessionStart", "source": "startup", "session_id": "u"}, SessionBegan("u")),
        ({"hook_event_name": "UserPromptSubmit", "prompt": "Please."}, PromptTaken()),
        ({"hook_event_name": "PreToolUse", "tool_name": "Bash"}, ToolUsed("Bash")),
        ({"hook_event_name": "PostToolUse", "tool_name": "Write"}, ToolUsed("Write")),
        ({"hook_event_name": "PostToolUseFailure", "tool_name": "Bash"}, ToolUsed("Bash")),
        (
            {"hook_event_name": "PostToolUse", "tool_name": "ExitPlanMode", "tool_use_id": "toolu_1", "prompt_id": "p"},
            PlanTaken("toolu_1", "p"),
        ),
        ({"hook_event_name": "PostToolUse", "tool_name": "ExitPlanMode", "tool_use_id": 7}, PlanTaken()),
        ({"hook_event_name": "PreToolUse", "tool_name": "ExitPlanMode"}, ToolUsed("ExitPlanMode")),
        ({"hook_event_name": "PostToolUseFailure", "tool_name": "ExitPlanMode"}, ToolUsed("ExitPlanMode")),
        (
            {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "rm  -r\nx"}},
            Asked("It wants to use Bash: rm -r x"),
        ),
        (
            {"hook_event_name": "PermissionRequest", "tool_name": "Write", "tool_input": {"file_path": "/w/a"}},
            Asked("It wants to use Write: /w/a"),
        ),
        (
            {
                "hook_event_name": "PermissionRequest",
                "tool_name": "AskUserQuestion",
                "tool_input": {"questions": [{"question": "Which one?", "options": []}]},
            },
            Asked("Which one?"),
        ),
        (
            {"hook_event_name": "PermissionRequest", "tool_name": "ExitPlanMode", "tool_input": {"plan": "# Plan"}},
            Asked("It proposes a plan."),
        ),
        (
            {"hook_event_name": "Notification", "notification_type": "permission_prompt", "message": "It needs you"},
            Asked("It needs you", reminder=True),
        ),
        ({"hook_event_name": "Notification", "notification_type": "idle_prompt", "message": "x"}, SaysIdle()),
        ({"hook_event_name": "Notification", "notification_type": "auth_success"}, None),
        ({"hook_event_name": "Stop", "background_tasks": [], "last_assistant_message": "Done."}, TurnDone()),
        ({"hook_event_name": "Stop", "background_tasks": [{"id": "b1"}]}, TurnDone(1)),
        ({"hook_event_name": "Stop"}, TurnDone()),
        (
            {"hook_event_name": "StopFailure", "error": "unknown", "last_assistant_message": "API Error: 400 no"},
            TurnBroke("API Error: 400 no"),
        ),
        ({"hook_event_name": "StopFailure", "error": "server_error"}, TurnBroke("server_error")),
        ({"hook_event_name": "SessionEnd", "reason": "prompt_input_exit"}, SessionEnded("prompt_input_exit")),
        ({"hook_event_name": "SubagentStop"}, None),
        ({}, None),
    ],
)
def test_a_payload_is_read(payload: dict[str, object], event: HookEvent | None) -> None:
    assert read_hook(payload, NOON) == event


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "tool_name", "tool_input", "message", "notification_type", "background_tasks", "last_assistant_message", "error",
    "reason", "session_id",
)  # fmt: skip


@given(st.sampled_from([*EVENTS, "SessionStart", "Other"]), st.dictionaries(st.sampled_from(KEYS), JSON))
def test_a_payload_of_any_form_is_no_error_and_says_little(name: str, payload: dict[str, Any]) -> None:
    event = read_hook({**payload, "hook_event_name": name}, NOON)
    for text in (getattr(event, field, "") for field in ("question", "error", "tool", "reason")):
        assert len(text) <= SHOWN
        assert text.isprintable()


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("You've hit your session limit · resets 3pm (UTC)", datetime(2026, 11, 24, 15, 1, tzinfo=UTC)),
        ("You've hit your session limit · resets 1:49am (UTC)", datetime(2026, 11, 25, 1, 50, tzinfo=UTC)),
        ("You've hit your session limit · resets 8am (America/New_York)", datetime(2026, 11, 24, 13, 1, tzinfo=UTC)),
        (
            "You've hit your weekly limit · resets Nov 27, 3pm (Asia/Tokyo)",
            datetime(2026, 11, 27, 6, 1, tzinfo=UTC),
        ),
        ("You've hit your weekly limit · resets Jan 2, 2027, 12:30am (UTC)", datetime(2027, 1, 2, 0, 31, tzinfo=UTC)),
        ("Claude usage limit reached. Your limit will reset at 6pm (UTC).", datetime(2026, 11, 24, 18, 1, tzinfo=UTC)),
        ("Claude AI usage limit reached|1795564800", datetime.fromtimestamp(1795564800, UTC)),
        # It has just ended, and this clock is a little ahead: not tomorrow.
        ("You've hit your session limit · resets 11:59am (UTC)", NOON + timedelta(minutes=1)),
        ("You've hit your monthly spend limit. /model to switch models.", NOON + UNKNOWN_LIMIT),
        ("You've hit your weekly limit · resets Nov 40, 3pm (UTC)", NOON + UNKNOWN_LIMIT),
        ("API Error: Request rejected (429) · slow down", None),
    ],
)
def test_a_usage_limit_says_until_when(text: str, until: datetime | None) -> None:
    assert turn_broke(text, "rate_limit", NOON) == TurnBroke(text, until)


@given(st.text(max_size=200) | st.from_regex(r"You've hit your \w+ limit · resets [\w:, ]{0,20}(\([\w/]+\))?"))
def test_no_text_of_an_error_is_an_error_here(text: str) -> None:
    until = turn_broke(text, "rate_limit", NOON).limit_until
    assert until is None or until > NOON or "|" in text
