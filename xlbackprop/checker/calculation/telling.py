"""Telling: the mistakes of a calculation as findings, one for the cells that share one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from xlbackprop.checker.calculation.graph import BLANK, TEXT, Graph, skeleton
from xlbackprop.checker.calculation.model import Mistake, Model
from xlbackprop.checker.calculation.names import label
from xlbackprop.checker.calculation.threads import Move
from xlbackprop.checker.file.formula import CellFormula, FormulaReader, UnsupportedError
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.report.findings import Finding, Replacement, shortened
from xlbackprop.ground.grid import address, ranges

_MOST_NAMES = 4
_ADDRESS = re.compile(r"\$?\b[A-Z]{1,3}\$?\d+\b")


def findings_of(model: Model, mistakes: Sequence[Mistake], recalculated: Values) -> list[Finding]:
    """The findings, in the order of the sheets and of the cells on them."""
    graph = model.graph
    groups: dict[tuple[object, ...], list[Mistake]] = defaultdict(list)
    formulas = FormulaReader()
    for mistake in mistakes:
        sheet, row, column = graph.positions[mistake.node]
        kind = int(graph.kind_of[mistake.node])
        alike: tuple[object, ...] = (kind,) if kind >= 0 else (kind, column)
        if (row, column) in graph.book.by_name[sheet].content.arrays:
            alike = ("array", skeleton(graph, mistake.node))
        elif mistake.formula:
            alike = (*alike, formulas.read(mistake.formula[1:], row, column))
        groups[(sheet, mistake.kind, *alike)].append(mistake)
    found = [
        _finding(graph, sorted(members, key=lambda one: graph.positions[one.node]), recalculated)
        for members in _over_blocks(graph, model.threads.usual_moves, groups.values())
    ]
    return [finding for _, finding in sorted(found, key=lambda item: item[0])]


def _over_blocks(graph: Graph, moves: Mapping[str, Move], groups: Iterable[list[Mistake]]) -> Iterable[list[Mistake]]:
    """Groups of one mistake that is made at the same place of several blocks, put together."""
    together: dict[tuple[object, ...], list[Mistake]] = defaultdict(list)
    for members in groups:
        sheet, first = graph.positions[members[0].node][0], members[0]
        _, down, across = moves.get(sheet, (0, 0, 0))
        lines = tuple(sorted({graph.positions[one.node][2 if down else 1] for one in members}))
        place = (lines if down or across else first.node, down, across)
        words = _ADDRESS.sub("", first.words)
        together[sheet, first.kind, skeleton(graph, first.node), words, place] += members
    return together.values()


def _finding(graph: Graph, members: Sequence[Mistake], recalculated: Values) -> tuple[tuple[int, int, int], Finding]:
    first = members[0]
    sheet, row, column = graph.positions[first.node]
    cells = ranges([graph.positions[one.node][1:] for one in members])
    names = tuple(dict.fromkeys(text for one in members if (text := label(graph, one.node))))
    named = ", ".join(names[:_MOST_NAMES]) if names else cells[0].partition(":")[0]
    cell = graph.cell(first.node)
    formula = cell.formula
    value = recalculated.get((sheet, row, column), cell.value)
    subject = f"{named} in {shortened(cells)}" if names else shortened(cells)
    stands = f"={formula.written(row, column)}" if formula is not None else f"{cell.value}"
    order = {other.name: index for index, other in enumerate(graph.book.sheets)}
    correct = value_of(graph, first, recalculated)
    kinds: dict[CellFormula, Replacement] = {}
    formulas = FormulaReader()
    for one in members:
        _, *place = graph.positions[one.node]
        if one.formula and value_of(graph, one, recalculated) is not None:
            name = label(graph, one.node) or address(*place)
            kinds.setdefault(formulas.read(one.formula[1:], *place), Replacement(address(*place), name, one.formula))
    finding = Finding(
        sheet,
        cells,
        named,
        first.kind,
        stands,
        first.formula if correct is not None else "",
        value,
        correct,
        f"{subject} {first.words}",
        names or (named,),
        tuple(kinds.values()),
    )
    return (order[sheet], row, column), finding


def value_of(graph: Graph, mistake: Mistake, recalculated: Values) -> float | None:
    """What the formula that belongs in a cell gives with the present numbers of a workbook; None for no number."""
    known = graph.read(mistake.formula, mistake.node) if mistake.formula else None
    if known is None:
        return None
    program, operands = known
    numbers = np.array([_number(graph, node, recalculated) for node in operands.tolist()])
    try:
        with np.errstate(all="ignore"):
            value = float(program.value(numbers[None, :, None], operands[None] > TEXT)[0, 0])
    except UnsupportedError:
        return None
    return value if np.isfinite(value) else None


def _number(graph: Graph, node: int, recalculated: Values) -> float:
    if node == BLANK:
        return 0.0
    found = recalculated.get(graph.positions[node], None if node == TEXT else graph.cell(node).value)
    return found if isinstance(found, float) else np.nan
