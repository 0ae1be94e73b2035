"""Sentences of the frame around the board: its head, its foot, and what a newcomer is told. Pure."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from clients.cli.events import fact, mark
from clients.cli.text import cut, width
from clients.cli.times import clock, until
from clients.tui.commands import BY_NAME
from clients.tui.news import Offline
from clients.tui.paint import ROLES
from clients.tui.rows import Row
from clients.tui.steady import steady
from clients.tui.world import World
from supervisor.domain.views import EventView

AGENT_CLIS = ("claude", "codex", "gemini", "opencode", "aider")


def head(world: World | None, offline: Offline | None, name: str, held: int, columns: int, now: datetime) -> Text:
    """The first line: how many work, what waits, whether it is paused, and how it is connected."""
    left = Text(" Operator", ROLES["strong"])
    if name:
        left.append(f" {steady(name)}")
    if world is not None:
        status = world.status
        left.append(f" · {status.agents}/{status.max_agents} agents · {status.counts.queued} queued")
        if status.needs_you:
            left.append(f" · ◆ {status.needs_you} need{'s' if status.needs_you == 1 else ''} you", ROLES["attention"])
        if status.paused:
            why = f": {steady(status.pause_reason)}" if status.pause_reason else ""
            left.append(f" · ‖ PAUSED{why}", ROLES["attention"])
    right = _connection(world, offline, held, now)
    room = columns - right.cell_len - 1
    left.truncate(max(room, 0), overflow="ellipsis", pad=True)
    return left + Text(" ") + right if room > 0 else left


def _connection(world: World | None, offline: Offline | None, held: int, now: datetime) -> Text:
    if offline is not None:
        return Text(f" OFFLINE since {clock(offline.since)} ", "bold reverse red")
    if world is None:
        return Text("connecting… ", ROLES["muted"])
    text = Text()
    if held:
        text.append(f"{held} more need{'s' if held == 1 else ''} you · tab ", ROLES["attention"])
    text.append(boards(world, now), ROLES["muted"])
    return text.append(" · live ", ROLES["muted"])


def boards(world: World, now: datetime) -> str:
    """How the boards are: `boards ok`, or what is wrong with the first that is not."""
    if not world.status.collections:
        return "no board"
    wrong = next((each for each in world.status.collections if each.error_code is not None), None)
    if wrong is None:
        return "boards ok"
    again = f", again {until(wrong.retry_at, now)}" if wrong.retry_at is not None else ""
    return f"{steady(wrong.name)} {steady(wrong.error_code or '')}{again}"


def lately(event: EventView) -> str:
    """An entry on the page of its own ticket."""
    return steady(f"{clock(event.at)} {mark(event).sign} {fact(event)}")


def announcement(rows: Sequence[Row]) -> str:
    """What needs a person since a moment ago; several at once are one."""
    first = f"{rows[0].mark.sign} {rows[0].key} {rows[0].what}: {rows[0].title}"
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{first}{more} · tab"


def ticker(entries: Sequence[str], columns: int) -> Text:
    """As many of the newest entries as fit, the newest first."""
    text = ""
    for entry in reversed(entries):
        more = f" {entry}" if not text else f"   {entry}"
        if text and width(text) + width(more) > columns:
            break
        text += more
    return Text(cut(text, columns), ROLES["muted"])


def newcomer(world: World | None, offline: Offline | None, found: Sequence[str]) -> list[str]:
    """What to do next, where there is nothing to show yet."""
    if world is None and offline is None:
        return ["Looking for the daemon…"]
    if offline is not None and world is None:
        lines = ["No daemon runs here yet.", "", f"  {steady(offline.reason)}", ""]
        if "operator serve" not in offline.hint:
            return [*lines, f"  {steady(offline.hint)}".rstrip(), "It is tried again by itself."]
        clis = (
            f"found here: {', '.join(found)}"
            if found
            else "none was found here; any command that reads a terminal does"
        )
        return [
            *lines,
            "Operator needs to know three things:",
            "  a board      where tickets come from: a folder of Markdown files, Linear, Jira or GitHub",
            "  a project    the git repository that agents work in",
            "  an agent CLI who does the work",
            f"               {clis}",
            "",
            "In your repository this writes them down, with a first ticket:",
            "  operator init --example",
            "and this starts the daemon; this screen finds it by itself:",
            "  operator serve",
        ]
    if world is not None and not world.status.collections:
        return [
            "No board is configured.",
            "  Tickets come from boards: add [collections.NAME] to operator.toml,",
            "  or have one written: operator init",
        ]
    return [
        "Nothing needs you.",
        "",
        f"  {BY_NAME['new'].sign}  adds a ticket",
        f"  {BY_NAME['help'].sign}  shows every key",
    ]


TEMPLATES = {
    "FEAT": "What is wanted, and for whom:\n\n\nIt is done when:\n- ",
    "FIX": "What happens:\n\n\nWhat should happen:\n\n\nHow to see it:\n",
    "SPIKE": "What is to be found out:\n\n\nWhat would settle it:\n",
    "INV": "What is to be understood:\n\n\nWhere to look first:\n",
}


def template(type_name: str) -> str:
    """What a new ticket's text begins with; its first line is to be the title."""
    return f"\n\n{TEMPLATES.get(type_name, '')}".rstrip(" ")


def title_and_body(text: str) -> tuple[str, str]:
    """The first line that says something, and the rest."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    return first.strip(), rest.strip("\n")
