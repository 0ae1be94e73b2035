"""OpenAI Responses, as Codex 0.169 speaks it: parsing what it sends, answering as events."""

import json
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from typing import Any, Final

import trio

from tests.fakes.model.http import Drop, Exchange, Request
from tests.fakes.model.script import (
    CALLS,
    AskPerson,
    Call,
    Cut,
    Dialogue,
    Move,
    ProposePlan,
    RunCommand,
    Say,
    Status,
    Think,
    WriteFile,
    WritePlan,
)

Body = dict[str, Any]
Event = Callable[..., Awaitable[None]]
PING_SECONDS = 0.1
PIECE = 40
"""Characters of text in one event."""
REASON: Final = "Rehearsed permission"
"""Why it says that it wants to run something outside of its sandbox."""

_NOT_TYPED = re.compile(r"\s*(<(environment_context|user_instructions|turn_aborted|\w+_instructions)\b|# AGENTS\.md)")
"""Texts of the user's role that nobody typed."""


def claims(request: Request) -> bool:
    """Is this request of this dialect?"""
    return request.method == "POST" and request.path.endswith("/responses")


async def greet(exchange: Exchange) -> bool:
    """All of its requests ask the model."""
    return False


def read(request: Request) -> Dialogue:
    """The conversation that a request sends along."""
    body = request.json()
    prompts: list[str] = []
    results: list[str] = []
    for item in body.get("input", []):
        if item.get("type", "message") == "message" and item.get("role") == "user":
            for text in _texts(item.get("content")):
                if not _NOT_TYPED.match(text):
                    prompts.append(text)
                    results = []
        elif str(item.get("type")).endswith("_call_output"):
            results.append("".join(_texts(item.get("output"))))
    conversation = str(body.get("prompt_cache_key") or request.headers.get("session_id") or "none")
    return Dialogue(conversation, tuple(prompts), tuple(results), side=not body.get("tools"))


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


async def refuse(exchange: Exchange, status: Status) -> None:
    """Answer an HTTP error."""
    headers = [] if status.retry_after is None else [("Retry-After", status.retry_after)]
    error: Body = {"type": "invalid_request_error", "message": status.text or f"stand-in {status.code}"}
    if status.limit is not None:
        reset = int(time.time() + status.limit)
        error |= {"type": "usage_limit_reached", "plan_type": "plus", "resets_at": reset}
    await exchange.json({"error": error}, status.code, headers)


async def speak(exchange: Exchange, dialogue: Dialogue, moves: list[tuple[int, Move]]) -> None:
    """Answer with these moves."""
    name = sha256(f"{dialogue.conversation} {len(dialogue.prompts)}.{len(dialogue.results)}".encode()).hexdigest()[:20]
    async with exchange.streaming("text/event-stream") as send:

        async def event(kind: str, **fields: object) -> None:
            await send(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())

        await event("response.created", response={"id": f"resp_{name}"})
        for place, move in moves:
            if isinstance(move, Cut):
                raise Drop
            if isinstance(move, Think):
                await _think(move, event)
            elif isinstance(move, Say):
                await _say(f"msg_{name}{place}", place, move.text, event)
            elif isinstance(move, CALLS):
                arguments = json.dumps(_arguments(move))
                call = {"type": "function_call", "id": f"fc_{name}{place}", "call_id": f"call_{name}"}
                await event(
                    "response.output_item.done",
                    output_index=place,
                    item={**call, "name": "exec_command", "arguments": arguments},
                )
        usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        await event("response.completed", response={"id": f"resp_{name}", "usage": usage})


async def _think(move: Think, event: Event) -> None:
    end = trio.current_time() + move.seconds
    while (left := end - trio.current_time()) > 0:
        await trio.sleep(min(left, PING_SECONDS) if move.alive else left)
        if move.alive:
            await event("response.in_progress")


async def _say(name: str, place: int, text: str, event: Event) -> None:
    item = {"type": "message", "role": "assistant", "id": name}
    await event("response.output_item.added", output_index=place, item={**item, "content": []})
    for start in range(0, len(text), PIECE):
        delta = text[start : start + PIECE]
        await event("response.output_text.delta", item_id=name, output_index=place, content_index=0, delta=delta)
    whole = [{"type": "output_text", "text": text, "annotations": []}]
    await event("response.output_item.done", output_index=place, item={**item, "content": whole})


def _arguments(call: Call) -> Body:
    """A neutral call as one of Codex's shell, which has no other tools for these."""
    match call:
        case WriteFile(path, text):
            return {"cmd": f"printf %s {shlex.quote(text)} > {shlex.quote(path)}"}
        case RunCommand(command, _, asks):
            more = {"sandbox_permissions": "require_escalated", "justification": REASON} if asks else {}
            return {"cmd": command, **more}
        case AskPerson() | WritePlan() | ProposePlan():
            return {"cmd": "true"}
