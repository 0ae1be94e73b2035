"""How a host comes to be: it reads what to run, leaves whoever started it, starts the agent, and says so."""

from __future__ import annotations

import json
import os
import signal
import sys

from supervisor.ptyhost import files, wire
from supervisor.ptyhost.clients import listen
from supervisor.ptyhost.host import Host
from supervisor.ptyhost.terminal import Terminal, open_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SPEC_LIMIT = 16 * 1024 * 1024
READY = b"ready\n"
"""What is said on standard output once the agent runs and the record is written; anything else is what went wrong."""


class Spec:
    """What a host is to run, and where. It comes as JSON, after its length in 4 bytes: a killed starter starts nothing.

    {agent, folder, socket, argv, cwd, env, columns, rows, limit, linger, rest, stall}
    """

    def __init__(self, said: dict[str, object]) -> None:
        """Raises ValueError."""
        self.agent = _text(said, "agent")
        self.folder = _text(said, "folder")
        """The agent's own: record, status, stamps and transcript."""
        self.socket = _text(said, "socket")
        self.argv = _texts(said.get("argv"))
        self.cwd = _text(said, "cwd")
        self.env = _mapping(said.get("env"))
        self.columns = int(_number(said, "columns"))
        self.rows = int(_number(said, "rows"))
        self.limit = int(_number(said, "limit"))
        """Bytes of output that are kept at least."""
        self.linger = _number(said, "linger")
        """Seconds for which a host whose agent has ended waits for a daemon."""
        self.rest = _number(said, "rest")
        """Seconds that it stays after a daemon was told of that end; what it knows is in its files."""
        self.stall = _number(said, "stall")
        """Seconds after which a client that takes nothing is cut off."""


def _text(said: dict[str, object], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{name} is not a text")
    return value


def _texts(value: object) -> list[str]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(each, str) and "\0" not in each for each in value)
    ):
        raise ValueError("argv is not a list of texts")
    return value


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError("env is not a mapping of texts")
    return value


def _number(said: dict[str, object], name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} is not a number")
    return value


def read_spec(data: bytes) -> Spec:
    """Raises ValueError if it is not whole."""
    if len(data) < 4 or len(data) - 4 != int.from_bytes(data[:4], "big"):
        raise ValueError("what to run did not arrive whole")
    said = json.loads(data[4:])
    if not isinstance(said, dict):
        raise ValueError("what to run is no object")
    return Spec(said)


def start() -> int:
    """Be a host to the end; in the process that was started, return as soon as another one is that."""
    try:
        spec = read_spec(sys.stdin.buffer.read(SPEC_LIMIT))
    except ValueError as error:
        print(error, flush=True)
        return 1
    if sys.platform != "win32":
        if os.fork():
            return 0
        os.setsid()
        # Whatever ends our starter's terminal or session is not meant for us.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _keep_descriptors()
    os.chdir("/")
    try:
        host = _bring_up(spec)
    except OSError as error:
        print(f"{error.filename or spec.argv[0]}: {error.strerror or error}", flush=True)
        return 1
    _let_go()
    host.run()
    return 0


def _bring_up(spec: Spec) -> Host:
    """Listen, start the agent, write the record: with that the session exists. Raises OSError."""
    for name in (files.STATUS, files.STAMPS):  # of an earlier host in the same folder
        files.remove(spec.folder, name)
    listener = listen(spec.socket)
    terminal = open_terminal(spec.argv, spec.cwd, spec.env, spec.columns, spec.rows)
    host = Host(spec, terminal, listener)

    def asked_to_go(number: int, frame: FrameType | None) -> None:
        host.leave()

    signal.signal(signal.SIGTERM, asked_to_go)
    files.write(spec.folder, files.RECORD, _record(spec, terminal))
    return host


def _record(spec: Spec, terminal: Terminal) -> dict[str, object]:
    return {
        "protocol": wire.VERSION,
        "agent": spec.agent,
        "socket": spec.socket,
        "host": os.getpid(),
        "host_start": files.start_of(os.getpid()),
        "pid": terminal.pid,
        "start": files.start_of(terminal.pid),
        "boot": files.boot_id(),
        "columns": spec.columns,
        "rows": spec.rows,
    }


def _keep_descriptors() -> None:
    """The lock was given to us and is ours alone: an agent that inherited it would hold it beyond our end."""
    if sys.platform != "win32":
        for name in os.listdir("/dev/fd"):
            if int(name) > 2:
                try:
                    os.set_inheritable(int(name), False)
                except OSError:
                    pass  # the listing's own


def _let_go() -> None:
    """Say that all is well, to a starter that may be gone by now, and have no more to do with it."""
    try:
        os.write(1, READY)
    except OSError:
        pass
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
