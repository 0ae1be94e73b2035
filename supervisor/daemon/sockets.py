"""The daemon's sockets: bound before anything else, and the same after a restart, for live agents know them.

A service manager may hold them instead, so that not even a restart refuses a connection: systemd passes them as
open files from number 3 on, and says so in LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
"""

import errno
import ipaddress
import os
import socket
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
from attrs import frozen

from supervisor.domain.errors import OperatorError
from supervisor.domain.views import Endpoint

BACKLOG = 512
REST, REST_UNIX, STREAM = "rest", "rest-unix", "stream"
_FAMILIES: Final = {
    REST: (socket.AF_INET, socket.AF_INET6),
    REST_UNIX: (socket.AF_UNIX,),
    STREAM: (socket.AF_INET, socket.AF_INET6),
}
_FIRST: Final = 3
_UNITS_HINT = "systemd's socket units name theirs with FileDescriptorName=; `operator service install` writes them"


class PortTaken(OperatorError):
    """Another program listens on the port."""

    code = "port_taken"


class WrongSockets(OperatorError):
    """The service manager passed sockets that are not those the daemon listens on."""

    code = "wrong_sockets"


@frozen
class Bound:
    """The daemon's listening sockets."""

    rest: trio.SocketListener
    unix: trio.SocketListener | None
    stream: trio.SocketListener
    host: str
    port: int
    stream_port: int
    unix_path: Path | None = None
    moved: bool = False
    """An earlier daemon's port was taken meanwhile: agents that know it cannot reach this one."""

    @property
    def rest_listeners(self) -> list[trio.SocketListener]:
        return [self.rest] if self.unix is None else [self.rest, self.unix]


def bind(host: str, port: int, stream_port: int, last: Endpoint | None, unix_path: Path | None) -> Bound:
    """Listen. Port 0 means the last daemon's port, if it is free, else any. Raises PortTaken."""
    rest, moved = _tcp(host, port, _port(last.url) if last else None)
    stream, stream_moved = _tcp(host, stream_port, _port(last.stream_url) if last else None)
    unix = _unix(unix_path) if unix_path is not None else None
    return _bound(host, rest, unix, stream, unix_path, moved or stream_moved)


def passed(environ: Mapping[str, str], first: int = _FIRST) -> dict[str, socket.socket]:
    """The sockets that the service manager holds for this process, by name; none if it holds none.

    Raises WrongSockets for any that the daemon has no use for. No child inherits them.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count, names = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_FDNAMES", "").split(":")
    if not count.isdecimal() or int(count) != len(names):
        raise WrongSockets(f"{count or 'no'} sockets were passed with {len(names)} names", hint=_UNITS_HINT)
    given = [socket.socket(fileno=first + place) for place in range(int(count))]
    for each in given:
        each.set_inheritable(False)
    try:
        _check(names, given)
    except WrongSockets:
        for each in given:
            each.close()
        raise
    return dict(zip(names, given, strict=True))


def _check(names: list[str], given: list[socket.socket]) -> None:
    wrong = [name for name in names if name not in _FAMILIES]
    wrong += [name for name, count in Counter(names).items() if count > 1]
    if wrong:
        raise WrongSockets(
            f"a socket named {wrong[0]!r} was passed, or more than one", hint=f"known are: {', '.join(_FAMILIES)}"
        )
    for name in (REST, STREAM):
        if name not in names:
            raise WrongSockets(f"sockets were passed, but none named {name!r}", hint=_UNITS_HINT)
    for name, each in zip(names, given, strict=True):
        listens = each.type == socket.SOCK_STREAM and each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if each.family not in _FAMILIES[name] or not listens:
            raise WrongSockets(f"the socket passed as {name!r} is of another kind, or does not listen")


def adopt(given: Mapping[str, socket.socket], unix_path: Path | None, loopback_only: bool) -> Bound:
    """Listen on passed sockets; the unix socket is bound at `unix_path` if it was not passed. Raises WrongSockets."""
    host = str(given[REST].getsockname()[0])
    for name in (REST, STREAM):
        address = given[name].getsockname()[0]
        if loopback_only and not ipaddress.ip_address(address).is_loopback:
            raise WrongSockets(
                f"the socket passed as {name!r} listens on {address}, and --no-auth is for loopback only",
                hint="leave --no-auth away, or correct ListenStream=",
            )
    unix = given.get(REST_UNIX)
    if unix is not None:
        name = unix.getsockname()
        unix_path = Path(name) if isinstance(name, str) and name.startswith("/") else None
    elif unix_path is not None:
        unix = _unix(unix_path)
    for each in given.values():
        each.setblocking(False)
    return _bound(host, given[REST], unix, given[STREAM], unix_path, moved=False)


def _bound(
    host: str,
    rest: socket.socket,
    unix: socket.socket | None,
    stream: socket.socket,
    unix_path: Path | None,
    moved: bool,
) -> Bound:
    return Bound(
        rest=trio.SocketListener(trio.socket.from_stdlib_socket(rest)),
        unix=trio.SocketListener(trio.socket.from_stdlib_socket(unix)) if unix is not None else None,
        stream=trio.SocketListener(trio.socket.from_stdlib_socket(stream)),
        host=host,
        port=rest.getsockname()[1],
        stream_port=stream.getsockname()[1],
        unix_path=unix_path,
        moved=moved,
    )


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _tcp(host: str, port: int, last: int | None) -> tuple[socket.socket, bool]:
    if port == 0 and last is not None:
        try:
            return _listen(host, last), False
        except PortTaken:
            return _listen(host, 0), True
    return _listen(host, port), False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"{host}:{port} is taken by another program",
                hint="give another --port and --stream-port, or 0 to have a free one chosen",
            ) from None
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}", hint="check --host") from None
    made.setblocking(False)
    return made


def _unix(path: Path) -> socket.socket:
    """A socket file for its owner only. The lock on the state directory makes a file that is there a stale one."""
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise PortTaken(f"{path} is in the way", hint="remove it")
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    finally:
        os.umask(before)
    made.listen(BACKLOG)
    made.setblocking(False)
    return made
