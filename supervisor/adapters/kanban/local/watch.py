"""Notices that a board's folder changed, by inotify. Only on Linux: elsewhere the timer must do."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from supervisor.adapters.kanban.local.names import is_ticket_file
from supervisor.adapters.kanban.local.rules import COLUMNS

if TYPE_CHECKING:
    from asyncinotify import Inotify

RETURN = 2.0
"""Seconds between looks for a folder that went away."""


class Changes:
    """One item for each burst of changes, and one whenever the folder is watched anew; endless."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inotify: Inotify | None = None

    def __aiter__(self) -> "Changes":
        return self

    async def __anext__(self) -> None:
        while True:
            if self._inotify is None:
                await self._watch_anew()
                return
            await trio.lowlevel.wait_readable(self._inotify.fd)
            if self._drain(self._inotify):
                return

    async def _watch_anew(self) -> None:
        """Until the folder is there and watched; earlier changes are unseen, hence the item that follows."""
        if sys.platform != "linux":
            await trio.sleep_forever()
        while True:
            inotify = _open_watches(self._root)
            if inotify is not None:
                self._inotify = inotify
                await trio.lowlevel.checkpoint()
                return
            await trio.sleep(RETURN)

    def _drain(self, inotify: "Inotify") -> bool:
        """Take all events there are; whether one of them matters."""
        from asyncinotify import Mask

        ends = Mask.IGNORED | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT
        matters = False
        for event in inotify:
            name = str(event.name) if event.name is not None else ""
            if event.mask & ends or (name in COLUMNS and event.watch and event.watch.path == self._root):
                self._close()  # a folder came, went or was replaced: watched anew next
                return True
            matters |= bool(event.mask & Mask.Q_OVERFLOW) or is_ticket_file(name)
        return matters

    def _close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None


def _open_watches(root: Path) -> "Inotify | None":
    """Watches on the folder and on its columns; None if it is not there, or cannot be watched."""
    from asyncinotify import Inotify, Mask

    come_and_go = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
    try:
        inotify = Inotify(sync_timeout=0)
        inotify.add_watch(root, come_and_go)
        for column in COLUMNS:
            with suppress(FileNotFoundError, NotADirectoryError):
                inotify.add_watch(root / column, come_and_go | Mask.CLOSE_WRITE | Mask.ATTRIB | Mask.DONT_FOLLOW)
    except OSError:
        return None
    return inotify
