"""What every session backend owes its callers, run against each of them with real terminals and processes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import avt
import pytest
import trio
import trio.testing

from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.ports import Session, SessionBackend, Stamps
from tests.fakes.session_places import (
    PLACES,
    Place,
    exit_of,
    is_alive,
    open_reader,
    place_of,
    reader,
    running,
    said,
    spec,
)


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with place_of(PLACES[request.param]) as made:
        yield made


@pytest.fixture
async def backend(place: Place) -> AsyncIterator[SessionBackend]:
    async with running(place.backend()) as made:
        yield made


DRAWN = {
    "lines": "".join(f"line {i} of \x1b[3{i % 8}mcolours\x1b[0m 漢字\r\n" for i in range(90)).encode() + b"> prompt",
    "moved about": b"\x1b[2J\x1b[5;10Hhere\x1b[12;1H\x1b[44m blue \x1b[0m\x1b[3;4H\x1b[7mdone now\x1b[0m>>>>>>>>",
    "a full-screen program": (
        b"before it\r\nshell$ \x1b[?1049h\x1b[2J\x1b[H\x1b[?1h\x1b=\x1b[1;1Htop\x1b[20;1Hbottom\x1b[10;30Hat its middle"
    ),
    "line drawing": b"\x1b[2J\x1b[H\x1b(0lqqqqk\r\nx    x\r\nmqqqqj\x1b(B\r\n---done---",
}
"""What programs print, the last eight bytes plain."""


def rows(emulator: avt.Vt) -> list[str]:
    """What it shows, and how."""
    return [str(line) for line in emulator.view()]


# --- opening ----------------------------------------------------------------------------------------


async def test_the_program_gets_the_environment_and_folder_that_were_asked_for(
    backend: SessionBackend, tmp_path: Path
) -> None:
    values = {"SECRET": "s3cr3t", "ODD": 'a\'b\n"$HOME" `x` \\ ;', "EMPTY": "", "not-a-name": "1", "UID": "7"}
    env = {"PATH": "/usr/bin:/bin", **values, "TMUX": "/elsewhere,1,0", "PWD": "/wrong"}
    folder = tmp_path / "a folder's #{pid} %H"
    folder.mkdir()
    dump = tmp_path / "env"
    session = await backend.open(
        spec("E-1~1", "sh", "-c", f"env -0 > '{dump}'; echo ready; exec cat", cwd=str(folder), env=env)
    )
    await said(session, b"ready")

    pairs = dict(line.split("=", 1) for line in dump.read_text().split("\0") if line)
    assert {name: value for name, value in pairs.items() if name not in ("TERM", "PWD", "_")} == {
        "PATH": "/usr/bin:/bin",
        "SECRET": "s3cr3t",
        "ODD": values["ODD"],
        "EMPTY": "",
    }
    assert pairs["PWD"] == str(folder)
    assert pairs["TERM"]


async def test_no_command_line_shows_the_environment(backend: SessionBackend, place: Place) -> None:
    session = await backend.open(spec("E-2~1", "sh", "-c", "echo ready; exec cat", env={"SECRET": "hunter2-xyz"}))
    await said(session, b"ready")

    shown = b""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            shown += (folder / "cmdline").read_bytes()
        except OSError:
            continue
    assert b"hunter2-xyz" not in shown
    left = [path for path in place.state_dir.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert left == []


async def test_opening_twice_gives_the_same_session(backend: SessionBackend, tmp_path: Path) -> None:
    first = await open_reader(backend, "T-1~1", tmp_path / "kept")
    assert await backend.open(reader("T-1~1", tmp_path / "kept")) is first
    assert await backend.sessions() == [first]


async def test_opening_at_the_same_time_starts_one_program(backend: SessionBackend, tmp_path: Path) -> None:
    opened: list[Session] = []

    async def open_it() -> None:
        opened.append(await backend.open(reader("T-2~1", tmp_path / "kept")))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(open_it)
    assert len({session.pid for session in opened}) == 1


async def test_similar_agent_ids_are_different_sessions(backend: SessionBackend) -> None:
    ids = ["A.B~1", "A_B~1", "a_b~1", "A_B~11", "../x", "x y:%1", "ü"]
    opened = [await backend.open(spec(name, "cat")) for name in ids]
    assert [session.agent_id for session in opened] == ids
    assert len({session.session_id for session in opened}) == len(ids)
    assert {session.agent_id for session in await backend.sessions()} == set(ids)


async def test_a_program_that_is_not_there_ends_with_its_message_on_the_screen(backend: SessionBackend) -> None:
    session = await backend.open(spec("X-1~1", "no-such-program"))
    assert await exit_of(session) == ExitStatus(code=127)
    assert "no-such-program" in await session.screen()


async def test_a_folder_that_is_not_there_starts_nothing(backend: SessionBackend, tmp_path: Path) -> None:
    session = await backend.open(spec("X-2~1", "touch", str(tmp_path / "ran"), cwd=str(tmp_path / "missing")))
    assert await exit_of(session) == ExitStatus(code=126)
    assert "missing" in await session.screen()
    assert not (tmp_path / "ran").exists()


# --- adopting ---------------------------------------------------------------------------------------


async def test_another_backend_takes_over(place: Place, tmp_path: Path) -> None:
    async with running(place.backend()) as first:
        session = await open_reader(first, "A-1~1", tmp_path / "kept")
        await session.type(DeliveryId("d 1|x"), "before")
        pid, end = session.pid, session.end

    async with running(place.backend()) as second:
        (adopted,) = await second.sessions()
        assert (adopted.agent_id, adopted.pid, adopted.exit, adopted.lost) == ("A-1~1", pid, None, None)
        assert adopted.end >= end
        assert await adopted.stamps() == Stamps(typed=DeliveryId("d 1|x"))
        await adopted.type(DeliveryId("d2"), "after")
        await said(adopted, b"total 35")
        assert b"before\x1b[201~\x1b[200~after" in (tmp_path / "kept").read_bytes()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await exit_of(adopted) == ExitStatus(signal=signal.SIGKILL)


async def test_nothing_is_lost_or_doubled_when_the_daemon_is_killed(place: Place, tmp_path: Path) -> None:
    wanted = reader("K-1~1", tmp_path / "kept")
    daemon = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.fakes.session_places", place.kind, str(place.state_dir), "K-1~1", *wanted.argv],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert daemon.stdout is not None
    async with daemon.stdout as stdout:
        with trio.fail_after(20):
            pid = int((await stdout.receive_some()).split()[1])
        daemon.kill()
        await daemon.wait()
    assert is_alive(pid)

    async with running(place.backend()) as backend:
        again = await backend.open(wanted)
        assert again.pid == pid
        assert await backend.sessions() == [again]
        assert await again.stamps() == Stamps(typed=DeliveryId("before the kill"))
        assert (await said(again, b"total")).count(b"ready") == 1
        assert (tmp_path / "kept").read_bytes() == b"\x1b[200~typed\x1b[201~"


async def test_a_death_while_nobody_looked_is_found_with_its_status(place: Place) -> None:
    async with running(place.backend()) as first:
        sessions = [await first.open(spec(f"D-{i}~1", "sh", "-c", "echo up; exec cat")) for i in range(5)]
        for session in sessions:
            await said(session, b"up")
    for session in sessions:
        assert session.pid is not None
        os.kill(session.pid, signal.SIGTERM)

    async with running(place.backend()) as second:
        adopted = await second.sessions()
        assert [await exit_of(session) for session in adopted] == [ExitStatus(signal=signal.SIGTERM)] * 5


async def test_backends_of_two_state_directories_never_meet(backend: SessionBackend, place: Place) -> None:
    with place_of(PLACES[place.kind]) as elsewhere:
        async with running(elsewhere.backend()) as other:
            mine = await backend.open(spec("SAME~1", "cat"))
            theirs = await other.open(spec("SAME~1", "cat"))
            assert mine.pid != theirs.pid
            assert await backend.sessions() == [mine]
            assert await other.sessions() == [theirs]


# --- delivering -------------------------------------------------------------------------------------

HARD_TEXTS = {
    "quotes": 'it\'s "$HOME" `id` $(id) \\ \\n ~ #{pid} #(id) %H %% ;; ;',
    "trailing semicolon": "do this;",
    "leading dash": "-l -- -x",
    "lines": "one\ntwo\n\nthree\n",
    "tabs": "a\tb\t",
    "scripts": "日本語 עברית e\u0301 👩\u200d👩\u200d👧 \U0010ffff",
    "blanks": "   ",
    "nothing": "",
    "every byte": bytes(b for b in range(256) if b != 0x1B).decode("utf-8", "surrogateescape"),
    "200 KB": "".join(f'{i} it\'s; a "line" with 漢字\n' for i in range(5500)),
}


@pytest.mark.parametrize("name", HARD_TEXTS)
async def test_text_arrives_as_one_paste_with_every_byte(backend: SessionBackend, tmp_path: Path, name: str) -> None:
    kept = tmp_path / "kept"
    session = await open_reader(backend, "P-1~1", kept)
    await session.type(DeliveryId(name), HARD_TEXTS[name])
    await session.submit(DeliveryId(name))

    data = HARD_TEXTS[name].encode("utf-8", "surrogateescape")
    expected = (b"\x1b[200~" + data + b"\x1b[201~" if data else b"") + b"\r"
    await said(session, f"total {len(expected)}\r\n".encode())
    assert kept.read_bytes() == expected
    assert await session.stamps() == Stamps(DeliveryId(name), DeliveryId(name))


async def test_a_program_that_did_not_ask_for_frames_gets_none(backend: SessionBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "P-2~1", tmp_path / "kept", "--unframed")
    await session.type(DeliveryId("1"), "plain\ntext")
    await said(session, b"total 10")
    assert (tmp_path / "kept").read_bytes() == b"plain\ntext"


async def test_stamps_tell_typed_from_submitted(backend: SessionBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "P-3~1", tmp_path / "kept")
    assert await session.stamps() == Stamps()
    await session.type(DeliveryId("a'b;#{pid}\n"), "x")
    assert await session.stamps() == Stamps(typed=DeliveryId("a'b;#{pid}\n"))
    await session.submit(DeliveryId("a'b;#{pid}\n"))
    await session.type(DeliveryId("2"), "y")
    assert await session.stamps() == Stamps(DeliveryId("2"), DeliveryId("a'b;#{pid}\n"))


async def test_keys_are_pressed(backend: SessionBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "P-4~1", tmp_path / "kept")
    await session.press("Escape")
    await session.press("C-c", "Enter")
    await said(session, b"total 3")
    assert (tmp_path / "kept").read_bytes() == b"\x1b\x03\r"


@pytest.mark.parametrize("size", [1, 256, 65536])
async def test_what_a_person_types_arrives_byte_by_byte_as_it_is(
    backend: SessionBackend, tmp_path: Path, size: int
) -> None:
    """Also what would end a paste, and what a command line could misread."""
    kept = tmp_path / "kept"
    session = await open_reader(backend, "P-7~1", kept)
    data = ((b"\x1b[201~;\x00" + bytes(range(256))) * 300)[:size]
    for piece in (data, b"", b"\r"):
        await session.write(piece)
    await said(session, f"total {size + 1}\r\n".encode())
    assert kept.read_bytes() == data + b"\r"
    assert await session.stamps() == Stamps()


async def test_what_is_typed_to_an_agent_that_has_ended_is_refused(backend: SessionBackend) -> None:
    session = await backend.open(spec("P-8~1", "true"))
    await exit_of(session)
    for data in (b"x", b"x" * 4000):
        with pytest.raises(SessionGone):
            await session.write(data)


async def test_a_dead_agent_gets_no_prompt_and_harms_nobody(backend: SessionBackend, tmp_path: Path) -> None:
    other = await open_reader(backend, "P-5~1", tmp_path / "other")
    session = await backend.open(spec("P-6~1", "true"))
    await exit_of(session)
    with pytest.raises(SessionGone):
        await session.type(DeliveryId("1"), "rm -rf /")
    with pytest.raises(SessionGone):
        await session.submit(DeliveryId("1"))
    with pytest.raises(SessionGone):
        await session.press("Enter")
    assert other.lost is None
    await other.type(DeliveryId("2"), "still here")
    await said(other, b"total")


async def test_agents_that_die_while_text_is_on_its_way_harm_nobody(backend: SessionBackend, tmp_path: Path) -> None:
    witness = await open_reader(backend, "P-7~1", tmp_path / "kept")

    async def type_until_refused(session: Session) -> None:
        while True:
            await session.type(DeliveryId("x"), "text " * 1000)

    async def type_into(session: Session) -> None:
        with pytest.raises(SessionGone):
            await type_until_refused(session)

    async with trio.open_nursery() as nursery:
        for i in range(20):
            session = await backend.open(spec(f"DIES-{i}~1", "sleep", f"0.{i:02}"))
            nursery.start_soon(type_into, session)
    assert witness.lost is None
    await witness.type(DeliveryId("1"), "x")
    await said(witness, b"total")


# --- output -----------------------------------------------------------------------------------------


async def test_output_wakes_whoever_waits(backend: SessionBackend) -> None:
    session = await backend.open(spec("O-1~1", "sh", "-c", "echo up; read line; echo got it; exec cat"))
    await said(session, b"up")
    woken = trio.Event()

    async def wait() -> None:
        await said(session, b"got it")
        woken.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await session.submit(DeliveryId("1"))
        with trio.fail_after(5):
            await woken.wait()


async def test_all_who_wait_hear_each_in_their_own_time(backend: SessionBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "O-8~1", tmp_path / "kept")
    heard: list[int] = []

    async def wait(seen: int) -> None:
        heard.append(await session.changed(seen))

    with trio.fail_after(5):
        seen = await session.changed(0)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(wait, seen)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert heard == []
            await session.write(b"x")
        assert len(heard) == 3
        assert min(heard) > seen
        assert await session.changed(seen) >= max(heard)  # and who was away meanwhile, at once


async def test_the_first_byte_is_kept(backend: SessionBackend) -> None:
    for i in range(10):
        session = await backend.open(spec(f"O-2~{i}", "sh", "-c", "printf first; exec cat"))
        assert (await said(session, b"first")).startswith(b"first")


async def test_ten_thousand_lines_a_second_are_all_kept(backend: SessionBackend) -> None:
    session = await backend.open(spec("O-3~1", "sh", "-c", "seq 1 50000; echo over; exec cat"))
    text = await said(session, b"over", within=30)
    assert text == b"".join(b"%d\r\n" % i for i in range(1, 50001)) + b"over\r\n"
    assert session.end == len(text)
    assert await session.read(7, 5) == (7, text[7:12])
    assert await session.read(session.end, 100) == (session.end, b"")


async def test_hostile_bytes_are_kept_and_confuse_nobody(backend: SessionBackend, tmp_path: Path) -> None:
    # Not of this: what asks the terminal for an answer, which would come back as input.
    noise = b"".join(
        [
            bytes(range(256)) * 40,
            b"%begin 1 1 1\r\n%end 1 1 1\r\n%exit\r\n%error 1 2 1\r\n" * 20,
            b"\x1b]0;#(touch pwned)#{pid}\x07\x1bktitle\x1b\\\x1b]52;c;aGk=\x07\x1b[9999;9999H\x1b[r\x1b[?1049h",
            b"\xf0\x9f\xff\xfe\xc0\x80\xe2\x80\xae" * 100,
            b"\x1b]0;" + b"a" * 100_000 + b"\x07",
        ]
    )
    (tmp_path / "noise").write_bytes(noise.replace(b"\x05", b"").replace(b"\x9a", b""))
    noise = (tmp_path / "noise").read_bytes()
    command = f"stty raw -echo; cat '{tmp_path}/noise'; printf '\\033[?1049l\\033c'; echo over; exec cat"
    session = await backend.open(spec("O-4~1", "sh", "-c", command))
    text = await said(session, b"over")
    assert text.startswith(noise)
    assert "over" in await session.screen()
    assert await backend.sessions() == [session]


async def test_the_screen_is_what_a_person_would_see(backend: SessionBackend) -> None:
    long = "x" * 250
    session = await backend.open(
        spec("O-5~1", "sh", "-c", f"echo gone; clear; echo 'naïve 漢字  '; echo {long}; exec cat")
    )
    await said(session, long.encode())
    lines = (await session.screen()).split("\n")
    assert lines == ["naïve 漢字", long]


async def test_a_styled_screen_tells_what_is_dim_or_inverse_as_well(backend: SessionBackend) -> None:
    shown = "plain \\033[2mdim\\033[0m \\033[7mT\\033[0;2mry\\033[0m \\033[38;5;2mgreen\\033[0m over"
    session = await backend.open(spec("O-5~2", "sh", "-c", f"printf '{shown}'; exec cat"))
    await said(session, b"over")
    assert await session.screen() == "plain dim Try green over"
    styled = await session.screen(styled=True)
    assert re.sub("\x1b\\[[0-9;:]*m", "", styled) == "plain dim Try green over"
    assert re.search("plain \x1b\\[[0-9;]*\\b2m(\x1b\\[[0-9;]*m)*dim\x1b", styled) is not None
    assert re.search("\x1b\\[[0-9;]*7mT\x1b\\[0;2m(\x1b\\[[0-9;]*m)*ry\x1b", styled) is not None


@pytest.mark.parametrize("name", DRAWN)
async def test_a_replay_and_what_follows_it_show_the_same_elsewhere(
    backend: SessionBackend, tmp_path: Path, name: str
) -> None:
    """Judged by a terminal emulator that saw it all from the beginning, and one that saw the replay only."""
    drawing = tmp_path / "drawing"
    drawing.write_bytes(DRAWN[name])
    session = await backend.open(
        spec("O-9~1", "sh", "-c", f"stty raw -echo; cat '{drawing}'; exec cat", columns=60, rows=20)
    )
    await said(session, DRAWN[name][-8:])
    replay = await session.replay()
    assert (replay.columns, replay.rows, replay.exact) == (60, 20, True)
    assert replay.offset == session.end

    more = b"\x1b[A\x1b[1Dx\x1b[?25h\x1b[31m+\x1b[0m"
    await session.write(more)
    await said(session, more)
    whole, part = avt.Vt(60, 20, 0), avt.Vt(60, 20, 0)
    whole.feed_str((await session.read(0, 1 << 20))[1].decode("utf-8", "replace"))
    rest = (await session.read(replay.offset, 1 << 20))[1]
    assert rest == more
    part.feed_str((replay.data + rest).decode("utf-8", "replace"))
    assert rows(part) == rows(whole)
    assert (part.cursor.col, part.cursor.row) == (whole.cursor.col, whole.cursor.row)
    assert part.cursor_key_app_mode == whole.cursor_key_app_mode
    for emulator in (whole, part):  # what is behind the alternate screen
        emulator.feed_str("\x1b[?1049l")
    assert rows(part) == rows(whole)


@pytest.mark.parametrize("mode", [b"\x1b[?2004h", b"\x1b[?1h", b"\x1b[?1006h", b"\x1b[?25l", b"\x1b[?1002h"])
async def test_a_replay_sets_the_modes_that_the_program_did(
    backend: SessionBackend, tmp_path: Path, mode: bytes
) -> None:
    drawing = tmp_path / "drawing"
    drawing.write_bytes(mode + b"shown")
    session = await backend.open(spec("O-10~1", "sh", "-c", f"cat '{drawing}'; exec cat"))
    await said(session, b"shown")
    assert mode in (await session.replay()).data


async def test_a_screen_that_is_overtaken_by_output_is_told_from_one_that_rests(backend: SessionBackend) -> None:
    session = await backend.open(
        spec("O-11~1", "sh", "-c", "while :; do echo flood; done & read line; kill $!; wait; echo quiet; exec cat")
    )
    await said(session, b"flood")
    replay = await session.replay()
    start, _ = await session.read(replay.offset, 1)
    assert start == replay.offset <= session.end
    await session.write(b"\r")
    await said(session, b"quiet\r\n", within=30)
    replay = await session.replay()
    assert replay.exact
    assert replay.offset == session.end
    emulator = avt.Vt(replay.columns, replay.rows, 0)
    emulator.feed_str(replay.data.decode())
    shown = [line.rstrip() for line in emulator.text() if line.strip()]
    assert shown[-1].endswith("quiet")  # the flood may have been killed in the middle of a line
    assert shown == [line.rstrip() for line in (await session.screen()).splitlines() if line.strip()]


async def test_a_session_whose_agent_has_ended_is_still_shown_until_it_is_closed(backend: SessionBackend) -> None:
    session = await backend.open(spec("O-12~1", "sh", "-c", "echo last words"))
    await exit_of(session)
    await said(session, b"last words")
    assert b"last words" in (await session.replay()).data
    seen = await session.changed(0)
    assert not session.closed
    await session.close()
    assert session.closed
    with trio.fail_after(5):
        await session.changed(seen)
    with pytest.raises(SessionGone):
        await session.replay()


async def test_the_size_is_set_and_changed(backend: SessionBackend, tmp_path: Path) -> None:
    session = await backend.open(reader("O-6~1", tmp_path / "kept", columns=123, rows=34))
    await said(session, b"ready")
    await session.resize(87, 21)
    await said(session, b"size 87x21")
    await session.resize(10**9, -5)
    await said(session, b"size 1000x2")


# --- exits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 0", ExitStatus(code=0)),
        ("exit 3", ExitStatus(code=3)),
        ("kill -9 $$", ExitStatus(signal=9)),
    ],
)
async def test_every_exit_has_its_status(backend: SessionBackend, script: str, status: ExitStatus) -> None:
    for i in range(20):
        session = await backend.open(spec(f"S-{i}~1", "sh", "-c", script))
        assert await exit_of(session) == status


async def test_many_exits_at_once_have_their_statuses(backend: SessionBackend) -> None:
    script = "read line; exit $0"
    sessions = [await backend.open(spec(f"S-{i}~2", "sh", "-c", script, str(i))) for i in range(30)]
    async with trio.open_nursery() as nursery:
        for session in sessions:
            nursery.start_soon(session.submit, DeliveryId("end"))
    assert [await exit_of(session) for session in sessions] == [ExitStatus(code=i) for i in range(30)]


async def test_an_exit_is_seen_though_a_child_keeps_the_terminal(backend: SessionBackend) -> None:
    session = await backend.open(spec("S-1~3", "sh", "-c", "trap '' HUP; sleep 100 & exit 5"))
    assert await exit_of(session) == ExitStatus(code=5)
    await session.stop(0.2)


# --- stopping ---------------------------------------------------------------------------------------


def children_in(text: bytes) -> list[int]:
    return [int(line.split()[1]) for line in text.split(b"\r\n") if line.startswith(b"child ")]


@pytest.mark.parametrize("options", [(), ("--ignore",), ("--child",), ("--detached",), ("--ignore", "--detached")])
async def test_stop_ends_everybody(backend: SessionBackend, tmp_path: Path, options: tuple[str, ...]) -> None:
    bystander = await open_reader(backend, "Z-0~1", tmp_path / "bystander", "--detached")
    session = await open_reader(backend, "Z-1~1", tmp_path / "kept", *options)
    pids = [*children_in(await said(session, b"ready")), session.pid]
    assert len(pids) == 1 + sum(option != "--ignore" for option in options)
    with trio.fail_after(10):
        await session.stop(0.2)
    assert [pid for pid in pids if pid is not None and is_alive(pid)] == []
    number = signal.SIGKILL if "--ignore" in options else signal.SIGHUP
    assert session.exit == ExitStatus(signal=number)
    others = [*children_in(await said(bystander, b"ready")), bystander.pid]
    assert all(is_alive(pid) for pid in others if pid is not None)
    await bystander.stop(0.1)


async def test_stop_reaches_children_of_an_agent_that_has_ended(backend: SessionBackend) -> None:
    script = "trap '' HUP; sleep 1000 & echo child $!; command sleep 0.1"
    session = await backend.open(spec("Z-2~1", "sh", "-c", script))
    (child,) = children_in(await said(session, b"child"))
    await exit_of(session)
    assert is_alive(child)
    await session.stop(0.2)
    assert not is_alive(child)
    assert session.exit == ExitStatus(code=0)


async def test_a_suspended_child_can_still_clean_up(backend: SessionBackend, tmp_path: Path) -> None:
    child = f"trap 'touch {tmp_path}/cleaned; exit' HUP; echo child $$; while :; do sleep 0.01; done"
    session = await backend.open(spec("Z-3~1", "setsid", "-w", "sh", "-c", child))
    (pid,) = children_in(await said(session, b"child"))
    os.kill(pid, signal.SIGSTOP)
    await session.stop(2)
    assert (tmp_path / "cleaned").exists()


async def test_stop_gives_each_rung_its_time_and_no_more(backend: SessionBackend) -> None:
    script = "trap '' HUP; trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"
    session = await backend.open(spec("Z-4~1", "sh", "-c", script))
    await said(session, b"up")
    await session.stop(0.5)
    assert session.exit == ExitStatus(code=9)


async def test_a_childs_work_is_seen(backend: SessionBackend) -> None:
    script = "read line; timeout 0.3 sh -c 'while :; do :; done'; echo worked; exec cat"
    session = await backend.open(spec("Z-5~1", "sh", "-c", script))
    await session.busy_children()
    assert not await session.busy_children()
    await session.submit(DeliveryId("1"))
    await said(session, b"worked")
    assert await session.busy_children()
    assert not await session.busy_children()


# --- closing ----------------------------------------------------------------------------------------


async def test_a_session_is_closed_once_its_agent_has_ended(backend: SessionBackend, place: Place) -> None:
    session = await backend.open(spec("C-1~1", "sh", "-c", "echo bye; exec cat"))
    other = await backend.open(spec("C-2~1", "cat"))
    await said(session, b"bye")
    with pytest.raises(BackendError):
        await session.close()
    with pytest.raises(BackendError):
        await backend.forget(session.agent_id)
    await session.stop(1)
    await session.close()
    await session.close()
    assert await backend.sessions() == [other]
    for act in (session.screen, session.stamps, partial(session.type, DeliveryId("1"), "x")):
        with pytest.raises(SessionGone):
            await act()
    assert b"bye" in (await session.read(0, 100))[1]
    await backend.forget(session.agent_id)
    await backend.forget(session.agent_id)
    await backend.forget(AgentId("never/../there"))
    assert list(place.state_dir.rglob("*C-1*")) == []


async def test_the_same_agent_can_be_started_again_and_its_transcript_goes_on(backend: SessionBackend) -> None:
    first = await backend.open(spec("C-3~1", "sh", "-c", "echo first; sleep 0.1"))
    await said(first, b"first\r\n")
    await exit_of(first)
    await first.close()
    second = await backend.open(spec("C-3~1", "sh", "-c", "echo second; sleep 0.1"))
    assert second is not first
    assert await said(second, b"second\r\n") == b"first\r\nsecond\r\n"
