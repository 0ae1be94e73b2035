"""The hooks that are out: started, moved on by the loop, and decided by the first answer that decides."""

import json
import os
import time
from collections.abc import Callable, Mapping

from clients.cli.demo.rehearsal.calls import Call
from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.waits import NOTHING

TYPE_CHECKING = False  # their modules are loaded by whoever has hooks
if TYPE_CHECKING:
    from clients.cli.demo.rehearsal.answers import Decision
    from clients.cli.demo.rehearsal.settings import Hook


class Firing:
    """All hooks that one event set off."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.calls: list[Call] = []
        self.decision: Decision | None = None
        """The first decision: a later one changes nothing."""
        self.released = False
        """It was decided elsewhere, and its hooks were left to themselves."""

    @property
    def settled(self) -> bool:
        """Nothing more has to be waited for."""
        return self.decision is not None or all(call.outcome for call in self.calls)


class Hooks:
    """Starts hooks and looks after them until each of them has ended."""

    def __init__(self, configured: Mapping[str, "list[Hook]"], journal: Journal, directory: str) -> None:
        self._configured = configured
        self._journal = journal
        self._directory = directory
        self._out: list[tuple[Firing, Call]] = []
        self.environment: dict[str, str] = {}
        """What a program finds in its environment beside ours."""
        self.on_late: Callable[[Decision], None] = lambda _: None
        """Told of a decision that came after the person's own."""

    def fire(self, event: str, subject: str, payload: dict[str, object]) -> Firing:
        """Start the hooks of an event that want to hear of this subject."""
        firing = Firing(event)
        now = time.monotonic()
        for hook in self._configured.get(event, ()):
            if hook.matches(subject) and (call := self._start(hook, payload, now)):
                firing.calls.append(call)
                self._out.append((firing, call))
                self._advance(firing, call, now)
        return firing

    def _start(self, hook: "Hook", payload: dict[str, object], now: float) -> Call | None:
        from clients.cli.demo.rehearsal.settings import COMMAND_ONLY

        data = json.dumps(payload).encode()
        if hook.command is not None:
            from clients.cli.demo.rehearsal.program import Program

            return Program(hook, data, now, {**os.environ, **self.environment}, self._directory)
        if hook.event in COMMAND_ONLY:
            return None
        from clients.cli.demo.rehearsal.post import Post

        return Post(hook, data, now)

    def watched(self) -> tuple[list[int], list[int], float | None]:
        """What to select for reading and for writing, and when to look again at the latest."""
        calls = [call for _, call in self._out]
        reading = [call.reading() for call in calls if call.reading() != NOTHING]
        writing = [call.writing() for call in calls if call.writing() != NOTHING]
        return reading, writing, min((call.due for call in calls), default=None)

    def advance(self, now: float) -> None:
        """Move all of them on as far as they get without waiting."""
        for firing, call in self._out:
            self._advance(firing, call, now)
        self._out = [each for each in self._out if not each[1].gone]

    def abandon(self, firing: Firing) -> None:
        """Close what is still open: the person has refused, or the turn is over."""
        now = time.monotonic()
        for call in firing.calls:
            if not call.outcome:
                call.abandon(now)
                self._ended(firing, call)

    def _advance(self, firing: Firing, call: Call, now: float) -> None:
        before = call.outcome
        call.advance(now)
        if call.outcome and not before:
            self._ended(firing, call)

    def _ended(self, firing: Firing, call: Call) -> None:
        from clients.cli.demo.rehearsal.answers import read_answer

        decision = read_answer(firing.event, call.body) if call.outcome == "answered" else None
        behavior = None if decision is None else decision.behavior
        late = firing.released or firing.decision is not None
        self._journal.note("hook", name=firing.event, outcome=call.outcome, decision=behavior, late=late)
        if decision is None:
            return
        if not late:
            firing.decision = decision
        elif firing.released:
            self.on_late(decision)
