"""The state directory's own files: the lock, the token, and where the daemon listens."""

import contextlib
import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from supervisor.domain.errors import AlreadyRunning, OperatorError
from supervisor.domain.views import Endpoint
from supervisor.domain.wire import READ_ERRORS, from_json, to_json


class StateDirError(OperatorError):
    """The state directory cannot be used."""

    code = "state_dir"


SHARED = ("launch", "transcripts", "worktrees")
"""What agents that run as another user have to reach."""


def prepare(state_dir: Path, *, shared: bool = False) -> None:
    """Make the state directory, for its owner only. Raises StateDirError.

    `shared`: the group may pass through it, and use the folders of SHARED; what is made in those is for it too.
    """
    mode = 0o710 if shared else 0o700
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=mode)
        found = state_dir.stat()
        if found.st_uid != os.geteuid():
            raise StateDirError(f"{state_dir} belongs to another user", hint="choose another --state-dir")
        if stat.S_IMODE(found.st_mode) & 0o077 != mode & 0o077:
            state_dir.chmod(mode)
        for folder in [state_dir / name for name in SHARED] if shared else []:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o2770)
    except OSError as error:
        raise StateDirError(
            f"{state_dir} cannot be used: {error.strerror}", hint="choose another --state-dir"
        ) from None


@contextlib.contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for this process. The kernel lets go of it however the process ends."""
    path = state_dir / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            raise AlreadyRunning(
                f"another daemon (pid {holder or 'unknown'}) holds {state_dir}",
                hint="use that one, or give this one another --state-dir",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def token(state_dir: Path) -> str:
    """The clients' token: made once, kept until it is rotated."""
    return _kept(state_dir / "token", lambda: secrets.token_urlsafe(32))


def hook_secret(state_dir: Path) -> bytes:
    """What agents' own tokens are made from: made once and kept, for live agents hold tokens of it."""
    return _kept(state_dir / "hook-secret", lambda: secrets.token_hex(32)).encode("ascii")


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        found = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        found = ""
    if not found:
        found = make()
        replace(path, found + "\n")
    return found


def replace(path: Path, text: str) -> None:
    """Write a file whole, for its owner only, or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def last_endpoint(state_dir: Path) -> Endpoint | None:
    """Where the previous daemon of this state directory listened."""
    try:
        return from_json((state_dir / "endpoint.json").read_bytes(), Endpoint)
    except (OSError, *READ_ERRORS):
        return None


def write_endpoint(state_dir: Path, endpoint: Endpoint) -> None:
    replace(state_dir / "endpoint.json", to_json(endpoint) + "\n")
