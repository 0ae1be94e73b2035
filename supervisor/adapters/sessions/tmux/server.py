"""The private tmux server of a state directory: where it is, how it is started and set up, what it lists."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import libtmux
import trio
from attrs import frozen
from libtmux.common import has_gte_version
from libtmux.exc import LibTmuxException

from supervisor.adapters.sessions.processes import look_at
from supervisor.adapters.sessions.tmux.control import ServerId
from supervisor.adapters.sessions.tmux.launch import write_private
from supervisor.domain.errors import BackendError

HUB: Final = "hub"
"""The session our own client is attached to. No agent runs in it."""
_RECORD: Final = "tmux.json"
_OLDEST: Final = "3.3"
_DEADLINE: Final = 5.0
_REOPEN_TRIES: Final = 50
_PATH_LIMIT: Final = 107
"""Bytes of a unix socket's path on Linux."""
_PASSED_ON: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
_TERMINFO: Final = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/local/share/terminfo")

T = TypeVar("T")


@frozen
class _Record:
    """What is remembered of the server beside the sessions' files, so that no second one is ever started."""

    socket: str
    pid: int = 0
    start: int = 0

    @property
    def lives(self) -> bool:
        process = look_at(self.pid) if self.pid else None
        return process is not None and process.alive and process.start == self.start


def was_used(state_dir: Path) -> bool:
    """Whether agents of a state directory were ever in a tmux server."""
    return (state_dir / _RECORD).exists()


def directory_hash(state_dir: Path) -> str:
    """Names a state directory in sockets and sessions."""
    return hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:12]


class TmuxServer:
    """The server. It outlives us; under a service manager it is not ours to start either."""

    def __init__(self, state_dir: Path, socket: Path | None, program: str | None, start: bool) -> None:
        self._state_dir = state_dir
        self._given_socket = socket
        self._program = program
        self._may_start = start
        self._limiter = trio.CapacityLimiter(2)
        self._path: Path | None = None
        self._libtmux: libtmux.Server | None = None
        self.terminal = "tmux-256color" if _has_terminfo("tmux-256color") else "screen-256color"

    @property
    def path(self) -> Path:
        """Its socket."""
        if self._path is None:
            self._path = self._given_socket or self._usual_socket()
        return self._path

    @property
    def env(self) -> dict[str, str]:
        """A clean, minimal environment for tmux itself: agents may read what tmux keeps of it."""
        env = {k: v for k, v in os.environ.items() if k in _PASSED_ON or k.startswith("LC_")}
        return {"PATH": os.defpath} | env | {"TERM": self.terminal}

    @property
    def program(self) -> str:
        found = shutil.which(self._program or "tmux")
        if found is None:
            raise BackendError("tmux is not installed", hint="install tmux 3.3a or newer")
        return found

    def attach_argv(self) -> tuple[str, ...]:
        """Our own client, attached to the hub in control mode: it wants no output and has no size."""
        flags = "no-output,ignore-size"
        hub = ("attach-session", "-t", f"={HUB}", "-f", flags)
        return (self.program, "-u", "-S", str(self.path), "-C", *hub)

    async def bring_up(self) -> None:
        """Have a server that is set up, starting one where that is ours to do.

        Raises BackendError; when it does, no server was started beside one that may still be there.
        """
        if not await self._in_thread(partial(has_gte_version, _OLDEST, tmux_bin=self.program)):
            raise BackendError(f"tmux is older than {_OLDEST}a", hint="install tmux 3.3a or newer")
        self._refuse_a_second()
        if not await self._answers():
            await self._revive()
        await self._set_up()

    def remember(self, server: ServerId) -> None:
        """Note which process the server is, for the day its socket is gone."""
        process = look_at(server.pid)
        record = _Record(str(self.path), server.pid, process.start if process is not None else 0)
        part = self._record_file.with_suffix(".part")
        write_private(part, json.dumps([record.socket, record.pid, record.start]).encode())
        part.replace(self._record_file)

    async def lines(self, *arguments: str) -> list[str]:
        """What a tmux command printed. Raises BackendError."""
        stdout, stderr, code = await self._in_thread(partial(self._call, arguments))
        if code != 0 or stderr:
            raise BackendError(f"tmux refused: {'; '.join(stderr) or f'exit {code}'}")
        return stdout

    def _refuse_a_second(self) -> None:
        """Agents may live in a server elsewhere: with another one beside it they would be taken for lost."""
        record = self._recall()
        if record is None or not record.lives or Path(record.socket).resolve() == self.path.resolve():
            return
        raise BackendError(
            f"this state directory's agents live in another tmux server (process {record.pid}, {record.socket})",
            hint=f"let them finish, then end it: tmux -S {record.socket} kill-server",
        )

    async def _answers(self) -> bool:
        _, stderr, code = await self._in_thread(partial(self._call, ("display-message", "-p", "#{pid}")))
        return code == 0 and not stderr

    async def _revive(self) -> None:
        record = self._recall()
        if record is not None and record.lives:
            await self._reopen(record.pid)
        elif self._may_start:
            await self._start()
        else:
            raise BackendError(
                f"no tmux server answers at {self.path}", hint="start its service; Operator does not start it"
            )

    async def _reopen(self, pid: int) -> None:
        """The server lives, but its socket is gone: ask it for a new one. A second server would be a second world."""
        os.kill(pid, signal.SIGUSR1)
        for _ in range(_REOPEN_TRIES):
            if await self._answers():
                return
            await trio.sleep(0.02)
        raise BackendError(
            f"the tmux server (process {pid}) lives but does not answer at {self.path}",
            hint="see what stops it; ending it ends every agent",
        )

    async def _start(self) -> None:
        if self._given_socket is None:
            _private_folder(self.path.parent)
        argv = [self.program, "-u", "-S", str(self.path), "-f", "/dev/null"]
        argv += ["start-server", ";", "set-option", "-s", "exit-empty", "off"]
        with trio.move_on_after(_DEADLINE):
            done = await trio.run_process(
                argv,
                env=self.env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                start_new_session=True,
            )
            if done.returncode == 0:
                return
            said = done.stderr.decode("utf-8", "replace").strip() or f"exit {done.returncode}"
            raise BackendError(f"the tmux server cannot be started: {said}", hint=f"its socket is {self.path}")
        raise BackendError(f"the tmux server did not start within {_DEADLINE:g} s")

    async def _set_up(self) -> None:
        """Options that all sessions need, and the hub. The same again changes nothing."""
        options = (
            ("-s", "exit-empty", "off"),
            ("-s", "escape-time", "0"),
            ("-s", "default-terminal", self.terminal),
            ("-g", "status", "off"),
            ("-g", "update-environment", ""),
            ("-g", "history-limit", "5000"),
            ("-g", "destroy-unattached", "off"),
            ("-wg", "remain-on-exit", "on"),
            # Its notice would push the first line of a program's last words off the screen.
            ("-wg", "remain-on-exit-format", ""),
            ("-wg", "allow-rename", "off"),
            ("-wg", "automatic-rename", "off"),
            ("-wg", "window-size", "latest"),
        )
        words = [word for option in options for word in ("set-option", *option, ";")]
        await self.lines(*words[:-1])
        _, _, missing = await self._in_thread(partial(self._call, ("has-session", "-t", f"={HUB}")))
        if missing:
            await self.lines("new-session", "-d", "-s", HUB, "-x", "80", "-y", "24", "true")

    def _call(self, arguments: tuple[str, ...]) -> tuple[list[str], list[str], int]:
        if self._libtmux is None:
            self._libtmux = libtmux.Server(socket_path=self.path, config_file="/dev/null", tmux_bin=self.program)
        done = self._libtmux.cmd(arguments[0], *arguments[1:])
        return done.stdout, done.stderr, done.returncode

    async def _in_thread(self, work: Callable[[], T]) -> T:
        with trio.move_on_after(_DEADLINE):
            try:
                return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
            except (LibTmuxException, OSError) as error:
                raise BackendError(f"tmux cannot be used: {error}") from error
        raise BackendError(f"tmux did not answer within {_DEADLINE:g} s", hint="is its server stopped?")

    @property
    def _record_file(self) -> Path:
        return self._state_dir / _RECORD

    def _recall(self) -> _Record | None:
        try:
            socket, pid, start = json.loads(self._record_file.read_bytes())
        except (FileNotFoundError, ValueError, TypeError):
            return None
        known = isinstance(socket, str) and isinstance(pid, int) and isinstance(start, int)
        return _Record(socket, pid, start) if known else None

    def _usual_socket(self) -> Path:
        """Where the server was last time, so that another environment does not hide live agents; else by the rules."""
        record = self._recall()
        if record is not None and (record.lives or Path(record.socket).is_socket()):
            return Path(record.socket)
        name = f"{directory_hash(self._state_dir)}.tmux"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        path = Path(runtime) / "operator" / name
        if not os.path.isdir(runtime) or len(os.fsencode(path)) > _PATH_LIMIT:
            path = Path(f"/tmp/operator-{os.getuid()}") / name  # checked to be ours alone before it is used
        return path


def _private_folder(path: Path) -> None:
    """Make a folder only we can enter, or see that it is one: in a shared place somebody else may have been first."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise BackendError(f"{path} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise BackendError(f"{path} is not a folder that only you can write", hint="remove it, or set XDG_RUNTIME_DIR")


def _has_terminfo(name: str) -> bool:
    folders = (*_TERMINFO, os.environ.get("TERMINFO", ""), os.path.expanduser("~/.terminfo"))
    return any(
        os.path.exists(os.path.join(folder, first, name))
        for folder in folders
        for first in (name[0], f"{ord(name[0]):x}")
    )
