"""Where agents' CLIs post their hooks. An agent's own token is good for this route, for this agent, and no other."""

import hmac
import json

from supervisor.domain.ids import AgentId
from supervisor.web.glue import Raw, Refused, Routes, Sent
from supervisor.web.house import House
from supervisor.web.problems import Refusal, problem
from supervisor.web.reading import read_json
from supervisor.web.security import UNAUTHORIZED

routes = Routes("signals")

DEADLINE = 5.0


@routes.post("/agents/{agent}/signals", media="application/json", token=False, deadline=DEADLINE)
async def signal(house: House, agent: str, sent: Sent) -> Raw:
    """A hook's payload, in its CLI's own form; answered with what the hook is to do. Needs the agent's own token."""
    agent_id = AgentId(agent)
    if not _is_from(house, agent_id, sent.authorization):
        raise Refused(UNAUTHORIZED)
    payload = read_json(sent.body)
    if not isinstance(payload, dict):
        raise Refused(Refusal(problem(422, "not_a_hook", "A hook's payload is a JSON object.")))
    answer = await house.fleet.session(agent_id).hear(payload)
    return Raw(json.dumps(answer).encode())


def _is_from(house: House, agent_id: AgentId, authorization: str | None) -> bool:
    """The token is derived, not looked up: an unknown agent takes as long to refuse as a wrong token."""
    scheme, _, given = (authorization or "").partition(" ")
    wanted = house.hook_token(agent_id)
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), wanted.encode())
    return scheme.lower() == "bearer" and same
