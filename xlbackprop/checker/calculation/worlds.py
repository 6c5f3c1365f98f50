"""Worlds: the numbers that a workbook is calculated with, at random, to see what its formulas mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xlbackprop.checker.calculation.evaluation import Cut
from xlbackprop.checker.calculation.graph import BLANK, TEXT, Graph
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.engine import Array

FREE = 8
"""Worlds in which every typed number is another: in one of hundreds the kinks of two units lie on the same side in all
of them, and once in 10⁹ do other formulas agree that differ."""
OWN = 2
"""Worlds in which the parameters are others, and all other numbers are those of the sheet."""
WORLDS = FREE + OWN

_SEED = 1986


def worlds_of(graph: Graph, is_cut: Cut, parameters: Identities, depends: Cut, feeds: Cut) -> Array:
    """Numbers for all given nodes, of shape (nodes, worlds): small enough that nothing saturates."""
    generator = np.random.default_rng(_SEED)
    shape = (graph.size, WORLDS)
    signs = np.where(graph.numbers < 0, -1.0, 1.0)[:, None]
    given = generator.uniform(0.1, 0.9, shape) * signs
    typed = np.where(np.isnan(graph.numbers), 0.0, graph.numbers)
    given[:, FREE:] = typed[:, None]
    frozen = _selectors(graph, depends, feeds | is_cut)
    given[frozen] = typed[frozen][:, None]
    _keep_shares(graph, given)
    weights = generator.uniform(0.2, 0.9, shape) * generator.choice([-1.0, 1.0], shape)
    is_parameter = is_cut.copy()
    is_parameter[parameters] = True
    given[is_parameter] = weights[is_parameter]
    unknown = [node for node in graph.problems if not (is_cut[node] or graph.is_constant(node, depends))]
    given[unknown] = np.nan
    given[BLANK] = 0.0
    given[TEXT] = np.nan
    return given


def _selectors(graph: Graph, depends: Cut, used: Cut) -> Identities:
    """The typed numbers that choose a cell, as in INDEX, or decide, and those from which a choice is calculated."""
    ahead: list[int] = []
    for kind in graph.kinds:
        for slot in kind.program.slots:
            if slot.selects or slot.decides:
                nodes = np.unique(kind.operands[used[kind.cells], slot.start : slot.start + slot.size])
                ahead += nodes[~depends[nodes]].tolist()
    seen: set[int] = set()
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead += graph.operands(node).tolist()
    return np.array([node for node in seen if node > TEXT and not graph.is_formula(node)], dtype=np.int64)


def _keep_shares(graph: Graph, given: Array) -> None:
    """Typed numbers side by side or one below another that sum to 1 and hold one 1, such as the targets of classes.

    They sum to 1 in every world.
    """
    for sheet in graph.book.sheets:
        rows: dict[int, list[tuple[int, float]]] = {}
        columns: dict[int, list[tuple[int, float]]] = {}
        for (row, column), cell in sheet.cells.items():
            if cell.formula is None and cell.number in (0.0, 1.0):
                rows.setdefault(row, []).append((column, cell.number))
                columns.setdefault(column, []).append((row, cell.number))
        runs = [[(row, column) for column in run] for row, cells in rows.items() for run in _shares(cells)]
        across = {place for run in runs for place in run}
        downwards = [[(row, column) for row in run] for column, cells in columns.items() for run in _shares(cells)]
        runs += [run for run in downwards if across.isdisjoint(run)]
        for run in runs:
            nodes = [graph.node((sheet.name, *place)) for place in run]
            given[nodes, :FREE] /= given[nodes, :FREE].sum(axis=0)


def _shares(cells: list[tuple[int, float]]) -> Iterator[list[int]]:
    """The places of the runs without a gap whose numbers sum to 1."""
    for run in _runs(sorted(cells)):
        if len(run) > 1 and sum(number for _, number in run) == 1.0:
            yield [place for place, _ in run]


def _runs(cells: list[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = []
    for column, number in cells:
        if runs and runs[-1][-1][0] == column - 1:
            runs[-1].append((column, number))
        else:
            runs.append([(column, number)])
    return runs
