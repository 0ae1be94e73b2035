"""A terminal's output on disk: a few files in a row, each named by the offset of its first byte.

Offsets count from the first byte ever and stay valid for ever. What is older than the limit goes with its file, so
there is nothing to note, and no moment in which a kill leaves anything else than what was printed.
"""

import os

SUFFIX = ".log"
_DIGITS = 20
_PIECES = 4


def segments(folder: str) -> list[int]:
    """The offsets at which the files begin that are there, in order."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    starts = (name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX))
    return sorted(int(start) for start in starts if start.isdecimal() and len(start) == _DIGITS)


def _path(folder: str, start: int) -> str:
    return os.path.join(folder, f"{start:0{_DIGITS}d}{SUFFIX}")


def end_of(folder: str) -> int:
    """How many bytes there were so far."""
    for start in reversed(segments(folder)):
        try:
            return start + os.stat(_path(folder, start)).st_size
        except FileNotFoundError:
            continue
    return 0


def read(folder: str, offset: int, limit: int) -> tuple[int, bytes]:
    """At most `limit` bytes from `offset`, or from the oldest kept byte after it: (where they begin, bytes)."""
    while True:
        starts = segments(folder)
        vanished = False
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            if following is not None and following <= offset:
                continue
            at = max(offset, start)
            try:
                data = _read(_path(folder, start), at - start, limit)
            except FileNotFoundError:  # freed meanwhile: look anew
                vanished = True
                break
            if data or following is None:
                return at, data
        if not vanished:
            return offset, b""


def _read(path: str, offset: int, limit: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        return file.read(max(0, limit)) or b""


class Transcript:
    """The writer's side: there is one for each folder, and it knows where the end is without looking."""

    def __init__(self, folder: str, limit: int) -> None:
        """`limit`: bytes that are kept at least; a quarter more at most. Raises OSError."""
        self.folder = folder
        self.limit = limit
        self.lost = 0
        """Bytes that could not be written, such as on a full disk."""
        self.end = end_of(folder)
        self._starts = segments(folder)
        self._size = 0
        self._file = -1
        self._begin()

    def append(self, data: bytes) -> None:
        """Add output. What the disk refuses is counted and lost; the offsets behind it are right all the same."""
        written = 0
        try:
            if self._file < 0 or self._size >= max(1, self.limit // _PIECES):
                self._begin()
            while written < len(data):
                written += os.write(self._file, data[written:] if written else data)
        except OSError:
            self.lost += len(data) - written
            self._close()  # a file's bytes follow each other: what comes later begins another one
        self._size += written
        self.end += len(data)

    def _begin(self) -> None:
        """Go on in a new file, and free those that are too old."""
        self._close()
        self._file = os.open(_path(self.folder, self.end), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        if self.end not in self._starts:
            self._starts.append(self.end)
        while len(self._starts) > 1 and self.end - self._starts[1] >= self.limit:
            os.unlink(_path(self.folder, self._starts.pop(0)))

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
