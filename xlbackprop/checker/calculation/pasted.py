"""Pasted numbers: steps of typed numbers that are what the formulas of the steps beside them give there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, Graph
from xlbackprop.checker.file.formula import CellFormula, Position, UnsupportedError

_FEWEST = 3
"""Numbers in a row or column that make it a pasted step."""
_FEWEST_DIGITS = 4
"""With fewer, a number is near too many others."""
_SAME = 1e-6


def pasted_formulas(graph: Graph) -> Mapping[Position, CellFormula]:
    """The formulas that belong to the numbers of pasted steps, by their cells.

    A step is a row, or a column, in which more cells hold such numbers than formulas. Its numbers are right, as far as
    these formulas are, and are judged as if these stood there.
    """
    found: dict[Position, CellFormula] = {}
    for down, across in ((1, 0), (0, 1)):
        lines: dict[tuple[str, int], dict[Position, CellFormula]] = defaultdict(dict)
        formulas: dict[tuple[str, int], int] = defaultdict(int)
        for node, place in enumerate(graph.positions):
            line = (place[0], place[1] if down else place[2])
            if graph.is_formula(node):
                formulas[line] += 1
            elif node > TEXT:
                for formula in _neighbouring(graph, place, down, across):
                    if _gives(graph, node, formula):
                        lines[line][place] = formula
                        break
        for line, places in lines.items():
            if len(places) >= max(_FEWEST, formulas[line]):
                found |= places
    return found


def _neighbouring(graph: Graph, position: Position, down: int, across: int) -> Iterator[CellFormula]:
    """The formulas of the steps beside a number: of the two before, of the two after, or of one on either side."""
    sheet, row, column = position
    for one, other in ((1, 2), (-1, -2), (-1, 1)):
        near, far = (graph.node((sheet, row + step * down, column + step * across)) for step in (one, other))
        if near > TEXT and graph.kind_of[near] == graph.kind_of[far] >= 0:
            formula = graph.formulas[near]
            assert formula is not None
            yield formula


def _gives(graph: Graph, node: int, formula: CellFormula) -> bool:
    """Whether a formula gives the number in a cell, from the numbers that it would read there."""
    _, row, column = graph.positions[node]
    known = graph.read("=" + formula.written(row, column), node)
    if known is None or not len(known[1]) or known[1].min() <= TEXT or node in known[1]:
        return False
    program, operands = known
    try:
        with np.errstate(all="ignore"):
            value = float(program.value(graph.numbers[operands][None, :, None])[0, 0])
    except UnsupportedError:
        return False
    number, digits = float(graph.numbers[node]), graph.cell(node).digits
    decimals = len(digits.partition(".")[2]) if "e" not in digits.lower() else 0
    is_rounded = decimals and len(digits.strip("-0.").replace(".", "")) >= _FEWEST_DIGITS
    return abs(value - number) <= max(_SAME * abs(value), 0.5 * 10.0**-decimals if is_rounded else 0.0)


__all__ = ["pasted_formulas"]
