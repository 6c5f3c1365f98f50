"""Circles: the cells because of which a workbook is calculated from itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from xlbackprop.checker.calculation.graph import Graph

Edge = tuple[int, int]
"""A cell, and one that it reads."""


def turning_cells(graph: Graph, circular: Collection[int]) -> list[int]:
    """Of cells in circles, those with the one reference that goes against the way of all others.

    A training goes on down a sheet, or across it: what refers to a later step closes the circle. All of the cells
    where no such reference is found.

    Args:
        graph: the cells.
        circular: those that are calculated from themselves.
    """
    edges = [
        (node, operand)
        for node in circular
        for operand in dict.fromkeys(graph.operands(node).tolist())
        if operand in circular
    ]
    best: tuple[int, set[Edge]] | None = None
    for axis in (1, 2):
        back, ahead = (_by_formula(graph, edges, axis, sign) for sign in (-1, 1))
        for few, many in ((ahead, back), (back, ahead)):
            against = {edge for some in few.values() for edge in some}
            is_better = few and len(few) <= len(many) and (best is None or len(few) < best[0])
            if is_better and not _has_circle(edge for edge in edges if edge not in against):
                best = len(few), against
    return sorted({node for node, _ in best[1]} if best is not None else circular)


def _by_formula(graph: Graph, edges: Iterable[Edge], axis: int, sign: int) -> Mapping[int, list[Edge]]:
    """What is read so many rows, or columns, before a cell or after it, by the formula that reads it."""
    found: dict[int, list[Edge]] = defaultdict(list)
    for node, operand in edges:
        here, there = graph.positions[node], graph.positions[operand]
        if here[0] == there[0] and sign * (int(there[axis]) - int(here[axis])) > 0:
            found[id(graph.formulas[node])].append((node, operand))
    return found


def _has_circle(edges: Iterable[Edge]) -> bool:
    """Whether cells are left that are read by one another, once those that nothing reads are taken away in turn."""
    operands: dict[int, list[int]] = defaultdict(list)
    readers: dict[int, int] = defaultdict(int)
    for node, operand in edges:
        operands[node].append(operand)
        readers[operand] += 1
    ahead = [node for node in operands if not readers[node]]
    while ahead:
        for operand in operands.get(ahead.pop(), ()):
            readers[operand] -= 1
            if not readers[operand]:
                ahead.append(operand)
    return any(readers.values())
