"""A folder of Markdown files as a board: `queue/`, `in-progress/` and `completed/`."""

from supervisor.adapters.kanban.local.provider import LocalBoard

__all__ = ["LocalBoard"]
