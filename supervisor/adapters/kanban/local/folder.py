"""Reading the whole folder, again and again, while people and editors write to it.

A missing ticket ends work that is under way, so nothing is believed that was seen once: the folders are
listed before and after, a file written a moment ago is read again when it is at rest, and a ticket that
vanished must be missing twice. An editor that saves by removing and writing anew is not a deletion.
Synchronous; raises OSError.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen

from supervisor.adapters.kanban.local import files
from supervisor.adapters.kanban.local.content import HEAD_BYTES, MAX_BYTES, Content, Reader
from supervisor.adapters.kanban.local.files import Columns, Stamp
from supervisor.adapters.kanban.local.names import is_ticket_file
from supervisor.adapters.kanban.local.rules import COLUMNS, Place

SETTLE = 0.25
"""Seconds without a write after which a file counts as finished."""
ROUNDS = 6
"""How often a folder that keeps changing is read before only what is certain is reported."""


@frozen
class Seen:
    """A file as it was read."""

    place: Place
    stamp: Stamp
    content: Content
    digest: str
    at_rest: bool = True
    """Nobody wrote to it for a while, or the last who did was this provider."""
    again: bool = False
    """It was read so soon after a write that a later write may hide behind the same stamp."""
    trouble: str | None = None
    """Why it cannot be read now; the content is what it said last."""


@frozen
class Unknown:
    """A file that cannot be read now, and never was."""

    place: Place
    trouble: str
    regular: bool = True


@frozen
class Look:
    """The folder at one time."""

    seen: tuple[Seen, ...]
    unknown: tuple[Unknown, ...]
    steady: bool
    """No file came, went or changed while it was read."""

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(each.content.id.casefold() for each in self.seen if each.content.id)

    @property
    def doubtful(self) -> Unknown | Seen | None:
        """A file that could be any ticket."""
        illegible: Iterable[Seen] = (each for each in self.seen if each.content.illegible)
        return next((each for each in self.unknown if each.regular), None) or next(iter(illegible), None)

    def holder(self, external_id: str) -> Seen | None:
        """The file that holds an id: the first in order, should there be more."""
        wanted = external_id.casefold()
        return next((each for each in self.seen if (each.content.id or "").casefold() == wanted), None)


class Folder:
    """One folder, with what was read of it before. One thread at a time."""

    def __init__(self, root: Path, reader: Reader) -> None:
        self.root = root
        self._reader = reader
        self._cache: dict[Place, Seen] = {}
        self._by_inode: dict[int, Seen] = {}
        self._ids: frozenset[str] = frozenset()

    def read(self) -> Look:
        """Everything, once it is at rest, or after ROUNDS as it is then."""
        missing: frozenset[str] = frozenset()
        look = self.look()
        for _ in range(ROUNDS - 1):
            gone = self._ids - look.ids
            if look.steady and gone <= missing and all(each.at_rest for each in look.seen):
                break
            missing = gone
            time.sleep(SETTLE)
            look = self.look()
        if look.steady:
            self._ids = look.ids
        return look

    def find(self, external_id: str) -> tuple[Seen | None, Look]:
        """The file that holds an id, at rest; None if it is missing from two steady looks some time apart."""
        looks = 0
        look = self.look()
        for _ in range(ROUNDS - 1):
            found = look.holder(external_id)
            looks += look.steady
            if (found is not None and found.at_rest) or (found is None and looks >= 2):
                break
            time.sleep(SETTLE)
            look = self.look()
        return look.holder(external_id), look

    def look(self) -> Look:
        """Everything as it is now."""
        with files.opened(self.root) as columns:
            before = _stamps(columns)
            seen: list[Seen] = []
            unknown: list[Unknown] = []
            vanished = False
            for place in sorted(before, key=lambda each: each.rank):
                try:
                    found = self._fresh(columns, place, before[place])
                except FileNotFoundError:
                    vanished = True
                except OSError as error:
                    self._troubled(place, before[place], error.strerror or "cannot be read", seen, unknown)
                else:
                    seen.append(found)
            steady = not vanished and _stamps(columns) == before
        self._cache = {each.place: each for each in seen}
        self._by_inode = {each.stamp.inode: each for each in seen}
        return Look(tuple(seen), tuple(unknown), steady)

    def understand(self, data: bytes, name: str) -> Content:
        """What a file of these bytes would say."""
        return self._reader(data, len(data), name)

    def ours(self, place: Place, data: bytes) -> None:
        """This provider has just written `data` there: the file need not come to rest first."""
        content = self.understand(data, place.name)
        with suppress(FileNotFoundError), files.opened(self.root) as columns:
            stamp = columns.stamp(place)
            self._cache[place] = Seen(place, stamp, content, files.digest_of(data), again=True)

    def moved(self, source: Place, target: Place) -> None:
        """This provider has just moved a file."""
        seen = self._cache.pop(source, None)
        with suppress(FileNotFoundError), files.opened(self.root) as columns:
            if seen is not None:
                self._cache[target] = evolve(seen, place=target, stamp=columns.stamp(target), again=True)

    def _known(self, place: Place, stamp: Stamp) -> Seen | None:
        """The file as it was read last, also when it was moved since."""
        return self._cache.get(place) or self._by_inode.get(stamp.inode)

    def _fresh(self, columns: Columns, place: Place, stamp: Stamp) -> Seen:
        known = self._known(place, stamp)
        if known is not None and _is_current(known, place, stamp):
            return known
        now = time.time()
        if not stamp.regular:
            raise OSError(0, "is not a regular file (links are not followed)")
        stamp, data = files.read(columns, place, MAX_BYTES, HEAD_BYTES)
        digest = files.digest_of(data)
        same = known is not None and known.digest == digest and known.stamp.size == stamp.size
        content = known.content if known and same else self._reader(data, stamp.size, place.name)
        recent = abs(now - stamp.mtime_ns / 1e9) < SETTLE
        trusted = known is not None and known.place == place and known.stamp == stamp and known.at_rest and same
        found = Seen(place, stamp, content, digest, at_rest=not recent or trusted, again=recent)
        return _named_as_before(found, known)

    def _troubled(self, place: Place, stamp: Stamp, trouble: str, seen: list[Seen], unknown: list[Unknown]) -> None:
        """A file that is there and cannot be read: what it said last still tells which ticket it is."""
        known = self._known(place, stamp)
        if known is None or not stamp.regular:
            unknown.append(Unknown(place, trouble, stamp.regular))
        else:
            seen.append(evolve(known, place=place, stamp=stamp, at_rest=True, trouble=trouble))


def _is_current(known: Seen, place: Place, stamp: Stamp) -> bool:
    return known.place == place and known.stamp == stamp and not known.again and known.trouble is None


def _named_as_before(found: Seen, known: Seen | None) -> Seen:
    """While a file's front matter is broken, or the file was emptied (a full disk does that to editors), it
    stays the ticket that it was."""
    if known is None or known.content.id is None or not (found.content.illegible or found.stamp.size == 0):
        return found
    content = evolve(
        found.content,
        id=known.content.id,
        title=known.content.title,
        problem=found.content.problem or "it is empty now",
        illegible=False,
    )
    return evolve(found, content=content)


def _stamps(columns: Columns) -> dict[Place, Stamp]:
    """Every ticket file's stamp. What killed processes left behind is dealt with on the way."""
    found: dict[Place, Stamp] = {}
    for column in COLUMNS:
        for name in columns.names(column):
            if files.is_ours(name):
                files.sweep(columns, column, name)
            if not is_ticket_file(name):
                continue
            place = Place(column, name)
            try:
                stamp = columns.stamp(place)
            except FileNotFoundError:
                continue
            if not stamp.folder:
                found[place] = stamp
    return found
