"""The terminal UI: how soon it is there, how fast it obeys, what it uses when much happens and when nothing does."""

import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import avt
import pytest
import trio

from tests.bench import usage
from tests.bench.crowd import Crowd
from tests.bench.figures import Figures
from tests.harness import Place

pytestmark = [pytest.mark.bench, pytest.mark.timeout(400)]
COLUMNS, ROWS = 200, 50
BEATS, EVENTS = 40, 50.0
"""Agents that change their state, beside as many as make 200; and how many changes a second they make."""
WATCHED = 15.0
KEYS = 60


class Drawn:
    """The terminal UI in a pseudo-terminal, and what it draws."""

    def __init__(self, place: Place) -> None:
        self.began = monotonic()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        command = [sys.executable, "-m", "clients.cli.main", "tui", "--state-dir", str(place.state)]
        environ = {**place.env, "TERM": "xterm-256color"}
        self._child = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True
        )
        os.close(slave)
        self.pid = self._child.pid
        self._screen = avt.Vt(COLUMNS, ROWS, 0)
        self._rest = b""

    def read(self, within: float) -> bool:
        """Draw what comes within so many seconds; whether anything did."""
        ready, _, _ = select.select([self._master], [], [], within)
        if not ready:
            return False
        text = self._rest + os.read(self._master, 1 << 20)
        end = len(text)
        while end and text[end - 1] & 0xC0 == 0x80:
            end -= 1
        end = end - 1 if end and text[end - 1] >= 0xC0 else len(text)
        self._rest = text[end:]
        self._screen.feed_str(text[:end].decode("utf-8", "replace"))
        return True

    def until(self, text: str, within: float = 20.0) -> float:
        """The moment at which it shows this."""
        limit = monotonic() + within
        while text not in self.shown():
            assert monotonic() < limit, self.shown()
            self.read(0.1)
        return monotonic()

    def shown(self) -> str:
        return "\n".join(line.text for line in self._screen.view())

    def selected(self) -> str:
        """The row that is marked."""
        return next((line for line in self.shown().splitlines() if line.startswith("▸")), "")

    def press(self, key: str) -> float:
        """Press a key that moves the mark; the seconds until another row is marked."""
        before, began = self.selected()[:14], monotonic()
        os.write(self._master, key.encode())
        while self.selected()[:14] == before:
            assert monotonic() < began + 10, self.shown()
            self.read(0.05)
        return monotonic() - began

    def watch(self, seconds: float) -> float:
        """Draw for so long; the share of a core that it used meanwhile."""
        before, until = usage.seconds([self.pid]), monotonic() + seconds
        while monotonic() < until:
            self.read(0.2)
        return 100 * (usage.seconds([self.pid]) - before) / seconds

    def close(self) -> None:
        """End it."""
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        os.close(self._master)


@contextmanager
def drawn(place: Place) -> Iterator[Drawn]:
    made = Drawn(place)
    try:
        yield made
    finally:
        made.close()


async def test_start_to_first_paint(place: Place, figures: Figures) -> None:
    await place.start()
    painted, filled, used = [], [], []
    for _ in range(8):
        with drawn(place) as ui:
            painted.append(1000 * (ui.until("Operator") - ui.began))
            used.append(1000 * usage.seconds([ui.pid]))
            filled.append(1000 * (ui.until("boards ok") - ui.began))
    figures.spread("tui: start to first paint", painted[1:], "ms", 400)
    figures.spread("tui: processor time until then", used[1:], "ms")
    figures.spread("tui: start to a board of the daemon", filled[1:], "ms")


@pytest.mark.parametrize("crowd", [160], indirect=True)
async def test_keys_and_load(crowd: Crowd, figures: Figures) -> None:
    async with crowd.place.client() as client:
        await crowd.add_beats(client, BEATS)
        agents, every, dice = crowd.size + BEATS, BEATS / EVENTS, random.Random(7)
        with drawn(crowd.place) as ui:
            ui.until("boards ok")
            ui.until("BEAT-" if agents < ROWS else "RUNNING")
            ui.watch(5)
            figures.row(f"tui, {agents} agents, nothing happens: of a core", ui.watch(WATCHED), "%", 1.0)
            await crowd.order(client, lambda _: f"titles {every} {dice.uniform(0, every):.3f}")
            ui.watch(3)
            head = (await client.get("/status")).json()["head"]
            share = ui.watch(WATCHED)
            rate = ((await client.get("/status")).json()["head"] - head) / WATCHED
            figures.row(f"tui, {agents} agents, {rate:.0f} events/s: of a core", share, "%", 15.0)
            late = []
            for number in range(KEYS):
                late.append(1000 * ui.press("j" if number < KEYS / 2 else "k"))
                ui.watch(dice.uniform(0.05, 0.3))
            figures.tail(f"tui, {agents} agents, {rate:.0f} events/s: key to row", late, "ms", 50)
        with trio.move_on_after(30):
            await crowd.rest(client)
