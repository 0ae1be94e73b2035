"""Where a state directory's pty hosts keep their things, and what their records say."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.domain.errors import BackendError
from supervisor.domain.ids import AgentId
from supervisor.ptyhost import files

_PATH_LIMIT: Final = 103
"""Bytes of a unix socket's path that every system takes."""


@frozen
class Record:
    """What a host wrote down of itself and its agent."""

    agent_id: AgentId
    socket: str
    host: int
    host_start: int
    pid: int
    start: int
    boot: str
    columns: int
    rows: int


class Places:
    """The folders of all agents of a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self.folder = state_dir / "hosts"
        self._hash = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:12]

    def name(self, agent_id: AgentId) -> str:
        """A name that people can read and that no other agent has."""
        readable = re.sub(r"[^A-Za-z0-9_~-]", "_", agent_id)[:80]
        return f"{readable}-{hashlib.sha256(f'{self._hash} {agent_id}'.encode()).hexdigest()[:8]}"

    def folder_of(self, agent_id: AgentId) -> Path:
        return self.folder / self.name(agent_id)

    def socket_of(self, agent_id: AgentId) -> Path:
        """Where an agent's new host is to listen. Raises BackendError."""
        path = self.folder_of(agent_id) / "socket"
        if len(os.fsencode(path)) <= _PATH_LIMIT:
            return path
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        name = f"{hashlib.sha256(f'{self._hash} {agent_id}'.encode()).hexdigest()[:24]}.host"
        path = Path(runtime) / "operator" / name
        if not os.path.isdir(runtime) or len(os.fsencode(path)) > _PATH_LIMIT:
            path = Path(f"/tmp/operator-{os.getuid()}") / name  # checked to be ours alone before it is used
        _private_folder(path.parent)
        return path

    def names(self) -> list[str]:
        """The folders there are. Raises BackendError."""
        try:
            return sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BackendError(f"{self.folder} cannot be listed: {error.strerror}") from error

    def record(self, name: str) -> Record | None:
        """What the host of a folder says; None if there is none, or nothing that can be believed."""
        said = files.read(str(self.folder / name), files.RECORD)
        if said is None:
            return None
        texts = [said.get(key) for key in ("agent", "socket", "boot")]
        numbers = [said.get(key) for key in ("host", "host_start", "pid", "start", "columns", "rows")]
        if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
            return None
        agent, socket, boot = map(str, texts)
        host, host_start, pid, start, columns, rows = (int(str(number)) for number in numbers)
        if self.name(AgentId(agent)) != name:
            return None
        return Record(AgentId(agent), socket, host, host_start, pid, start, boot, columns, rows)

    def forget(self, agent_id: AgentId) -> None:
        """Delete all that is kept of an agent. Idempotent. Raises BackendError."""
        try:
            shutil.rmtree(self.folder_of(agent_id))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise BackendError(f"{error.filename} cannot be removed: {error.strerror}") from error


def lock(folder: Path) -> int | None:
    """Take a folder for a host that is to be started, which inherits the descriptor and with it the lock.

    None if a host has it. So there is no moment in which a host is there, or about to be, and this does not tell.
    Raises BackendError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackendError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise BackendError(f"{folder} cannot be locked: {error.strerror}") from error
    return handle


def is_hosted(folder: Path) -> bool:
    """Whether a host is there, or about to be."""
    if not (folder / files.LOCK).exists():
        return False
    handle = lock(folder)
    if handle is None:
        return True
    os.close(handle)
    return False


def _private_folder(path: Path) -> None:
    """Make a folder only we can enter, or see that it is one: in a shared place somebody else may have been first."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise BackendError(f"{path} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise BackendError(f"{path} is not a folder that only you can enter", hint="remove it, or set XDG_RUNTIME_DIR")
