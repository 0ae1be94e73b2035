"""The page of `operator status`, letter for letter."""

from datetime import UTC

import pytest
from attrs import evolve

from clients.cli.status import Glance, render
from clients.cli.terminal import Terminal
from supervisor.domain import views
from tests.unit.clients.cli.samples import AGENT, ASKING, NOW, PARKED, PERMISSION, PLAN, QUESTION, STATUS, TICKET

PLAIN = Terminal(columns=100)
BUSY = Glance(
    "http://127.0.0.1:7008",
    STATUS,
    views.AgentList((AGENT, ASKING), 2),
    views.Kanban((TICKET, evolve(TICKET, id="ENG-22", type="FEAT")), (), (), (), 2),
    views.TicketPage((PARKED,), None, 1),
)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert NOW.tzinfo is UTC


def test_a_busy_daemon() -> None:
    assert (
        render(BUSY, NOW, PLAIN)
        == """\
Operator 0.4.0 · 3 of 4 agents · 12 queued · 1 parked · 1 needs you                   127.0.0.1:7008
backend  local  synced 14 s ago
web      local  cannot be read (transport), again in 40 s  2 writes to the board pending

NEEDS YOU
 ◆ ENG-19  awaiting input  20 s  codex wants: rm -rf build\N{REPLACEMENT CHARACTER}[31m  operator attach ENG-19

RUNNING
 ● ENG-14  build 2/4  11 min  claude  running · title

NEXT        ENG-20 FIX  ENG-22 FEAT  and 10 more
 ‖ WEB-80  retry: exit 1, in 40 s (14:07)
"""
    )


def test_reviews_come_with_the_command_that_decides_them() -> None:
    awaiting = evolve(TICKET, id="ENG-12", title="Rate-limit the login endpoint", status="awaiting")
    agents = views.AgentList((evolve(ASKING, id="ENG-7~1", ticket_id="ENG-7", needs="3 turns ended"), ASKING), 2)
    reviews = (evolve(QUESTION, ticket_id="ENG-20", agent_id="ENG-20~1"), PERMISSION, PLAN)
    glance = evolve(BUSY, agents=agents, reviews=reviews, kanban=evolve(BUSY.kanban, awaiting=(awaiting,)))
    text = render(glance, NOW, Terminal(columns=140))
    assert (
        text[text.index("NEEDS YOU") : text.index("\n\nRUNNING")]
        == """\
NEEDS YOU
 ◈ ENG-12  plan            4 min  Rate-limit the login endpoint  operator review show 31
 ◆ ENG-19  permission       20 s  codex wants: rm -rf build ls   operator approve ENG-19 --review 32
 ◆ ENG-20  question         20 s  Which database?                operator answer ENG-20
 ◆ ENG-7   awaiting input   20 s  3 turns ended                  operator attach ENG-7"""
    )


def test_a_terminal_without_signs_says_the_same() -> None:
    text = render(BUSY, NOW, Terminal(signs=False, columns=100))
    assert text.replace("\ufffd", "").isascii()
    assert " ! ENG-19" in text
    assert " * ENG-14" in text
    assert " = WEB-80" in text


def test_nothing_to_do_is_said_calmly() -> None:
    quiet = evolve(STATUS, counts=views.QueueStatus(0, 0, 0, 0, 0, 0, 0, {}), agents=0, needs_you=0, collections=())
    empty = Glance("http://127.0.0.1:7008", quiet, views.AgentList((), 0), views.Kanban((), (), (), (), 0))
    assert (
        render(empty, NOW, PLAIN)
        == """\
Operator 0.4.0 · 0 of 4 agents · 0 queued                                             127.0.0.1:7008
No collection is configured, so tickets come from nowhere. Write one with: operator init

NEEDS YOU   nothing

RUNNING     nothing; add a ticket with: operator ticket add "Title"

"""
    )


def test_a_pause_says_why_and_how_it_ends() -> None:
    glance = evolve(BUSY, status=evolve(STATUS, paused=True, pause_reason="deploying\x07"))
    second = render(glance, NOW, PLAIN).splitlines()[1]
    assert second == "‖ Paused: deploying\ufffd. Agents at work go on; start more with: operator resume"


def test_warnings_and_failing_backends_are_told() -> None:
    status = evolve(STATUS, backends=(views.BackendView("tmux", False, "does not answer"),), warnings=("no token",))
    text = render(evolve(BUSY, status=status), NOW, PLAIN)
    assert "? tmux: does not answer\n? no token\n" in text


def test_colour_changes_no_letter() -> None:
    import re

    painted = render(BUSY, NOW, Terminal(color=True, columns=100))
    assert painted != render(BUSY, NOW, PLAIN)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(BUSY, NOW, PLAIN)
