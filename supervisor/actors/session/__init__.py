"""One agent's session: the handle others hold, and the actor behind it."""

from supervisor.actors.session.actor import SessionActor
from supervisor.actors.session.handle import Heard, SessionHandle

__all__ = ["Heard", "SessionActor", "SessionHandle"]
