"""Sessions in pty hosts, which an editor or any terminal can show."""

from supervisor.adapters.sessions.vscode.backend import VscodeBackend

__all__ = ["VscodeBackend"]
