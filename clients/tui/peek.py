"""An agent's terminal beside the list: read when the agent is heard of, and while its output grows."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from clients.api.errors import ApiError
from clients.tui.lines import Lines
from clients.tui.steady import steady_lines

if TYPE_CHECKING:
    from clients.api.client import Client

_FASTEST, _SLOWEST = 0.5, 4.0
"""Seconds between two looks: twice a second while it changes, ever less often while it does not."""


class Peek(Lines):
    """Shows the screen of one agent."""

    def __init__(self, client: "Callable[[], Client | None]", id: str | None = None) -> None:
        super().__init__(id=id)
        self._client = client
        self._agent: str | None = None
        self._wake = asyncio.Event()
        self._text = ""

    def on_mount(self) -> None:
        self.run_worker(self._look_on(), name="peek")

    def watch_agent(self, agent: str | None) -> None:
        """Look at this one from now on."""
        if agent != self._agent:
            self._agent, self._text = agent, ""
            self._draw("" if agent else "No agent.")
        self._wake.set()

    def heard(self, agent: str | None) -> None:
        """Something happened to this agent."""
        if agent is not None and agent == self._agent:
            self._wake.set()

    async def _look_on(self) -> None:
        rest = _FASTEST
        while True:
            agent, client = self._agent, self._client()
            if self.display and agent is not None and client is not None:
                try:
                    text = await client.screen(agent)
                except ApiError as error:
                    text = error.message
                if agent == self._agent:
                    rest = _FASTEST if text != self._text else min(rest * 1.5, _SLOWEST)
                    if text != self._text:
                        self._text = text
                        self._draw(text)
                await asyncio.sleep(_FASTEST)
                await self._woken(rest - _FASTEST)
            else:
                await self._woken(None)

    async def _woken(self, within: float | None) -> None:
        """Until there is a reason to look, or so many seconds."""
        try:
            await asyncio.wait_for(self._wake.wait(), within)
        except TimeoutError:
            return
        self._wake.clear()

    def _draw(self, text: str) -> None:
        lines = steady_lines(text).rstrip("\n").split("\n")
        self.show([Strip([Segment(each, Style.null())]) for each in lines], keep=True)
        self.scroll_to(y=len(lines), animate=False)
