"""The real Claude Code, offline: a HOME of its own, a stand-in for its model, its hooks posted to a test."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from asyncinotify import Inotify, Mask
from attrs import frozen

from tests.agents.hooks import Hooks
from tests.agents.pane import Pane, running
from tests.fakes.model.server import Model
from tests.fakes.seen import WITHIN, Seen
from tests.harness import ROOT

PROGRAM = ROOT / ".cache" / "agents" / "bin" / "claude"
KEY = "sk-ant-dummy-000000000000000000000000"
EVENTS = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure",
    "Notification", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip
COMPOSER = "\n\u276f"
"""What the screen shows where prompts are typed: an angle at the start of a line."""


@frozen
class Status:
    """What Claude Code wrote about one of its processes."""

    pid: int
    told: dict[str, Any]
    at: float

    @property
    def state(self) -> str:
        return str(self.told.get("status"))


def environment(model: Model, tmp: Path) -> dict[str, str]:
    """What keeps Claude Code offline, with this model in place of its own."""
    return {
        "TMPDIR": str(tmp),
        "CLAUDE_CODE_TMPDIR": str(tmp),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        # Else it goes to fetch its plugin market, whatever the variables above say.
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
        # Whatever else it wants to reach arrives at the stand-in, which counts it as a stray.
        "HTTPS_PROXY": model.url,
        "HTTP_PROXY": model.url,
        "NO_PROXY": "127.0.0.1",
    }


def seed(home: Path, *trusted: Path) -> None:
    """Answer the dialogs of a first run in this HOME beforehand; these folders are trusted."""
    known = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(each): {"hasTrustDialogAccepted": True} for each in trusted},
    }
    (home / ".claude.json").write_text(json.dumps(known))


class Home:
    """A throw-away HOME that no first-run dialog knows, and a repository to work in."""

    def __init__(self, model: Model) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="cl-", dir="/tmp"))  # short: socket paths are limited
        self.home, self.work = self.root / "home", self.root / "work"
        self.sessions = self.home / ".claude" / "sessions"
        for folder in (self.sessions, self.work, self.root / "tmp"):
            folder.mkdir(parents=True)
        seed(self.home, self.work)
        # Written from nothing, so that no variable of whoever runs the tests gets in.
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "GIT_CONFIG_NOSYSTEM": "1",
            **environment(model, self.root / "tmp"),
        }
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.work)], env=self.env, check=True)

    def settings(self, settings: Mapping[str, object]) -> Path:
        """A settings file for `--settings`."""
        path = self.root / "settings.json"
        path.touch(0o600)
        path.write_text(json.dumps(settings))
        return path

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


class Claude:
    """Claude Code at work in a pane."""

    def __init__(self, pane: Pane, home: Home) -> None:
        self.pane = pane
        self.home = home
        self.statuses: Seen[Status] = Seen()

    async def ready(self) -> None:
        """Wait until it shows an empty composer and says that it is idle."""
        await self.pane.until_screen(COMPOSER)
        await self.status("idle")

    async def type(self, text: str) -> float:
        """Paste a prompt; Enter when the composer shows it. When Enter was sent."""
        await self.pane.paste(text)
        last = text.rstrip().rpartition("\n")[2]
        await self.pane.until_screen(lambda screen: last in screen or "[Pasted text" in screen)
        return await self.press("Enter")

    async def press(self, *keys: str) -> float:
        """Press keys; when they were sent."""
        at = trio.current_time()
        await self.pane.keys(*keys)
        return at

    async def status(self, state: str, since: int = 0) -> Status:
        """Wait until its status file says so."""
        return await self.statuses.until(lambda status: status.state == state, since=since)

    async def kept(self, transcript: str, text: str, within: float = WITHIN) -> float:
        """Wait until the transcript holds this text: not before then can the conversation be resumed. When it did."""
        path = Path(transcript)
        path.parent.mkdir(parents=True, exist_ok=True)
        with trio.fail_after(within), Inotify(sync_timeout=0) as inotify:
            inotify.add_watch(path.parent, Mask.CREATE | Mask.MODIFY | Mask.MOVED_TO)
            while not path.exists() or text not in path.read_text():
                await trio.lowlevel.wait_readable(inotify.fd)
                list(inotify)
        return trio.current_time()


async def watch_statuses(
    sessions: Path, statuses: Seen[Status], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Read the status files in this folder whenever one changes, for ever."""
    with Inotify(sync_timeout=0) as inotify:
        inotify.add_watch(sessions, Mask.CLOSE_WRITE | Mask.MOVED_TO)
        task_status.started()
        while True:
            await trio.lowlevel.wait_readable(inotify.fd)
            now = trio.current_time()
            for event in inotify:
                _read(Path(event.path or ""), statuses, now)


def _read(path: Path, statuses: Seen[Status], now: float) -> None:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return  # gone or half written: it is written again
    if path.stem.isdigit() and isinstance(told, dict):
        statuses.add(Status(int(path.stem), told, now))


@asynccontextmanager
async def claude_at_work(home: Home, hooks: Hooks, *arguments: str) -> AsyncIterator[Claude]:
    """Run the real Claude Code interactively, until the block ends."""
    settings = home.settings(hooks.settings(*EVENTS))
    place = Path(tempfile.mkdtemp(dir=home.root))
    command = [str(PROGRAM), "--settings", str(settings), *arguments]
    async with trio.open_nursery() as nursery:
        async with running(command, home.work, home.env, place) as pane:
            claude = Claude(pane, home)
            await nursery.start(watch_statuses, home.sessions, claude.statuses)
            yield claude
        nursery.cancel_scope.cancel()
