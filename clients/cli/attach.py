"""`operator attach`: sit down at an agent's terminal."""

import os
import shlex
import shutil
import sys
from typing import Annotated

from cyclopts import Parameter

from clients.api.client import Client
from clients.cli.options import COMMON, USAGE, CliError, Common, ask, show
from supervisor.domain.views import AttachView


def attach(
    ref: Annotated[str | None, Parameter(name=["TICKET"], help="A ticket or an agent.")] = None,
    /,
    *,
    next_: Annotated[
        bool,
        Parameter(name="--next", negative="", show_default=False, help="The one that has needed you for the longest."),
    ] = False,
    print_: Annotated[
        bool, Parameter(name="--print", negative="", show_default=False, help="Print the command only.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Sit down at an agent's terminal; leave it with the terminal's own key (tmux: Ctrl-b d).

    For example: operator attach ENG-12
    """
    if (ref is None) != next_:
        raise CliError("Name a ticket or an agent, or say --next.", "What needs you: operator status", USAGE)
    view = ask(common, lambda client: _found(client, ref))
    if common.json or print_:
        show(common, view, lambda _: shlex.join(view.argv))
        return
    if not view.argv:
        raise CliError(f"The session of {view.agent_id} is not there yet.", "See how far it is: operator status")
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        command = shlex.join(view.argv)
        raise CliError("There is no terminal here to attach.", f"In a terminal, this does it: {command}")
    if shutil.which(view.argv[0]) is None:
        raise CliError(f"{view.argv[0]} is not installed here.", "Install it: sudo apt-get install tmux")
    # tmux refuses to run inside tmux, though ours is another server.
    environment = {name: text for name, text in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
    sys.stdout.flush()
    os.execvpe(view.argv[0], list(view.argv), environment)


async def _found(client: Client, ref: str | None) -> AttachView:
    """How to reach this one; None: the one that has needed a person for the longest. Raises CliError if none does."""
    if ref is None:
        agents = (await client.active_agents()).agents
        needing = [each for each in agents if each.needs is not None]
        if not needing:
            raise CliError("No agent needs you.", "What there is: operator status")
        ref = min(needing, key=lambda each: each.state.since).id
    return await client.attach(ref)
