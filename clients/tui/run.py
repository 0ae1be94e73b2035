"""Starts the terminal UI."""

import gc
from collections.abc import Sequence

from clients.tui.app import OperatorApp
from clients.tui.daemons import Daemon


def run(daemons: Sequence[Daemon], bell: bool = False) -> None:
    """Show the first of these daemons until the person leaves."""
    app = OperatorApp(daemons, bell)
    gc.enable()
    gc.freeze()  # what was loaded stays; only what is made from now on needs looking through
    app.run()
