"""A program for a terminal that says exactly when it did what: `python3 -S metronome.py`. Standard library only.

A prompt is an order. `titles SECONDS`: set a title that says busy, then one that says idle, and so on, each with
the monotonic time at which it was set. `lines SECONDS`: print a line as often, and note when; never set a title.
`rest`: do neither any more.
"""

import json
import os
import re
import select
import sys
import termios
import time
import tty

BUSY, IDLE = "⠂", "✳"
_PASTE = re.compile(rb"\x1b\[20[01]~")


class Metronome:
    """One loop: it sleeps until its next beat or the next key."""

    def __init__(self) -> None:
        self._typed = b""
        self._order = "rest"
        self._every = 0.0
        self._due: float | None = None
        self._beats = 0
        name = os.path.basename(os.getcwd())
        self._notes = open(os.path.join(os.environ["REHEARSAL_JOURNAL"], f"{name}.jsonl"), "a")  # noqa: SIM115

    def run(self) -> None:
        self._note("start", pid=os.getpid())
        self._write("\x1b[?2004h> ")
        while True:
            timeout = None if self._due is None else max(0.0, self._due - time.monotonic())
            readable, _, _ = select.select([sys.stdin], [], [], timeout)
            if readable:
                data = os.read(0, 65536)
                if not data:
                    return
                self._take(data)
            if self._due is not None and time.monotonic() >= self._due:
                self._beat()

    def _take(self, data: bytes) -> None:
        self._typed += data
        self._write(".")  # like every program, it shows that it was typed at
        while b"\r" in self._typed:
            line, _, self._typed = self._typed.partition(b"\r")
            self._obey(_PASTE.sub(b"", line).decode("utf-8", "replace").split())

    def _obey(self, words: list[str]) -> None:
        self._note("order", text=" ".join(words))
        if words[:1] == ["/exit"]:
            sys.exit(0)
        if words[:1] == ["rest"] and self._order == "titles":
            self._write(f"\x1b]0;{BUSY}\x07\x1b]0;{IDLE}\x07")  # a turn, if a short one
        self._order, self._beats, self._due = words[0], 0, None
        if self._order in ("titles", "lines"):
            self._every = float(words[1])
            self._due = time.monotonic() + (float(words[2]) if len(words) > 2 else 0.0)

    def _beat(self) -> None:
        assert self._due is not None
        self._due += self._every
        if self._order == "titles":
            mark = BUSY if self._beats % 2 == 0 else IDLE
            self._write(f"\x1b]0;{mark} {time.monotonic():.6f}\x07")
        else:
            self._note("print")
            self._write("tick\r\n")
        self._beats += 1

    def _write(self, text: str) -> None:
        os.write(1, text.encode())

    def _note(self, event: str, **facts: object) -> None:
        self._notes.write(json.dumps({"event": event, "mono": time.monotonic(), **facts}) + "\n")
        self._notes.flush()


def main() -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        Metronome().run()
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


if __name__ == "__main__":
    main()
