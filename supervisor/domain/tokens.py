"""The token that one agent's hooks bring: it follows from a secret of the daemon and the agent's id."""

import hashlib
import hmac

from supervisor.domain.ids import AgentId


def agent_token(secret: bytes, agent_id: AgentId) -> str:
    """Good for signalling this agent and for nothing else. Nothing is stored, so a restart changes nothing."""
    return hmac.new(secret, f"signals\0{agent_id}".encode(), hashlib.sha256).hexdigest()
