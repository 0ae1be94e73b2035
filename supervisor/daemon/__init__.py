"""The composition root: the only room that names concrete classes."""

from supervisor.daemon.options import ServeOptions
from supervisor.daemon.process import run_daemon

__all__ = ["ServeOptions", "run_daemon"]
