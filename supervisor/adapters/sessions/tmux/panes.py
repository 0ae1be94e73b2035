"""How tmux tells of its panes: the one format that is listed, and what a line of it means."""

import signal
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from attrs import frozen

from supervisor.adapters.sessions.tmux.control import ServerId
from supervisor.domain.agent import ExitStatus
from supervisor.domain.ids import AgentId

_FIELDS: Final = (
    "pid",
    "start_time",
    "session_id",
    "session_name",
    "pane_id",
    "@operator_state",
    "@operator_agent",
    "@operator_pane",
    "@operator_pid",
    "pane_pid",
    "pane_pipe",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
)
FORMAT: Final = "|".join(f"#{{{name}}}" for name in _FIELDS)


@frozen
class Pane:
    """One pane of a session that carries an agent id of ours."""

    server: ServerId
    session: str
    """tmux's own id for the session: `$3`."""
    name: str
    id: str
    """`%5`"""
    agent_id: AgentId
    is_agents: bool
    """False for a pane that a person opened beside the agent's."""
    pid: int
    replaced: bool
    """Somebody had tmux run another program in it."""
    piped: bool
    dead: bool
    status: ExitStatus | None
    """None while the program runs, and when tmux has not learnt how it ended."""


def read_panes(lines: Iterable[str], state: str) -> list[Pane]:
    """The panes of a listing that belong to sessions of the state directory with this hash."""
    panes = (_read(line, state) for line in lines)
    return [pane for pane in panes if pane is not None]


def _read(line: str, state: str) -> Pane | None:
    values = line.split("|")
    if len(values) != len(_FIELDS):
        return None
    row = dict(zip(_FIELDS, values, strict=True))
    if row["@operator_state"] != state or not row["@operator_agent"]:
        return None
    try:
        return Pane(
            server=ServerId(int(row["pid"]), int(row["start_time"])),
            session=row["session_id"],
            name=row["session_name"],
            id=row["pane_id"],
            agent_id=decode(row["@operator_agent"]),
            is_agents=row["@operator_pane"] == row["@operator_agent"],
            pid=int(row["pane_pid"]),
            replaced=row["@operator_pid"] not in ("", row["pane_pid"]),
            piped=row["pane_pipe"] == "1",
            dead=row["pane_dead"] == "1",
            status=read_status(row["pane_dead_status"], row["pane_dead_signal"]),
        )
    except ValueError:
        return None


def read_status(code: str, number: str) -> ExitStatus | None:
    """tmux's two fields as a status. It names signals by number or, on some systems, by name."""
    if code.isdecimal():
        return ExitStatus(code=int(code))
    if number.isdecimal():
        return ExitStatus(signal=int(number))
    if number:
        name = number if number.startswith("SIG") else f"SIG{number}"
        return ExitStatus(signal=getattr(signal, name, None))
    return None


def encode(identifier: str) -> str:
    """An identifier as an option's value: no byte of it can be mistaken for a separator or a format."""
    return quote(identifier, safe="~")


def decode(value: str) -> AgentId:
    return AgentId(unquote(value))
