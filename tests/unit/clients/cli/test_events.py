"""Entries of the activity as lines."""

import pytest

from clients.api.stream import Connected, Disconnected, Gap, NewEpoch
from clients.cli.events import line
from clients.cli.terminal import Terminal
from clients.cli.watch import about
from supervisor.domain.activity import Value
from supervisor.domain.views import EventView
from tests.unit.clients.cli.samples import NOW

PLAIN = Terminal(columns=100)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def event(kind: str, ticket: str | None = "ENG-14", agent: str | None = "ENG-14~1", /, **data: Value) -> EventView:
    return EventView(7, NOW, kind, ticket, agent, data)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (event("agent.running", source="hook"), "14:06 ENG-14       ● running · hook"),
        (event("ticket.done"), "14:06 ENG-14       ✓ done"),
        (
            event("agent.needs_you", why="no artifact", step="do"),
            "14:06 ENG-14       ◆ needs you · do · no artifact",
        ),
        (
            event("step.done", step="do", commits=2, dirty=False),
            "14:06 ENG-14         step done · do · commits 2",
        ),
        (event("agent.retired", reason="done"), "14:06 ENG-14         agent retired · done"),
        (event("daemon.started", None, None, pid=7), "14:06 daemon         started · pid 7"),
        (
            event("agent.idle", source="title", evidence="✳\x1b[2J"),
            "14:06 ENG-14       ○ idle · title · ✳\ufffd[2J",
        ),
        (
            event("review.opened", review=31, kind="plan", title="Rate limits"),
            "14:06 ENG-14       ◈ plan review opened · Rate limits · review 31",
        ),
        (
            event("review.opened", review=32, kind="permission", title="It wants to use Bash: ls"),
            "14:06 ENG-14       ◆ permission asked · It wants to use Bash: ls · review 32",
        ),
        (
            event("review.opened", review=33, kind="question", title="Which db?"),
            "14:06 ENG-14       ◆ question asked · Which db? · review 33",
        ),
        (
            event("review.approved", review=31, kind="plan", by="ada"),
            "14:06 ENG-14       ✓ plan review approved · review 31 · by ada",
        ),
        (
            event("review.rejected", review=31, kind="visual", by="ada", reason="too\nblue"),
            "14:06 ENG-14       ✗ visual review rejected · too blue · review 31 · by ada",
        ),
        (
            event("review.answered", review=33, kind="question", by="ada"),
            "14:06 ENG-14       ✓ question answered · review 33 · by ada",
        ),
        (
            event("review.superseded", review=32, kind="permission", why="it was answered at the terminal"),
            "14:06 ENG-14         permission superseded · it was answered at the terminal · review 32",
        ),
    ],
)
def test_a_line_for_each_entry(entry: EventView, text: str) -> None:
    assert line(entry, PLAIN) == text


def test_long_lines_are_cut_for_a_terminal_only() -> None:
    entry = event("agent.running", evidence="x" * 300)
    assert len(line(entry, Terminal(columns=60))) == 60
    assert len(line(entry, Terminal(columns=10_000))) > 300


def test_notes_on_the_stream_itself() -> None:
    assert about(Connected("e", 1, 1, again=False), PLAIN) == ""
    assert about(Connected("e", 1, 1, again=True), PLAIN) == "-- connected again"
    assert (
        about(Disconnected("the connection broke", 2.0), PLAIN)
        == "-- not connected (the connection broke), again in 2 s"
    )
    assert about(Gap(3, 9), PLAIN) == "-- entries 4 to 8 are kept no longer"
    assert "another database" in about(NewEpoch("f"), PLAIN)
