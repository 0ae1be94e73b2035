"""Programs that take the terminal for a while: a person's editor, an agent's session, a viewer."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.app import App, SuspendNotSupported


class Failed(Exception):
    """A program could not do what it was called for; the text is a sentence."""


def edited(app: App[None], text: str) -> str:
    """What a person makes of a text in `$VISUAL` or `$EDITOR`. Raises Failed; then the text is as it was."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="operator-edit-") as folder:
        draft = Path(folder) / "text.md"
        draft.write_text(text, "utf-8")
        if code := foreground(app, [*editor, str(draft)]):
            raise Failed(f"{editor[0]} ended with {code}; the text is as it was.")
        try:
            return draft.read_text("utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"What {editor[0]} left cannot be read: {error}.") from None


def foreground(app: App[None], command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Give the terminal to a program until it ends; its exit code. Raises Failed.

    Nothing else is done meanwhile: the program owns the terminal, and what happened is read when it ends.
    """
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is not installed here.")
    try:
        with app.suspend():
            return subprocess.run(list(command), env=None if environ is None else dict(environ), check=False).returncode
    except SuspendNotSupported:
        raise Failed("This terminal cannot be given to another program.") from None
    except OSError as error:
        raise Failed(f"{command[0]} could not be started: {error.strerror}.") from None


def attach(app: App[None], command: Sequence[str]) -> int:
    """Sit down at a session; the exit code of the program that shows it. Raises Failed."""
    # tmux refuses to run inside tmux, though the agents' is another server.
    environ = {name: text for name, text in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    return foreground(app, command, environ)


def viewer() -> str | None:
    """The program that opens files and addresses as the desktop is set up, if this is one."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or shutil.which("open")):
        return None
    return shutil.which("xdg-open") or shutil.which("open")


def launch_viewer(program: str, target: str) -> None:
    """Have it opened, and do not wait. Raises Failed."""
    null = subprocess.DEVNULL
    try:
        subprocess.Popen([program, target], stdin=null, stdout=null, stderr=null, start_new_session=True)
    except OSError as error:
        raise Failed(f"{program} could not be started: {error.strerror}.") from None
