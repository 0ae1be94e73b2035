"""What Claude Code's own files say. The entries have the form in which 2.1.197 wrote them, shortened."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude_files import PLAN_LIMIT, TAIL, TOLD_TAIL, ClaudeFiles
from supervisor.domain.agent import Meaning
from supervisor.domain.hooks import TurnBroke, TurnDone, TurnEnd, TurnStopped

ID = "12345678-9abc-4def-8123-456789abcdef"
Json = dict[str, Any]


def said(role: str, content: object, second: int = 0, **more: object) -> Json:
    stamp = f"2026-11-24T12:00:{second:02d}.000Z"
    return {"type": role, "message": {"role": role, "content": content}, "timestamp": stamp, **more}


PROMPT = said("user", "Please.", 1)
CALL = said("assistant", [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}], 2)
RESULT = said("user", [{"type": "tool_result", "content": "ok", "tool_use_id": "t"}], 3)
ANSWER = said("assistant", [{"type": "text", "text": "Done."}], 4)
INTERRUPTED = said("user", [{"type": "text", "text": "[Request interrupted by user]"}], 5)
ERROR = said("assistant", [{"type": "text", "text": "API Error: 400"}], 6, isApiErrorMessage=True, error="unknown")
BESIDE: list[Json] = [
    {"type": "mode", "mode": "normal"},
    {"type": "file-history-snapshot", "messageId": "m"},
    {"type": "system", "subtype": "turn_duration", "timestamp": "2026-11-24T12:00:59.000Z"},
    said("user", "a sub-agent's", 57, isSidechain=True),
    said("user", "the CLI's own", 58, isMeta=True),
]


def broke(text: str, error: str) -> TurnBroke:
    return TurnBroke(f"{error}: {text}")


def keep(folder: Path, *entries: Json | str) -> ClaudeFiles:
    path = folder / "projects" / "-w" / f"{ID}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in entries))
    return ClaudeFiles(folder)


@pytest.mark.parametrize(
    ("entries", "end"),
    [
        ([PROMPT, ANSWER], TurnDone()),
        ([PROMPT, CALL, RESULT, ANSWER], TurnDone()),
        ([ANSWER, PROMPT], TurnDone()),  # the file's order is not that of the times
        ([PROMPT], TurnStopped()),
        ([PROMPT, CALL], TurnStopped()),
        ([PROMPT, CALL, RESULT], TurnStopped()),
        ([PROMPT, ANSWER, INTERRUPTED], TurnStopped()),
        ([PROMPT, ANSWER, INTERRUPTED, ERROR], TurnBroke("unknown: API Error: 400")),
        (BESIDE, None),
        ([], None),
    ],
)
def test_how_a_turn_ended(tmp_path: Path, entries: list[Json], end: TurnEnd | None) -> None:
    files = keep(tmp_path, *BESIDE, *entries, *BESIDE)
    assert files.last_turn(ID, broke) == end
    assert files.is_saved(ID) is (end is not None)


def test_a_long_conversation_is_read_at_its_end(tmp_path: Path) -> None:
    long = said("user", "x" * TAIL, 0)
    assert keep(tmp_path, long, PROMPT, ANSWER).last_turn(ID, broke) == TurnDone()
    assert keep(tmp_path, PROMPT, said("assistant", [{"text": "y" * 2 * TAIL}], 9)).last_turn(ID, broke) is None


@pytest.mark.parametrize("name", ["../x", "", "*", "12345678-9abc-4def-8123-456789abcde*", ID.upper()])
def test_a_conversation_has_no_other_name_than_a_uuid(tmp_path: Path, name: str) -> None:
    files = keep(tmp_path, PROMPT, ANSWER)
    assert files.last_turn(name, broke) is None
    assert not files.is_saved(name)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text"]), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(["type", "message", "timestamp", "isSidechain", "isApiErrorMessage", "error", "content"])
ENTRIES = st.one_of(
    st.builds(json.dumps, st.dictionaries(KEYS, ANY)),
    st.builds(lambda what: json.dumps({"type": "user", "message": what}), ANY),
    st.builds(lambda what: json.dumps({"type": "assistant", "message": what, "isApiErrorMessage": True}), ANY),
    st.text(max_size=20).map(lambda text: text.replace("\n", " ")),
)  # fmt: skip


@given(st.lists(ENTRIES, max_size=5))
def test_a_file_of_any_form_is_no_error(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    files = keep(tmp_path_factory.mktemp("home"), *(line.encode("utf-8", "replace").decode() for line in lines))
    files.last_turn(ID, broke)
    files.is_saved(ID)


def status_file(folder: Path, pid: int, text: str) -> ClaudeFiles:
    (folder / "sessions").mkdir(exist_ok=True)
    (folder / "sessions" / f"{pid}.json").write_text(text)
    return ClaudeFiles(folder)


@pytest.mark.parametrize(
    ("status", "meaning"), [("busy", Meaning.BUSY), ("idle", Meaning.IDLE), ("waiting", Meaning.ASKING)]
)
def test_a_status(tmp_path: Path, status: str, meaning: Meaning) -> None:
    files = status_file(tmp_path, 7, json.dumps({"pid": 7, "status": status, "waitingFor": "permission prompt"}))
    assert files.status(7) == (meaning, f"its status file says {status}")
    assert files.status(8) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"status": 1}', '{"status": "odd"}', '{"status": ["idle"]}']
)
def test_a_status_of_another_form_says_nothing(tmp_path: Path, text: str) -> None:
    assert status_file(tmp_path, 7, text).status(7) is None


def test_the_file_that_a_dead_process_left_does_not_speak_for_the_next_with_its_number(tmp_path: Path) -> None:
    pid = os.getpid()
    began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert status_file(tmp_path, pid, json.dumps({"status": "idle", "procStart": began})).status(pid) is not None
    stale = json.dumps({"status": "idle", "procStart": str(int(began) - 1)})
    assert status_file(tmp_path, pid, stale).status(pid) is None


# --- what was told ------------------------------------------------------------------------------------

TEXT = "No — not\nso.\t“Quoted” \\ \u2028 \x1f"


def denied(text: str) -> Json:
    result = {"type": "tool_result", "content": text, "is_error": True, "tool_use_id": "toolu_1"}
    return said("user", [result], 9, toolUseResult=f"Error: {text}")


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("entry", [denied(TEXT), said("user", TEXT, 9), said("user", TEXT.replace("\t", "    "), 9)])
def test_a_text_that_was_told_is_found(tmp_path: Path, entry: Json, ascii_only: bool) -> None:
    files = keep(tmp_path, PROMPT, json.dumps(entry, ensure_ascii=ascii_only), ANSWER)
    assert files.holds(ID, TEXT) is True
    assert files.holds(ID, TEXT + ".") is False
    assert files.holds(ID, TEXT[1:]) is False  # what somebody else said may hold a short reason


def test_a_text_is_looked_for_in_one_conversation_and_at_its_end(tmp_path: Path) -> None:
    assert keep(tmp_path, PROMPT, denied("no")).holds(ID, "no") is True
    assert ClaudeFiles(tmp_path).holds(ID.replace("1", "2"), "no") is None
    assert ClaudeFiles(tmp_path).holds("../x", "no") is None
    long = said("assistant", [{"type": "text", "text": "y" * TOLD_TAIL}], 9)
    assert keep(tmp_path, denied("no"), long).holds(ID, "no") is False
    assert keep(tmp_path, long, denied("no")).holds(ID, "no") is True


@given(text=st.text(st.characters(), max_size=20))
def test_any_text_is_found_again(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert keep(tmp_path_factory.mktemp("home"), json.dumps(denied(text))).holds(ID, text) is True


def test_a_plan_is_kept_until_its_file_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    files, plan = ClaudeFiles(tmp_path), tmp_path / "plans" / "x.md"
    assert not files.keeps_plan(str(plan), "# Plan\n")
    plan.write_text("# Plan\n")
    assert files.keeps_plan(str(plan), "# Plan\n")
    assert files.keeps_plan(str(plan), "# Plan")
    assert not files.keeps_plan(str(plan), "# Another\n")
    assert not files.keeps_plan(str(tmp_path / "plans" / ".." / "x.md"), "# Plan\n")
    assert not files.keeps_plan(str(tmp_path / "plans"), "# Plan\n")
    plan.write_text("x" * (PLAN_LIMIT + 1))
    assert not files.keeps_plan(str(plan), "x" * (PLAN_LIMIT + 1))
