"""Where worktrees lie, and the record of each: intent first, completion marker last."""

import hashlib
import os
import re
import shutil
from enum import StrEnum
from pathlib import Path

from attrs import frozen

from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId, is_ticket_id
from supervisor.domain.wire import READ_ERRORS, from_json, to_json

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class Phase(StrEnum):
    """How far a worktree has come."""

    BEGUN = "begun"
    """Its base is pinned; git may or may not have made it. Nobody has worked in it."""
    CHECKED_OUT = "checked_out"
    """Git has made it; copying and set-up may be half done."""
    READY = "ready"
    """The completion marker: an agent may work in it."""
    REMOVING = "removing"
    """All that was worth keeping is exported or merged; it is being removed."""


@frozen
class Record:
    """What is remembered of a worktree, outside of it."""

    project: str
    path: str
    branch: str
    base: str
    """The commit its work began at. A later run of the ticket does not move it."""
    onto: str
    """Where its work is to be merged: a full reference name, or a commit."""
    phase: Phase
    handed_over: tuple[str, ...] = ()
    """Marks of the uncommitted files that copying and set-up left: while unchanged they are not work."""
    tip: str | None = None
    """While it is being removed: where its branch stood when its work was found safe."""
    exported: str | None = None


class Places:
    """Names that cannot collide or climb, and the records, under one root.

    Everything of ours stands in `<root>/.operator`, a name that no project's folder can have.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._own = root / ".operator"
        self._opened = False

    def open(self) -> None:
        """Make the folders, and remove what a killed daemon left in the scratch folder. Once."""
        if self._opened:
            return
        self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o700, exist_ok=True)
        self._opened = True

    @property
    def scratch(self) -> Path:
        """A folder for temporary files, on the worktrees' own disk."""
        return self._own / "scratch"

    def worktree(self, project: str, ticket_id: TicketId) -> Path:
        """The folder of a ticket's worktree; its parent is made. Raises WorkspaceError if it is no place."""
        if not is_ticket_id(ticket_id):
            raise WorkspaceError(f"{ticket_id[:80]!r} cannot name a worktree.", hint="Give the ticket another id.")
        root = self.root.resolve()
        parent = root / _unclaimed(root, _plain(project))
        # A root opened to its group on purpose has agents in it that run as another user.
        shared = root.stat().st_mode & 0o2070 == 0o2070
        parent.mkdir(mode=0o770 if shared else 0o700, exist_ok=True)
        path = parent / _unclaimed(parent, ticket_id)
        if path.resolve() != path:
            raise WorkspaceError(
                f"{path} leads to {path.resolve()}, out of the folder for worktrees.",
                hint="Remove the symbolic link: Operator made none there.",
            )
        return path

    def read(self, project: str, ticket_id: TicketId) -> Record | None:
        """The record of a ticket's worktree; None if there is none, or it is damaged."""
        try:
            return from_json(self._record(project, ticket_id).read_bytes(), Record)
        except (FileNotFoundError, NotADirectoryError, *READ_ERRORS):
            return None

    def find(self, path: Path) -> Record | None:
        """The record of the worktree at `path`."""
        name = path.name.partition("~")[0]
        for candidate in self._own.glob(f"*/{_hashed(name)}.json"):
            try:
                record = from_json(candidate.read_bytes(), Record)
            except (FileNotFoundError, *READ_ERRORS):
                continue  # gone or damaged meanwhile: as if there were none
            if record.path == str(path):
                return record
        return None

    def write(self, project: str, ticket_id: TicketId, record: Record) -> None:
        """Replace the record, so that a crash leaves the old one or the new one, on the disk."""
        target = self._record(project, ticket_id)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        draft = self.scratch / f"{target.parent.name}.{target.name}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(to_json(record).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
        sync_folder(target.parent)

    def forget(self, project: str, ticket_id: TicketId) -> None:
        """Delete the record and the set-up's log. Idempotent."""
        self._record(project, ticket_id).unlink(missing_ok=True)
        self.log(project, ticket_id).unlink(missing_ok=True)

    def log(self, project: str, ticket_id: TicketId) -> Path:
        """Where the set-up's output is kept."""
        return self._record(project, ticket_id).with_suffix(".log")

    def _record(self, project: str, ticket_id: TicketId) -> Path:
        return self._own / _hashed(project) / f"{_hashed(ticket_id)}.json"


def is_there(path: Path) -> bool:
    """Whether anything has that name, be it a link that leads nowhere."""
    return os.path.lexists(path)


def holds_anything(folder: Path) -> bool:
    """Whether a folder is there and not empty."""
    return os.path.lexists(folder) and any(folder.iterdir())


def sync_folder(folder: Path) -> None:
    """See a folder's entries onto the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _hashed(name: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:64]}~{_hash(name)}"


def _plain(project: str) -> str:
    """A folder name for a project, whose name may be any text."""
    if _PLAIN.fullmatch(project) and not project.endswith("."):
        return project
    return _hashed(project).lstrip("-.")


def _unclaimed(parent: Path, name: str) -> str:
    """`name`, or its hashed form if another entry of `parent` differs from it in case only.

    Such two are one folder on some disks. `~` occurs in no ticket id, so the hashed form is nobody else's.
    """
    hashed = _hashed(name)
    entries = set(os.listdir(parent))
    if hashed in entries:
        return hashed
    other = any(entry != name and entry.casefold() == name.casefold() for entry in entries)
    return hashed if other and name not in entries else name
