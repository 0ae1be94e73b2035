"""Frames between a pty host and its clients, wherever they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.ptyhost import wire
from supervisor.ptyhost.wire import Decoder, Frame, WireError, encode

FRAMES = st.tuples(
    st.integers(0, 255),
    st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=8), st.none()), max_size=4),
    st.binary(max_size=200),
)


def plain(frames: list[Frame]) -> list[tuple[int, wire.Head, bytes]]:
    return [(frame.kind, frame.head, frame.body) for frame in frames]


@given(st.lists(FRAMES, max_size=6), st.integers(1, 50))
def test_frames_arrive_as_they_were_sent(sent: list[tuple[int, wire.Head, bytes]], piece: int) -> None:
    data = b"".join(encode(*each) for each in sent)
    decoder = Decoder()
    found = [frame for at in range(0, len(data), piece) for frame in decoder.feed(data[at : at + piece])]
    assert plain(found) == sent


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\x01\x00\x00",
        b"\0\0\0\1\x01\0\0",
        b"\0\0\0\4\x01\0\5x",
        b"\0\0\0\5\x01\0\2[]",
        b"\0\0\0\5\x01\0\2{{",
    ],
)
def test_nonsense_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(WireError):
        Decoder().feed(data)


@given(st.binary(max_size=300))
def test_noise_gives_frames_or_a_refusal(data: bytes) -> None:
    try:
        Decoder(1000).feed(data)
    except WireError:
        pass


def test_what_is_too_long_is_not_sent() -> None:
    with pytest.raises(WireError):
        encode(wire.OUTPUT, None, b"x" * wire.FRAME_LIMIT)
    with pytest.raises(WireError):
        encode(wire.ASK, {"delivery": "x" * 70_000})


def test_a_head_is_checked_when_it_is_used() -> None:
    frame = Frame(wire.RESIZE, {"columns": True, "rows": -1, "text": 5})
    for ask in (lambda: frame.number("columns"), lambda: frame.number("rows"), lambda: frame.text("text")):
        with pytest.raises(WireError):
            ask()
