"""What Claude Code writes about itself: its status files and its conversations.

    sessions/PID.json                whether a process is busy, idle or waiting at a dialog
    projects/FOLDER/UUID.jsonl       a conversation, one entry a line, not always in the order of their times
    plans/NAME.md                    a plan that was proposed

Neither is documented: whatever is missing or of another form says nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from supervisor.domain.agent import Meaning
from supervisor.domain.hooks import TurnBroke, TurnDone, TurnEnd, TurnStopped

STATUS_LIMIT: Final = 64 * 1024
TAIL: Final = 256 * 1024
"""Bytes of a conversation's end in which its last turn's end is looked for."""
TOLD_TAIL: Final = 4 * 1024 * 1024
"""Bytes of a conversation's end in which a text is looked for."""
PLAN_LIMIT: Final = 2 * 1024 * 1024
STATUSES: Final = {
    "busy": Meaning.BUSY,
    "idle": Meaning.IDLE,
    "waiting": Meaning.ASKING,
    "shell": Meaning.BACKGROUND,
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Json = dict[str, object]


class ClaudeFiles:
    """Reads them, in one configuration folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def status(self, pid: int) -> tuple[Meaning, str] | None:
        """What the file of a process says. A killed one's stays, and does not speak for another of its number."""
        try:
            with (self._folder / "sessions" / f"{pid}.json").open("rb") as file:
                told = json.loads(file.read(STATUS_LIMIT))
        except (OSError, ValueError):
            return None
        if not isinstance(told, dict) or not _is_of(told.get("procStart"), pid):
            return None
        status = told.get("status")
        meaning = STATUSES.get(status) if isinstance(status, str) else None
        return None if meaning is None else (meaning, f"its status file says {status}")

    def is_saved(self, conversation: str) -> bool:
        """Whether a conversation can be resumed: there is a message in it. Without one Claude Code refuses to start."""
        path = self._conversation(conversation)
        return path is not None and any(True for _ in _messages(_head(path)))

    def last_turn(self, conversation: str, broke: Callable[[str, str], TurnBroke]) -> TurnEnd | None:
        """How its last turn ended, which is over: well, not by itself, or by an error.

        `broke` makes that of its text and of the word for its kind.
        """
        path = self._conversation(conversation)
        last = max(_messages(_tail(path)), default=None, key=_time_of) if path is not None else None
        if last is None:
            return None
        message = last.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if last.get("type") == "user" or not isinstance(message, dict):
            return TurnStopped()  # a prompt or a tool's result, and nothing was made of it
        if last.get("isApiErrorMessage") is True:
            text = " ".join(text for part in _parts(content) if isinstance(text := part.get("text"), str))
            return broke(text, str(last.get("error") or "unknown"))
        return TurnStopped() if any(part.get("type") == "tool_use" for part in _parts(content)) else TurnDone()

    def holds(self, conversation: str, text: str) -> bool | None:
        """Whether somebody said exactly this towards its end; None where there is no conversation."""
        path = self._conversation(conversation)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TOLD_TAIL))
                end = file.read(TOLD_TAIL)
        except OSError:
            return None
        return any(each in end for each in _spellings(text))

    def keeps_plan(self, path: str, text: str) -> bool:
        """Whether a plan's file holds this plan: else another one was proposed since, or a person has edited it."""
        file = Path(path)
        try:
            if file.parent.resolve() != (self._folder / "plans").resolve():
                return False
            with file.open("rb") as opened:
                kept = opened.read(PLAN_LIMIT + 1)
        except (OSError, ValueError, RuntimeError):
            return False
        return len(kept) <= PLAN_LIMIT and kept.decode("utf-8", "replace").rstrip() == text.rstrip()

    def _conversation(self, conversation: str) -> Path | None:
        if _UUID.fullmatch(conversation) is None:
            return None
        return next((self._folder / "projects").glob(f"*/{conversation}.jsonl"), None)


def _is_of(start: object, pid: int) -> bool:
    """Whether a status file is of the process that has this number now; it names the tick in which that began."""
    if not isinstance(start, str):
        return True
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return True  # no such file system, or the process is just gone
    return len(fields) < 20 or fields[19] == start


def _head(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError:
        return


def _tail(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            lines = file.read(TAIL).split(b"\n")
    except OSError:
        return
    yield from lines if size <= TAIL else lines[1:]


def _messages(lines: Iterator[bytes]) -> Iterator[Json]:
    """The entries that a person, a tool or the model said, without those of sub-agents and of the CLI's own."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or entry.get("type") not in ("user", "assistant"):
            continue
        if entry.get("isSidechain") is not True and entry.get("isMeta") is not True:
            yield entry


def _time_of(entry: Mapping[str, object]) -> float:
    told = entry.get("timestamp")
    try:
        return datetime.fromisoformat(told).timestamp() if isinstance(told, str) else 0.0
    except ValueError:
        return 0.0


def _parts(content: object) -> list[Json]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else [{"text": content}]


def _spellings(text: str) -> set[bytes]:
    """How a text may stand in JSON: as it is, or as a terminal took it in."""
    typed = text.replace("\t", "    ")  # a tab that is typed becomes blanks
    said = {each for way in (text, typed) for each in (way, way.strip())}
    plain = {json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogatepass") for each in said}
    return plain | {json.dumps(each).encode() for each in said}
