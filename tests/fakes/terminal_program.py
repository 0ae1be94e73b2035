"""A program for a session to run: it reads its terminal raw and says what it sees. Standard library only.

    terminal_program.py KEPT [--unframed] [--ignore] [--child | --detached]

Every byte that arrives is appended to the file KEPT; then it prints how many there were. `--ignore`: it
ignores hang-up and terminate. `--child`: so does a child it starts; `--detached`: in a session of its own.
What children there are is printed as `child PID`. A changed window size is printed as `size COLUMNSxROWS`.
"""

import os
import signal
import subprocess
import sys
import tty


def main(kept: str, *options: str) -> None:
    tty.setraw(0)
    if "--ignore" in options:
        deaf()
    signal.signal(signal.SIGWINCH, lambda *_: say_size())
    for option in ("--child", "--detached"):
        if option in options:
            detached = option == "--detached"
            code = (
                f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}]; import terminal_program as t; t.linger()"
            )
            child = subprocess.Popen(
                [sys.executable, "-S", "-E", "-c", code], start_new_session=detached, stdout=subprocess.PIPE
            )
            assert child.stdout is not None
            child.stdout.readline()
            say(f"child {child.pid}")
    if "--unframed" not in options:
        os.write(1, b"\x1b[?2004h")
    say("ready")
    total = 0
    with open(kept, "ab", buffering=0) as file:
        while data := os.read(0, 65536):
            file.write(data)
            total += len(data)
            say(f"total {total}")


def deaf() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def linger() -> None:
    deaf()
    print("deaf", flush=True)
    while True:
        signal.pause()


def say(text: str) -> None:
    os.write(1, f"\r\n{text}\r\n".encode())


def say_size() -> None:
    size = os.get_terminal_size(1)
    say(f"size {size.columns}x{size.lines}")


if __name__ == "__main__":
    main(*sys.argv[1:])
