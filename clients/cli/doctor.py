"""`operator doctor`: whether this machine has what Operator needs. It changes nothing, and needs no daemon."""

import errno
import os
import re
import select
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Literal

from attrs import frozen

from clients.api.errors import ApiError
from clients.api.locate import read_endpoint
from clients.cli import marks
from clients.cli.config import doubtful
from clients.cli.init import AGENTS
from clients.cli.options import COMMON, DONE, REFUSED, Common, ask, show, state_dir
from clients.cli.service import Manager, linger_notes
from clients.cli.terminal import Terminal
from clients.cli.text import clean
from clients.cli.units import DAEMON, SOCKETS
from supervisor import configfile
from supervisor.domain.config import Config, DaemonConfig
from supervisor.domain.errors import ConfigError

VERSION_WITHIN: Final = 10.0
"""Seconds that a program may take to say its version; agent CLIs written in JavaScript take one on a cold disk."""
_SAID_LIMIT: Final = 4096
"""Bytes; who says more does not say its version."""
_BACKPORT: Final = "sudo apt-get install -t bookworm-backports tmux  # with those among apt's sources"
_GB: Final = 1024**3
_MARKS: Final = {"ok": marks.DONE, "warn": marks.NEEDS_YOU, "fail": marks.FAILED}

Level = Literal["ok", "warn", "fail"]


@frozen
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    says: str
    mend: str = ""
    """The command that mends it, or what to do."""


def doctor(*, common: Common = COMMON) -> int:
    """See whether this machine has what Operator needs; what is wrong comes with the command that mends it.

    For example: operator doctor --json
    """
    found = list(examine(common))
    failed = any(check.level == "fail" for check in found)
    show(common, {"ok": not failed, "checks": found}, partial(_told, found))
    return REFUSED if failed else DONE


def examine(common: Common) -> Iterator[Check]:
    """All checks, one after the other."""
    yield python()
    checked, config = configuration(common)
    yield tmux(config.sessions.backend)
    yield git()
    yield checked
    try:
        folder = state_dir(common)
    except configfile.NoConfig:
        return  # said above; where the state is cannot be known
    yield state(folder)
    yield daemon(folder, common)
    yield disk(folder)
    for key in ("port", "stream_port"):
        yield port(config.daemon, key, folder)
    yield from agents()
    yield inotify()
    yield from service()


# --- programs ---------------------------------------------------------------------------------------


def python() -> Check:
    version = sys.version.split()[0]
    if not (3, 11) <= sys.version_info < (3, 14):
        return Check("python", "fail", f"Python {version} is not one of 3.11 to 3.13.", "Install one, then Operator.")
    if sys.dont_write_bytecode:
        says = f"Python {version} may keep no compiled code, so that every start takes more than twice as long."
        return Check("python", "warn", says, "unset PYTHONDONTWRITEBYTECODE")
    return Check("python", "ok", f"Python {version}, {sys.executable}")


def tmux(backend: str) -> Check:
    path = shutil.which("tmux")
    if backend == "vscode" or (backend == "auto" and path is None):
        return Check("tmux", "ok", "tmux is not needed: each agent has a pty host of its own.")
    if path is None:
        return Check("tmux", "fail", "tmux is not on PATH.", "sudo apt-get install tmux")
    said = version_of(path, "-V")
    found = re.search(r"(\d+)\.(\d+)([a-z]?)", said or "")
    if found is None and "master" not in (said or ""):
        return Check("tmux", "fail", f"{path} does not say its version.", f"{path} -V")
    version = (int(found[1]), int(found[2]), found[3]) if found else (99, 0, "")
    if version < (3, 3, "a"):
        return Check("tmux", "fail", f"{said} is too old: 3.3a is needed.", _newer_tmux())
    if version < (3, 5, ""):
        says = f"{said} works, but loses the exit status of some agents until Operator asks again; 3.5a does not."
        return Check("tmux", "warn", says, _newer_tmux())
    return Check("tmux", "ok", f"{said}, {path}")


def _newer_tmux() -> str:
    try:
        bookworm = "VERSION_CODENAME=bookworm" in Path("/etc/os-release").read_text("utf-8").splitlines()
    except OSError:
        bookworm = False
    return _BACKPORT if bookworm else "Install tmux 3.5a or newer."


def git() -> Check:
    path = shutil.which("git")
    if path is None:
        return Check("git", "fail", "git is not on PATH.", "sudo apt-get install git")
    said = version_of(path, "--version")
    found = re.search(r"(\d+)\.(\d+)", said or "")
    if found is None:
        return Check("git", "fail", f"{path} does not say its version.", f"{path} --version")
    if (int(found[1]), int(found[2])) < (2, 36):
        return Check("git", "fail", f"{said} is too old: 2.36 is needed.", "sudo apt-get install git")
    return Check("git", "ok", f"{said}, {path}")


def agents() -> Iterator[Check]:
    """The agent CLIs on PATH, asked all at once."""
    paths = {known.name: path for known in AGENTS if (path := shutil.which(known.name)) is not None}
    with ThreadPoolExecutor(max_workers=len(AGENTS)) as pool:
        said = dict(zip(paths, pool.map(version_of, paths.values()), strict=True))
    for name, path in paths.items():
        version = said[name]
        if version is None:
            yield Check(name, "warn", f"{path} is there, but does not say its version.", f"{path} --version")
        else:
            yield Check(name, "ok", f"{version}, {path}")
    if not paths:
        names = ", ".join(known.name for known in AGENTS)
        yield Check("agents", "warn", f"None of {names} is on PATH.", "Install one, or configure another command.")


def version_of(path: str, option: str = "--version") -> str | None:
    """The first line of what a program says of its version; None if it fails or takes too long."""
    with tempfile.TemporaryDirectory(prefix="operator-doctor-") as nowhere:
        try:
            process = subprocess.Popen(
                [path, option],
                cwd=nowhere,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return None
        try:
            said = _said(process)
        finally:
            _end_group(process)
    line = clean(said.decode("utf-8", "replace").strip().partition("\n")[0])
    return line[:80] or None


def _said(process: "subprocess.Popen[bytes]") -> bytes:
    """The beginning of what it says until it ends well; nothing if it does not."""
    until = time.monotonic() + VERSION_WITHIN
    assert process.stdout is not None
    said = b""
    while select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(process.stdout.fileno(), 4096)
        said += piece
        if not piece or len(said) > _SAID_LIMIT:
            break
    if len(said) > _SAID_LIMIT:
        return b""
    try:
        return said if process.wait(max(0.0, until - time.monotonic())) == 0 else b""
    except subprocess.TimeoutExpired:
        return b""


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever it started; it is in a group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of it has ended by itself
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


# --- configuration and state ------------------------------------------------------------------------


def configuration(common: Common) -> tuple[Check, Config]:
    """The configuration, checked; the default one where there is none that can be read."""
    try:
        path = configfile.find_config(common.config)
        config = configfile.load_config(path).config
    except ConfigError as error:
        wrong = "; ".join(f"{clean(key)}: {clean(text)}" for key, text in error.fields.items())
        return Check("config", "fail", f"{clean(error.message)}: {wrong}", "operator config check"), Config()
    except configfile.NoConfig as error:
        return Check("config", "fail", f"{clean(str(error))}.", "operator init"), Config()
    if path is None:
        return Check(
            "config", "warn", "There is no operator.toml: no ticket would be taken up.", "operator init"
        ), config
    doubts = [f"{key}: {text}" for key, text in doubtful(config)]
    if doubts:
        return Check("config", "warn", f"{path}: {clean('; '.join(doubts))}.", "operator config check"), config
    return Check("config", "ok", f"{path} is valid."), config


def state(folder: Path) -> Check:
    quoted = shlex.quote(str(folder))
    try:
        found = folder.stat()
    except FileNotFoundError:
        above = _existing(folder)
        if not os.access(above, os.W_OK | os.X_OK):
            return Check("state", "fail", f"{folder} is not there, and {above} cannot be written.", f"ls -ld {above}")
        return Check("state", "ok", f"{folder} is made at the first start.")
    except OSError as error:
        return Check("state", "fail", f"{folder} cannot be looked at: {error.strerror}.", f"ls -ld {quoted}")
    if not stat.S_ISDIR(found.st_mode):
        return Check("state", "fail", f"{folder} is no folder.", f"mv {quoted} {quoted}.old")
    if found.st_uid != os.geteuid():
        return Check("state", "fail", f"{folder} belongs to another user.", f"sudo chown -R $(id -un) {quoted}")
    secrets = [folder / name for name in ("token", "operator.db") if (folder / name).exists()]
    # That the group may pass through is how agents that run as another user reach what is theirs.
    open_ones = [folder] if found.st_mode & 0o067 else []
    open_ones += [path for path in secrets if path.stat().st_mode & 0o077]
    if open_ones:
        names = ", ".join(map(str, open_ones))
        return Check("state", "fail", f"Others can reach {names}.", f"chmod go-rwx {shlex.join(map(str, open_ones))}")
    return Check("state", "ok", f"{folder} is yours alone.")


def daemon(folder: Path, common: Common) -> Check:
    """Who holds the state directory, and whether that one answers."""
    holder = lock_holder(folder / "lock")
    if holder is None:
        return Check("daemon", "ok", "No daemon runs on it; start one with: operator serve")
    try:
        health = ask(common, lambda client: client.health())
    except (ApiError, configfile.NoConfig) as error:
        says = f"The daemon (process {holder}) holds it and does not answer: {clean(str(error))}"
        return Check("daemon", "fail", says, f"kill {holder}")
    return Check("daemon", "ok", f"Operator {clean(health.version)} runs on it, process {holder}.")


def lock_holder(path: Path) -> int | None:
    """The process that holds a lock on a file, as the kernel lists it: trying it could be in a daemon's way."""
    try:
        found = path.stat()
        listed = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in listed:
        words = line.split()
        if "FLOCK" in words and wanted in words:
            return int(words[words.index("FLOCK") + 3])
    return None


def disk(folder: Path) -> Check:
    try:
        found = os.statvfs(_existing(folder))
    except OSError as error:
        return Check("disk", "fail", f"The disk of {folder} cannot be looked at: {error.strerror}.", f"df {folder}")
    free = found.f_bavail * found.f_frsize
    largest = f"du -xh --max-depth=2 {shlex.quote(str(folder))} | sort -h | tail"
    says = f"{free / _GB:.1f} GB are free for state and worktrees"
    if free < _GB // 4 or (found.f_files and found.f_favail < 1000):
        return Check("disk", "fail", f"{says}, {found.f_favail} files.", largest)
    if free < 2 * _GB:
        return Check("disk", "warn", f"{says}: a few worktrees may fill it.", largest)
    return Check("disk", "ok", f"{says}.")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


# --- the machine ------------------------------------------------------------------------------------


def port(config: DaemonConfig, key: str, folder: Path) -> Check:
    """Whether a port is free, or ours already."""
    number = int(getattr(config, key))
    where, named = f"{config.host}:{number}", key.replace("_", " ")
    endpoint = read_endpoint(folder)
    ours = endpoint is not None and lock_holder(folder / "lock") is not None
    url = "" if endpoint is None else endpoint.url if key == "port" else endpoint.stream_url
    if ours:
        return Check(key, "ok", f"The daemon's {named} is {url.rpartition(':')[2]}.")
    if number == 0:
        return Check(key, "ok", f"The {named} is any that is free.")
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        socket.create_server((config.host, number), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _of_service(key):
            return Check(key, "ok", f"systemd holds {where} for the daemon.")
        says = f"{where} cannot be listened on: {error.strerror or error}."
        return Check(key, "fail", says, f"ss -ltnp 'sport = :{number}'")
    return Check(key, "ok", f"{where} is free.")


def _of_service(key: str) -> bool:
    unit = SOCKETS[0] if key == "port" else SOCKETS[2]
    for manager in (Manager(False), Manager(True)):
        if (manager.folder / unit).exists() and manager.runs and manager.shows(unit).get("ActiveState") == "active":
            return True
    return False


def inotify() -> Check:
    """Whether files can be watched, and how much room there is for it."""
    from asyncinotify import Inotify

    mend = "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"
    try:
        Inotify(sync_timeout=0).close()
    except OSError as error:
        return Check("inotify", "fail", f"No more files can be watched: {error.strerror}.", mend)
    try:
        limits = [
            int(Path("/proc/sys/fs/inotify", name).read_text()) for name in ("max_user_instances", "max_user_watches")
        ]
    except (OSError, ValueError):
        return Check("inotify", "ok", "Files can be watched.")
    says = f"{limits[0]} programs can watch {limits[1]} files"
    if limits[0] < 128 or limits[1] < 8192:
        return Check("inotify", "warn", f"{says}: editors and agents may use that up.", mend)
    return Check("inotify", "ok", f"{says}.")


def service() -> Iterator[Check]:
    """The installed service, if there is one."""
    for manager in (Manager(False), Manager(True)):
        if not (manager.folder / DAEMON).exists():
            continue
        control = " ".join(manager.control)
        flag = " --system" if manager.system else ""
        if not manager.runs:
            yield Check(
                "service", "warn", f"{manager.folder} has units, and systemd does not run here.", "operator serve"
            )
            continue
        found = manager.shows(DAEMON)
        active = found.get("ActiveState", "unknown")
        says = f"{DAEMON} is {active}, restarted {found.get('NRestarts') or '0'} times."
        mend = f"{control} reset-failed 'operator*'; operator service install{flag}"
        yield Check("service", "ok" if active == "active" else "fail", says, "" if active == "active" else mend)
        for note in linger_notes(manager):
            says, _, command = note.rpartition(": ")
            yield Check("linger", "warn", f"{says[:1].upper()}{says[1:]}.", command)


def _told(found: list[Check], out: Terminal) -> str:
    lines = []
    for check in found:
        lines.append(f"{out.mark(_MARKS[check.level])} {check.name:<12} {check.says}")
        if check.mend:
            lines.append(f"{'':<15}{out.paint('attention', check.mend)}")
    return "\n".join(lines)
