"""What Codex writes about its conversations: `sessions/YEAR/MONTH/DAY/rollout-TIME-ID.jsonl`, an entry a line.

Not documented, seen with 0.169: whatever is missing or of another form says nothing.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from supervisor.adapters.drivers.claude_hooks import UNKNOWN_LIMIT, short
from supervisor.domain.hooks import TurnBroke, TurnDone, TurnEnd, TurnStopped

TAIL: Final = 256 * 1024
"""Bytes of a conversation's end in which its last turn's end is looked for."""
TOLD_TAIL: Final = 4 * 1024 * 1024
"""Bytes of a conversation's end in which a text is looked for."""
LIMIT: Final = "usage_limit_exceeded"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CLOCK = re.compile(
    r"try again at (?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4}),? )?"
    r"(?P<hour>1[0-2]|[1-9]):(?P<minute>\d{2}) ?(?P<half>am|pm)",
    re.IGNORECASE,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_JUST_NOW: Final = timedelta(minutes=10)
"""A limit that ended so shortly before is about to end; before that, tomorrow's time of day is meant."""
_MINUTE: Final = timedelta(minutes=1)


class CodexFiles:
    """Reads them, in one CODEX_HOME."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def is_saved(self, conversation: str) -> bool:
        """Whether a conversation can be resumed."""
        return self._rollout(conversation) is not None

    def last_turn(self, conversation: str, now: datetime) -> TurnEnd | None:
        """How its last turn ended: well, by an error, or by a person. None while one is under way."""
        end: TurnEnd | None = None
        for entry in _events(self._tail(conversation, TAIL)):
            match entry.get("type"):
                case "task_started":
                    end = None
                case "turn_aborted":
                    end = TurnStopped()
                case "task_complete":
                    end = _completed(entry, now)
        return end

    def holds(self, conversation: str, text: str) -> bool | None:
        """Whether somebody said exactly this towards its end; None where there is no conversation."""
        end = self._tail(conversation, TOLD_TAIL)
        if end is None:
            return None
        said = {json.dumps(each, ensure_ascii=way).encode("utf-8", "surrogatepass")[1:-1]
                for each in (text.strip(),) for way in (True, False)}  # fmt: skip
        return any(each in end for each in said)

    def _rollout(self, conversation: str) -> Path | None:
        if _UUID.fullmatch(conversation) is None:
            return None
        return next((self._folder / "sessions").glob(f"*/*/*/rollout-*-{conversation}.jsonl"), None)

    def _tail(self, conversation: str, size: int) -> bytes | None:
        path = self._rollout(conversation)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - size))
                return file.read(size)
        except OSError:
            return None


def _events(tail: bytes | None) -> Iterator[dict[str, object]]:
    for line in (tail or b"").split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # its beginning was cut off, or it is not written yet
        payload = entry.get("payload") if isinstance(entry, dict) and entry.get("type") == "event_msg" else None
        if isinstance(payload, dict):
            yield payload


def _completed(entry: dict[str, object], now: datetime) -> TurnEnd:
    error = entry.get("error")
    if not isinstance(error, dict):
        return TurnDone()
    text = error.get("message")
    told = text if isinstance(text, str) else str(error.get("codex_error_info"))
    until = (limit_until(told, now) or now + UNKNOWN_LIMIT) if error.get("codex_error_info") == LIMIT else None
    return TurnBroke(short(told), until)


def limit_until(text: str, now: datetime) -> datetime | None:
    """When the usage limit ends that a message tells of, in the machine's own time zone; None if it does not say."""
    told = _CLOCK.search(text)
    if told is None:
        return None
    here = now.astimezone()
    hour = int(told["hour"]) % 12 + (12 if told["half"].lower() == "pm" else 0)
    try:
        at = here.replace(hour=hour, minute=int(told["minute"]), second=0, microsecond=0)
        if told["month"] is not None:
            month = _MONTHS.index(told["month"].lower()) + 1
            at = at.replace(year=int(told["year"]), month=month, day=int(told["day"]))
    except ValueError:
        return None
    if told["month"] is None and at <= here - _JUST_NOW:
        at += timedelta(days=1)
    # It tells whole minutes: the limit ends within the one that it names.
    return max(at + _MINUTE, here + _MINUTE).astimezone(now.tzinfo)
