"""A screen that is worked out from a transcript: the same as in a terminal that was sent every byte."""

import random
from pathlib import Path

import avt
import pytest

from supervisor.adapters.sessions.vscode.screen import Screen, Size
from supervisor.ptyhost.transcript import Transcript


def view(emulator: avt.Vt) -> list[str]:
    return [line.text.rstrip() for line in emulator.view()]


def shown(folder: Path, *pieces: bytes) -> Screen:
    kept = Transcript(str(folder), 1 << 30)
    screen = Screen(str(folder), Size(0, 80, 24))
    for piece in pieces:
        kept.append(piece)
        screen.follow(kept.end, ())
    return screen


def lines(count: int) -> bytes:
    return b"".join(b"%d a line of text\r\n" % number for number in range(count))


def coloured(count: int) -> bytes:
    return b"".join(b"\x1b[3%dm%d \x1b[1mbold\x1b[0;2m dim\r\n" % (number % 8, number) for number in range(count))


@pytest.mark.parametrize("flood", [lines(40_000), coloured(20_000), lines(9000) + coloured(9000) + lines(3)])
@pytest.mark.parametrize("before", [b"", b"\x1b[31mred ", b"\x1b[5;10r\x1b[?6h", b"\x1b[?1049h\x1b[2J"])
@pytest.mark.parametrize("after", [b"", b"\x1b[3;4Hthere", b"\x1b[?1049lback", b"\x1b[5A\x1b[2Kup"])
def test_a_flood_is_passed_over_and_nothing_is_missing(
    tmp_path: Path, before: bytes, flood: bytes, after: bytes
) -> None:
    screen = shown(tmp_path, before + flood + after)
    plain = avt.Vt(80, 24, 0)
    plain.feed_str((before + flood + after).decode())
    assert view(screen._emulator) == view(plain)
    assert screen._emulator.dump() == plain.dump()


def test_any_cuts_and_any_output_give_the_same_screen(tmp_path: Path) -> None:
    chance = random.Random(7)
    pieces = [
        lines(3000),
        coloured(2000),
        b"\x1b[2J",
        b"\x1b[3;3H",
        "漢字 e\u0301".encode(),
        b"\x1b[?1049h",
        b"\x1b[7m",
        b"x" * 500,
    ]
    for round_ in range(12):
        data = b"".join(chance.choice(pieces) for _ in range(20))
        cuts = sorted(chance.randrange(len(data)) for _ in range(6))
        folder = tmp_path / str(round_)
        folder.mkdir()
        screen = shown(folder, *(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b))
        plain = avt.Vt(80, 24, 0)
        plain.feed_str(data.decode())
        assert view(screen._emulator) == view(plain)


def test_the_size_changes_where_it_did(tmp_path: Path) -> None:
    kept = Transcript(str(tmp_path), 1 << 20)
    kept.append(b"x" * 50)
    first = kept.end
    kept.append(b"\r\n" + b"y" * 50)
    screen = Screen(str(tmp_path), Size(0, 80, 24))
    sizes = [Size(first, 30, 10), Size(kept.end, 40, 12)]
    screen.follow(kept.end, sizes[:1])
    assert view(screen._emulator)[1:3] == ["y" * 30, "y" * 20]
    for _ in range(2):  # what was followed already changes nothing
        screen.follow(kept.end, sizes)
        assert screen._emulator.size == (40, 12)
        assert screen.text().endswith("y" * 50)
    kept.append(b"!")
    screen.follow(kept.end, sizes)
    assert view(screen._emulator)[1:3] == ["y" * 40, "y" * 10 + "!"]


def test_wide_characters_and_what_they_look_like(tmp_path: Path) -> None:
    screen = shown(tmp_path, "漢字 \x1b[1;38;2;1;2;3mbold\x1b[0m \x1b[48;5;200m on\x1b[0m".encode())
    assert screen.text() == "漢字 bold  on"
    assert screen.styled() == "漢字 \x1b[0;1;38;2;1;2;3mbold\x1b[0m \x1b[0;48;5;200m on\x1b[0m"
