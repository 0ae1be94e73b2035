"""An agent's terminal, live and both ways: one WebSocket for each person who looks at it.

Frames from us: `{"hello": ...}`, then a binary one that restores the screen in an empty terminal, then what the agent
prints, as bytes. Who falls far behind, or was shown a screen that may not be right in everything, is told
`{"replay": ...}` and shown the present one, beginning with a reset. `{"exit": ...}` says how the agent ended; its last
words and its screen can still be looked at. `{"gone": WHY}` is the last frame of all.
Frames from the client: binary ones are keys, `{"resize": {"columns": C, "rows": R}}` is the size of its terminal.
Keys that could not be passed on are told as `{"refused": WHY}`.
"""

import json
import math

import trio
from attrs import field, frozen, validators

from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import Invalid, OperatorError, SessionGone
from supervisor.domain.ids import AgentId
from supervisor.web.house import SessionDoor
from supervisor.web.peer import DONE, FAILED, POLICY, Peer
from supervisor.web.reading import read_json, read_record

PROTOCOL = 1

PIECE = 64 * 1024
"""Bytes of output in a frame."""
BEHIND = 4 * 1024 * 1024
"""Bytes of output that a client may be behind: then it is shown the present screen, and what was in between is not."""
KEYS = 64 * 1024
"""Bytes that a client may send in a frame."""
RATE = 1024 * 1024
"""Bytes a second that a client may send; faster ones wait."""
BURST = 256 * 1024
"""Bytes that it may send at once before that."""
LEAST = 256
"""Bytes that a short frame counts as."""
REST = 0.25
"""Seconds without output after which a screen is shown again that may not have been right."""
LARGEST = 1000
"""Columns and rows."""

RESET = b"\x1bc"


def _size() -> int:
    numbers: int = field(validator=[validators.ge(1), validators.le(LARGEST)])
    return numbers


@frozen
class Size:
    columns: int = _size()
    rows: int = _size()


@frozen
class Control:
    """What a client says in a text frame."""

    resize: Size | None = None


class Pace:
    """Keeps what comes in within bounds, by letting it wait."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst / rate
        self._due = -math.inf

    async def spend(self, size: int) -> None:
        """Wait until so many bytes more may be taken."""
        now = trio.current_time()
        self._due = max(self._due, now) + size / self._rate
        await trio.sleep_until(max(now, self._due - self._burst))


class Viewer:
    """One client at an agent's terminal. Its place in the output is a cursor: nothing is queued for it."""

    def __init__(self, peer: Peer, agent_id: AgentId, backend: str, session: SessionDoor) -> None:
        self._peer = peer
        self._agent_id = agent_id
        self._backend = backend
        self._session = session
        self._place = 0
        self._doubtful = False
        """Whether the screen that it was shown may not be right in everything."""

    async def run(self) -> None:
        """Serve the client to its end."""
        await self._peer.serve(self._feed, self._listen)

    async def part(self) -> None:
        """Say why we close, if the client can still hear it."""
        await self._peer.part()

    # --- to the client --------------------------------------------------------------------------------

    async def _feed(self) -> None:
        try:
            await self._follow()
        except SessionGone as error:
            self._peer.code = DONE
            await self._tell("gone", error.message)
        except OperatorError as error:
            self._peer.code = FAILED
            await self._tell("gone", error.message)

    async def _follow(self) -> None:
        """Show the screen and what comes after it. Raises SessionGone at its end, and what the backend raises."""
        session = self._session
        told: ExitStatus | None = None
        seen = await session.changed(0)
        await self._show("hello")
        while True:
            await self._catch_up()
            if session.exit is not None and told is None:
                told = session.exit
                await self._tell("exit", {"code": told.code, "signal": told.signal})
            if session.gone is not None:
                raise SessionGone(session.gone)
            seen = await self._news(seen)

    async def _catch_up(self) -> None:
        """Send the output up to its end, or the present screen where that is too much or is gone."""
        session = self._session
        while (left := session.transcript_end - self._place) > 0:
            start, data = await session.transcript(self._place, PIECE) if left <= BEHIND else (self._place, b"")
            if start != self._place or (not data and session.gone is None):
                await self._show("replay")
            elif not data:
                return
            else:
                self._place += len(data)
                await self._peer.send(data)

    async def _news(self, seen: int) -> int:
        """Wait for news; a doubtful screen is shown again once no output comes any more."""
        if self._doubtful:
            with trio.move_on_after(REST):
                return await self._session.changed(seen)
            await self._show("replay")
            self._doubtful = False  # once: what is missing now is missing until it is drawn anew
        return await self._session.changed(seen)

    async def _show(self, kind: str) -> None:
        replay = await self._session.replay()
        facts = {"columns": replay.columns, "rows": replay.rows, "offset": replay.offset}
        data = RESET + replay.data
        if kind == "hello":
            about = {"protocol": PROTOCOL, "agent": self._agent_id, "backend": self._backend}
            await self._tell(kind, about | facts | {"replay": len(data)})
        else:
            await self._tell(kind, facts | {"bytes": len(data)})
        await self._peer.send(data)
        self._place, self._doubtful = replay.offset, not replay.exact

    async def _tell(self, kind: str, what: object) -> None:
        await self._peer.send(json.dumps({kind: what}))

    # --- from the client ------------------------------------------------------------------------------

    async def _listen(self) -> None:
        pace = Pace(RATE, BURST)
        while True:
            message = await self._peer.hear(KEYS)
            await pace.spend(max(len(message), LEAST))
            try:
                await self._take(message)
            except Invalid:
                self._peer.code = POLICY
                return
            except SessionGone:
                pass  # keys for an agent that has ended go nowhere, as in every terminal; its end is told
            except OperatorError as error:
                await self._tell("refused", error.message)

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            await self._session.write(message)
            return
        control = read_record(read_json(message.encode("utf-8", "replace")), Control)
        if control.resize is not None:
            await self._session.resize(control.resize.columns, control.resize.rows)
