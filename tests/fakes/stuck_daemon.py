"""A whole daemon one of whose actors gets stuck when it is told to.

`python -m tests.fakes.stuck_daemon PART CONFIG STATE_DIR [TMUX_SOCKET]`, where PART is

    queue   never comes back from a pause
    store   waits for ever for the disk to take a pause
    fleet   never comes back from a launch

Everything else goes on: the event loop, the edges, the other actors.
"""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from supervisor import configfile
from supervisor.actors.fleet import Fleet
from supervisor.actors.queue import Queue
from supervisor.actors.queue.shelf import Pause
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.daemon import ServeOptions, process, run_daemon
from supervisor.domain.activity import Recorded
from supervisor.ports import Record, Setting


class StuckQueue(Queue):
    async def _pause(self, pause: Pause) -> Pause:
        await trio.sleep_forever()
        raise AssertionError("unreachable")


class StuckFleet(Fleet):
    async def _serve(self, message: Any, nursery: trio.Nursery) -> None:
        await trio.sleep_forever()


class StuckDisk(SqlDisk):
    def commit(self, puts: Sequence[Record], entries: Sequence[Recorded], durable: bool) -> None:
        if any(isinstance(put, Setting) for put in puts):
            threading.Event().wait()
        super().commit(puts, entries, durable)


DOUBLES = {"queue": ("Queue", StuckQueue), "fleet": ("Fleet", StuckFleet), "store": ("SqlDisk", StuckDisk)}

if __name__ == "__main__":
    part, config, state = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    setattr(process, *DOUBLES[part])
    more = {"tmux_socket": Path(sys.argv[4]), "start_tmux": False} if len(sys.argv) > 4 else {}
    sys.exit(run_daemon(configfile.load_config(config).config, ServeOptions(state, **more)))
