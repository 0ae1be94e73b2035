"""What a new worktree needs before an agent works in it: copied files and the project's set-up command."""

import hashlib
import os
import re
import shutil
import signal
import stat
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from supervisor.adapters.workspaces.processes import OWNER, end_leftovers, run
from supervisor.domain.delivery import pasteable
from supervisor.domain.errors import WorkspaceError

_LOG_LIMIT = 1024 * 1024
"""Bytes of a set-up's output that are kept from its beginning."""
_TAIL_LIMIT = 64 * 1024
"""Bytes that are kept from its end."""
_SHOWN_LINES = 5
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


NOTES = ".operator"
"""The folder of a worktree for what is about the work and no part of it: plans, pictures, summaries."""


def make_notes_folder(worktree: Path) -> None:
    """Make it, such that git takes nothing of it; a repository that has something else there keeps that."""
    folder = worktree / NOTES
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return
    folder.mkdir(exist_ok=True)
    if not os.path.lexists(folder / ".gitignore"):
        temporary = folder / ".gitignore.new"
        temporary.write_text("*\n")
        temporary.replace(folder / ".gitignore")


def copy_files(source: Path, target: Path, names: Iterable[str], scratch: Path, keep: bool) -> None:
    """Copy regular files from `source` to the same places in `target`; `keep` leaves those that exist there.

    Neither side is left by a link or by `..`. Each file appears whole, or not at all. Raises WorkspaceError.
    """
    for name in names:
        origin, goal = _inside(source, name), _inside(target, name)
        try:
            is_file = stat.S_ISREG(origin.lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise WorkspaceError(
                f"{origin} is to be copied into each worktree, and is not there.",
                hint="Make it, or take it out of this project's `copy`.",
            ) from None
        if not is_file:
            raise _refused(name, "is not a regular file")
        if keep and os.path.lexists(goal):
            continue
        if goal.is_dir() and not goal.is_symlink():
            raise _refused(name, "is a folder in the worktree")
        goal.parent.mkdir(parents=True, exist_ok=True)
        draft = scratch / f"copy-{hashlib.sha256(os.fsencode(goal)).hexdigest()}"
        shutil.copy2(origin, draft, follow_symlinks=False)
        os.replace(draft, goal)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths are regular files with the same bytes."""
    try:
        if not all(stat.S_ISREG(path.lstat().st_mode) for path in (one, other)):
            return False
        return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name or parts[0] == ".git":
        raise _refused(name, "does not name a file inside the repository's folder")
    path = folder.resolve().joinpath(*parts)
    if path.parent.resolve() != path.parent:
        raise _refused(name, "is reached through a symbolic link")
    return path


def _refused(name: str, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"{name!r} in `copy` {why}.", hint="List regular files, by their paths inside the project's folder."
    )


class _Log:
    """A set-up's output on its way to a file: the beginning at once, of the rest the end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._written = 0
        self._left_out = 0
        self._tail: deque[bytes] = deque()
        self._held = 0

    def take(self, chunk: bytes) -> bool:
        begins = b"" if self._left_out else chunk[: _LOG_LIMIT - self._written]
        try:
            os.write(self._handle, begins)
            self._written += len(begins)
        except OSError:
            begins = b""  # a full disk ends the log, not the set-up; its last lines are still told
        self._left_out += len(chunk) - len(begins)
        self._tail.append(chunk)
        self._held += len(chunk)
        while self._held - len(self._tail[0]) >= _TAIL_LIMIT:
            self._held -= len(self._tail.popleft())
        return True

    def close(self) -> None:
        try:
            if self._left_out:
                end = b"".join(self._tail)[-min(_TAIL_LIMIT, self._left_out) :]
                os.write(self._handle, b"\n[cut: %d bytes]\n" % (self._left_out - len(end)) + end)
        except OSError:
            pass  # as above
        finally:
            os.close(self._handle)

    def last_lines(self) -> str:
        text = b"".join(self._tail)[-_TAIL_LIMIT:].decode("utf-8", "replace")
        text = pasteable(_COLOURS.sub("", text))
        lines = [line.strip()[:200] for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-_SHOWN_LINES:])


async def set_up(command: str, worktree: Path, env: Mapping[str, str], within: float, log: Path) -> None:
    """Run a shell command in a worktree; its output goes to `log`.

    Raises WorkspaceError with its last lines if it fails, or outlasts `within` seconds; then all that it
    started is ended. What a successful command leaves running goes on.
    """
    kept = _Log(log)
    try:
        marked = {**env, OWNER: str(worktree)}
        ended = await run(("/bin/sh", "-c", command), worktree, marked, within, kept.take)
    finally:
        kept.close()
    if ended.code == 0:
        return
    if ended.code is None:
        gone = await end_leftovers(str(worktree))
        how = f"did not end within {within:g} s and was stopped" + ("" if gone else ", not all of it could be")
    elif ended.code < 0:
        how = f"was ended by signal {signal.Signals(-ended.code).name}"
    else:
        how = f"failed with exit {ended.code}"
    said = kept.last_lines()
    raise WorkspaceError(
        f"The set-up of {worktree} {how}" + (f": {said}" if said else "."),
        hint=f"Its whole output is in {log}. It runs again at the next launch.",
    )
