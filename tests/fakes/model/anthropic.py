"""Anthropic Messages, as Claude Code 2.1 speaks it: parsing what it sends, answering as JSON or as events."""

import json
import math
import re
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
PING_SECONDS = 0.1
PIECE = 40
"""Characters of text in one event."""
ERRORS: Final = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip

_NOT_TYPED = re.compile(
    r"\s*(<(system-reminder|command-\w+|local-command-\w+|bash-\w+|task-notification)\b"
    r"|\[Request interrupted by user|The user sent a new message while you were working"
    r"|Continue from where you left off\.\s*$)"
)
"""Text blocks of the user's role that nobody typed as a prompt of its own."""
_SUGGEST = "[SUGGESTION MODE:"
"""Begins the request for what the user might type next: a side request that brings the tools along."""
_ASIDE = re.compile(r"The user sent a new message while you were working:\n(.*?)\n\nIMPORTANT:", re.DOTALL)
_DIRECTORY = re.compile(r"[Ww]orking directory: (.+)")
_PLAN_FILE = re.compile(r"(/[^\s\"'`]+/plans/[^\s\"'`]+\.md)")


def claims(request: Request) -> bool:
    """Is this request of this dialect?"""
    return (request.method, request.path) in {
        ("HEAD", "/"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens"),
    }


async def greet(exchange: Exchange) -> bool:
    """Answer a request that asks no model; False if it asks one."""
    if exchange.request.method == "HEAD":
        await exchange.answer()
    elif exchange.request.path.endswith("/count_tokens"):
        await exchange.json({"input_tokens": _tokens(exchange.request.body)})
    else:
        return False
    return True


def read(request: Request) -> Dialogue:
    """The conversation that a request sends along."""
    body = request.json()
    prompts: list[str] = []
    results: list[str] = []
    for kind, text in _units(body.get("messages", [])):
        if kind == "prompt":
            prompts.append(text)
            results = []
        else:
            results.append(text)
    conversation = request.headers.get("x-claude-code-session-id") or _session(body)
    asides = _ASIDE.findall("\n".join(_texts(body)))
    side = not body.get("tools") or (prompts != [] and prompts[-1].startswith(_SUGGEST))
    return Dialogue(conversation, tuple(prompts), tuple(results), tuple(asides), side=side)


def _units(messages: list[Body]) -> Iterator[tuple[str, str]]:
    for message in messages:
        if message.get("role") != "user":
            continue
        for block in _blocks(message.get("content", "")):
            if block.get("type") == "tool_result":
                yield "result", "".join(part.get("text", "") for part in _blocks(block.get("content") or ""))
            elif block.get("type") == "text" and not _NOT_TYPED.match(block["text"]):
                yield "prompt", block["text"]


def _texts(body: Body) -> Iterator[str]:
    """All that was said so far, whoever said it."""
    for message in body.get("messages", []):
        for block in _blocks(message.get("content", "")):
            if block.get("type") == "text":
                yield block["text"]


def _blocks(content: str | list[Body]) -> list[Body]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _session(body: Body) -> str:
    try:
        return str(json.loads(body["metadata"]["user_id"])["session_id"])
    except (KeyError, TypeError, ValueError):
        return "none"


def _tokens(data: bytes) -> int:
    return 1 + len(data) // 4


async def refuse(exchange: Exchange, status: Status) -> None:
    """Answer an HTTP error."""
    headers = [] if status.retry_after is None else [("Retry-After", status.retry_after)]
    if status.limit is not None:
        headers += [
            ("x-should-retry", "false"),
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-reset", str(math.ceil(time.time() + status.limit))),
            ("anthropic-ratelimit-unified-representative-claim", "five_hour"),
        ]
    error = {"type": ERRORS.get(status.code, "api_error"), "message": status.text or f"stand-in {status.code}"}
    await exchange.json({"type": "error", "error": error}, status.code, headers)


async def speak(exchange: Exchange, dialogue: Dialogue, moves: list[tuple[int, Move]]) -> None:
    """Answer with these moves."""
    body = exchange.request.json()
    answer = _Answer(body, dialogue, f"{len(dialogue.prompts)}.{len(dialogue.results)}")
    if body.get("stream"):
        async with exchange.streaming("text/event-stream") as send:
            await answer.stream(moves, send)
        return
    for _, move in moves:
        await _pass_time(move)
        answer.add(move)
    await exchange.json(answer.message())


async def _pass_time(move: Move) -> None:
    if isinstance(move, Cut):
        raise Drop
    if isinstance(move, Think):
        await trio.sleep(move.seconds)


class _Answer:
    """One message of the model's."""

    def __init__(self, body: Body, dialogue: Dialogue, place: str) -> None:
        self._body = body
        self._content: list[Body] = []
        self._name = sha256(f"{dialogue.conversation} {place}".encode()).hexdigest()[:20]

    def message(self) -> Body:
        called = any(block["type"] == "tool_use" for block in self._content)
        return {
            "id": f"msg_{self._name}",
            "type": "message",
            "role": "assistant",
            "model": self._body.get("model", "stand-in"),
            "content": self._content,
            "stop_reason": "tool_use" if called else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": _tokens(json.dumps(self._content).encode())},
        }

    def add(self, move: Move) -> Body | None:
        """The content block that a move makes."""
        block: Body
        if isinstance(move, Say):
            block = {"type": "text", "text": move.text}
        elif isinstance(move, CALLS):
            name, arguments = _tool(move, self._body)
            block = {"type": "tool_use", "id": f"toolu_{self._name}", "name": name, "input": arguments}
        else:
            return None
        self._content.append(block)
        return block

    async def stream(self, moves: list[tuple[int, Move]], send: Callable[[bytes], Awaitable[None]]) -> None:
        async def event(kind: str, **fields: object) -> None:
            await send(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())

        await event("message_start", message={**self.message(), "stop_reason": None})
        for _, move in moves:
            if isinstance(move, Think) and move.alive:
                await _ping(move.seconds, event)
            else:
                await _pass_time(move)
            block = self.add(move)
            if block is None:
                continue
            index = len(self._content) - 1
            empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
            await event("content_block_start", index=index, content_block=empty)
            for delta in _deltas(block):
                await event("content_block_delta", index=index, delta=delta)
            await event("content_block_stop", index=index)
        whole = self.message()
        delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        await event("message_delta", delta=delta, usage=whole["usage"])
        await event("message_stop")


def _deltas(block: Body) -> Iterator[Body]:
    if block["type"] == "text":
        for start in range(0, len(block["text"]), PIECE):
            yield {"type": "text_delta", "text": block["text"][start : start + PIECE]}
    else:
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


async def _ping(seconds: float, event: Callable[[str], Awaitable[None]]) -> None:
    end = trio.current_time() + seconds
    while (left := end - trio.current_time()) > 0:
        await trio.sleep(min(left, PING_SECONDS))
        await event("ping")


def _tool(call: Call, body: Body) -> tuple[str, Body]:
    """A neutral call as the tool that Claude Code has for it."""
    match call:
        case WriteFile(path, text):
            absolute = path if path.startswith("/") else f"{_directory(body)}/{path}"
            return "Write", {"file_path": absolute, "content": text}
        case RunCommand(command, background, _):
            how = {"run_in_background": True} if background else {}
            return "Bash", {"command": command, "description": "Rehearsed command", **how}
        case AskPerson(question, options):
            choices = [{"label": each, "description": f"Take {each}"} for each in options]
            asked = {"question": question, "header": "Rehearsal", "options": choices, "multiSelect": False}
            return "AskUserQuestion", {"questions": [asked]}
        case WritePlan(text):
            return "Write", {"file_path": _plan_file(body), "content": text}
        case ProposePlan():
            return "ExitPlanMode", {}


def _directory(body: Body) -> str:
    found = _DIRECTORY.search("\n".join(block.get("text", "") for block in _blocks(body.get("system") or "")))
    return found[1].strip() if found else "."


def _plan_file(body: Body) -> str:
    """Where the CLI wants its plan: it says so in a reminder, the last one counts."""
    found = _PLAN_FILE.findall("\n".join(_texts(body)))
    return str(found[-1]) if found else f"{_directory(body)}/plan.md"
