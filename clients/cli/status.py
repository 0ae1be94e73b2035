"""`operator status`: what needs a person first, then what runs, then what comes next."""

from datetime import UTC, datetime

from attrs import frozen

from clients.api.client import Client
from clients.cli import marks
from clients.cli.options import COMMON, Common, ask, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean, columns_of, width
from clients.cli.times import clock, since, until
from supervisor.domain.views import (
    AgentList,
    AgentView,
    CollectionView,
    Kanban,
    ReviewView,
    StatusView,
    TicketPage,
    TicketView,
)

_NEXT = 5
_FULL_WIDTH = 100
_REVIEWS = 200


@frozen
class Glance:
    """What one look brings."""

    url: str
    status: StatusView
    agents: AgentList
    kanban: Kanban
    parked: TicketPage | None = None
    """The newest of those that wait for something, if there are any."""
    reviews: tuple[ReviewView, ...] = ()
    """Those that are pending."""


def status(*, common: Common = COMMON) -> None:
    """What needs you, what runs, and what comes next.

    For example: operator status
    """
    if common.json:
        show(common, ask(common, lambda client: client.status()), lambda _: "")
        return
    glance = ask(common, look)
    show(common, glance, lambda out: render(glance, datetime.now(UTC), out))


async def look(client: Client) -> Glance:
    """Read all of it."""
    now = await client.status()
    parked = await client.tickets("parked", limit=_NEXT) if now.counts.parked else None
    reviews = (await client.reviews("pending", limit=_REVIEWS)).reviews
    return Glance(client.where.url, now, await client.active_agents(), await client.kanban(), parked, reviews)


def render(glance: Glance, now: datetime, out: Terminal) -> str:
    """The whole page."""
    parts = [
        _header(glance.status, glance.url, out),
        _collections(glance.status.collections, now, out),
        _warnings(glance.status, out),
        _needs_you(glance, now, out),
        _running(glance, now, out),
        _next(glance, now, out),
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _header(status: StatusView, url: str, out: Terminal) -> str:
    counts = status.counts
    needs = f"{status.needs_you} need{'s' if status.needs_you == 1 else ''} you" if status.needs_you else ""
    facts = (
        f"Operator {clean(status.version)}",
        f"{status.agents} of {status.max_agents} agents",
        f"{counts.queued} queued",
        f"{counts.parked} parked" if counts.parked else "",
        needs,
    )
    address = clean(url.partition("://")[2])
    gap = min(out.columns, _FULL_WIDTH) - width(out.facts(*facts)) - width(address)
    painted = out.facts(out.paint("strong", facts[0]), *facts[1:4], out.paint("attention", needs))
    line = painted + " " * max(gap, 2) + out.paint("muted", address)
    if not status.paused:
        return line
    why = f": {clean(status.pause_reason)}" if status.pause_reason else ""
    paused = f"Paused{why}. Agents at work go on; start more with: operator resume"
    return f"{line}\n{out.mark(marks.PARKED)} {paused}"


def _collections(collections: tuple[CollectionView, ...], now: datetime, out: Terminal) -> str:
    if not collections:
        return "No collection is configured, so tickets come from nowhere. Write one with: operator init\n"
    rows = [[clean(each.name), each.provider, *_synced(each, now)] for each in collections]
    lines = []
    for row, each in zip(columns_of(rows, out.columns, out.more), collections, strict=True):
        line = "  ".join(row).rstrip()
        lines.append(out.paint("error", line) if each.error else line)
        lines += [f"  {out.mark(marks.LOST)} {clean(problem)}" for problem in each.problems[:3]]
        lines += [f"  {clean(each.hint)}"] if each.error and each.hint else []
        lines += [f"  {clean(each.write_error)}"] if each.write_error and each.write_error != each.error else []
    return "\n".join(lines) + "\n"


def _synced(each: CollectionView, now: datetime) -> list[str]:
    when = f"synced {since(each.last_sync, now)} ago" if each.last_sync else "not read yet"
    following = each.retry_at or each.next_sync
    if each.error:
        again = f", again {until(following, now)}" if following else ""
        when = f"{clean(each.error)} ({each.error_code}){again}"
    elif following:
        when += f", next {until(following, now)}"
    age = f" for {since(each.oldest_write, now)}" if each.oldest_write else ""
    pending = f"{each.pending_writes} write{'s' if each.pending_writes != 1 else ''} to the board pending{age}"
    return [when, pending if each.pending_writes else ""]


def _warnings(status: StatusView, out: Terminal) -> str:
    failing = [f"{each.name}: {each.detail}" for each in status.backends if not each.ok]
    lines = [f"{out.mark(marks.LOST)} {clean(text)}" for text in (*failing, *status.warnings)]
    return "\n".join(lines) + "\n" if lines else ""


def _needs_you(glance: Glance, now: datetime, out: Terminal) -> str:
    """What is to be decided, and whoever waits without a question of its own; who has waited longest is first."""
    asked = {review.agent_id for review in glance.reviews}
    waiting = [agent for agent in glance.agents.agents if agent.needs is not None and agent.id not in asked]
    known = {ticket.id: ticket.title for ticket in glance.kanban.awaiting}
    drivers = {agent.id: agent.driver for agent in glance.agents.agents}
    found = [
        (
            review.opened_at,
            marks.of_review(review.kind),
            [
                review.ticket_id,
                review.kind,
                since(review.opened_at, now),
                clean(_asked(review, known.get(review.ticket_id), drivers.get(review.agent_id))),
                _decided_by(review),
            ],
        )
        for review in glance.reviews
    ]
    found += [
        (
            agent.state.since,
            marks.NEEDS_YOU,
            [
                agent.ticket_id,
                agent.state.name.replace("_", " "),
                since(agent.state.since, now),
                clean(agent.needs or ""),
                f"operator attach {agent.ticket_id}",
            ],
        )
        for agent in waiting
    ]
    if not found:
        return f"{out.paint('strong', 'NEEDS YOU')}   nothing\n"
    found.sort(key=lambda each: (each[0], each[2]))
    return _table("NEEDS YOU", [cells for _, _, cells in found], [sign for _, sign, _ in found], out)


def _asked(review: ReviewView, ticket: str | None, driver: str | None) -> str:
    """What it is about: the ticket where there is something to look at, else what is asked."""
    if review.kind == "permission" and review.command is not None:
        return f"{driver or 'the agent'} wants: {review.command}"
    if review.kind in ("permission", "question"):
        return review.title
    return ticket or review.title


def _decided_by(review: ReviewView) -> str:
    """The command that decides it, or shows what is to be read first."""
    match review.kind:
        case "permission":
            # Named, so that nobody allows what came after the page was drawn.
            return f"operator approve {review.ticket_id} --review {review.id}"
        case "question":
            return f"operator answer {review.ticket_id}"
        case _:
            return f"operator review show {review.id}"


def _running(glance: Glance, now: datetime, out: Terminal) -> str:
    working = [agent for agent in glance.agents.agents if agent.needs is None]
    if not working:
        return f"{out.paint('strong', 'RUNNING')}     {_idle(glance.status)}\n"
    rows = [
        [agent.ticket_id, step_of(agent), since(agent.state.since, now), agent.driver, _doing(agent, out)]
        for agent in working
    ]
    return _table("RUNNING", rows, [marks.of_agent(agent) for agent in working], out)


def _idle(status: StatusView) -> str:
    if status.paused:
        return "nothing, and nothing starts before: operator resume"
    if status.counts.queued:
        return "nothing yet"
    if status.counts.parked:
        return "nothing; all that waits is parked, for the reasons below"
    return 'nothing; add a ticket with: operator ticket add "Title"'


def step_of(agent: AgentView) -> str:
    """Its step and how far that is: `build 2/4`."""
    if agent.current_step is None:
        return "-"
    return f"{clean(agent.current_step)} {agent.step_number}/{agent.step_count}"


def _doing(agent: AgentView, out: Terminal) -> str:
    stalled = "no progress" if agent.stalled else ""
    attempt = f"attempt {agent.attempt}" if agent.attempt > 1 else ""
    return out.facts(agent.state.name.replace("_", " "), agent.state.source, stalled, attempt)


def _next(glance: Glance, now: datetime, out: Terminal) -> str:
    total = glance.status.counts.queued
    waiting = [ticket for ticket in glance.kanban.queue if ticket.status == "queued"][:_NEXT]
    lines = []
    if waiting:
        shown = "  ".join(f"{ticket.id} {out.type(ticket.type)}" for ticket in waiting)
        more = f"  and {total - len(waiting)} more" if total > len(waiting) else ""
        lines.append(f"{out.paint('strong', 'NEXT')}        {shown}{more}")
    if glance.parked is None:
        return "\n".join(lines)
    parked = glance.parked.tickets
    lines += [f" {out.mark(marks.PARKED)} {ticket.id}  {parked_because(ticket, now)}" for ticket in parked]
    if glance.parked.total_count > len(parked):
        lines.append(f"   {glance.parked.total_count - len(parked)} more: operator ticket list --status parked")
    return "\n".join(lines)


def parked_because(ticket: TicketView, now: datetime) -> str:
    """Why it waits, and until when."""
    when = f", {until(ticket.until, now)} ({clock(ticket.until)})" if ticket.until else ""
    return f"{clean(ticket.reason or 'parked')}{when}"


def _table(title: str, rows: list[list[str]], signs: list[marks.Mark], out: Terminal) -> str:
    lines = [out.paint("strong", title)]
    for cells, sign in zip(columns_of(rows, out.columns - 3, out.more, right=(2,)), signs, strict=True):
        lines.append(f" {out.mark(sign)} {'  '.join(cells).rstrip()}")
    return "\n".join(lines) + "\n"
