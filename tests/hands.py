"""A person's hands: the same acts by REST and by the command line, for tests that hold for both."""

import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import trio

from tests.harness import Place


class Hands(Protocol):
    """Decides reviews of one daemon."""

    async def shown(self, number: int) -> dict[str, Any]:
        """The review, as data."""

    async def approve(self, ticket: str, number: int) -> dict[str, Any]: ...

    async def reject(self, ticket: str, number: int, reason: str) -> dict[str, Any]: ...


class ByRest:
    """REST alone."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def shown(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._place.get(f"/reviews/{number}")
        return found

    async def approve(self, ticket: str, number: int) -> dict[str, Any]:
        return await self._decided(f"/agents/{ticket}/approve", {"review_id": number})

    async def reject(self, ticket: str, number: int, reason: str) -> dict[str, Any]:
        return await self._decided(f"/agents/{ticket}/reject", {"review_id": number, "reason": reason})

    async def _decided(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        answer = await self._place.post(path, body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


class ByCommand:
    """The `operator` command alone."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def shown(self, number: int) -> dict[str, Any]:
        return await self._run(["review", "show", str(number)])

    async def approve(self, ticket: str, number: int) -> dict[str, Any]:
        return await self._run(["approve", ticket, "--review", str(number)])

    async def reject(self, ticket: str, number: int, reason: str) -> dict[str, Any]:
        return await self._run(["reject", ticket, "--review", str(number), "-m", "-"], reason)

    async def _run(self, words: Sequence[str], text: str = "") -> dict[str, Any]:
        place = self._place
        command = [sys.executable, "-m", "clients.cli.main", *words, "--json", "--state-dir", str(place.state)]
        ended = await trio.run_process(
            command, stdin=text.encode(), env=place.env, cwd=place.root, capture_stdout=True, capture_stderr=True,
            check=False,
        )  # fmt: skip
        assert ended.returncode == 0, (command, ended.stderr.decode(), place.log_tail())
        found: dict[str, Any] = json.loads(ended.stdout)
        return found


BOTH = (ByRest, ByCommand)
