"""A service manager's ear: the socket that a daemon notifies."""

import socket
from collections.abc import Callable
from pathlib import Path

import trio


class Listener:
    """What was told, message by message. `address` as NOTIFY_SOCKET names it: a path, or `@` and a name."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def __aenter__(self) -> "Listener":
        await self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()
        if not self.address.startswith("@"):
            Path(self.address).unlink()

    async def next(self) -> list[str]:
        return (await self._socket.recv(4096)).decode().split("\n")

    async def until(self, met: Callable[[list[str]], bool], within: float = 20.0) -> list[list[str]]:
        """All messages up to the first for which `met` holds."""
        heard: list[list[str]] = []
        with trio.move_on_after(within) as scope:
            while not heard or not met(heard[-1]):
                heard.append(await self.next())
        assert not scope.cancelled_caught, heard
        return heard

    async def silence(self, seconds: float) -> list[list[str]]:
        """All that is said in a time."""
        heard: list[list[str]] = []
        with trio.move_on_after(seconds):
            while True:
                heard.append(await self.next())
        return heard
