"""How a pty host is started, and how a person's terminal is attached to one:

python -m supervisor.ptyhost host [AGENT]       (what to run comes through standard input; the name is for `ps`)
python -m supervisor.ptyhost attach SOCKET      (leave it with Ctrl-\\ d)

Run as a folder, with `python -I -S`, it starts faster and finds itself without any environment.
"""

import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["host"]:
        from supervisor.ptyhost.start import start

        return start()
    if len(arguments) == 2 and arguments[0] == "attach":
        from supervisor.ptyhost.attach import attach

        return attach(arguments[1])
    print("usage: python -m supervisor.ptyhost attach SOCKET", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
