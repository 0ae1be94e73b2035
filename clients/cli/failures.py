"""What an expected failure is, in words on standard error; with `--json` on standard output as data, too."""

import json
import sys
from collections.abc import Mapping

from clients.api.errors import ApiError, NoDaemon, Refused
from clients.cli.options import NO_DAEMON, REFUSED, CliError
from clients.cli.text import clean, clean_lines
from supervisor.configfile import NoConfig
from supervisor.domain.errors import Invalid, OperatorError


def explain(error: Exception, exact: bool) -> int | None:
    """Say it; the exit code, or None for a defect, which is not to be explained away."""
    match error:
        case NoDaemon():
            return _say("no_daemon", error.message, error.hint, exact, NO_DAEMON)
        case Refused():
            return _say(error.code, error.message, error.hint, exact, REFUSED, error.fields, error.data)
        case ApiError():
            return _say("no_answer", error.message, error.hint, exact, REFUSED)
        case Invalid():
            return _say(error.code, error.message, error.hint, exact, REFUSED, error.fields)
        case OperatorError():
            return _say(error.code, error.message, error.hint, exact, REFUSED)
        case CliError():
            return _say("refused", error.message, error.hint, exact, error.exit_code)
        case NoConfig():
            return _say("no_config", f"{error}.", "Write one with: operator init", exact, REFUSED)
        case _:
            return None


def _say(
    code: str,
    message: str,
    hint: str,
    exact: bool,
    exit_code: int,
    fields: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
) -> int:
    print(f"operator: {clean_lines(message)}", file=sys.stderr)
    for name, text in (fields or {}).items():
        print(f"  {clean(name)}: {clean(text)}", file=sys.stderr)
    if hint:
        print(f"  {clean_lines(hint)}", file=sys.stderr)
    if exact:
        problem = {
            "code": code,
            "message": message,
            "hint": hint,
            "fields": dict(fields or {}),
            "data": dict(data or {}),
        }
        print(json.dumps(problem, ensure_ascii=False))
    return exit_code
