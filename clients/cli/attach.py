"""`operator attach`: sit down at an agent's terminal."""

import os
import shlex
import shutil
import sys
from typing import Annotated

from cyclopts import Parameter

from clients.cli.options import COMMON, CliError, Common, ask, show


def attach(
    ref: Annotated[str, Parameter(name=["TICKET"], help="A ticket or an agent.")],
    /,
    *,
    print_: Annotated[
        bool, Parameter(name="--print", negative="", show_default=False, help="Print the command only.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Sit down at an agent's terminal; leave it with the terminal's own key (tmux: Ctrl-b d).

    For example: operator attach ENG-12
    """
    view = ask(common, lambda client: client.attach(ref))
    if common.json or print_:
        show(common, view, lambda _: shlex.join(view.tmux))
        return
    if not view.tmux:
        raise CliError(f"The session of {view.agent_id} is not there yet.", "See how far it is: operator status")
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        command = shlex.join(view.tmux)
        raise CliError("There is no terminal here to attach.", f"In a terminal, this does it: {command}")
    if shutil.which(view.tmux[0]) is None:
        raise CliError(f"{view.tmux[0]} is not installed here.", "Install it: sudo apt-get install tmux")
    # tmux refuses to run inside tmux, though ours is another server.
    environment = {name: text for name, text in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    sys.stdout.flush()
    os.execvpe(view.tmux[0], list(view.tmux), environment)
