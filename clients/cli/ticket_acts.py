"""`operator ticket launch`, `cancel`, `retry`, `done` and `clean`."""

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from clients.cli import marks
from clients.cli.options import COMMON, Common, ask, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean
from clients.cli.times import until
from supervisor.domain.views import LaunchView, TicketDetail, TicketView

Ref = Annotated[str, Parameter(name=["TICKET"], help="Its id, its board's key, or its file's name.")]


def launch(
    ref: Ref,
    /,
    *,
    force: Annotated[bool, Parameter(negative="", show_default=False, help="Beyond the caps.")] = False,
    common: Common = COMMON,
) -> None:
    """Start an agent on a ticket now, and wait until it runs.

    It works while the queue is paused, too.

    For example: operator ticket launch ENG-12
    """
    view = ask(common, lambda client: client.launch(ref, force))
    show(common, view, lambda out: _launched(view, out))


def cancel(
    ref: Ref,
    /,
    *,
    reason: Annotated[str, Parameter(show_default=False, help="Why, for the board.")] = "",
    common: Common = COMMON,
) -> None:
    """Give a ticket up and stop its agent.

    Worktree and branch stay.

    For example: operator ticket cancel ENG-12
    """
    _act(common, ask(common, lambda client: client.cancel(ref, reason)))


def retry(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Put a ticket that ended, or that waits for something, back in line.

    For example: operator ticket retry ENG-12
    """
    _act(common, ask(common, lambda client: client.retry(ref)))


def done(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Call a ticket done and end its agent.

    Worktree and branch stay.

    For example: operator ticket done ENG-12
    """
    _act(common, ask(common, lambda client: client.finish(ref)))


def clean_up(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Remove an ended ticket's worktree and branch.

    Work that is merged nowhere is exported first.

    For example: operator ticket clean ENG-12
    """
    view = ask(common, lambda client: client.clean(ref))
    show(common, view, lambda out: _cleaned(view, out))


ACTS: dict[str, Callable[..., None]] = {
    "launch": launch,
    "cancel": cancel,
    "retry": retry,
    "done": done,
    "clean": clean_up,
}
"""By the verb that people type."""


def _act(common: Common, view: TicketDetail) -> None:
    show(common, view, lambda out: told(view, out))


def _launched(view: LaunchView, out: Terminal) -> str:
    if view.phase != "opened":
        sign = out.mark(marks.STARTING)
        return f"{sign} {view.ticket_id} is on its way ({view.phase}). Follow it: operator status"
    where = out.facts(clean(view.branch or ""), clean(view.working_directory or ""))
    lines = [f"{out.mark(marks.RUNNING)} {out.facts(f'{view.ticket_id} runs as {view.agent_id}', where)}"]
    if view.command:
        lines.append(f"  Attach: operator attach {view.ticket_id}    or: {shlex.join(view.command)}")
    return "\n".join(lines)


def _cleaned(view: TicketDetail, out: Terminal) -> str:
    if view.exported is None:
        return f"{out.mark(marks.DONE)} The worktree of {view.id} is gone; all of its work is merged."
    kept = "What is merged nowhere is kept in"
    return f"{out.mark(marks.DONE)} The worktree of {view.id} is gone. {kept}\n  {clean(view.exported)}"


def told(ticket: TicketView, out: Terminal) -> str:
    """A ticket in one line, with why it is as it is."""
    why = clean(ticket.reason or ticket.problem or "")
    when = f"again {until(ticket.until, datetime.now(UTC))}" if ticket.until else ""
    return f"{out.mark(marks.of_ticket(ticket.status))} {out.facts(f'{ticket.id} {ticket.status}', why, when)}"
