"""How long the queue takes to line a ticket up and to decide which one is next, with 10,000 waiting.

The bar is 1 ms a decision, with the index and the caps that the daemon uses; commits are measured elsewhere.
A decision waits for nothing, so what is measured is processor time: a busy machine does not change it.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import thread_time

import pytest
from attrs import evolve

from supervisor.actors.queue.shelf import Shelf
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.config import Config, DriverConfig, ProjectConfig, QueueConfig
from supervisor.domain.ids import TicketId, agent_id_for
from supervisor.domain.queue import Load, Settings
from supervisor.domain.ticket import Launching, Queued, Ticket
from tests.bench.figures import Figures

pytestmark = pytest.mark.bench

WAITING = 10_000
DECISIONS = 2_000
BAR = 1000
"""Microseconds for one decision."""
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CONFIG = Config(
    queue=QueueConfig(max_agents=8, max_per_project=2),
    projects={f"project-{number}": ProjectConfig(".") for number in range(10)},
    drivers={name: DriverConfig((name,), max_agents=4) for name in ("claude", "codex", "gemini")},
)


def _crowd(rng: random.Random) -> list[Ticket]:
    types, projects, drivers = sorted(BUILT_IN), sorted(CONFIG.projects), sorted(CONFIG.drivers)
    return [
        Ticket(
            id=TicketId(f"ENG-{number}"),
            title=f"ticket {number}",
            type=rng.choice(types),
            status=Queued(NOON),
            created_at=NOON + timedelta(seconds=rng.randrange(10**6)),
            updated_at=NOON,
            project=rng.choice(projects),
            driver=rng.choice(drivers),
            priority=rng.choice([None, 1, 2, 3, 4]),
        )
        for number in range(WAITING + DECISIONS)
    ]


def _timed(work: Callable[[Ticket], object], over: Sequence[Ticket]) -> list[float]:
    times = []
    for each in over:
        began = thread_time()
        work(each)
        times.append(1e6 * (thread_time() - began))
    return times


def test_enqueue_and_dispatch_with_ten_thousand_waiting(figures: Figures) -> None:
    tickets = _crowd(random.Random(5))
    shelf = Shelf(Settings.of(CONFIG))
    began = thread_time()
    shelf.load(tickets[:WAITING])
    figures.row(f"load of {WAITING:,} tickets, processor", 1000 * (thread_time() - began), "ms")
    waiting = f"with {WAITING:,} tickets waiting, processor"

    def enqueue(ticket: Ticket) -> None:
        assert shelf.assessed(ticket, NOON) is ticket.status
        shelf.put(ticket)

    figures.tail(f"enqueue {waiting}", _timed(enqueue, tickets[WAITING:]), "µs", BAR)

    def dispatch(_: Ticket) -> None:
        chosen = shelf.backlog.best(Load(), shelf.settings)
        assert chosen is not None
        taken = shelf.tickets[chosen[0]]
        shelf.put(evolve(taken, status=Launching(NOON, agent_id_for(taken.id, 1))))

    figures.tail(f"dispatch {waiting}", _timed(dispatch, tickets[WAITING:]), "µs", BAR)
    assert len(shelf.held()) == DECISIONS
    assert len(shelf.backlog) == WAITING

    held = [shelf.backlog.best(Load(), shelf.settings)] * CONFIG.queue.max_agents
    crowded = Load.of(each[1] for each in held if each is not None)
    refusals = _timed(lambda _: shelf.backlog.best(crowded, shelf.settings), tickets[:500])
    figures.tail(f"refusal, all slots taken, {waiting}", refusals, "µs", BAR)
