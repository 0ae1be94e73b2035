"""Transcripts on a real file system: bounded, complete, and found again."""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from supervisor.adapters.sessions.tmux.transcripts import Transcript, Transcripts
from supervisor.domain.ids import AgentId
from tests.fakes.session_places import TmuxPlace, place_of, running, said, spec

LIMIT = 256 * 1024
AGENT = AgentId("L-1~1")


@pytest.fixture
def place() -> Iterator[TmuxPlace]:
    with place_of(TmuxPlace) as made:
        yield made


def refuse(descriptor: int, offset: int, length: int) -> None:
    """A file system that knows no holes."""
    raise OSError(errno.EOPNOTSUPP, "not supported")


async def test_a_flood_is_bounded_on_disk_and_its_tail_complete(place: TmuxPlace) -> None:
    lines, script = 200_000, "seq -f '%09.0f flood flood' 1 200000; echo over; exec cat"
    async with running(place.backend(transcript_limit=LIMIT)) as backend:
        session = await backend.open(spec(AGENT, "sh", "-c", script))
        (log,) = (place.state_dir / "transcripts").glob("*.log")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        most, text, seen = 0, b"", 0
        with trio.fail_after(60):
            while not text.endswith(b"over\r\n"):
                seen = await session.changed(seen)
                text = (await session.read(max(0, session.end - 100), 100))[1]
                most = max(most, log.stat().st_blocks * 512)
        assert session.end == lines * 23 + len(b"over\r\n")

    assert most < 8 * LIMIT  # what comes between two looks is beyond the limit, the flood's 4.6 MB are far beyond
    async with running(place.backend(transcript_limit=LIMIT)) as second:
        (adopted,) = await second.sessions()
        assert log.stat().st_blocks * 512 < 2 * LIMIT
        start, tail = await adopted.read(0, 1 << 30)
        assert start > 0
        assert len(tail) >= LIMIT
        assert start + len(tail) == adopted.end == lines * 23 + 6
        whole = b"".join(b"%09d flood flood\r\n" % i for i in range(1, lines + 1)) + b"over\r\n"
        assert tail == whole[start:]
        assert await adopted.read(start - 1, 10) == (start, whole[start : start + 10])


async def test_a_broken_pipe_is_mended(place: TmuxPlace) -> None:
    async with running(place.backend(look_every=0.05)) as backend:
        session = await backend.open(spec(AGENT, "sh", "-c", "echo up; while read line; do echo again; done"))
        await said(session, b"up")
        await backend.control.run(f"pipe-pane -t '={session.session_id}:'")
        ask = f"display-message -p -t '={session.session_id}:' '#{{pane_pipe}}'"
        with trio.fail_after(5):
            while (await backend.control.run(ask))[0].text != "1":  # noqa: ASYNC110
                await trio.sleep(0.01)
        await backend.control.run(f"send-keys -t '={session.session_id}:' Enter")
        await said(session, b"again")


async def test_a_pipe_that_is_there_is_left_alone_at_adoption(place: TmuxPlace) -> None:
    script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.001; done"
    async with running(place.backend()) as first:
        session = await first.open(spec(AGENT, "sh", "-c", script))
        await said(session, b"line 20\r\n")
    for round_ in range(3):
        async with running(place.backend()) as backend:
            (session,) = await backend.sessions()
            text = await said(session, b"line %d\r\n" % (200 + 100 * round_))
    numbers = [int(line.split()[1]) for line in text.split(b"\r\n")[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_full_event_queue_loses_no_wakeup(tmp_path: Path) -> None:
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    transcripts = Transcripts(tmp_path)
    last = trio.Event()
    others = [transcripts.watch(AgentId(name), lambda: None) for name in "ab"]
    quiet = transcripts.watch(AgentId("c"), last.set)
    for transcript in (*others, quiet):
        transcript.create()
    async with trio.open_nursery() as nursery:
        await nursery.start(transcripts.run)
        await trio.testing.wait_all_tasks_blocked()
        last = trio.Event()
        quiet.changed = last.set
        files = [open(transcript.path, "ab", buffering=0) for transcript in others]  # noqa: SIM115
        for i in range(queue + 100):
            files[i % 2].write(b"x")
        for file in files:
            file.close()
        with open(quiet.path, "ab") as file:
            file.write(b"unheard")
        with trio.fail_after(10):
            await last.wait()
        nursery.cancel_scope.cancel()


async def test_nobody_waits_while_a_transcript_is_trimmed(tmp_path: Path) -> None:
    began, let_go = threading.Event(), threading.Event()

    def slow(descriptor: int, offset: int, length: int) -> None:
        began.set()
        let_go.wait(20)

    transcripts = Transcripts(tmp_path, LIMIT, slow)
    flooded, other = (transcripts.watch(AgentId(name), lambda: None) for name in "ab")
    for transcript in (flooded, other):
        transcript.create()
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(transcripts.run)
            append(flooded, b"x" * 2 * LIMIT)
            await trio.to_thread.run_sync(began.wait, 5)
            heard = trio.Event()
            other.changed = heard.set
            append(other, b"news")
            with trio.fail_after(5):
                await heard.wait()
            let_go.set()
            nursery.cancel_scope.cancel()
    finally:
        let_go.set()


def append(transcript: Transcript, data: bytes) -> None:
    with open(transcript.path, "ab") as file:
        file.write(data)


@pytest.mark.parametrize("holes", [True, False])
def test_offsets_stay_valid_while_old_output_goes(tmp_path: Path, holes: bool) -> None:
    transcripts = Transcripts(tmp_path, LIMIT) if holes else Transcripts(tmp_path, LIMIT, refuse)

    def again() -> Transcript:
        return transcripts.watch(AGENT, lambda: None)

    written = b""
    transcript = again()
    transcript.create()
    for i in range(60):
        piece = bytes([i]) * 30_011
        append(transcript, piece)
        written += piece
        if transcript.too_long:
            transcript.trim()
            assert not transcript.too_long
            assert sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir()) < 3 * LIMIT
        reader = transcript if i % 2 else again()
        at, text = 0, b""
        start, _ = reader.read(0, 1)
        while piece := reader.read(start + len(text), 50_000)[1]:
            text += piece
        assert start + len(text) == reader.end == len(written)
        assert len(text) >= min(LIMIT, len(written))
        assert text == written[start:]
        assert reader.read(at, 7) == (start, written[start : start + 7])
    transcripts.forget(AGENT)
    assert list(tmp_path.iterdir()) == []


def test_what_is_freed_while_it_is_read_is_not_read_as_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcripts(tmp_path, LIMIT).watch(AGENT, lambda: None)
    transcript.create()
    append(transcript, b"x" * 2 * LIMIT)
    pread = os.pread

    def freed_first(descriptor: int, size: int, offset: int) -> bytes:
        transcript.trim()
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", freed_first)
    assert transcript.read(0, 100) == (LIMIT, b"x" * 100)


def test_a_kill_before_the_file_was_emptied_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcripts(tmp_path, LIMIT, refuse).watch(AGENT, lambda: None)
    transcript.create()
    append(transcript, b"x" * 2 * LIMIT)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", killed)
        with pytest.raises(KeyboardInterrupt):
            transcript.trim()
    found = Transcripts(tmp_path, LIMIT, refuse).watch(AGENT, lambda: None)
    assert found.end == 2 * LIMIT
    assert found.read(0, 4 * LIMIT) == (LIMIT, b"x" * LIMIT)
    append(found, b"y")
    assert found.read(2 * LIMIT, 10) == (2 * LIMIT, b"y")


@pytest.mark.parametrize("note", [b"", b"nonsense", b"[1]", b'{"a": 1}', b'["a", 1, 2]'])
def test_a_spoilt_note_is_no_note(tmp_path: Path, note: bytes) -> None:
    make: Callable[[], Transcript] = lambda: Transcripts(tmp_path, LIMIT).watch(AGENT, lambda: None)  # noqa: E731
    transcript = make()
    transcript.create()
    append(transcript, b"text")
    transcript.path.with_suffix(".kept").write_bytes(note)
    assert make().read(0, 10) == (0, b"text")
