"""`operator tui`: the board in a terminal."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from clients.cli.options import COMMON, CliError, Common, find


def tui(
    *,
    daemon: Annotated[
        list[str] | None,
        Parameter(name="--daemon", negative="", help="NAME=STATE_DIR, or a state directory; once for each daemon."),
    ] = None,
    bell: Annotated[
        bool, Parameter(negative="", show_default=False, help="Ring the terminal's bell for what needs you.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Watch, sit down at any agent, and decide: in this terminal.

    Plain `operator` in a terminal does the same. With several daemons, w switches between them.

    For example: operator tui --daemon work=~/work/.operator --daemon home=~/.local/state/operator
    """
    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on standard error
        raise CliError("There is no terminal here.", "What a program can read: operator status --json")
    from clients.api.locate import locate
    from clients.tui.daemons import Daemon
    from clients.tui.run import run

    named = [_named(each) for each in daemon or []]
    found = [Daemon(name, partial(locate, folder)) for name, folder in named]
    run(found or [Daemon("here", lambda: find(common))], bell)


def _named(given: str) -> tuple[str, Path]:
    name, equals, folder = given.partition("=")
    path = Path(folder if equals else given).expanduser().absolute()
    return (name if equals else path.name), path
