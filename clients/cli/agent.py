"""`operator agent`: look at agents, prompt, interrupt and stop them. A ticket's id means its agent."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from clients.cli import marks
from clients.cli.options import COMMON, REFUSED, Common, ask, read_text, show
from clients.cli.status import step_of
from clients.cli.terminal import Terminal
from clients.cli.text import clean, clean_lines, columns_of, pad
from clients.cli.times import clock, date, since
from supervisor.domain.views import AgentList, AgentView, DeliveryView, History

app = App(name="agent", help="Look at agents, prompt, interrupt and stop them.")

Ref = Annotated[str, Parameter(name=["AGENT"], help="An agent, or a ticket: then its newest one.")]
_COLUMNS = ("AGENT", "STEP", "STATE", "SINCE", "HOW", "DRIVER", "TITLE")


@app.command(name="list", sort_key=1)
def list_agents(
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="Those that are over, too.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """List the agents at work.

    For example: operator agent list --all
    """
    found = ask(common, lambda client: client.agents() if all_ else client.active_agents())
    show(common, found, lambda out: table(found, datetime.now(UTC), out))


@app.command(name="show", sort_key=2)
def show_agent(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Show all about one agent.

    For example: operator agent show ENG-12
    """
    agent = ask(common, lambda client: client.agent(ref))
    show(common, agent, lambda out: page_of(agent, datetime.now(UTC), out))


@app.command(sort_key=3)
def prompt(
    ref: Ref,
    text: Annotated[
        str,
        Parameter(
            name=["TEXT"], allow_leading_hyphen=True, help="What to tell it; - reads standard input, @FILE a file."
        ),
    ],
    /,
    *,
    common: Common = COMMON,
) -> int:
    """Type a text into an agent's terminal, and say how far it came.

    For example: operator agent prompt ENG-12 "Use the existing helper."
    """
    words = read_text(text)
    view = ask(common, lambda client: client.prompt(ref, words))
    show(common, view, lambda out: delivered(view, out))
    return REFUSED if view.delivery == "refused" else 0


@app.command(sort_key=4)
def interrupt(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Press the key that ends an agent's turn. It stays, and waits for you.

    For example: operator agent interrupt ENG-12
    """
    agent = ask(common, lambda client: client.interrupt(ref))
    show(common, agent, lambda out: f"The key was pressed. {told(agent, datetime.now(UTC), out)}")


@app.command(sort_key=5)
def stop(ref: Ref, /, *, common: Common = COMMON) -> None:
    """End an agent and all its processes. Its work stays in its worktree.

    For example: operator agent stop ENG-12
    """
    agent = ask(common, lambda client: client.stop(ref))
    show(common, agent, lambda out: told(agent, datetime.now(UTC), out))


@app.command(sort_key=6)
def screen(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Print what an agent's terminal shows.

    For example: operator agent screen ENG-12
    """
    text = ask(common, lambda client: client.screen(ref))
    show(common, {"screen": text}, lambda _: clean_lines(text).rstrip())


@app.command(sort_key=7)
def diff(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Print what an agent changed, as a patch; untracked files are part of it.

    For example: operator agent diff ENG-12 | git apply
    """
    text = ask(common, lambda client: client.diff(ref))
    show(common, {"diff": text}, lambda out: patch(text, out))


@app.command(sort_key=8)
def history(ref: Ref, /, *, common: Common = COMMON) -> None:
    """Print an agent's states, since when and how each was known.

    For example: operator agent history ENG-12
    """
    found = ask(common, lambda client: client.history(ref))
    show(common, found, lambda out: states(found, out))


def told(agent: AgentView, now: datetime, out: Terminal) -> str:
    """An agent in one line: its state, since when, how that is known."""
    state = agent.state
    facts = out.facts(
        f"{agent.id} {state.name.replace('_', ' ')} {since(state.since, now)}",
        state.source,
        clean(state.evidence),
    )
    return f"{out.mark(marks.of_agent(agent))} {facts}"


def table(found: AgentList, now: datetime, out: Terminal) -> str:
    """Agents, one a line."""
    if not found.agents:
        return "No agent is at work. What waits: operator ticket list --status queued"
    rows = [list(_COLUMNS), *(_cells(agent, now) for agent in found.agents)]
    first, *rest = columns_of(rows, out.columns - 2, out.more, right=(3,))
    lines = [out.paint("muted", "  " + "  ".join(first))]
    for agent, cells in zip(found.agents, rest, strict=True):
        lines.append(f"{out.mark(marks.of_agent(agent))} {'  '.join(cells).rstrip()}")
    return "\n".join(lines)


def _cells(agent: AgentView, now: datetime) -> list[str]:
    state = agent.state
    doing = (state.name.replace("_", " "), since(state.since, now), state.source)
    return [agent.id, step_of(agent), *doing, agent.driver, clean(agent.title)]


def page_of(agent: AgentView, now: datetime, out: Terminal) -> str:
    """All about one agent."""
    started = f"{clock(agent.started_at)}, {date(agent.started_at, now)}"
    facts = (
        ("needs you", agent.needs or ""),
        ("ticket", f"{agent.ticket_id} {agent.ticket_type}  {agent.title}"),
        ("step", step_of(agent)),
        ("attempt", f"{agent.attempt}, {agent.mode}"),
        ("started", started),
        ("launch", f"{agent.phase}{f': {agent.phase_reason}' if agent.phase_reason else ''}"),
        ("exit", agent.exit or ""),
        ("driver", f"{agent.driver} in {agent.backend}"),
        ("branch", agent.branch or ""),
        ("worktree", agent.worktree_path or ""),
        ("session", agent.session_id or ""),
        ("title", agent.last_title),
    )
    lines = [told(agent, now, out), *(f"  {pad(name, 11)}{clean(value)}" for name, value in facts if value)]
    return "\n".join(lines)


def delivered(view: DeliveryView, out: Terminal) -> str:
    """How far a text came, and nothing more than is known."""
    why = f": {clean(view.reason)}" if view.reason else "."
    match view.delivery:
        case "delivered":
            return f"{out.mark(marks.DONE)} Delivered: {view.agent_id} has begun to work on it."
        case "typed":
            typed = f"Typed into the terminal of {view.agent_id}; nothing proves yet that it was taken{why}"
            return f"{out.mark(marks.RUNNING)} {typed}"
        case "pending":
            return f"{out.mark(marks.STARTING)} Pending: {view.agent_id} gets it as soon as it can take it{why}"
        case "refused":
            return f"{out.mark(marks.FAILED)} Refused: nothing was typed{why}"
        case _:
            look = f"See: operator agent screen {view.agent_id}"
            return f"{out.mark(marks.LOST)} Unknown: it may or may not have been taken{why} {look}"


def patch(text: str, out: Terminal) -> str:
    """A patch; exact where it goes into a program, harmless and in colour where a person reads it."""
    if not text.strip():
        return "" if not out.live else "No changes."
    if not out.live:
        return text
    return "\n".join(_patched(line, out) for line in clean_lines(text).rstrip("\n").split("\n"))


def _patched(line: str, out: Terminal) -> str:
    role = {"+": "ok", "-": "error", "@": "info"}.get(line[:1], "")
    return out.paint("strong", line) if line.startswith(("diff ", "+++", "---")) else out.paint(role, line)


def states(found: History, out: Terminal) -> str:
    """An agent's states, oldest first."""
    lines = [
        f"{clock(each.since)} {out.mark(marks.AGENTS.get(each.name, marks.NONE))} "
        + out.facts(each.name.replace("_", " "), each.source, clean(each.evidence))
        for each in found.states
    ]
    return "\n".join(lines) or f"Nothing is known of {found.agent_id} yet."
