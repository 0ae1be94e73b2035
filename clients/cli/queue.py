"""`operator sync`, `pause` and `resume`."""

import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from clients.api.errors import Refused
from clients.cli import marks
from clients.cli.options import COMMON, REFUSED, Common, ask, show
from clients.cli.terminal import Terminal, terminal
from clients.cli.text import clean, columns_of, pad, width
from clients.cli.times import since
from supervisor.domain.views import PauseView, SyncView, WriteList, WriteView

if TYPE_CHECKING:
    from clients.api.client import Client


def sync(
    collection: Annotated[str | None, Parameter(help="Only this one.")] = None,
    /,
    *,
    pending: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show what boards are still to be told, and why.")
    ] = False,
    common: Common = COMMON,
) -> int:
    """Read the boards now, and say what changed.

    For example: operator sync backend
    """
    if pending:
        owed = ask(common, lambda client: _owed(client, collection))
        show(common, WriteList(owed), lambda out: _pending(owed, datetime.now(UTC), out))
        return 0
    if collection is None and not common.json and sys.stdout.isatty():
        return _one_by_one(common)
    view = ask(common, lambda client: client.sync(collection))
    show(common, view, lambda out: _synced(view, out))
    return REFUSED if view.errors else 0


def _one_by_one(common: Common) -> int:
    """Each board in turn, for a person who watches: what is read now, and what the last one brought."""
    out = terminal()
    names = [each.name for each in ask(common, lambda client: client.collections())]
    columns = max((width(clean(name)) for name in names), default=0)
    code = 0
    for name in names:
        label = pad(clean(name), columns)
        print(f"{label}  reading{out.more}", end="", flush=True)
        try:
            view = ask(common, partial(_sync_one, name))
            told, code = _synced(view, out), REFUSED if view.errors else code
        except Refused as error:
            told, code = f"{out.mark(marks.FAILED)} {clean(error.message)}", REFUSED
            told += f"\n  {clean(error.hint)}" if error.hint else ""
        print(f"\r\x1b[K{label}  {told}")
    if not names:
        print("No collection is configured. Write one with: operator init")
    return code


async def _sync_one(name: str, client: "Client") -> SyncView:
    return await client.sync(name)


async def _owed(client: "Client", collection: str | None) -> tuple[WriteView, ...]:
    names = [collection] if collection is not None else [each.name for each in await client.collections()]
    return tuple([write for name in names for write in await client.board_writes(name)])


def _pending(writes: tuple[WriteView, ...], now: datetime, out: Terminal) -> str:
    if not writes:
        return "The boards know everything."
    rows = [
        [
            clean(each.collection),
            clean(each.ticket_id),
            each.kind,
            since(each.since, now),
            clean(each.error or "is about to be written")
            + (f" ({each.attempts} tr{'ies' if each.attempts != 1 else 'y'})" if each.attempts else ""),
        ]
        for each in writes
    ]
    return "\n".join("  ".join(row).rstrip() for row in columns_of(rows, out.columns, out.more))


def pause(
    reason: Annotated[str | None, Parameter(help="Why, for whoever wonders.")] = None,
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Start no more agents; those at work go on.

    For example: operator pause "deploying"
    """
    view = ask(common, lambda client: client.pause(reason))
    show(common, view, lambda out: _paused(view, out))


def resume(*, common: Common = COMMON) -> None:
    """Start agents again.

    For example: operator resume
    """
    view = ask(common, lambda client: client.resume())
    show(common, view, lambda out: _paused(view, out))


def _synced(view: SyncView, out: Terminal) -> str:
    changed = [
        f"{len(keys)} {word}: {', '.join(map(clean, keys[:8]))}{' and more' if len(keys) > 8 else ''}"
        for word, keys in (("new", view.created), ("updated", view.updated), ("closed", view.closed))
        if keys
    ]
    skipped = [f"{len(view.skipped)} skipped"] if view.skipped else []
    read = f"{view.total_processed} ticket{'s' if view.total_processed != 1 else ''} read"
    lines = [out.facts(read, *changed, *skipped) if changed or skipped else f"{read}, nothing new"]
    lines += [f"{out.mark(marks.FAILED)} {clean(error)}" for error in view.errors]
    return "\n".join(lines)


def _paused(view: PauseView, out: Terminal) -> str:
    return out.facts(clean(view.message), f"{view.queued} queued", f"{view.running} running")
