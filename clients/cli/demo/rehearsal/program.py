"""A hook that is a program: the payload on its standard input, the answer on its standard output."""

import os
import signal
import subprocess
from collections.abc import Mapping

from clients.cli.demo.rehearsal.calls import Call
from clients.cli.demo.rehearsal.settings import Hook
from clients.cli.demo.rehearsal.waits import NOTHING

LIMIT = 1 << 20
"""More of an answer is not kept."""
PIECE = 65536
POLL_SECONDS = 0.02
GRACE_SECONDS = 3.0
"""So long after SIGTERM it is killed."""


class Program(Call):
    """A shell command, in a session of its own: what ends the agent does not end it."""

    def __init__(self, hook: Hook, payload: bytes, now: float, environment: Mapping[str, str], directory: str) -> None:
        self.due = self._limit = now + hook.seconds
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", hook.command or ":"],
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._input, self._output = self._child.stdin, self._child.stdout
        self._payload = bytearray(payload)
        self._said = bytearray()
        for file in (self._input, self._output):
            os.set_blocking(file.fileno(), False)

    def reading(self) -> int:
        return NOTHING if self._output.closed else self._output.fileno()

    def writing(self) -> int:
        return NOTHING if self._input.closed else self._input.fileno()

    def advance(self, now: float) -> None:
        if self.gone:
            return
        if not self._input.closed:
            self._write()
        if not self._output.closed:
            self._read()
        code = self._child.poll() if self._output.closed else None
        if code is not None:
            self._payload.clear()
            self._input.close()
            self.gone, self.body = True, bytes(self._said)
            self.outcome = self.outcome or (f"exit {code}" if code else "answered")
        elif now >= self._limit and self.outcome:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._output.close()
        elif now >= self._limit:
            self._terminate("timeout", now)
        # Its end of the pipe is closed: it is about to exit, which no descriptor tells.
        self.due = min(self._limit, now + POLL_SECONDS) if self._output.closed else self._limit

    def abandon(self, now: float) -> None:
        if not self.outcome:
            self._terminate("abandoned", now)

    def _terminate(self, why: str, now: float) -> None:
        self.outcome = why
        self.due = self._limit = now + GRACE_SECONDS
        os.killpg(self._child.pid, signal.SIGTERM)

    def _write(self) -> None:
        try:
            while self._payload:
                del self._payload[: os.write(self._input.fileno(), self._payload[:PIECE])]
        except BlockingIOError:
            return
        except OSError:
            pass  # it does not want to know
        self._input.close()

    def _read(self) -> None:
        try:
            while data := os.read(self._output.fileno(), PIECE):
                self._said += data[: LIMIT - len(self._said)]
        except BlockingIOError:
            return
        self._output.close()
