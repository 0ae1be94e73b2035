"""How long what is over is kept."""

from datetime import timedelta

from attrs import field, frozen, validators


@frozen
class Retention:
    """What stays at least. Everything older may be deleted, a little at a time."""

    entries: int = field(default=100_000, validator=validators.ge(1))
    """The newest entries of the activity stay, however old they are; one at least, which the numbers go on from."""
    age: timedelta = timedelta(days=30)
    """Entries stay so long, however many they are."""
    settled: timedelta = timedelta(days=7)
    """So long stays what is settled with the boards and with agents that are over: writes that were done, and texts."""
