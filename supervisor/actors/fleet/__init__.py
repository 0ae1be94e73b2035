"""Launches and slots."""

from supervisor.actors.fleet.fleet import Fleet
from supervisor.actors.fleet.ledger import LaunchOrder
from supervisor.actors.fleet.life import World, workspace_of

__all__ = ["Fleet", "LaunchOrder", "World", "workspace_of"]
