"""What of the daemon's own environment an agent may inherit."""

from collections.abc import Collection, Mapping

_OURS = (
    "OPERATOR_",
    "TMUX",
    "CLAUDECODE",
    "CLAUDE_CODE_",
    "LISTEN_",
    "WATCHDOG_",
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "LOGS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "MEMORY_PRESSURE_",
    "SYSTEMD_EXEC_PID",
    "MANAGERPID",
)
"""Beginnings of names that speak of this process and not of the user: ours, the service manager's, an outer tmux's
or coding agent's."""


def for_agents(environ: Mapping[str, str], secret_names: Collection[str]) -> dict[str, str]:
    """`environ` without what is ours and without the variables that hold boards' tokens."""
    return {name: value for name, value in environ.items() if name not in secret_names and not name.startswith(_OURS)}
