"""The demo's throw-away workspace: a small repository, tickets for the rehearsal agent, an operator.toml."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

MARKER = "REHEARSAL_STAGE"
"""The variable by which every process of a demo is known; its value is the workspace."""
_REHEARSAL = Path(__file__).with_name("rehearsal")
TICKETS = tuple(sorted(Path(__file__).with_name("tickets").glob("*.md")))
"""What the demo's agents work on; the rehearsal agent finds its script in the text."""
_INHERITED = ("OPERATOR_", "GIT_", "TMUX", "XDG_", "REHEARSAL_", "CLAUDE")
"""What of our own environment would lead the demo's processes out of its workspace."""


@frozen
class Workspace:
    """Where everything of one demo is."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "greeter"

    @property
    def tickets(self) -> Path:
        return self.root / "tickets"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def config(self) -> Path:
        return self.root / "operator.toml"

    @property
    def log(self) -> Path:
        return self.root / "daemon.log"

    def environment(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What the daemon, and so every agent, runs with: nothing of the user's own files is in reach."""
        kept = {name: text for name, text in environ.items() if not name.startswith(_INHERITED)}
        home = self.root / "home"
        return kept | {
            MARKER: str(self.root),
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / ".rehearsal"),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "TMUX_TMPDIR": str(self.root / "run"),
            "TERM": kept.get("TERM") or "xterm-256color",
        }

    def serve(self) -> list[str]:
        """The command that runs the demo's daemon."""
        return [
            sys.executable, "-P", "-m", "clients.cli.main", "serve", "--config", str(self.config),
            "--state-dir", str(self.state), "--port", "0", "--stream-port", "0",
        ]  # fmt: skip

    def git(self, *arguments: str) -> str:
        """What git says about the repository. Raises CalledProcessError."""
        done = subprocess.run(
            ["git", "-C", str(self.repository), "--no-pager", *arguments],
            check=True,
            capture_output=True,
            text=True,
            errors="replace",
            env=self.environment(),
            timeout=60,
        )
        return done.stdout


def place() -> Workspace:
    """A new, empty workspace, short enough for the sockets in it to have names that the system allows."""
    folder = tempfile.gettempdir()
    return Workspace(
        Path(tempfile.mkdtemp(prefix="operator-demo-", dir=folder if len(folder) < 40 else "/tmp")).resolve()
    )


def make(made: Workspace) -> None:
    """Fill an empty workspace."""
    root = made.root
    for folder in (made.repository, made.state, root / "home", root / "run"):
        folder.mkdir(mode=0o700)
    for name in ("queue", "in-progress", "completed"):
        (made.tickets / name).mkdir(parents=True)
    _make_repository(made)
    for ticket in TICKETS:
        shutil.copyfile(ticket, made.tickets / "queue" / ticket.name)
    made.config.write_text(_config(), "utf-8")


def _make_repository(made: Workspace) -> None:
    made.git("init", "--quiet", "--initial-branch=main")
    # In the repository itself, since the user's own configuration may be missing or ask for signatures.
    settings = {"user.name": "Operator Demo", "user.email": "demo@localhost", "commit.gpgsign": "false"}
    for key, value in settings.items():
        made.git("config", key, value)
    for name, text in _FILES.items():
        (made.repository / name).write_text(text, "utf-8")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "A greeter that greets in English")


def _config() -> str:
    command = json.dumps([sys.executable, "-S", str(_REHEARSAL)])
    return f"""\
[queue]
max_agents = 2
retry_base = "2s"

[projects.greeter]
path = "greeter"

[drivers.rehearsal]
kind = "claude"
command = {command}
quit = "/exit"

[collections.tickets]
provider = "local"
path = "tickets"
"""


_FILES = {
    "greeter.py": '''\
"""Greets people."""

GREETINGS = {"en": "Hello, {name}!"}


def greet(name: str, language: str = "en") -> str:
    return GREETINGS[language].format(name=name[0].upper() + name[1:])
''',
    "check.py": '''\
"""What must hold."""

from greeter import greet

assert greet("ada") == "Hello, Ada!"
print("1 check passed")
''',
    "README.md": "# Greeter\n\nGreets people.\n",
    ".gitignore": "__pycache__/\n",
}
