"""A hook that is posted: as much of an HTTP/1.1 client as it takes, on a socket that never blocks."""

import errno
import os
import socket

from clients.cli.demo.rehearsal.calls import Call
from clients.cli.demo.rehearsal.settings import Hook
from clients.cli.demo.rehearsal.waits import NOTHING

LIMIT = 1 << 20
"""A longer answer is none."""
PIECE = 65536
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)
_PATIENCE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOTCONN)
"""Not now; a connection that is still being made says ENOTCONN on some systems."""


class Post(Call):
    """A request and its answer, on a connection of its own."""

    def __init__(self, hook: Hook, payload: bytes, now: float) -> None:
        self.due = now + hook.seconds
        host = f"[{hook.host}]" if ":" in hook.host else hook.host
        headers = {
            "Host": f"{host}:{hook.port}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Connection": "close",
            **hook.headers,
            "Content-Length": str(len(payload)),
        }
        lines = [f"POST {hook.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        self._request = bytearray("\r\n".join([*lines, "", ""]).encode("latin-1") + payload)
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_INET6 if ":" in hook.host else socket.AF_INET)
        self._socket.setblocking(False)
        number = self._socket.connect_ex((hook.host, hook.port))
        if number not in _UNDER_WAY:
            self._end(_named(number))

    def reading(self) -> int:
        return NOTHING if self.outcome else self._socket.fileno()

    def writing(self) -> int:
        return self._socket.fileno() if self._request and not self.outcome else NOTHING

    def advance(self, now: float) -> None:
        if self.outcome:
            return
        try:
            if self._send():
                self._receive()
        except OSError as error:
            self._end(_named(error.errno or 0))
        if now >= self.due:
            self._end("timeout")

    def abandon(self, now: float) -> None:
        self._end("abandoned")

    def _send(self) -> bool:
        """Send what can be sent; whether an answer may be there."""
        try:
            while self._request:
                del self._request[: self._socket.send(self._request)]
        except OSError as error:
            if error.errno not in _PATIENCE:
                raise
            return error.errno != errno.ENOTCONN
        return True

    def _receive(self) -> None:
        while not self.outcome:
            try:
                data = self._socket.recv(PIECE)
            except OSError as error:
                if error.errno not in _PATIENCE:
                    raise
                return
            self._received += data
            answer = read_response(bytes(self._received), over=not data)
            if answer is not None:
                self.body = answer[1]
                self._end("answered" if 200 <= answer[0] < 300 else f"status {answer[0]}")
            elif not data:
                self._end("closed")
            elif len(self._received) > LIMIT:
                self._end("endless")

    def _end(self, outcome: str) -> None:
        self.outcome, self.gone = self.outcome or outcome, True
        self._request.clear()
        self._socket.close()


def _named(number: int) -> str:
    known = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset"}
    return known.get(number, os.strerror(number))


def read_response(data: bytes, over: bool) -> tuple[int, bytes] | None:
    """Status and body, once they are whole; `over` when no more will come."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    first, *lines = head.split(b"\r\n")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return 0, b""
    status = int(words[1])
    if 100 <= status < 200:
        return read_response(rest, over)
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if status in (204, 304):
        return status, b""
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        body = _unchunked(rest)
        return None if body is None else (status, body)
    length = fields.get(b"content-length", b"")
    if not length.isdigit():
        return (status, rest) if over else None
    return (status, rest[: int(length)]) if len(rest) >= int(length) else None


def _unchunked(data: bytes) -> bytes | None:
    """The body that came in chunks, once the last one is there."""
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        try:
            size = int(line.split(b";")[0], 16) if end else None
        except ValueError:
            return body  # no chunk: let the reader of the body find out
        if size is None or len(data) < size:
            return None
        if size == 0:
            return body
        body, data = body + data[:size], data[size + 2 :]
