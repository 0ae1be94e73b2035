"""`operator config`: whether the configuration is right, what it comes to, and which file it is."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App

from clients.cli import marks
from clients.cli.options import COMMON, REFUSED, Common, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean, columns_of
from supervisor import configfile
from supervisor.configfile import Loaded
from supervisor.domain.config import Config
from supervisor.domain.durations import Duration, human
from supervisor.domain.errors import ConfigError
from supervisor.domain.wire import fields_of

app = App(name="config", help="Check and show the configuration.")

_HIDDEN = "(hidden)"


@app.command(name="show", sort_key=1)
def show_settings(*, common: Common = COMMON) -> None:
    """Print every setting that holds, and whether the file or the default says so.

    For example: operator config show --json
    """
    loaded = configfile.load_config(configfile.find_config(common.config))
    found = list(settings(loaded))
    where = str(loaded.path) if loaded.path else None
    answer = {
        "file": where,
        "settings": [{"key": key, "value": value, "from": origin} for key, value, origin in found],
    }
    show(common, answer, lambda out: listed(found, where, out))


@app.command(sort_key=2)
def check(*, common: Common = COMMON) -> int:
    """Check the configuration; every wrong key is named, with what would be right.

    For example: operator config check --config ~/projects/operator.toml
    """
    path = configfile.find_config(common.config)
    wrong: dict[str, str] = {}
    doubts: dict[str, str] = {}
    try:
        doubts = dict(doubtful(configfile.load_config(path).config))
    except ConfigError as error:
        wrong = dict(error.fields)
    answer = {"file": str(path) if path else None, "ok": not wrong, "errors": wrong, "warnings": doubts}
    show(common, answer, lambda out: verdict(path, wrong, doubts, out))
    return REFUSED if wrong else 0


@app.command(sort_key=3)
def path(*, common: Common = COMMON) -> int:
    """Print which file applies here.

    For example: operator config path
    """
    found = configfile.find_config(common.config)
    none = "No operator.toml is found from here; all is default. Write one with: operator init"
    show(common, {"file": str(found) if found else None}, lambda _: str(found) if found else none)
    return 0 if found else REFUSED


def settings(loaded: Loaded) -> Iterator[tuple[str, Any, str]]:
    """Each setting with its value and where it comes from: `file` or `default`."""
    yield from _flat(loaded.config, Config, "", loaded.given)


def _flat(value: Any, kind: Any, key: str, given: frozenset[str]) -> Iterator[tuple[str, Any, str]]:
    origin = "file" if key in given else "default"
    if hasattr(type(value), "__attrs_attrs__") and not isinstance(value, str):
        for name, each in fields_of(type(value)).items():
            yield from _flat(getattr(value, name), each, f"{key}.{name}" if key else name, given)
    elif isinstance(value, dict):
        for name, each in value.items():
            # The environment of an agent may hold what nobody should read over a shoulder.
            shown = _HIDDEN if key.endswith(".env") else each
            yield from _flat(shown, None, f"{key}.{name}", given)
    elif isinstance(value, tuple):
        yield key, [str(getattr(each, "name", each)) for each in value], origin
    else:
        yield key, f"{human(value)}" if kind is Duration else value, origin


def listed(found: list[tuple[str, Any, str]], where: str | None, out: Terminal) -> str:
    """Settings as a table."""
    rows = [[key, clean(_spelled(value)), origin] for key, value, origin in found]
    lines = [f"File: {where}" if where else "There is no file; all is default."]
    for row, (_, _, origin) in zip(columns_of(rows, out.columns, out.more), found, strict=True):
        line = "  ".join(row).rstrip()
        lines.append(line if origin == "file" else out.paint("muted", line))
    return "\n".join(lines)


def _spelled(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, list) else str(value)


def doubtful(config: Config) -> Iterator[tuple[str, str]]:
    """What is allowed but will not work on this machine as it is now."""
    for name, project in config.projects.items():
        if not Path(project.path).is_dir():
            yield f"projects.{name}.path", f"there is no folder {project.path}"
        elif project.worktrees and not (Path(project.path) / ".git").exists():
            yield (
                f"projects.{name}.path",
                "is no git repository: run git init there, or set worktrees = false",
            )
    for name, driver in config.drivers.items():
        program = driver.command[0]
        if shutil.which(program) is None and not ("/" in program and os.access(program, os.X_OK)):
            yield f"drivers.{name}.command", f"{program} is not found on PATH"
    for name, collection in config.collections.items():
        if not Path(collection.path).is_dir():
            yield (
                f"collections.{name}.path",
                f"there is no folder {collection.path}; it is made on the first start",
            )
    if not config.projects:
        yield "projects", "there is none: tickets wait until one is added"
    if not config.drivers:
        yield "drivers", "there is none: tickets wait until one is added"
    if not config.collections:
        yield "collections", "there is none: there will be no tickets"


def verdict(path: Path | None, wrong: dict[str, str], doubts: dict[str, str], out: Terminal) -> str:
    """What is wrong and what is doubtful, or that all is well."""
    where = str(path) if path else "no file, all default"
    lines = [f"{out.mark(marks.FAILED)} {where}" if wrong else f"{out.mark(marks.DONE)} {where}: no errors"]
    lines += [f"  {clean(key)}: {clean(text)}" for key, text in wrong.items()]
    lines += [f"  {out.paint('attention', 'note')} {clean(key)}: {clean(text)}" for key, text in doubts.items()]
    return "\n".join(lines)
