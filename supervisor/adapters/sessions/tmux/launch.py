"""The small file through which an agent is started: it keeps the environment out of every command line."""

import os
import re
import shlex
import time
from pathlib import Path

from supervisor.domain.errors import BackendError
from supervisor.ports import SessionSpec

STALE = 60.0
"""Seconds after which a file that nobody took is removed."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_THE_TERMINAL = frozenset({"TERM", "TERMCAP", "TMUX", "TMUX_PANE"})
_OF_THE_SHELL = frozenset(
    {"_", "PWD", "OLDPWD", "SHLVL", "PPID", "UID", "EUID", "GROUPS", "OPTIND"}
    | {"BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"}
)
"""It sets them itself, or stops at an attempt to."""


def script(spec: SessionSpec, terminal: str) -> bytes:
    """A shell script that removes itself and becomes the agent, with exactly the environment of `spec`.

    It is run by `env -i`. Names that no shell can set are left out; the terminal says TERM itself.
    """
    not_ours = _OF_THE_TERMINAL | _OF_THE_SHELL
    variables = {name: value for name, value in spec.env.items() if _NAME.fullmatch(name) and name not in not_ours}
    lines = ['command -p rm -f -- "$0"', "unset SHLVL"]
    lines += [f"export {name}={_quote(value)}" for name, value in {**variables, "TERM": terminal}.items()]
    # What a shell says as it ends may be lost by a tmux 3.3a that learns of the end first. No `exec` gets this far.
    lines += ["trap 'command -p sleep 0.1' EXIT"]
    # tmux would fall back to another folder where this one is missing.
    lines += [f"cd -- {_quote(spec.cwd)} || exit 126", "unset OLDPWD", "export PWD"]
    lines += ["exec " + " ".join(map(_quote, spec.argv)), ""]
    return os.fsencode("\n".join(lines))


def _quote(text: str) -> str:
    if "\0" in text:
        raise BackendError("a NUL byte can stand in no argument and no variable", hint="remove it")
    return shlex.quote(text)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, replacing one of that name; in a shared folder its group may."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        if is_shared(path.parent):
            os.fchmod(file.fileno(), 0o640)
        file.write(content)


def is_shared(folder: Path) -> bool:
    """Whether a folder was opened to its group on purpose: agents that run as another user reach it so."""
    return folder.stat().st_mode & 0o2070 == 0o2070


def sweep(folder: Path) -> None:
    """Remove what a launch or a delivery that never came about left behind: it may hold secrets."""
    limit = time.time() - STALE
    for entry in os.scandir(folder):
        try:
            if entry.stat(follow_symlinks=False).st_mtime < limit:
                os.unlink(entry.path)
        except FileNotFoundError:
            pass  # its owner was faster
