"""Turns: prompts wait in line, one turn at a time plays their scripts, and each way in which it can end."""

import time
from collections import deque
from collections.abc import Iterator

from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.protocol import Protocol, Task
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import Script
from clients.cli.demo.rehearsal.verbs import Performer
from clients.cli.demo.rehearsal.waits import SOON, Failed, Stopped, Wait

TEXT_LIMIT = 2000
BLOCK_LIMIT = 8
"""A hook that will not let a turn end is overruled after so many times."""

Prompt = tuple[int, str]


def as_told(text: str) -> str:
    """A prompt as hooks are told it: a terminal's line ends and tabs are not kept."""
    return text.replace("\r", "\n").replace("\t", "    ")


class Turns:
    """Takes prompts and plays them."""

    def __init__(
        self, screen: Screen, journal: Journal, performer: Performer, script: Script, protocol: Protocol
    ) -> None:
        self._screen = screen
        self._journal = journal
        self._performer = performer
        self._script = script
        self._protocol = protocol
        self._waiting: deque[Prompt] = deque()
        self._ended: deque[Task] = deque()
        self._turn: Iterator[Wait] | None = None
        self._number = 0
        self._outcome = "done"
        self.wait: Wait = SOON
        """What the running turn waits for."""
        self.due: float | None = None
        """When it has waited enough."""
        earlier = protocol.session.earlier
        for number, prompt in enumerate(earlier, 1):
            script.commands(prompt, number)
        self._received = len(earlier)

    @property
    def running(self) -> bool:
        """A turn is under way."""
        return self._turn is not None

    @property
    def empty(self) -> bool:
        """Neither is, nor will begin by what has come so far."""
        return self._turn is None and not self._waiting and not self._ended

    def submit(self, data: bytes) -> None:
        """A prompt was entered."""
        text = data.decode("utf-8", "replace")
        if self.running and self._protocol.busy_with_tool:
            facts: dict[str, object] = {"n": self._number, "text": text[:TEXT_LIMIT], "queued": True, "folded": True}
            self._journal.note_bytes("prompt", data, **facts)
            self._protocol.folded.append(as_told(text))
            return
        self._received += 1
        queued = self.running or bool(self._waiting)
        self._journal.note_bytes("prompt", data, n=self._received, text=text[:TEXT_LIMIT], queued=queued)
        self._waiting.append((self._received, text))

    def woken(self, task: Task) -> None:
        """A background task has ended: the model is told in a turn of its own."""
        self._ended.append(task)

    def begin(self) -> None:
        """Begin the next turn, if there is anything to do and none is under way."""
        if self._turn is not None or self.empty:
            return
        self._protocol.stir()
        self._screen.busy()
        self._outcome = "done"
        if self._waiting:
            # Claude Code makes one turn of all that came while it was busy.
            count = len(self._waiting) if self._protocol.session.active else 1
            batch = [self._waiting.popleft() for _ in range(count)]
            self._number = batch[-1][0]
            for _, text in batch:
                self._screen.line(f"> {text.strip().partition(chr(10))[0][:200]}")
            self._turn = self._ending(self._play(batch))
        else:
            self._turn = self._ending(self._play_ended(self._ended.popleft()))
        self._protocol.session.status("busy")
        self.wait, self.due = SOON, time.monotonic()

    def go_on(self, now: float) -> None:
        """Let the running turn do its next piece."""
        if self._turn is None:
            return
        try:
            self.wait = next(self._turn)
        except StopIteration:
            self._end(self._outcome)
        else:
            self.due = None if self.wait[0] is None else now + self.wait[0]

    def interrupt(self) -> None:
        """End the running turn. No hook is told."""
        self.close()
        self._end("interrupted")

    def close(self) -> None:
        """Let go of what the running turn holds, such as a shell command."""
        close = getattr(self._turn, "close", None)
        if close is not None:
            close()

    def _end(self, outcome: str) -> None:
        if outcome == "interrupted":
            self._screen.line("  ⎿  Interrupted · What should the agent do instead?")
        self._turn = None
        while self._protocol.folded:  # they came for a turn that is over
            self._received += 1
            self._waiting.append((self._received, self._protocol.folded.popleft()))
        # The journal first: whoever sees the title change may read there why.
        self._journal.note("turn-end", n=self._number, outcome=outcome)
        self._protocol.session.status("idle")
        self._screen.idle()

    # What a turn consists of

    def _ending(self, turn: Iterator[Wait]) -> Iterator[Wait]:
        """The turn, and what an error of the model or a refusal makes of it."""
        try:
            yield from turn
        except Stopped:
            self._outcome = "interrupted"
        except Failed as failure:
            self._outcome = "failed"
            self._screen.line(f"  ⎿  {failure.message}")
            self._protocol.session.remember("assistant", failure.message, error=failure.error, isApiErrorMessage=True)
            told = {"error": failure.error, "last_assistant_message": failure.message}
            yield from self._protocol.answer(self._protocol.fire("StopFailure", failure.error, **told))

    def _play(self, batch: list[Prompt]) -> Iterator[Wait]:
        protocol = self._protocol
        commands = []
        taken = False
        for number, text in batch:
            protocol.session.begin_prompt()
            decision = yield from protocol.answer(protocol.fire("UserPromptSubmit", prompt=as_told(text)))
            if decision is not None and decision.behavior == "block":
                self._screen.line(f"  ⎿  Blocked by a UserPromptSubmit hook: {decision.message}")
                continue
            taken = True
            protocol.session.remember("user", text)
            if decision is not None and decision.message is not None:
                protocol.tell(decision.message)
            commands += self._script.commands(text, number)
        if not taken:
            self._outcome = "blocked"
            return
        yield from self._performer.perform(commands)
        yield from self._stop()

    def _play_ended(self, task: Task) -> Iterator[Wait]:
        self._screen.line(f"● {task.id} in the background has ended")
        self._protocol.tell(f"The background command {task.id} has ended: {task.command}")
        yield from self._stop()

    def _stop(self) -> Iterator[Wait]:
        protocol = self._protocol
        for count in range(BLOCK_LIMIT):
            if protocol.session.said:
                protocol.session.remember("assistant", protocol.session.said)
            firing = protocol.fire(
                "Stop",
                stop_hook_active=count > 0,
                last_assistant_message=protocol.session.said,
                background_tasks=[task.facts() for task in protocol.tasks],
                session_crons=[],
            )
            decision = yield from protocol.answer(firing)
            if decision is None or decision.message is None:
                break
            self._screen.line(f"  ⎿  Stopped from ending by a hook: {decision.message}")
            protocol.tell(decision.message)
            yield from self._performer.perform(self._script.aside(decision.message))
        protocol.rest()
