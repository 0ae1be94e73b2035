"""What agent CLIs run as a hook where they cannot post one themselves: tells the daemon, and prints its answer.

    python -I -S hook.py FILE tell|keep|hold    the payload on standard input

FILE, of mode 0600, holds the address to post to and the agent's token, each on a line of its own. `tell`: it may be
lost. `keep`: what the daemon has not heard is kept in the folder `missed` beside FILE. `hold`: the same, and the
answer may take a day, for a person decides.

It fails open: no answer is no output, and its exit status is always 0, for others mean something to CLIs. Standard
library only, and little of that: it has 25 ms to start and post. `socket` alone would take a third of them, for the
enumerations around what is used here.
"""

import _socket
import os
import select
import sys
import time

PAYLOAD_LIMIT = 4 * 1024 * 1024
"""Bytes of a payload; a larger one is not told, for half of one says nothing."""
ANSWER_LIMIT = 1024 * 1024
CONNECT_WAIT = 1.0
"""Seconds until a daemon that does not take the connection counts as down."""
ANSWER_WAIT = 2.0
"""Seconds that an agent is kept waiting by a daemon that does not answer."""
KEPT_AT_MOST = 1000
"""Payloads that are kept; of those that come later nothing is known."""
PARENT_LOOK = 1.0
"""Seconds between two looks whether the CLI lives, where nothing tells of its end."""


def main(arguments: list[str]) -> None:
    """Tell the daemon what standard input holds. Raises nothing that a CLI is to see."""
    file, how = arguments
    parent = os.getppid()
    payload = sys.stdin.buffer.read(PAYLOAD_LIMIT + 1)
    if len(payload) > PAYLOAD_LIMIT:
        return
    try:
        with open(file, encoding="utf-8") as opened:
            address, token = opened.read().split()[:2]
        answer = _post(address, token, payload, parent, how == "hold")
    except (OSError, ValueError):
        answer = None
    if answer is None:
        if how != "tell":
            _keep(os.path.join(os.path.dirname(file), "missed"), payload)
    elif answer.strip() != b"{}":
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _post(address: str, token: str, payload: bytes, parent: int, hold: bool) -> bytes | None:
    """The daemon's answer; None if it has not heard it. Raises OSError and ValueError where it cannot be reached."""
    host, path = _parts(address)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    name, _, port = host.rpartition(":")
    connection = _socket.socket(_socket.AF_INET6 if "[" in name else _socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(CONNECT_WAIT)
    connection.connect((name.strip("[]"), int(port)))
    connection.settimeout(ANSWER_WAIT)
    connection.sendall(head.encode("ascii") + payload)
    if hold:
        _wait(connection, parent)
    answer, until = b"", time.monotonic() + ANSWER_WAIT
    while len(answer) <= ANSWER_LIMIT and time.monotonic() < until:
        piece = connection.recv(65536)
        if not piece:
            return _body(answer)
        answer += piece
    return None


def _parts(address: str) -> tuple[str, str]:
    """`host:port` and path of `http://host:port/path`."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "http":
        raise ValueError(address)
    return host, slash + path


def _body(answer: bytes) -> bytes | None:
    """What an HTTP answer carries; nothing of one that refuses for good, None of one that failed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return None
    status = int(words[1])
    if status >= 500:
        return None
    return body if 200 <= status < 300 else b"{}"


def _wait(connection: _socket.socket, parent: int) -> None:
    """Until there is an answer, or an end of the daemon. Raises OSError once the CLI itself has ended.

    A CLI that is killed does not take its hooks along.
    """
    watched, life = [connection.fileno()], -1
    if sys.platform == "linux":
        life = os.pidfd_open(parent)
        watched.append(life)
    pause = None if life >= 0 else PARENT_LOOK
    while os.getppid() == parent:
        ready, _, _ = select.select(watched, [], [], pause)
        if connection.fileno() in ready:
            return
        if life in ready:
            break
    raise ProcessLookupError(parent)


def _keep(folder: str, payload: bytes) -> None:
    """Write it to a file of its own, whole or not at all; its name tells its place in the order of all."""
    name = f"{time.time_ns():020d}-{os.getpid()}"
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        if len(os.listdir(folder)) >= KEPT_AT_MOST:
            return
        unfinished = os.path.join(folder, f"{name}.new")
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(payload)
        os.rename(unfinished, os.path.join(folder, f"{name}.json"))
    except OSError:
        return  # a full disk: the agent's title tells most of it


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError):
        os._exit(0)
