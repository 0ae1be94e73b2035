"""What the command line may override of the configuration."""

from pathlib import Path
from typing import Literal

from attrs import frozen


@frozen
class ServeOptions:
    state_dir: Path
    port: int | None = None
    stream_port: int | None = None
    host: str | None = None
    no_auth: bool = False
    log_format: Literal["auto", "json", "text"] = "auto"
    tmux_socket: Path | None = None
    """Where the tmux server listens; default: in the runtime directory."""
    start_tmux: bool = True
    """False where a service manager keeps the tmux server."""
    agents_user: str | None = None
    """Whom agents run as, when that is another user than the daemon's: then tmux is not ours to start."""
