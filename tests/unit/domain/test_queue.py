"""Who is next: the order, the caps, the ways to a project and a driver, and that waiting masses cost nothing."""

import random
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.config import Config, DriverConfig, ProjectConfig, QueueConfig
from supervisor.domain.durations import Duration
from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import Mode
from supervisor.domain.queue import (
    STICKY,
    Backlog,
    Lane,
    Load,
    Obstacle,
    OrderKey,
    Route,
    Settings,
    assess,
    full,
    jitter,
    order_key,
    retry_delay,
    route,
    unwanted,
    waiting_status,
)
from supervisor.domain.ticket import Parked, ParkReason, Queued
from tests.unit.domain.samples import NOON, after, settings, ticket

# --- order ---------------------------------------------------------------------------------------


def test_order_is_type_then_priority_then_age_then_id() -> None:
    in_order = [
        ticket("Z-9", type="INV", created_at=after(9)),
        ticket("Z-8", type="FIX", priority=2),
        ticket("Z-7", type="TASK", priority=1, created_at=after(9)),
        ticket("Z-6", type="TASK", priority=2, created_at=after(5)),
        ticket("Z-5", type="TASK", priority=2_000_000),
        ticket("Z-4", type="TASK", created_at=after(1)),
        ticket("Z-2", type="TASK", created_at=after(2)),
        ticket("Z-3", type="TASK", created_at=after(2)),
        ticket("Z-1", type="SPIKE", priority=1),
        ticket("Z-0", type="NONE", priority=1),
    ]
    shuffled = random.Random(1).sample(in_order, len(in_order))
    assert sorted(shuffled, key=lambda each: order_key(each, settings())) == in_order


# --- caps ----------------------------------------------------------------------------------------

TASK = Lane("api", "claude", "TASK", paired=False)
SPIKE = Lane("api", "claude", "SPIKE", paired=True)
CAPPED = settings(
    QueueConfig(max_agents=9),
    types=BUILT_IN | {"TASK": evolve(BUILT_IN["TASK"], max_agents=4)},
    projects={"api": 2, "web": None},
    drivers={"claude": 3, "codex": None},
)


@pytest.mark.parametrize(
    ("held", "lane", "why"),
    [
        ([], TASK, None),
        ([evolve(TASK, project="web", driver="codex", type="FIX")] * 9, TASK, "all 9 agents are busy"),
        ([TASK], TASK, None),
        ([evolve(TASK, driver="codex")] * 2, TASK, "project api has its 2 agents"),
        ([evolve(TASK, driver="codex")] * 2, evolve(TASK, project="web"), None),
        ([evolve(TASK, project="web")] * 3, TASK, "driver claude has its 3 agents"),
        ([evolve(TASK, project="web")] * 3, evolve(TASK, driver="codex"), None),
        ([evolve(TASK, project="web", driver="codex")] * 4, TASK, "type TASK has its 4 agents"),
        ([evolve(TASK, project="web", driver="codex")] * 4, evolve(TASK, type="FIX"), None),
        ([evolve(SPIKE, type="INV", project="web")], SPIKE, "a person pairs with one at a time"),
        ([evolve(SPIKE, type="INV", project="web")], TASK, None),
    ],
)
def test_each_cap_keeps_its_own_tickets_waiting_and_says_so(held: list[Lane], lane: Lane, why: str | None) -> None:
    found = full(lane, Load.of(held), CAPPED)
    assert found is None if why is None else found is not None and why in found


def test_a_lane_that_is_full_does_not_hold_up_the_others() -> None:
    backlog = Backlog()
    backlog.put(TicketId("A-1"), TASK, (1, 1, NOON, "A-1"))
    backlog.put(TicketId("A-2"), evolve(TASK, project="web"), (9, 9, NOON, "A-2"))
    assert backlog.best(Load.of([]), CAPPED) == ("A-1", TASK)
    busy = Load.of([evolve(TASK, driver="codex")] * 2)
    assert backlog.best(busy, CAPPED) == ("A-2", evolve(TASK, project="web"))
    assert backlog.best(Load(total=9), CAPPED) is None


PROJECTS = ["api", "web"]
DRIVERS = ["claude", "codex"]
LANES = st.builds(
    lambda project, driver, kind: Lane(project, driver, kind, paired=BUILT_IN[kind].mode is Mode.PAIRED),
    st.sampled_from(PROJECTS),
    st.sampled_from(DRIVERS),
    st.sampled_from(sorted(BUILT_IN)),
)
IDS = st.sampled_from([TicketId(f"A-{number}") for number in range(12)])
CAP = st.none() | st.integers(1, 3)


class BacklogAgainstModel(RuleBasedStateMachine):
    """Whatever is put, moved, dropped and held: the backlog says what one sorted list would say."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog()
        self.model: dict[TicketId, tuple[OrderKey, Lane]] = {}
        self.held: list[Lane] = []
        self.settings = settings(
            QueueConfig(max_agents=4), projects={"api": 2, "web": 1}, drivers={"claude": 2, "codex": 3}
        )

    @rule(id=IDS, lane=LANES, rank=st.integers(0, 2), priority=st.integers(0, 2), age=st.integers(0, 2))
    def put(self, id: TicketId, lane: Lane, rank: int, priority: int, age: int) -> None:
        key = (rank, priority, after(age), id)
        self.backlog.put(id, lane, key)
        self.model[id] = (key, lane)

    @rule(id=IDS)
    def drop(self, id: TicketId) -> None:
        self.backlog.drop(id)
        self.model.pop(id, None)

    @rule(lane=LANES)
    def take_slot(self, lane: Lane) -> None:
        self.held.append(lane)

    @rule()
    def free_slot(self) -> None:
        if self.held:
            self.held.pop(0)

    @rule(total=st.integers(1, 6), kinds=st.dictionaries(st.sampled_from(sorted(BUILT_IN)), CAP))
    def configure(self, total: int, kinds: dict[str, int | None]) -> None:
        types = {name: evolve(kind, max_agents=kinds.get(name)) for name, kind in BUILT_IN.items()}
        self.settings = evolve(self.settings, queue=QueueConfig(max_agents=total), types=types)

    @invariant()
    def the_best_is_the_first_that_fits(self) -> None:
        fits = [(key, lane) for key, lane in self.model.values() if _slot_free(lane, self.held, self.settings)]
        key, lane = min(fits, key=lambda each: each[0], default=(None, None))
        assert self.backlog.best(Load.of(self.held), self.settings) == (None if key is None else (key[3], lane))

    @invariant()
    def it_holds_and_lists_what_was_put(self) -> None:
        assert list(self.backlog.in_order()) == [
            key[3] for key, _ in sorted(self.model.values(), key=lambda each: each[0])
        ]
        assert len(self.backlog) == len(self.model)
        assert all(each in self.backlog for each in self.model)


def _slot_free(lane: Lane, held: list[Lane], settings: Settings) -> bool:
    caps = [
        (len(held), settings.queue.max_agents),
        (sum(each.project == lane.project for each in held), settings.projects[lane.project]),
        (sum(each.driver == lane.driver for each in held), settings.drivers[lane.driver]),
        (sum(each.type == lane.type for each in held), settings.types[lane.type].max_agents),
        (sum(each.paired for each in held), 1 if lane.paired else None),
    ]
    return all(cap is None or count < cap for count, cap in caps)


TestBacklogAgainstModel = BacklogAgainstModel.TestCase


# --- size ----------------------------------------------------------------------------------------


class Counted:
    """A key's first part that counts how often it is compared."""

    compared = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __lt__(self, other: "Counted") -> bool:
        Counted.compared += 1
        return self.value < other.value

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return isinstance(other, Counted) and self.value == other.value

    def __hash__(self) -> int:
        raise AssertionError("never a key of a table")


class Looks(dict[Any, Any]):
    """A table that counts how many of its entries were looked at."""

    seen = 0

    def items(self) -> Any:
        for item in super().items():
            Looks.seen += 1
            yield item


def _crowd(size: int) -> tuple[Backlog, list[tuple[TicketId, Lane, Any]]]:
    rng = random.Random(7)
    kinds = [(name, kind.mode is Mode.PAIRED) for name, kind in BUILT_IN.items()]
    backlog, put = Backlog(), []
    for number in range(size):
        name, paired = rng.choice(kinds)
        id = TicketId(f"A-{number}")
        put.append(
            (
                id,
                Lane(rng.choice(PROJECTS), rng.choice(DRIVERS), name, paired),
                (Counted(rng.randrange(50)), 0, NOON, id),
            )
        )
        backlog.put(*put[-1])
    return backlog, put


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_decision_costs_the_same_however_many_tickets_wait(size: int) -> None:
    backlog, put = _crowd(size)
    lanes = len({lane for _, lane, _ in put})
    assert lanes == 2 * 2 * len(BUILT_IN)

    backlog._lanes = Looks(backlog._lanes)
    loose = settings(QueueConfig(max_agents=9), projects=dict.fromkeys(PROJECTS), drivers=dict.fromkeys(DRIVERS))
    Counted.compared = Looks.seen = 0
    backlog.best(Load(), loose)
    assert Looks.seen == lanes
    assert Counted.compared <= 4 * lanes

    Counted.compared = 0
    backlog.put(TicketId("NEW-1"), put[0][1], (Counted(25), 0, NOON, "NEW-1"))
    backlog.drop(put[size // 2][0])
    assert Counted.compared <= 2 * 3 * size.bit_length()


def test_the_head_of_the_line_is_listed_without_sorting_all_of_it() -> None:
    backlog, _ = _crowd(20_000)
    Counted.compared = 0
    order = backlog.in_order()
    assert len([next(order) for _ in range(10)]) == 10
    assert Counted.compared < 1_000


# --- routing -------------------------------------------------------------------------------------

MANY = settings(
    projects=dict.fromkeys(["own", "board", "kind", "queue", "more"]),
    drivers=dict.fromkeys(["own", "board", "kind", "queue", "more"]),
    types={"TASK": evolve(BUILT_IN["TASK"], project="kind", driver="kind")},
    collections={"jira": Route(project="board", driver="board")},
    queue=QueueConfig(project="queue", driver="queue"),
)


def test_a_ticket_goes_where_the_nearest_wish_says() -> None:
    asked = ticket(project="own", driver="own", collection="jira")
    assert route(asked, MANY) == Lane("own", "own", "TASK", paired=False)
    assert route(evolve(asked, project=None), MANY) == Lane("board", "own", "TASK", paired=False)
    assert route(evolve(asked, driver=None), MANY) == Lane("own", "board", "TASK", paired=False)
    assert route(ticket(), MANY) == Lane("kind", "kind", "TASK", paired=False)
    plain = evolve(MANY, types=BUILT_IN)
    assert route(ticket(), plain) == Lane("queue", "queue", "TASK", paired=False)
    assert route(ticket(type="SPIKE"), plain) == Lane("queue", "queue", "SPIKE", paired=True)


def test_the_only_project_and_driver_need_no_naming() -> None:
    assert route(ticket(collection="unknown"), settings()) == Lane("api", "claude", "TASK", paired=False)


@pytest.mark.parametrize(
    ("asked", "given", "reason", "words"),
    [
        ({"type": "NONE"}, settings(), ParkReason.NO_TYPE, ("no issue type NONE", "[types.NONE]")),
        ({"project": "x"}, settings(), ParkReason.NO_PROJECT, ("no project x", "[projects.x]")),
        ({"driver": "x"}, settings(), ParkReason.NO_DRIVER, ("no driver x", "[drivers.x]")),
        ({}, settings(projects={}), ParkReason.NO_PROJECT, ("no project is configured", "[projects.NAME]")),
        ({}, settings(drivers={}), ParkReason.NO_DRIVER, ("no driver is configured", "[drivers.NAME]")),
        ({}, settings(projects={"a": 1, "b": 1}), ParkReason.NO_PROJECT, ("there are several", "[queue]")),
        ({}, settings(drivers={"a": 1, "b": 1}), ParkReason.NO_DRIVER, ("there are several", "[queue]")),
        # A wish that cannot be met is never quietly replaced by a lesser one.
        ({"collection": "c"}, settings(collections={"c": Route("x")}), ParkReason.NO_PROJECT, ("no project x", "x")),
    ],
)
def test_where_there_is_no_way_the_reason_and_what_to_do_are_said(
    asked: dict[str, Any], given: Settings, reason: ParkReason, words: tuple[str, str]
) -> None:
    found = route(ticket(**asked), given)
    assert isinstance(found, Obstacle)
    assert found.reason is reason
    assert words[0] in found.detail
    assert words[1] in found.hint


def test_settings_take_each_cap_from_the_nearest_place() -> None:
    config = Config(
        queue=QueueConfig(max_per_project=2),
        projects={"api": ProjectConfig("."), "web": ProjectConfig(".", max_agents=5)},
        drivers={"claude": DriverConfig(("claude",), max_agents=3), "codex": DriverConfig(("codex",))},
    )
    found = Settings.of(config)
    assert found.projects == {"api": 2, "web": 5}
    assert found.drivers == {"claude": 3, "codex": None}


def test_a_ticket_without_its_collections_labels_is_not_wanted() -> None:
    labelled = settings(collections={"jira": Route(labels=("ready", "agent"))})
    lacking = unwanted(ticket(collection="jira", labels=("ready", "other")), labelled)
    assert lacking == Obstacle(ParkReason.LABELS, "lacks the label agent")
    assert unwanted(ticket(collection="jira", labels=("agent", "ready")), labelled) is None
    assert unwanted(ticket(collection=None), labelled) is None


# --- standing in line ----------------------------------------------------------------------------

LINED_UP = Lane("api", "claude", "TASK", paired=False)


@pytest.mark.parametrize("reason", list(ParkReason))
def test_only_time_or_a_person_takes_a_sticky_reason_away(reason: ParkReason) -> None:
    for until in (None, after(10)):
        parked = ticket(status=Parked(NOON, reason, "why", until))
        before, at_last = (assess(parked, settings(), (), now) for now in (after(9.9), after(10)))
        if reason in STICKY:
            assert before is None
            assert at_last == (None if until is None else LINED_UP)
        else:
            assert before == at_last == LINED_UP


def test_what_stands_in_the_way_is_named_and_the_nearest_thing_first() -> None:
    asked = ticket(collection="jira", problem="bad YAML", project="x")
    given = settings(collections={"jira": Route(labels=("ready",))})
    assert assess(asked, given, ["B-1"], NOON) == Obstacle(ParkReason.PROBLEM, "bad YAML")
    asked = evolve(asked, problem=None)
    assert assess(asked, given, ["B-1"], NOON) == Obstacle(ParkReason.LABELS, "lacks the label ready")
    asked = evolve(asked, labels=("ready",))
    assert assess(asked, given, ["B-1", "B-2"], NOON) == Obstacle(ParkReason.BLOCKED, "by B-1, B-2")
    found = assess(asked, given, [], NOON)
    assert isinstance(found, Obstacle)
    assert found.reason is ParkReason.NO_PROJECT


def test_since_stays_true_while_the_same_is_found_again() -> None:
    blocked = Obstacle(ParkReason.BLOCKED, "by B-1", "a hint")
    parked = waiting_status(ticket(), blocked, after(1))
    assert parked == Parked(after(1), ParkReason.BLOCKED, "by B-1")
    assert waiting_status(ticket(status=parked), blocked, after(2)) is parked
    assert waiting_status(ticket(status=parked), None, after(2)) is parked
    other = Obstacle(ParkReason.BLOCKED, "by B-2")
    assert waiting_status(ticket(status=parked), other, after(2)) == Parked(after(2), ParkReason.BLOCKED, "by B-2")
    queued = waiting_status(ticket(status=parked), LINED_UP, after(3))
    assert queued == Queued(after(3))
    assert waiting_status(ticket(status=queued), LINED_UP, after(4)) is queued


# --- retries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (7, 300), (10_000, 300)]
)
def test_retries_wait_twice_as_long_each_time_up_to_five_minutes(attempt: int, seconds: float) -> None:
    assert retry_delay(attempt, QueueConfig(), 0) == timedelta(seconds=seconds)


@given(attempt=st.integers(1, 2000), seed=st.integers(0, 2**32))
def test_jitter_moves_a_retry_by_a_tenth_at_most(attempt: int, seed: int) -> None:
    config = QueueConfig(retry_base=Duration(3), retry_cap=Duration(77))
    exact = retry_delay(attempt, config, 0)
    moved = retry_delay(attempt, config, jitter(random.Random(seed)))
    assert abs(moved - exact) <= exact * 0.1 + timedelta(microseconds=1)


def test_jitter_spreads() -> None:
    source = random.Random(3)
    delays = {retry_delay(1, QueueConfig(), jitter(source)) for _ in range(100)}
    assert max(delays) - min(delays) > timedelta(seconds=1.5)
