"""Linear: a team's issues, over its GraphQL API."""

from supervisor.adapters.kanban.linear.board import LinearBoard

__all__ = ["LinearBoard"]
