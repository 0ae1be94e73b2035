"""What Claude Code asks by its PermissionRequest hook, and what that hook is answered.

Seen with 2.1.197. Whatever a hook's answer leaves open the CLI asks at its terminal, so an empty one is always safe;
but a question that is merely allowed counts as not answered, and a mode that cannot be set ends silently in another.
"""

import json
from collections.abc import Mapping
from typing import Final, assert_never

from supervisor.adapters.drivers.claude_hooks import PLAN_TOOL, QUESTION_TOOL, question
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

Json = dict[str, object]

SHELL: Final = "Bash"
AFTER_PLAN: Final = ("acceptEdits", "auto", "default")
"""Modes that a plan's approval can end in; asked for another, it ends in the last of these."""
NAME_LIMIT: Final = 200
"""Characters of a tool's name."""


def read_request(payload: Mapping[str, object]) -> Request | None:
    """What a payload asks; None for what is no request, and for one that only its own dialog can show in full."""
    tool, given = payload.get("tool_name"), payload.get("tool_input")
    if (
        payload.get("hook_event_name") != "PermissionRequest"
        or not isinstance(tool, str)
        or not isinstance(given, dict)
    ):
        return None
    if not 0 < len(tool) <= NAME_LIMIT:
        return None
    if tool == QUESTION_TOOL:
        kind, whole = ReviewKind.QUESTION, bool(_questions(given))
    elif tool == PLAN_TOOL:
        kind, whole = ReviewKind.PLAN, isinstance(given.get("plan"), str)
    else:
        kind, whole = ReviewKind.PERMISSION, True
    turn = payload.get("prompt_id")
    if not whole:
        return None
    return Request(kind, tool, _encoded(given), question(payload), turn if isinstance(turn, str) and turn else None)


def questions(request: Request) -> tuple[Question, ...]:
    """What a request of kind `question` asks; nothing for any other."""
    return _questions(_input(request)) if request.kind is ReviewKind.QUESTION else ()


def plan_text(request: Request) -> str:
    """The plan that a request of kind `plan` proposes."""
    plan = _input(request).get("plan")
    return plan if isinstance(plan, str) else ""


def command(request: Request) -> tuple[str, str | None] | None:
    """The shell command that a request wants to run, and what it says of it; None for another tool."""
    given = _input(request)
    what, why = given.get("command"), given.get("description")
    if request.tool != SHELL or not isinstance(what, str):
        return None
    return what, why if isinstance(why, str) else None


def plan_file(request: Request) -> str | None:
    """Where the CLI keeps that plan."""
    path = _input(request).get("planFilePath")
    return path if isinstance(path, str) else None


def answer(request: Request, decision: Decision, mode: str | None) -> Json:
    """The hook's answer that carries the decision out; empty where none does."""
    match decision:
        case Approved():
            return _approved(request, mode)
        case Rejected(reason=reason):
            return _decided({"behavior": "deny", "message": reason})
        case Answered(answers=answers):
            if request.kind is not ReviewKind.QUESTION:
                return {}
            return _decided({"behavior": "allow", "updatedInput": {**_input(request), "answers": dict(answers)}})
        case Pending() | Superseded():
            return {}
        case never:
            assert_never(never)


def mode_after_plan(wanted: str | None) -> str:
    """The mode that an approval with this one leads to."""
    return wanted if wanted in AFTER_PLAN else AFTER_PLAN[-1]


def _approved(request: Request, mode: str | None) -> Json:
    if request.kind is ReviewKind.QUESTION:
        return {}
    if request.kind is not ReviewKind.PLAN or mode not in AFTER_PLAN:
        return _decided({"behavior": "allow"})
    change = {"type": "setMode", "mode": mode, "destination": "session"}
    return _decided({"behavior": "allow", "updatedPermissions": [change]})


def _decided(decision: Json) -> Json:
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def _input(request: Request) -> Json:
    try:
        given = json.loads(request.input)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _encoded(given: Json) -> str:
    """As people read it; in ASCII where it holds what no UTF-8 can carry."""
    text = json.dumps(given, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(given)
    return text


def _questions(given: Mapping[str, object]) -> tuple[Question, ...]:
    """All of them; none if only one is in a form that is not known, for all have to be answered."""
    asked = given.get("questions")
    found = [_question(each) for each in asked] if isinstance(asked, list) else []
    whole = tuple(each for each in found if each is not None)
    distinct = {each.text for each in whole}
    return whole if len(distinct) == len(found) else ()


def _question(asked: object) -> Question | None:
    if not isinstance(asked, dict):
        return None
    text, header, given = asked.get("question"), asked.get("header"), asked.get("options")
    if not isinstance(text, str) or not text.strip() or not isinstance(given, list):
        return None
    options = tuple(option for each in given if (option := _option(each)) is not None)
    if len(options) != len(given):
        return None
    return Question(text, options, header if isinstance(header, str) else "", asked.get("multiSelect") is True)


def _option(given: object) -> Option | None:
    label = given.get("label") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(label, str):
        return None
    description = given.get("description")
    return Option(label, description if isinstance(description, str) else "")
