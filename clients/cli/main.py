"""Entry of `operator`: which commands there are, and what becomes of their failures.

Each is loaded when it is called.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App

_HELP = """Operator takes tickets from boards and has coding agents work on them in persistent terminals.

Exit codes: 0 done, 1 refused (the reason is on standard error), 2 wrong usage, 3 no daemon.
"""

_COMMANDS = {
    "serve": ("serve:serve", "Run the daemon here, until Ctrl-C or SIGTERM."),
    "init": ("init:init", "Write an operator.toml for this folder."),
    "doctor": ("doctor:doctor", "See whether this machine has what Operator needs, and what mends it."),
    "service": ("service:app", "Have systemd keep the daemon: install, status, uninstall."),
    "demo": ("demo.run:demo", "Show Operator at work in a throw-away workspace, in about a minute."),
    "status": ("status:status", "What needs you, what runs, and what comes next."),
    "watch": ("watch:watch", "Follow the activity as it happens."),
    "tui": ("tui:tui", "The board, what needs you and every act, in this terminal; also: operator"),
    "attach": ("attach:attach", "Sit down at an agent's terminal."),
    "review": ("review:app", "See what waits for your decision, and what was decided."),
    "approve": ("verdicts:approve", "Approve what an agent waits for."),
    "reject": ("verdicts:reject", "Reject it, and say why."),
    "answer": ("verdicts:answer", "Answer an agent's question."),
    "sync": ("queue:sync", "Read the boards now."),
    "pause": ("queue:pause", "Start no more agents until resume."),
    "resume": ("queue:resume", "Start agents again."),
    "ticket": ("ticket:app", "Add, list, change, launch and end tickets."),
    "agent": ("agent:app", "Look at agents, prompt, interrupt and stop them."),
    "config": ("config:app", "Check and show the configuration."),
    "token": ("token:app", "Show or replace the token that clients need."),
    "completion": ("completion:completion", "Print the completion script for a shell."),
    "version": ("version:version", "The version of this command, and of the daemon."),
}


def build(listed: bool = False) -> "App":
    """The whole command tree; `listed`: for a page that names the commands, so that none need be loaded."""
    from cyclopts import App

    app = App(
        name="operator",
        help=_HELP,
        help_format="plaintext",
        help_formatter="plain",
        version=_version,
        result_action="return_value",
        error_formatter=lambda error: f"operator: {error}",
        end_of_options_delimiter="--",
    )
    for order, (name, (target, text)) in enumerate(_COMMANDS.items()):
        # What is said here would hide what the command says of itself.
        app.command(f"clients.cli.{target}", name=name, help=text if listed else None, sort_key=order)
    return app


def _version() -> str:
    from clients.cli.version import installed

    return installed()


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    gc.disable()  # almost all is imports, which make nothing to collect; what runs for long turns it on again
    from cyclopts import CycloptsError  # not before

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if tokens is None else tokens)
    if not words and sys.stdin.isatty() and sys.stdout.isatty():
        words = ["tui"]
    try:
        result = build(listed=not words or words[0].startswith("-"))(words, exit_on_error=False, print_error=True)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except CycloptsError:
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us, such as head, has enough; nothing more can be written, at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from clients.cli.failures import explain  # no failure, no need for it

        code = explain(error, exact="--json" in words)
        if code is None:
            raise
        return code


if __name__ == "__main__":
    sys.exit(main())
