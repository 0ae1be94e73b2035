"""Binding: before anything else, and on the same ports as before, for live agents know them."""

import errno
import os
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import trio
from attrs import frozen

from supervisor.domain.errors import OperatorError
from supervisor.domain.views import Endpoint

BACKLOG = 512


class PortTaken(OperatorError):
    """Another program listens on the port."""

    code = "port_taken"


@frozen
class Bound:
    """The daemon's listening sockets."""

    rest: trio.SocketListener
    unix: trio.SocketListener | None
    stream: trio.SocketListener
    port: int
    stream_port: int
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
    return Bound(
        rest=trio.SocketListener(trio.socket.from_stdlib_socket(rest)),
        unix=trio.SocketListener(trio.socket.from_stdlib_socket(unix)) if unix is not None else None,
        stream=trio.SocketListener(trio.socket.from_stdlib_socket(stream)),
        port=rest.getsockname()[1],
        stream_port=stream.getsockname()[1],
        moved=moved or stream_moved,
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
