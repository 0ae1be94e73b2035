"""The private tmux server and our one client: their deaths, their absence, and who else is at home there."""

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.ports import Stamps
from tests.fakes.session_places import (
    TMUX,
    TmuxPlace,
    exit_of,
    is_alive,
    open_reader,
    place_of,
    running,
    said,
    spec,
)


@pytest.fixture
def place() -> Iterator[TmuxPlace]:
    with place_of(TmuxPlace) as made:
        yield made


@pytest.fixture
async def backend(place: TmuxPlace) -> AsyncIterator[TmuxBackend]:
    async with running(place.backend()) as made:
        yield made


def tmux(place: TmuxPlace, *arguments: str) -> str:
    """What a person types at a shell."""
    env = {"PATH": os.environ["PATH"], "TERM": "xterm"}
    argv = [TMUX or "tmux", "-S", str(place.socket), *arguments]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout


async def test_the_death_of_the_server_is_known_at_once(backend: TmuxBackend, place: TmuxPlace, tmp_path: Path) -> None:
    ended = await backend.open(spec("V-0~1", "false"))
    await exit_of(ended)
    sessions = [await open_reader(backend, f"V-{i}~1", tmp_path / f"kept{i}", "--ignore") for i in (1, 2, 3)]
    server = backend.server
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    with trio.fail_after(1):
        for session in sessions:
            seen = 0
            while session.lost is None:
                seen = await session.changed(seen)
    assert all("tmux server" in (session.lost or "") and session.exit is None for session in sessions)
    assert (ended.exit, ended.lost) == (ExitStatus(code=1), None)
    with pytest.raises(SessionGone):
        await sessions[0].type(DeliveryId("1"), "x")

    # The agents ignored the hang-up: they can still be ended, and their sessions closed and started anew.
    await sessions[0].stop(0.1)
    assert sessions[0].pid is not None
    assert not is_alive(sessions[0].pid)
    await sessions[0].close()
    again = await open_reader(backend, "V-1~1", tmp_path / "kept1")
    assert backend.server is not None
    assert backend.server.pid != server.pid
    assert [session.agent_id for session in await backend.sessions()] == ["V-1~1"]
    assert again.exit is None
    for session in sessions[1:]:
        await session.stop(0.1)


async def test_a_server_that_nobody_starts_again_is_missed_at_once(place: TmuxPlace, tmp_path: Path) -> None:
    place.state_dir.mkdir()
    tmux(place, "-f", "/dev/null", "new-session", "-d", "cat")
    async with running(place.backend(start_server=False)) as backend:
        session = await open_reader(backend, "V-15~1", tmp_path / "kept")
        assert backend.server is not None
        os.kill(backend.server.pid, signal.SIGKILL)
        seen = 0
        with trio.fail_after(1):
            while session.lost is None:
                seen = await session.changed(seen)
        with pytest.raises(BackendError):
            await backend.sessions()
        tmux(place, "-f", "/dev/null", "new-session", "-d", "cat")
        with trio.fail_after(5):
            again = await open_reader(backend, "V-15~2", tmp_path / "kept2")
        assert await backend.sessions() == [again]


async def test_a_lost_client_is_replaced_and_nothing_is_lost(backend: TmuxBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "V-4~1", tmp_path / "kept")
    server = backend.server
    for i in range(3):
        client = backend.control.pid
        assert client is not None
        os.kill(client, signal.SIGKILL)
        with trio.fail_after(5):
            while True:
                try:
                    await session.type(DeliveryId(str(i)), "x")
                    break
                except BackendError:
                    continue
    await said(session, b"total 39")
    assert (backend.server, session.lost) == (server, None)
    assert session.pid is not None
    os.kill(session.pid, signal.SIGTERM)
    assert await exit_of(session) == ExitStatus(signal=signal.SIGTERM)


async def test_a_closed_hub_comes_back(backend: TmuxBackend, place: TmuxPlace, tmp_path: Path) -> None:
    session = await open_reader(backend, "V-5~1", tmp_path / "kept")
    tmux(place, "kill-session", "-t", "=hub")
    with trio.fail_after(5):
        while True:
            try:
                await session.submit(DeliveryId("1"))
                break
            except BackendError:
                continue
    assert session.lost is None


async def test_a_stopped_server_is_unknown_not_dead(place: TmuxPlace, tmp_path: Path) -> None:
    backend = place.backend()
    async with running(backend):
        session = await open_reader(backend, "V-6~1", tmp_path / "kept")
        backend.control._deadline = 0.2
        assert backend.server is not None
        os.kill(backend.server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(BackendError):
                await session.type(DeliveryId("1"), "x")
        finally:
            os.kill(backend.server.pid, signal.SIGCONT)
        assert (session.lost, session.exit) == (None, None)
        backend.control._deadline = 5
        await session.type(DeliveryId("2"), "y")
        await said(session, b"total")
        typed = (tmp_path / "kept").read_bytes()
        assert typed == b"\x1b[200~y\x1b[201~"  # what was given up on is not typed later


async def test_a_connection_that_has_stopped_answering_is_made_anew(place: TmuxPlace, tmp_path: Path) -> None:
    backend = place.backend(look_every=0.05)
    async with running(backend):
        session = await open_reader(backend, "V-16~1", tmp_path / "kept")
        client = backend.control.pid
        assert client is not None
        assert backend.server is not None
        backend.control._deadline = 0.2
        os.kill(backend.server.pid, signal.SIGSTOP)
        try:
            with trio.fail_after(5):
                while backend.control.pid == client:  # noqa: ASYNC110
                    await trio.sleep(0.01)
        finally:
            os.kill(backend.server.pid, signal.SIGCONT)
            backend.control._deadline = 5
        with trio.fail_after(20):
            await session.type(DeliveryId("1"), "x")
        await said(session, b"total 13\r\n")
        assert session.lost is None


async def test_what_waits_for_a_connection_and_is_given_up_is_never_done(backend: TmuxBackend, tmp_path: Path) -> None:
    session = await open_reader(backend, "V-14~1", tmp_path / "kept")
    client = backend.control.pid
    assert client is not None
    os.kill(client, signal.SIGKILL)
    with trio.fail_after(5):
        while backend.control.pid is not None:  # noqa: ASYNC110
            await trio.sleep(0.001)
    with trio.move_on_after(0.001) as scope:
        await session.submit(DeliveryId("1"))
    assert scope.cancelled_caught
    await session.type(DeliveryId("2"), "y")
    await said(session, b"total 13\r\n")
    assert await session.stamps() == Stamps(typed=DeliveryId("2"))


async def test_a_server_whose_socket_was_removed_is_found_again(place: TmuxPlace, tmp_path: Path) -> None:
    async with running(place.backend()) as first:
        session = await open_reader(first, "V-7~1", tmp_path / "kept")
        server, pid = first.server, session.pid
    place.socket.unlink()
    async with running(place.backend()) as second:
        assert second.server == server
        assert [adopted.pid for adopted in await second.sessions()] == [pid]


async def test_a_service_managers_server_is_used_and_never_started(place: TmuxPlace) -> None:
    backend = place.backend(start_server=False)
    with pytest.raises(BackendError, match="no tmux server"):
        await backend.run()
    place.state_dir.mkdir(exist_ok=True)
    config = place.state_dir / "tmux.conf"
    config.write_text("set -g base-index 7\nset -g pane-base-index 3\nset -g mouse on\n")
    tmux(place, "-f", str(config), "new-session", "-d", "-s", "mine", "cat")
    pid = int(tmux(place, "display-message", "-p", "#{pid}"))
    async with running(place.backend(start_server=False)) as backend:
        assert backend.server is not None
        assert backend.server.pid == pid
        session = await backend.open(spec("V-8~1", "sh", "-c", "echo up; exec cat"))
        await said(session, b"up")
        assert await backend.sessions() == [session]


async def test_sessions_of_others_are_never_touched(place: TmuxPlace, tmp_path: Path) -> None:
    async with running(place.backend(look_every=0.05)) as backend:
        tmux(place, "new-session", "-d", "-s", "private", "cat")
        tmux(place, "new-session", "-d", "-s", "V-9~1", "cat")
        session = await open_reader(backend, "V-9~1", tmp_path / "kept")
        assert await backend.sessions() == [session]
        await session.stop(0.5)
        await session.close()
        await backend.forget(session.agent_id)
    async with running(place.backend()) as backend:
        assert await backend.sessions() == []
    assert tmux(place, "list-sessions", "-F", "#{session_name}").split() == ["V-9~1", "hub", "private"]
    assert "0" in tmux(place, "list-panes", "-t", "=private:", "-F", "#{pane_dead}")


async def test_a_closed_pane_is_noticed_by_its_agents_end(
    backend: TmuxBackend, place: TmuxPlace, tmp_path: Path
) -> None:
    session = await open_reader(backend, "H-9~1", tmp_path / "kept")
    tmux(place, "kill-pane", "-t", f"={session.session_id}:")
    assert await exit_of(session, within=2) is None
    assert session.lost == "its pane was closed"
    await session.close()


async def test_what_people_do_to_a_session_is_noticed(place: TmuxPlace, tmp_path: Path) -> None:
    async with running(place.backend(look_every=0.05)) as backend:
        closed, killed, deaf, split, respawned = [
            await open_reader(backend, f"H-{i}~1", tmp_path / f"kept{i}", *options)
            for i, options in enumerate([(), (), ("--ignore",), ("--ignore",), ()])
        ]
        tmux(place, "kill-pane", "-t", f"={closed.session_id}:")
        tmux(place, "kill-session", "-t", f"={killed.session_id}")
        tmux(place, "kill-session", "-t", f"={deaf.session_id}")
        tmux(place, "split-window", "-t", f"={split.session_id}:", "cat")
        tmux(place, "kill-pane", "-t", f"={split.session_id}:0.0")
        tmux(place, "respawn-pane", "-k", "-t", f"={respawned.session_id}:", "cat")
        gone = (closed, killed, deaf, split, respawned)
        for session in gone:
            await exit_of(session)
        assert all("pane" in (session.lost or "") for session in gone if session is not respawned)
        assert respawned.lost or respawned.exit
        with pytest.raises(SessionGone):
            await respawned.type(DeliveryId("1"), "into somebody's cat")
        for session in gone:
            assert session.pid is not None
            await session.stop(0.1)
            assert not is_alive(session.pid)

    async with running(place.backend()) as second:
        adopted = {session.agent_id: session for session in await second.sessions()}
        assert set(adopted) == {"H-3~1", "H-4~1"}
        assert all(session.lost is not None for session in adopted.values())
        for session in adopted.values():
            await session.close()
        assert await second.sessions() == []


async def test_secrets_of_the_daemon_reach_neither_server_nor_agents(
    place: TmuxPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAR_API_KEY", "lin-secret")
    monkeypatch.setenv("TMUX", "/elsewhere,1,0")
    async with running(place.backend()) as backend:
        session = await backend.open(spec("V-10~1", "sh", "-c", "echo up; exec cat"))
        await said(session, b"up")
        assert backend.server is not None
        assert backend.control.pid is not None
        for pid in (backend.server.pid, backend.control.pid, session.pid):
            assert b"lin-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert "lin-secret" not in tmux(place, "show-environment", "-g")
        assert "lin-secret" not in tmux(place, "show-environment", "-t", f"={session.session_id}")
        assert b"TMUX" not in Path(f"/proc/{session.pid}/environ").read_bytes()


async def test_what_a_killed_daemon_left_is_swept(place: TmuxPlace) -> None:
    place.state_dir.mkdir()
    async with running(place.backend(look_every=0.02)) as backend:
        old, young = place.state_dir / "launch" / "old.sh", place.state_dir / "launch" / "young.sh"
        young.write_text("SECRET=1")
        old.write_text("SECRET=1")
        os.utime(old, (1, 1))
        with trio.fail_after(5):
            while old.exists():  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert young.exists()
        tmux(place, "set-buffer", "-b", "operator-left", "prompt", ";", "set-buffer", "-b", "mine", "text")
        assert backend.server is not None
    async with running(place.backend()):
        assert tmux(place, "list-buffers", "-F", "#{buffer_name}").split() == ["mine"]


async def test_a_folder_that_others_can_write_holds_no_socket(
    place: TmuxPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "operator").mkdir()
    (tmp_path / "operator").chmod(0o777)
    with pytest.raises(BackendError, match="only you can write"):
        await TmuxBackend(place.state_dir, program=TMUX).run()


async def test_another_environment_does_not_hide_the_server(
    place: TmuxPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = place.state_dir.parent / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    async with running(place.backend(socket=None)) as first:
        session = await open_reader(first, "V-11~1", tmp_path / "kept")
        assert first.socket.parent == runtime / "operator"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    async with running(place.backend(socket=None)) as second:
        assert [adopted.pid for adopted in await second.sessions()] == [session.pid]


async def test_tmux_that_is_missing_is_said(place: TmuxPlace) -> None:
    with pytest.raises(BackendError, match="not installed") as raised:
        await place.backend(program="no-such-tmux").run()
    assert raised.value.hint
    with pytest.raises(BackendError, match="does not run"):
        await place.backend().open(spec("V-12~1", "cat"))


async def test_the_backend_runs_again_after_a_crash_with_the_same_sessions(place: TmuxPlace, tmp_path: Path) -> None:
    backend = place.backend()
    async with running(backend):
        session = await open_reader(backend, "V-13~1", tmp_path / "kept")
    async with running(backend):
        assert await backend.sessions() == [session]
        await session.type(DeliveryId("1"), "x")
        await said(session, b"total")
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        assert await exit_of(session) == ExitStatus(signal=9)


async def test_two_hundred_sessions_are_adopted(place: TmuxPlace) -> None:
    wanted = {AgentId(f"M-{i}~1") for i in range(200)}
    async with running(place.backend()) as first:
        for agent_id in wanted:
            await first.open(spec(agent_id, "cat"))
    async with running(place.backend()) as second:
        with trio.fail_after(2):
            adopted = await second.sessions()
        assert {session.agent_id for session in adopted} == wanted
        assert all(session.exit is None and session.lost is None for session in adopted)
