"""Where a write brings an issue, and by which of its workflow's transitions. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen

from supervisor.adapters.kanban.jira import text
from supervisor.adapters.kanban.jira.reading import Status, same, says_undone, status_of
from supervisor.domain.board import CLOSED, STATE_AFTER
from supervisor.domain.ticket import BoardState, WriteKind

_CATEGORY = {
    BoardState.OPEN: "new",
    BoardState.IN_PROGRESS: "indeterminate",
    BoardState.DONE: "done",
    BoardState.CANCELLED: "done",
}
_SPOKEN = {"new": "to do", "indeterminate": "in progress", "done": "done"}
_GOING = (WriteKind.STARTED, WriteKind.AWAITING, WriteKind.FAILED)
Likes = Callable[[str], bool]
"""Whether a status's name is like what is wanted."""


@frozen
class Transition:
    """A move that the workflow allows an issue to make now."""

    id: str
    name: str
    to: Status


@frozen
class Stay:
    """It is where the write wants it."""


@frozen
class Theirs:
    """A person put it where the write must not move it from."""

    name: str


@frozen
class Wanted:
    """Where it should go: to the status of this name, or else to one of this category."""

    name: str | None
    category: str
    likes: tuple[Likes, ...] = ()
    """Which of the category's statuses, the best first; another one if there is none."""
    only_liked: bool = False
    """It may as well stay where it is if there is none that is liked."""

    @property
    def spoken(self) -> str:
        return f"“{self.name}”" if self.name else f"a status of the category “{_SPOKEN[self.category]}”"


Decision = Stay | Theirs | Wanted


def decide(kind: WriteKind, status: Status, state: BoardState, states: Mapping[str, str]) -> Decision:
    """What a write of this kind does to an issue of this status. `states`: the configured names.

    A closed issue is reopened by a retry only. Among the statuses of work in progress an issue is moved between
    those that writes use; one of a person's own is left as it is.
    """
    if kind is WriteKind.NOTED:
        return Stay()
    wanted = STATE_AFTER[kind]
    if state in CLOSED and state is not wanted and kind is not WriteKind.REQUEUED:
        return Theirs(status.name)
    if state is wanted and kind not in _GOING:
        return Stay()
    name = states.get(kind)
    if state is wanted and (same(status.name, name) or not _ours(status.name, states)):
        return Stay()
    if name is not None:
        return Wanted(name, _CATEGORY[wanted])
    if state is wanted:
        return _further(kind, status.name, states)
    return Wanted(None, _CATEGORY[wanted], _likes(kind))


def choose(wanted: Wanted, transitions: Sequence[Transition]) -> Transition | None:
    """The transition to make; None if none leads there."""
    if wanted.name is not None:
        return next((each for each in transitions if same(each.to.name, wanted.name)), None)
    there = [each for each in transitions if each.to.category == wanted.category]
    for likes in wanted.likes:
        for each in there:
            if likes(each.to.name):
                return each
    return there[0] if there and not wanted.only_liked else None


def transitions_of(answer: Mapping[str, object]) -> list[Transition]:
    """The transitions that can be made, as Jira lists them."""
    values = answer.get("transitions")
    found = []
    for value in values if isinstance(values, list) else ():
        if not isinstance(value, dict) or value.get("isAvailable") is False:
            continue
        to, identifier = status_of(value.get("to")), text.line(value.get("id"), 64)
        if to is not None and identifier:
            found.append(Transition(identifier, text.line(value.get("name"), 255), to))
    return found


def spoken(transitions: Iterable[Transition]) -> str:
    """Where the transitions lead that there are, for people."""
    names = dict.fromkeys(f"“{each.to.name}”" for each in transitions)
    return ", ".join(list(names)[:20]) or "nowhere"


def _further(kind: WriteKind, name: str, states: Mapping[str, str]) -> Decision:
    """From one status of work in progress to another, where no name is configured for the write."""
    reviewed = _is_review(name) or same(name, states.get(WriteKind.AWAITING))
    if kind is WriteKind.AWAITING and not reviewed:
        return Wanted(None, "indeterminate", (_is_review,), only_liked=True)
    if kind is WriteKind.STARTED and reviewed:
        return Wanted(None, "indeterminate", _likes(kind), only_liked=True)
    return Stay()


def _ours(name: str, states: Mapping[str, str]) -> bool:
    """Whether writes may move an issue on from a status of work in progress."""
    configured = any(same(name, states.get(kind)) for kind in _GOING)
    return configured or _is_progress(name) or _is_review(name)


def _likes(kind: WriteKind) -> tuple[Likes, ...]:
    match kind:
        case WriteKind.STARTED | WriteKind.FAILED:
            return (_is_progress, lambda name: not _is_review(name))
        case WriteKind.AWAITING:
            return (_is_review, _is_progress)
        case WriteKind.REQUEUED:
            return (_is_queue,)
        case WriteKind.CANCELLED:
            return (says_undone,)
        case WriteKind.DONE | WriteKind.NOTED:
            return (_is_done, lambda name: not says_undone(name))


def _is_review(name: str) -> bool:
    return "review" in name.casefold()


def _is_progress(name: str) -> bool:
    return name.casefold() in ("in progress", "in development", "doing", "started")


def _is_queue(name: str) -> bool:
    return name.casefold() in ("to do", "todo", "open", "ready", "selected for development")


def _is_done(name: str) -> bool:
    return name.casefold() in ("done", "closed", "resolved", "complete", "completed")
