"""Which files of a worktree match globs, and what they hold; no link is followed out of it."""

import fnmatch
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from supervisor.domain.errors import WorkspaceError

MATCH_LIMIT = 10_000
"""Files that globs may match together; more are refused."""
VISIT_LIMIT = 500_000
"""Folder entries that are looked at; more are refused."""
WHOLE_LIMIT = 8 * 1024 * 1024
"""Bytes up to which a file is read whole; of a larger one size, time, beginning and end count."""
READ_LIMIT = 512 * 1024 * 1024
"""Bytes that are read in one call; after them every file counts as a larger one."""

_END = 256 * 1024
_ANY = re.compile(fnmatch.translate("*"))


def fingerprints(root: Path, globs: Sequence[str]) -> dict[str, str]:
    """A fingerprint for each matching file, by its path inside `root`. Raises WorkspaceError."""
    search = _Search(root.resolve())
    found: dict[str, str] = {}
    for glob in globs:
        for path in search.matches(glob):
            name = path.relative_to(search.root).as_posix()
            if name in found:
                continue
            fingerprint = search.fingerprint(path)
            if fingerprint is None:
                continue
            if len(found) >= MATCH_LIMIT:
                raise _too_much(glob, f"more than {MATCH_LIMIT} files match")
            found[name] = fingerprint
    return found


def matches(root: Path, globs: Sequence[str]) -> Iterator[str]:
    """The names of what matches, by path inside `root`; links and folders too. Raises WorkspaceError."""
    search = _Search(root.resolve())
    for glob in globs:
        for path in search.matches(glob):
            yield path.relative_to(search.root).as_posix()


def marks(root: Path, names: Iterable[str]) -> list[str]:
    """One mark for each name and what is there now: the same mark later means that nothing changed."""
    search = _Search(root.resolve())
    found: list[str] = []
    for name in names:
        path = search.root / name
        if path.is_symlink():
            holds = f"link {os.readlink(path)}"
        elif not path.exists():
            holds = "nothing"
        else:
            holds = search.fingerprint(path) or "something else"
        found.append(hashlib.sha256(os.fsencode(f"{name}\0{holds}")).hexdigest())
    return found


class _Search:
    """One call's walk, with what it may still look at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._visits = VISIT_LIMIT
        self._bytes = READ_LIMIT

    def matches(self, glob: str) -> Iterator[Path]:
        pattern = PurePosixPath(glob)
        if pattern.is_absolute() or ".." in pattern.parts or not pattern.parts or "\0" in glob:
            raise WorkspaceError(
                f"The artifact glob {glob!r} leads out of the worktree.",
                hint="Write globs relative to the worktree, such as docs/**/*.md.",
            )
        segments: list[re.Pattern[str] | None] = []
        for part in pattern.parts:
            if part != "**":
                segments.append(re.compile(fnmatch.translate(part)))
            elif not segments or segments[-1] is not None:
                segments.append(None)
        if segments[-1] is None:
            segments.append(_ANY)
        return self._walk(tuple(segments), glob)

    def _walk(self, segments: tuple[re.Pattern[str] | None, ...], glob: str) -> Iterator[Path]:
        """What matches; a segment `None` stands for any number of folders."""
        waiting = [(self.root, 0)]
        seen = set(waiting)
        while waiting:
            folder, at = waiting.pop()
            anywhere = segments[at] is None
            wanted = segments[at + 1 if anywhere else at] or _ANY
            after = at + (2 if anywhere else 1)
            for entry in self._entries(folder, glob):
                if wanted.match(entry.name) and after == len(segments):
                    yield Path(entry.path)
                if not entry.is_dir(follow_symlinks=False):
                    continue
                nexts = ((at,) if anywhere else ()) + ((after,) if wanted.match(entry.name) else ())
                for step in ((Path(entry.path), n) for n in nexts if n < len(segments)):
                    if step not in seen:
                        seen.add(step)
                        waiting.append(step)

    def _entries(self, folder: Path, glob: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as scan:
                entries = sorted((entry for entry in scan if entry.name != ".git"), key=lambda e: e.name)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []  # gone meanwhile, or not for us: nothing in it can count
        self._visits -= len(entries)
        if self._visits < 0:
            raise _too_much(glob, f"more than {VISIT_LIMIT} files stand in its way")
        return entries

    def fingerprint(self, path: Path) -> str | None:
        """What a file holds; None for what is not a regular file inside the root."""
        try:
            if path.is_symlink():
                path = path.resolve(strict=True)
                if not path.is_relative_to(self.root) or ".git" in path.relative_to(self.root).parts:
                    return None
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (OSError, RuntimeError):
            return None  # a dangling link, a link to itself, a socket, not ours to read
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            os.close(handle)
            return None
        with open(handle, "rb") as file:
            digest = hashlib.sha256()
            if facts.st_size <= min(WHOLE_LIMIT, self._bytes):
                digest.update(file.read(WHOLE_LIMIT))
                self._bytes -= facts.st_size
                return digest.hexdigest()
            digest.update(f"{facts.st_size} {facts.st_mtime_ns} ".encode())
            digest.update(file.read(_END))
            file.seek(max(0, facts.st_size - _END))
            digest.update(file.read(_END))
            return digest.hexdigest()


def _too_much(glob: str, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"The artifact glob {glob!r} covers too much: {why}.",
        hint="Make it narrower, such as docs/plan.md or shots/*.png.",
    )
