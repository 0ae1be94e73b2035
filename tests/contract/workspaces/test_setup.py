"""What every `Workspaces` keeps: an agent finds its worktree copied into and set up, or is not started."""

import os
import signal
import stat
from pathlib import Path

import pytest
import trio

from supervisor.domain.durations import Duration
from tests.contract.workspaces.rig import ENG, alive, commit, refused, rig_for


async def test_files_are_copied_with_their_mode_before_the_set_up_runs(tmp_path: Path, repository: Path) -> None:
    (repository / ".env").write_text("SECRET=1\n")
    (repository / ".env").chmod(0o600)
    (repository / "conf").mkdir()
    (repository / "conf/local.ini").write_text("a = b\n")
    rig = rig_for(
        tmp_path,
        repository,
        copy=(".env", "conf/local.ini"),
        setup='cat .env conf/local.ini > seen.log; pwd > where.log; echo "$OPERATOR_TICKET" > ticket.log',
    )
    made = await rig.workspaces.prepare("api", ENG)
    at = Path(made.path)
    assert (at / "seen.log").read_text() == "SECRET=1\na = b\n"
    assert (at / "where.log").read_text().strip() == made.path
    assert (at / "ticket.log").read_text() == "ENG-12\n"
    assert stat.S_IMODE((at / ".env").stat().st_mode) == 0o600


async def test_what_copying_and_set_up_leave_is_not_the_agents_work(tmp_path: Path, repository: Path) -> None:
    (repository / "local.ini").write_text("a = b\n")
    rig = rig_for(tmp_path, repository, copy=("local.ini",), setup="echo two >> app.py; echo made > made.txt")
    made = await rig.workspaces.prepare("api", ENG)
    assert (await rig.workspaces.status(made)).dirty is False
    Path(made.path, "made.txt").write_text("the agent's")
    assert (await rig.workspaces.status(made)).dirty is True


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../secret", "inside"),
        ("/etc/passwd", "inside"),
        ("link", "regular file"),
        ("linked/secret", "symbolic link"),
        ("folder", "regular file"),
        ("pipe", "regular file"),
        ("missing", "not there"),
        (".git/config", "inside"),
        ("", "inside"),
    ],
)
async def test_only_regular_files_of_the_repository_are_copied(
    tmp_path: Path, repository: Path, name: str, why: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (tmp_path / "secret").write_text("s")
    (repository / "link").symlink_to(outside / "secret")
    (repository / "linked").symlink_to(outside)
    (repository / "folder").mkdir()
    os.mkfifo(repository / "pipe")
    rig = rig_for(tmp_path, repository, copy=(name,))
    assert why in (await refused(rig)).message


async def test_a_link_in_the_worktree_does_not_lead_a_copy_out(tmp_path: Path, repository: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repository / "conf").symlink_to(outside)
    commit(repository, "x", "x")
    (repository / "conf").unlink()
    (repository / "conf").mkdir()
    (repository / "conf/local.ini").write_text("a\n")
    await refused(rig_for(tmp_path, repository, copy=("conf/local.ini",)))
    assert os.listdir(outside) == []


async def test_a_set_up_that_fails_says_its_last_lines_and_runs_again(tmp_path: Path, repository: Path) -> None:
    rig = rig_for(
        tmp_path,
        repository,
        setup="seq 1 50; echo 'no \033[31msuch\033[0m target' >&2; test -e ../../../../go || exit 7",
    )
    error = await refused(rig)
    assert "exit 7" in error.message
    assert "50 | no such target" in error.message
    assert "\033" not in error.message
    log = Path(error.hint.split("is in ")[1].split(". It")[0])
    assert log.read_text().startswith("1\n2\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    (tmp_path / "go").write_text("")
    again = await rig.again().workspaces.prepare("api", ENG)
    assert again.created is True
    assert (await rig.again().workspaces.prepare("api", ENG)).created is False


async def test_a_set_up_that_hangs_is_ended_with_all_it_started(tmp_path: Path, repository: Path) -> None:
    hang = (
        "trap '' TERM; (trap '' TERM; echo $BASHPID > a.log; exec sleep 600) & "
        "setsid bash -c 'echo $$ > b.log; exec sleep 600' & echo begun; sleep 600; sleep 600"
    )
    (repository / "hang.sh").write_text(hang)
    commit(repository, "x", "x")
    rig = rig_for(tmp_path, repository, setup="exec bash hang.sh", setup_timeout=Duration(1.0))
    error = await refused(rig)
    assert "did not end within 1 s" in error.message
    assert "begun" in error.message
    for name in ("a.log", "b.log"):
        pid = int(next((tmp_path / "state/worktrees/api/ENG-12").glob(name)).read_text())
        assert not alive(pid)


async def test_what_a_set_up_leaves_running_goes_on_and_does_not_hold_it_up(tmp_path: Path, repository: Path) -> None:
    rig = rig_for(tmp_path, repository, setup="sleep 300 & echo $! > pid.log; echo done")
    with trio.fail_after(30):
        made = await rig.workspaces.prepare("api", ENG)
    pid = int(Path(made.path, "pid.log").read_text())
    try:
        assert alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_a_set_up_that_talks_without_end_is_kept_short(tmp_path: Path, repository: Path) -> None:
    rig = rig_for(tmp_path, repository, setup="head -c 20000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 3")
    error = await refused(rig)
    assert "the end" in error.message
    log = Path(error.hint.split("is in ")[1].split(". It")[0])
    assert log.stat().st_size < 1_300_000
    assert log.read_text().endswith("the end\n")


async def test_a_cancelled_set_up_is_ended_and_finished_by_the_next_prepare(tmp_path: Path, repository: Path) -> None:
    rig = rig_for(
        tmp_path, repository, setup='cd "$OPERATOR_PROJECT_PATH"; test -e go || { echo $$ > pid; sleep 600; }'
    )
    os.mkfifo(repository / "pid")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.workspaces.prepare, "api", ENG)
        with trio.fail_after(20):
            pid = int(await trio.to_thread.run_sync((repository / "pid").read_text, abandon_on_cancel=True))
        nursery.cancel_scope.cancel()
    assert not alive(pid)
    (repository / "go").write_text("")
    assert (await rig.again().workspaces.prepare("api", ENG)).created is True
