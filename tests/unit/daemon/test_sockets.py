"""Sockets that a service manager passes: taken as they are named, or refused with the reason."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from supervisor.daemon import sockets
from supervisor.daemon.sockets import WrongSockets

FIRST = 200


@pytest.fixture
def fds() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def tcp(address: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((address, 0))


def unheard() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def datagram() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def unix() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(f"\0operator-test-{os.getpid()}")
    made.listen()
    return made


def passed(stack: ExitStack, names: str, *made: socket.socket, count: int | None = None) -> dict[str, socket.socket]:
    """What is found of sockets that were left open from FIRST on."""
    for place, each in enumerate(made):
        with each:
            os.dup2(each.fileno(), FIRST + place, inheritable=True)
        stack.callback(_close, FIRST + place)
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": names}
    environ["LISTEN_FDS"] = str(len(made) if count is None else count)
    found = sockets.passed(environ, FIRST)
    for each in found.values():
        stack.callback(each.close)
    return found


def _close(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        pass  # its socket object did


@pytest.mark.parametrize(
    ("names", "made", "count", "said"),
    [
        ("rest:stream", (tcp, tcp), 3, "3 sockets were passed with 2 names"),
        ("", (tcp,), 0, "0 sockets were passed with 1 names"),
        ("rest:web", (tcp, tcp), None, "'web'"),
        ("rest:rest", (tcp, tcp), None, "'rest' was passed, or more than one"),
        ("rest", (tcp,), None, "none named 'stream'"),
        ("stream:rest-unix", (tcp, unix), None, "none named 'rest'"),
        ("rest:stream", (datagram, tcp), None, "'rest' is of another kind"),
        ("rest:stream", (tcp, unix), None, "'stream' is of another kind"),
        ("rest:stream:rest-unix", (tcp, tcp, tcp), None, "'rest-unix' is of another kind"),
        ("rest:stream", (unheard, tcp), None, "does not listen"),
    ],
)
def test_wrong_sockets(fds: ExitStack, names: str, made: tuple[object, ...], count: int | None, said: str) -> None:
    with pytest.raises(WrongSockets, match=said):
        passed(fds, names, *(each() for each in made), count=count)  # type: ignore[operator]


async def test_sockets_are_adopted(fds: ExitStack) -> None:
    given = passed(fds, "stream:rest-unix:rest", tcp(), unix(), tcp("127.0.0.2"))
    assert not any(each.get_inheritable() for each in given.values())
    bound = sockets.adopt(given, None, loopback_only=True)
    assert (bound.host, bound.port) == given["rest"].getsockname()
    assert bound.stream_port == given["stream"].getsockname()[1]
    assert (bound.unix_path, len(bound.rest_listeners)) == (None, 2), "an abstract name is no path to tell clients"


def test_no_auth_is_for_loopback(fds: ExitStack) -> None:
    given = passed(fds, "stream:rest", tcp(), tcp("0.0.0.0"))
    with pytest.raises(WrongSockets, match="'rest' listens on"):
        sockets.adopt(given, None, loopback_only=True)


@pytest.mark.parametrize("environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "9", "LISTEN_FDNAMES": "rest"}])
def test_what_was_passed_to_another_process_is_not_ours(environ: dict[str, str]) -> None:
    assert sockets.passed(environ, FIRST) == {}
