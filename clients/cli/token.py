"""`operator token`: what clients prove themselves with. It needs the state directory only, no daemon."""

import os
import secrets
from pathlib import Path

from cyclopts import App

from clients.api.locate import read_endpoint
from clients.cli.options import COMMON, CliError, Common, show, state_dir

app = App(name="token", help="Show or replace the token that clients need.")

_NAME = "token"


@app.command(name="show")
def show_token(*, common: Common = COMMON) -> None:
    """Print the token that clients of this state directory's daemon need.

    For example: curl -H "Authorization: Bearer $(operator token show)" http://127.0.0.1:7008/api/v1/status
    """
    path = _path(state_dir(common))
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise CliError(f"There is no token in {path}.", "The daemon makes one: operator serve") from None
    show(common, {"token": text, "path": str(path)}, lambda _: text)


@app.command
def rotate(*, common: Common = COMMON) -> None:
    """Replace the token. A daemon that runs keeps the old one until it is restarted.

    For example: operator token rotate
    """
    folder = state_dir(common)
    if not folder.is_dir():
        raise CliError(f"There is no state directory {folder}.", "The daemon makes it: operator serve")
    path = _path(folder)
    replace(path, secrets.token_urlsafe(32))
    running = _alive(folder)
    told = "The daemon still takes the old one: restart it." if running else "No daemon runs; the next one takes it."
    answer = {"path": str(path), "restart_needed": running}
    show(common, answer, lambda _: f"There is a new token in {path}. {told}")


def _path(folder: Path) -> Path:
    endpoint = read_endpoint(folder)
    named = endpoint.token_file if endpoint is not None else None
    return Path(named) if named else folder / _NAME


def replace(path: Path, token: str) -> None:
    """Write a token so that it is there whole or not at all, and for its owner only."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{token}\n".encode("ascii"))
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(draft, path)


def _alive(folder: Path) -> bool:
    endpoint = read_endpoint(folder)
    if endpoint is None:
        return False
    try:
        os.kill(endpoint.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, though not ours
    return True
