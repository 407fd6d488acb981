"""What a document costs, by GitHub's rule: the requests that its connections stand for, divided by 100, at least 1.

Each connection counts as often as the connections around it can have nodes. Nodes are counted too, since GitHub refuses
a document that could ask for more than 500,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

MOST_NODES = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Points taken off the allowance, and how many nodes the answer can have."""

    points: int
    nodes: int


@dataclass(frozen=True, slots=True)
class _Document:
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, object]

    def connections(self, selections: SelectionSetNode | None, times: int) -> Iterator[tuple[int, int]]:
        """Yield for each connection how often it is asked for and how many nodes it can have in all."""
        for selection in selections.selections if selections else ():
            if isinstance(selection, FragmentSpreadNode):
                fragment = self.fragments.get(selection.name.value)
                yield from self.connections(fragment.selection_set if fragment else None, times)
            elif isinstance(selection, InlineFragmentNode):
                yield from self.connections(selection.selection_set, times)
            elif isinstance(selection, FieldNode):
                size = self._size(selection)
                if size is not None:
                    yield times, times * size
                yield from self.connections(selection.selection_set, times * (1 if size is None else size))

    def _size(self, field: FieldNode) -> int | None:
        given = {argument.name.value: self._number(argument.value) for argument in field.arguments or ()}
        sizes = [given[name] for name in ("first", "last") if given.get(name) is not None]
        return max((size for size in sizes if size is not None), default=None)

    def _number(self, value: ValueNode) -> int | None:
        if isinstance(value, IntValueNode):
            return int(value.value)
        found = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
        return found if isinstance(found, int) else None


def cost_of(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Cost:
    """Return the cost of one operation of a document that has been found valid."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    defaults = {
        one.variable.name.value: int(one.default_value.value)
        for one in operation.variable_definitions or ()
        if isinstance(one.default_value, IntValueNode)
    }
    found = list(_Document(fragments, {**defaults, **variables}).connections(operation.selection_set, 1))
    requests, nodes = sum(times for times, _ in found), sum(nodes for _, nodes in found)
    return Cost(points=max(1, round(requests / 100)), nodes=nodes)
