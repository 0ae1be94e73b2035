"""Offering branches for merging."""

from supervisor.adapters.pullrequests.gh import GhPullRequests

__all__ = ["GhPullRequests"]
