"""A person's own editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from clients.cli.options import CliError


def has_editor() -> bool:
    """Whether the user has named an editor; without one, `vi` is tried."""
    return bool(os.environ.get("VISUAL") or os.environ.get("EDITOR"))


def edited(text: str, name: str) -> str:
    """What a person makes of a text in an editor; `name` is the file's. Raises CliError."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="operator-edit-") as folder:
        draft = Path(folder) / name
        draft.write_text(text, "utf-8")
        try:
            subprocess.run([*editor, str(draft)], check=True)
            return draft.read_text("utf-8")
        except (OSError, UnicodeDecodeError, subprocess.CalledProcessError) as error:
            raise CliError(f"The editor {editor[0]} failed: {error}.", "Nothing was changed.") from None
