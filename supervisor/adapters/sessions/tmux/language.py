"""tmux's command language: how one line for the control client is written so that no byte of it is misread."""

from supervisor.domain.errors import BackendError


def command(name: str, *arguments: str) -> str:
    """One tmux command with its arguments quoted. Raises BackendError for what no command line can carry."""
    return " ".join([name, *map(quote, arguments)])


def sequence(*commands: str) -> str:
    """Commands that tmux runs one after the other; the first that fails ends the list."""
    return " ; ".join(commands)


def when(condition: str, pane: str, then: str, otherwise: str | None = None) -> str:
    """A choice that tmux makes on a pane's formats in the very moment it goes on with the chosen commands."""
    choice = f"{command('if-shell', '-F', '-t', pane, condition)} {{ {then} }}"
    return choice if otherwise is None else f"{choice} {{ {otherwise} }}"


def quote(argument: str) -> str:
    """An argument as one word. A control line ends at its newline, so that one is written as an escape."""
    if "\0" in argument:
        raise BackendError("a NUL byte cannot be passed to tmux", hint="remove it")
    return "'" + argument.replace("'", "'\\''").replace("\n", "'\"\\n\"'") + "'"


def literal(text: str) -> str:
    """Text where tmux expands formats: `#` would begin one, and `#(...)` would even run a program."""
    return text.replace("#", "##")


def literal_with_time(text: str) -> str:
    """Text where tmux expands formats and the time as well."""
    return literal(text).replace("%", "%%")
