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
