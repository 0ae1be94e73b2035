"""A pty host and those who watch: bytes and screens reach everybody, and nobody stalls the agent."""

import os
import stat
import sys
from pathlib import Path

import pytest
import trio

from supervisor.adapters.sessions.processes import look_at
from supervisor.ptyhost import transcript, wire
from tests.fakes.pty_peer import Hosted, Peer, hosted, rows
from tests.fakes.session_places import PROGRAM

READER = (sys.executable, "-S", "-E", str(PROGRAM))


def printed(made: Hosted) -> bytes:
    """The whole transcript."""
    found, at = b"", 0
    while piece := transcript.read(str(made.folder), at, 1 << 20)[1]:
        found += piece
        at += len(piece)
    return found


# --- viewers ----------------------------------------------------------------------------------------


async def test_all_viewers_see_the_same_and_a_late_one_what_was_before() -> None:
    async with hosted("sh", "-c", "echo first; exec cat") as made, made.peer("view") as one, made.peer("view") as two:
        await one.until_shown(b"first")
        await one.say(wire.INPUT, None, b"second\n")
        for viewer in (one, two):
            await viewer.until_shown(b"second\r\nsecond\r\n")
        async with made.peer("view") as late:
            assert rows(await late.until_shown(b"second")) == rows(one.shown) == rows(two.shown)
            await late.say(wire.INPUT, None, b"third\n")
            for viewer in (one, two, late):
                await viewer.until_shown(b"third\r\nthird\r\n")


async def test_a_stalled_viewer_is_dropped_and_nobody_waits_for_it() -> None:
    script = "read go; seq 1 1400000; echo over; exec cat"  # 10 MB
    async with hosted("sh", "-c", script, stall=1.0) as made:
        async with made.peer("view") as stalled, made.peer("view") as good:
            await good.say(wire.INPUT, None, b"\r")
            await good.until_shown(b"over\r\n", within=30)
            with trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
                await _talk_on(stalled)
        assert printed(made).endswith(b"1400000\r\nover\r\n")
        memory = Path(f"/proc/{made.host}/status").read_text()
        assert int(memory.split("VmRSS:")[1].split("kB")[0]) < 20_000


async def _talk_on(peer: Peer) -> None:
    """Say nothing for ever: one that reads nothing notices only so that it was cut off."""
    while True:
        await peer.say(wire.INPUT)
        await trio.sleep(0.05)


async def test_a_viewer_that_falls_behind_is_shown_the_present_screen() -> None:
    script = "read go; seq 1 1400000; echo over; exec cat"
    async with hosted("sh", "-c", script) as made, made.peer() as control, made.peer("view") as slow:
        await control.ask("submit", {"delivery": "go"})
        await control.until(lambda: any(f.kind == wire.GROWN and f.number("end") > 10_000_000 for f in control.frames))
        await slow.until_shown(b"over\r\n")
        assert len(slow.shown) < 10_000_000
        assert sum(frame.kind == wire.REPLAY for frame in slow.frames) > 1
        assert rows(slow.shown)[-2:] == ["over", ""]


async def test_a_client_that_talks_nonsense_harms_nobody() -> None:
    async with hosted("sh", "-c", "echo up; exec cat", stall=0.3) as made, made.peer("view") as good:
        await good.until_shown(b"up")
        for nonsense in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 100,
            wire.encode(wire.ASK, {"id": 1, "do": "stop"}),
            b"\0",
        ):
            async with await trio.open_unix_socket(str(made.socket)) as stream:
                await stream.send_all(nonsense)
                with trio.fail_after(5):
                    assert await stream.receive_some() == b""
        for head in ({"do": "stop", "grace": "long"}, {"do": "fly"}, {"do": "keys", "normal": 9}):
            async with made.peer() as peer:
                await peer.say(wire.ASK, {"id": 1, **head})
                await peer.until_end()
        async with made.peer("view") as viewer:
            await viewer.say(wire.ASK, {"id": 1, "do": "type", "delivery": "x"}, b"typed")
            await viewer.until_end()
        await good.say(wire.INPUT, None, b"still there\n")
        assert b"typed" not in await good.until_shown(b"still there\r\nstill there")


async def test_a_client_of_another_version_is_told() -> None:
    async with hosted("cat") as made, await trio.open_unix_socket(str(made.socket)) as stream:
        await stream.send_all(wire.encode(wire.HELLO, {"version": 99, "role": "view"}))
        with trio.fail_after(5):
            (frame,) = wire.Decoder().feed(bytes(await stream.receive_some()))
        assert (frame.kind, frame.number("version")) == (wire.REFUSED, wire.VERSION)


async def test_only_its_user_can_connect() -> None:
    async with hosted("cat") as made:
        assert stat.S_IMODE(os.stat(made.socket).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(made.folder).st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir() if path.is_file()}
        assert set(modes.values()) == {0o600}


# --- screens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [{}, {"columns": 100, "rows": 30}])
async def test_a_full_screen_editor_is_restored_with_its_modes(tmp_path: Path, size: dict[str, int]) -> None:
    (tmp_path / "text").write_text("".join(f"line {number} of the text\n" for number in range(200)))
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    script = f"echo behind; exec vim -u NONE -c 'set t_BE=\x1b[?2004h' {tmp_path}/text"
    async with hosted("sh", "-c", script, env=env) as made, made.peer("view") as first:
        await first.until_shown(b"line 27 of the text")
        await first.say(wire.INPUT, None, b"100Gdd:set number\r")
        await first.until_shown(b"100 \x1b")
        async with made.peer("view", **size) as late:
            await late.until(lambda: late.first(wire.REPLAY))
            await first.until(lambda: rows(first.shown) == rows(late.shown))
            assert "line 100 of the text" in "\n".join(rows(late.shown))
            assert b"\x1b[?1049h" in late.shown
            assert b"\x1b[?2004h" in late.shown
            await late.say(wire.INPUT, None, b":q!\r")
            await late.until(lambda: late.first(wire.EXIT))
            await late.until(lambda: "behind" in rows(late.shown)[0])


async def test_what_is_behind_a_full_screen_program_comes_back_when_it_leaves() -> None:
    program = (
        "import os, sys\n"
        "os.write(1, b'behind\\r\\n\\x1b[?1049h')\n"
        "for n in range(6000): os.write(1, b'\\x1b[5;5Hcounter number %06d' % n)\n"
        "os.write(1, b'\\x1b[H\\x1b[2Jready')\n"
        "sys.stdin.readline()\n"
        "os.write(1, b'\\x1b[?1049l'); sys.stdin.readline()\n"
    )
    async with hosted(sys.executable, "-S", "-c", program) as made, made.peer("view") as first:
        await first.until_shown(b"ready")
        async with made.peer("view") as late:
            replay = await late.until(lambda: late.first(wire.REPLAY))
            assert replay.head["exact"] is True
            assert rows(late.shown)[:2] == rows(first.shown)[:2] == ["ready", ""]
            await late.say(wire.INPUT, None, b"\r")
            await late.until(lambda: rows(late.shown)[0] == "behind")


async def test_what_was_drawn_long_ago_is_drawn_again() -> None:
    """A full-screen program that has since printed more than is repeated, without ever clearing its screen."""
    program = (
        "import os, signal, sys, time\n"
        "def draw(*_): os.write(1, b'\\x1b[1;1Hheadline')\n"
        "signal.signal(signal.SIGWINCH, draw)\n"
        "os.write(1, b'\\x1b[?1049h'); draw()\n"
        "for n in range(60000): os.write(1, b'\\x1b[5;5Hcounter number %06d   \\x1b[K' % n)\n"
        "os.write(1, b'\\x1b[7;1Hready')\n"
        "while True: time.sleep(60)\n"
    )
    async with hosted(sys.executable, "-S", "-c", program) as made, made.peer("view", columns=100, rows=30) as first:
        await first.until_shown(b"ready", within=30)
        assert os.path.getsize(next(made.folder.glob("*.log"))) > 1_200_000
        async with made.peer("view", columns=100, rows=30) as late:
            replay = await late.until(lambda: late.first(wire.REPLAY))
            assert replay.head["exact"] is False
            assert "headline" not in rows(replay.body)[0]
            assert b"\x1b[?1049h" in replay.body
            await late.until(lambda: rows(late.shown)[0] == "headline")
            assert rows(late.shown)[4].strip() == "counter number 059999"


async def test_the_size_is_that_of_whoever_acted_last(tmp_path: Path) -> None:
    async with hosted(*READER, str(tmp_path / "kept")) as made, made.peer() as control:
        async with made.peer("view") as anybody:
            await anybody.until_shown(b"ready")
        async with made.peer("view", columns=90, rows=25) as one:
            await one.until_shown(b"size 90x25")
            async with made.peer("view", columns=70, rows=20) as two:
                await two.until_shown(b"size 70x20")
                await one.say(wire.INPUT, None, b"k")
                assert (await one.until(lambda: one.first(wire.RESIZED, columns=90))).number("rows") == 25
                await control.ask("resize", {"columns": 40, "rows": 10})
                await two.say(wire.RESIZE, {"columns": 71, "rows": 21})
                await two.until_shown(b"size 71x21")
            await one.until(lambda: one.frames[-1].kind == wire.OUTPUT and b"size 90x25" in one.shown[-60:])
            assert b"40x10" not in one.shown
        await _until_resized(control, 40, 10)


async def _until_resized(control: Peer, columns: int, rows: int) -> None:
    # The host learns at its own time that the last viewer has left.
    while control.first(wire.RESIZED, columns=columns, rows=rows) is None:
        await control.ask("resize", {"columns": columns, "rows": rows})


# --- input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framed", [True, False])
async def test_a_megabyte_arrives_whole(tmp_path: Path, framed: bool) -> None:
    text = b"".join(b'%d it\'s; a "line" with \xe6\xbc\xa2 and \x1bno escape\n' % n for n in range(24_000))
    assert len(text) > 1_000_000
    options = () if framed else ("--unframed",)
    async with (
        hosted(*READER, str(tmp_path / "kept"), *options) as made,
        made.peer() as control,
        made.peer("view") as one,
    ):
        await one.until_shown(b"ready")
        await control.ask("type", {"delivery": "d1"}, text)
        await control.ask("type", {"delivery": "d1"}, text)  # once more: not typed again
        await control.ask("submit", {"delivery": "d1"})
        await control.ask("submit", {"delivery": "d1"})
        plain = text.replace(b"\x1b", b"")
        wanted = (b"\x1b[200~%b\x1b[201~\r" if framed else b"%b\r") % plain
        await one.until_shown(b"total %d\r\n" % len(wanted), within=20)
        assert (tmp_path / "kept").read_bytes() == wanted
        stamps = await control.ask("stamps")
        assert stamps.head.items() >= {"typed": "d1", "submitted": "d1"}.items()
        assert b'"typed": "d1"' in (made.folder / "stamps").read_bytes()


async def test_an_agent_that_does_not_read_stalls_nobody(tmp_path: Path) -> None:
    script = "stty raw -echo; echo up; while :; do sleep 0.05; echo tick; done"
    async with hosted("sh", "-c", script) as made, made.peer() as control, made.peer("view") as one:
        await one.until_shown(b"up")
        await control.ask("type", {"delivery": "d1"}, b"x" * 8_000_000)
        await control.ask("type", {"delivery": "d2"}, b"x" * 8_000_000)
        refused = await control.ask("type", {"delivery": "d3"}, b"x" * 2_000_000)
        assert refused.head["error"] == "full"
        assert (await control.ask("stamps")).head["typed"] == "d2"
        seen = one.shown.count(b"tick")
        await one.until(lambda: one.shown.count(b"tick") > seen + 3)


async def test_cursor_keys_follow_the_programs_mode(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with hosted(*READER, str(kept)) as made, made.peer() as control, made.peer("view") as one:
        await one.until_shown(b"ready")
        await control.ask("keys", {"normal": 3}, b"\x1b[A\x1bOA")
        await one.until_shown(b"total 3")
        assert kept.read_bytes() == b"\x1b[A"
    script = "stty raw -echo; printf '\\033[?1hup'; exec cat -v"
    async with hosted("sh", "-c", script) as made, made.peer() as control, made.peer("view") as one:
        await one.until_shown(b"up")
        await control.ask("keys", {"normal": 3}, b"\x1b[A\x1bOA")
        await one.until_shown(b"^[OA")


async def test_the_program_ignores_and_blocks_no_signal() -> None:
    # Without a tab: a viewer that comes later is shown the screen, where a tab is blanks.
    script = "sed -n 's/^Sig\\(Ign\\|Blk\\):\t/\\1=/p' /proc/self/status; echo said; exec cat"
    async with hosted("sh", "-c", script) as made, made.peer("view") as one:
        shown = await one.until_shown(b"said")
        # 32 and 33 are glibc's own: its posix_spawn, which make uses, has them ignored, and nobody can change that.
        own = 1 << 31 | 1 << 32
        for what in (b"Blk=", b"Ign="):
            assert int(shown.split(what)[1].split()[0], 16) & ~own == 0


# --- what it costs ----------------------------------------------------------------------------------


async def test_a_host_is_small() -> None:
    async with hosted("cat") as made, made.peer("view", columns=80, rows=20) as one, made.peer() as control:
        await control.ask("type", {"delivery": "1"}, b"text\n")
        await one.until_shown(b"text\r\ntext")
        memory = Path(f"/proc/{made.host}/status").read_text()
        assert int(memory.split("VmRSS:")[1].split("kB")[0]) < 12 * 1024
        process = look_at(made.host)
        assert process is not None
        assert process.session == made.host  # of its own: no terminal's hang-up reaches it
        assert process.parent == 1 or process.parent != os.getpid()
