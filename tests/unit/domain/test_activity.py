import pytest

from supervisor.domain.activity import Entry, Filter
from supervisor.domain.ids import AgentId, TicketId
from tests.unit.domain.samples import NOON

ENTRY = Entry("agent.running", NOON, TicketId("A-1"), AgentId("A-1~1"))
GENERAL = Entry("queue.paused", NOON)


@pytest.mark.parametrize(
    ("wanted", "entry", "wants"),
    [
        (Filter(), ENTRY, True),
        (Filter(), GENERAL, True),
        (Filter(kinds=("agent.running",)), ENTRY, True),
        (Filter(kinds=("agent.run",)), ENTRY, False),
        (Filter(kinds=("agent",)), ENTRY, False),
        (Filter(kinds=("agent.*",)), ENTRY, True),
        (Filter(kinds=("agent.running.*",)), ENTRY, False),
        (Filter(kinds=("age.*",)), ENTRY, False),
        (Filter(kinds=("ticket.*", "agent.*")), ENTRY, True),
        (Filter(kinds=("agent.*",)), GENERAL, False),
        (Filter(agent=AgentId("A-1~1")), ENTRY, True),
        (Filter(agent=AgentId("A-1~2")), ENTRY, False),
        (Filter(agent=AgentId("A-1~1")), GENERAL, False),
        (Filter(ticket=TicketId("A-1")), ENTRY, True),
        (Filter(ticket=TicketId("A-2")), ENTRY, False),
        (Filter(ticket=TicketId("A-1")), GENERAL, False),
        (Filter(("agent.*",), AgentId("A-1~1"), TicketId("A-2")), ENTRY, False),
        (Filter(("ticket.*",), AgentId("A-1~1"), TicketId("A-1")), ENTRY, False),
    ],
)
def test_a_filter_wants_what_fits_all_of_it(wanted: Filter, entry: Entry, wants: bool) -> None:
    assert wanted.wants(entry) is wants
