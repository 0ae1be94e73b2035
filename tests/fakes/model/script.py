"""What the model does next, from the conversation so far.

say TEXT                    answer with a text; \\n in it is a line's end
think SECONDS|forever       keep the stream open with signs of life
hang SECONDS|forever        keep it open without any
write PATH TEXT             call the CLI's tool that writes a file
run COMMAND                 call its shell
background SECONDS          the same in the background, for so long
touch FILE, append PATH TEXT, commit MESSAGE    the same by a shell command
ask QUESTION | A | B        call its tool that asks a person
plan TEXT                   write the plan where the CLI wants it, then propose it
permission COMMAND          the same, for a script whose rehearsal asks a person first
status CODE [RETRY-AFTER]   answer this HTTP status, once: the next try goes on behind it
fail CODE [TEXT]            the same, and say TEXT of it
limit SECONDS               the same with 429: the usage limit is reached, and ends in so many seconds
drop                        close the connection, once
"""

import math
import shlex
from collections.abc import Iterator, Sequence

from attrs import frozen

from clients.cli.demo.rehearsal.script import Command, Script, default_script, unescape


@frozen
class Say:
    text: str


@frozen
class Think:
    """Keep the stream open; `alive` with pings."""

    seconds: float
    alive: bool = True


@frozen
class WriteFile:
    path: str
    text: str


@frozen
class RunCommand:
    command: str
    background: bool = False
    asks: bool = False
    """The model itself has the CLI ask a person, where that is the model's to say."""


@frozen
class AskPerson:
    question: str
    options: tuple[str, ...]


@frozen
class WritePlan:
    text: str


@frozen
class ProposePlan:
    """The CLI reads the plan from the file that was written before."""


@frozen
class Status:
    code: int
    retry_after: str | None = None
    text: str = ""
    limit: float | None = None
    """In so many seconds the usage limit ends that this status tells of."""


@frozen
class Cut:
    """Close the connection."""


Call = WriteFile | RunCommand | AskPerson | WritePlan | ProposePlan
CALLS = (WriteFile, RunCommand, AskPerson, WritePlan, ProposePlan)
Fault = Status | Cut
Move = Say | Think | Call | Fault

DONE = Say("Done.")


@frozen
class Dialogue:
    """A conversation as far as scripts are concerned."""

    conversation: str
    prompts: tuple[str, ...]
    """What people typed, one a turn, exactly as it reached the model."""
    results: tuple[str, ...]
    """What the tool calls since the last prompt gave."""
    asides: tuple[str, ...] = ()
    """What people typed while a tool ran, if the CLI puts that into the running turn."""
    side: bool = False
    """A request of the CLI's own, such as for a title: it has no part in the script."""


def turn_moves(prompts: Sequence[str]) -> list[Move]:
    """All that the model does in the turn of the last of these prompts."""
    script, commands, text = Script(attempt=1), list[Command](), ""
    for number, prompt in enumerate(prompts, 1):
        text = prompt.replace("\r\n", "\n").replace("\r", "\n")
        commands = script.commands(text, number)
    if commands == default_script(text, len(prompts)):
        return [DONE]
    return [move for command in commands for move in _readable(*command)]


def next_moves(moves: Sequence[Move], results: int) -> list[tuple[int, Move]]:
    """The moves of one answer, with their places in the turn: those behind `results` calls, up to the next call."""
    chosen, calls = list[tuple[int, Move]](), 0
    for place, move in enumerate(moves):
        if calls == results:
            chosen.append((place, move))
        if isinstance(move, CALLS):
            calls += 1
            if calls > results:
                break
    if not any(isinstance(move, (Say, *CALLS)) for _, move in chosen):
        chosen.append((len(moves), DONE))
    return chosen


def _readable(verb: str, arguments: str) -> list[Move]:
    try:
        return list(_moves(verb, arguments))
    except ValueError as error:
        return [Say(f"Error: {verb} {arguments}: {error}")]


def _moves(verb: str, arguments: str) -> Iterator[Move]:
    head, _, rest = arguments.partition(" ")
    match verb:
        case "say":
            yield Say(unescape(arguments))
        case "think" | "hang":
            yield Think(math.inf if arguments == "forever" else float(arguments), alive=verb == "think")
        case "write":
            yield WriteFile(head, unescape(rest) + "\n")
        case "run" | "permission":
            yield RunCommand(arguments, asks=verb == "permission")
        case "background":
            yield RunCommand(f"sleep {float(arguments)}", background=True)
        case "touch":
            yield RunCommand(f"touch {shlex.quote(arguments)}")
        case "append":
            yield RunCommand(f"printf '%s\\n' {shlex.quote(unescape(rest))} >> {shlex.quote(head)}")
        case "commit":
            identity = "-c user.name=Rehearsal -c user.email=rehearsal@localhost -c commit.gpgsign=false"
            yield RunCommand(f"git add -A && git {identity} commit -q -m {shlex.quote(arguments or 'Rehearsal')}")
        case "ask":
            question, *options = (part.strip() for part in arguments.split("|"))
            yield AskPerson(question, tuple(options) or ("Yes", "No"))
        case "plan":
            yield WritePlan(unescape(arguments) + "\n")
            yield ProposePlan()
        case "status":
            yield Status(int(head), rest.strip() or None)
        case "fail":
            yield Status(int(head), text=rest.strip())
        case "limit":
            yield Status(429, limit=float(arguments))
        case "drop":
            yield Cut()
        case _:
            yield Say(f"Error: a model has no verb {verb!r}")
