"""The stand-in model itself, without a CLI."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio

from tests.fakes.model.script import CALLS, DONE, RunCommand, Say, Status, next_moves, turn_moves
from tests.fakes.model.server import TITLE, Model, serving

Body = dict[str, Any]
USER = json.dumps({"session_id": "s-1"})
SYSTEM = "# Environment\n - Primary working directory: /work\n"


class Client:
    """A CLI at its simplest: it keeps the conversation and sends all of it."""

    def __init__(self, model: Model, http: httpx2.AsyncClient) -> None:
        self.model = model
        self.messages: list[Body] = []
        self._http = http

    def request(self, *, stream: bool, tools: bool = True) -> Body:
        named = [{"name": "Bash"}] if tools else []
        whole = {"messages": self.messages, "system": SYSTEM, "tools": named, "stream": stream}
        return {"model": "m", "metadata": {"user_id": USER}, **whole}

    async def send(self, content: str | list[Body], *, stream: bool = False, tools: bool = True) -> httpx2.Response:
        self.messages.append({"role": "user", "content": content})
        return await self.retry(stream=stream, tools=tools)

    async def retry(self, *, stream: bool = False, tools: bool = True) -> httpx2.Response:
        answer = await self._http.post("/v1/messages?beta=true", json=self.request(stream=stream, tools=tools))
        if answer.status_code == 200 and not stream:
            self.messages.append({"role": "assistant", "content": answer.json()["content"]})
        return answer


@asynccontextmanager
async def talking() -> AsyncIterator[Client]:
    async with serving() as model, httpx2.AsyncClient(base_url=model.url, trust_env=False) as http:
        yield Client(model, http)


def text(answer: httpx2.Response) -> str:
    return "".join(block.get("text", "") for block in answer.json()["content"])


def result(answer: httpx2.Response, given: str) -> list[Body]:
    """The CLI's message with what a tool call gave."""
    call = answer.json()["content"][-1]
    assert call["type"] == "tool_use"
    return [{"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": given}]}]


def test_a_turn_is_cut_into_answers_at_its_calls() -> None:
    moves = turn_moves(["rehearse: say a\nrehearse: run x\nrehearse: run y\nrehearse: say b\nrehearse: run z"])
    answers = [[move for _, move in next_moves(moves, results)] for results in range(4)]
    assert answers[0] == [Say("a"), RunCommand("x")]
    assert answers[1:] == [[RunCommand("y")], [Say("b"), RunCommand("z")], [DONE]]
    assert all(sum(isinstance(move, CALLS) for move in answer) <= 1 for answer in answers)


@pytest.mark.parametrize("line", ["dance wildly", "think long", "status", "status soon"])
def test_a_line_that_makes_no_sense_is_answered_as_one(line: str) -> None:
    (move,) = turn_moves([f"rehearse: {line}"])
    assert isinstance(move, Say)
    assert move.text.startswith("Error:")


def test_turns_and_prompts_without_a_script() -> None:
    first = "rehearse: turn 1: status 429 7\nrehearse: turn 2: say two"
    assert turn_moves([first]) == [Status(429, "7")]
    assert turn_moves([first, "Go on."]) == [Say("two")]
    assert turn_moves([first, "Go on.", "And on."]) == [DONE]


async def test_tools_are_called_and_their_results_move_the_script_on() -> None:
    async with talking() as client:
        answer = await client.send("rehearse: write a.txt one\\ntwo\nrehearse: run ls\nrehearse: say done it")
        call = answer.json()["content"][0]
        assert (call["name"], call["input"]) == ("Write", {"file_path": "/work/a.txt", "content": "one\ntwo\n"})
        assert answer.json()["stop_reason"] == "tool_use"
        again = await client.send(result(answer, "ok"))
        assert again.json()["content"][0]["input"]["command"] == "ls"
        assert again.json()["content"][0]["id"] != call["id"]
        last = await client.send(result(again, "a.txt"))
        assert (text(last), last.json()["stop_reason"]) == ("done it", "end_turn")
        assert [asked.dialogue.results for asked in client.model.of("s-1")] == [(), ("ok",), ("ok", "a.txt")]


async def test_what_reached_the_model_is_what_was_typed() -> None:
    reminder = {"type": "text", "text": "<system-reminder>\nrehearse: say wrong\n</system-reminder>"}
    typed = "  Grüße\n\trehearse: say right \n"
    async with talking() as client:
        answer = await client.send([reminder, {"type": "text", "text": typed}])
        assert text(answer) == "right"
        (asked,) = client.model.of("s-1")
        assert asked.dialogue.prompts == (typed,)


async def test_a_stream_says_the_same_in_events() -> None:
    async with talking() as client:
        long = "word " * 30
        answer = await client.send(
            f"rehearse: say {long}\nrehearse: think 0.25\nrehearse: ask Which? | A | B", stream=True
        )
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        kinds = [event["type"] for event in events]
        assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
        assert "ping" in kinds
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert "".join(delta.get("text", "") for delta in deltas) == long.strip()
        (question,) = json.loads(deltas[-1]["partial_json"])["questions"]
        assert [option["label"] for option in question["options"]] == ["A", "B"]
        assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_plan_goes_where_the_cli_wants_it() -> None:
    where = {"role": "system", "content": "Write it to /home/.claude/plans/nice-name.md, please."}
    async with talking() as client:
        client.messages.append(where)
        answer = await client.send("rehearse: plan # Plan")
        assert answer.json()["content"][0]["input"]["file_path"] == "/home/.claude/plans/nice-name.md"
        propose = await client.send(result(answer, "written"))
        assert propose.json()["content"][0]["name"] == "ExitPlanMode"


async def test_faults_are_had_once() -> None:
    async with talking() as client:
        answer = await client.send("rehearse: status 529 3\nrehearse: drop\nrehearse: say at last")
        assert (answer.status_code, answer.headers["retry-after"]) == (529, "3")
        assert answer.json()["error"]["type"] == "overloaded_error"
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.retry()
        assert text(await client.retry()) == "at last"
        await client.model.until(lambda asked: asked.outcome == "answered")
        outcomes = [asked.outcome for asked in client.model.of("s-1")]
        assert outcomes == ["status 529", "dropped", "answered"]


async def test_a_client_that_goes_cuts_the_answer() -> None:
    async with talking() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, "rehearse: hang forever")
            await client.model.until(lambda asked: asked.outcome == "open")
            nursery.cancel_scope.cancel()
        await client.model.until(lambda asked: asked.outcome == "cut")


async def test_requests_beside_the_conversation_are_harmless() -> None:
    async with talking() as client:
        answer = await client.send("rehearse: status 500", tools=False)
        assert text(answer) == TITLE.text
        assert client.model.of("s-1") == []
        async with httpx2.AsyncClient(base_url=client.model.url, trust_env=False) as http:
            assert (await http.head("/")).status_code == 200
            assert (await http.post("/v1/messages/count_tokens", json={})).json()["input_tokens"] > 0
            assert client.model.strays == []
            assert (await http.get("/elsewhere")).status_code == 404
            assert [stray.path for stray in client.model.strays] == ["/elsewhere"]
