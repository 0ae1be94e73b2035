"""`operator completion`."""

from typing import Annotated, Literal

from cyclopts import Parameter


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Which shell.")], /) -> None:
    """Print the completion script for a shell.

    For example: operator completion bash > ~/.local/share/bash-completion/completions/operator
    """
    from clients.cli.main import build  # it knows all commands, this one too

    print(build().generate_completion(shell=shell))
