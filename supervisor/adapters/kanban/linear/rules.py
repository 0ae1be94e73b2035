"""What the states of a Linear team mean, and where a write brings an issue. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from attrs import frozen

from supervisor.domain.board import CLOSED, STATE_AFTER
from supervisor.domain.ticket import BoardState, WriteKind

CATEGORIES = {
    "triage": BoardState.OPEN,
    "backlog": BoardState.OPEN,
    "unstarted": BoardState.OPEN,
    "started": BoardState.IN_PROGRESS,
    "completed": BoardState.DONE,
    "canceled": BoardState.CANCELLED,
    "duplicate": BoardState.CANCELLED,
}
"""Linear's types of states; their names are the team's own."""
_TYPES: dict[WriteKind, tuple[str, ...]] = {
    WriteKind.REQUEUED: ("unstarted", "backlog", "triage"),
    WriteKind.DONE: ("completed",),
    WriteKind.CANCELLED: ("canceled",),
}
"""The types in which a state is looked for that is not configured, the best first; the other kinds: `started`."""
_ALLOWED = {
    WriteKind.DONE: (BoardState.DONE, BoardState.IN_PROGRESS),
    WriteKind.CANCELLED: (BoardState.CANCELLED, BoardState.DONE),
}
"""Where a configured state may be, other than in the write's own category: a team may close its issues itself."""
_IN_PROGRESS = (WriteKind.STARTED, WriteKind.AWAITING, WriteKind.FAILED)


@frozen
class State:
    """One of a team's workflow states."""

    id: str
    name: str
    type: str
    position: float = 0.0

    @property
    def category(self) -> BoardState | None:
        """None for a type that is not known."""
        return CATEGORIES.get(self.type)


@frozen
class Stay:
    """The issue is where the write wants it."""


@frozen
class Move:
    state: State


@frozen
class Theirs:
    """A person moved it, and that stays."""

    name: str


@frozen
class NoState:
    """The team has no state to bring it to; a sentence says which is missing."""

    why: str


Decision = Stay | Move | Theirs | NoState


def decide(kind: WriteKind, current: State, states: Sequence[State], names: Mapping[str, str]) -> Decision:
    """Where a write of this kind brings an issue that is in `current`. `names`: the configured states.

    A closed issue is reopened by a retry only. Among the states of work in progress an issue is moved between
    those that writes use; one of a person's own is left as it is.
    """
    if kind is WriteKind.NOTED:
        return Stay()
    wanted = STATE_AFTER[kind]
    if current.category is None:
        return Theirs(current.name)
    if current.category in CLOSED and current.category is not wanted:
        if kind is not WriteKind.REQUEUED:
            return Theirs(current.name)
    elif current.category is wanted and kind not in _IN_PROGRESS:
        return Stay()
    target = _target(kind, current, states, names)
    if isinstance(target, NoState):
        return target
    if target.id == current.id or (kind in _IN_PROGRESS and not _ours(current, states, names)):
        return Stay()
    return Move(target)


def _ours(current: State, states: Sequence[State], names: Mapping[str, str]) -> bool:
    """Whether writes may move an issue on from here."""
    if current.category is not BoardState.IN_PROGRESS:
        return True
    targets = (_target(kind, current, states, names) for kind in (WriteKind.STARTED, WriteKind.AWAITING))
    configured = {name.casefold() for key, name in names.items() if key in _IN_PROGRESS}
    return current.name.casefold() in configured or any(
        isinstance(each, State) and each.id == current.id for each in targets
    )


def _target(kind: WriteKind, current: State, states: Sequence[State], names: Mapping[str, str]) -> State | NoState:
    configured = names.get(kind)
    if configured is not None:
        return _configured(kind, configured, states)
    match kind:
        case WriteKind.FAILED if current.category is BoardState.IN_PROGRESS:
            return current
        case WriteKind.AWAITING:
            started = [each for each in states if each.type == "started"]
            review = _first(each for each in started if "review" in each.name.casefold())
            if review is not None:
                return review
            if current.category is BoardState.IN_PROGRESS:
                return current
            return _target(WriteKind.STARTED, current, states, names)
        case WriteKind.STARTED | WriteKind.FAILED:
            return _by_type(("started",), states)
        case WriteKind.REQUEUED | WriteKind.DONE | WriteKind.CANCELLED:
            return _by_type(_TYPES[kind], states)
        case WriteKind.NOTED:
            return current
        case never:
            assert_never(never)


def _configured(kind: WriteKind, name: str, states: Sequence[State]) -> State | NoState:
    found = _first(each for each in states if each.name.casefold() == name.casefold())
    if found is None:
        return NoState(f"it has no state {name!r}")
    if found.category not in _ALLOWED.get(kind, (STATE_AFTER[kind],)):
        return NoState(f"its state {name!r} is of the type {found.type!r}, which is not where {kind} tickets belong")
    return found


def _by_type(types: Sequence[str], states: Sequence[State]) -> State | NoState:
    for each in types:
        found = _first(state for state in states if state.type == each)
        if found is not None:
            return found
    return NoState(f"it has no state of the type {types[0]!r}")


def _first(states: Iterable[State]) -> State | None:
    """The one that the team shows first; a state for duplicates only if there is no other."""
    return min(states, key=lambda each: (each.name.casefold() == "duplicate", each.position, each.name), default=None)
