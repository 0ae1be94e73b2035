"""Where `operator.toml` is, and what it says once its relative paths start at its own folder.

Daemon and commands both read it here. Only `load_config` needs the domain: a command that wants no more than
the state directory starts fast.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

if TYPE_CHECKING:
    from supervisor.domain.config import Config

NAME = "operator.toml"
_LIMIT = 4 * 1024 * 1024
"""Bytes; a larger file is no configuration."""


class NoConfig(Exception):
    """A file that was named is not there or cannot be read; the text says which and why."""


@frozen
class Loaded:
    """A configuration and where it came from."""

    config: "Config"
    path: Path | None
    """None: there is no file, all is default."""
    given: frozenset[str]
    """The dotted keys that the file itself names."""


def find_config(
    named: Path | None = None, environ: Mapping[str, str] = os.environ, start: Path | None = None
) -> Path | None:
    """The file that applies: the one named, `OPERATOR_CONFIG`, the nearest above `start`, or the user's own.

    Raises NoConfig when a file was named and is not there: then no other one may stand in for it.
    """
    wanted = named or (Path(environ["OPERATOR_CONFIG"]) if environ.get("OPERATOR_CONFIG") else None)
    if wanted is not None:
        path = wanted.expanduser().absolute()
        if path.is_dir():
            path = path / NAME
        if not path.is_file():
            raise NoConfig(f"there is no file {path}")
        return path
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / NAME).is_file():
            return folder / NAME
    import platformdirs  # only who has no file above needs the user's folders

    own = platformdirs.user_config_path("operator", appauthor=False) / NAME
    return own if own.is_file() else None


def state_directory(
    config_path: Path | None, named: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Path:
    """The state directory: the one named, `OPERATOR_STATE_DIR`, the file's, or the user's own. Absolute.

    The file is not checked beyond that. Raises NoConfig if it is no TOML: its daemon may be elsewhere.
    """
    if named is not None:
        return named.expanduser().absolute()
    if environ.get("OPERATOR_STATE_DIR"):
        return Path(environ["OPERATOR_STATE_DIR"]).expanduser().absolute()
    if config_path is not None:
        try:
            daemon = tomllib.loads(_text(config_path)).get("daemon")
        except tomllib.TOMLDecodeError as error:
            raise NoConfig(f"{config_path} is not valid TOML: {error}") from None
        given = daemon.get("state_dir") if isinstance(daemon, dict) else None
        if isinstance(given, str):
            return Path(_from(config_path.parent, given))
    import platformdirs  # as above

    return platformdirs.user_state_path("operator", appauthor=False)


def load_config(path: Path | None) -> Loaded:
    """Read and check a file. Raises NoConfig, or ConfigError that names every wrong key."""
    from supervisor.domain.config import Config
    from supervisor.domain.config_reader import read_config

    if path is None:
        return Loaded(Config(), None, frozenset())
    text = _text(path)
    config = read_config(text, str(path))
    return Loaded(anchored(config, path.parent), path, frozenset(_keys(tomllib.loads(text))))


def anchored(config: "Config", folder: Path) -> "Config":
    """`config` with every relative path in it starting at `folder`."""
    state_dir = config.daemon.state_dir
    return evolve(
        config,
        daemon=evolve(config.daemon, state_dir=None if state_dir is None else _from(folder, state_dir)),
        projects={name: evolve(given, path=_from(folder, given.path)) for name, given in config.projects.items()},
        collections={
            name: evolve(
                given,
                path=_from(folder, given.path) if given.path else "",
                token_file=_from(folder, given.token_file) if given.token_file is not None else None,
            )
            for name, given in config.collections.items()
        },
        drivers={
            name: evolve(given, command=(_program(folder, given.command[0]), *given.command[1:]))
            for name, given in config.drivers.items()
        },
    )


def _from(folder: Path, given: str) -> str:
    return os.path.normpath(folder.absolute() / Path(given).expanduser())


def _program(folder: Path, given: str) -> str:
    """A bare name is looked up on PATH when it is started; anything with a slash is a file."""
    return _from(folder, given) if "/" in given else given


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise NoConfig(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _LIMIT:
        raise NoConfig(f"{path} is too large for a configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoConfig(f"{path} is not UTF-8 text") from None


def _keys(data: Mapping[str, Any], before: str = "") -> Iterable[str]:
    for key, value in data.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{before}{key}.")
