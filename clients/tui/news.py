"""What the follower of a daemon tells. Light: the screen is drawn before the follower is loaded."""

from datetime import datetime

from attrs import frozen

from clients.tui.world import World
from supervisor.domain.views import EventView


@frozen
class Online:
    """The stream is live."""


@frozen
class Offline:
    """No daemon is heard. What was known stays on the screen."""

    since: datetime
    reason: str
    hint: str = ""


@frozen
class Read:
    """What is known has been read anew."""

    world: World


News = Online | Offline | Read | EventView
