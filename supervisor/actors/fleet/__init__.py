"""Launches and slots."""

from supervisor.actors.fleet.fleet import Fleet
from supervisor.actors.fleet.ledger import LaunchOrder
from supervisor.actors.fleet.life import Hooks, World, workspace_of

__all__ = ["Fleet", "Hooks", "LaunchOrder", "World", "workspace_of"]
