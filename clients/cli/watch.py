"""`operator watch`: the activity, one line for each entry, until Ctrl-C."""

import gc
import sys
from typing import Annotated, assert_never

import trio
from cyclopts import Parameter

from clients.api.client import connect
from clients.api.stream import Connected, Disconnected, Gap, Happened, Message, NewEpoch
from clients.cli.events import line
from clients.cli.options import COMMON, Common, find
from clients.cli.terminal import Terminal, terminal
from supervisor.domain.durations import human
from supervisor.domain.wire import to_json


def watch(
    *,
    since: Annotated[int | None, Parameter(help="Begin after this entry; 0 is the beginning.")] = None,
    kinds: Annotated[str | None, Parameter(help="Only these kinds, such as: agent.*,ticket.done")] = None,
    ticket: Annotated[str | None, Parameter(help="Only what is about this ticket.")] = None,
    agent: Annotated[str | None, Parameter(help="Only what is about this agent.")] = None,
    common: Common = COMMON,
) -> int:
    """Follow the activity as it happens; Ctrl-C ends it.

    The stream is taken up again by itself when the daemon restarts. With --json each line is one entry.

    For example: operator watch --kinds ticket.* --since 0
    """
    gc.enable()
    wanted = tuple(kind.strip() for kind in (kinds or "").split(",") if kind.strip())
    where = find(common)

    async def follow() -> None:
        async with connect(where) as client:
            await client.health()  # who asks for a stream that does not exist is told so at once
            async with client.stream(since, wanted, agent, ticket) as stream:
                async for message in stream:
                    say(message, common.json)

    try:
        trio.run(follow)
    except* KeyboardInterrupt:
        pass  # the way to end it
    except* Exception as group:
        raise sole(group) from None
    return 0


def sole(error: BaseException) -> BaseException:
    """The one failure inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def say(message: Message, exact: bool) -> None:
    """Print one message: entries to standard output, all about the stream itself to standard error."""
    if isinstance(message, Happened):
        print(to_json(message.event) if exact else line(message.event, terminal()), flush=True)
        return
    note = about(message, terminal(sys.stderr))
    if note:
        print(note, file=sys.stderr, flush=True)


def about(message: Connected | Disconnected | Gap | NewEpoch, out: Terminal) -> str:
    """A note on the stream itself; empty where there is nothing to say."""
    match message:
        case Connected(again=again):
            text = "connected again" if again else ""
        case Disconnected(reason=reason, retry_in=wait):
            text = f"not connected ({reason}), again in {human(wait)}"
        case Gap(after=after, oldest=oldest):
            text = f"entries {after + 1} to {oldest - 1} are kept no longer"
        case NewEpoch():
            text = "the daemon has another database now; its entries count anew"
        case never:
            assert_never(never)
    return out.paint("muted", f"-- {text}") if text else ""
