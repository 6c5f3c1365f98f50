"""Telling: the mistakes of a calculation as findings, one for the cells that share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from xlbackprop.checker.calculation.graph import Graph, skeleton
from xlbackprop.checker.calculation.judgement import Mistake
from xlbackprop.checker.calculation.names import label
from xlbackprop.checker.file.formula import Formulas, Node, Position, UnsupportedError, evaluate
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.report.findings import Finding, shortened
from xlbackprop.grid import ranges


def findings_of(graph: Graph, mistakes: Sequence[Mistake], recalculated: Values) -> list[Finding]:
    """The findings, in the order of the sheets and of the cells on them."""
    groups: dict[tuple[object, ...], list[Mistake]] = defaultdict(list)
    for mistake in mistakes:
        sheet, row, column = graph.positions[mistake.node]
        kind = int(graph.kind_of[mistake.node])
        alike: tuple[object, ...] = (kind,) if kind >= 0 else (kind, column)
        if (row, column) in graph.book.by_name[sheet].content.arrays:
            alike = ("array", skeleton(graph, mistake.node))
        groups[(sheet, mistake.kind, *alike)].append(mistake)
    found = [
        _finding(graph, sorted(members, key=lambda one: graph.positions[one.node]), recalculated)
        for members in groups.values()
    ]
    return [finding for _, finding in sorted(found, key=lambda item: item[0])]


def _finding(graph: Graph, members: Sequence[Mistake], recalculated: Values) -> tuple[tuple[int, int, int], Finding]:
    first = members[0]
    sheet, row, column = graph.positions[first.node]
    cells = ranges([graph.positions[one.node][1:] for one in members])
    name = label(graph, first.node)
    names = [text for text in dict.fromkeys(label(graph, one.node) for one in members) if text]
    named = ", ".join(names[:4]) if names else cells[0].partition(":")[0]
    formula = graph.formulas[first.node]
    cell = graph.cell(first.node)
    value = recalculated.get((sheet, row, column), cell.value)
    correct = value_of(graph, first.formula, sheet, recalculated)
    subject = f"{named} in {shortened(cells)}" if names else shortened(cells)
    stands = f"={formula.written(row, column)}" if formula is not None else f"{cell.value}"
    order = {other.name: index for index, other in enumerate(graph.book.sheets)}
    expected = first.formula or f"the derivative that {name or 'the cell'} stands for"
    message = f"{subject} {first.words}"
    finding = Finding(sheet, cells, named, first.kind, stands, expected, value, correct, message)
    return (order[sheet], row, column), finding


def value_of(graph: Graph, text: str, sheet: str, recalculated: Values) -> float | None:
    """What a formula gives with the present numbers of a workbook; None where it gives no number."""
    if not text.startswith("="):
        return None
    formula = Formulas().read(text[1:], 1, 1)
    tree = formula.tree
    if tree is None:
        return None

    def number(position: Position) -> float:
        found = recalculated.get(position)
        if found is None:
            other = graph.book.by_name.get(position[0])
            cell = other.cells.get(position[1:]) if other is not None else None
            found = None if cell is None else cell.value
        return found if isinstance(found, float) else (0.0 if found is None else np.nan)

    def leaf(node: Node) -> Any:
        if node[0] == "ref":
            return number(formula.references[node[1]].at(sheet, 1, 1))
        if node[0] == "range":
            where, top, left = formula.references[node[1]].at(sheet, 1, 1)
            _, bottom, right = formula.references[node[2]].at(sheet, 1, 1)
            return [number((where, r, c)) for r in range(top, bottom + 1) for c in range(left, right + 1)]
        return np.nan

    try:
        with np.errstate(all="ignore"):
            value = float(evaluate(tree, leaf))
    except (UnsupportedError, TypeError, ValueError, OverflowError):
        return None
    return value if np.isfinite(value) else None
