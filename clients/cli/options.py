"""The options every command has, and the way from them to a daemon and back to the terminal."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from attrs import frozen
from cyclopts import Parameter

from clients.cli.terminal import Terminal, terminal
from supervisor import configfile
from supervisor.domain.wire import to_json

if TYPE_CHECKING:
    from clients.api.client import Client
    from clients.api.locate import Where

T = TypeVar("T")

DONE, REFUSED, USAGE, NO_DAEMON = 0, 1, 2, 3
"""Exit codes."""


class CliError(Exception):
    """A command cannot do what was asked; the text says why, the hint what to do."""

    def __init__(self, message: str, hint: str = "", exit_code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


@Parameter(name="*")
@frozen
class Common:
    """Options of every command."""

    json: Annotated[bool, Parameter(negative="", show_default=False, help="Print exact data as JSON.")] = False
    config: Annotated[Path | None, Parameter(help="The operator.toml to use.")] = None
    state_dir: Annotated[Path | None, Parameter(help="The state directory of the daemon.")] = None
    url: Annotated[str | None, Parameter(help="The daemon's address; its token from OPERATOR_TOKEN.")] = None


COMMON = Common()


def find(common: Common) -> "Where":
    """The daemon that options, environment or the nearest operator.toml mean. Raises NoDaemon, NoConfig."""
    from clients.api.locate import locate  # `serve` finds none

    return locate(state_dir(common), url=common.url)


def state_dir(common: Common) -> Path:
    """Its state directory. Raises NoConfig."""
    config = None if common.state_dir is not None else configfile.find_config(common.config)
    return configfile.state_directory(config, common.state_dir)


def ask(common: Common, work: Callable[["Client"], Awaitable[T]]) -> T:
    """Ask the daemon. Raises ApiError's subclasses."""
    from clients.api.blocking import run

    return run(find(common), work)


def show(common: Common, answer: object, render: Callable[[Terminal], str]) -> None:
    """Print an answer: exactly, or for a person."""
    if common.json:
        print(to_json(answer))
    else:
        write(render(terminal()))


def write(text: str) -> None:
    """Print text that ends in one line end, or nothing."""
    if text:
        print(text.rstrip("\n"))


def read_text(given: str) -> str:
    """A text as options name it: itself, `@FILE`, or `-` for standard input. Raises CliError."""
    try:
        if given == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        if given.startswith("@"):
            return Path(given[1:]).expanduser().read_text("utf-8")
    except OSError as error:
        raise CliError(f"{given[1:]} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CliError(f"{given} is not UTF-8 text.") from None
    return given
