"""The part of GitHub's REST that Operator uses, in our own words; a test holds it against GitHub's description."""

from typing import Any

from attrs import Factory, frozen

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
PER_PAGE = frozenset({"per_page", "page"})


@frozen
class Operation:
    """One request that is allowed."""

    method: str
    path: str
    query: frozenset[str] = frozenset()
    body: dict[str, Any] | None = None
    """A JSON Schema."""
    answers: tuple[int, ...] = (200,)
    enums: dict[str, tuple[str, ...]] = Factory(dict)
    partial: bool = False
    """The stand-in's answer has only what is read of it."""


def _object(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"
_LIST_ENUMS = {
    "state": ("open", "closed", "all"),
    "sort": ("created", "updated", "comments"),
    "direction": ("asc", "desc"),
}
OPERATIONS = (
    Operation("GET", "/repos/{owner}/{repo}", partial=True),
    Operation(
        "GET",
        "/repos/{owner}/{repo}/issues",
        PER_PAGE | {"state", "sort", "direction", "since", "labels"},
        enums=_LIST_ENUMS,
    ),
    Operation(
        "POST", "/repos/{owner}/{repo}/issues", body=_object(("title",), title=_TEXT, body=_TEXT, labels=_TEXTS),
        answers=(201,),
    ),
    Operation("GET", _ISSUE),
    Operation(
        "PATCH",
        _ISSUE,
        body=_object(
            title=_TEXT,
            body=_TEXT,
            labels=_TEXTS,
            state={"type": "string", "enum": ["open", "closed"]},
            state_reason={"type": "string", "enum": ["completed", "not_planned", "duplicate", "reopened"]},
        ),
    ),
    Operation("POST", f"{_ISSUE}/labels", body=_object(("labels",), labels={**_TEXTS, "minItems": 1})),
    Operation("DELETE", f"{_ISSUE}/labels/{{name}}"),
    Operation("GET", f"{_ISSUE}/dependencies/blocked_by", PER_PAGE),
    Operation("GET", "/repos/{owner}/{repo}/labels/{name}"),
    Operation(
        "POST",
        "/repos/{owner}/{repo}/labels",
        body=_object(("name",), name=_TEXT, color=_TEXT, description={"type": "string", "maxLength": 100}),
        answers=(201,),
    ),
)  # fmt: skip
