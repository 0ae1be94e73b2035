"""A patch as lines that can be folded, by file. Pure; colours are worked out for the lines that are looked at."""

import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import overload

from attrs import field, frozen
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from textual.strip import Strip

from clients.cli.text import clean
from clients.tui.steady import steady

_NAMES = re.compile(r'diff --git "?a/(.*?)"? "?b/(.*?)"?$')
_HEADER = Style(bold=True)
_HUNK = Style(color="cyan")
_ADDED, _REMOVED = Style(color="green", bold=True), Style(color="red", bold=True)
_SEVERAL = 3
"""With more files than this all begin folded."""
_LONGEST_COLOURED = 400
"""Characters; a longer line is no source that a person reads, and gets no colours."""


@frozen
class File:
    """One file's part of a patch."""

    name: str
    begin: int
    """Its first line behind the `diff` line."""
    end: int
    added: int
    removed: int


@frozen
class Patch:
    lines: tuple[str, ...] = field(repr=False)
    files: tuple[File, ...]
    loose: int
    """Lines before the first file."""

    def begin_open(self) -> frozenset[int]:
        """Which files are open at first."""
        return frozenset(range(len(self.files))) if len(self.files) <= _SEVERAL else frozenset()


def patch_of(text: str) -> Patch:
    """A patch in git's form; whatever else there is stays as it is."""
    lines = tuple(text.replace("\r\n", "\n").rstrip("\n").split("\n"))
    starts = [index for index, line in enumerate(lines) if line.startswith("diff --git ")]
    ends = [*starts[1:], len(lines)] if starts else []
    files = tuple(_file(lines, begin, end) for begin, end in zip(starts, ends, strict=True))
    return Patch(lines, files, starts[0] if starts else len(lines))


def _file(lines: Sequence[str], begin: int, end: int) -> File:
    found = _NAMES.match(lines[begin])
    added = removed = 0
    in_hunk = False
    for line in lines[begin + 1 : end]:
        in_hunk = in_hunk or line.startswith("@@")
        added += in_hunk and line.startswith("+")
        removed += in_hunk and line.startswith("-")
    return File(clean(found[2] if found else lines[begin]), begin + 1, end, added, removed)


class Shown(Sequence[Strip]):
    """The lines of a patch with some of its files open."""

    def __init__(self, patch: Patch, opened: frozenset[int]) -> None:
        self._patch = patch
        self._opened = opened
        self._index = list(_places(patch, opened))

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, index: int) -> Strip: ...
    @overload
    def __getitem__(self, index: slice) -> list[Strip]: ...
    def __getitem__(self, index: int | slice) -> Strip | list[Strip]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        file, line = self._index[index]
        if line is None:
            return self._heading(file)
        name = self._patch.files[file].name if file >= 0 else ""
        return _drawn(self._patch.lines[line], name)

    def file_at(self, index: int) -> int:
        """Which file a shown line belongs to; -1 for none."""
        return self._index[index][0] if 0 <= index < len(self._index) else -1

    def is_heading(self, index: int) -> bool:
        """Whether a shown line is a file's name."""
        return 0 <= index < len(self._index) and self._index[index][1] is None

    def heading_of(self, file: int) -> int:
        """The shown line that is this file's heading."""
        return self._index.index((file, None))

    def _heading(self, number: int) -> Strip:
        file = self._patch.files[number]
        sign = "▾" if number in self._opened else "▸"
        counts = [Segment(f"  +{file.added}", _ADDED), Segment(f" -{file.removed}", _REMOVED)]
        return Strip([Segment(f"{sign} {steady(file.name)}", _HEADER), *counts])


def _places(patch: Patch, opened: frozenset[int]) -> Iterator[tuple[int, int | None]]:
    for line in range(patch.loose):
        yield -1, line
    for number, file in enumerate(patch.files):
        yield number, None
        if number in opened:
            for line in range(file.begin, file.end):
                yield number, line


@lru_cache(maxsize=4096)
def _drawn(line: str, name: str) -> Strip:
    text = steady(line.replace("\t", "    "))
    if text.startswith("@@"):
        return Strip([Segment(text, _HUNK)])
    sign = text[:1]
    if sign not in "+- " or text.startswith(("+++ ", "--- ")):
        return Strip([Segment(text, Style(dim=True))])
    style = {"+": _ADDED, "-": _REMOVED}.get(sign, Style.null())
    if len(text) > _LONGEST_COLOURED:
        return Strip([Segment(text, style)])
    return Strip([Segment(sign, style), *_coloured(text[1:], name, sign)])


def _coloured(text: str, name: str, sign: str) -> list[Segment]:
    """Source in the colours of its language, each line for itself; what was removed is red as a whole."""
    syntax = _syntax(name)
    if syntax is None or sign == "-":
        return [Segment(text, {"+": Style(color="green"), "-": Style(color="red")}.get(sign, Style.null()))]
    drawn = syntax.highlight(text)
    drawn.rstrip()
    return list(drawn.render(_CONSOLE, ""))


_CONSOLE = Console(file=io.StringIO(), width=10_000, color_system=None)


@lru_cache(maxsize=64)
def _syntax(name: str) -> Syntax | None:
    """The colours for a file of this name, if its language is known."""
    lexer = Syntax.guess_lexer(name)
    return None if lexer == "default" else Syntax("", lexer, theme="ansi_dark", background_color="default")
