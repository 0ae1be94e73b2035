"""Everything that is stored or sent comes back as it was, and nothing else is taken for it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import ports
from supervisor.domain import wire
from supervisor.domain.activity import Entry, Recorded
from supervisor.domain.agent import Activity, Idle, Proof, Source
from supervisor.domain.ids import AgentId, Seq
from supervisor.domain.ticket import Queued, Ticket
from supervisor.domain.views import EventView
from tests import strategies

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TICKET = {
    "id": "A-1",
    "title": "t",
    "type": "TASK",
    "status": {"name": "queued", "since": "2026-11-24T12:00:00.000000Z"},
    "created_at": "2026-11-24T12:00:00Z",
    "updated_at": "2026-11-24T12:00:00Z",
}


@pytest.mark.parametrize("kind", get_args(ports.Record), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_record_comes_back_from_its_json(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(strategies.record(kind))
    text = wire.to_json(record)
    text.encode()
    assert wire.from_json(text, kind) == record


@given(entry=strategies.ENTRIES, seq=st.integers(1, 2**62))
def test_every_entry_comes_back_from_its_event(entry: Entry, seq: int) -> None:
    recorded = Recorded(Seq(seq), entry)
    text = wire.to_event(recorded)
    text.encode()
    view = wire.from_json(text, EventView)
    assert view == EventView(seq, entry.at, entry.kind, entry.ticket, entry.agent, entry.data)


def test_an_event_is_flat() -> None:
    entry = Entry("agent.idle", NOON, agent=AgentId("A-1~1"), data={"why": "hook", "n": 1})
    assert json.loads(wire.to_event(Recorded(Seq(7), entry))) == {
        "seq": 7,
        "at": "2026-11-24T12:00:00.000000Z",
        "kind": "agent.idle",
        "ticket": None,
        "agent": "A-1~1",
        "data": {"why": "hook", "n": 1},
    }


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        wire.to_event(Recorded(Seq(1), Entry("a.b", NOON, data={"x": float("nan")})))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"title": 3}, "$.title"),
        ({"attempts": "3"}, "$.attempts"),
        ({"attempts": True}, "$.attempts"),
        ({"labels": "urgent"}, "$.labels"),
        ({"labels": ["a", 1]}, "$.labels[1]"),
        ({"created_at": "yesterday"}, "$.created_at"),
        ({"created_at": 5}, "$.created_at"),
        ({"status": {"name": "nonsense"}}, "$.status"),
        ({"status": {"name": "queued", "since": "2026-11-24T12:00:00Z", "x": 1}}, "$.status"),
        ({"status": []}, "$.status"),
        ({"status": None}, "$.status"),
        ({"colour": "red"}, "$"),
    ],
)
def test_what_is_not_exactly_a_record_is_refused_and_the_field_is_named(change: dict[str, Any], path: str) -> None:
    assert wire.from_plain(TICKET, Ticket).status == Queued(NOON)
    with pytest.raises(wire.READ_ERRORS) as caught:
        wire.from_plain(TICKET | change, Ticket)
    assert path in wire.problems_of(caught.value)


def test_times_are_written_in_utc_whatever_their_zone() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert wire.iso(east) == "2026-11-24T12:00:00.000000Z"
    assert wire.iso(datetime(3, 1, 1, tzinfo=UTC)) == "0003-01-01T00:00:00.000000Z"


def test_a_state_carries_its_name() -> None:
    activity = Activity(AgentId("A-1~1"), Idle(Proof(NOON, Source.HOOK, "Stop")))
    assert wire.to_plain(activity)["state"]["name"] == "idle"


def test_a_choice_comes_back_as_itself_and_another_word_is_an_error() -> None:
    plain = {"since": "2026-11-24T12:00:00Z", "source": "hook", "evidence": ""}
    assert wire.from_plain(plain, Proof).source is Source.HOOK
    with pytest.raises(wire.READ_ERRORS) as raised:
        wire.from_plain(plain | {"source": "rumour"}, Proof)
    assert "expected one of exit, hook" in wire.problems_of(raised.value)["$.source"]
