"""`operator init`: write an operator.toml for what is here. It changes nothing that is there already."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter

from clients.cli import boards
from clients.cli.boards import NO_BOARD, Wanted
from clients.cli.options import COMMON, CliError, Common, show
from supervisor.configfile import NAME

COLUMNS = ("queue", "in-progress", "completed")
EXAMPLE = "say-hello.md"


@frozen
class Known:
    """An agent CLI that people have, and how it wants to be treated in a terminal."""

    name: str
    quit: str
    interrupt: str = "Escape"
    kind: str = "command"


AGENTS = (
    Known("claude", "/exit", kind="claude"),
    Known("codex", "/quit", kind="codex"),
    Known("gemini", "/quit"),
    Known("opencode", "/exit"),
    Known("aider", "/exit", "C-c"),
)


@frozen
class Found:
    """What is here."""

    repository: str | None
    """The path from the file to the repository it lies in."""
    name: str
    agents: tuple[Known, ...]


def init(
    *,
    path: Annotated[Path | None, Parameter(help="The folder to set up; default: this one.")] = None,
    example: Annotated[bool, Parameter(negative="", show_default=False, help="Add a first ticket.")] = False,
    force: Annotated[bool, Parameter(negative="", show_default=False, help="Replace an operator.toml.")] = False,
    wanted: Wanted = NO_BOARD,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", show_default=False, help="Do not ask.")] = False,
    common: Common = COMMON,
) -> None:
    """Write an operator.toml, and a folder for tickets or what a board elsewhere needs.

    For example: operator init --example
    Or: operator init --board linear --team ENG --label agent
    """
    folder = (path or Path.cwd()).expanduser().absolute()
    file = folder / NAME
    if not folder.is_dir():
        raise CliError(f"There is no folder {folder}.")
    if file.exists() and not force:
        hint = "Check it: operator config check. Replace it: operator init --force"
        raise CliError(f"There is {file} already.", hint)
    found = look(folder)
    asks = not yes and not common.json and sys.stdin.isatty()
    if wanted.board is not None:
        _join_board(file, found, wanted, asks, common)
        return
    if asks and not _agreed(folder, found):
        raise CliError("Nothing was written.")
    write_whole(file, render(found))
    tickets = make_board(folder / "tickets", example)
    answer = {"file": str(file), "tickets": str(tickets), "agents": [each.name for each in found.agents]}
    show(common, answer, lambda _: next_steps(file, found, example))


def _join_board(file: Path, found: Found, wanted: Wanted, asks: bool, common: Common) -> None:
    """Write the file for a board elsewhere, once its token was tried out."""
    board = boards.settled(wanted, asks)
    tickets = boards.tried_out(board, os.environ) if not wanted.untested else ()
    if asks:
        print(boards.shown(board, tickets, wanted.untested))
        if input(f"Write {file}? [Y/n] ").strip().lower() not in ("", "y", "yes"):
            raise CliError("Nothing was written.")
    write_whole(file, render(found, board.table))
    answer = {"file": str(file), "collection": board.name, "would_take": [each.external_key for each in tickets]}
    told = "" if asks else boards.shown(board, tickets, wanted.untested) + "\n"
    show(common, answer, lambda _: told + next_steps(file, found, example=True, board=True))


def look(folder: Path) -> Found:
    """What is in a folder and on PATH."""
    root = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", (root or folder).name).strip("-") or "main"
    agents = tuple(each for each in AGENTS if shutil.which(each.name))
    return Found(os.path.relpath(root, folder) if root else None, name, agents)


def render(found: Found, collection: str = "") -> str:
    """The file; `collection`: its part about where tickets come from, else a folder."""
    several = len(found.agents) > 1
    queue = ["max_agents = 4", 'retry_base = "10s"']
    if several:
        queue.append(f'driver = "{found.agents[0].name}"   # who takes tickets that name no driver')
    drivers = [_driver(each) for each in found.agents] or [_no_driver()]
    return _TEMPLATE.format(
        queue="\n".join(queue),
        project=_project(found),
        drivers="\n".join(drivers).rstrip("\n"),
        collection=collection or _FOLDER,
    )


_TEMPLATE = """\
# What Operator does here. Every key and its default: operator config show
# After a change: operator config check, then restart operator serve.

[daemon]
# port = 7008              # REST; 0 picks a free one
# stream_port = 7009       # activity over WebSocket
# state_dir = ".operator"  # default: the user's state directory

[queue]
{queue}

# A project is a git repository. Each ticket gets a worktree and a branch operator/<ticket id> of its own.
{project}

# A driver is an agent CLI that runs in a terminal.
{drivers}

{collection}"""
_FOLDER = """\
# A collection is where tickets come from: here a folder of Markdown files.
[collections.tickets]
provider = "local"
path = "tickets"
"""


def _project(found: Found) -> str:
    if found.repository is None:
        return f'# [projects.{found.name}]\n# path = "../{found.name}"   # no git repository was found here'
    return (
        f'[projects.{found.name}]\npath = "{found.repository}"\n'
        '# base = "main"           # default: what the repository has checked out\n'
        '# setup = "make deps"     # run once in each new worktree\n'
        '# copy = [".env"]         # copied into each new worktree'
    )


def _driver(known: Known) -> str:
    return (
        f'[drivers.{known.name}]\nkind = "{known.kind}"\ncommand = ["{known.name}"]\n'
        f'quit = "{known.quit}"\ninterrupt = "{known.interrupt}"\n'
    )


def _no_driver() -> str:
    names = ", ".join(each.name for each in AGENTS)
    lines = (
        f"None of {names} was found on PATH.",
        "[drivers.claude]",
        'kind = "claude"',
        'command = ["claude"]',
    )
    return "\n".join(f"# {line}" for line in lines)


def make_board(folder: Path, example: bool) -> Path:
    """The folders of a local board, and a ticket in it if wanted."""
    for name in COLUMNS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    ticket = folder / COLUMNS[0] / EXAMPLE
    if example and not any((folder / name / EXAMPLE).exists() for name in COLUMNS):
        write_whole(ticket, _TICKET)
    return folder


_TICKET = """\
---
title: Say hello
type: TASK
priority: 3
---
Add a file HELLO.md that greets the reader in one sentence, and commit it.
"""


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, "utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}.") from None


def _agreed(folder: Path, found: Found) -> bool:
    print(f"This writes {folder / NAME} and the folders {folder / 'tickets'}/{{{','.join(COLUMNS)}}}.")
    print(f"Agents found: {_named(found.agents)}. Repository: {found.repository or 'none'}.")
    return input("Write them? [Y/n] ").strip().lower() in ("", "y", "yes")


def _named(agents: Sequence[Known]) -> str:
    return ", ".join(each.name for each in agents) or "none"


def next_steps(file: Path, found: Found, example: bool, board: bool = False) -> str:
    """Three lines: check, start, add."""
    lacks = [
        "" if found.repository is not None else "a project",
        "" if found.agents else "a driver",
    ]
    missing = " and ".join(each for each in lacks if each)
    check = f"Wrote {file}; {f'add {missing} to it, then: ' if missing else 'check it: '}operator config check"
    waits = "Tickets come from the board." if board else "The first ticket waits already."
    ticket = waits if example else 'Then add a ticket: operator ticket add "Say hello"'
    return f"{check}\nStart: operator serve\n{ticket} Watch: operator watch"
