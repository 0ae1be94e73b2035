"""What the command line asks for."""

import re
import sys
from collections.abc import Iterator

USAGE = """usage: rehearsal [OPTIONS] [PROMPT]

  --name NAME             the name in the title (rehearsal)
  --no-title              never set a title
  --no-paste              do not ask for framed pastes, nor understand them
  PROMPT                  a first prompt, as if it had been typed

It speaks Claude Code's hook protocol when one of the first three of these is given:

  --settings FILE         JSON with hooks, as Claude Code's settings have them
  --session-id UUID       begin a conversation of this id
  --resume UUID           take up that conversation again
  --permission-mode MODE  default, plan, acceptEdits or bypassPermissions
  --model NAME            accepted, and of no consequence
  --notify-after SECONDS  how long a dialog is open before its Notification hook (6)
  --idle-after SECONDS    how long it waits for a prompt before the hook that says so (60)
"""
MODES = ("default", "plan", "acceptEdits", "bypassPermissions")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def refuse(problem: str) -> SystemExit:
    """Say what is wrong with the command line; the exit to raise."""
    print(f"rehearsal: {problem}\n{USAGE}", end="", file=sys.stderr)
    return SystemExit(2)


class Options:
    """The options, each with its default."""

    def __init__(self, argv: list[str]) -> None:
        self.name = "rehearsal"
        self.titles = True
        self.pastes = True
        self.prompt: str | None = None
        self.settings: str | None = None
        self.session_id: str | None = None
        self.resume: str | None = None
        self.permission_mode = MODES[0]
        self.model: str | None = None
        self.notify_after = 6.0
        self.idle_after = 60.0
        rest = iter(argv)
        for word in rest:
            if word == "--name":
                self.name = next(rest, self.name)
            elif word == "--no-title":
                self.titles = False
            elif word == "--no-paste":
                self.pastes = False
            elif word in ("-h", "--help"):
                print(USAGE, end="")
                raise SystemExit(0)
            elif word.startswith("-") and word != "--":
                self._take(word, rest)
            else:
                self.prompt = next(rest, None) if word == "--" else word
        if self.resume is not None and self.session_id is not None:
            raise refuse("--resume keeps the session's id: --session-id cannot be given beside it")

    @property
    def speaks(self) -> bool:
        """Whether the hook protocol, and what belongs to it, was asked for."""
        return any(given is not None for given in (self.settings, self.session_id, self.resume))

    def _take(self, word: str, rest: Iterator[str]) -> None:
        """An option of the hook protocol and its value."""
        name = word.removeprefix("--").replace("-", "_")
        known = ("settings", "session_id", "resume", "permission_mode", "model", "notify_after", "idle_after")
        if not word.startswith("--") or name not in known:
            raise refuse(f"unknown option {word}")
        value = next(rest, None)
        if value is None:
            raise refuse(f"{word} needs a value")
        if name in ("session_id", "resume"):
            if not _UUID.fullmatch(value):
                raise refuse(f"{word}: not a UUID: {value}")
            value = value.lower()
        elif name == "permission_mode" and value not in MODES:
            raise refuse(f"{word}: {value} is none of {', '.join(MODES)}")
        if name.endswith("_after"):
            try:
                setattr(self, name, max(0.0, float(value)))
            except ValueError:
                raise refuse(f"{word}: not a number of seconds: {value}") from None
        else:
            setattr(self, name, value)
