"""`operator demo`: a repository, three tickets, a daemon and its agents, from nothing to nothing."""

import gc
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

import trio

from clients.api.client import Client, connect
from clients.api.errors import ApiError
from clients.api.locate import locate, read_endpoint
from clients.api.stream import Happened
from clients.cli import marks
from clients.cli.demo import processes
from clients.cli.demo.deciding import Deciding
from clients.cli.demo.view import Live, fitted
from clients.cli.demo.workspace import TICKETS, Workspace, make, place
from clients.cli.options import DONE, REFUSED, CliError
from clients.cli.terminal import Terminal, terminal
from clients.cli.watch import about, sole
from supervisor.domain.views import TicketView

_START_LIMIT, _RUN_LIMIT, _STOP_LIMIT = 30.0, 180.0, 15.0
_LOOK_AGAIN = 0.25
_LAST_WORDS = 0.3
"""Seconds in which the last entries arrive."""
_ENDED = ("done", "failed", "cancelled")
_SHOWN = (
    *(
        f"ticket.{fact}"
        for fact in ("created", "launching", "running", "parked", "queued", "done", "failed", "cancelled")
    ),
    *(f"agent.{fact}" for fact in ("idle", "exited", "lost", "needs_you", "launch_failed", "stalled")),
    "step.started",
    "step.done",
    "step.broke",
    "review.opened",
    "review.approved",
    "review.rejected",
)
"""What tells the story; all of it is in `operator watch`."""


def demo() -> int:
    """Show Operator at work: three tickets, two agents at a time, one crash and its retry.

    A feature's plan is shown and approved, what it built is rejected once and then approved; ASK=1 in the environment
    leaves that to you. It needs no configuration and leaves nothing behind; KEEP=1 keeps it all.

    For example: ASK=1 operator demo
    """
    gc.enable()
    for program in ("git", "tmux"):
        if shutil.which(program) is None:
            raise CliError(f"The demo needs {program}.", f"Install it: sudo apt-get install {program}")
    began = time.monotonic()
    keep, ask = (os.environ.get(name, "") not in ("", "0") for name in ("KEEP", "ASK"))
    out = terminal()
    space = place()
    daemon: subprocess.Popen[bytes] | None = None
    outcome, kept = REFUSED, False
    try:
        with _interruptible():
            make(space)
            print(f"A repository, {len(TICKETS)} tickets and an operator.toml are in {space.root}.", flush=True)
            daemon = _serve(space)
            tickets = trio.run(_perform, space, daemon, out, ask)
            _report(space, tickets, out)
            outcome = DONE if all(ticket.status == "done" for ticket in tickets) else REFUSED
            kept = keep
    except* KeyboardInterrupt:
        print("\nInterrupted.")
        outcome = 130
    except* Exception as group:
        print(f"operator: {sole(group)}", file=sys.stderr)
        _show_log(space)
    finally:
        if kept and daemon is not None:
            _explain(space, daemon)
        else:
            outcome = _remove(space, daemon, out) or outcome
    print(f"The demo took {time.monotonic() - began:.0f} s.")
    return outcome


@contextmanager
def _interruptible() -> Iterator[None]:
    """Treat being asked to end like Ctrl-C, so that it is cleaned up all the same."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second Ctrl-C must not leave half of it behind


def _serve(space: Workspace) -> subprocess.Popen[bytes]:
    with space.log.open("wb") as log:
        return subprocess.Popen(
            space.serve(),
            cwd=space.root,
            env=space.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C here is not for the daemon
        )


async def _perform(
    space: Workspace, daemon: subprocess.Popen[bytes], out: Terminal, ask: bool
) -> tuple[TicketView, ...]:
    """Watch until every ticket has ended; all of them as they are then."""
    started = datetime.now(UTC)
    async with trio.open_nursery() as nursery:
        await nursery.start(_obey)
        await _ready(space, daemon)
        where = locate(space.state, environ={})
        took = (datetime.now(UTC) - started).total_seconds()
        print(f"The daemon is up at {where.url} after {took:.1f} s.\n", flush=True)
        async with connect(where) as client:
            live = Live(out, started)
            deciding = Deciding(live, space.state, ask)
            nursery.start_soon(_follow, client, live, deciding)  # noqa: ASYNC111  (cancelled before the client closes)
            nursery.start_soon(deciding.run, client)  # noqa: ASYNC111
            tickets = await _until_ended(client, daemon, live, math.inf if ask else _RUN_LIMIT)
            nursery.cancel_scope.cancel()
    return tickets


async def _until_ended(
    client: Client, daemon: subprocess.Popen[bytes], live: Live, limit: float
) -> tuple[TicketView, ...]:
    deadline = trio.current_time() + limit
    while True:
        tickets = await _tickets(client)
        live.draw(tickets, datetime.now(UTC))
        if len(tickets) >= len(TICKETS) and all(ticket.status in _ENDED for ticket in tickets):
            await trio.sleep(_LAST_WORDS)
            live.draw(tickets, datetime.now(UTC))
            return tickets
        if daemon.poll() is not None:
            raise CliError(f"The daemon ended with {daemon.returncode}.")
        if trio.current_time() > deadline:
            raise CliError(f"The tickets had not ended after {limit:.0f} s.")
        await trio.sleep(_LOOK_AGAIN)


async def _obey(*, task_status: trio.TaskStatus[None]) -> None:
    """End in good order when asked to: an exception out of a signal's handler would tear the event loop."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as arrived:
        task_status.started()
        async for _ in arrived:
            raise KeyboardInterrupt


async def _ready(space: Workspace, daemon: subprocess.Popen[bytes]) -> None:
    with trio.move_on_after(_START_LIMIT):  # noqa: ASYNC912  (each round sleeps)
        while daemon.poll() is None:
            if read_endpoint(space.state) is not None:
                async with connect(locate(space.state, environ={})) as client:
                    try:
                        if (await client.health()).status == "ok":
                            return
                    except ApiError:
                        pass  # it is not there yet; the loop's own deadline ends this
            await trio.sleep(0.05)
    raise CliError("The daemon did not start.")


async def _follow(client: Client, live: Live, deciding: Deciding) -> None:
    async with client.stream(0, _SHOWN) as stream:
        async for message in stream:
            if isinstance(message, Happened):
                live.happened(message.event)
                deciding.happened(message.event)
            elif note := about(message, terminal(sys.stderr)):
                print(note, file=sys.stderr, flush=True)


async def _tickets(client: Client) -> tuple[TicketView, ...]:
    page = await client.tickets()
    return tuple(sorted(page.tickets, key=lambda ticket: (ticket.priority or 99, ticket.id)))


def _report(space: Workspace, tickets: tuple[TicketView, ...], out: Terminal) -> None:
    """What came of it: the branches with their commits, and the board."""
    print(f"\n{out.paint('strong', 'What came of it')}")
    for ticket in tickets:
        tries = f"{ticket.launches} attempts" if ticket.launches > 1 else "1 attempt"
        facts = out.facts(ticket.id, ticket.status, tries, ticket.branch or "")
        print(f" {out.mark(marks.of_ticket(ticket.status))} {facts}")
        if ticket.branch is not None:
            text = space.git("log", "--stat", "--format=   %h %s", f"main..{ticket.branch}")
            for line in filter(str.strip, text.splitlines()):
                print(f"  {fitted(line, out)}")
    print(f"\n{out.paint('strong', 'The board')}")
    for folder in sorted(space.tickets.iterdir()):
        if folder.is_dir():
            names = ", ".join(sorted(each.name for each in folder.glob("*.md"))) or "empty"
            print(f"  tickets/{folder.name}: {names}")


def _explain(space: Workspace, daemon: subprocess.Popen[bytes]) -> None:
    chosen = f"--state-dir {shlex.quote(str(space.state))}"
    print(f"\nAll of it is kept. The daemon runs as {daemon.pid}:")
    print(f"  operator status {chosen}")
    print(f"  operator watch --since 0 {chosen}")
    print(f"  operator attach {TICKETS[0].stem} {chosen}")
    print(f"Stop the daemon: kill {daemon.pid}")
    print("Then end its tmux server, and remove the workspace:")
    for socket in (space.root / "run").rglob("*.tmux"):
        print(f"  tmux -S {shlex.quote(str(socket))} kill-server")
    print(f"  rm -rf {shlex.quote(str(space.root))}")


def _remove(space: Workspace, daemon: subprocess.Popen[bytes] | None, out: Terminal) -> int:
    """Stop and remove all of it; 1 if something is left."""
    if daemon is not None and daemon.poll() is None:
        daemon.terminate()
        try:
            daemon.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    left = processes.end(space)
    shutil.rmtree(space.root, ignore_errors=True)
    if left or space.root.exists():
        for process in left:
            print(f"{out.mark(marks.FAILED)} still there: {process.pid} {fitted(process.command, out)}")
        print(f"{out.mark(marks.FAILED)} {space.root} could not be removed whole.")
        return REFUSED
    print(f"\nStopped the daemon and its terminals, and removed {space.root}; no process of the demo is left.")
    return DONE


def _show_log(space: Workspace) -> None:
    if space.log.exists():
        lines = space.log.read_text("utf-8", "replace").splitlines()[-15:]
        print("The end of the daemon's log:", *(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
