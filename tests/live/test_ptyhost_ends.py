"""How agents, their pty hosts and their daemons end, and what those that are left know of it."""

import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from supervisor.adapters.sessions.processes import look_at
from supervisor.adapters.sessions.vscode import VscodeBackend, launch, places
from supervisor.adapters.sessions.vscode.places import Places
from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.ports import Session, Stamps
from supervisor.ptyhost import files, wire
from tests.fakes.pty_peer import hosted
from tests.fakes.session_places import VscodePlace, is_alive, place_of, running, said, spec

DEAF = "trap '' HUP TERM; echo up; while :; do sleep 0.02; done"


# --- the agent --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", {"code": 0}), ("exit 3", {"code": 3}), ("exit 255", {"code": 255})]
    + [(f"kill -{number} $$", {"signal": number}) for number in (9, 15, 11, 1)],
)
async def test_its_status_is_told_and_written_down(script: str, status: dict[str, object]) -> None:
    async with hosted("sh", "-c", f"read go; echo bye; {script}") as made:
        async with made.peer() as control, made.peer("view") as viewer:
            await control.ask("submit", {"delivery": "go"})
            for peer in (control, viewer):
                told = await peer.until(lambda peer=peer: peer.first(wire.EXIT))
                assert told.head.items() >= status.items()
            assert b"bye\r\n" in viewer.shown  # its last words come first
        assert made.status() == status
        async with made.peer("view") as late:
            assert (await late.until(lambda: late.first(wire.EXIT))).head.items() >= status.items()
            assert b"bye\r\n" in late.shown


async def test_the_ladder_is_climbed_as_far_as_needed() -> None:
    async with hosted("sh", "-c", DEAF) as made, made.peer("view") as viewer, made.peer() as control:
        await viewer.until_shown(b"up")
        began = trio.current_time()
        answer = await control.ask("stop", {"grace": 0.3})
        assert answer.head["empty"] is True
        assert 0.5 < trio.current_time() - began < 5
        assert made.status() == {"signal": 9}
    async with hosted("sh", "-c", "sleep 1000 & exec cat") as made, made.peer() as control:
        assert (await control.ask("stop", {"grace": 5})).head["empty"] is True
        assert made.status() == {"signal": 1}
        assert (await control.ask("stop", {"grace": 5})).head["empty"] is True


async def test_a_host_hears_no_hang_up_and_ends_its_agent_when_it_is_terminated() -> None:
    async with hosted("sh", "-c", "trap 'exit 7' TERM; trap '' HUP; echo up; while :; do sleep 0.02; done") as made:
        async with made.peer("view") as viewer:
            await viewer.until_shown(b"up")
            os.kill(made.host, signal.SIGHUP)
            os.kill(made.host, signal.SIGINT)
            await viewer.say(wire.INPUT, None, b"x")
            await viewer.until_shown(b"x")
            os.kill(made.host, signal.SIGTERM)
            assert (await viewer.until(lambda: viewer.first(wire.EXIT))).head["code"] == 7
        await made.gone(made.host)
        assert made.status() == {"code": 7}
        assert (made.folder / "record").exists()  # nobody has taken note of the end yet
        assert not made.socket.exists()


async def test_a_host_goes_when_it_is_released_or_nobody_came() -> None:
    async with hosted("sh", "-c", "read go") as made, made.peer() as control:
        assert (await control.ask("release")).head["error"] == "lives"
        await control.ask("submit", {"delivery": "go"})
        await control.until(lambda: control.first(wire.EXIT))
        assert "error" not in (await control.ask("release")).head
        assert not (made.folder / "record").exists()
        await control.until_end()
        await made.gone(made.host)
    async with hosted("true", linger=0.2) as made:
        await made.gone(made.host)
        assert (made.folder / "record").exists()
        assert made.status() == {"code": 0}
    async with hosted("true", rest=0.2) as made, made.peer("view", columns=80, rows=20) as viewer:
        async with made.peer() as control:
            await control.until(lambda: control.first(wire.EXIT))
        with trio.move_on_after(0.5):
            await made.gone(made.host)
        assert is_alive(made.host)  # somebody still looks at it
        await viewer.stream.aclose()
        await made.gone(made.host)


# --- seen by a daemon ---------------------------------------------------------------------------------


@pytest.fixture
async def backend() -> AsyncIterator[VscodeBackend]:
    with place_of(VscodePlace) as place:
        async with running(place.backend()) as made:
            yield made


def record_of(backend: VscodeBackend, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((backend.folder / session.session_id / "record").read_text())
    return found


async def over(session: Session, within: float = 1.0) -> None:
    """Wait until its end is known: that takes no second."""
    seen = 0
    with trio.fail_after(within):
        while session.exit is None and session.lost is None:
            seen = await session.changed(seen)


async def test_a_killed_host_is_seen_with_the_truth_about_its_agent(backend: VscodeBackend) -> None:
    session = await backend.open(spec("L-1~1", "sh", "-c", "echo up; exec cat"))
    await said(session, b"up")
    await session.type(DeliveryId("d1"), "text")
    record = record_of(backend, session)
    os.kill(record["host"], signal.SIGKILL)
    await over(session)
    assert session.exit is None
    assert session.lost is not None
    assert f"(process {record['host']})" in session.lost
    assert "ended with it" in session.lost
    assert not is_alive(record["pid"])
    for act in (session.screen, session.stamps, lambda: session.type(DeliveryId("d2"), "more")):
        with pytest.raises(SessionGone, match="pty host"):
            await act()
    assert b"up" in (await session.read(0, 100))[1]
    assert await backend.sessions() == [session]
    again = await backend.open(spec("L-1~1", "sh", "-c", "echo again; exec cat"))
    assert again is not session
    assert (await said(again, b"again")).startswith(b"up")
    assert await again.stamps() == Stamps()


async def test_an_agent_that_outlives_its_host_is_said_to_and_ended(backend: VscodeBackend) -> None:
    session = await backend.open(spec("L-2~1", "sh", "-c", DEAF))
    await said(session, b"up")
    record = record_of(backend, session)
    os.kill(record["host"], signal.SIGKILL)
    await over(session, 1.5)
    assert session.lost is not None
    assert f"({record['pid']}) outlived it" in session.lost
    handle = os.pidfd_open(record["pid"])
    with trio.fail_after(10):
        await trio.lowlevel.wait_readable(handle)
    os.close(handle)


async def test_a_killed_agent_is_seen_with_its_signal(backend: VscodeBackend) -> None:
    session = await backend.open(spec("L-3~1", "cat"))
    assert session.pid is not None
    os.kill(session.pid, signal.SIGKILL)
    await over(session)
    assert session.exit == ExitStatus(signal=signal.SIGKILL)


async def test_both_killed_at_once_is_seen(backend: VscodeBackend) -> None:
    session = await backend.open(spec("L-4~1", "cat"))
    record = record_of(backend, session)
    os.kill(record["host"], signal.SIGSTOP)  # or it might still note how its agent ended
    os.kill(record["pid"], signal.SIGKILL)
    os.kill(record["host"], signal.SIGKILL)
    await over(session)
    assert session.exit is None
    assert session.lost is not None
    assert "ended with it" in session.lost


async def test_an_end_is_known_from_its_file_when_the_host_is_gone() -> None:
    with place_of(VscodePlace) as place:
        async with running(place.backend(rest=0.1)) as first:
            session = await first.open(spec("L-5~1", "sh", "-c", "printf 'last \\033[31mwords'; exit 5"))
            await over(session, 5)
            await _until_gone(record_of(first, session)["host"])
            with pytest.raises(SessionGone):
                await session.type(DeliveryId("d"), "text")
        async with running(place.backend()) as second:
            (adopted,) = await second.sessions()
            assert (adopted.exit, adopted.lost) == (ExitStatus(code=5), None)
            assert await adopted.screen() == "last words"
            await adopted.close()
            assert await second.sessions() == []


async def test_after_the_machine_was_started_anew_nothing_is_signalled() -> None:
    with place_of(VscodePlace) as place:
        async with running(place.backend()) as first:
            session = await first.open(spec("L-6~1", "cat"))
            folder = str(first.folder / session.session_id)
            record = files.read(folder, files.RECORD) or {}
            os.kill(int(str(record["host"])), signal.SIGKILL)
            await over(session)
        files.write(folder, files.RECORD, {**record, "boot": "another", "pid": os.getpid()})
        async with running(place.backend()) as second:
            (adopted,) = await second.sessions()
            assert adopted.lost == "the machine was started anew"
            await adopted.stop(0.1)
            await adopted.close()


async def test_a_host_that_was_just_being_started_is_found() -> None:
    with place_of(VscodePlace) as place:
        where = Places(place.state_dir)
        folder = where.folder_of(AgentId("L-7~1"))
        handle = places.lock(folder)  # as a daemon does, which is killed then
        assert handle is not None
        async with running(place.backend()) as backend:
            found: list[Session] = []

            async def adopt() -> None:
                found.extend(await backend.sessions())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(adopt)
                await trio.testing.wait_all_tasks_blocked()
                assert not found
                await launch.start(
                    spec("L-7~1", "cat"), folder, folder / "socket", handle, limit=1 << 20, linger=9, rest=9, stall=9
                )
            os.close(handle)
            assert [session.agent_id for session in found] == ["L-7~1"]
            assert await backend.open(spec("L-7~1", "true")) is found[0]


async def test_a_start_that_was_cut_off_leaves_nothing() -> None:
    with place_of(VscodePlace) as place:
        folder = Places(place.state_dir).folder_of(AgentId("L-8~1"))
        handle = places.lock(folder)
        assert handle is not None
        done = await trio.run_process(
            [*launch.python(), "host"], stdin=b"\0\0\xff\xff{", capture_stdout=True, check=False, pass_fds=(handle,)
        )
        os.close(handle)
        assert (done.returncode, b"whole" in done.stdout) == (1, True)
        assert not places.is_hosted(folder)
        async with running(place.backend()) as backend:
            assert await backend.sessions() == []


async def _until_gone(pid: int) -> None:
    with trio.fail_after(10):
        while is_alive(pid):  # noqa: ASYNC110  (a process that may be gone before it can be waited for)
            await trio.sleep(0.01)


# --- places -------------------------------------------------------------------------------------------


async def test_a_state_directory_with_a_long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / ("long" * 20) / "state"
    with place_of(VscodePlace) as place:
        runtime = place.state_dir.parent / "run"
        runtime.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        elsewhere = VscodePlace(state)
        try:
            async with running(elsewhere.backend()) as backend:
                session = await backend.open(spec("P-1~1", "cat"))
                (socket,) = (runtime / "operator").iterdir()
                assert session.attach().argv[-1] == str(socket)
                assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
            monkeypatch.delenv("XDG_RUNTIME_DIR")  # another environment does not hide live agents
            async with running(elsewhere.backend()) as backend:
                (adopted,) = await backend.sessions()
                await adopted.stop(1)
                await adopted.close()
                assert not socket.exists()
        finally:
            elsewhere.end()


async def test_a_host_leaves_the_daemons_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service the daemon is ended with all of its control group; what stands for systemd-run says it was asked."""
    program = tmp_path / "systemd-run"
    program.write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("INVOCATION_ID", "abc")
    async with hosted("cat") as made:
        asked = (tmp_path / "asked").read_text()
        assert "--scope" in asked
        assert "hunter2" not in asked
        assert look_at(made.host) is not None
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus'\nexit 1\n")
    async with hosted("cat") as made:
        assert is_alive(made.agent)
    monkeypatch.delenv("INVOCATION_ID")
    assert launch.way_out(os.environ) == ()


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    with place_of(VscodePlace) as place:
        backend = place.backend()
        with pytest.raises(BackendError, match="does not run"):
            await backend.open(spec("P-2~1", "cat"))
        async with running(backend):
            with pytest.raises(BackendError, match="no program"):
                await backend.open(spec("P-2~1"))
            with pytest.raises(BackendError, match="NUL"):
                await backend.open(spec("P-2~1", "cat", "a\0b"))
            assert await backend.sessions() == []
