"""OpenAI chat completions, as opencode 1.18 speaks it: parsing what it sends, answering as events."""

import json
import shlex
from collections.abc import Iterator
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
PING_SECONDS = 0.1
PIECE = 40
"""Characters of text in one event."""
PATH: Final = "/chat/completions"


def claims(request: Request) -> bool:
    """Is this request of this dialect?"""
    return request.method == "POST" and request.path.endswith(PATH)


async def greet(exchange: Exchange) -> bool:
    """All of its requests ask the model."""
    return False


def read(request: Request) -> Dialogue:
    """The conversation that a request sends along."""
    body = request.json()
    prompts: list[str] = []
    results: list[str] = []
    for message in body.get("messages", []):
        text = "".join(_texts(message.get("content")))
        if message.get("role") == "user":
            prompts.append(text)
            results = []
        elif message.get("role") == "tool":
            results.append(text)
    headers = request.headers
    conversation = headers.get("x-session-affinity") or headers.get("x-opencode-session") or "none"
    return Dialogue(conversation, tuple(prompts), tuple(results), side=not body.get("tools"))


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


async def refuse(exchange: Exchange, status: Status) -> None:
    """Answer an HTTP error."""
    wait = status.retry_after if status.limit is None else f"{status.limit:.0f}"
    headers = [] if wait is None else [("Retry-After", wait)]
    error = {"type": "invalid_request_error", "message": status.text or f"stand-in {status.code}"}
    await exchange.json({"error": error}, status.code, headers)


async def speak(exchange: Exchange, dialogue: Dialogue, moves: list[tuple[int, Move]]) -> None:
    """Answer with these moves."""
    name = sha256(f"{dialogue.conversation} {len(dialogue.prompts)}.{len(dialogue.results)}".encode()).hexdigest()[:20]
    whole = {"id": name, "object": "chat.completion.chunk", "created": 0, "model": "stand-in"}
    async with exchange.streaming("text/event-stream") as send:

        async def chunk(delta: Body, reason: str | None = None, **more: object) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            await send(f"data: {json.dumps({**whole, 'choices': [choice], **more})}\n\n".encode())

        await chunk({"role": "assistant", "content": ""})
        reason = "stop"
        for _, move in moves:
            if isinstance(move, Cut):
                raise Drop
            if isinstance(move, Think):
                end = trio.current_time() + move.seconds
                while (left := end - trio.current_time()) > 0:
                    await trio.sleep(min(left, PING_SECONDS) if move.alive else left)
                    if move.alive:
                        await chunk({})
            elif isinstance(move, Say):
                for start in range(0, len(move.text), PIECE):
                    await chunk({"content": move.text[start : start + PIECE]})
            elif isinstance(move, CALLS):
                tool, arguments = _tool(move)
                function = {"name": tool, "arguments": json.dumps(arguments)}
                call = {"index": 0, "id": f"call_{name}", "type": "function", "function": function}
                await chunk({"tool_calls": [call]})
                reason = "tool_calls"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        await chunk({}, reason, usage=usage)
        await send(b"data: [DONE]\n\n")


def _tool(call: Call) -> tuple[str, Body]:
    """A neutral call as the tool that opencode has for it."""
    match call:
        case WriteFile(path, text):
            command = f"printf %s {shlex.quote(text)} > {shlex.quote(path)}"
            return "bash", {"command": command, "description": "Rehearsed file"}
        case RunCommand(command, _, _):
            return "bash", {"command": command, "description": "Rehearsed command"}
        case AskPerson(question, options):
            choices = [{"label": each, "description": f"Take {each}"} for each in options]
            return "question", {"questions": [{"question": question, "header": "Rehearsal", "options": choices}]}
        case WritePlan() | ProposePlan():
            return "bash", {"command": "true", "description": "Rehearsed plan"}
