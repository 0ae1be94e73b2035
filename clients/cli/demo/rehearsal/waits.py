"""What a turn waits for, and the ways in which it ends early. Nearly every other module needs these words."""

import signal

Wait = tuple[float | None, int]
"""Seconds to wait at most, and a descriptor that ends the wait when it can be read."""
NOTHING = -1
NEWS = -2
"""Instead of a descriptor: look again after each round of the loop, which may have brought an answer or a key."""
SOON: Wait = (0.0, NOTHING)
FOR_NEWS: Wait = (None, NEWS)


class Leave(Exception):
    """The agent ends: with an exit status, or by a signal."""

    def __init__(self, code: int, by: signal.Signals | None = None, reason: str | None = None) -> None:
        self.code = code
        self.signal = by
        self.reason = reason
        """What the SessionEnd hook is told; None where a real agent would not come to call it."""


class Unplayable(Exception):
    """A script line makes no sense."""


class Failed(Exception):
    """The turn ends with an error of the model's."""

    def __init__(self, error: str, message: str) -> None:
        self.error = error
        self.message = message


class Stopped(Exception):
    """The turn ends because a person, or a hook that interrupts, refused what it asked for."""


def seconds_of(text: str) -> float:
    """A number of seconds, or of megabytes."""
    try:
        return min(max(0.0, float(text)), 1e9)
    except ValueError:
        raise Unplayable(f"not a number: {text!r}") from None
