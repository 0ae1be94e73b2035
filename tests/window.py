"""A person's terminal: a window of a tmux server of its own, with the terminal UI in it, driven key by key."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping

import trio

from tests.harness import ROOT, Place

GOLDEN = ROOT / "tests" / "golden" / "tui"
WITHIN = 20.0
_LOOK = 0.05
_AGE, _AGO = re.compile(r" +\d+ (?:s|min|h)\b"), re.compile(r"\b\d+ (?:s|min|h) ago")
_CLOCK = re.compile(r"\b\d\d:\d\d\b")


class Window:
    """One terminal. `close` ends it and what runs in it."""

    def __init__(self, place: Place, columns: int = 80, rows: int = 24) -> None:
        self._place = place
        self._socket = place.root / "window"
        self._size = (columns, rows)

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        ended = subprocess.run(command, env=self._place.env, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, (words, ended.stderr)
        return ended.stdout

    def run(self, *words: str, environ: Mapping[str, str] | None = None) -> None:
        """Start `operator` with these words in it; the window stays when it ends, and says how."""
        given = {**self._place.env, "OPERATOR_STATE_DIR": str(self._place.state), "TERM": "tmux-256color"}
        given |= {"EDITOR": "false", **(environ or {})}
        variables = [f"{name}={text}" for name, text in given.items()]
        command = shlex.join(["env", "-i", *variables, sys.executable, "-m", "clients.cli.main", *words])
        columns, rows = map(str, self._size)
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "-s", "w", f"{command}; echo ended with $?; read x")
        self._tmux("set-option", "-g", "escape-time", "0")

    def keys(self, *keys: str) -> None:
        """Press these, as tmux names them."""
        self._tmux("send-keys", "-t", "w", *keys)

    def type(self, text: str) -> None:
        """Type this, letter for letter."""
        self._tmux("send-keys", "-t", "w", "-l", "--", text)

    def click(self, column: int, row: int) -> None:
        """Press and release the left button there."""
        self.type(f"\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", "w", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "w")

    def screen_in_colour(self) -> str:
        return self._tmux("capture-pane", "-p", "-e", "-t", "w")

    async def until(self, met: str | Callable[[str], bool], within: float = WITHIN) -> str:
        """Wait until the screen shows this; what it shows then."""
        shown = ""
        with trio.move_on_after(within):
            while True:  # nothing tells a test that a screen has changed
                shown = self.screen()
                if met in shown if isinstance(met, str) else met(shown):
                    return shown
                await trio.sleep(_LOOK)
        raise AssertionError(f"the screen does not show {met!r}:\n{shown}")

    async def insist(self, key: str, text: str, within: float = WITHIN) -> str:
        """Press this again and again until the screen shows that: what has just appeared takes no verdict."""
        with trio.move_on_after(within):
            while text not in self.screen():
                self.keys(key)
                with trio.move_on_after(1.0):
                    return await self.until(text)
        return await self.until(text, 0)

    async def until_not(self, text: str, within: float = WITHIN) -> str:
        """Wait until the screen shows this no more."""
        return await self.until(lambda shown: text not in shown, within)

    def close(self) -> None:
        """End it. Its server is this window's alone."""
        if self._socket.exists():
            subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, check=False)
            self._socket.unlink(missing_ok=True)


def normal(screen: str, place: Place) -> str:
    """A screen without what differs from run to run: ages, times, folders, and the line of what happened lately."""
    text = re.sub(re.escape(str(place.root)) + r"\S*", "/place", screen)  # its length differs, too
    text = _CLOCK.sub("HH:MM", _AGO.sub("AGE ago", text))
    text = _AGE.sub(lambda found: "AGE".rjust(len(found[0])), text)
    lines = [line.rstrip() for line in text.rstrip("\n").split("\n")]
    return "\n".join([*lines[:-2], "(activity)", *lines[-1:]]) + "\n"


def check_golden(name: str, screen: str, place: Place) -> None:
    """Compare with what is stored. With UPDATE_SCREENS in the environment store it: then look at it."""
    path, found = GOLDEN / f"{name}.txt", normal(screen, place)
    if os.environ.get("UPDATE_SCREENS"):
        path.write_text(found, "utf-8")
    stored = path.read_text("utf-8") if path.exists() else ""
    assert found == stored, f"{path.name} is another screen now; look at it, then store it with UPDATE_SCREENS=1"
