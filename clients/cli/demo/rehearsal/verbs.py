"""The verbs of a script. Each is a generator that yields what it waits for, so that it can be interrupted.

The agent does what a prompt says, as a coding agent without permissions would: `run` and all.

    say TEXT              print an answer
    think SECONDS         be busy, the spinner turning
    hang SECONDS|forever  be busy and print nothing, not even a spinner
    wait FILE             be busy until FILE exists
    touch FILE            make FILE
    child SECONDS         leave a background process in this process group
    daemonchild SECONDS   one that ignores SIGHUP and SIGTERM
    flood MEGABYTES       print numbered lines as fast as they are read
    hostile               print what no program should
    title TEXT            show this title until the turn ends
    quiet                 never touch the title again
    bell, notify TEXT     ring; notify by OSC 9
    refuse [all]          ignore SIGHUP, SIGINT, SIGTERM and Ctrl-C from now on; with `all` Esc and /exit too
    crash CODE, exit      end with this exit status; with 0
    kill SIGNAL           end by this signal
    swallow               lose the next Enter: the text stays in the composer
    fail ERROR [TEXT]     end the turn with an error of the model's (StopFailure), which is said to be TEXT
    fail CODE [TEXT]      the same with an HTTP status
    fail 429 RESET-TIME   the same with a usage limit that ends then: a time of day, or seconds since 1970
    background SECONDS    leave a command at work behind the turn: Stop tells of it, and one more Stop follows
                          when it has ended

in tools.py, each with the hooks before and after it (a command that fails has its own one):

    write PATH TEXT       write a file inside the working directory; \\n in TEXT is a line's end
    append PATH TEXT      the same at its end
    commit MESSAGE        git add -A, git commit
    run COMMAND           run a shell command and show its output
    permission COMMAND    the same after asking: a hook or the person at the dialog decides (1, 2 or 3)

in asking.py:

    plan TEXT             propose a plan: in plan mode, in a file, by a dialog and its hook
    ask QUESTION | A | B  ask a question with options (yes and no) by a dialog and its hook
    dialog TEXT           open a dialog that nobody asked for and nothing tells of: it takes all keys until 1 or Esc
"""

import os
import re
import signal
from collections import deque
from collections.abc import Callable, Iterator

from clients.cli.demo.rehearsal.asking import Asking
from clients.cli.demo.rehearsal.journal import Journal
from clients.cli.demo.rehearsal.protocol import Protocol, Task
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import Command, Script, unescape
from clients.cli.demo.rehearsal.tools import POLL_SECONDS, Tools
from clients.cli.demo.rehearsal.waits import NOTHING, SOON, Failed, Leave, Unplayable, Wait, seconds_of

TYPE_CHECKING = False  # importing typing would cost a tenth of the time to start
if TYPE_CHECKING:
    import subprocess

FLOOD_LINES = 800
NAMED_ERROR = re.compile(r"[a-z][a-z_]*")

# Each piece breaks something in a parser that trusts its input; the last lines end what was left open.
HOSTILE = (
    b"half a character \xe2\x9c", b"\xff\xfe\xc0\x80 \xed\xa0\x80 \xf5\x90\x80\x80\r\n",
    b"nul \0 and del \x7f and other C0 \x01\x02\x05\x0b\x0c\x0e\x0f\x11\x13\x16\x19\x1c\x1d\x1e\x1f\r\n",
    b"\x9b31m 8-bit CSI \x9d0;8-bit title\x9c\r\n",
    b"\x1b[" + b"9" * 5000 + b"m endless number\r\n", b"\x1b[" + b"1;" * 3000 + b"m endless list\r\n",
    b"\x1b[?\x1b[\x18\x1b[1\x1a broken sequences\r\n",
    b"\x1b]0;title with a \n line and \x1b[31m colour\x07", b"\x1b]2;" + b"t" * 9000 + b"\x1b\\",
    b"\x1b]0\x07\x1b];\x07\x1b]\x07\x1b]52;c;AAAA\x07",
    b"\x1b]9;notice\x07\x1b]777;notify;a;b\x07\x1b]8;;http://127.0.0.1/\x1b\\link\x1b]8;;\x1b\\\r\n",
    b"\x1bPtmux;\x1b\x1b]0;passed on\x07\x1b\\", b"\x1b_Gi=1;AA\x1b\\\x1b^private\x1b\\\x1bXstring\x1b\\",
    b"\x1b[c\x1b[>c\x1b[6n\x1b]11;?\x07",  # questions: a terminal answers them into our input
    b"\x1b[?1049h\x1b[?1049l\x1b[?1000h\x1b[?1000l\x1b[?2004l\x1b[!p\x1b(0lqk\x1b(B\r\n", b"\x07" * 20,
    b"\x1bP unterminated", b"\x18\x1b]0;unterminated " + b"u" * 6000,
    b"\x18\x1b\\\x1b(B\x1b[0m\x1b[?7h\x1b[?25h\x1b[r\r\nthe end of the hostile part\r\n",
)  # fmt: skip


def signal_named(text: str) -> signal.Signals:
    """A signal by number or by name, with or without SIG."""
    try:
        if text.isdigit():
            return signal.Signals(int(text))
        return signal.Signals["SIG" + text.upper().removeprefix("SIG")]
    except (KeyError, ValueError):
        raise Unplayable(f"no such signal: {text}") from None


class Performer:
    """Performs scripts in one working directory."""

    def __init__(self, screen: Screen, journal: Journal, protocol: Protocol, script: Script, directory: str) -> None:
        self._screen = screen
        self._journal = journal
        self._protocol = protocol
        self._script = script
        self._directory = directory
        self._children: list[subprocess.Popen[bytes]] = []
        self.refusing = False
        """Hang-up, interrupt and termination are ignored."""
        self.refusing_all = False
        """Being asked to stop or to exit by key is ignored, too."""
        self._verbs: dict[str, Callable[[str], Iterator[Wait]]] = {
            "say": self._say, "think": self._think, "hang": self._hang, "wait": self._wait,
            "touch": self._touch, "child": self._child, "daemonchild": self._daemonchild, "flood": self._flood,
            "hostile": self._hostile, "title": self._title, "quiet": self._quiet, "bell": self._bell,
            "notify": self._notify, "refuse": self._refuse, "crash": self._crash, "exit": self._exit,
            "kill": self._kill, "swallow": self._swallow, "fail": self._fail, "background": self._background,
            **Tools(screen, journal, protocol, directory).verbs, **Asking(screen, protocol).verbs,
        }  # fmt: skip

    def perform(self, commands: list[Command]) -> Iterator[Wait]:
        """Do one command after the other; what cannot be done is said, noted and passed over."""
        waiting = deque(commands)
        while waiting:
            verb, arguments = waiting.popleft()
            try:
                if verb not in self._verbs:
                    raise Unplayable(f"no such verb: {verb}")
                yield from self._verbs[verb](arguments)
            except (Unplayable, OSError) as problem:
                self._journal.note("problem", line=f"{verb} {arguments}".strip(), message=str(problem))
                self._screen.line(f"  ⎿  Error: {problem}")
            while self._protocol.asides:
                waiting.extend(self._script.aside(self._protocol.asides.popleft()))
            yield SOON

    def _say(self, text: str) -> Iterator[Wait]:
        said = self._protocol.session.said = unescape(text)
        for line in said.split("\n"):
            self._screen.line(f"● {line}")
        yield SOON

    def _think(self, text: str) -> Iterator[Wait]:
        seconds = seconds_of(text)
        self._screen.line("✻ Thinking…")
        yield seconds, NOTHING

    def _hang(self, text: str) -> Iterator[Wait]:
        seconds = None if text == "forever" else seconds_of(text)
        self._screen.stand_still(True)
        try:
            yield seconds, NOTHING
        finally:
            self._screen.stand_still(False)

    def _wait(self, text: str) -> Iterator[Wait]:
        path = os.path.join(self._directory, text)
        while not os.path.exists(path):
            yield POLL_SECONDS, NOTHING

    def _touch(self, text: str) -> Iterator[Wait]:
        with open(os.path.join(self._directory, text), "ab"):
            yield SOON

    def _child(self, text: str, ignored: tuple[signal.Signals, ...] = ()) -> Iterator[Wait]:
        import subprocess

        def ignore() -> None:
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        child = subprocess.Popen(
            ["sleep", str(1e9 if text == "forever" else seconds_of(text))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # No threads are there to be afraid of, and the child ignores what it should from the start.
            preexec_fn=ignore if ignored else None,
        )
        self._children.append(child)
        self._journal.note("child", pid=child.pid)
        self._screen.line(f"● Bash(sleep) in the background as {child.pid}")
        yield SOON

    def _daemonchild(self, text: str) -> Iterator[Wait]:
        return self._child(text, (signal.SIGHUP, signal.SIGTERM))

    def _flood(self, text: str) -> Iterator[Wait]:
        size = seconds_of(text) * 1_000_000
        line = "{:012d} the quick brown fox jumps over the lazy dog, again and again\r\n"
        count = 0
        self._screen.raw(b"\r\x1b[K")
        self._screen.composing = False
        try:
            while count * len(line.format(0)) < size:
                self._screen.raw("".join(line.format(count + i) for i in range(FLOOD_LINES)).encode())
                count += FLOOD_LINES
                yield SOON
        finally:
            self._screen.composing = True
        self._journal.note("flood", lines=count)
        self._screen.line(f"● {count} lines")

    def _hostile(self, _: str) -> Iterator[Wait]:
        for piece in HOSTILE:
            self._screen.raw(piece)
            yield SOON
        self._screen.open()

    def _title(self, text: str) -> Iterator[Wait]:
        self._screen.fix_title(text)
        yield SOON

    def _quiet(self, _: str) -> Iterator[Wait]:
        self._screen.hush()
        yield SOON

    def _bell(self, _: str) -> Iterator[Wait]:
        self._screen.raw(b"\x07")
        yield SOON

    def _notify(self, text: str) -> Iterator[Wait]:
        self._screen.raw(b"\x1b]9;" + text.encode("utf-8", "replace") + b"\x07")
        yield SOON

    def _refuse(self, text: str) -> Iterator[Wait]:
        self.refusing, self.refusing_all = True, text == "all"
        self._journal.note("refuse")
        self._screen.line("● I refuse to end")
        yield SOON

    def _crash(self, text: str) -> Iterator[Wait]:
        yield SOON
        raise Leave(int(seconds_of(text or "1")) & 0xFF)

    def _exit(self, _: str) -> Iterator[Wait]:
        yield SOON
        raise Leave(0, reason="other")

    def _kill(self, text: str) -> Iterator[Wait]:
        number = signal_named(text)
        yield SOON
        raise Leave(128 + number, number)

    def _swallow(self, _: str) -> Iterator[Wait]:
        self._protocol.swallowing = True
        yield SOON

    def _fail(self, text: str) -> Iterator[Wait]:
        yield SOON
        code, _, rest = text.partition(" ")
        if code == "429" and rest:
            limit = f"Usage limit reached|{rest}" if rest.isdigit() else f"You've hit your usage limit · resets {rest}"
            raise Failed("rate_limit", limit)
        if NAMED_ERROR.fullmatch(code):
            raise Failed(code, f"API Error: {rest or code}")
        raise Failed("unknown", f"API Error: {text or 'no reason'}")

    def _background(self, text: str) -> Iterator[Wait]:
        import subprocess

        argv = ["sleep", str(1e9 if text == "forever" else seconds_of(text))]
        null = subprocess.DEVNULL
        # It holds an end of a pipe for as long as it lives: that is how the loop learns of its end.
        task = Task(subprocess.Popen(argv, stdin=null, stdout=subprocess.PIPE, stderr=null), " ".join(argv))
        self._protocol.tasks.append(task)
        self._journal.note("background", pid=task.child.pid, id=task.id)
        self._screen.line(f"● Bash({task.command}) in the background as {task.id}")
        yield SOON
