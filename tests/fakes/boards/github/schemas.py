"""What requests and answers must look like: GitHub's own schemas where OPERATOR_SCHEMAS has them, else ours."""

import gzip
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema
from jsonschema import Draft202012Validator, ValidationError

from tests.fakes.boards.github.operations import OPERATIONS, Operation

HERE = Path(__file__).parent


def kept(name: str) -> bytes | None:
    """A file of the folder that OPERATOR_SCHEMAS names."""
    folder = os.environ.get("OPERATOR_SCHEMAS")
    path = Path(folder) / name if folder else None
    return gzip.decompress(path.read_bytes()) if path is not None and path.exists() else None


@cache
def full_graphql() -> GraphQLSchema | None:
    text = kept("github-schema.graphql.gz")
    return build_schema(text.decode(), assume_valid=True) if text is not None else None


@cache
def own_graphql() -> GraphQLSchema:
    return build_schema((HERE / "schema.graphql").read_text())


def graphql() -> GraphQLSchema:
    return full_graphql() or own_graphql()


@cache
def full_rest() -> dict[str, Any] | None:
    text = kept("github-rest-subset-openapi.json.gz")
    if text is None:
        return None
    document: dict[str, Any] = json.loads(text)
    return _as_json_schema(document)


def _as_json_schema(value: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema names a type; `format` and examples are left out."""
    if isinstance(value, list):
        return [_as_json_schema(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _as_json_schema(each) for key, each in value.items() if key not in ("example", "examples")}
    if plain.pop("nullable", False) is not True:
        return plain
    if "enum" in plain and None not in plain["enum"]:
        plain["enum"] = [*plain["enum"], None]
    return {"anyOf": [plain, {"type": "null"}]}


def operation(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a request, and what its path names."""
    for each in OPERATIONS:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(each.path))
        found = re.fullmatch(pattern, path)
        if each.method == method and found is not None:
            return each, found.groupdict()
    return None


def faults(asked: Operation, query: Mapping[str, str], body: object) -> list[str]:
    """Why GitHub would not take a request."""
    found = [f"unknown parameter {name}" for name in query if name not in asked.query]
    found += [
        f"{name} is {query[name]}"
        for name, allowed in asked.enums.items()
        if query.get(name, allowed[0]) not in allowed
    ]
    if asked.body is not None:
        found += [each.message for each in Draft202012Validator(asked.body).iter_errors(body)]
    elif body is not None:
        found.append("it has a body")
    document = full_rest()
    if document is not None and asked.body is not None:
        schema = document["paths"][asked.path][asked.method.lower()]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        found += _errors(document, schema, body)
    return found


def answer_faults(asked: Operation, status: int, body: object) -> list[str]:
    """Why an answer is none of GitHub's; nothing is known of that without its description."""
    document = full_rest()
    described = document["paths"][asked.path][asked.method.lower()]["responses"].get(str(status)) if document else None
    if document is None or described is None or "content" not in described:
        return []
    return _errors(document, described["content"]["application/json"]["schema"], body)


def _errors(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [_said(each) for each in validator.iter_errors(value)]


def _said(error: ValidationError) -> str:
    return f"{error.json_path}: {error.message[:200]}"
