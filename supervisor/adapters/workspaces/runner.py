"""Running git: a deadline, a clean environment, bounded output, patience with locks, and errors that help."""

import os
from collections.abc import Mapping
from pathlib import Path

import trio
from attrs import frozen

from supervisor.adapters.workspaces.processes import run
from supervisor.domain.errors import WorkspaceError

READ = 60.0
"""Seconds for a command that only reads."""
WRITE = 600.0
"""Seconds for a command that may check out or pack a whole repository."""

OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of output that are taken in."""
_ERROR_LIMIT = 64 * 1024
_SHOWN = 600
"""Characters of git's own words in a message."""

_LOCK_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries while another git holds a lock."""

_REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_WORK_TREE",
)
"""What would point git at another repository than the one it is run in."""

_ALWAYS = (
    "--no-pager",
    *("-c", "advice.addEmbeddedRepo=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "core.safecrlf=false"),
)

_HINTS = (
    ("No space left on device", "Free space on that disk, then launch again."),
    ("unable to write", "See whether the disk that worktrees lie on is full or read-only."),
    ("Disk quota exceeded", "Free space within your quota, then launch again."),
    (
        "dubious ownership",
        "Run `git config --global --add safe.directory PATH` if you trust that repository.",
    ),
    ("not a git repository", "Correct `path` in this project's table, or run `git init` and commit there."),
    ("already checked out at", "Switch that other folder to another branch; a branch lives in one worktree."),
    (
        "already used by worktree",
        "Switch that other folder to another branch; a branch lives in one worktree.",
    ),
    (
        "'refs/heads/operator' exists",
        "Rename the branch `operator`: Operator's branches are named operator/…",
    ),
    ("File exists", "Another git works there; if none does, one was killed: remove the .lock file it names."),
    ("unknown switch", "Install git 2.36 or newer."),
    ("Permission denied", "Let the daemon's user read and write that path."),
)


@frozen
class Answer:
    """What a git command said, and how it ended."""

    code: int
    out: bytes
    err: str
    cut: bool = False
    """Whether it had more to say than was taken in; it was ended then."""

    @property
    def text(self) -> str:
        return os.fsdecode(self.out).strip()


class Git:
    """The git program. Raises WorkspaceError."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment

    def environment(self) -> dict[str, str]:
        """The environment for commands of the user's: nothing in it points at some other repository."""
        whole = os.environ if self._environment is None else self._environment
        return {name: value for name, value in whole.items() if name not in _REPOSITORY_VARIABLES}

    async def out(
        self,
        where: Path,
        *words: str,
        within: float = READ,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Answer:
        """Run a command that must succeed."""
        answer = await self.ask(where, *words, within=within, env=env, stdin=stdin)
        if answer.code != 0:
            raise failed(where, words, answer)
        return answer

    async def ask(
        self,
        where: Path,
        *words: str,
        within: float = READ,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        limit: int = OUTPUT_LIMIT,
    ) -> Answer:
        """Run a command that may fail; tried again for a few seconds while another git holds a lock."""
        answer = await self._once(where, words, within, env or {}, stdin, limit)
        for pause in _LOCK_PAUSES:
            if answer.code == 0 or not _is_locked(answer.err):
                break
            await trio.sleep(pause)
            answer = await self._once(where, words, within, env or {}, stdin, limit)
        return answer

    async def _once(
        self,
        where: Path,
        words: tuple[str, ...],
        within: float,
        env: Mapping[str, str],
        stdin: bytes,
        limit: int,
    ) -> Answer:
        out, err = bytearray(), bytearray()

        def take(chunk: bytes) -> bool:
            out.extend(chunk[: limit - len(out)])
            return len(out) < limit

        def take_error(chunk: bytes) -> bool:
            err.extend(chunk[: _ERROR_LIMIT - len(err)])
            return True

        always = {
            "GIT_OPTIONAL_LOCKS": "0",  # reading a status must not write the agent's index
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_PAGER": "cat",
            "LC_ALL": "C",
        }
        argv = ("git", *_ALWAYS, *words)
        try:
            ended = await run(argv, where, {**self.environment(), **always, **env}, within, take, take_error, stdin)
        except OSError as error:
            raise _not_started(where, error) from error
        if ended.code is None and not ended.full:
            raise WorkspaceError(
                f"git {words[0]} in {where} did not end within {within:g} s.",
                hint="Look for a hook of that repository, a filter or a network disk that hangs.",
            )
        return Answer(ended.code or 0, bytes(out), err.decode("utf-8", "replace"), cut=ended.full)


def failed(where: Path, words: tuple[str, ...], answer: Answer) -> WorkspaceError:
    """The error of a command that ended badly, with git's own words in it."""
    said = " ".join(answer.err.split())
    shown = said if len(said) <= _SHOWN else "… " + said[-_SHOWN:]
    return WorkspaceError(f"git {words[0]} failed in {where}: {shown or f'exit {answer.code}'}", hint=_hint(said))


def unusable(path: Path | str, error: OSError) -> WorkspaceError:
    """The error for a file or folder of ours that the system refuses."""
    reason = error.strerror or str(error)
    return WorkspaceError(f"{error.filename or path} cannot be used: {reason}.", hint=_hint(reason))


def _hint(said: str) -> str:
    return next((hint for words, hint in _HINTS if words in said), "")


def _is_locked(said: str) -> bool:
    return (".lock'" in said and "File exists" in said) or "could not lock" in said


def _not_started(where: Path, error: OSError) -> WorkspaceError:
    if isinstance(error, FileNotFoundError) and where.is_dir():
        return WorkspaceError("git is not installed.", hint="Install git 2.36 or newer.")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return WorkspaceError(f"{where} is not a folder.", hint="Correct `path` in this project's table.")
    return unusable(where, error)
