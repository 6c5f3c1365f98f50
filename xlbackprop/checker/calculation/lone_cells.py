"""Lone cells: formulas that are unlike their line, and the formula that this has there."""

from __future__ import annotations

from collections.abc import Iterator

from xlbackprop.checker.calculation.forward import usual_formula
from xlbackprop.checker.calculation.graph import TEXT, Graph, skeleton
from xlbackprop.checker.calculation.model import Mistake, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.file.formula import CellFormula


def lone_formulas(model: Model) -> Iterator[tuple[int, CellFormula]]:
    """The cells between parameters and updates that alone have their formula in a line of another one, with that."""
    for kind in model.graph.kinds:
        node, *more = kind.cells.tolist()
        if not more and model.depends[node] and model.feeds[node] and not model.evaluation.is_cut[node]:
            formula = usual_formula(model.graph, node)
            if formula is not None:
                yield node, formula


def mistake_in(graph: Graph, node: int, formula: CellFormula) -> Mistake:
    """A cell in which the formula of its line belongs."""
    sheet, row, column = graph.positions[node]
    text = "=" + formula.written(row, column)
    known, present = graph.read(text, node), graph.operands(node)
    kind, words = "wrong_formula", "is built otherwise than the cells on both sides of it"
    if known is not None and known[0].build == skeleton(graph, node) and len(known[1]) == len(present):
        pairs = zip(present.tolist(), known[1].tolist(), strict=True)
        other = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
        if len(other) == 1 and min(other[0]) > TEXT:
            used, meant = (named(graph, cell, sheet) for cell in other[0])
            kind, words = "wrong_cell", f"uses {used} where {meant} belongs"
    return Mistake(node, kind, words, text, is_forward=True)
