"""Steps and reviews: when a turn ends, what follows; and what a person decides, carried out."""

from supervisor.actors.review.review import Review
from supervisor.actors.review.stepper import Tools

__all__ = ["Review", "Tools"]
