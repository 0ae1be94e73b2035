"""How Codex is told of hooks, what they say and what they are answered."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from supervisor.adapters.drivers import codex_hooks
from supervisor.adapters.drivers.codex import MODES, CodexDriver
from supervisor.domain.config import DriverConfig
from supervisor.domain.errors import DriverError
from supervisor.domain.hooks import Asked, PromptTaken, SessionBegan, SessionEnded, ToolUsed, TurnDone
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.review import Approved, Rejected
from supervisor.ports import LaunchRequest

AT = datetime(2026, 11, 25, tzinfo=UTC)
ASKS = {
    "hook_event_name": "PermissionRequest",
    "turn_id": "t",
    "tool_name": "Bash",
    "tool_input": {"command": "ls\n-a"},
}
TRUSTED = "sha256:409b6e301edb28c03bcd152b6c0bc3f7ae9c36d6a8fa05d8f60d4f7f720a0623"
"""What Codex 0.169 wrote down when a person trusted this very hook."""
COMMAND = "/work/main/.cache/venv/bin/python -I -S /work/main/supervisor/hook.py /tmp/cx-c5l4gavs/p/hook keep"


def test_a_hook_is_vouched_for_as_codex_itself_would() -> None:
    assert codex_hooks._fingerprint("session_start", COMMAND, 3) == TRUSTED


def test_settings_are_toml_that_names_each_hook_and_its_trust() -> None:
    script, told = Path('/tmp/a "b" ä/hook.py'), Path("/tmp/it's/hook")
    found = tomllib.loads("\n".join(codex_hooks.settings(script, told)))["hooks"]
    state = found.pop("state")
    assert set(found) == set(codex_hooks.EVENTS)
    assert len(state) == len(found)
    asks = found["PermissionRequest"][0]["hooks"][0]
    assert (asks["timeout"], asks["command"].endswith(" hold")) == (86400, True)
    assert {group[0]["hooks"][0]["timeout"] for event, group in found.items() if event != "PermissionRequest"} == {3}
    assert f"{codex_hooks.SESSION_FLAGS}:user_prompt_submit:0:0" in state


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        ({"hook_event_name": "SessionStart", "session_id": "s", "source": "resume"}, SessionBegan("s")),
        ({"hook_event_name": "UserPromptSubmit", "turn_id": "t", "prompt": "x"}, PromptTaken("t")),
        ({"hook_event_name": "PreToolUse", "turn_id": "t", "tool_name": "Bash"}, ToolUsed("Bash", "t")),
        ({"hook_event_name": "PostToolUse", "turn_id": 7}, ToolUsed("a tool", None)),
        (ASKS, Asked("It wants to use Bash: ls -a", turn="t", shown=False)),
        ({"hook_event_name": "PermissionRequest"}, Asked("It wants to use a tool.", shown=False)),
        ({"hook_event_name": "Stop", "turn_id": "t"}, TurnDone(0, "t")),
        ({"hook_event_name": "SessionEnd", "reason": "other"}, SessionEnded("other")),
        ({"hook_event_name": "PreCompact"}, None),
        ({}, None),
    ],
)
def test_each_hook_says_one_thing(payload: dict[str, object], event: object) -> None:
    assert codex_hooks.read_hook(payload) == event


def test_an_answer_holds_nothing_that_codex_does_not_know() -> None:
    request = codex_hooks.read_request(ASKS)
    assert request is not None
    assert codex_hooks.command(request) == "ls\n-a"
    for decision, told in (
        (Approved(AT, "a person"), {"behavior": "allow"}),
        (Rejected(AT, "a person", "no"), {"behavior": "deny", "message": "no"}),
    ):
        assert codex_hooks.answer(request, decision) == {
            "hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": told}
        }


def test_a_mode_is_what_its_sandbox_allows_and_each_step_has_its_own(tmp_path: Path) -> None:
    program = tmp_path / "codex"
    program.touch(0o755)
    made = CodexDriver("codex", DriverConfig((str(program),), "codex", permission_mode="workspace-write"), {})
    request = LaunchRequest(AgentId("A-1~1"), TicketId("A-1"), "/", {}, private_dir=tmp_path)
    assert made.plan(request).argv[-4:] == MODES["workspace-write"]
    assert made.plan(evolve(request, permission_mode="plan")).argv[-2:] == ("-s", "read-only")
    with pytest.raises(DriverError, match="no permission mode 'odd'"):
        made.plan(evolve(request, permission_mode="odd"))
    with pytest.raises(DriverError):
        CodexDriver("codex", DriverConfig(("codex",), "codex", permission_mode="odd"), {})


def test_only_a_conversation_that_is_there_is_resumed(tmp_path: Path) -> None:
    conversation = "01a210c7-68d9-77c0-98a5-33306b5a0cc7"
    program = tmp_path / "codex"
    program.touch(0o755)
    made = CodexDriver("codex", DriverConfig((str(program),), "codex"), {"CODEX_HOME": str(tmp_path)})
    request = LaunchRequest(
        AgentId("A-1~2"), TicketId("A-1"), "/", {}, private_dir=tmp_path, conversation_id=conversation
    )
    new = made.plan(request)
    assert (new.conversation_id, "resume" in new.argv) == (None, False)
    folder = tmp_path / "sessions" / "2026" / "11" / "25"
    folder.mkdir(parents=True)
    (folder / f"rollout-2026-11-25T03-37-13-{conversation}.jsonl").write_text(json.dumps({}))
    again = made.plan(request)
    assert (again.conversation_id, again.argv[1], again.argv[-1]) == (conversation, "resume", conversation)
