"""The demo's person: looks at each review and decides it, or, with ASK=1, says how you do."""

import shlex
from pathlib import Path

import trio

from clients.api.client import Client
from clients.api.errors import ApiError
from clients.cli.demo.view import Live
from supervisor.domain.views import EventView, ReviewView

READING = 1.5
"""Seconds that a review is shown before it is decided."""
SHOWN = 14
"""Lines of a plan that are shown."""
REASON = "Greet people whose name is not known, too."


class Deciding:
    """Takes one review after the other."""

    def __init__(self, live: Live, state: Path, ask: bool) -> None:
        self._live = live
        self._state = state
        self._ask = ask
        self._rejected = False
        self._send, self._receive = trio.open_memory_channel[int](64)

    def happened(self, event: EventView) -> None:
        """Take note of a review that was opened."""
        if event.kind == "review.opened":
            self._send.send_nowait(int(str(event.data["review"])))

    async def run(self, client: Client) -> None:
        async for number in self._receive:
            review = await client.review(number)
            if review.status == "pending":
                await self._decide(client, review)

    async def _decide(self, client: Client, review: ReviewView) -> None:
        self._live.note(_shown(review))
        if self._ask:
            where = f"--state-dir {shlex.quote(str(self._state))}"
            self._live.note(
                [
                    *_shown(review),
                    "It waits for you, in another terminal:",
                    f"  operator review show {review.id} {where}",
                    f"  operator approve {review.ticket_id} {where}",
                    f'  operator reject {review.ticket_id} -m "Why" {where}',
                ]
            )
            return
        await trio.sleep(READING)
        try:
            if review.kind == "visual" and not self._rejected:
                self._rejected = True
                await client.reject(review.agent_id, REASON, review.id)
                self._live.note([f"Rejected: {REASON}"])
            else:
                await client.approve(review.agent_id, review.id)
                self._live.note([f"Approved: the {review.kind} of {review.ticket_id}."])
        except ApiError as error:
            self._live.note([f"Review {review.id} was not decided: {error}"])


def _shown(review: ReviewView) -> list[str]:
    """What is to be decided, in a few lines."""
    head = f"{review.ticket_id} asks for a verdict on its {review.kind}: {review.title}"
    body = (review.plan or review.stat or "").rstrip().splitlines()
    more = [f"… and {len(body) - SHOWN} lines more"] if len(body) > SHOWN else []
    files = [f"{each.name} ({each.media})" for each in review.artifacts]
    return [head, *(f"  {line}" for line in (*body[:SHOWN], *more, *files))]
