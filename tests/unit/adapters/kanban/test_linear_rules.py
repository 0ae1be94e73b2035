import pytest
from attrs import evolve

from supervisor.adapters.kanban.linear.rules import Move, NoState, State, Stay, Theirs, decide
from supervisor.domain.ticket import WriteKind

TRIAGE = State("s0", "Triage", "triage", 0)
BACKLOG = State("s1", "Backlog", "backlog", 1)
TODO = State("s2", "Todo", "unstarted", 2)
DOING = State("s3", "In Progress", "started", 3)
REVIEW = State("s4", "In Review", "started", 4)
STUCK = State("s5", "Blocked", "started", 5)
DONE = State("s6", "Done", "completed", 6)
RELEASED = State("s7", "Released", "completed", 7)
DUPLICATE = State("s8", "Duplicate", "canceled", 8)
CANCELED = State("s9", "Canceled", "canceled", 9)
ODD = State("sx", "Odd", "brand-new", 10)
TEAM = (REVIEW, DONE, CANCELED, DUPLICATE, STUCK, DOING, TODO, BACKLOG, TRIAGE, RELEASED)
K = WriteKind


@pytest.mark.parametrize(
    ("kind", "current", "wanted"),
    [
        (K.STARTED, TODO, Move(DOING)),
        (K.STARTED, BACKLOG, Move(DOING)),
        (K.STARTED, TRIAGE, Move(DOING)),
        (K.STARTED, DOING, Stay()),
        (K.STARTED, REVIEW, Move(DOING)),
        (K.STARTED, STUCK, Stay()),
        (K.STARTED, DONE, Theirs("Done")),
        (K.STARTED, DUPLICATE, Theirs("Duplicate")),
        (K.AWAITING, DOING, Move(REVIEW)),
        (K.AWAITING, TODO, Move(REVIEW)),
        (K.AWAITING, REVIEW, Stay()),
        (K.AWAITING, STUCK, Stay()),
        (K.AWAITING, CANCELED, Theirs("Canceled")),
        (K.FAILED, DOING, Stay()),
        (K.FAILED, REVIEW, Stay()),
        (K.FAILED, TODO, Move(DOING)),
        (K.FAILED, DONE, Theirs("Done")),
        (K.DONE, DOING, Move(DONE)),
        (K.DONE, STUCK, Move(DONE)),
        (K.DONE, TODO, Move(DONE)),
        (K.DONE, RELEASED, Stay()),
        (K.DONE, CANCELED, Theirs("Canceled")),
        (K.CANCELLED, TODO, Move(CANCELED)),
        (K.CANCELLED, DUPLICATE, Stay()),
        (K.CANCELLED, DONE, Theirs("Done")),
        (K.REQUEUED, DONE, Move(TODO)),
        (K.REQUEUED, CANCELED, Move(TODO)),
        (K.REQUEUED, DOING, Move(TODO)),
        (K.REQUEUED, BACKLOG, Stay()),
        (K.NOTED, DONE, Stay()),
        (K.NOTED, ODD, Stay()),
        (K.DONE, ODD, Theirs("Odd")),
    ],
)
def test_where_a_write_brings_an_issue(kind: WriteKind, current: State, wanted: object) -> None:
    read_with_the_issue = evolve(current, position=0.0)  # which tells no position
    assert decide(kind, read_with_the_issue, TEAM, {}) == wanted


@pytest.mark.parametrize("kind", list(WriteKind))
@pytest.mark.parametrize("current", TEAM)
def test_a_second_time_changes_nothing_more(kind: WriteKind, current: State) -> None:
    first = decide(kind, current, TEAM, {})
    if isinstance(first, Move):
        assert decide(kind, first.state, TEAM, {}) == Stay()


@pytest.mark.parametrize(
    ("kind", "current", "names", "wanted"),
    [
        (K.STARTED, TODO, {"started": "blocked"}, Move(STUCK)),
        (K.DONE, DOING, {"done": "Released"}, Move(RELEASED)),
        (K.DONE, DOING, {"done": "In Review"}, Move(REVIEW)),
        (K.DONE, REVIEW, {"done": "In Review"}, Stay()),
        (K.REQUEUED, DONE, {"requeued": "Backlog"}, Move(BACKLOG)),
        (K.FAILED, DOING, {"failed": "Blocked"}, Move(STUCK)),
        (K.STARTED, STUCK, {"failed": "Blocked"}, Move(DOING)),
        (K.AWAITING, DOING, {"awaiting": "Blocked"}, Move(STUCK)),
        (K.CANCELLED, DOING, {"cancelled": "Duplicate"}, Move(DUPLICATE)),
    ],
)
def test_configured_states_go_first(kind: WriteKind, current: State, names: dict[str, str], wanted: object) -> None:
    assert decide(kind, current, TEAM, names) == wanted


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (K.STARTED, {"started": "Doing it"}),
        (K.STARTED, {"started": "Todo"}),
        (K.FAILED, {"failed": "Backlog"}),
        (K.REQUEUED, {"requeued": "Done"}),
        (K.DONE, {"done": "Todo"}),
    ],
)
def test_a_state_that_is_missing_or_means_something_else_is_said(kind: WriteKind, names: dict[str, str]) -> None:
    current = DONE if kind is K.REQUEUED else REVIEW if kind is not K.STARTED else TODO
    assert isinstance(decide(kind, current, TEAM, names), NoState)


def test_a_team_without_a_review_state_stays_in_progress() -> None:
    states = (TODO, DOING, DONE)
    assert decide(K.AWAITING, DOING, states, {}) == Stay()
    assert decide(K.AWAITING, TODO, states, {}) == Move(DOING)
    assert isinstance(decide(K.CANCELLED, DOING, states, {}), NoState)
