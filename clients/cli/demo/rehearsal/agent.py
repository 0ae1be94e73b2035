"""The rehearsal agent itself: one loop that reads, performs and draws, and sleeps when nothing happens."""

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from types import FrameType

from clients.cli.demo.rehearsal.journal import Journal, journal_path
from clients.cli.demo.rehearsal.keys import Composer, Decoder, Input, Kind
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import Script
from clients.cli.demo.rehearsal.tty import Tty
from clients.cli.demo.rehearsal.verbs import NOTHING, SOON, Leave, Performer, Wait

USAGE = """usage: rehearsal [--name NAME] [--no-title] [--no-paste] [PROMPT]

  --name NAME   the name in the title (rehearsal)
  --no-title    never set a title
  --no-paste    do not ask for framed pastes, nor understand them
  PROMPT        a first prompt, as if it had been typed
"""
ESCAPE_SECONDS = 0.1
"""An ESC with nothing after it for so long is the key."""
BACKLOG = 65536
"""With more than this unread, the turn does not go on: as fast as it is read, and no faster."""
DRAIN_SECONDS = 0.5
TEXT_LIMIT = 2000
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)


class Options:
    """What the command line asks for."""

    def __init__(self, argv: list[str]) -> None:
        self.name = "rehearsal"
        self.titles = True
        self.pastes = True
        self.prompt: str | None = None
        rest = iter(argv)
        for word in rest:
            if word == "--name":
                self.name = next(rest, self.name)
            elif word == "--no-title":
                self.titles = False
            elif word == "--no-paste":
                self.pastes = False
            elif word in ("-h", "--help"):
                print(USAGE, end="")
                raise SystemExit(0)
            elif word.startswith("-") and word != "--":
                print(f"rehearsal: unknown option {word}\n{USAGE}", end="", file=sys.stderr)
                raise SystemExit(2)
            else:
                self.prompt = next(rest, None) if word == "--" else word


class Agent:
    """Reads prompts and plays their scripts, one turn at a time."""

    def __init__(self, options: Options, tty: Tty, journal: Journal, directory: str) -> None:
        self._options = options
        self._tty = tty
        self._journal = journal
        self._directory = directory
        self._decoder = Decoder(options.pastes)
        self._composer = Composer()
        self.screen = Screen(tty, options.name, options.titles, options.pastes)
        self._script = Script(journal.attempt)
        self._performer = Performer(self.screen, journal, directory)
        self._prompts: deque[tuple[int, str]] = deque()
        self._received = 0
        self._turn: Iterator[Wait] | None = None
        self._turn_number = 0
        self._wait: Wait = SOON
        self._due: float | None = None
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
        self.screen.open()
        self.screen.line(f"✳ {self._options.name}, a rehearsal agent, in {self._directory}")
        if self._options.prompt is not None:
            self._submit(os.fsencode(self._options.prompt))
        while True:
            self._step()

    def _step(self) -> None:
        """One round: draw, sleep until something happens, act on it."""
        self._begin_turn()
        if not self._decoder.pasting:
            self.screen.render()
        self._tty.flush()
        readable = self._sleep()
        if self._wake in readable:
            for number in os.read(self._wake, 64):
                self._on_signal(signal.Signals(number))
        if self._tty.source in readable:
            self._on_readable()
        now = time.monotonic()
        if self._escape_due is not None and now >= self._escape_due:
            self._on_input(self._decoder.expire())
        if self._turn is not None and self._may_go_on(now, readable):
            self._go_on(self._turn, now)
        self.screen.tick(now)

    def _sleep(self) -> list[int]:
        stuck = self._tty.backlog > BACKLOG
        descriptors = [self._wake]
        if self._open:
            descriptors.append(self._tty.source)
        if self._turn is not None and not stuck and self._wait[1] != NOTHING:
            descriptors.append(self._wait[1])
        times = [self._escape_due, self.screen.next_tick()]
        if self._turn is not None and not stuck:
            times.append(self._due)
        due = min((moment for moment in times if moment is not None), default=None)
        timeout = None if due is None else max(0.0, due - time.monotonic())
        writing = [self._tty.sink] if self._tty.backlog else []
        readable, writable, _ = select.select(descriptors, writing, [], timeout)
        if writable:
            self._tty.flush()
        return readable

    # Turns

    def _begin_turn(self) -> None:
        if self._turn is not None:
            return
        if not self._prompts:
            if self._leaving:
                raise Leave(0)
            return
        self._turn_number, text = self._prompts.popleft()
        first = text.strip().partition("\n")[0]
        self.screen.busy()
        self.screen.line(f"> {first[:200]}")
        self._turn = self._performer.perform(self._script.commands(text, self._turn_number))
        self._wait, self._due = SOON, time.monotonic()

    def _may_go_on(self, now: float, readable: list[int]) -> bool:
        due = self._due is not None and now >= self._due
        return self._tty.backlog <= BACKLOG and (due or self._wait[1] in readable)

    def _go_on(self, turn: Iterator[Wait], now: float) -> None:
        try:
            self._wait = next(turn)
        except StopIteration:
            self._end_turn("done")
        else:
            self._due = None if self._wait[0] is None else now + self._wait[0]

    def _end_turn(self, outcome: str) -> None:
        self._turn = None
        # The journal first: whoever sees the title change may read there why.
        self._journal.note("turn-end", n=self._turn_number, outcome=outcome)
        self.screen.idle()

    def _interrupt(self, by: str, refused: bool) -> None:
        busy = self._turn is not None
        self._journal.note("interrupt", by=by, busy=busy, refused=refused)
        if refused:
            self.screen.line(f"  ⎿  Refused {by}")
        elif busy:
            self.close_turn()
            self.screen.line("  ⎿  Interrupted · What should the agent do instead?")
            self._end_turn("interrupted")

    def close_turn(self) -> None:
        """Let go of what the running turn holds, such as a shell command."""
        close = getattr(self._turn, "close", None)
        if close is not None:
            close()

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
            raise Leave(128 + number, number)

    def _on_readable(self) -> None:
        data = self._tty.read()
        if data is not None:
            self._on_input(self._decoder.feed(data))
            return
        self._open = False
        if not self._tty.interactive:
            self._leaving = True  # a pipe's end: no more prompts
        elif not self._performer.refusing:
            raise Leave(128 + signal.SIGHUP, signal.SIGHUP)

    def _on_input(self, pieces: list[Input]) -> None:
        self._escape_due = time.monotonic() + ESCAPE_SECONDS if self._decoder.undecided else None
        for kind, data in pieces:
            if kind is Kind.INTERRUPT:
                self._on_interrupt(kind.value)
                continue
            self._interrupts = 0
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
        self.screen.compose(self._composer.tail(4 * self._tty.size()[0]))

    _interrupts = 0
    """How many Ctrl-C came in a row while there was nothing to interrupt."""

    def _on_interrupt(self, by: str) -> None:
        busy = self._turn is not None
        self._interrupt(by, refused=self._performer.refusing)
        if busy or self._performer.refusing:
            return
        self._composer.take()
        self._interrupts += 1
        if self._interrupts > 1:
            raise Leave(0)
        self.screen.line("  Press Ctrl-C again to exit")

    def _on_enter(self) -> None:
        if self._composer:
            self._submit(self._composer.take())
        else:
            self._journal.note("enter-empty")

    def _submit(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        if text.strip() in ("/exit", "/quit"):
            self._journal.note("command", text=text.strip(), refused=self._performer.refusing_all)
            if not self._performer.refusing_all:
                raise Leave(0)
            return
        self._received += 1
        queued = self._turn is not None or bool(self._prompts)
        self._journal.note_bytes("prompt", data, n=self._received, text=text[:TEXT_LIMIT], queued=queued)
        self._prompts.append((self._received, text))


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


def main(argv: list[str]) -> int:
    """Run the agent; the exit status, unless a signal ends it."""
    options = Options(argv)
    directory = os.path.realpath(os.getcwd())
    journal = Journal(journal_path(os.environ, directory), directory)
    tty = Tty()
    agent = Agent(options, tty, journal, directory)
    leave = Leave(1)
    try:
        agent.run()
    except Leave as reason:
        leave = reason
    finally:
        agent.close_turn()
        facts: dict[str, object] = {} if leave.signal is None else {"signal": leave.signal.name}
        journal.note("exit", code=leave.code, **facts)
        agent.screen.close()
        tty.drain(DRAIN_SECONDS if leave.signal is None else 0)
        tty.restore()
    if leave.signal is not None:
        die(leave.signal)
    return leave.code
