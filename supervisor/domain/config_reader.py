"""TOML text to `Config`, with errors that name the key, what is wrong, and what would be right."""

import difflib
import posixpath
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import attrs

from supervisor.domain.board_config import workspace, wrong_keys
from supervisor.domain.config import Config, issue_types
from supervisor.domain.errors import ConfigError
from supervisor.domain.issue_type import Mode
from supervisor.domain.review import REASON_LIMIT
from supervisor.domain.wire import READ_ERRORS, fields_of, from_plain, problems_of


def read_config(text: str, name: str = "operator.toml") -> Config:
    """The configuration in `text`. Raises ConfigError naming every wrong key at once."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Beside TOMLDecodeError: a number of thousands of digits, or brackets as deep.
        raise ConfigError(f"{name} is not valid TOML: {error}", {name: str(error)}) from None
    wrong: dict[str, str] = {}
    readable = _sifted(data, Config, "", wrong)
    config: Config | None = None
    try:
        config = from_plain(readable, Config)
    except READ_ERRORS as error:
        wrong |= {_tidy(path): text for path, text in problems_of(error, "$").items()}
    if config is not None:
        wrong = dict(_contradictions(config)) | wrong
    if config is None or wrong:
        raise ConfigError(_sentence(name, wrong), wrong)
    return config


def _sentence(name: str, wrong: dict[str, str]) -> str:
    return f"{name}: " + "; ".join(f"{key}: {text}" for key, text in wrong.items())


def _tidy(path: str) -> str:
    """`$.drivers['x'].command` as a person writes it: `drivers.x.command`."""
    return re.sub(r"""\[(['"])(.+?)\1\]""", r".\2", path).removeprefix("$").removeprefix(".")


def _sifted(data: Any, kind: Any, path: str, wrong: dict[str, str]) -> Any:
    """`data` without the keys that are unknown or out of bounds, which are noted in `wrong`.

    So one typing error does not hide the others: what is left is read as if the rest were not there.
    """
    if attrs.has(kind) and isinstance(data, dict):
        return _sifted_record(data, kind, path, wrong)
    if get_origin(kind) is dict and isinstance(data, dict):
        each = get_args(kind)[1]
        return {key: _sifted(value, each, f"{path}.{key}", wrong) for key, value in data.items()}
    if get_origin(kind) is tuple and isinstance(data, list):
        each = get_args(kind)[0]
        return [_sifted(value, each, f"{path}[{index}]", wrong) for index, value in enumerate(data)]
    if isinstance(data, str) and "\0" in data:
        wrong[path] = "holds a NUL character, which no program or file can be given"
        return data.replace("\0", "")
    return data


def _sifted_record(data: dict[str, Any], kind: Any, path: str, wrong: dict[str, str]) -> dict[str, Any]:
    kinds, attributes = fields_of(kind), {each.name: each for each in attrs.fields(kind)}
    kept: dict[str, Any] = {}
    for key, value in data.items():
        where = f"{path}.{key}" if path else key
        if key not in kinds:
            wrong[where] = _nearest(key, kinds)
            continue
        bounds = _out_of_bounds(attributes[key], value)
        if bounds is None:
            kept[key] = _sifted(value, kinds[key], where, wrong)
        else:
            wrong[where] = bounds
    return kept


def _out_of_bounds(attribute: "attrs.Attribute[Any]", value: Any) -> str | None:
    """Which bound a whole number breaks, as a sentence. Only numbers have any, and none may be beyond 64 bits."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if type(number) is not int:
        return None
    if number.bit_length() > 64:
        return "is too large a number"
    try:
        if attribute.validator is not None:
            attribute.validator(None, attribute, number)
    except ValueError as error:
        return str(error).removeprefix(f"'{attribute.name}' ")
    return None


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return f'unknown key; did you mean "{near[0]}"?' if near else f"unknown key; known are {', '.join(known)}"


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def _contradictions(config: Config) -> Iterable[tuple[str, str]]:
    """References to names that are not there, and values that cannot hold together."""
    for table in ("projects", "drivers", "collections"):
        for name in getattr(config, table):
            if _NAME.fullmatch(name) is None:
                yield f"{table}.{name}", "a name is letters, digits, dots, hyphens and underscores, at most 64"
    for where, project, driver in _references(config):
        if project is not None and project not in config.projects:
            yield f"{where}.project", f"there is no [projects.{project}]"
        if driver is not None and driver not in config.drivers:
            yield f"{where}.driver", f"there is no [drivers.{driver}]"
    if config.daemon.port and config.daemon.port == config.daemon.stream_port:
        yield "daemon.stream_port", "is the same as daemon.port"
    if config.queue.retry_base > config.queue.retry_cap:
        yield "queue.retry_base", f"is longer than queue.retry_cap ({config.queue.retry_cap:g} s)"
    yield from _wrong_drivers(config)
    yield from _wrong_collections(config)
    yield from _wrong_types(config)
    yield from _wrong_permissions(config)


def _references(config: Config) -> Iterable[tuple[str, str | None, str | None]]:
    yield "queue", config.queue.project, config.queue.driver
    for name, collection in config.collections.items():
        yield f"collections.{name}", collection.project, collection.driver
    for name, given in config.types.items():
        yield f"types.{name}", given.project, given.driver


def _wrong_drivers(config: Config) -> Iterable[tuple[str, str]]:
    for name, driver in config.drivers.items():
        if not driver.command or not driver.command[0]:
            yield f"drivers.{name}.command", "is empty: name the program to run"
        if driver.prompt_pattern is not None:
            try:
                re.compile(driver.prompt_pattern)
            except (re.error, OverflowError, RecursionError) as error:
                yield f"drivers.{name}.prompt_pattern", f"is not a regular expression: {error}"


def _wrong_collections(config: Config) -> Iterable[tuple[str, str]]:
    types = issue_types(config)
    read_by: dict[str, str] = {}
    for name, collection in config.collections.items():
        if collection.type is not None and collection.type not in types:
            yield f"collections.{name}.type", f'there is no issue type "{collection.type}"'
        if collection.interval < 1:
            yield f"collections.{name}.interval", "must be at least 1s"
        for key, sentence in wrong_keys(collection, types):
            yield f"collections.{name}.{key}", sentence
        local = collection.provider == "local"
        place = posixpath.normpath(collection.path) if local else workspace(collection)
        other = read_by.setdefault(place, name)
        if other != name:
            what = ("path", "folder") if local else ("provider", "place")
            yield (
                f"collections.{name}.{what[0]}",
                f"is the {what[1]} of collections.{other}: its tickets would come twice",
            )


def _wrong_types(config: Config) -> Iterable[tuple[str, str]]:
    for name, given in config.types.items():
        if re.fullmatch(r"[A-Z][A-Z0-9]{0,15}", name) is None:
            yield f"types.{name}", "a type's name is capital letters and digits, such as TASK"
        names: Mapping[str, int] = {step.name: index for index, step in enumerate(given.steps)}
        for index, step in enumerate(given.steps):
            where = f"types.{name}.steps[{index}]"
            if not step.name.strip():
                yield f"{where}.name", "is empty"
            elif names[step.name] != index:
                yield f"{where}.name", f'"{step.name}" is the name of another step, too'
            if not step.prompt.strip():
                yield f"{where}.prompt", "is empty: there would be nothing to type"
            if step.on_reject is not None and step.on_reject not in names:
                yield f"{where}.on_reject", f'there is no step "{step.on_reject}"; there are {", ".join(names)}'
            if step.on_reject is not None and step.review is None:
                yield f"{where}.on_reject", "means nothing without review"
            if step.review == "visual" and not step.artifacts:
                yield f"{where}.artifacts", "is empty: a visual review shows what matches its globs"
            if step.review is not None and given.mode is Mode.PAIRED:
                yield f"{where}.review", "means nothing in a paired type: the person at the terminal decides"


def _wrong_permissions(config: Config) -> Iterable[tuple[str, str]]:
    """A tool may have any name: CLIs and their plug-ins have others than are known here."""
    for index, rule in enumerate(config.permissions):
        where = f"permissions[{index}]"
        for name in ("tool", "pattern"):
            if not getattr(rule, name).strip():
                yield f"{where}.{name}", "is empty: it would fit nothing; leave it out to fit everything"
        if rule.driver is not None and rule.driver not in config.drivers:
            yield f"{where}.driver", f"there is no [drivers.{rule.driver}]"
        if len(rule.reason) > REASON_LIMIT:
            yield f"{where}.reason", f"is longer than {REASON_LIMIT} characters"
        if rule.reason and rule.action == "allow":
            yield f"{where}.reason", "is told to an agent that is denied something: an allowing rule has none"
