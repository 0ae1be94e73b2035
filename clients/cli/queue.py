"""`operator sync`, `pause` and `resume`."""

from typing import Annotated

from cyclopts import Parameter

from clients.cli import marks
from clients.cli.options import COMMON, REFUSED, Common, ask, show
from clients.cli.terminal import Terminal
from clients.cli.text import clean
from supervisor.domain.views import PauseView, SyncView


def sync(
    collection: Annotated[str | None, Parameter(help="Only this one.")] = None, /, *, common: Common = COMMON
) -> int:
    """Read the boards now, and say what changed.

    For example: operator sync backend
    """
    view = ask(common, lambda client: client.sync(collection))
    show(common, view, lambda out: _synced(view, out))
    return REFUSED if view.errors else 0


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
