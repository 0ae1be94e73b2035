"""`operator init --board`: what a board elsewhere needs, whether its token works, and what it would bring."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from attrs import frozen
from cyclopts import Parameter

from clients.cli.options import CliError
from clients.cli.text import clean

if TYPE_CHECKING:
    from supervisor.domain.config import CollectionConfig
    from supervisor.domain.ticket import BoardTicket

FIRST = 10
"""Tickets that are shown."""
PATIENCE = 120.0


@Parameter(name="*")
@frozen
class Wanted:
    """Options for a board elsewhere."""

    board: Annotated[
        Literal["linear", "jira", "github"] | None, Parameter(help="Take tickets from there, not from a folder.")
    ] = None
    team: Annotated[str | None, Parameter(help="linear: the team's key, such as ENG.")] = None
    base_url: Annotated[str | None, Parameter(help="jira: such as https://example.atlassian.net.")] = None
    email: Annotated[str | None, Parameter(help="jira: whose token it is.")] = None
    key: Annotated[str | None, Parameter(help="jira: the project's key, such as ENG.")] = None
    repo: Annotated[str | None, Parameter(help="github: owner/name for its issues, owner/7 for a project.")] = None
    token_env: Annotated[str | None, Parameter(help="The variable that holds the token.")] = None
    label: Annotated[str | None, Parameter(help="Take only what has this label.")] = None
    untested: Annotated[bool, Parameter(negative="", show_default=False, help="Do not ask the board.")] = False


NO_BOARD = Wanted()


@frozen
class Board:
    """A collection that can be written down."""

    name: str
    config: "CollectionConfig"
    table: str
    """Its part of the file."""


_ASKED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "linear": (("team", "The team's key, such as ENG"),),
    "jira": (
        ("base_url", "The site's address, such as https://example.atlassian.net"),
        ("email", "Whose API token it is (an e-mail address)"),
        ("key", "The project's key, such as ENG"),
    ),
    "github": (("repo", "owner/name for a repository's issues, or owner/7 for a project"),),
}


def settled(wanted: Wanted, asks: bool) -> Board:
    """What is wanted with what was missing asked for; or, where nobody can be asked, named as missing."""
    from supervisor.domain.board_config import TOKEN_ENV
    from supervisor.domain.config_reader import read_config
    from supervisor.domain.errors import ConfigError

    assert wanted.board is not None
    given = {key: getattr(wanted, key) for key, _ in _ASKED[wanted.board]}
    missing = [(key, text) for key, text in _ASKED[wanted.board] if not given[key]]
    if missing and not asks:
        names = " ".join(f"--{key.replace('_', '-')}" for key, _ in missing)
        raise CliError(f"{wanted.board} needs {names}.", "Give them as options, or run it at a terminal.")
    for key, text in missing:
        given[key] = input(f"{text}: ").strip()
    label = wanted.label
    if asks and label is None:
        label = input("Take only what has the label (empty: everything that is open): ").strip() or None
    keys = {**given, "base_url": given.get("base_url") or wanted.base_url}
    repo = keys.get("repo") or ""
    if re.fullmatch(r"[^/]+/\d+", repo):
        keys = {**keys, "repo": None, "board": repo}
    token_env = wanted.token_env or TOKEN_ENV[wanted.board]
    name = re.sub(r"[^a-z0-9_-]+", "-", (repo.partition("/")[2] or given.get("team") or given.get("key") or "").lower())
    name = name.strip("-") or wanted.board
    text = _table(name, {"provider": wanted.board, **keys, "token_env": token_env}, label)
    try:
        return Board(name, read_config(text, f"this {wanted.board} board").collections[name], text)
    except ConfigError as error:
        raise CliError(f"That cannot be: {'; '.join(error.fields.values()) or error.message}.") from None


def _table(name: str, keys: Mapping[str, str | None], label: str | None) -> str:
    """The token stands in no file: only its variable's name does."""
    lines = [
        "# A collection is where tickets come from. Its token is read from the environment of `operator serve`.",
        f"[collections.{name}]",
        *(f"{key} = {_quoted(value)}" for key, value in keys.items() if value),
    ]
    if label:
        lines.append(f"labels = [{_quoted(label)}]   # only what has all of these is taken up")
    else:
        lines.append('# labels = ["agent"]          # without it every open record is taken up, whoever wrote it')
    lines += [
        '# interval = "60s"           # how often it is asked what changed',
        "# write_back = true          # false: never move or comment anything there",
        '# states = { started = "In Progress", awaiting = "In Review", done = "Done" }   # where they are not found',
        '# types = { Bug = "FIX" }     # issue types, by the board\'s own types or labels',
        '# webhook_secret_env = "..." # README: Boards elsewhere',
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in escaped) + '"'


def tried_out(board: Board, environ: Mapping[str, str]) -> "Sequence[BoardTicket]":
    """What the board would bring, read with its token. Raises CliError, saying what is wrong with which."""
    import trio

    from supervisor.daemon import boards
    from supervisor.domain.built_in import BUILT_IN
    from supervisor.domain.errors import BoardError
    from supervisor.domain.ticket import BoardState

    provider = boards.board(board.name, board.config, tuple(BUILT_IN), environ)

    async def read() -> "Sequence[BoardTicket]":
        with trio.fail_after(PATIENCE):
            try:
                return (await provider.pull(None, True)).tickets
            finally:
                await provider.aclose()

    try:
        found = trio.run(read)
    except BoardError as error:
        raise CliError(f"The board cannot be read: {error.message}.", error.hint) from None
    except trio.TooSlowError:
        raise CliError(f"The board did not answer within {PATIENCE:g} s.") from None
    wanted = set(board.config.labels)
    return [each for each in found if each.state is BoardState.OPEN and wanted <= set(each.labels)]


def shown(board: Board, tickets: "Sequence[BoardTicket]", untested: bool) -> str:
    """What was found, for a person."""
    if untested:
        return f"The board was not asked. Set {board.config.token_env} for `operator serve`."
    if not tickets:
        return "The token works. There is nothing to take up now."
    lines = [f"The token works. It would take up {len(tickets)}:"]
    lines += [f"  {clean(each.external_key)}  {clean(each.title)[:80]}" for each in tickets[:FIRST]]
    lines += [f"  and {len(tickets) - FIRST} more"] if len(tickets) > FIRST else []
    return "\n".join(lines)
