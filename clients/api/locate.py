"""Where the daemon is: its address and token, from the environment or from the state directory."""

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from clients.api.errors import NoDaemon
from supervisor.domain.views import Endpoint
from supervisor.domain.wire import READ_ERRORS, from_json

START_HINT = "Start one in another terminal: operator serve"
_LIMIT = 65536
"""Bytes of an endpoint or token file that are read; a real one has a few hundred."""


@frozen
class Where:
    """How to reach one daemon."""

    url: str
    token: str | None = field(repr=False)
    state_dir: Path
    endpoint: Endpoint | None = None
    """What the daemon wrote about itself; None when the address was given by hand."""

    @property
    def stream_url(self) -> str | None:
        """The base address of its WebSockets, where known."""
        return None if self.endpoint is None else self.endpoint.stream_url


def default_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`OPERATOR_STATE_DIR`, or the user's state directory."""
    named = environ.get("OPERATOR_STATE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs  # a client that was told where to look need not load it

    return platformdirs.user_state_path("operator", appauthor=False)


def locate(state_dir: Path | None = None, *, url: str | None = None, environ: Mapping[str, str] = os.environ) -> Where:
    """Find a daemon. Raises NoDaemon where none has left its address.

    An address given by hand gets the state directory's token only if the daemon there has that very address:
    a token never goes to anybody else.
    """
    folder = state_dir or default_state_dir(environ)
    endpoint = read_endpoint(folder)
    address = url or environ.get("OPERATOR_URL") or None
    if address is not None:
        address = address.rstrip("/").removesuffix("/api/v1")
        if endpoint is not None and address != endpoint.url.rstrip("/"):
            endpoint = None
    elif endpoint is not None:
        address = endpoint.url.rstrip("/")
    else:
        raise NoDaemon(f"No daemon runs on the state directory {folder}.", START_HINT)
    token = environ.get("OPERATOR_TOKEN") or _token(endpoint)
    return Where(address, token, folder, endpoint)


def read_endpoint(state_dir: Path) -> Endpoint | None:
    """What the last daemon of this state directory wrote; None if there is nothing that can be read."""
    text = _read(state_dir / "endpoint.json")
    if text is None:
        return None
    try:
        return from_json(text, Endpoint)
    except READ_ERRORS:
        return None


def _token(endpoint: Endpoint | None) -> str | None:
    if endpoint is None or endpoint.token_file is None:
        return None
    text = _read(Path(endpoint.token_file))
    return text.strip() or None if text is not None else None


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
