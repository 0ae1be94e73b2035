"""What GitHub's states mean, and what may be written where. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from attrs import field, frozen

from supervisor.domain.ticket import BoardState, WriteKind

CLOSED = (BoardState.DONE, BoardState.CANCELLED)
IN_PROGRESS_LABEL = "in progress"


def overruled(kind: WriteKind, now: BoardState) -> bool:
    """Whether a person's move stands against a write: what a person closed is not opened or closed otherwise.

    A ticket is requeued because a person said so after it had ended, so that wins over its closing.
    """
    match kind:
        case WriteKind.STARTED | WriteKind.AWAITING | WriteKind.FAILED:
            return now in CLOSED
        case WriteKind.DONE:
            return now is BoardState.CANCELLED
        case WriteKind.CANCELLED:
            return now is BoardState.DONE
        case WriteKind.REQUEUED | WriteKind.NOTED:
            return False
        case never:
            assert_never(never)


def closed_state(reason: str | None) -> BoardState:
    """What a closed issue's `state_reason` means; issues closed before there were reasons are done."""
    return BoardState.CANCELLED if (reason or "").casefold() in ("not_planned", "duplicate") else BoardState.DONE


def spoken(closed_as: BoardState) -> str:
    return "closed as completed" if closed_as is BoardState.DONE else "closed as not planned"


# --- plain issues: open or closed, and labels -----------------------------------------------------


@frozen
class StateLabels:
    """The labels that show where an open issue is. An issue wears at most one of them."""

    started: str
    awaiting: str
    failed: str
    requeued: str | None

    @classmethod
    def of(cls, states: Mapping[str, str]) -> "StateLabels":
        started = states.get("started", IN_PROGRESS_LABEL)
        return cls(started, states.get("awaiting", started), states.get("failed", started), states.get("requeued"))

    @property
    def progress(self) -> frozenset[str]:
        """Those of work under way, folded."""
        return frozenset(label.casefold() for label in (self.started, self.awaiting, self.failed))

    @property
    def all(self) -> frozenset[str]:
        return self.progress | ({self.requeued.casefold()} if self.requeued else frozenset())


@frozen
class Move:
    """Where a plain issue is brought: closed for a reason, or open; and which of the state labels it wears."""

    closed_as: BoardState | None
    label: str | None


def move_of(kind: WriteKind, labels: StateLabels) -> Move | None:
    """None for a kind that moves nothing."""
    match kind:
        case WriteKind.STARTED:
            return Move(None, labels.started)
        case WriteKind.AWAITING:
            return Move(None, labels.awaiting)
        case WriteKind.FAILED:
            return Move(None, labels.failed)
        case WriteKind.REQUEUED:
            return Move(None, labels.requeued)
        case WriteKind.DONE:
            return Move(BoardState.DONE, None)
        case WriteKind.CANCELLED:
            return Move(BoardState.CANCELLED, None)
        case WriteKind.NOTED:
            return None
        case never:
            assert_never(never)


# --- projects: the options of the Status field -----------------------------------------------------

_NAMES: Mapping[BoardState, tuple[str, ...]] = {
    BoardState.OPEN: ("todo", "to do", "ready", "backlog", "new", "triage", "open", "no status"),
    BoardState.IN_PROGRESS: ("in progress", "doing", "started", "in review", "review", "needs review", "testing"),
    BoardState.DONE: ("done", "complete", "completed", "closed", "shipped", "released", "merged"),
    BoardState.CANCELLED: (
        "cancelled", "canceled", "not planned", "won't do", "wont do", "won't fix", "wontfix", "duplicate",
    ),
}  # fmt: skip
_REVIEW = ("in review", "review", "needs review")


@frozen
class Option:
    """One value of a single-select field."""

    id: str
    name: str


@frozen
class Options:
    """The Status field of a project: its columns, in the board's order."""

    field_id: str
    options: tuple[Option, ...]
    states: Mapping[str, str] = field(factory=dict)
    """The configured names by the kind of write."""

    def state(self, option_id: str | None) -> BoardState:
        """What a column means: by configuration, by its usual name, else by where it stands among those."""
        index = next((n for n, each in enumerate(self.options) if each.id == option_id), None)
        if index is None:
            return BoardState.OPEN
        known = [self._known(each) for each in self.options]
        found = known[index]
        if found is not None:
            return found
        before = known[:index]
        if any(each in CLOSED for each in before):
            return BoardState.DONE
        return BoardState.IN_PROGRESS if BoardState.IN_PROGRESS in before else BoardState.OPEN

    def _known(self, option: Option) -> BoardState | None:
        name = folded(option.name)
        for kind, configured in self.states.items():
            if folded(configured) == name:
                return _STATE_OF[kind]
        return next((state for state, names in _NAMES.items() if name in names), None)

    def named(self, name: str) -> Option | None:
        return next((each for each in self.options if folded(each.name) == folded(name)), None)

    def name(self, option_id: str | None) -> str:
        return next((each.name for each in self.options if each.id == option_id), "no status")

    def target(self, kind: WriteKind, now: str | None) -> Option | str | None:
        """The column a write brings an item to that is in `now`; None if it stays, or the name that is missing."""
        wish = self.states.get(str(kind))
        if wish is not None:
            return self.named(wish) or wish
        match kind:
            case WriteKind.NOTED:
                return None
            case WriteKind.STARTED:
                return self._started()
            case WriteKind.AWAITING:
                return self._first(_REVIEW) or self._stays_in_progress(now)
            case WriteKind.FAILED:
                return self._stays_in_progress(now)
            case WriteKind.REQUEUED:
                return self._of(BoardState.OPEN) or "Todo"
            case WriteKind.DONE:
                return self._of(BoardState.DONE) or "Done"
            case WriteKind.CANCELLED:
                return self._of(BoardState.CANCELLED) or self._of(BoardState.DONE) or "Cancelled"
            case never:
                assert_never(never)

    def _started(self) -> Option | str:
        wish = self.states.get("started")
        if wish is not None:
            return self.named(wish) or wish
        return self._of(BoardState.IN_PROGRESS) or "In Progress"

    def _stays_in_progress(self, now: str | None) -> Option | str | None:
        return None if self.state(now) is BoardState.IN_PROGRESS else self._started()

    def _of(self, state: BoardState) -> Option | None:
        """The column of a state with its most usual name; else the first one there is."""
        usual = self._first(_NAMES[state])
        return usual or next((each for each in self.options if self.state(each.id) is state), None)

    def _first(self, names: Sequence[str]) -> Option | None:
        return next((found for name in names if (found := self.named(name)) is not None), None)


_STATE_OF: Mapping[str, BoardState] = {
    "started": BoardState.IN_PROGRESS,
    "awaiting": BoardState.IN_PROGRESS,
    "failed": BoardState.IN_PROGRESS,
    "requeued": BoardState.OPEN,
    "done": BoardState.DONE,
    "cancelled": BoardState.CANCELLED,
}


# --- types and priorities --------------------------------------------------------------------------

_NUMBERED = re.compile(r"(?:p|prio|priority)[ :/_-]{0,3}([0-4])")
_WORDED = re.compile(r"(?:prio|priority)[ :/_-]{1,3}(\w+)")
_WORDS = {
    "critical": 1, "urgent": 1, "highest": 1, "high": 2, "medium": 3, "normal": 3, "low": 4, "lowest": 4,
}  # fmt: skip


def label_priority(label: str) -> int | None:
    """1 to 4 for a label such as `P1` or `priority: high`; `P0` is 1."""
    name = folded(label)
    numbered = _NUMBERED.fullmatch(name)
    if numbered is not None:
        return max(int(numbered[1]), 1)
    worded = _WORDED.fullmatch(name)
    return _WORDS.get(worded[1]) if worded is not None else None


def field_priority(value: str | float) -> int | None:
    """1 to 4 for a value of a project's Priority field: `P1`, `High`, `1`."""
    if isinstance(value, float | int):
        return int(value) if value in (1, 2, 3, 4) else None
    name = folded(value)
    return _WORDS.get(name) or label_priority(name) or (int(name) if name in ("1", "2", "3", "4") else None)


def priority_of(labels: Iterable[str]) -> int | None:
    """The most urgent of the labels' priorities."""
    return min((found for each in labels if (found := label_priority(each)) is not None), default=None)


def type_of(names: Iterable[str], mapped: Mapping[str, str], types: Iterable[str]) -> str | None:
    """Our type for an issue's own type and labels, in this order: a configured one wins over an equal name."""
    named = list(names)
    configured = {folded(theirs): ours for theirs, ours in mapped.items()}
    for name in named:
        if folded(name) in configured:
            return configured[folded(name)]
    known = {each.upper(): each for each in types}
    return next((known[name.upper()] for name in named if name.upper() in known), None)


def folded(name: str) -> str:
    return " ".join(name.split()).casefold()
