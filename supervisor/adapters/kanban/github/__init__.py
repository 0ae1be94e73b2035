"""GitHub as a board: the plain issues of a repository, or a project (Projects v2) of a user or an organization."""

from supervisor.adapters.kanban.github.provider import GitHubBoard

__all__ = ["GitHubBoard"]
