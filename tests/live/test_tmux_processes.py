"""Telling processes apart: by number, start and parent, whatever they call themselves."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from supervisor.adapters.sessions.processes import Family, end, ended, look_at, look_at_all
from supervisor.domain.errors import BackendError


@contextmanager
def child(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_the_end_of_a_child_is_waited_for() -> None:
    with child("sleep", "100") as process, trio.fail_after(5):
        with trio.move_on_after(0.05) as scope:
            await ended(process.pid, parent=os.getpid())
        assert scope.cancelled_caught
        process.kill()
        await ended(process.pid, parent=os.getpid())


async def test_a_number_that_is_somebody_elses_by_now_is_not_waited_for() -> None:
    with child("sleep", "100") as process, trio.fail_after(1):
        await ended(process.pid, parent=1)
    with trio.fail_after(1):
        await ended(process.pid, parent=os.getpid())


async def test_whoever_got_an_agents_number_is_let_alone() -> None:
    with child("sh", "-c", "sleep 100; :") as process:
        now = look_at(process.pid)
        assert now is not None
        for family in (Family(process.pid, now.start - 1), Family(process.pid, None)):
            assert family.members() == []
            assert not family.worked()
            await end(family, 0.01)
        assert process.poll() is None
        ours = Family(process.pid, now.start)
        assert process.pid in {member.pid for member in ours.members()}
        await end(ours, 1)
        assert process.wait() == -1


def test_strangers_are_never_members() -> None:
    with child("sleep", "100") as process:
        now = look_at(process.pid)
        assert now is not None
        assert Family(process.pid, now.start, frozenset({process.pid})).members() == []
    me = look_at(os.getpid())
    assert me is not None
    assert os.getpid() not in {member.pid for member in Family(me.pid, me.start).members()}


def test_any_name_can_be_read(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    name = tmp_path / "a) R 1 (b\n"
    shutil.copy(sleep, name)
    with child(str(name), "100") as process:
        found = look_at(process.pid)
        assert found is not None
        assert (found.parent, found.session) == (os.getpid(), process.pid)
        assert look_at_all()[process.pid].key == found.key


async def test_who_cannot_be_ended_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.adapters.sessions.processes.KILL_PATIENCE", 0.01)
    monkeypatch.setattr("signal.pidfd_send_signal", lambda handle, number: None)
    with child("sleep", "100") as process:
        now = look_at(process.pid)
        assert now is not None
        with pytest.raises(BackendError, match=str(process.pid)):
            await end(Family(process.pid, now.start), 0.01)
