"""Agents: look at them, type to them, decide what they ask, end them."""

from datetime import UTC, datetime
from http import HTTPStatus

import trio
from attrs import field, frozen, validators

from supervisor.domain.activity import Filter
from supervisor.domain.agent import OVER, SETTLED, Delivery, DeliveryState
from supervisor.domain.ids import AgentId, ReviewId, Seq
from supervisor.domain.projections import delivery_view
from supervisor.domain.review import Answered, Approved, Rejected, Review, Verdict
from supervisor.domain.review_views import verdict_view
from supervisor.domain.views import (
    AgentList,
    AgentView,
    AttachView,
    DeliveryView,
    EventView,
    History,
    StateView,
    VerdictView,
)
from supervisor.domain.wire import from_json
from supervisor.web.glue import Answer, Raw, Routes
from supervisor.web.house import House
from supervisor.web.looks import agent_now

routes = Routes("agents")

LISTED = 1000
STATES = 1000
"""How many entries of an agent's history are told, from its beginning."""
DELIVERY_WAIT = 2.0
"""Seconds until a verdict is answered whose effect nobody has seen yet."""
_LOOK = 0.02
"""Seconds between two looks at what became of it."""
_BIG = 2**53 - 1


@frozen
class Prompt:
    text: str = field(validator=[validators.min_len(1), validators.max_len(1_500_000)])


_reason = validators.matches_re(r"\s*\S[\s\S]*")


def _review_id() -> int | None:
    """Which review is meant; without it the agent's only pending one."""
    numbers = validators.and_(validators.ge(1), validators.le(_BIG))
    return field(default=None, validator=validators.optional(numbers))


@frozen
class Approve:
    review_id: int | None = _review_id()


@frozen
class Reject:
    reason: str = field(validator=_reason)
    """What is to be different: the agent is told, letter for letter."""
    review_id: int | None = _review_id()


@frozen
class Answers:
    answers: dict[str, str]
    """By the question's text or its number; `""` is the only one. Options are named by their labels."""
    review_id: int | None = _review_id()


@frozen
class Stretch:
    """Which part of a transcript."""

    offset: int = field(default=0, validator=[validators.ge(0), validators.le(_BIG)])
    limit: int = field(default=65536, validator=[validators.ge(1), validators.le(1024 * 1024)])


@routes.get("/agents")
async def everyone(house: House) -> AgentList:
    """All agents that are remembered, newest first."""
    return _listed(house, list(house.fleet.agents))


@routes.get("/agents/active")
async def active(house: House) -> AgentList:
    """The agents that are not over, newest first."""
    return _listed(house, [each.id for each in house.fleet.agents.values() if not isinstance(each.phase, OVER)])


def _listed(house: House, ids: list[AgentId]) -> AgentList:
    ids.sort(key=lambda each: (house.fleet.agents[each].started_at, each), reverse=True)
    return AgentList(tuple(agent_now(house, each) for each in ids[:LISTED]), len(ids))


@routes.get("/agents/{agent}")
async def show(house: House, agent: str) -> AgentView:
    """One agent, by its id or its ticket's."""
    return agent_now(house, house.fleet.resolve(agent))


@routes.post("/agents/{agent}/prompt", statuses=(200, 202))
async def prompt(house: House, agent: str, body: Prompt) -> Answer[DeliveryView]:
    """Type a text into the agent's terminal. 202: it is stored, and typed once the agent can take it."""
    session = house.fleet.session(house.fleet.resolve(agent))
    delivery = await session.prompt(body.text, origin="person", wait=2.0)
    pending = delivery.state is DeliveryState.PENDING
    return Answer(HTTPStatus.ACCEPTED if pending else HTTPStatus.OK, delivery_view(delivery))


@routes.post("/agents/{agent}/approve")
async def approve(house: House, agent: str, body: Approve, who: str) -> VerdictView:
    """Approve what the agent waits for; it goes on."""
    return await _decided(house, agent, body.review_id, Approved(datetime.now(UTC), who))


@routes.post("/agents/{agent}/reject")
async def reject(house: House, agent: str, body: Reject, who: str) -> VerdictView:
    """Reject what the agent waits for; it is told why, in the same conversation."""
    return await _decided(house, agent, body.review_id, Rejected(datetime.now(UTC), who, body.reason))


@routes.post("/agents/{agent}/answer")
async def answer(house: House, agent: str, body: Answers, who: str) -> VerdictView:
    """Answer the agent's question."""
    return await _decided(house, agent, body.review_id, Answered(datetime.now(UTC), who, body.answers))


async def _decided(house: House, ref: str, number: int | None, verdict: Verdict) -> VerdictView:
    """Store a verdict, and wait a moment for what comes of it."""
    review_id = None if number is None else ReviewId(number)
    review = await house.review.decide(await _meant(house, ref, review_id), review_id, verdict)
    delivery = _delivery(house, review)
    with trio.move_on_after(DELIVERY_WAIT):  # noqa: ASYNC912  (each round sleeps)
        while not _acts(review, delivery):
            await trio.sleep(_LOOK)
            if not review.told:
                review = house.review.open.get(review.id) or await house.review.find(review.id)
            delivery = _delivery(house, review)
    return verdict_view(review, None if delivery is None else delivery_view(delivery))


def _delivery(house: House, review: Review) -> Delivery | None:
    return None if review.delivery_id is None else house.fleet.delivery(review.agent_id, review.delivery_id)


def _acts(review: Review, delivery: Delivery | None) -> bool:
    """Whether no more is to be seen of a verdict than what is known now."""
    if review.delivery_id is None:
        return review.told
    return delivery is not None and delivery.state in SETTLED


async def _meant(house: House, ref: str, review_id: ReviewId | None) -> AgentId:
    """Whose review is decided: a ticket's may also be one of an agent that it had before."""
    if review_id is not None:
        named = await house.review.find(review_id)
        if ref in (named.agent_id, named.ticket_id):
            return named.agent_id
    return house.review.addressee(ref)


@routes.post("/agents/{agent}/interrupt")
async def interrupt(house: House, agent: str) -> AgentView:
    """Press the key that stops the agent's turn."""
    agent_id = house.fleet.resolve(agent)
    await house.fleet.session(agent_id).interrupt()
    return agent_now(house, agent_id)


@routes.post("/agents/{agent}/stop")
async def stop(house: House, agent: str) -> AgentView:
    """Begin to end the agent and its process group; its ticket waits until somebody retries it."""
    agent_id = house.fleet.resolve(agent)
    await house.queue.stop(agent_id)
    return agent_now(house, agent_id)


@routes.get("/agents/{agent}/attach")
async def attach(house: House, agent: str) -> AttachView:
    """How to reach the agent's session from a terminal."""
    agent_id = house.fleet.resolve(agent)
    return AttachView(agent_id, house.fleet.session(agent_id).attach().argv)


@routes.get("/agents/{agent}/screen", media="text/plain; charset=utf-8")
async def screen(house: House, agent: str) -> Raw:
    """What the agent's terminal shows."""
    text = await house.fleet.session(house.fleet.resolve(agent)).screen()
    return Raw(text.encode("utf-8", "replace"))


@routes.get(
    "/agents/{agent}/transcript",
    media="application/octet-stream",
    headers={"X-Offset": "Where in the transcript the answer begins: later than asked for if that part is gone."},
)
async def transcript(house: House, agent: str, query: Stretch) -> Raw:
    """What the agent wrote to its terminal, by offset."""
    session = house.fleet.session(house.fleet.resolve(agent))
    begins, content = await session.transcript(query.offset, query.limit)
    return Raw(content, {"X-Offset": str(begins)})


@routes.get("/agents/{agent}/diff", media="text/x-diff; charset=utf-8", deadline=60.0)
async def diff(house: House, agent: str) -> Raw:
    """A patch of what the agent's worktree holds beyond its base."""
    text = await house.fleet.diff(house.fleet.resolve(agent))
    return Raw(text.encode("utf-8", "surrogateescape"))


@routes.get("/agents/{agent}/history")
async def history(house: House, agent: str) -> History:
    """The agent's states, oldest first, with their proofs."""
    agent_id = house.fleet.resolve(agent)
    found = await house.activity.page(Seq(0), STATES, Filter(kinds=("agent.*",), agent=agent_id))
    return History(agent_id, tuple(_state(from_json(each, EventView)) for each in found))


def _state(event: EventView) -> StateView:
    evidence = event.data.get("evidence") or event.data.get("reason") or event.data.get("why") or ""
    source = event.data.get("source") or "operator"
    return StateView(event.kind.removeprefix("agent."), event.at, str(source), str(evidence))
