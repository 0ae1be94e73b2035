"""An agent CLI that lives in simulated time, with the truth about itself, and what of that gets through to a daemon.

It does what Claude Code 2.1.197 was seen to do: which hooks it calls, what its title, its status file and its own
record say, and in which order. What it says may be late, lost, said twice or out of order; the truth is in `mode`.
"""

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from attrs import define, frozen

from supervisor.adapters.drivers.claude_hooks import read_hook
from supervisor.adapters.drivers.titles import read_title
from supervisor.domain.agent import ExitStatus, Meaning
from supervisor.domain.hooks import HookEvent, TurnBroke, TurnDone, TurnEnd, TurnStopped
from supervisor.domain.signals import Rules
from tests.unit.domain.samples import NOON

BUSY, IDLE = "⠂ Claude Code", "✳ Claude Code"
STATUSES = {"busy": Meaning.BUSY, "idle": Meaning.IDLE, "waiting": Meaning.ASKING, "shell": Meaning.BACKGROUND}
QUESTION_AGAIN = 6.0
IDLE_NOTICE = 60.0
UNSEEN = 2.5
"""Seconds in which files are looked at that tell what nothing else does."""
ANSWER = 0.1
"""Seconds that a model takes at least for an answer."""
MODEL = 1.2
"""Seconds that the model takes before anything can come of what a hook told it."""
FRAME = 0.96
"""Seconds between two pictures of the spinner in its title."""


@frozen
class Fate:
    """What becomes of one hook on its way."""

    delay: float = 0.01
    copies: int = 1
    """0: it is lost."""


@frozen
class Lags:
    """Seconds until something that is said can be read."""

    title: float = 0.02
    status: float = 0.1
    record: float = 0.1


@define
class Turn:
    number: int
    ours: bool
    """Begun by a prompt that Operator entered."""
    ended: bool = False
    stopped: bool = False
    """By a person."""
    broke: bool = False
    goes_on: bool = False
    """Tasks of it went on when it ended."""
    held_up: bool = False
    """A hook of the user's own did not let it end."""
    refused_at: float | None = None
    """When a person refused what it asked; nothing but files, a little later, tells of that."""
    unseen: bool = False
    """Another turn began so soon after that that nothing has told of it."""


class SimulatedCli:
    """The CLI, its terminal session and its driver in one: what `Watcher` needs of both ports."""

    name, kind = "simulated", "claude"
    pid: int | None = 7

    def __init__(self, fates: Iterator[Fate], lags: Lags) -> None:
        self.now = 0.0
        self.mode = "idle"
        self.turns: list[Turn] = []
        self.hooks: list[Mapping[str, object]] = []
        """Those that have arrived and were not heard yet."""
        self.listening = True
        self.looks = 0
        self.rules = Rules(status_file=True)
        self.exit: ExitStatus | None = None
        self.lost: str | None = None
        self.delivered_at = 0.0
        self._fates, self._lags = fates, lags
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._output = b""
        self._status: list[tuple[float, str]] = []
        self._record: list[tuple[float, TurnEnd | None]] = [(0.0, None)]
        self._dialog = 0
        self._background = 0
        self._held_until = self._began = 0.0
        self._title_says = ""
        self._titles_at = 0.0
        self._say("idle")

    # --- time -----------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        return NOON + timedelta(seconds=self.now)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._order), act))

    def next_event(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    def happen(self) -> None:
        """Do what is due now."""
        while self._heap and self._heap[0][0] <= self.now:
            heapq.heappop(self._heap)[2]()

    # --- the session and the driver, as they are seen --------------------------------------------------

    @property
    def end(self) -> int:
        return len(self._output)

    async def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        return offset, self._output[offset : offset + limit]

    async def screen(self) -> str:
        return ""

    async def busy_children(self) -> bool:
        return False

    def read_title(self, title: str) -> Meaning | None:
        return read_title(title)

    def read_hook(self, payload: Mapping[str, object], now: datetime) -> HookEvent | None:
        return read_hook(payload, now)

    def prompt_shown(self, screen: str) -> bool:
        return False

    def dialog(self, screen: str) -> str | None:
        return None

    def look(self, pid: int) -> tuple[Meaning, str] | None:
        self.looks += 1
        said = [status for at, status in self._status if at + self._lags.status <= self.now]
        return (STATUSES[said[-1]], f"its status file says {said[-1]}") if said else None

    def last_turn(self, conversation_id: str) -> TurnEnd | None:
        return [end for at, end in self._record if at + self._lags.record <= self.now or at == 0.0][-1]

    # --- what it says -----------------------------------------------------------------------------------

    def _print(self, data: bytes) -> None:
        """The terminal keeps the order."""
        self._titles_at = max(self._titles_at, self.now + self._lags.title)

        def arrive() -> None:
            self._output += data

        self.later(self._titles_at - self.now, arrive)

    def _say(self, status: str) -> None:
        self._status.append((self.now, status))
        title = BUSY if status == "busy" else IDLE
        self._print(b"drawn anew\r\n")
        if title != self._title_says:
            self._title_says = title
            self._print(f"\x1b]0;{title}\x07".encode())
        if title == BUSY:
            self.later(FRAME, self._spin)

    def _spin(self) -> None:
        if self.mode == "busy" and self._title_says.startswith(("⠂", "⠐")):
            self._title_says = ("⠐" if self._title_says[0] == "⠂" else "⠂") + self._title_says[1:]
            self._print(f"\x1b]0;{self._title_says}\x07".encode())
            self.later(FRAME, self._spin)

    def _call(self, event: str, at_most: float = 5.0, **facts: object) -> float:
        """Call a hook; in how many seconds it has arrived."""
        if not self.listening and next(self._fates).copies != 2:
            return 0.0
        fate = next(self._fates)
        delay = min(fate.delay, at_most)
        told = {"hook_event_name": event, "prompt_id": f"turn-{self.turns[-1].number}" if self.turns else None, **facts}
        for copy in range(fate.copies):
            self.later(delay * (1 + copy), lambda: self._arrive(told))
        return delay * fate.copies

    def _arrive(self, told: Mapping[str, object]) -> None:
        self.delivered_at = self.now
        self.hooks.append(json.loads(json.dumps(told)))

    # --- what it does -----------------------------------------------------------------------------------

    def act(self, name: str) -> None:
        """Do something, if it can be done now."""
        able = {
            "prompt": ("idle", "background"), "tool": ("busy",),
            "ask": ("busy",), "yes": ("asking",), "no": ("asking",),
            "esc": ("busy",), "done": ("busy",), "blocked": ("busy",), "fail": ("busy",),
            "leave": ("busy",), "wake": ("idle", "background"),
        }  # fmt: skip
        too_soon = name in ("done", "fail") and self.now < self._began + ANSWER
        if self.mode in able[name] and not too_soon and (name == "esc" or self.now >= self._held_until):
            getattr(self, f"_{name}")()

    def prompt(self, *, ours: bool) -> None:
        last = self.turns[-1] if self.turns else None
        if last is not None and last.refused_at is not None:
            last.unseen = self.now < last.refused_at + UNSEEN
        self._began = self.now
        self.turns.append(Turn(len(self.turns) + 1, ours))
        self.mode = "busy"
        self._record.append((self.now, TurnStopped()))
        self._say("busy")
        self._call("UserPromptSubmit", prompt="Please.")

    def _prompt(self) -> None:
        self.prompt(ours=False)

    def _tool(self) -> None:
        self._call("PreToolUse", tool_name="Bash", tool_input={"command": "make"})
        self._call("PostToolUse", tool_name="Bash")

    def _ask(self) -> None:
        self._call("PreToolUse", tool_name="Bash", tool_input={"command": "rm x"})
        self._call("PermissionRequest", tool_name="Bash", tool_input={"command": "rm x"})
        self.mode = "asking"
        self._dialog += 1
        dialog = self._dialog
        self._say("waiting")

        def again() -> None:
            if self.mode == "asking" and self._dialog == dialog:
                self._call("Notification", notification_type="permission_prompt", message="Claude needs you")

        self.later(QUESTION_AGAIN, again)

    def _yes(self) -> None:
        self.mode = "busy"
        self._say("busy")
        self._call("PostToolUse", tool_name="Bash")

    def _no(self) -> None:
        self.turns[-1].refused_at = self.now
        self._stop_turn()

    def _esc(self) -> None:
        self._stop_turn()

    def _stop_turn(self) -> None:
        """A person stops it. No hook tells."""
        self.turns[-1].stopped = self.turns[-1].ended = True
        self._record.append((self.now, TurnStopped()))
        self._rest(background_counts=False)

    def _leave(self) -> None:
        """A task that goes on behind the turn."""
        self._background += 1
        self._tool()

    def _blocked(self) -> None:
        """A hook of the user's own does not let the turn end."""
        self.turns[-1].held_up = True
        arrived = self._call("Stop", at_most=MODEL / 2, background_tasks=[{}] * self._background)
        self._held_until = self.now + arrived + MODEL  # it goes on when all its hooks have answered

    def _done(self) -> None:
        self._call("Stop", background_tasks=[{}] * self._background)
        self.turns[-1].ended, self.turns[-1].goes_on = True, self._background > 0
        self._record.append((self.now, TurnDone()))
        self._rest(background_counts=True)

    def _fail(self) -> None:
        self._call("StopFailure", error="unknown", last_assistant_message="API Error: 500")
        self.turns[-1].ended = self.turns[-1].broke = True
        self._record.append((self.now, TurnBroke("API Error: 500")))
        self._rest(background_counts=False)

    def _rest(self, *, background_counts: bool) -> None:
        self.mode = "background" if self._background and background_counts else "idle"
        number = len(self.turns)
        self._say("shell" if self._background else "idle")

        def notice() -> None:
            if self.mode == "idle" and len(self.turns) == number:
                self._call("Notification", notification_type="idle_prompt", message="Claude waits")

        self.later(IDLE_NOTICE, notice)

    def _wake(self) -> None:
        """A task behind the turn has ended, and the model is told in a turn of its own."""
        if self._background:
            self._background -= 1
            self.prompt(ours=False)


def session_and_driver(cli: SimulatedCli) -> Any:
    """Typed for a constructor that wants the whole of both ports."""
    return cli
