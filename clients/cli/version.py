"""`operator version`."""

from importlib import metadata

from clients.api.errors import ApiError
from clients.cli.options import COMMON, Common, ask, show
from supervisor.configfile import NoConfig
from supervisor.domain.views import HealthView


def installed() -> str:
    """The version of what is installed here."""
    return metadata.version("operator-supervisor")


def version(*, common: Common = COMMON) -> None:
    """The version of this command, and of the daemon if one runs.

    For example: operator version --json
    """
    try:
        health = ask(common, lambda client: client.health())
    except (ApiError, NoConfig):
        health = HealthView("absent", "", "")
    answer = {"version": installed(), "daemon": health.version or None}
    daemon = f"the daemon is {health.version}" if health.version else "no daemon runs"
    show(common, answer, lambda out: out.facts(f"operator {installed()}", daemon))
