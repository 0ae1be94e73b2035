"""A real systemd of the test's own: its own mounts, its own branch of the cgroup tree, nothing of the machine's.

The user's manager runs as root with a HOME and runtime folder of its own. The system's is process 1 of a process
namespace; /etc is an overlay, /var/lib and /run are its own, and /proc/sys is read-only. Both need root and a writable
cgroup v2 tree, and are certainly gone afterwards: the kernel kills all that is in their cgroup.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

SYSTEMD = Path("/lib/systemd/systemd")
READY = 20.0
_TARGETS = (
    *("sysinit", "basic", "sockets", "timers", "paths", "slices", "default", "multi-user", "shutdown", "umount"),
    *("local-fs", "network", "exit", "final", "initrd-switch-root"),
)

_USER = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
{cgroup}
exec {systemd} --user --unit=default.target --log-target=console --log-level=notice
"""

_SYSTEM = """
set -eu
mount --make-rprivate /
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t overlay overlay -o lowerdir=/etc,upperdir={root}/etc,workdir={root}/etc.work /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /run/systemd/system
{reach}
{cgroup}
export container=test
exec {systemd} --system --unit=default.target --log-target=console --log-level=notice
"""

_CGROUP = """
umount -l /sys/fs/cgroup || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
"""

_REACH = """
mkdir -p {root}/kept
mount --bind {prefix} {root}/kept
mount -t tmpfs -o mode=755 tmpfs {closed}
mkdir -p {prefix}
mount --move {root}/kept {prefix}
"""
"""For Pythons in a closed home: the home is replaced by one that others may pass through, with that Python in it."""


def cgroup_tree() -> Path | None:
    """Where cgroup v2 is mounted and can be written, if it is."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(",") and os.access(where, os.W_OK):
            return Path(where)
    return None


def why_not() -> str | None:
    """Why no systemd of our own can be run here."""
    if os.geteuid() != 0:
        return "only root can run a systemd of its own"
    if not SYSTEMD.exists() or not all(map(shutil.which, ("systemctl", "unshare", "nsenter"))):
        return "systemd is not installed"
    if cgroup_tree() is None:
        return "no cgroup v2 tree can be written here"
    probe = subprocess.run(["unshare", "-mpCf", "true"], check=False, capture_output=True, text=True)
    return f"no namespaces can be made here: {probe.stderr.strip()}" if probe.returncode else None


@define(eq=False)
class OwnSystemd:
    """A manager that runs."""

    system: bool
    root: Path
    cgroup: Path
    env: dict[str, str]
    process: "subprocess.Popen[bytes]" = field(init=False)
    pid: int = field(init=False, default=0)

    @property
    def control(self) -> tuple[str, ...]:
        return ("systemctl", "--no-pager") if self.system else ("systemctl", "--user", "--no-pager")

    def run(
        self, *argv: str, check: bool = True, env: Mapping[str, str] | None = None, within: float = 60.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program where the manager lives."""
        inside = ("nsenter", "-t", str(self.pid), "-m", "-C", *(("-p", "-u") if self.system else ()), "--")
        done = subprocess.run(
            [*inside, *argv],
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr, self.log())
        return done

    def show(self, unit: str, name: str) -> str:
        return self.run(*self.control, "show", "--value", "-p", name, unit).stdout.strip()

    def log(self) -> str:
        return (self.root / "log").read_text(errors="replace")[-6000:]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        script = self._script()
        with (self.root / "log").open("ab") as log:
            unshared = ("unshare", "-m", "-C", *(("-p", "-f", "-u", "-i", "--mount-proc") if self.system else ()))
            enter = f'echo $$ > {self.cgroup}/cgroup.procs; exec {" ".join(unshared)} bash -c "$0"'
            self.process = subprocess.Popen(
                ["bash", "-c", enter, script], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + READY
        while True:
            self.pid = self._find()
            if self.pid and self.run(*self.control, "is-active", "default.target", check=False).returncode == 0:
                return
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    def _script(self) -> str:
        cgroup = _CGROUP
        if not self.system:
            return _USER.format(cgroup=cgroup, systemd=SYSTEMD)
        (self.root / "etc").mkdir()
        (self.root / "etc.work").mkdir()
        prefix = Path(sys.base_prefix)
        closed = next((p for p in reversed(prefix.parents) if not p.stat().st_mode & 0o001), None)
        reach = _REACH.format(root=self.root, prefix=prefix, closed=closed) if closed else ""
        return _SYSTEM.format(cgroup=cgroup, systemd=SYSTEMD, root=self.root, reach=reach)

    def _find(self) -> int:
        """The manager's process: the only one of its name in our cgroup."""
        for folder, _, files in os.walk(self.cgroup):
            if "cgroup.procs" in files:
                for pid in (Path(folder) / "cgroup.procs").read_text().split():
                    try:
                        if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                            return int(pid)
                    except OSError:
                        continue
        return 0

    def close(self) -> None:
        """Have the kernel end all that lives in its cgroup, and remove that."""
        (self.cgroup / "cgroup.kill").write_text("1")
        self.process.wait()
        until = time.monotonic() + 10
        while "populated 1" in (self.cgroup / "cgroup.events").read_text():
            assert time.monotonic() < until
            time.sleep(0.01)
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(folder)


@contextmanager
def own_systemd(system: bool, **environ: str) -> Iterator[OwnSystemd]:
    """A systemd while the body runs."""
    root = Path(tempfile.mkdtemp(prefix="op-", dir="/tmp"))
    root.chmod(0o755)
    tree = cgroup_tree()
    assert tree is not None
    cgroup = tree / root.name
    cgroup.mkdir()
    stubs, units = root / "units", root / "home" / ".config" / "systemd" / "user"
    for folder in (stubs, units):
        folder.mkdir(parents=True)
    for name in _TARGETS:
        (stubs / f"{name}.target").write_text(f"[Unit]\nDescription={name}\nDefaultDependencies=no\n")
    env = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(root / "home"),
        "LANG": "C.UTF-8",
        "SYSTEMD_UNIT_PATH": f"{'/etc/systemd/system' if system else units}:{stubs}",
        "SYSTEMD_GENERATOR_PATH": "/nonexistent",
        "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": "/nonexistent",
        **({} if system else {"XDG_RUNTIME_DIR": "/run/user/0"}),
        **environ,
    }
    made = OwnSystemd(system, root, cgroup, env)
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(root)
