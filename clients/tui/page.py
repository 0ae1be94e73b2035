"""What is said of a selected row: a review with all that decides it, an agent, or a ticket. Pure."""

import io
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen
from rich.cells import chop_cells
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from clients.cli import marks
from clients.cli.asked import other_arguments
from clients.cli.marks import Mark
from clients.cli.text import cut
from clients.cli.times import clock, date, since, size, until
from clients.tui.paint import ROLES
from clients.tui.rows import Row
from clients.tui.steady import steady, steady_lines
from supervisor.domain.views import AgentView, QuestionView, ReviewView, TicketDetail

if TYPE_CHECKING:
    from rich.markdown import Markdown

RENDERED = 600
"""Lines of a plan that is laid out as Markdown; a longer one is shown as its text, which is there at once."""
_TITLE = 160
"""Columns of a title, over several lines; a longer one would push away what is to be decided."""
_ROOM = 10_000_000
"""Lines that rich may write."""


@frozen
class Subject:
    """What the details are about. A review stays the one that was shown, whatever comes after it."""

    row: Row
    review: ReviewView | None = None
    agent: AgentView | None = None
    ticket: TicketDetail | None = None
    history: tuple[str, ...] = ()
    """The last entries of the activity about it."""


def strips_of(subject: Subject, columns: int, now: datetime) -> list[Strip]:
    """The page, line by line, each no wider than `columns`."""
    parts: list[RenderableType] = []
    review, agent, ticket = subject.review, subject.agent, subject.ticket
    if review is not None:
        parts += _head(marks.of_review(review.kind), _review_title(review, subject.row), subject)
        parts += _review(review, now)
    else:
        parts += _head(subject.row.mark, f"{subject.row.key} · {subject.row.type}", subject)
        parts += _agent(agent, now) if agent is not None else []
        parts += _ticket(ticket, now) if ticket is not None else []
    strips = _laid_out(Group(*parts), columns)
    if review is not None and review.plan is not None:
        strips += [Strip([]), *_plan(review.plan, columns)]
    elif subject.history:
        strips += _laid_out(Text("\n".join(("", "Lately", *subject.history)), ROLES["muted"]), columns)
    return strips


def plain(text: str, columns: int, style: Style | None = None) -> list[Strip]:
    """A text as it is, broken where a line is too long."""
    return [Strip([Segment(part, style)]) for line in steady_lines(text).split("\n") for part in _broken(line, columns)]


def _broken(line: str, columns: int) -> list[str]:
    return [line] if line.isascii() and len(line) <= columns else chop_cells(line, columns) or [""]


@lru_cache(maxsize=8)
def _plan(text: str, columns: int) -> list[Strip]:
    if text.count("\n") > RENDERED:
        return plain(text, columns)
    return _laid_out(_markdown(text), columns)


def _markdown(text: str) -> "Markdown":
    from rich.markdown import Markdown  # most rows have no plan

    return Markdown(steady_lines(text), hyperlinks=False, code_theme="ansi_dark")


def _laid_out(what: RenderableType, columns: int) -> list[Strip]:
    console = Console(file=io.StringIO(), width=columns, height=_ROOM, force_terminal=True, legacy_windows=False)
    options: ConsoleOptions = console.options.update(width=columns)
    return [Strip(line) for line in console.render_lines(what, options, pad=False)]


def _head(mark: Mark, title: str, subject: Subject) -> list[RenderableType]:
    line = Text.assemble((f"{mark.sign} ", ROLES[mark.role]), (title, ROLES["strong"]))
    return [line, Text(cut(subject.row.title, _TITLE), Style(bold=True)), Text("")]


def _facts(*facts: tuple[str, str]) -> list[RenderableType]:
    """Named facts, one a line; those without a value do not count."""
    return [Text.assemble((f"{name:9} ", ROLES["muted"]), steady_lines(text)) for name, text in facts if text]


def _moment(at: datetime, now: datetime) -> str:
    age = since(at, now)
    return f"{age} ago, {clock(at)}" if (now - at).days < 1 else f"{clock(at)}, {date(at, now)}"


# --- a review -----------------------------------------------------------------------------------------


def _review_title(review: ReviewView, row: Row) -> str:
    what = review.kind if review.kind in ("permission", "question") else f"{review.kind} review"
    return f"{row.key} · {row.type} · {what}"


def _review(review: ReviewView, now: datetime) -> list[RenderableType]:
    parts = _facts(
        ("asked by", f"{review.agent_id}, step {review.step}" + (f", run {review.run}" if review.run > 1 else "")),
        ("since", _moment(review.opened_at, now)),
        ("review", f"{review.id}, {review.status}" + (f" by {review.decided_by}" if review.decided_by else "")),
        ("note", review.note or ""),
    )
    parts += _permission(review)
    for number, question in enumerate(review.questions, 1):
        parts += _question(question, number if len(review.questions) > 1 else None)
    if review.artifacts:
        parts += [Text(""), Text("Made, to be looked at (o opens it):", ROLES["strong"])]
        parts += [Text(f"  {steady(each.name)}  {each.media}  {size(each.size)}") for each in review.artifacts]
    if review.branch is not None:
        count = f"{review.commits} commit{'' if review.commits == 1 else 's'}"
        parts += [Text(""), *_facts(("branch", f"{review.branch}, {count}"), ("url", review.url or ""))]
        parts += [Text(steady_lines(review.stat or "").strip("\n"))]
        parts += [Text("d shows the changes", ROLES["muted"])]
    if review.plan_path:
        parts += _facts(("plan file", f"{review.plan_path}, {review.plan.count(chr(10)) if review.plan else 0} lines"))
    return parts


def _permission(review: ReviewView) -> list[RenderableType]:
    if review.kind != "permission":
        return []
    parts: list[RenderableType] = [Text(""), Text(f"{steady(review.tool or 'A tool')} would do exactly this:")]
    exact = review.command if review.command is not None else review.title
    parts.append(Padding(Text(steady_lines(exact), ROLES["attention"]), (1, 2)))
    for name, text in other_arguments(review):
        parts.append(Text(f"{steady(name)}:" if name else "", ROLES["muted"]))
        parts.append(Padding(Text(steady_lines(text)), (0, 2)))
    return parts


def _question(question: QuestionView, number: int | None) -> list[RenderableType]:
    begin = f"{number}. " if number is not None else ""
    parts: list[RenderableType] = [Text(""), Text(f"{begin}{steady_lines(question.text)}", ROLES["strong"])]
    for count, option in enumerate(question.options, 1):
        line = Text.assemble((f"  {count} ", ROLES["attention"]), steady(option.label))
        line.append(f"  {steady(option.description)}" if option.description else "", ROLES["muted"])
        parts.append(line)
    several = "several may be chosen: 1,2" if question.multiple else ""
    return [*parts, Text(f"a answers it, by number or in your own words {several}".rstrip(), ROLES["muted"])]


# --- an agent, a ticket -------------------------------------------------------------------------------


def _agent(agent: AgentView, now: datetime) -> list[RenderableType]:
    step = f"{agent.current_step} {agent.step_number}/{agent.step_count}" if agent.current_step else ""
    state = f"{agent.state.name.replace('_', ' ')}, {_moment(agent.state.since, now)}"
    return _facts(
        ("needs you", agent.needs or ""),
        ("state", state),
        ("known by", f"{agent.state.source}: {agent.state.evidence}" if agent.state.evidence else agent.state.source),
        ("stalled", "it shows no progress" if agent.stalled else ""),
        ("step", step),
        ("says", agent.last_title),
        ("agent", f"{agent.id}, {agent.driver} in {agent.backend}"),
        ("attempt", str(agent.attempt) if agent.attempt > 1 else ""),
        ("ended", " · ".join(filter(None, (agent.exit, agent.phase_reason)))),
        ("branch", agent.branch or ""),
        ("folder", agent.worktree_path or ""),
    )


def _ticket(ticket: TicketDetail, now: datetime) -> list[RenderableType]:
    when = f", {until(ticket.until, now)}" if ticket.until else ""
    facts = _facts(
        ("status", f"{ticket.status}, {_moment(ticket.since, now)}"),
        ("because", f"{ticket.reason}{when}" if ticket.reason else ""),
        ("problem", ticket.problem or ""),
        ("conflict", ticket.conflict or ""),
        ("priority", str(ticket.priority) if ticket.priority is not None else ""),
        ("project", ticket.project or ""),
        ("labels", ", ".join(ticket.labels)),
        ("blocked", ", ".join(ticket.blocked_by)),
        ("board", " ".join(filter(None, (ticket.collection, ticket.external_key, ticket.url)))),
        ("branch", ticket.branch or ""),
        ("work", "no changes" if ticket.no_changes else "uncommitted changes are left" if ticket.dirty else ""),
    )
    return [*facts, Text(""), Text(steady_lines(ticket.body).strip("\n"))]
