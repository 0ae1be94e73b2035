"""What Claude Code asks and is answered. The JSON is what 2.1.197 obeyed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude_hooks import read_hook
from supervisor.adapters.drivers.claude_requests import answer, mode_after_plan, plan_text, questions, read_request
from supervisor.domain.hooks import Asked
from supervisor.domain.review import (
    Answered,
    Approved,
    Decision,
    Option,
    Pending,
    Question,
    Rejected,
    Request,
    ReviewKind,
    Superseded,
)
from tests.strategies import of_type

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
YES = Approved(NOON, "Ann")
ASKED = {"question": "Which db?", "header": "DB", "multiSelect": True, "options": [{"label": "A", "description": "a"}]}


def payload(tool: str, given: object, **more: object) -> dict[str, object]:
    return {"hook_event_name": "PermissionRequest", "tool_name": tool, "tool_input": given, **more}


def request(tool: str, given: dict[str, object]) -> Request:
    found = read_request(payload(tool, given, prompt_id="p"))
    assert found is not None
    return found


RUN = request("Bash", {"command": "touch ü", "description": "Make it"})
PLAN = request("ExitPlanMode", {"plan": "# Plan\n1. Do it\n", "planFilePath": "/h/.claude/plans/x.md"})
ASK = request("AskUserQuestion", {"questions": [ASKED], "metadata": {"source": "x"}})


def decided(**decision: object) -> dict[str, object]:
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def test_requests_are_told_apart() -> None:
    assert Request(ReviewKind.PERMISSION, "Bash", RUN.input, "It wants to use Bash: touch ü", "p") == RUN
    assert json.loads(RUN.input) == {"command": "touch ü", "description": "Make it"}
    assert "ü" in RUN.input
    assert (PLAN.kind, PLAN.question, plan_text(PLAN)) == (ReviewKind.PLAN, "It proposes a plan.", "# Plan\n1. Do it\n")
    assert (ASK.kind, ASK.question) == (ReviewKind.QUESTION, "Which db?")
    assert questions(ASK) == (Question("Which db?", (Option("A", "a"),), "DB", multiple=True),)
    assert (questions(RUN), plan_text(RUN)) == ((), "")


@pytest.mark.parametrize(
    "told",
    [
        {},
        payload("Bash", {}) | {"hook_event_name": "PreToolUse"},
        payload("Bash", "ls"),
        payload("Bash", None),
        payload("", {}),
        payload("x" * 300, {}),
        payload(7, {}),  # type: ignore[arg-type]  # as it may come
        payload("ExitPlanMode", {}),
        payload("ExitPlanMode", {"plan": 7}),
        payload("AskUserQuestion", {}),
        payload("AskUserQuestion", {"questions": []}),
        payload("AskUserQuestion", {"questions": "all"}),
        payload("AskUserQuestion", {"questions": [ASKED, {**ASKED, "question": 7}]}),
        payload("AskUserQuestion", {"questions": [ASKED, ASKED]}),
        payload("AskUserQuestion", {"questions": [{**ASKED, "options": [7]}]}),
        payload("AskUserQuestion", {"questions": [{"question": " ", "options": []}]}),
    ],
)
def test_what_only_the_terminal_can_show_is_no_request(told: dict[str, object]) -> None:
    assert read_request(told) is None


REASON = "No — not\nso.\t“Quoted” \\ \u2028" + "ü" * 10_000


def test_a_command_is_allowed_or_denied_with_the_reason_to_the_letter() -> None:
    assert answer(RUN, YES, None) == decided(behavior="allow")
    assert answer(RUN, YES, "acceptEdits") == decided(behavior="allow")  # a mode is a plan's
    assert answer(RUN, Rejected(NOON, "Ann", REASON), None) == decided(behavior="deny", message=REASON)
    assert answer(RUN, Answered(NOON, "Ann", {"x": "y"}), None) == {}


@pytest.mark.parametrize(
    ("mode", "set_to", "after"),
    [
        (None, None, "default"),
        ("default", "default", "default"),
        ("acceptEdits", "acceptEdits", "acceptEdits"),
        ("auto", "auto", "auto"),
        ("plan", None, "default"),
        ("bypassPermissions", None, "default"),
        ("dontAsk", None, "default"),
    ],
)
def test_a_plan_is_approved_into_a_mode_that_can_be_set(mode: str | None, set_to: str | None, after: str) -> None:
    change = {"type": "setMode", "mode": set_to, "destination": "session"}
    more = {} if set_to is None else {"updatedPermissions": [change]}
    assert answer(PLAN, YES, mode) == decided(behavior="allow", **more)
    assert mode_after_plan(mode) == after
    assert answer(PLAN, Rejected(NOON, "Ann", "no"), mode) == decided(behavior="deny", message="no")


def test_a_question_is_answered_with_all_that_was_asked_and_never_merely_allowed() -> None:
    answered = answer(ASK, Answered(NOON, "Ann", {"Which db?": "B, of course"}), None)
    given = {"questions": [ASKED], "metadata": {"source": "x"}, "answers": {"Which db?": "B, of course"}}
    assert answered == decided(behavior="allow", updatedInput=given)
    assert answer(ASK, YES, None) == {}
    assert answer(ASK, Rejected(NOON, "Ann", "neither"), None) == decided(behavior="deny", message="neither")


@pytest.mark.parametrize("asked", [RUN, PLAN, ASK])
def test_without_a_verdict_the_terminal_decides(asked: Request) -> None:
    for decision in (Pending(), Superseded(NOON, "answered there")):
        assert answer(asked, decision, "acceptEdits") == {}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
TOOLS = st.sampled_from(["Bash", "AskUserQuestion", "ExitPlanMode", "", "mcp__x__y"]) | JSON
INPUTS = JSON | st.fixed_dictionaries({}, optional={"questions": JSON | st.lists(JSON), "plan": JSON, "command": JSON})


@given(TOOLS, INPUTS, JSON)
def test_no_payload_is_an_error_and_what_is_asked_comes_back_whole(tool: Any, given: Any, turn: Any) -> None:
    told = payload(tool, given, prompt_id=turn)
    found = read_request(told)
    if found is None:
        return
    assert json.loads(found.input) == given
    found.input.encode()
    event = read_hook(told, NOON)
    assert isinstance(event, Asked)
    assert event.question == found.question  # by which the request is known for the one that the agent asks
    for question in questions(found):
        assert question.text
    if found.kind is ReviewKind.QUESTION:
        assert questions(found)


@given(of_type(Request), of_type(Decision), st.none() | st.text())
def test_no_stored_request_is_an_error(stored: Request, decision: Decision, mode: str | None) -> None:
    json.dumps(answer(stored, decision, mode))
    plan_text(stored)
    questions(stored)
