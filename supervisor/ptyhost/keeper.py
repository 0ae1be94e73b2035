"""What a host keeps of its agent: the output, the input that is on its way, the deliveries, and the end."""

from __future__ import annotations

import time
from collections import deque

from supervisor.ptyhost import files
from supervisor.ptyhost.modes import BRACKETED_PASTE, CURSOR_KEYS
from supervisor.ptyhost.replay import Replay, Restorer
from supervisor.ptyhost.terminal import Ended, Terminal
from supervisor.ptyhost.transcript import Transcript

INPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of input that the agent may leave unread before texts are refused."""
CHUNK = 64 * 1024
_DRAIN_LIMIT = 4 * 1024 * 1024
"""Bytes of output that are read at once where everything that is there is wanted."""


class Refused(Exception):
    """Nothing of what was asked was done; the message says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Keeper:
    """One terminal with all that is remembered of it."""

    def __init__(self, folder: str, limit: int, terminal: Terminal) -> None:
        """Raises OSError."""
        self._folder = folder
        self._terminal = terminal
        self._transcript = Transcript(folder, limit)
        self._restorer = Restorer(folder, self._transcript.end)
        self._input: deque[memoryview] = deque()
        self._stamps: dict[str, object] = {"typed": None, "submitted": None}
        self._status_is_written = False
        self.unread = 0
        """Bytes of input that wait for the agent."""
        self.ended: Ended | None = None
        self.ended_at = 0.0

    @property
    def end(self) -> int:
        """How much output there was so far."""
        return self._transcript.end

    # --- output ---------------------------------------------------------------------------------------

    def take_output(self, limit: int = CHUNK) -> bool:
        """Keep what the agent printed; False if there was nothing."""
        data = self._terminal.read(limit)
        if data:
            self._transcript.append(data)
            self._restorer.feed(data)
        return bool(data)

    def catch_up(self) -> None:
        """Take all output that is there now."""
        until = self.end + _DRAIN_LIMIT
        while self.end < until and self.take_output():
            pass

    def replay(self) -> Replay:
        """What restores the screen elsewhere."""
        return self._restorer.replay()

    # --- input ----------------------------------------------------------------------------------------

    def press(self, data: bytes) -> None:
        """Pass on keys. What comes after the agent's end goes nowhere, as in every terminal."""
        if data and self.ended is None:
            self._input.append(memoryview(data))
            self.unread += len(data)
            self.pass_input()

    def press_named(self, normal: bytes, application: bytes) -> None:
        """Pass on keys that are other ones while the program has switched its cursor keys over. Raises Refused."""
        self._may_write()
        self._must_fit(len(application))
        self.catch_up()
        self.press(application if self._restorer.modes.on(CURSOR_KEYS) else normal)

    def type(self, delivery: str, text: bytes) -> None:
        """Put a text in, whole and once, and remember that. Framed if the program has asked for that so far.

        Raises Refused. The same delivery again changes nothing.
        """
        self._may_write()
        if self._stamps["typed"] == delivery:
            return
        self._must_fit(len(text))
        self.catch_up()
        text = text.replace(b"\x1b", b"")
        if text and self._restorer.modes.on(BRACKETED_PASTE):
            text = b"\x1b[200~%b\x1b[201~" % text
        self.press(text)
        self._stamp("typed", delivery)

    def submit(self, delivery: str) -> None:
        """Press Enter once, and remember that. Raises Refused."""
        self._may_write()
        if self._stamps["submitted"] != delivery:
            self.press(b"\r")
            self._stamp("submitted", delivery)

    def stamps(self) -> dict[str, object]:
        """The deliveries that were typed and submitted last."""
        return dict(self._stamps)

    def pass_input(self) -> None:
        """Give the agent as much as it takes."""
        while self._input:
            first = self._input[0]
            try:
                taken = self._terminal.write(first)
            except OSError:
                taken = len(first)  # nobody reads any more; the end is told by other means
            self.unread -= taken
            if taken < len(first):
                self._input[0] = first[taken:]
                return
            self._input.popleft()

    def _may_write(self) -> None:
        self.look_for_end()
        if self.ended is not None:
            raise Refused("gone", "the agent has ended")

    def _must_fit(self, size: int) -> None:
        if self.unread + size > INPUT_LIMIT:
            raise Refused("full", "the agent does not read its input")

    def _stamp(self, what: str, delivery: str) -> None:
        self._stamps[what] = delivery
        try:
            files.write(self._folder, files.STAMPS, self._stamps)
        except OSError:
            pass  # a full disk: as long as this process lives it knows, and the terminal lives no longer than that

    # --- the end ----------------------------------------------------------------------------------------

    def look_for_end(self) -> None:
        """Note how the agent ended, once it has: first its last words, then the file, then whoever asks."""
        ended = self._terminal.ended()
        if ended is None:
            return
        if self.ended is None:
            self.catch_up()
            self._input.clear()
            self.unread = 0
            self.ended, self.ended_at = ended, time.monotonic()
        if not self._status_is_written:
            try:
                files.write(self._folder, files.STATUS, {**ended.told(), "at": time.time()})
                self._status_is_written = True
            except OSError:
                pass  # tried again at the next look
