"""A project of Jira Cloud as a board, through its REST API v3."""

from supervisor.adapters.kanban.jira.board import JiraBoard

__all__ = ["JiraBoard"]
