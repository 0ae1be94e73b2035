"""How a pty host is started so that it outlives us, and what the agent in it is given."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog
import trio

import supervisor.ptyhost
from supervisor.domain.errors import BackendError
from supervisor.ports import SessionSpec

HOST: Final = str(Path(supervisor.ptyhost.__file__).parent)
TERMINAL: Final = "xterm-256color"
"""What every terminal that may show the session understands; it is also what an editor's own says it is."""
READY: Final = b"ready\n"
_WITHIN: Final = 10.0
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_PASSED_ON: Final = (
    frozenset({"TERM", "TERMCAP", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "LINES", "COLUMNS"})
    | frozenset({"_", "PWD", "OLDPWD", "SHLVL", "PPID", "UID", "EUID", "GROUPS", "OPTIND"})
    | frozenset({"BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"})
)
"""What speaks of another terminal, or of a shell that is not there."""

log = structlog.get_logger()


def python() -> tuple[str, ...]:
    """Runs the pty host's programs, whatever the environment and the folder are."""
    return (sys.executable, "-I", "-S", HOST)


def environment(spec: SessionSpec) -> dict[str, str]:
    """The agent's whole environment. Names that no shell can set are left out."""
    kept = {name: text for name, text in spec.env.items() if _NAME.fullmatch(name) and name not in _NOT_PASSED_ON}
    return {**kept, "TERM": TERMINAL, "PWD": spec.cwd}


async def start(
    spec: SessionSpec, folder: Path, socket: Path, lock: int, *, limit: int, linger: float, rest: float, stall: float
) -> None:
    """Start a host for an agent; when this returns the session exists. `lock` is the folder's, and is inherited.

    Raises BackendError; then the agent was not started, or the lock is still held by a host that has it.
    """
    said = {
        "agent": spec.agent_id,
        "folder": str(folder),
        "socket": str(socket),
        "argv": list(spec.argv),
        "cwd": spec.cwd,
        "env": environment(spec),
        "columns": spec.columns,
        "rows": spec.rows,
        "limit": limit,
        "linger": linger,
        "rest": rest,
        "stall": stall,
    }
    if any("\0" in text for text in (*spec.argv, spec.cwd, *spec.env.values())):
        raise BackendError("a NUL byte can stand in no argument and no variable", hint="remove it")
    content = json.dumps(said).encode("ascii")
    message = len(content).to_bytes(4, "big") + content
    argv = (*python(), "host", spec.agent_id)
    if apart := way_out(os.environ):
        answer = await _run((*apart, *argv), message, lock)
        if answer == READY:
            return
        log.warning("no scope of its own: the agent ends when the daemon's service is restarted", said=_shown(answer))
    answer = await _run(argv, message, lock)
    if answer != READY:
        raise BackendError(f"the pty host did not start: {_shown(answer)}", hint="see whether the disk is full")


def way_out(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What starts a program outside of the service that we are, if we are one: restarting that ends all in it.

    Empty where there is no service, or no way.
    """
    program = shutil.which("systemd-run")
    if "INVOCATION_ID" not in environ or program is None:
        return ()
    mine = () if os.geteuid() == 0 else ("--user",)
    return (program, *mine, "--scope", "--quiet", "--collect", "--description=An agent of Operator", "--")


async def _run(argv: tuple[str, ...], message: bytes, lock: int) -> bytes:
    """What a starter said. It leaves at once; the host that it left behind holds its output until all is well."""
    with trio.move_on_after(_WITHIN):
        try:
            done = await trio.run_process(
                argv,
                stdin=message,
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), **_of_the_bus(os.environ)},
            )
        except OSError as error:
            raise BackendError(f"{argv[0]} cannot be started: {error.strerror}") from error
        return done.stdout
    raise BackendError(f"the pty host did not start within {_WITHIN:g} s")


def _of_the_bus(environ: Mapping[str, str]) -> dict[str, str]:
    names = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return {name: environ[name] for name in names if name in environ}


def _shown(answer: bytes) -> str:
    return answer.decode("utf-8", "replace").strip()[-300:] or "it said nothing"
