"""What a collection's keys mean to its provider: which are needed, where its tickets and its secrets are. Pure."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import attrs

from supervisor.domain.config import CollectionConfig

TOKEN_ENV = {"linear": "LINEAR_API_KEY", "jira": "JIRA_API_TOKEN", "github": "GITHUB_TOKEN"}
"""The variables that hold the tokens of providers, if no other one is named."""
BASE_URL = {"linear": "https://api.linear.app/graphql", "github": "https://api.github.com"}
"""Where providers are that are at one place for everybody."""

_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "local": (("path",),),
    "linear": (("team",),),
    "jira": (("base_url",), ("email",), ("key",)),
    "github": (("repo", "board"),),
}
"""Exactly one key of each group must be there."""
_FOR_ALL = frozenset(("provider", "project", "driver", "type", "labels", "interval", "write_back", "on_closed"))
_FOR_BOARDS = frozenset(
    ("base_url", "token_env", "token_file", "webhook_secret_env", "states", "types", "full_every")
)  # fmt: skip
_DEFAULTS = CollectionConfig("local")
_HINTS = {
    "path": "the folder with queue/, in-progress/ and completed/",
    "team": "the part of an issue's name before the number, such as ENG",
    "base_url": "such as https://example.atlassian.net",
    "email": "whose API token it is",
    "key": "the part of an issue's name before the number, such as ENG",
    "repo": 'such as "owner/name", for its issues',
    "board": 'such as "owner/7", for that project',
}


def wrong_keys(config: CollectionConfig, types: Iterable[str]) -> Iterable[tuple[str, str]]:
    """What is wrong with a collection by its provider: keys, each with a sentence."""
    needed = _NEEDED[config.provider]
    for group in needed:
        given = [key for key in group if getattr(config, key)]
        if not given:
            said = " or ".join(f'{key} ("{_HINTS[key]}")' if len(group) > 1 else _HINTS[key] for key in group)
            yield group[0], f"is missing: {config.provider} needs {said}"
        for key in given[1:]:
            yield key, f"means nothing beside {given[0]}: a collection is one place"
    known = (
        _FOR_ALL | {key for group in needed for key in group} | (_FOR_BOARDS if config.provider != "local" else set())
    )
    for each in attrs.fields(CollectionConfig):
        if each.name not in known and getattr(config, each.name) != getattr(_DEFAULTS, each.name):
            yield each.name, f"means nothing for {config.provider}"
    yield from _wrong_values(config, types)


def _wrong_values(config: CollectionConfig, types: Iterable[str]) -> Iterable[tuple[str, str]]:
    if config.base_url is not None and (wrong := wrong_address(config.base_url)) is not None:
        yield "base_url", wrong
    if config.token_env is not None and config.token_file is not None:
        yield "token_file", "means nothing beside token_env: the token stands in one place"
    for name in ("token_env", "webhook_secret_env"):
        given = getattr(config, name)
        if given is not None and (not given or "=" in given or any(map(str.isspace, given))):
            yield name, "is not the name of an environment variable"
    for kind, state in config.states.items():
        if not state.strip():
            yield f"states.{kind}", "is empty: name one of the board's own states"
    known = frozenset(types)
    for theirs, ours in config.types.items():
        if ours not in known:
            yield f"types.{theirs}", f'there is no issue type "{ours}"'
    if config.full_every < config.interval:
        yield "full_every", "is shorter than interval"


def wrong_address(url: str) -> str | None:
    """Why credentials must not go to this address; None if they may."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("https", "http") or not host:
        return "must begin with https:// and name a host"
    if parts.scheme == "http" and not _is_loopback(host):
        return "must begin with https://: plain http is for loopback only, for the token would be read on the way"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "must hold no credentials, query or fragment"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_env(config: CollectionConfig) -> str | None:
    """The variable that holds the token; None where a file does, or where none is needed."""
    if config.token_file is not None:
        return None
    return config.token_env or TOKEN_ENV.get(config.provider)


def secret_names(collections: Iterable[CollectionConfig]) -> frozenset[str]:
    """The variables that hold secrets of boards: no agent inherits them."""
    named = {name for each in collections for name in (token_env(each), each.webhook_secret_env)}
    return frozenset(name for name in named if name is not None)


def workspace(config: CollectionConfig) -> str:
    """Names the place that external ids belong to: in another one they may be those of other records.

    The ids of a folder's tickets stand in their files, so a folder may move.
    """
    if config.provider == "local":
        return "local"
    address = (config.base_url or BASE_URL.get(config.provider, "")).rstrip("/").lower()
    place = config.team or config.key or config.repo or config.board or ""
    return f"{config.provider} {address} {place.casefold()}"


def where(config: CollectionConfig) -> str:
    """The place, for people."""
    if config.provider == "local":
        return config.path
    place = config.team or config.key or config.repo or config.board or ""
    host = urlsplit(config.base_url).hostname if config.base_url else None
    return f"{place} at {host}" if host else place
