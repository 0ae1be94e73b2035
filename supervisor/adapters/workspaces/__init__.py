"""Git worktrees, one for each ticket."""

from supervisor.adapters.workspaces.git import GitWorkspaces

__all__ = ["GitWorkspaces"]
