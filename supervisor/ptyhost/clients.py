"""The connections of a host: each has a bounded amount of unsent bytes, and none waits for another one."""

from __future__ import annotations

import os
import socket
import time

from supervisor.ptyhost import transcript, wire

CHUNK = 64 * 1024
UNREAD_LIMIT = 4 * 1024 * 1024
"""Bytes of answers that a client may leave unread."""
BEHIND_LIMIT = 4 * 1024 * 1024
"""Bytes of output that a viewer may be behind: then it is shown the present screen, and what was in between is not."""


class Gone(Exception):
    """The client left, or is cut off."""


class Client:
    """One connection. Viewers hold a place in the transcript instead of a queue."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.role = ""
        """"", until it said hello; then "control" or "view"."""
        self.size: tuple[int, int] | None = None
        self.place = 0
        """view: how much of the output it was sent."""
        self.told = -1
        """control: the length of the output it was told last."""
        self.knows_end = False
        """Whether it was told how the agent ended."""
        self.watched = 0
        """For which events it is watched now."""
        self.progress = now
        """When it last took anything, or had nothing to take."""
        self._decoder = wire.Decoder()
        self._out: list[bytes] = []
        self._unsent = 0

    @property
    def busy(self) -> bool:
        """Whether bytes wait to be taken."""
        return self._unsent > 0

    def say(self, kind: int, head: wire.Head | None = None, body: bytes = b"") -> None:
        """Send a frame as soon as it is taken. Raises Gone for one that leaves too much unread."""
        frame = wire.encode(kind, head, body)
        if not self._unsent:
            self.progress = time.monotonic()
        self._out.append(frame)
        self._unsent += len(frame)
        if self._unsent > UNREAD_LIMIT + len(frame):
            raise Gone("it does not read its answers")

    def show(self, folder: str, end: int) -> bool:
        """Viewers: send the next output. False if it is too far behind for that, and needs a replay."""
        if self.busy or self.place >= end:
            return True
        if end - self.place > BEHIND_LIMIT:
            return False
        at, data = transcript.read(folder, self.place, min(CHUNK, end - self.place))
        self.place = at + len(data) if data else end
        if data:
            self.say(wire.OUTPUT, None, data)
        return True

    def send(self, now: float) -> None:
        """Send what is taken at once. Raises Gone."""
        try:
            while self._out:
                sent = self.socket.send(self._out[0])
                self.progress = now
                self._unsent -= sent
                if sent < len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                else:
                    del self._out[0]
        except BlockingIOError:
            return
        except OSError as error:
            raise Gone(str(error)) from None
        self.progress = now

    def receive(self) -> list[wire.Frame]:
        """What it said. Raises Gone."""
        try:
            data = self.socket.recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("it left")
        try:
            return self._decoder.feed(data)
        except wire.WireError as error:
            raise Gone(str(error)) from None

    def close(self) -> None:
        self.socket.close()


def listen(address: str) -> socket.socket:
    """A socket at a path that only this user can connect to. Raises OSError."""
    if hasattr(socket, "AF_UNIX"):
        try:
            os.unlink(address)
        except FileNotFoundError:
            pass
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(address)
        finally:
            os.umask(mask)
    else:
        raise OSError("this Python has no unix sockets")
    listener.listen(64)
    listener.setblocking(False)
    return listener
