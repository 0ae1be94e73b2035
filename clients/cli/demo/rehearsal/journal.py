"""The journal: what reached the agent and what it did, one JSON object per line, each written at once."""

import json
import os
import time
from collections.abc import Mapping
from hashlib import sha256

VARIABLE = "REHEARSAL_JOURNAL"


def git_directory(directory: str) -> str | None:
    """The git directory of the worktree around `directory`, found as git does but without starting it."""
    while True:
        entry = os.path.join(directory, ".git")
        if os.path.isdir(entry):
            return entry
        if os.path.isfile(entry):
            with open(entry, encoding="utf-8", errors="surrogateescape") as file:
                target = file.read().strip().removeprefix("gitdir:").strip()
            return os.path.normpath(os.path.join(directory, target))
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def journal_path(environment: Mapping[str, str], directory: str) -> str:
    """Where the journal of an agent in `directory` is kept; by default where it can never be committed."""
    named = environment.get(VARIABLE)
    if not named:
        return os.path.join(git_directory(directory) or directory, ".rehearsal", "journal.jsonl")
    if os.path.isdir(named) or named.endswith("/"):
        return os.path.join(named, f"{os.path.basename(directory)}.jsonl")
    return named


class Journal:
    """Appends to a journal, and knows from it how often an agent has started here."""

    def __init__(self, path: str, directory: str) -> None:
        if folder := os.path.dirname(path):
            os.makedirs(folder, exist_ok=True)
        self.path = path
        self._directory = directory
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.attempt = 1 + self._starts()

    def _starts(self) -> int:
        # One journal may be shared by agents in several worktrees.
        starts = 0
        with open(self.path, "rb") as file:
            for line in file:
                if line.startswith(b'{"event":"start"'):
                    starts += json.loads(line).get("cwd") == self._directory
        return starts

    def note(self, event: str, **facts: object) -> None:
        """Write one event. `at` is wall-clock time, `mono` the machine's monotonic clock, to measure by."""
        entry = {"event": event, "at": time.time(), "mono": time.monotonic(), **facts}
        # One write to a file opened for appending: lines of several processes never mix.
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def note_start(self, argv: list[str], columns: int, rows: int) -> None:
        """Write that an agent started."""
        self.note(
            "start",
            pid=os.getpid(),
            argv=argv,
            attempt=self.attempt,
            cwd=self._directory,
            columns=columns,
            rows=rows,
        )

    def note_bytes(self, event: str, data: bytes, **facts: object) -> None:
        """Write that exactly these bytes arrived."""
        self.note(event, bytes=len(data), sha256=sha256(data).hexdigest(), **facts)
