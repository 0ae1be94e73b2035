"""`operator service`: have systemd keep the daemon, its sockets and its tmux server."""

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import App, Parameter

from clients.api.locate import read_endpoint
from clients.cli import marks, units
from clients.cli.init import write_whole
from clients.cli.options import COMMON, DONE, REFUSED, CliError, Common, show, state_dir
from clients.cli.terminal import Terminal
from clients.cli.text import clean
from supervisor import configfile
from supervisor.domain.config import Config

app = App(name="service", help="Have systemd keep the daemon, so that it starts with the machine and after a crash.")

WITHIN = 120.0
"""Seconds that one command may take: starting the daemon includes adopting its agents."""
SYSTEM_CONFIG = Path("/etc/operator/operator.toml")

System = Annotated[
    bool, Parameter(negative="", show_default=False, help="For the whole machine, with users of its own; as root.")
]


@frozen
class Manager:
    """A systemd that runs units: the machine's, or this user's."""

    system: bool

    @property
    def control(self) -> tuple[str, ...]:
        return ("systemctl",) if self.system else ("systemctl", "--user")

    @property
    def folder(self) -> Path:
        """Where units for it are installed."""
        if self.system:
            return Path("/etc/systemd/system")
        own = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return Path(own).expanduser() / "systemd" / "user"

    @property
    def runs(self) -> bool:
        return shutil.which("systemctl") is not None and not self.ask("show", "--property=Version")[0]

    def ask(self, *words: str) -> tuple[int, str]:
        """A question's exit code and answer."""
        done = _run((*self.control, "--no-pager", *words), 20.0)
        return done.returncode, done.stdout

    def shows(self, unit: str) -> dict[str, str]:
        """What it knows of a unit."""
        wanted = "LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,StatusText,Result"
        _, text = self.ask("show", f"--property={wanted}", unit)
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@app.command(sort_key=1)
def install(
    *,
    system: System = False,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show what would be written and run.")
    ] = False,
    user: Annotated[str, Parameter(help="With --system: whom the daemon runs as.")] = "operatord",
    agents_user: Annotated[str, Parameter(help="With --system: whom agents run as.")] = "operator-agents",
    common: Common = COMMON,
) -> int:
    """Write the units and start them. Once more: replace them, and restart the daemon; agents go on.

    For example: operator service install --dry-run
    """
    manager = Manager(system)
    site = survey(common, system, user, agents_user)
    files = {manager.folder / name: units.rendered(site, name) for name in units.UNITS}
    commands = [
        (*manager.control, "daemon-reload"),
        (*manager.control, "enable", *units.UNITS),
        (*manager.control, "start", units.TMUX),
        (*manager.control, "restart", *units.SOCKETS, units.DAEMON),
    ]
    if system:
        users = Path("/etc/sysusers.d/operator.conf")
        files = {users: units.rendered(site, "operator.sysusers"), **files}
        commands.insert(0, ("systemd-sysusers", str(users)))
    notes = [*linger_notes(manager), *site.notes]
    if not dry_run:
        _refuse_what_would_meet(manager, site)
        _carry_out(manager, files, commands)
    answer = {
        "files": {str(path): text for path, text in files.items()},
        "commands": [list(command) for command in commands],
        "notes": notes,
        "done": not dry_run,
    }
    if dry_run and not manager.runs:
        notes.append("systemd does not run here: without --dry-run this would be refused.")
    told = "Operator is installed and runs." if not dry_run else units.shown(files, commands)
    show(common, answer, lambda out: "\n".join([told, *(f"{out.paint('attention', 'note')} {each}" for each in notes)]))
    return DONE


@app.command(sort_key=2)
def status(*, system: System = False, common: Common = COMMON) -> int:
    """Print what systemd says of the units.

    For example: operator service status --json
    """
    manager = Manager(system)
    if not manager.runs:
        raise CliError("systemd does not run here.", "Run the daemon by hand: operator serve")
    found = {name: manager.shows(name) for name in units.UNITS}
    installed = (manager.folder / units.DAEMON).exists()
    answer = {"installed": installed, "units": found, "notes": linger_notes(manager) if installed else []}
    show(common, answer, lambda out: _told(found, installed, answer["notes"], out))
    return DONE if all(each.get("ActiveState") == "active" for each in found.values()) else REFUSED


@app.command(sort_key=3)
def uninstall(
    *,
    system: System = False,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False, help="Show what would be done.")] = False,
    end_agents: Annotated[
        bool, Parameter(negative="", show_default=False, help="End all agents and their tmux server, too.")
    ] = False,
    common: Common = COMMON,
) -> int:
    """Stop the daemon and remove the units. Agents go on until they end, or --end-agents ends them.

    For example: operator service uninstall --dry-run
    """
    manager = Manager(system)
    gone = [path for path in (manager.folder / name for name in units.UNITS) if path.exists()]
    if not gone:
        raise CliError("No service is installed.", "Install one: operator service install")
    stopped = [*units.SOCKETS, units.DAEMON, *([units.TMUX] if end_agents else [])]
    commands = [
        (*manager.control, "disable", *units.UNITS),
        (*manager.control, "stop", *stopped),
        ("rm", *map(str, gone)),
        (*manager.control, "daemon-reload"),
    ]
    if not dry_run:
        _must_run(manager)
        for command in commands:
            _done(command)
    end = " ".join((*manager.control, "stop", units.TMUX))
    notes = [] if end_agents else [f"the agents' tmux server goes on; to end it and all agents: {end}"]
    answer = {"commands": [list(command) for command in commands], "notes": notes, "done": not dry_run}
    told = "The service is removed." if not dry_run else units.shown({}, commands)
    show(common, answer, lambda out: "\n".join([told, *(f"{out.paint('attention', 'note')} {each}" for each in notes)]))
    return DONE


# --- what is here -----------------------------------------------------------------------------------


def survey(common: Common, system: bool, user: str, agents_user: str) -> units.Site:
    """What the units have to say on this machine. Raises CliError, NoConfig or ConfigError."""
    from supervisor.adapters.sessions.tmux.server import directory_hash  # loads libtmux

    if system and common.state_dir is not None:
        raise CliError(f"The system's service keeps its state in {units.SYSTEM_STATE}.", "Leave --state-dir away.")
    path = configfile.find_config(common.config or SYSTEM_CONFIG if system else common.config)
    config = configfile.load_config(path).config
    folder = units.SYSTEM_STATE if system else state_dir(common)
    name = directory_hash(folder)
    programs = tuple(each.resolve() for each in map(Path, (sys.executable, sys.prefix, sys.base_prefix)))
    kept = {variable: os.environ[variable] for variable in ("PATH", "LANG") if os.environ.get(variable)}
    group, home = _account(agents_user)
    if system:
        _check_names(user, agents_user)
        kept["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return units.Site(
        system=system,
        operator=_operator(),
        tmux=shutil.which("tmux") or "/usr/bin/tmux",
        config=path,
        state_dir=folder,
        tmux_socket=f"/run/operator-tmux/{name}.tmux" if system else f"%t/operator/{name}.tmux",
        unix_socket="/run/operator/api.sock" if system else f"%t/operator/{name}.rest",
        rest=units.address(config.daemon.host, config.daemon.port, "daemon.port"),
        stream=units.address(config.daemon.host, config.daemon.stream_port, "daemon.stream_port"),
        environment=kept,
        user=user,
        agents_user=agents_user,
        group=group,
        agents_home=home,
        chmod=shutil.which("chmod") or "/bin/chmod",
        programs=programs,
        writable=_written(config) if system else (),
        notes=_apart_notes(config, path, programs, user) if system else (),
    )


def _operator() -> tuple[str, ...]:
    script = Path(sys.executable).with_name("operator")
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "clients.cli.main")


def _account(name: str) -> tuple[str, str]:
    """The group and home of a user, as they are or will be made."""
    try:
        known = pwd.getpwnam(name)
        return grp.getgrgid(known.pw_gid).gr_name, known.pw_dir
    except KeyError:
        return name, units.AGENTS_STATE


def _check_names(user: str, agents_user: str) -> None:
    for option, name in (("--user", user), ("--agents-user", agents_user)):
        if not units.is_name(name):
            raise CliError(f"{option} {name!r} cannot name a user.", exit_code=2)
    if user == agents_user or "root" in (user, agents_user):
        raise CliError("The daemon and its agents run as two users, neither of them root.", exit_code=2)


def _written(config: Config) -> tuple[Path, ...]:
    named = [each.path for each in config.projects.values()] + [each.path for each in config.collections.values()]
    return tuple(dict.fromkeys(map(Path, named)))


def linger_notes(manager: Manager) -> list[str]:
    """What to do so that a user's service outlives the user's logout, if it does not."""
    if manager.system:
        return []
    name = pwd.getpwuid(os.getuid()).pw_name
    if Path("/var/lib/systemd/linger", name).exists():
        return []
    if shutil.which("loginctl") is not None:
        done = _run(("loginctl", "show-user", name, "-p", "Linger", "--value"), 10.0)
        if done.stdout.strip() == "yes":
            return []
    return [f"at logout systemd ends the daemon and all agents; to keep them: loginctl enable-linger {name}"]


def _apart_notes(config: Config, path: Path | None, programs: tuple[Path, ...], user: str) -> tuple[str, ...]:
    """What does not work for two users as it stands: folders they cannot enter, and drivers that share files."""
    needed = [*programs, *([path.resolve()] if path is not None else [])]
    closed = [each for file in needed for each in file.parents if not each.stat().st_mode & 0o001]
    notes = [f"{each} can be entered by its owner only: {user} needs it" for each in dict.fromkeys(closed)]
    for name, driver in config.drivers.items():
        if driver.kind != "command":
            notes.append(f'driver {name}: kind "{driver.kind}" needs one user for daemon and agents; use "command"')
    return tuple(notes)


# --- doing it ---------------------------------------------------------------------------------------


def _refuse_what_would_meet(manager: Manager, site: units.Site) -> None:
    """See that no daemon and no tmux server of the same state directory runs outside of the units."""
    _must_run(manager)
    if manager.system and os.geteuid() != 0:
        raise CliError("Only root installs a service for the machine.", "With sudo, or leave --system away.")
    endpoint = read_endpoint(site.state_dir)
    if endpoint is not None and _is_daemon(endpoint.pid) and not _belongs(endpoint.pid, units.DAEMON):
        raise CliError(f"A daemon runs by hand (process {endpoint.pid}).", "Stop it first, with Ctrl-C or SIGTERM.")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    sockets = {site.tmux_socket.replace("%t", runtime), _recorded_socket(site.state_dir)}
    for socket in sorted(each for each in sockets if each and Path(each).exists()):
        sessions = _run((site.tmux, "-S", socket, "list-sessions", "-F", "#{pid} #{session_name}"), 10.0)
        listed = [line.split(" ", 1) for line in sessions.stdout.splitlines()]
        if not listed or _belongs(int(listed[0][0]), units.TMUX):
            continue
        kill = (site.tmux, "-S", socket, "kill-server")
        if any(name != "hub" for _, name in listed):
            agents = len(listed) - 1
            raise CliError(
                f"{agents} terminals of agents are in a tmux server that was started by hand.",
                f"Let them end, then: {' '.join(kill)}",
            )
        _done(kill)


def _is_daemon(pid: int) -> bool:
    """Whether that process is one; a number that was used again is somebody else's."""
    try:
        return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _belongs(pid: int, unit: str) -> bool:
    try:
        return f"/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _recorded_socket(folder: Path) -> str:
    try:
        socket = json.loads((folder / "tmux.json").read_bytes())[0]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return socket if isinstance(socket, str) else ""


def _carry_out(manager: Manager, files: dict[Path, str], commands: Sequence[tuple[str, ...]]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    for command in commands:
        _done(command)


def _must_run(manager: Manager) -> None:
    if not manager.runs:
        raise CliError("systemd does not run here.", "See what it would be given: operator service install --dry-run")


def _done(command: tuple[str, ...]) -> None:
    done = _run(command, WITHIN)
    if done.returncode != 0:
        said = clean(" ".join(done.stderr.split())) or f"exit {done.returncode}"
        raise CliError(f"{' '.join(command)} failed: {said}", "See: operator service status")


def _run(command: tuple[str, ...], within: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CliError(f"{' '.join(command)} did not work: {error}") from None


def _told(found: dict[str, dict[str, str]], installed: bool, notes: object, out: Terminal) -> str:
    if not installed:
        return "No service is installed. Install one: operator service install"
    lines = []
    for name, each in found.items():
        good = each.get("ActiveState") == "active"
        state = f"{each.get('ActiveState')} ({each.get('SubState')})"
        restarts = each.get("NRestarts", "0")
        lines.append(
            f"{out.mark(marks.DONE if good else marks.FAILED)} "
            + out.facts(
                f"{name:<24} {state}",
                f"restarts {restarts}" if restarts not in ("0", "") else "",
                clean(each.get("StatusText", "")),
            )
        )
    lines += [f"{out.paint('attention', 'note')} {each}" for each in notes] if isinstance(notes, list) else []
    return "\n".join(lines)
