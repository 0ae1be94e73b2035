"""A terminal's output in a row of files: bounded, complete behind its low end, with offsets that stay valid."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from supervisor.ptyhost import transcript
from supervisor.ptyhost.transcript import Transcript


def everything(folder: Path, offset: int = 0) -> tuple[int, bytes]:
    """Where the kept bytes from an offset begin, and all of them."""
    start, found = transcript.read(str(folder), offset, 7)
    at = start + len(found)
    while piece := transcript.read(str(folder), at, 1000)[1]:
        found += piece
        at += len(piece)
    return start, found


def test_it_is_bounded_and_its_tail_complete(tmp_path: Path) -> None:
    written = b"".join(b"%06d\n" % number for number in range(3000))
    kept = Transcript(str(tmp_path), 4000)
    for at in range(0, len(written), 130):
        kept.append(written[at : at + 130])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000 * 5 / 4 + 260
    start, found = everything(tmp_path)
    assert 4000 <= len(found) <= 5500
    assert found == written[start:]
    assert kept.end == transcript.end_of(str(tmp_path)) == len(written)
    assert transcript.read(str(tmp_path), start - 1, 10) == (start, written[start : start + 10])
    assert transcript.read(str(tmp_path), kept.end, 10) == (kept.end, b"")


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30), st.data())
def test_any_offset_can_be_read(pieces: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = Transcript(folder, 1000)
        for piece in pieces:
            kept.append(piece)
        written = b"".join(pieces)
        offset = data.draw(st.integers(0, len(written)))
        start, found = everything(Path(folder), offset)
        assert start >= offset
        assert found == written[start:]
        assert start == offset or len(found) >= 1000


def test_a_later_host_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    Transcript(str(tmp_path), 1000).append(b"first ")
    again = Transcript(str(tmp_path), 1000)
    assert again.end == 6
    again.append(b"second")
    assert everything(tmp_path) == (0, b"first second")


def test_what_the_disk_refuses_is_a_gap_and_no_shift(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = Transcript(str(folder), 400)
    kept.append(b"a" * 100)
    aside = folder.rename(tmp_path / "aside")
    kept.append(b"b" * 50)  # needs a new file, and there is no place for one
    assert (kept.end, kept.lost) == (150, 50)
    shutil.move(aside, folder)
    kept.append(b"c" * 25)
    assert everything(folder, 90)[0] == 90
    assert transcript.read(str(folder), 100, 1000) == (150, b"c" * 25)
    assert kept.end == transcript.end_of(str(folder)) == 175
