"""What Linear charges for a query: a tenth for a property, one for an object, times the page that it stands on."""

import math
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

MOST = 10_000
"""A query that would cost more is refused."""


def points(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    assert not any(isinstance(each, FragmentDefinitionNode) for each in document.definitions), (
        "fragments are not counted"
    )
    return math.ceil(sum(_of(each.selection_set, variables) for each in operations))


def _of(selections: SelectionSetNode, variables: Mapping[str, Any]) -> float:
    total = 0.0
    for each in selections.selections:
        assert isinstance(each, FieldNode)
        if each.selection_set is None:
            total += 0.1
        else:
            total += (1 + _of(each.selection_set, variables)) * _page(each, variables)
    return total


def _page(field: FieldNode, variables: Mapping[str, Any]) -> int:
    for argument in field.arguments or ():
        if argument.name.value == "first":
            if isinstance(argument.value, VariableNode):
                return int(variables[argument.value.name.value])
            assert isinstance(argument.value, IntValueNode)
            return int(argument.value.value)
    paged = field.selection_set is not None and any(
        isinstance(each, FieldNode) and each.name.value == "nodes" for each in field.selection_set.selections
    )
    return 50 if paged else 1
