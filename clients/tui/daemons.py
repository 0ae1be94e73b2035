"""The daemons that can be looked at, and how a person picks one."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from clients.api.locate import Where
from clients.tui.editor import Failed

if TYPE_CHECKING:
    from clients.tui.app import OperatorApp


@frozen
class Daemon:
    """One daemon that can be looked at."""

    name: str
    find: Callable[[], Where]
    """Where it is now. Raises NoDaemon."""


async def pick(app: "OperatorApp", daemons: Sequence[Daemon]) -> Daemon | None:
    """The one that a person wants to see; None: none. Raises Failed where there is no choice, or no such one."""
    from clients.tui.dialogs import Choose  # the first picture needs no dialog

    names = [each.name for each in daemons]
    if len(names) == 1:
        raise Failed("Only one daemon is known here; name more with --daemon NAME=STATE_DIR.")
    words = await app.push_screen_wait(Choose("Which daemon?", names, "Its number or name"))
    if words is None:
        return None
    number = int(words) if words.isascii() and words.isdigit() else 0
    wanted = names[number - 1] if 1 <= number <= len(names) else words
    found = next((each for each in daemons if each.name == wanted), None)
    if found is None:
        raise Failed(f"No daemon is known by the name {wanted}.")
    return found
