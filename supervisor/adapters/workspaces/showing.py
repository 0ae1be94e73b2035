"""Files of a worktree for a person's eyes: what they are by their content, and the content itself, within bounds."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from supervisor.adapters.workspaces.artifacts import matches
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.review import Artifact

SHOWN_LIMIT = 200
"""Artifacts that one review shows; further ones are left out."""
_HEAD = 4096
_URL = re.compile(r"https?://[^\s\x00-\x1f<>\"']{1,2000}")

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_SVG = re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype\s+svg[^>]*>\s*)?<svg\b", re.IGNORECASE | re.DOTALL)


def artifacts(root: Path, globs: Sequence[str]) -> tuple[Artifact, ...]:
    """The plain files inside `root` that match, by name; a small file that holds nothing but an address stands for
    that page. Raises WorkspaceError."""
    found: dict[str, Artifact] = {}
    for name in matches(root, globs):
        if name not in found and (seen := _artifact(root, name)) is not None:
            found[name] = seen
        if len(found) >= SHOWN_LIMIT:
            break
    return tuple(found[name] for name in sorted(found))


def _artifact(root: Path, name: str) -> Artifact | None:
    try:
        with _opened(root, name) as (file, size):
            head = file.read(_HEAD)
    except WorkspaceError:
        return None  # gone meanwhile, or a link out of the worktree
    return Artifact(name, media_of(head), size, _address(head) if size <= _HEAD else None)


def read(root: Path, name: str, limit: int) -> bytes:
    """A file's content. Raises WorkspaceError for what is no plain file inside `root`, or too large."""
    with _opened(root, name) as (file, size):
        if size > limit:
            raise WorkspaceError(
                f"{name!r} has {size} bytes, which is more than the {limit} that are shown.",
                hint="Look at it in the worktree.",
            )
        return file.read(limit)


def media_of(head: bytes) -> str:
    """A file's type by how it begins; its name says nothing that could be trusted."""
    for signature, media in _SIGNATURES:
        if head.startswith(signature):
            return media
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if _SVG.match(head):
        return "image/svg+xml"
    if _HTML.match(head):
        return "text/html"
    return "text/plain" if b"\0" not in head and _is_text(head) else "application/octet-stream"


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == _HEAD and error.start >= len(head) - 3  # a character that was cut in two
    return True


def _address(head: bytes) -> str | None:
    text = head.decode("utf-8", "replace").strip()
    return text if _URL.fullmatch(text) else None


@contextmanager
def _opened(root: Path, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """The file, opened such that no link leads out of `root`, and its size."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or ".git" in parts or "\0" in name:
        raise _not_there(name)
    whole = root.resolve()
    try:
        path = (whole / name).resolve(strict=True)
        inside = path.is_relative_to(whole) and ".git" not in path.relative_to(whole).parts
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) if inside else None
    except (OSError, RuntimeError, ValueError):
        raise _not_there(name) from None
    if handle is None:
        raise _not_there(name)
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise _not_there(name)
    with open(handle, "rb") as file:
        yield file, facts.st_size


def _not_there(name: str) -> WorkspaceError:
    return WorkspaceError(f"There is no file {name!r} in the worktree.", hint="It may have been moved or removed.")
