"""A program that posts hooks at a steady rate, on one kept connection for each agent, and says what became of them.

Standard input: JSON with `host`, `port`, `seconds`, `rate` and `agents`, a list of `path` and `token`. Standard
output: JSON with the seconds each answer took, by status; `late` is how many were not sent in time.
"""

import json
import sys
import time
from itertools import count
from typing import Any

import trio

EVENTS = (
    {"hook_event_name": "UserPromptSubmit", "prompt": "Please."},
    {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "make"}},
    {"hook_event_name": "Notification", "notification_type": "permission_prompt", "message": "Claude needs you"},
    {"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_response": {"stdout": "x" * 500}},
    {"hook_event_name": "Stop", "background_tasks": []},
)


class Storm:
    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self.took: dict[str, list[float]] = {}
        self.late = 0

    async def run(self) -> None:
        agents, rate = self._orders["agents"], self._orders["rate"]
        begin = time.monotonic() + 0.2
        async with trio.open_nursery() as nursery:
            for number, agent in enumerate(agents):
                nursery.start_soon(self._agent, agent, begin + number / rate, len(agents) / rate)

    async def _agent(self, agent: dict[str, str], begin: float, every: float) -> None:
        stream = await trio.open_tcp_stream(self._orders["host"], self._orders["port"])
        async with stream:
            for number in count():
                due = begin + number * every
                if due - begin >= self._orders["seconds"]:
                    return
                wait = due - time.monotonic()
                self.late += wait < -every
                await trio.sleep(max(0.0, wait))
                turn, moment = divmod(number, len(EVENTS))
                body = json.dumps({**EVENTS[moment], "prompt_id": f"turn-{turn}"})
                since = time.monotonic()
                status = await self._post(stream, agent, body)
                self.took.setdefault(status, []).append(time.monotonic() - since)

    async def _post(self, stream: trio.SocketStream, agent: dict[str, str], body: str) -> str:
        head = (
            f"POST {agent['path']} HTTP/1.1\r\nHost: {self._orders['host']}\r\n"
            f"Authorization: Bearer {agent['token']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await stream.send_all((head + body).encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += await _some(stream)
        headers, _, content = received.partition(b"\r\n\r\n")
        [length] = [int(line[15:]) for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(content) < length:
            content += await _some(stream)
        return headers.split(b" ", 2)[1].decode()


async def _some(stream: trio.SocketStream) -> bytes:
    piece = await stream.receive_some()
    if not piece:
        raise ConnectionError("the daemon hung up")
    return bytes(piece)


if __name__ == "__main__":
    storm = Storm(json.load(sys.stdin))
    trio.run(storm.run)
    json.dump({"took": storm.took, "late": storm.late}, sys.stdout)
