"""The conversation: its id, what is kept of it under HOME/.rehearsal, and what hooks are told of it.

    HOME/.rehearsal/UUID.jsonl              what was said, one JSON line each: the transcript
    HOME/.rehearsal/projects/*/UUID.jsonl   a link to it, where who knows Claude Code's folder looks for one
    HOME/.rehearsal/sessions/PID.json       whether this process is busy, idle or waiting; gone when it ended in order
    HOME/.rehearsal/plans/NAME.md           the plans that were proposed

Nothing of it is written, and no file is read, where nobody asked for the hook protocol; plans excepted.
"""

import json
import os
import time

from clients.cli.demo.rehearsal.options import Options

Json = dict[str, object]

MODELESS = ("SessionStart", "Notification", "StopFailure", "SessionEnd")
"""Events whose hooks are not told the permission mode."""


class SessionRefused(Exception):
    """There is no such conversation, or there is one already; the message says which."""


def random_uuid() -> str:
    """A random UUID; importing uuid for it would cost a tenth of the time to start."""
    digits = bytearray(os.urandom(16))
    digits[6], digits[8] = digits[6] & 0x0F | 0x40, digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Session:
    """One conversation in this process."""

    def __init__(self, options: Options, directory: str) -> None:
        self.active = options.speaks
        self.id = options.resume or options.session_id or random_uuid()
        self.source = "startup" if options.resume is None else "resume"
        self.mode = options.permission_mode
        self.mode_before_plan = "default"
        """What an approved plan goes back to."""
        self.said = ""
        """The last answer of this turn."""
        self.earlier: list[str] = []
        """The prompts of a conversation that was taken up again."""
        self.directory = directory
        self._prompt_id: str | None = None
        self._began = time.time()
        self._folder = os.path.join(os.path.expanduser("~"), ".rehearsal")
        self.transcript = os.path.join(self._folder, f"{self.id}.jsonl")
        self.plan = os.path.join(self._folder, "plans", f"plan-{self.id[:8]}.md")
        """The file of its plan, overwritten by the next one."""
        self._status = os.path.join(self._folder, "sessions", f"{os.getpid()}.json")
        if self.active:
            self._open(options)

    def _open(self, options: Options) -> None:
        there = os.path.exists(self.transcript)
        if options.resume is not None and not there:
            raise SessionRefused(f"No conversation found with session ID: {self.id}")
        if options.session_id is not None and there:
            raise SessionRefused(f"Session ID {self.id} is already in use.")
        os.makedirs(os.path.dirname(self._status), mode=0o700, exist_ok=True)
        if there:
            with open(self.transcript, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            self.earlier = [line["text"] for line in lines if line["type"] == "user"]

    def begin_prompt(self) -> None:
        """A new prompt: hooks name it."""
        self._prompt_id, self.said = random_uuid(), ""

    def remember(self, kind: str, text: str, **more: object) -> None:
        """Add to the transcript: `user`, `assistant`, `tool` or `aside`; the first two in Claude Code's shape."""
        if self.active:
            if not os.path.exists(self.transcript):
                self._link_transcript()
            now = time.time()
            line: Json = {"type": kind, "text": text, "sessionId": self.id, "at": now, **more}
            if kind in ("user", "assistant"):
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
                line["timestamp"] = f"{stamp}.{int(now % 1 * 1000):03d}Z"
                line["message"] = {"role": kind, "content": [{"type": "text", "text": text}]}
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.transcript, flags, 0o600)
            try:
                os.write(descriptor, json.dumps(line, separators=(",", ":")).encode() + b"\n")
            finally:
                os.close(descriptor)

    def _link_transcript(self) -> None:
        folder = os.path.join(self._folder, "projects", self.directory.replace(os.sep, "-"))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        link = os.path.join(folder, os.path.basename(self.transcript))
        if not os.path.lexists(link):
            os.symlink(os.path.join(os.pardir, os.pardir, os.path.basename(self.transcript)), link)

    def payload(self, event: str, facts: Json) -> Json:
        """What the hooks of an event are told."""
        told: Json = {"session_id": self.id, "transcript_path": self.transcript, "cwd": self.directory}
        if self._prompt_id is not None and event != "SessionStart":
            told["prompt_id"] = self._prompt_id
        if event not in MODELESS:
            told["permission_mode"] = self.mode
        return {**told, "hook_event_name": event, **facts}

    def environment(self) -> dict[str, str]:
        """What programs that are hooks find in their environment."""
        return {
            "CLAUDECODE": "1",
            "CLAUDE_CODE_SESSION_ID": self.id,
            "CLAUDE_PROJECT_DIR": self.directory,
        }

    def status(self, status: str, waiting_for: str | None = None) -> None:
        """Say in the status file whether we are busy, idle or waiting."""
        if not self.active:
            return
        now = int(time.time() * 1000)
        told: Json = {
            "pid": os.getpid(),
            "sessionId": self.id,
            "cwd": self.directory,
            "startedAt": int(self._began * 1000),
            "kind": "interactive",
            "status": status,
            "updatedAt": now,
            "statusUpdatedAt": now,
        }
        if waiting_for is not None:
            told["waitingFor"] = waiting_for
        # Whoever reads it meets the old or the new one, never a part.
        temporary = f"{self._status}.new"
        with open(temporary, "w", encoding="utf-8", opener=_private) as file:
            json.dump(told, file)
        os.replace(temporary, self._status)

    def write_plan(self, text: str) -> None:
        """Keep a plan where a person can read it."""
        os.makedirs(os.path.dirname(self.plan), mode=0o700, exist_ok=True)
        with open(self.plan, "w", encoding="utf-8", errors="surrogateescape", opener=_private) as file:
            file.write(text)

    def close(self) -> None:
        """Ended in order: the status file goes."""
        if self.active:
            try:
                os.unlink(self._status)
            except FileNotFoundError:
                pass  # it was never written


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
