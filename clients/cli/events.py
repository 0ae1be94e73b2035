"""One entry of the activity as one line. Pure."""

from collections.abc import Iterator

from clients.cli import marks
from clients.cli.terminal import Terminal
from clients.cli.text import clean, cut, pad, width
from clients.cli.times import clock
from supervisor.domain.activity import Value
from supervisor.domain.views import EventView

_SUBJECT = 12
_COUNTS = ("turns", "created", "updated", "closed", "errors")
_PLAIN = ("source", "step", "reason", "why", "evidence", "message", "error", "detail", "text")
"""Data that needs no name before it, in this order."""
_MARKS = {
    "agent.needs_you": marks.NEEDS_YOU,
    "agent.launch_failed": marks.FAILED,
    "agent.stalled": marks.LOST,
    "actor.crashed": marks.FAILED,
    "queue.paused": marks.PARKED,
    "step.broke": marks.FAILED,
}


def line(event: EventView, out: Terminal) -> str:
    """`14:06 ENG-14       ● running · hook`."""
    named = clean(event.ticket or event.agent or event.kind.partition(".")[0])
    subject = pad(cut(named, 2 * _SUBJECT, out.more), _SUBJECT)
    words = out.facts(fact(event), *map(clean, _details(event)))
    room = max(out.columns - len("14:06  * ") - width(subject), 20)
    return f"{clock(event.at)} {subject} {out.mark(mark(event))} {cut(words, room, out.more)}"


def fact(event: EventView) -> str:
    """What happened, in words: `running`, `step started`, `needs you`."""
    noun, _, happened = clean(event.kind).partition(".")
    words = happened.replace("_", " ")
    if noun == "review":
        return _reviewed(event, words)
    if noun in ("ticket", "agent") and event.ticket is not None:
        return f"agent {words}" if noun == "agent" and happened in _AMBIGUOUS else words
    return f"{noun} {words}" if event.ticket or event.agent else words


def _reviewed(event: EventView, words: str) -> str:
    """`plan review opened`, `permission asked`, `question answered`."""
    kind = clean(str(event.data.get("kind") or ""))
    if kind in ("permission", "question"):
        return f"{kind} {'asked' if words == 'opened' else words}"
    return f"{kind} review {words}".strip()


_AMBIGUOUS = ("planned", "prepared", "retired", "forgotten", "ending", "starting", "exited", "lost")
"""Facts of an agent that would read as the ticket's own."""


def mark(event: EventView) -> marks.Mark:
    """The mark of the state that an entry brings."""
    noun, _, happened = event.kind.partition(".")
    if noun == "review":
        opened = marks.of_review(str(event.data.get("kind")))
        return opened if happened == "opened" else marks.VERDICTS.get(happened, marks.NONE)
    known = {"ticket": marks.TICKETS, "agent": marks.AGENTS}.get(noun, {})
    return _MARKS.get(event.kind) or known.get(happened) or marks.NONE


def _details(event: EventView) -> Iterator[str]:
    told = {name: value for name, value in event.data.items() if _says_something(event.kind, name, value)}
    if event.kind.startswith("review.") and "title" in told:
        yield str(told.pop("title"))
    for name in _PLAIN:
        if name in told:
            yield str(told[name])
    for name, value in told.items():
        if name not in _PLAIN:
            yield name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value}"


def _says_something(kind: str, name: str, value: Value) -> bool:
    if name == "title":
        return kind in ("ticket.created", "review.opened")  # known from there on
    if name == "kind" and kind.startswith("review."):
        return False  # it is a part of the fact
    if name in _COUNTS and value == 0:
        return False
    return value is not None and value is not False and value != ""
