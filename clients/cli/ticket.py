"""`operator ticket`: add, list, show and change tickets. What ends or starts them is in `ticket_acts.py`."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from clients.api.client import Client, TicketText
from clients.cli import marks
from clients.cli.editor import edited
from clients.cli.events import line
from clients.cli.options import COMMON, CliError, Common, ask, read_text, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean, clean_lines, columns_of, pad
from clients.cli.ticket_acts import ACTS, Ref, told
from clients.cli.times import clock, date, since
from supervisor.domain.views import EventView, TicketDetail, TicketPage, TicketView

app = App(name="ticket", help="Add, list, change, launch and end tickets.")
for _order, (_name, _act) in enumerate(ACTS.items()):
    app.command(_act, name=_name, sort_key=10 + _order)

Body = Annotated[
    str | None, Parameter(allow_leading_hyphen=True, help="Its text; - reads standard input, @FILE a file.")
]
Type = Annotated[str | None, Parameter(help="FEAT, FIX, TASK, SPIKE, INV, or one of your own.")]
Priority = Annotated[int | None, Parameter(help="1 is first; none is last.")]
Project = Annotated[str | None, Parameter(help="Where it is worked on.")]
Driver = Annotated[str | None, Parameter(help="Which agent works on it.")]
Labels = Annotated[list[str] | None, Parameter(name="--label", negative="", help="May be given more than once.")]
Blockers = Annotated[
    list[str] | None, Parameter(name="--blocked-by", negative="", help="A ticket that must be done first.")
]
_COLUMNS = ("ID", "TYPE", "STATUS", "SINCE", "TITLE")
_LIMIT = 200
_HISTORY = 20


@app.command(sort_key=1)
def add(
    title: Annotated[str, Parameter(help="What is wanted, in one line.")],
    /,
    *,
    body: Body = None,
    type: Type = None,
    priority: Priority = None,
    project: Project = None,
    driver: Driver = None,
    label: Labels = None,
    blocked_by: Blockers = None,
    collection: Annotated[str | None, Parameter(help="Which board; needed if there are several.")] = None,
    common: Common = COMMON,
) -> None:
    """Add a ticket to a board.

    For example: operator ticket add "Say hello in French" --type FEAT --body @notes.md
    """
    text = TicketText(
        title=title,
        body=None if body is None else read_text(body),
        type=type,
        priority=priority,
        project=project,
        driver=driver,
        labels=label,
        blocked_by=blocked_by,
        collection=collection,
    )
    ticket = ask(common, lambda client: client.create_ticket(text))
    show(common, ticket, lambda out: told(ticket, out))


@app.command(name="list", sort_key=2)
def list_tickets(
    *,
    status: Annotated[str | None, Parameter(help="Only these, such as: queued,parked")] = None,
    collection: Annotated[str | None, Parameter(help="Only those of this board.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = _LIMIT,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier page ended.")] = None,
    common: Common = COMMON,
) -> None:
    """List tickets.

    For example: operator ticket list --status failed
    """
    page = ask(common, lambda client: client.tickets(status, collection, cursor, limit))
    show(common, page, lambda out: table(page, datetime.now(UTC), out))


@app.command(name="show", sort_key=3)
def show_ticket(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Show a ticket with its text and what happened to it.

    For example: operator ticket show ENG-12
    """
    if common.json:
        show(common, ask(common, lambda client: client.ticket(ref)), lambda _: "")
        return
    ticket, events = ask(common, lambda client: _read(client, ref))
    show(common, ticket, lambda out: page_of(ticket, events, datetime.now(UTC), out))


@app.command(sort_key=4)
def edit(
    ref: Ref,
    /,
    *,
    title: Annotated[str | None, Parameter(help="Its new title.")] = None,
    body: Body = None,
    type: Type = None,
    priority: Priority = None,
    project: Project = None,
    driver: Driver = None,
    label: Labels = None,
    blocked_by: Blockers = None,
    common: Common = COMMON,
) -> None:
    """Change a ticket's own text: by options, or without any in $EDITOR.

    For example: operator ticket edit ENG-12 --priority 1
    """
    text = TicketText(
        title=title,
        body=None if body is None else read_text(body),
        type=type,
        priority=priority,
        project=project,
        driver=driver,
        labels=label,
        blocked_by=blocked_by,
    )
    if text == TicketText():
        known = ask(common, lambda client: client.ticket(ref))
        text = parted(edited(f"# {known.title}\n\n{known.body}", f"{known.id}.md"), known)
        if text == TicketText():
            show(common, known, lambda _: f"{known.id} is as it was.")
            return
    ticket = ask(common, lambda client: client.edit_ticket(ref, text))
    show(common, ticket, lambda out: told(ticket, out))


async def _read(client: Client, ref: str) -> tuple[TicketDetail, list[EventView]]:
    """A ticket and its last entries."""
    ticket = await client.ticket(ref)
    page = await client.activity(limit=1000, ticket=ticket.id)
    return ticket, list(page.events[-_HISTORY:])


def parted(text: str, ticket: TicketDetail) -> TicketText:
    """A draft's first line is the title, the rest the text. Raises CliError where the title is gone."""
    first, _, rest = text.partition("\n")
    title, body = first.removeprefix("#").strip(), rest.removeprefix("\n")
    if not title:
        raise CliError("A ticket needs a title in its first line.", "Nothing was changed.")
    return TicketText(title=title if title != ticket.title else None, body=body if body != ticket.body else None)


def table(page: TicketPage, now: datetime, out: Terminal) -> str:
    """Tickets, one a line."""
    if not page.tickets:
        return 'There are no such tickets. Add one with: operator ticket add "Title"'
    rows = [list(_COLUMNS), *([*_cells(each, now)] for each in page.tickets)]
    lines = []
    for number, cells in enumerate(columns_of(rows, out.columns - 2, out.more, right=(3,))):
        if number == 0:
            lines.append(out.paint("muted", "  " + "  ".join(cells)))
            continue
        ticket = page.tickets[number - 1]
        cells[1] = out.paint(marks.TYPES.get(ticket.type, ""), cells[1])
        lines.append(f"{out.mark(marks.of_ticket(ticket.status))} {'  '.join(cells).rstrip()}")
    if page.next_cursor is not None:
        more = page.total_count - len(page.tickets)
        lines.append(f"{more} more: operator ticket list --cursor {page.next_cursor}")
    return "\n".join(lines)


def _cells(ticket: TicketView, now: datetime) -> tuple[str, ...]:
    return ticket.id, clean(ticket.type), ticket.status, since(ticket.since, now), clean(ticket.title)


def page_of(ticket: TicketDetail, events: list[EventView], now: datetime, out: Terminal) -> str:
    """All about one ticket."""
    lines = [f"{out.paint('strong', ticket.id)} {out.type(ticket.type)}  {clean(ticket.title)}"]
    lines.append(f"{told(ticket, out)} {out.dot} since {clock(ticket.since)}, {date(ticket.since, now)}")
    lines += [f"  {pad(name, 11)}{clean(value)}" for name, value in _facts(ticket) if value]
    if ticket.body.strip():
        lines += ["", *clean_lines(ticket.body.strip("\n")).split("\n")]
    if events:
        lines += ["", out.paint("strong", "HISTORY"), *(f"  {line(event, out)}" for event in events)]
    return "\n".join(lines)


def _facts(ticket: TicketView) -> list[tuple[str, str]]:
    ended = [
        "no changes" if ticket.no_changes else "",
        "changes that no commit holds" if ticket.dirty else "",
        "closed on its board" if ticket.closed_on_board else "",
    ]
    return [
        ("board", f"{ticket.collection} {ticket.external_key or ''}" if ticket.collection else ""),
        ("url", ticket.url or ""),
        ("priority", "" if ticket.priority is None else str(ticket.priority)),
        ("project", ticket.project or ""),
        ("driver", ticket.driver or ""),
        ("labels", ", ".join(ticket.labels)),
        ("blocked by", ", ".join(ticket.blocked_by)),
        ("step", ticket.step or ""),
        ("agent", ticket.agent_id or ""),
        ("branch", ticket.branch or ""),
        ("attempts", str(ticket.attempts) if ticket.attempts else ""),
        ("note", ", ".join(note for note in ended if note)),
        ("problem", ticket.problem or ""),
        ("conflict", ticket.conflict or ""),
    ]
