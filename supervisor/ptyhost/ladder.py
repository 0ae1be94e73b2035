"""How an agent and its process group are ended: hang up, terminate, kill; each step given its time and looked after."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.ptyhost.terminal import Terminal

RUNGS = 3
LOOK_EVERY = 0.02
"""Seconds between two looks for who is left, while the ladder is climbed."""
WATCH_EVERY = 1.0
"""Seconds between two looks for whether a group is empty whose leader has ended: then its number means nothing."""
KILL_PATIENCE = 2.0
"""Seconds a killed process has at least to be gone: the kernel may be busy freeing its memory."""


class Ladder:
    """One climb at a time; nothing here waits."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._rung = -1
        self._grace = 0.0
        self._next = 0.0
        self.empty = False
        """Nobody of the group is left, for good."""

    @property
    def climbing(self) -> bool:
        """Whether it is under way."""
        return self._rung >= 0

    def climb(self, grace: float) -> None:
        """Begin, with `grace` seconds for each step; or hurry up."""
        self._grace = grace if not self.climbing else min(grace, self._grace)
        if not self.climbing and not self.empty:
            self._step(0)

    def next_look(self, ended: bool) -> float | None:
        """When to call `look` again (monotonic); None: there is no need."""
        if self.climbing:
            return time.monotonic() + LOOK_EVERY
        return time.monotonic() + WATCH_EVERY if ended and not self.empty else None

    def look(self, ended: bool) -> None:
        """See who is left; `ended`: the agent itself is not. Climb on if it is time."""
        if ended and not self.empty and not self._terminal.group_lives():
            self.empty, self._rung = True, -1
        if self.climbing and time.monotonic() >= self._next:
            self._step(self._rung + 1)

    def _step(self, rung: int) -> None:
        if rung == RUNGS:
            self._rung = -1  # even killing did not help: whoever asks is told that somebody is left
            return
        self._rung = rung
        patience = max(self._grace, KILL_PATIENCE) if rung == RUNGS - 1 else self._grace
        self._next = time.monotonic() + patience
        self._terminal.signal(rung)
