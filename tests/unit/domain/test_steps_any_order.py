"""The step engine under anything in any order: it ends, or waits for somebody who is named; nothing is done twice."""

from collections.abc import Callable
from functools import partial

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.domain.agent import Asking, Exited, ExitStatus, Idle, Lost, Running, Starting
from supervisor.domain.durations import Duration
from supervisor.domain.issue_type import IssueType, Mode, Step
from supervisor.domain.phases import InReview, Resting, WithPerson, Working
from supervisor.domain.review import ReviewKind
from supervisor.domain.steps import ERROR_REST
from supervisor.domain.ticket import ENDED, Parked, ParkReason, Queued
from tests.unit.domain.samples import PROOF
from tests.unit.domain.ticket_world import LEFT, World

NAMES = ("plan", "build", "show")
STEPS = st.lists(
    st.builds(
        Step,
        name=st.sampled_from(NAMES),
        prompt=st.just("p"),
        artifacts=st.sampled_from([(), ("*.md",), ("*.md", "*.png")]),
        max_turns=st.integers(1, 3),
        permission_mode=st.sampled_from([None, "plan", "default"]),
        review=st.sampled_from([None, ReviewKind.PLAN, ReviewKind.VISUAL, ReviewKind.PR]),
        on_reject=st.sampled_from([None, *NAMES]),
        max_time=st.sampled_from([None, None, Duration(60)]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda step: step.name,
).map(tuple)
STATED = (ParkReason.HELD, ParkReason.LOST, ParkReason.CRASHED)
"""What a person takes away."""
IDLE, RUNNING, ASKING = Idle(PROOF), Running(PROOF), Asking(PROOF, "?")
CRASHED = Exited(PROOF, ExitStatus(code=1))


def settle(it: World) -> None:
    it.settle()
    if isinstance(it.ticket.status, Queued) and not it.alive:
        it.launch()


def work(it: World, *made: str) -> None:
    """A turn as it should be."""
    settle(it)
    it.look()
    if isinstance(it.activity.state, Starting):
        it.turn_into(IDLE)
    it.type()
    it.enter()
    it.prove()
    it.look()
    it.made.update(made)
    if isinstance(it.activity.state, Running):
        it.turn_into(IDLE)
    it.look()
    settle(it)


def stop_and_retry(it: World) -> None:
    it.stop()
    settle(it)
    it.retry()


def end_badly(it: World, *, limited: bool = False, by_person: bool = False) -> None:
    """End a turn by an error, at the usage limit, or because a person stopped it."""
    if it.alive and isinstance(it.activity.state, Running | Asking):
        it.turn_into(IDLE)
        until = it.now + ERROR_REST if limited else None
        error = None if by_person else "API Error"
        it.activity = evolve(it.activity, turn_error=error, limit_until=until, interrupted=by_person)


def make(it: World, *globs: str) -> None:
    it.made.update(globs)


MOVES: dict[str, tuple[int, Callable[[World], None]]] = {
    # What our actors do.
    "look": (4, World.look),
    "settle": (4, settle),
    "wait for time": (1, World.wait_for_time),
    # What people do.
    "approve": (3, partial(World.decide, approve=True)),
    "reject": (3, partial(World.decide, approve=False)),
    "stop, retry": (1, stop_and_retry),
    "retry": (1, World.retry),
    # What sessions do.
    "type": (2, World.type),
    "refuse": (1, partial(World.type, refuse=True)),
    "enter": (2, World.enter),
    "prove": (2, World.prove),
    "disprove": (1, partial(World.prove, taken=False)),
    # What agents do.
    "a turn": (6, partial(work)),
    "a turn and all made": (8, lambda it: work(it, "*.md", "*.png")),
    "idle": (3, lambda it: it.turn_into(IDLE)),
    "running": (2, lambda it: it.turn_into(RUNNING)),
    "asking": (1, lambda it: it.turn_into(ASKING)),
    "plan taken": (1, World.take_plan),
    "error": (1, end_badly),
    "limited": (1, partial(end_badly, limited=True)),
    "interrupted": (1, partial(end_badly, by_person=True)),
    "made": (2, lambda it: make(it, "*.md")),
    "all made": (2, lambda it: make(it, "*.md", "*.png")),
    "left": (1, lambda it: it.end(LEFT)),
    "crashed": (1, lambda it: it.end(CRASHED)),
    "lost": (1, lambda it: it.end(Lost(PROOF, "the server died"))),
    "time passes": (1, lambda it: it.pass_time(25)),
}
"""How often each is drawn, and what it is."""
DRAWN = [name for name, (weight, _) in MOVES.items() for _ in range(weight)]


@settings(max_examples=600)
@given(
    kinds=STEPS,
    mode=st.sampled_from([Mode.AUTONOMOUS] * 4 + [Mode.PAIRED]),
    modes=st.booleans(),
    moves=st.one_of(st.lists(st.sampled_from(DRAWN), min_size=length, max_size=60) for length in (0, 30, 50)),
)
def test_it_ends_or_waits_for_somebody_who_is_named(
    kinds: tuple[Step, ...], mode: Mode, modes: bool, moves: list[str]
) -> None:
    """Agents, sessions, worktrees and people do what they like; the engine is driven as its actors drive it."""
    if mode is Mode.PAIRED:
        kinds = tuple(evolve(step, review=None, on_reject=None, max_time=None) for step in kinds)
    it = World(IssueType("T", kinds, mode), modes)
    for move in moves:
        MOVES[move][1](it)
        assert all(count == 1 for count in it.acted.values()), "a verdict acted twice"
    for _ in range(80):
        settle(it)
        it.look()
        settle(it)
        if isinstance(it.ticket.status, ENDED):
            assert not [each for each in it.decided() if not it.acted[each]], "a verdict was lost"
            return
        _do_their_part(it)
    raise AssertionError(f"it never ends: {it.ticket} {it.progress} {it.activity}")


def _do_their_part(it: World) -> None:
    """Everybody does what is theirs to do."""
    status = it.ticket.status
    it.made |= {"*.md", "*.png"}
    if isinstance(status, Parked):
        assert status.until is not None or status.reason in (*STATED, ParkReason.REVIEW), status
        it.wait_for_time()
        if status.reason in STATED:
            assert status.detail, "nobody knows what it waits for"
            it.retry()
    it.decide(approve=True)
    phase, state = it.phase, it.activity.state
    if not it.alive or isinstance(phase, InReview):
        return
    if isinstance(phase, Resting):
        it.now = max(it.now, phase.until)
        if not isinstance(state, Idle):
            it.turn_into(IDLE)
    elif isinstance(state, Starting | Asking | Running):
        it.take_plan()
        it.turn_into(IDLE)
    else:
        it.type()
        it.enter()
        it.prove()
        if isinstance(it.activity.state, Idle) and isinstance(phase, WithPerson):
            it.turn_into(RUNNING)
    if it.kind.mode is Mode.PAIRED and isinstance(phase, Working | WithPerson):
        it.end(LEFT)
