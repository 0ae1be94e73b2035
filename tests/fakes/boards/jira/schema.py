"""What Jira's requests and answers look like: by its own OpenAPI document where there is one, else by our own types.

`OPERATOR_SCHEMAS` names a folder that holds the document, which is not in this repository. `types.json` is ours: the
few operations that Operator uses, which a test holds against the document.
"""

import gzip
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, Draft7Validator
from jsonschema.protocols import Validator

HERE = Path(__file__).parent
DOCUMENT = "jira-cloud-platform-openapi-v3.json.gz"
ADF = "adf.json"
"""Atlassian's own schema of its documents, from the package `@atlaskit/adf-schema` (dist/json-schema/v1/full.json)."""


def kept(name: str) -> Path | None:
    """A file of the folder that OPERATOR_SCHEMAS names."""
    folder = os.environ.get("OPERATOR_SCHEMAS")
    path = Path(folder, name) if folder else None
    return path if path is not None and path.exists() else None


@cache
def ours() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "types.json").read_bytes())
    return found


@cache
def full() -> dict[str, Any] | None:
    path = kept(DOCUMENT)
    return None if path is None else json.loads(gzip.decompress(path.read_bytes()))


@cache
def _adf_validators() -> list[Validator]:
    found: list[Validator] = [Draft7Validator(json.loads((HERE / "adf.schema.json").read_bytes()))]
    path = kept(ADF)
    return found if path is None else [*found, Draft4Validator(json.loads(path.read_bytes()))]


def adf_faults(document: object) -> list[str]:
    """Why Jira would refuse a document."""
    return [error.message[:300] for each in _adf_validators() for error in each.iter_errors(document)]


class Contract:
    """One OpenAPI document, asked about single requests and answers."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._validators: dict[str, Validator] = {}

    def request_faults(self, method: str, path: str, query: Mapping[str, str], body: object) -> list[str]:
        operation = self._operation(method, path)
        if operation is None:
            return [f"there is no {method} {path}"]
        known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
        faults = [f"there is no parameter {name}" for name in query if name not in known]
        schema = _schema_of(operation.get("requestBody"))
        if schema is None:
            return faults if body is None else [*faults, "there is a body, and should be none"]
        return faults + self._faults(schema, body)

    def answer_faults(self, method: str, path: str, status: int, body: object) -> list[str]:
        operation = self._operation(method, path)
        response = operation["responses"].get(str(status)) if operation is not None else None
        if response is None:
            return [f"{method} {path} never answers {status}"]
        schema = _schema_of(response)
        return [] if schema is None or status >= 400 else self._faults(schema, body)

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._document["paths"].get(path, {}).get(method.lower())
        return found

    def _faults(self, schema: Mapping[str, Any], value: object) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {"allOf": [schema], "components": self._document["components"]}
            self._validators[key] = Draft4Validator(whole)
        return [f"{error.json_path}: {error.message[:300]}" for error in self._validators[key].iter_errors(value)]


def _schema_of(part: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    for media in ((part or {}).get("content") or {}).values():
        schema: Mapping[str, Any] = media.get("schema", {})
        return schema
    return None


@cache
def contracts() -> tuple[Contract, ...]:
    """Ours, and Atlassian's where it is there."""
    document = full()
    return (Contract(ours()),) if document is None else (Contract(ours()), Contract(document))
