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

_TINY = 1e-6
"""What keeps a logarithm or a quotient from failing, and is nothing otherwise; learning rates may be as small."""
_MOST_READERS = 50
"""Formulas that are asked what they read a number as; the others are filled from these."""
_MOST_CLASSES = 100
"""Cells of a range that may be one sample's targets; a longer one holds those of many samples."""
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
    tiny = (np.abs(typed) <= _TINY) & (typed != 0)
    tiny[[node for kind in graph.kinds for node in np.unique(kind.operands[is_cut[kind.cells]]).tolist()]] = False
    given[tiny, :FREE] = 0.0
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
        across = [[(graph.node((sheet.name, row, n)), n, one) for n, one in cells] for row, cells in rows.items()]
        down = [
            [(graph.node((sheet.name, n, column)), n, one) for n, one in cells] for column, cells in columns.items()
        ]
        shares = [run for cells in across for run in _shares(graph, cells)]
        held = {node for run in shares for node in run}
        shares += [run for cells in down for run in _shares(graph, cells) if held.isdisjoint(run)]
        for run in shares:
            given[run, :FREE] /= given[run, :FREE].sum(axis=0)


def _shares(graph: Graph, cells: list[tuple[int, int, float]]) -> Iterator[list[int]]:
    """The nodes of the runs without a gap whose numbers sum to 1 and that the same formulas read.

    Args:
        graph: the workbook.
        cells: node, place and number of each cell of a row or column.
    """
    runs: list[list[tuple[int, int, float]]] = []
    used: set[tuple[str, int]] = set()
    for node, place, number in sorted(cells, key=lambda cell: cell[1]):
        uses = _uses(graph, node)
        if not runs or runs[-1][-1][1] != place - 1 or (uses and used and uses.isdisjoint(used)):
            runs.append([])
        runs[-1].append((node, place, number))
        used = uses
    for run in runs:
        if len(run) > 1 and sum(number for *_, number in run) == 1.0:
            yield [node for node, *_ in run]


def _uses(graph: Graph, node: int) -> set[tuple[str, int]]:
    """The builds of the formulas that read a cell, and where in these it stands."""
    found = set()
    for reader in graph.readers(node)[:_MOST_READERS].tolist():
        kind = graph.kind(reader)
        assert kind is not None
        for number, slot in enumerate(kind.program.slots):
            read = graph.operands(reader)[slot.start : slot.start + slot.size]
            if slot.size <= _MOST_CLASSES and node in read.tolist():
                found.add((kind.program.build, number))
    return found
