"""`operator service install --system` on a machine's systemd of the test's own: two users, one of them the agents'."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from clients.cli.units import DAEMON, SYSTEM_STATE, TMUX
from tests.fakes.manager import OwnSystemd, own_systemd, why_not
from tests.harness import ROOT, Place
from tests.live.test_notify import free_port

IN_TMP = any(ROOT.is_relative_to(folder) for folder in ("/tmp", "/var/tmp"))


def closed() -> str | None:
    """Which folder keeps other users from this source tree."""
    found = [each for root in (ROOT, Path(sys.prefix)) for each in root.parents if not each.stat().st_mode & 0o001]
    return f"other users cannot enter {found[0]}" if found else None


pytestmark = pytest.mark.skipif((missing := why_not() or closed()) is not None, reason=missing or "")

WORK = "/var/lib/work"
SETUP = """
set -eu
useradd --system --user-group --home-dir /var/lib/operator-agents --shell /bin/bash operator-agents
mkdir -m 755 {work} /etc/operator {work}/logs
mkdir -p /etc/systemd/system/operator.service.d
cat >/etc/systemd/system/operator.service.d/test.conf <<END
[Service]
PrivateTmp={private_tmp}
Environment=PYTHONPATH={root}
StandardError=append:{work}/logs/daemon
END
install -m 644 {config} /etc/operator/operator.toml
umask 007
for folder in repo journals board board/queue; do
    install -d -m 2770 -o operator-agents -g operator-agents {work}/$folder
done
cd {work}/repo
as() {{ HOME=/ setpriv --reuid operator-agents --regid operator-agents --clear-groups "$@"; }}
as git init -q -b main
as git -c user.name=T -c user.email=t@localhost commit -q --allow-empty -m Begin
"""


class House:
    """The machine of the test: what its root sees and does."""

    def __init__(self, manager: OwnSystemd) -> None:
        self.manager = manager

    def root(self, script: str, check: bool = True) -> str:
        return self.manager.run("bash", "-c", script, check=check).stdout

    def operator(self, *words: str, check: bool = True) -> str:
        where = () if words[0] == "service" else ("--state-dir", str(SYSTEM_STATE))
        done = self.manager.run(sys.executable, "-m", "clients.cli.main", *words, *where, check=check)
        return done.stdout

    def ticket(self, name: str, *script: str) -> None:
        lines = "".join(f"rehearse: {line}\\n" for line in script)
        text = f"---\\nid: {name}\\ntype: TASK\\ntitle: {name}\\n---\\nPlease.\\n\\n{lines}"
        queue = f"{WORK}/board/queue"
        self.root(f"umask 007; printf -- '{text}' >{queue}/{name}.tmp; mv {queue}/{name}.tmp {queue}/{name}.md")

    def pid(self, unit: str) -> int:
        return int(self.manager.show(unit, "MainPID"))

    async def until(self, ticket: str, status: str) -> dict[str, Any]:
        with trio.move_on_after(30):
            while True:
                said = await trio.to_thread.run_sync(lambda: self.operator("ticket", "list", "--json", check=False))
                found = {each["id"]: each for each in json.loads(said or "{}").get("tickets", ())}
                if found.get(ticket, {}).get("status") == status:
                    return dict(found[ticket])
                await trio.sleep(0.1)
        raise AssertionError(self.root(f"tail -c 3000 {WORK}/logs/daemon"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    place = Place()
    text = place.config.read_text()
    place.close()
    text = text.replace("port = 0\nstream_port = 0", f"port = {free_port()}\nstream_port = {free_port()}")
    text = text.replace('path = "repo"', f'path = "{WORK}/repo"').replace('path = "board"', f'path = "{WORK}/board"')
    text = text.replace('quit = "/exit"', f'quit = "/exit"\nenv = {{ REHEARSAL_JOURNAL = "{WORK}/journals/" }}')
    config = tmp_path / "operator.toml"
    config.write_text(text)
    with own_systemd(system=True, PYTHONPATH=str(ROOT)) as manager:
        made = House(manager)
        made.root(SETUP.format(work=WORK, config=config, root=ROOT, private_tmp="no" if IN_TMP else "yes"))
        yield made


async def test_agents_of_another_user_work_commit_and_are_ended(house: House) -> None:
    house.ticket("TASK-1", "write sub/hello.txt Hello", "commit Say hello", "run id -un >who; umask >>who; env >vars")
    house.ticket("TASK-2", "refuse", "hang forever")
    house.operator("service", "install", "--system")
    await house.until("TASK-1", "done")
    worktree = f"{SYSTEM_STATE}/worktrees/repo/TASK-1"
    assert house.root(f"cat {worktree}/who").split() == ["operator-agents", "0007"]
    variables = house.root(f"cat {worktree}/vars").splitlines()
    assert "HOME=/var/lib/operator-agents" in variables
    assert "USER=operator-agents" in variables
    assert not [each for each in variables if each.startswith(("NOTIFY_SOCKET", "LISTEN_", "STATE_DIRECTORY"))]
    log = house.root(f"cd {WORK}/repo; git -c safe.directory=* log --format=%s operator/TASK-1")
    assert log.splitlines() == ["Say hello", "Begin"]
    assert "Hello" in house.operator("agent", "diff", "TASK-1")

    # A restart spares what still works; then the daemon ends another user's process, which refuses all but KILL.
    await house.until("TASK-2", "running")
    journal = house.root(f"head -n1 {WORK}/journals/TASK-2.jsonl")
    agent = json.loads(journal)["pid"]
    assert "/operator-tmux.service" in house.root(f"cat /proc/{agent}/cgroup")
    house.manager.run(*house.manager.control, "restart", DAEMON)
    assert house.root(f"kill -0 {agent} && echo alive") == "alive\n"
    house.operator("ticket", "cancel", "TASK-2")
    await house.until("TASK-2", "cancelled")
    with trio.fail_after(20):
        while "signal 9" not in house.operator("agent", "history", "TASK-2"):  # noqa: ASYNC110
            await trio.sleep(0.1)
    # What agents wrote is the daemon's to remove.
    house.operator("ticket", "clean", "TASK-1")
    assert house.root(f"ls {SYSTEM_STATE}/worktrees/repo").split() == ["TASK-2"]


async def test_what_each_of_the_two_users_may(house: House) -> None:
    house.operator("service", "install", "--system")
    for unit, owner in ((DAEMON, "operatord"), (TMUX, "operator-agents")):
        assert house.root(f"stat -c %U /proc/{house.pid(unit)}") == f"{owner}\n"
    capabilities = dict(
        line.split(":\t") for line in house.root(f"grep ^Cap /proc/{house.pid(DAEMON)}/status").splitlines()
    )
    assert (int(capabilities["CapEff"], 16), int(capabilities["CapAmb"], 16)) == (1 << 5, 0), "CAP_KILL, for no child"
    secret = [f"{SYSTEM_STATE}/{name}" for name in ("token", "operator.db", "exports", "worktrees/.operator")]
    as_agent = "setpriv --reuid operator-agents --regid operator-agents --clear-groups"
    for path in secret:
        assert house.root(f"{as_agent} ls {path}/ 2>/dev/null || {as_agent} cat {path} 2>/dev/null", check=False) == ""
    assert house.root(f"{as_agent} ls {SYSTEM_STATE}", check=False) == "", "they pass through it, and see nothing"
    socket = house.root("ls /run/operator-tmux/*.tmux").strip()
    listed = f"tmux -S {socket} list-sessions"
    for user, may in (("operatord", True), ("games", False)):
        group = "operator-agents" if user == "operatord" else "games"
        as_user = f"setpriv --reuid {user} --regid {group} --clear-groups"
        assert bool(house.root(f"{as_user} {listed} 2>/dev/null", check=False)) is may
