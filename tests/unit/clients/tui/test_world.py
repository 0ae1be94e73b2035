"""What an event makes out of date, and how little is read again."""

from clients.tui.world import Part, Stale, with_agents
from tests.unit.clients.tui.worlds import agent, event, world


def stale(*kinds: str, agent: str | None = None) -> tuple[frozenset[Part], frozenset[str]]:
    found = Stale()
    for kind in kinds:
        found.note(event(kind, agent=agent, ticket="ENG-1"))
    return found.take()


def test_an_agents_state_is_read_for_that_agent_alone() -> None:
    assert stale("agent.running", "agent.idle", agent="ENG-1~1") == (frozenset(), {"ENG-1~1"})


def test_beginnings_ends_and_reviews_concern_the_board() -> None:
    assert Part.AGENTS in stale("agent.planned", agent="ENG-1~1")[0]
    assert stale("review.opened", agent="ENG-1~1")[0] == {Part.STATUS, Part.KANBAN, Part.REVIEWS}
    assert stale("ticket.done")[0] == {Part.STATUS, Part.KANBAN}
    assert stale("queue.paused")[0] == {Part.STATUS}


def test_many_agents_are_read_as_a_list() -> None:
    found = Stale()
    for number in range(9):
        found.note(event("agent.running", agent=f"ENG-{number}~1"))
    assert found.take() == (frozenset({Part.AGENTS}), frozenset())
    assert not found


def test_agents_that_are_over_leave_the_world() -> None:
    before = world(agents=[agent(1), agent(2)])
    after = with_agents(before, [agent(3)], {"ENG-1~1"})
    assert set(after.agents) == {"ENG-2~1", "ENG-3~1"}
