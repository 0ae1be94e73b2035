"""Types as JSON Schema; the whole description is valid OpenAPI 3.1."""

import operator
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NewType

import pytest
from attrs import field, frozen, validators
from openapi_spec_validator import OpenAPIV31SpecValidator

from supervisor.web import activity, agents, collections, queue, reviews, status, tickets
from supervisor.web.openapi import document, page, with_pages
from supervisor.web.schema import Schemas, constraints

Id = NewType("Id", str)


class Mood(StrEnum):
    GOOD = "good"


@frozen
class Leaf:
    """A leaf."""

    id: Id
    at: datetime
    mood: Mood | None
    way: Literal["a", "b"]
    numbers: dict[str, int | str | None]
    leaves: "tuple[Leaf, ...]" = ()


def test_records() -> None:
    schemas = Schemas()
    assert schemas.of(Leaf) == {"$ref": "#/components/schemas/Leaf"}
    assert schemas.components["Leaf"] == {
        "type": "object",
        "description": "A leaf.",
        "additionalProperties": False,
        "required": ["id", "at", "mood", "way", "numbers", "leaves"],
        "properties": {
            "id": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
            "mood": {"anyOf": [{"type": "string", "enum": ["good"]}, {"type": "null"}]},
            "way": {"type": "string", "enum": ["a", "b"]},
            "numbers": {"type": "object", "additionalProperties": {"type": ["integer", "string", "null"]}},
            "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}},
        },
    }


def test_fields_with_defaults_may_be_absent_from_requests() -> None:
    schemas = Schemas()
    schemas.of(Leaf, asked=True)
    assert "leaves" not in schemas.components["Leaf"]["required"]


@pytest.mark.parametrize(
    ("validator", "demands"),
    [
        (None, {}),
        (validators.ge(1), {"minimum": 1}),
        (validators.lt(3), {"exclusiveMaximum": 3}),
        (validators.and_(validators.gt(0), validators.le(9)), {"exclusiveMinimum": 0, "maximum": 9}),
        (validators.optional(validators.max_len(4)), {"maxLength": 4}),
        (validators.min_len(2), {"minLength": 2}),
        (validators.matches_re("a|b"), {"pattern": "^(?:a|b)$"}),
        (
            validators.deep_iterable(validators.max_len(3), validators.max_len(2)),
            {"maxItems": 2, "items": {"type": "string", "maxLength": 3}},
        ),
    ],
)
def test_validators_are_constraints(validator: Any, demands: dict[str, Any]) -> None:
    assert constraints(validator) == demands


def test_what_cannot_be_described_is_noticed() -> None:
    with pytest.raises(TypeError, match="no JSON Schema"):
        constraints(lambda *_: None)
    with pytest.raises(TypeError, match="no JSON Schema"):
        Schemas().of(operator.attrgetter)


def test_two_records_of_one_name_are_noticed() -> None:
    def other() -> type:
        @frozen
        class Leaf:
            x: int = field()

        return Leaf

    schemas = Schemas()
    schemas.of(Leaf)
    with pytest.raises(TypeError, match="two records"):
        schemas.of(other())


NOUNS = (status, queue, tickets, agents, reviews, collections, activity)
ROUTES = with_pages([route for noun in NOUNS for route in noun.routes], "1.2.3")


CONTRACT = {
    "GET /health",
    "GET /status",
    "GET /issuetypes",
    "GET /metrics",
    "GET /openapi.json",
    "GET /docs",
    "POST /queue/sync",
    "POST /queue/sync/{collection}",
    "GET /collections/{collection}/writes",
    "POST /collections/{collection}/webhook",
    "POST /queue/pause",
    "POST /queue/resume",
    "GET /queue/status",
    "GET /queue/kanban",
    "GET /tickets",
    "POST /tickets",
    "GET /tickets/{ticket}",
    "PATCH /tickets/{ticket}",
    "POST /tickets/{ticket}/launch",
    "POST /tickets/{ticket}/cancel",
    "POST /tickets/{ticket}/retry",
    "POST /tickets/{ticket}/done",
    "POST /tickets/{ticket}/clean",
    "GET /agents",
    "GET /agents/active",
    "GET /agents/{agent}",
    "POST /agents/{agent}/prompt",
    "POST /agents/{agent}/approve",
    "POST /agents/{agent}/reject",
    "POST /agents/{agent}/answer",
    "POST /agents/{agent}/interrupt",
    "POST /agents/{agent}/stop",
    "GET /agents/{agent}/attach",
    "GET /agents/{agent}/screen",
    "GET /agents/{agent}/transcript",
    "GET /agents/{agent}/diff",
    "GET /agents/{agent}/history",
    "GET /reviews",
    "GET /reviews/{review}",
    "GET /reviews/{review}/artifacts/{name}",
    "GET /collections",
    "GET /activity",
}


def test_the_description_is_valid_and_says_all_routes() -> None:
    described = document(ROUTES, "1.2.3")
    OpenAPIV31SpecValidator(described).validate()
    told = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert told == {(route.method, f"/api/v1{route.path}") for route in ROUTES}
    assert {f"{route.method} {route.path}" for route in ROUTES} == CONTRACT
    assert all(operation["summary"] for item in described["paths"].values() for operation in item.values())


def test_only_health_and_what_boards_sign_need_no_token() -> None:
    assert [route.path for route in ROUTES if not route.token] == ["/health", "/collections/{collection}/webhook"]
    assert [route.path for route in ROUTES if route.signed] == ["/collections/{collection}/webhook"]


def test_the_page_needs_nothing_else() -> None:
    text = page(ROUTES, "<script>")
    assert "<script" not in text
    assert "src=" not in text
    assert "href=" not in text
    assert all(route.path in text for route in ROUTES)
