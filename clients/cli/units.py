"""The units of `operator service`: what they say here, and how a text is written so that systemd reads it unchanged.

Pure but for the templates, which come with the distribution.
"""

import re
import string
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from attrs import frozen

from clients.cli.options import CliError

TMUX, DAEMON = "operator-tmux.service", "operator.service"
SOCKETS: Final = ("operator.socket", "operator-unix.socket", "operator-stream.socket")
UNITS: Final = (TMUX, *SOCKETS, DAEMON)
SYSTEM_STATE: Final = Path("/var/lib/operator")
ENV_FILE: Final = "operator.env"
"""Beside operator.toml: what boards' tokens and agents' keys are given in."""
AGENTS_STATE: Final = "/var/lib/operator-agents"

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./%-]+")
_PLACE = re.compile(r"@([a-z_]+)@")


@frozen
class Site:
    """What the units of one installation have to say."""

    system: bool
    operator: tuple[str, ...]
    """The command line that runs this very `operator`."""
    tmux: str
    config: Path | None
    state_dir: Path
    tmux_socket: str
    """A path; the user's runtime directory as `%t`."""
    unix_socket: str
    rest: str
    stream: str
    """Addresses, such as 127.0.0.1:7008."""
    environment: Mapping[str, str]
    user: str = ""
    agents_user: str = ""
    group: str = ""
    agents_home: str = ""
    chmod: str = "/bin/chmod"
    programs: tuple[Path, ...] = ()
    """What the daemon's own program consists of."""
    writable: tuple[Path, ...] = ()
    """What the system's daemon writes besides its state: repositories and boards."""
    notes: tuple[str, ...] = ()
    """What will not work as it stands."""


def templates(system: bool) -> Traversable:
    """The folder of the templates: in an installed distribution beside this file, else in the source tree."""
    packaged = resources.files("clients.cli").joinpath("systemd")
    root = packaged if packaged.is_dir() else Path(__file__).parents[2] / "systemd"
    return root.joinpath("system" if system else "user")


def rendered(site: Site, name: str) -> str:
    """One unit, or the list of users."""
    values = _values(site)
    text = templates(site.system).joinpath(f"{name}.in").read_text("utf-8")
    return _PLACE.sub(lambda found: values[found[1]], text)


def serve_command(site: Site) -> tuple[str, ...]:
    """How the service starts the daemon."""
    words = [*site.operator, "serve"]
    words += ["--config", literal(site.config)] if site.config is not None else []
    words += ["--state-dir", literal(site.state_dir), "--tmux-socket", site.tmux_socket, "--no-start-tmux"]
    words += ["--agents-user", site.agents_user] if site.system else []
    return (*words, "--log-format", "json")


def _values(site: Site) -> dict[str, str]:
    homes = [Path("/home"), Path("/root"), Path("/run/user")]
    at_home = any(path.is_relative_to(home) for path in (*site.writable, *site.programs) for home in homes)
    return {
        "serve": " ".join(map(word, serve_command(site))),
        "tmux": word(site.tmux),
        "tmux_socket": word(site.tmux_socket),
        "unix_socket": site.unix_socket,
        "rest": site.rest,
        "stream": site.stream,
        "environment": "\n".join(
            f"Environment={assignment(name, value)}" for name, value in sorted(site.environment.items())
        ),
        "environment_file": literal(site.config.with_name(ENV_FILE)) if site.config else f"%E/operator/{ENV_FILE}",
        "user": site.user,
        "agents_user": site.agents_user,
        "group": site.group,
        "agents_state": "operator-agents" if site.agents_home == AGENTS_STATE else "",
        "chmod": word(site.chmod),
        # Those that are not there yet are no reason not to start: the daemon says what it lacks.
        "writable": " ".join(word(f"-{literal(path)}") for path in site.writable),
        "protect_home": "read-only" if at_home else "yes",
    }


def literal(text: Path | str) -> str:
    """A text in which systemd shall see no specifier. Raises CliError for what no unit can hold."""
    found = str(text)
    if any(character in found for character in "\n\r\0"):
        raise CliError(f"{found!r} cannot stand in a unit.", "Choose a path without line ends.")
    return found.replace("%", "%%")


def word(text: str) -> str:
    """A text with its specifiers as one word of a command line or list."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'


def assignment(name: str, value: str) -> str:
    """A variable and its value, quoted where that is needed; `$` has no meaning here."""
    text = literal(f"{name}={value}")
    return text if _PLAIN.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_name(text: str) -> bool:
    """Whether a text can name a user or group of a unit."""
    allowed = string.ascii_letters + string.digits + "_-"
    return 0 < len(text) <= 31 and all(character in allowed for character in text) and not text[0].isdigit()


def address(host: str, port: int, key: str) -> str:
    """An address that systemd can listen on. Raises CliError where it cannot."""
    if port == 0:
        raise CliError("A service listens on fixed ports.", f"Set {key} in operator.toml, for example to 7008 or 7009.")
    host = "127.0.0.1" if host == "localhost" else host
    if not re.fullmatch(r"[0-9a-fA-F:.]+", host):
        raise CliError(f"A service listens on an address, and {host} is a name.", "Set daemon.host to an address.")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(files: Mapping[Path, str], commands: Sequence[Sequence[str]]) -> str:
    """What an installation writes and runs, for a person to read."""
    parts = [f"# would write {path}\n{text}" for path, text in files.items()]
    lines = "\n".join(" ".join(command) for command in commands)
    return "\n".join([*parts, f"# would run\n{lines}"])
