"""Every act, once: keys, the footer, the palette and the help are made of this list. Pure."""

from attrs import frozen


@frozen
class Command:
    name: str
    key: str
    """As Textual names it."""
    title: str
    group: str
    short: str = ""
    """Its word in the footer; empty: it is not there."""
    shown: str = ""
    """How a person reads the key, where that is another word."""

    @property
    def sign(self) -> str:
        """The key as a person reads it."""
        return self.shown or self.key


DECIDE, LOOK, AGENT, TICKET, QUEUE, OPERATOR = "Decide", "Look", "Agent", "Ticket", "Queue", "Operator"

COMMANDS = (
    Command("approve", "Y", "Approve what is shown", DECIDE, "approve"),
    Command("reject", "X", "Reject what is shown, with a reason", DECIDE, "reject"),
    Command("answer", "a", "Answer the question that is shown", DECIDE),
    Command("next", "tab", "Go to the next that needs you", DECIDE, "next"),
    Command("attach", "enter", "Sit down at the agent's terminal", AGENT, "attach", "⏎"),
    Command("peek", "space", "Show the agent's terminal beside the list, or hide it", LOOK, "peek"),
    Command("prompt", "m", "Send the agent a prompt", AGENT, "prompt"),
    Command("sync", "S", "Read the boards now", QUEUE, "sync"),
    Command("help", "question_mark", "Every key", OPERATOR, "help", "?"),
    Command("pause", "P", "Pause Queue Processing", QUEUE, "pause"),
    Command("resume", "R", "Resume Queue Processing", QUEUE, "resume"),
    Command("palette", "ctrl+p", "Find a command by its name", OPERATOR, shown="^p"),
    Command("diff", "d", "See what the agent changed", LOOK, "diff"),
    Command("open", "o", "Open what was made in its own program", LOOK),
    Command("zoom", "z", "Give the details the whole screen, or back", LOOK),
    Command("page_down", "pagedown", "Read on in the details", LOOK, shown="PgDn"),
    Command("page_up", "pageup", "Read back in the details", LOOK, shown="PgUp"),
    Command("down", "down,j", "Next row", LOOK, shown="↓ j"),
    Command("up", "up,k", "Row before", LOOK, shown="↑ k"),
    Command("first", "home,g", "First row", LOOK, shown="Home g"),
    Command("last", "end,G", "Last row", LOOK, shown="End G"),
    Command("filter", "slash", "Show only rows with these words", LOOK, "filter", "/"),
    Command("log", "l", "See the activity", LOOK, "activity"),
    Command("interrupt", "i", "End the agent's turn", AGENT),
    Command("stop", "s", "Stop the agent and all its processes", AGENT),
    Command("new", "n", "Add a ticket", TICKET, "new"),
    Command("edit", "e", "Change the ticket's title and text", TICKET),
    Command("raise", "plus,+", "Raise the ticket's priority", TICKET, shown="+"),
    Command("lower", "minus,-", "Lower the ticket's priority", TICKET, shown="-"),
    Command("launch", "L", "Start an agent on the ticket now", TICKET),
    Command("retry", "r", "Put the ticket back in line", TICKET),
    Command("cancel", "C", "Give the ticket up", TICKET),
    Command("done", "D", "Call the ticket done", TICKET),
    Command("daemon", "w", "Switch to another daemon", OPERATOR),
    Command("bell", "b", "Ring the bell for what needs you, or stop that", OPERATOR),
    Command("theme", "t", "Other colours", OPERATOR),
    Command("quit", "q", "Leave; agents go on", OPERATOR, "quit"),
)
ASKING = frozenset({"reject", "answer", "prompt", "new", "edit", "stop", "cancel", "done", "launch"})
"""Those that open a dialog."""
BY_NAME = {command.name: command for command in COMMANDS}


def footer(columns: int) -> str:
    """The keys that matter most, as many as fit."""
    text = ""
    for command in COMMANDS:
        if command.short:
            more = f" {command.sign} {command.short} "
            if len(text) + len(more) > columns:
                break
            text += more
    return text


def help_lines() -> list[str]:
    """Every key by what it is about."""
    lines: list[str] = []
    for group in (DECIDE, AGENT, LOOK, TICKET, QUEUE, OPERATOR):
        lines += ["", group] if lines else [group]
        lines += [f"  {each.sign:8} {each.title}" for each in COMMANDS if each.group == group]
    return lines
