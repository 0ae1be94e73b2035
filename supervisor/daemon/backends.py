"""Which providers of terminals a daemon has: the one that new agents get, and those whose agents may still be there."""

import shutil
from collections.abc import Mapping
from typing import Literal

from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.adapters.sessions.tmux.server import was_used
from supervisor.adapters.sessions.vscode import VscodeBackend
from supervisor.daemon.options import ServeOptions
from supervisor.domain.config import SessionsConfig
from supervisor.domain.errors import BackendError
from supervisor.ports import SessionBackend

DETAILS: Mapping[str, str] = {"tmux": "one private server", "vscode": "a pty host for each agent"}
"""What each of them is, for people."""


def backends(config: SessionsConfig, options: ServeOptions) -> dict[str, SessionBackend]:
    """All of them by name; the first is for new agents. Raises BackendError."""
    first = _first(config.backend, options)
    with_tmux = first == "tmux" or (was_used(options.state_dir) and _has_tmux())
    found: dict[str, SessionBackend] = {}
    if with_tmux:
        found["tmux"] = TmuxBackend(
            options.state_dir,
            socket=options.tmux_socket,
            start_server=options.start_tmux and options.agents_user is None,
            transcript_limit=config.transcript_limit,
        )
    if options.agents_user is None:
        found["vscode"] = VscodeBackend(options.state_dir, transcript_limit=config.transcript_limit)
    return {first: found.pop(first), **found}


def _first(wanted: Literal["auto", "tmux", "vscode"], options: ServeOptions) -> Literal["tmux", "vscode"]:
    if options.agents_user is not None:
        if wanted == "vscode":
            raise BackendError(
                "agents of another user need tmux", hint='set [sessions] backend = "tmux", or leave it out'
            )
        return "tmux"
    if wanted == "auto":
        return "tmux" if _has_tmux() or not options.start_tmux else "vscode"
    return wanted


def _has_tmux() -> bool:
    return shutil.which("tmux") is not None
