"""Linear's schema: the whole one where OPERATOR_SCHEMAS names a folder with it, else the part that is ours."""

import gzip
import os
from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

OURS = Path(__file__).with_name("schema.graphql")


def whole() -> Path | None:
    """The file with the whole schema, if it is at hand."""
    folder = os.environ.get("OPERATOR_SCHEMAS")
    path = Path(folder, "linear-schema.graphql.gz") if folder else None
    return path if path is not None and path.exists() else None


@cache
def schema() -> GraphQLSchema:
    path = whole()
    text = gzip.decompress(path.read_bytes()).decode() if path is not None else OURS.read_text()
    return build_schema(text, assume_valid=True)


@cache
def ours() -> GraphQLSchema:
    return build_schema(OURS.read_text())
