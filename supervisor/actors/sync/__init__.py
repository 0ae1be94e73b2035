"""Boards, both ways."""

from supervisor.actors.sync.sync import Sync

__all__ = ["Sync"]
