"""A step's prompt: the step's template, with the ticket as data."""

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType

from attrs import frozen
from jinja2 import Template, TemplateSyntaxError, UndefinedError, meta, nodes

from supervisor.adapters.prompts.fence import fenced, one_line
from supervisor.adapters.prompts.sandbox import Budget, PromptEnvironment
from supervisor.domain.errors import Invalid
from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import IssueType, Step
from supervisor.domain.ticket import Queued, Ticket

_KNOWN = {
    "ticket": frozenset({"id", "title", "body", "type", "labels", "url"}),
    "step": frozenset({"name"}),
    "review": frozenset({"reason"}),
}
_NAMES = frozenset({*_KNOWN, "attempt", "fenced"})

_KEPT = 256
"""Compiled templates that are kept."""

_SAMPLE = Ticket(
    id=TicketId("SAMPLE-1"),
    title="A title",
    type="TASK",
    status=Queued(datetime(2026, 1, 1, tzinfo=UTC)),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    url="https://board.example/SAMPLE-1",
    labels=("label",),
)


@frozen
class _TicketData:
    """What a template sees of a ticket. Attributes are values, never templates."""

    id: str
    title: str
    body: str
    type: str
    labels: tuple[str, ...]
    url: str


@frozen
class _StepData:
    name: str


@frozen
class _ReviewData:
    reason: str


class JinjaPrompts:
    """Implements `ports.Prompts`."""

    def __init__(self) -> None:
        self._environment = PromptEnvironment()
        self._compiled: dict[str, Template] = {}

    def render(self, step: Step, ticket: Ticket, body: str, attempt: int, reason: str) -> str:
        """A step's prompt for a ticket. Raises Invalid, naming the step and the template's line."""
        budget = Budget()
        context = {
            "ticket": _TicketData(
                id=ticket.id,
                title=one_line(ticket.title),
                body=body,
                type=ticket.type,
                labels=tuple(one_line(label) for label in ticket.labels),
                url=one_line(ticket.url or ""),
            ),
            "step": _StepData(step.name),
            "review": _ReviewData(reason),
            "attempt": attempt,
            "fenced": fenced,
            **budget.context(),
        }
        try:
            return self._template(step.prompt).render(context)
        except Exception as error:  # whatever a template's expressions raise is the template's fault
            what = self._unknown(step) if isinstance(error, UndefinedError) else ""
            raise _invalid(step, _line_of(error), what or _sentence(error)) from error

    def check(self, types: Mapping[str, IssueType]) -> dict[str, str]:
        """What is wrong with each template that is, by its place in the configuration. Empty: all can be used."""
        found: dict[str, str] = {}
        for kind in types.values():
            for number, step in enumerate(kind.steps):
                wrong = self._problem(step)
                if wrong is not None:
                    found[f"types.{kind.name}.steps[{number}].prompt"] = wrong
        return found

    def _problem(self, step: Step) -> str | None:
        try:
            if unknown := self._unknown(step):
                return _invalid(step, None, unknown).message
            for attempt, reason in ((1, ""), (2, "a reason")):
                self.render(step, _SAMPLE, "A body.", attempt, reason)
        except TemplateSyntaxError as error:
            return _invalid(step, error.lineno, _sentence(error)).message
        except Invalid as error:
            return error.message
        return None

    def _unknown(self, step: Step) -> str:
        """The names in a step's template that no prompt has, as a sentence; empty if there are none."""
        unknown = dict(self._unknown_names(self._environment.parse(step.prompt)))
        if not unknown:
            return ""
        return "there is no " + ", ".join(f"{name} (line {line}{_nearest(name)})" for name, line in unknown.items())

    def _template(self, source: str) -> Template:
        known = self._compiled.get(source)
        if known is None:
            if len(self._compiled) >= _KEPT:
                self._compiled.clear()
            known = self._compiled[source] = self._environment.from_string(source)
        return known

    def _unknown_names(self, tree: nodes.Template) -> Iterator[tuple[str, int]]:
        """Names that no prompt has, each with the line of its first use."""
        free = meta.find_undeclared_variables(tree)
        for name in tree.find_all(nodes.Name):
            if name.name in free and name.name not in _NAMES | self._environment.globals.keys() and name.ctx == "load":
                yield name.name, name.lineno
        for part in tree.find_all(nodes.Getattr):
            owner = part.node.name if isinstance(part.node, nodes.Name) else ""
            if owner in free and owner in _KNOWN and part.attr not in _KNOWN[owner]:
                yield f"{owner}.{part.attr}", part.lineno


def _nearest(name: str) -> str:
    known = sorted({*_NAMES, *(f"{owner}.{part}" for owner, parts in _KNOWN.items() for part in parts)})
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _invalid(step: Step, line: int | None, what: str) -> Invalid:
    where = f"line {line}: " if line else ""
    hint = f"A prompt may use {', '.join(sorted(_NAMES))}; see [types.NAME] in operator.toml."
    return Invalid(f"The prompt of step {step.name} cannot be rendered: {where}{what}", {step.name: what}, hint=hint)


def _sentence(error: Exception) -> str:
    if isinstance(error, UndefinedError | TemplateSyntaxError):
        return (error.message or type(error).__name__)[:300]
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    return str(error)[:300] or type(error).__name__


def _line_of(error: Exception) -> int | None:
    """The template's line: jinja2 puts it into the traceback, as the frame of a file `<template>`."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    line: int | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
