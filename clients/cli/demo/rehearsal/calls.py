"""One hook at work, posted or as a program: it never waits itself, the agent's loop moves it on."""

from clients.cli.demo.rehearsal.waits import NOTHING


class Call:
    """What both kinds have in common."""

    due: float
    """When it wants to be moved on though nothing came, by the monotonic clock."""
    outcome = ""
    """How it ended: `answered`, or in a word why it did not; empty as long as it goes on."""
    body = b""
    """What it answered."""
    gone = False
    """Nothing of it is left to look after."""

    def reading(self) -> int:
        """The descriptor whose input moves it on, or NOTHING."""
        return NOTHING

    def writing(self) -> int:
        """The descriptor that it wants to write to, or NOTHING."""
        return NOTHING

    def advance(self, now: float) -> None:
        """Do what can be done without waiting."""

    def abandon(self, now: float) -> None:
        """Nobody wants its answer any more."""
