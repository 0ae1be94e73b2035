"""The rehearsal agent itself: one loop that reads, performs and draws, and sleeps when nothing happens."""

import os
import select
import signal
import sys
import time
from types import FrameType

from clients.cli.demo.rehearsal.dialogs import Dialogs
from clients.cli.demo.rehearsal.hooks import Hooks
from clients.cli.demo.rehearsal.journal import Journal, journal_path
from clients.cli.demo.rehearsal.keys import Composer, Decoder, Input, Kind
from clients.cli.demo.rehearsal.options import Options, refuse
from clients.cli.demo.rehearsal.protocol import Protocol
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import Script
from clients.cli.demo.rehearsal.session import Session, SessionRefused
from clients.cli.demo.rehearsal.tty import Tty
from clients.cli.demo.rehearsal.turns import Turns
from clients.cli.demo.rehearsal.verbs import Performer
from clients.cli.demo.rehearsal.waits import NEWS, NOTHING, Leave

ESCAPE_SECONDS = 0.1
"""An ESC with nothing after it for so long is the key."""
BACKLOG = 65536
"""With more than this unread, the turn does not go on: as fast as it is read, and no faster."""
DRAIN_SECONDS = 0.5
FAREWELL_SECONDS = 1.5
"""So long a SessionEnd hook is waited for."""
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)
QUIT = "prompt_input_exit"


class Agent:
    """Reads prompts and plays their scripts, one turn at a time."""

    def __init__(self, options: Options, session: Session, hooks: Hooks, tty: Tty, journal: Journal) -> None:
        self._options = options
        self._session = session
        self._hooks = hooks
        self._tty = tty
        self._journal = journal
        self._decoder = Decoder(options.pastes)
        self._composer = Composer()
        self.screen = Screen(tty, options.name, options.titles, options.pastes, options.speaks)
        self._dialogs = Dialogs(self.screen, journal)
        self._protocol = Protocol(options, session, hooks, self._dialogs, journal, self.screen)
        script = Script(journal.attempt)
        self._performer = Performer(self.screen, journal, self._protocol, script, session.directory)
        self.turns = Turns(self.screen, journal, self._performer, script, self._protocol)
        self._escape_due: float | None = None
        self._leaving = False
        self._open = True
        self._wake, wake = os.pipe()
        for descriptor in (self._wake, wake):
            os.set_blocking(descriptor, False)
        self._signal_sink = wake

    def run(self) -> None:
        """Run until `Leave` is raised."""
        for number in SIGNALS:
            signal.signal(number, _unheard)
        signal.set_wakeup_fd(self._signal_sink, warn_on_full_buffer=False)
        self._tty.enter()
        self._journal.note_start(sys.argv, *self._tty.size())
        self._session.status("idle")
        self._protocol.fire("SessionStart", self._session.source, source=self._session.source)
        self.screen.open()
        self.screen.line(f"✳ {self._options.name}, a rehearsal agent, in {self._session.directory}")
        if self._session.earlier:
            self._journal.note("resume", session=self._session.id, prompts=self._session.earlier)
            self.screen.line(f"  after {len(self._session.earlier)} earlier prompts")
        if self._options.prompt is not None:
            self._submit(os.fsencode(self._options.prompt))
        while True:
            self._step()

    def _step(self) -> None:
        """One round: draw, sleep until something happens, act on it."""
        self.turns.begin()
        if self._leaving and self.turns.empty:
            raise Leave(0, reason="other")
        if not self._decoder.pasting:
            self.screen.render()
        self._tty.flush()
        readable = self._sleep()
        if self._wake in readable:
            for number in os.read(self._wake, 64):
                self._on_signal(signal.Signals(number))
        now = time.monotonic()
        for task in self._protocol.advance(now, readable):
            self.turns.woken(task)
        if self._tty.source in readable:
            self._on_readable()
        now = time.monotonic()
        if self._escape_due is not None and now >= self._escape_due:
            self._on_input(self._decoder.expire())
        if self._protocol.interrupted:
            self._protocol.interrupted = False
            self._interrupt("hook", refused=not self.turns.running)
        if self.turns.running and self._may_go_on(now, readable):
            self.turns.go_on(now)
        self.screen.tick(now)

    def _sleep(self) -> list[int]:
        going = self.turns.running and self._tty.backlog <= BACKLOG
        reading, writing, due = self._protocol.watched()
        reading.append(self._wake)
        if self._open:
            reading.append(self._tty.source)
        if going and self.turns.wait[1] not in (NOTHING, NEWS):
            reading.append(self.turns.wait[1])
        if self._tty.backlog:
            writing.append(self._tty.sink)
        times = [self._escape_due, self.screen.next_tick(), due, self.turns.due if going else None]
        first = min((moment for moment in times if moment is not None), default=None)
        timeout = None if first is None else max(0.0, first - time.monotonic())
        readable, writable, _ = select.select(reading, writing, [], timeout)
        if self._tty.sink in writable:
            self._tty.flush()
        return readable

    def _may_go_on(self, now: float, readable: list[int]) -> bool:
        due = self.turns.due is not None and now >= self.turns.due
        found = self.turns.wait[1] == NEWS or self.turns.wait[1] in readable
        return self._tty.backlog <= BACKLOG and (due or found)

    def _interrupt(self, by: str, refused: bool) -> None:
        busy = self.turns.running
        self._journal.note("interrupt", by=by, busy=busy, refused=refused)
        if refused:
            self.screen.line(f"  ⎿  Refused {by}")
        elif busy:
            self.turns.interrupt()

    # What comes in

    def _on_signal(self, number: signal.Signals) -> None:
        if number == signal.SIGWINCH:
            columns, rows = self._tty.size()
            self._journal.note("resize", columns=columns, rows=rows)
            self.screen.compose(self._composer.tail(4 * columns))
        elif number == signal.SIGINT:
            self._on_interrupt("SIGINT")
        elif self._performer.refusing:
            self._journal.note("refused", signal=number.name)
            self.screen.line(f"  ⎿  Refused {number.name}")
        else:
            raise Leave(128 + number, number, reason="other")

    def _on_readable(self) -> None:
        data = self._tty.read()
        if data is not None:
            self._on_input(self._decoder.feed(data))
            return
        self._open = False
        if not self._tty.interactive:
            self._leaving = True  # a pipe's end: no more prompts
        elif not self._performer.refusing:
            raise Leave(128 + signal.SIGHUP, signal.SIGHUP, reason="other")

    def _on_input(self, pieces: list[Input]) -> None:
        self._escape_due = time.monotonic() + ESCAPE_SECONDS if self._decoder.undecided else None
        for kind, data in pieces:
            if self._dialogs.current is not None:
                self._composer.insert(self._dialogs.take(kind, data))
            elif kind is Kind.INTERRUPT:
                self._on_interrupt(kind.value)
            else:
                self._interrupts = 0
                self._on_key(kind, data)
        self.screen.compose(self._composer.tail(4 * self._tty.size()[0]))

    def _on_key(self, kind: Kind, data: bytes) -> None:
        if kind is Kind.TEXT:
            self._composer.insert(data)
        elif kind is Kind.PASTE:
            self._composer.insert(data)
            self._journal.note_bytes("paste", data)
        elif kind is Kind.ENTER:
            self._on_enter()
        elif kind is Kind.ESCAPE:
            self._interrupt(kind.value, refused=self._performer.refusing_all)
        elif kind is Kind.CLEAR:
            self._composer.take()
        elif kind is Kind.ERASE:
            self._composer.erase()
        else:
            self._journal.note("key", hex=data.hex())

    _interrupts = 0
    """How many Ctrl-C came in a row while there was nothing to interrupt."""

    def _on_interrupt(self, by: str) -> None:
        busy = self.turns.running
        self._interrupt(by, refused=self._performer.refusing)
        if busy or self._performer.refusing:
            return
        self._composer.take()
        self._interrupts += 1
        if self._interrupts > 1:
            raise Leave(0, reason=QUIT)
        self.screen.line("  Press Ctrl-C again to exit")

    def _on_enter(self) -> None:
        if self._protocol.swallowing:
            self._protocol.swallowing = False
            self._journal.note("enter-swallowed")
        elif self._composer:
            self._submit(self._composer.take())
        else:
            self._journal.note("enter-empty")

    def _submit(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace").strip()
        if text not in ("/exit", "/quit"):
            self.turns.submit(data)
            return
        self._journal.note("command", text=text, refused=self._performer.refusing_all)
        if not self._performer.refusing_all:
            raise Leave(0, reason=QUIT)

    def say_goodbye(self, reason: str) -> None:
        """Call the SessionEnd hooks and wait for them, within bounds."""
        firing = self._protocol.fire("SessionEnd", reason, reason=reason)
        deadline = time.monotonic() + FAREWELL_SECONDS
        while not firing.settled and (left := deadline - time.monotonic()) > 0:
            reading, writing, due = self._hooks.watched()
            until = left if due is None else min(left, max(0.0, due - time.monotonic()))
            select.select(reading, writing, [], until)
            self._hooks.advance(time.monotonic())


def _unheard(_number: int, _frame: FrameType | None) -> None:
    """A signal is heard by the byte that it leaves in the loop's pipe; this only keeps it from killing us."""


def die(number: signal.Signals) -> None:
    """End by this signal, as everybody who waits for us shall see."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a rehearsed crash leaves no core file
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)


def open_session(options: Options, journal: Journal, directory: str) -> tuple[Session, Hooks]:
    """The conversation and the hooks that were asked for; ends the program if they cannot be had."""
    if options.settings is None:
        hooks = Hooks({}, journal, directory)
    else:
        from clients.cli.demo.rehearsal.settings import Refused, read_settings

        try:
            hooks = Hooks(read_settings(options.settings), journal, directory)
        except Refused as problem:
            raise refuse(str(problem)) from None
    try:
        session = Session(options, directory)
    except SessionRefused as problem:
        print(f"Error: {problem}", file=sys.stderr)
        raise SystemExit(1) from None
    hooks.environment = session.environment()
    return session, hooks


def main(argv: list[str]) -> int:
    """Run the agent; the exit status, unless a signal ends it."""
    options = Options(argv)
    directory = os.path.realpath(os.getcwd())
    journal = Journal(journal_path(os.environ, directory), directory)
    session, hooks = open_session(options, journal, directory)
    tty = Tty()
    agent = Agent(options, session, hooks, tty, journal)
    leave = Leave(1)
    try:
        agent.run()
    except Leave as reason:
        leave = reason
    finally:
        agent.turns.close()
        if leave.reason is not None:
            agent.say_goodbye(leave.reason)
            session.close()
        facts: dict[str, object] = {} if leave.signal is None else {"signal": leave.signal.name}
        journal.note("exit", code=leave.code, **facts)
        agent.screen.close()
        if leave.reason == QUIT and session.active:
            tty.write(f"Take it up again with: rehearsal --resume {session.id}\r\n".encode())
        tty.drain(DRAIN_SECONDS if leave.signal is None else 0)
        tty.restore()
    if leave.signal is not None:
        die(leave.signal)
    return leave.code
