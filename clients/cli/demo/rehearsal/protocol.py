"""What a turn says to the outside and hears from it: hooks, dialogs, what reached the model, tasks behind the turn."""

import os
import time
from collections import deque
from collections.abc import Generator
from hashlib import sha256

from clients.cli.demo.rehearsal.dialogs import REFUSED, Dialog, Dialogs
from clients.cli.demo.rehearsal.hooks import Firing, Hooks
from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.options import Options
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.session import Session
from clients.cli.demo.rehearsal.waits import FOR_NEWS, Stopped, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

    from clients.cli.demo.rehearsal.answers import Decision

Json = dict[str, object]

WAITING_FOR = "permission prompt"
"""So the status file calls plans and questions, too."""
STEP_ASIDE = "The user sent a new message while you were working:\n"


class Tool:
    """A tool that the model calls."""

    def __init__(self, name: str, arguments: Json) -> None:
        self.name = name
        self.input = arguments
        self.id = f"toolu_{os.urandom(10).hex()}"
        self.began = time.monotonic()

    def facts(self) -> Json:
        """What hooks before and after it are told of it."""
        return {"tool_name": self.name, "tool_input": self.input, "tool_use_id": self.id}


class Task:
    """A program that works on in the background, until its end of a pipe closes."""

    def __init__(self, child: "subprocess.Popen[bytes]", command: str) -> None:
        assert child.stdout is not None
        self.child = child
        self.pipe = child.stdout
        self.command = command
        self.id = f"b{os.urandom(4).hex()}"

    def facts(self) -> Json:
        """What a Stop hook is told of it."""
        return {"id": self.id, "type": "shell", "status": "running", "description": "", "command": self.command}


class Protocol:
    """Everything between a turn and the world, so that a verb need not know how it is done."""

    def __init__(
        self, options: Options, session: Session, hooks: Hooks, dialogs: Dialogs, journal: Journal, screen: Screen
    ) -> None:
        self.session = session
        self.hooks = hooks
        self.dialogs = dialogs
        self._journal = journal
        self._screen = screen
        self._notify_after = options.notify_after
        self._idle_after = options.idle_after
        self._notice_due: float | None = None
        self._idle_due: float | None = None
        self.busy_with_tool = False
        """A tool runs, or its result is on the way: a prompt that comes now joins the turn."""
        self.folded: deque[str] = deque()
        """Prompts that will join the turn with the tool's result."""
        self.asides: deque[str] = deque()
        """Prompts that have joined it, for their script lines to be played."""
        self.tasks: list[Task] = []
        self.swallowing = False
        """The next Enter is lost."""
        self.interrupted = False
        """A hook's late answer interrupts the turn."""
        hooks.on_late = self._heard_late

    # Hooks

    def fire(self, event: str, subject: str = "", **facts: object) -> Firing:
        """Call the hooks of an event; `subject` is what their matchers look at."""
        return self.hooks.fire(event, subject, self.session.payload(event, facts))

    def answer(self, firing: Firing) -> "Generator[Wait, None, Decision | None]":
        """Wait for the hooks of a firing; close them if the turn is interrupted meanwhile."""
        try:
            while not firing.settled:
                yield FOR_NEWS
            return firing.decision
        finally:
            if not firing.settled:
                self.hooks.abandon(firing)

    def before(self, tool: Tool) -> "Generator[Wait, None, Decision | None]":
        """What the hooks before the use of a tool decide."""
        tool.began = time.monotonic()
        return (yield from self.answer(self.fire("PreToolUse", tool.name, **tool.facts())))

    def after(self, tool: Tool, result: str, response: Json | None) -> Generator[Wait, None, None]:
        """Tell the hooks and then the model what came of a tool; without a response it failed."""
        took = int((time.monotonic() - tool.began) * 1000)
        if response is not None:
            told: Json = {"tool_response": response, "duration_ms": took}
            event = "PostToolUse"
        else:
            told = {"error": result, "is_interrupt": False, "duration_ms": took}
            event = "PostToolUseFailure"
        yield from self.answer(self.fire(event, tool.name, **tool.facts(), **told))
        self.tell(result)
        while self.folded:
            text = self.folded.popleft()
            self.session.remember("aside", text)
            self.tell(STEP_ASIDE + text)
            self.asides.append(text)

    def tell(self, text: str) -> None:
        """The model is told this, in the answer to a tool or as a message."""
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        self._journal.note("told", text=text, sha256=digest)
        self.session.remember("tool", text)

    def _heard_late(self, decision: "Decision") -> None:
        # Nothing else of an answer counts that comes after the person's own.
        self.interrupted = self.interrupted or decision.interrupt

    # Dialogs

    def ask(self, tool: Tool, dialog: Dialog, **facts: object) -> "Generator[Wait, None, Decision | None]":
        """Ask the person by a dialog and the hooks at once; the first one wins.

        A hook's decision is returned; None says that the person decided: see the dialog's outcome. Raises
        `Stopped` if the person refused, or a hook did and interrupts.
        """
        firing = self.fire("PermissionRequest", tool.name, tool_name=tool.name, tool_input=tool.input, **facts)
        self.dialogs.open(dialog)
        self._notice_due = time.monotonic() + self._notify_after
        self.session.status("waiting", WAITING_FOR)
        self._screen.wait(True)
        try:
            while dialog.outcome is None and firing.decision is None:
                yield FOR_NEWS
        finally:
            self._notice_due = None
            self.dialogs.close(dialog, "hook" if firing.decision is not None else "interrupt")
            self.session.status("busy")
            self._screen.wait(False)
            if dialog.outcome not in (None, REFUSED):
                firing.released = True  # a "yes" closes nothing: its hooks go on until they end by themselves
            elif firing.decision is None:
                self.hooks.abandon(firing)
        decision = None if dialog.outcome is not None else firing.decision
        if dialog.outcome == REFUSED:
            raise Stopped
        if decision is not None:
            verdict = "Allowed" if decision.behavior == "allow" else "Denied"
            self._screen.line(f"  ⎿  {verdict} by PermissionRequest hook")
            if decision.interrupt:
                raise Stopped
        return decision

    # The loop's part

    def watched(self) -> tuple[list[int], list[int], float | None]:
        """What to select for reading and for writing, and when to look again at the latest."""
        reading, writing, due = self.hooks.watched()
        reading += [task.pipe.fileno() for task in self.tasks]
        times = [moment for moment in (due, self._notice_due, self._idle_due) if moment is not None]
        return reading, writing, min(times, default=None)

    def advance(self, now: float, readable: list[int]) -> list[Task]:
        """Do what is due; the background tasks that have ended."""
        self.hooks.advance(now)
        if self._notice_due is not None and now >= self._notice_due:
            self._notice_due = None
            self._notify("permission_prompt", "Claude needs your permission")
        if self._idle_due is not None and now >= self._idle_due:
            self._idle_due = None
            self._notify("idle_prompt", "Claude is waiting for your input")
        ended = [task for task in self.tasks if task.pipe.fileno() in readable]
        for task in ended:
            self.tasks.remove(task)
            task.pipe.close()
            task.child.wait()
        return ended

    def _notify(self, kind: str, message: str) -> None:
        self.fire("Notification", kind, message=message, notification_type=kind)

    def rest(self) -> None:
        """A turn ended well: if nothing follows, say so in a while."""
        self._idle_due = time.monotonic() + self._idle_after

    def stir(self) -> None:
        """Something follows."""
        self._idle_due = None
