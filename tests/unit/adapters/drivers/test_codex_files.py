"""Codex's record of a conversation, in the form that 0.169 writes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from supervisor.adapters.drivers.codex_files import CodexFiles, limit_until
from supervisor.domain.hooks import TurnBroke, TurnDone, TurnEnd, TurnStopped

ID = "01a210c7-68d9-77c0-98a5-33306b5a0cc7"
NOW = datetime(2026, 11, 25, 3, 37, tzinfo=UTC)
STARTED = {"type": "task_started", "turn_id": "t"}
DONE = {"type": "task_complete", "turn_id": "t", "last_agent_message": "yes"}
STOPPED = {"type": "turn_aborted", "turn_id": "t", "reason": "interrupted"}
LIMIT = "You\u2019ve hit your usage limit. Upgrade to Pro (https://example.com) or try again at 4:27 AM."


def broke(message: object, kind: str = "other") -> dict[str, object]:
    return {**DONE, "last_agent_message": None, "error": {"message": message, "codex_error_info": kind}}


@pytest.fixture
def files(tmp_path: Path) -> CodexFiles:
    return CodexFiles(tmp_path)


def write(folder: Path, *events: object, cut: str = "") -> None:
    path = folder / "sessions" / "2026" / "11" / "25" / f"rollout-2026-11-25T03-37-13-{ID}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"timestamp": "x", "type": "event_msg", "payload": event}) for event in events]
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say \u201cä\u201d,\nnow"}]}
    lines.append(json.dumps({"type": "response_item", "payload": said}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n" + cut)


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ((STARTED,), None),
        ((STARTED, DONE), TurnDone()),
        ((STARTED, DONE, STARTED), None),
        ((STARTED, STOPPED), TurnStopped()),
        ((STARTED, broke("too bad")), TurnBroke("too bad")),
        ((STARTED, broke(None)), TurnBroke("other")),
        ((STARTED, DONE, "odd", None, {"type": 7}), TurnDone()),
    ],
)
def test_the_end_of_the_last_turn_is_read(
    tmp_path: Path, files: CodexFiles, events: tuple[object, ...], end: TurnEnd | None
) -> None:
    write(tmp_path, *events, cut='{"type": "event_msg", "payl')
    assert files.last_turn(ID, NOW) == end


def test_a_usage_limit_is_told_with_its_end(tmp_path: Path, files: CodexFiles) -> None:
    write(tmp_path, STARTED, broke(LIMIT, "usage_limit_exceeded"))
    end = files.last_turn(ID, NOW)
    assert isinstance(end, TurnBroke)
    assert end.limit_until is not None
    write(tmp_path, STARTED, broke("You reached it.", "usage_limit_exceeded"))
    assert files.last_turn(ID, NOW) == TurnBroke("You reached it.", NOW + timedelta(hours=1))


def test_times_of_day_are_the_next_ones_and_dates_are_kept() -> None:
    here = NOW.astimezone()
    soon = (here + timedelta(minutes=50)).strftime("%-I:%M %p")
    assert limit_until(f"try again at {soon}.", NOW) == NOW + timedelta(minutes=51)
    earlier = (here - timedelta(minutes=30)).strftime("%-I:%M %p")
    assert limit_until(f"try again at {earlier}.", NOW) == NOW + timedelta(hours=23, minutes=31)
    dated = (here + timedelta(days=3)).strftime("%b %-dth, %Y %-I:%M %p")
    assert limit_until(f"try again at {dated}.", NOW) == NOW + timedelta(days=3, minutes=1)
    for odd in ("try again later", "try again at 13:00 AM", "try again at Feb 31st, 2027 1:00 AM", ""):
        assert limit_until(odd, NOW) is None


def test_what_was_said_is_found_and_only_in_conversations(tmp_path: Path, files: CodexFiles) -> None:
    assert files.holds(ID, "Say") is None
    assert not files.is_saved(ID)
    write(tmp_path, STARTED)
    assert files.is_saved(ID)
    assert files.holds(ID, "Say \u201cä\u201d,\nnow") is True
    assert files.holds(ID, "Say it") is False
    for odd in ("*", "../" + ID, "", ID + "*"):
        assert not files.is_saved(odd)
        assert files.last_turn(odd, NOW) is None
