"""Our queries against GitHub's schema; and what the stand-in takes for GitHub's schemas, against the real ones."""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, parse, validate
from graphql.type import GraphQLEnumType, GraphQLUnionType

from supervisor.adapters.kanban.github import queries
from supervisor.adapters.kanban.github.refs import Ref
from tests.fakes.boards.github.operations import OPERATIONS, Operation
from tests.fakes.boards.github.schemas import full_graphql, full_rest, own_graphql

QUERIES = {name: text for name, text in vars(queries).items() if name.isupper() and not name.startswith("_")}


@pytest.mark.parametrize("name", [*QUERIES, "closed_query"])
@pytest.mark.parametrize("which", [own_graphql, full_graphql])
def test_each_query_is_one_that_github_takes(name: str, which: Any) -> None:
    schema = which()
    if schema is None:
        pytest.skip("OPERATOR_SCHEMAS names no folder with GitHub's schema")
    text = QUERIES.get(name) or queries.closed_query([Ref("a/b", 1), Ref("c/d", 2)])[0]
    assert validate(schema, parse(text)) == []


def test_our_small_schema_is_a_part_of_githubs() -> None:
    full = full_graphql()
    if full is None:
        pytest.skip("OPERATOR_SCHEMAS names no folder with GitHub's schema")
    wrong = [fault for name in own_graphql().type_map if not name.startswith("__") for fault in _faults(name, full)]
    assert wrong == []


def _faults(name: str, full: GraphQLSchema) -> list[str]:
    ours, theirs = own_graphql().type_map[name], full.type_map.get(name)
    if type(ours) is not type(theirs):
        return [f"{name} is another kind of type"]
    if isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
        return [f"{name}.{value}" for value in ours.values if value not in theirs.values]
    if isinstance(ours, GraphQLUnionType) and isinstance(theirs, GraphQLUnionType):
        known = {each.name for each in theirs.types}
        return [f"{name} = {each.name}" for each in ours.types if each.name not in known]
    fielded = GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType
    if not isinstance(ours, fielded) or not isinstance(theirs, fielded):
        return []
    wrong = []
    for field, ours_of in ours.fields.items():
        theirs_of = theirs.fields.get(field)
        if theirs_of is None or str(theirs_of.type) != str(ours_of.type):
            wrong.append(f"{name}.{field}: {ours_of.type}")
            continue
        arguments = getattr(ours_of, "args", {})
        wrong += [f"{name}.{field}({each})" for each in arguments if each not in getattr(theirs_of, "args", {})]
    return wrong


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_our_operations_are_githubs(operation: Operation) -> None:
    document = full_rest()
    if document is None:
        pytest.skip("OPERATOR_SCHEMAS names no folder with GitHub's description")
    theirs = document["paths"][operation.path][operation.method.lower()]
    known = {_resolved(document, each)["name"] for each in theirs.get("parameters", [])}
    assert operation.query <= known
    assert {str(each) for each in operation.answers} <= set(theirs["responses"])
    if operation.body is not None:
        schema = theirs["requestBody"]["content"]["application/json"]["schema"]
        bodies = [schema, *schema.get("oneOf", [])]
        properties = {name for each in bodies for name in each.get("properties", {})}
        required = {name for each in bodies for name in each.get("required", [])}
        assert set(operation.body["properties"]) <= properties
        assert required <= set(operation.body["required"])


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if reference is None:
        return value
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)
