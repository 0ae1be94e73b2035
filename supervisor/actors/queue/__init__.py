"""The queue: it alone writes tickets."""

from supervisor.actors.queue.queue import Queue
from supervisor.actors.queue.shelf import Merged, Pause

__all__ = ["Merged", "Pause", "Queue"]
