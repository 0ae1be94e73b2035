"""Sessions in a private tmux server."""

from supervisor.adapters.sessions.tmux.backend import TmuxBackend

__all__ = ["TmuxBackend"]
