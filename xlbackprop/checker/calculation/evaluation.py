"""Evaluation: all cells of a workbook in several worlds at once, and derivatives by reverse accumulation in these."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from xlbackprop.checker.calculation.graph import TEXT, Graph, Order, order_of
from xlbackprop.checker.calculation.operations import Term
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.engine import Array

Cut = npt.NDArray[np.bool_]


class Evaluation:
    """The values of all nodes when the given nodes are what they are.

    `seen` is what the formulas around a node read, of shape (nodes, worlds); `results` is what its own formula gives.
    The two differ where the graph is cut: there a formula is calculated, but a given number is read. A constant, which
    no parameter changes, is a given number where its formula cannot be followed.
    """

    def __init__(
        self, graph: Graph, given: Array, is_cut: Cut, order: Order | None = None, depends: Cut | None = None
    ) -> None:
        self.graph = graph
        self.is_cut = is_cut
        self.order = order_of(graph, is_cut) if order is None else order
        self.seen = given.copy()
        self.worlds = given.shape[1]
        self.results = given.copy()
        calculated = (graph.kind_of >= 0) & (self.order.level != 0)
        self.seen[calculated & ~is_cut] = np.nan
        self.results[calculated] = np.nan
        self.problems: dict[int, str] = {}
        self._given, self._depends = given, depends
        self._tapes: list[tuple[Identities, Identities, Program, Term, list[Term]] | None] = []
        with np.errstate(all="ignore"):
            self._forward()

    def _forward(self) -> None:
        for number, places in self.order.batches:
            kind = self.graph.kinds[number]
            cells, nodes = kind.cells[places], kind.operands[places]
            operands = self.seen[nodes]
            counted = nodes > TEXT
            try:
                root, leaves = kind.program.run(operands, counted)
                values = kind.program.shown(root, operands)
            except UnsupportedError as error:
                self.problems.update(dict.fromkeys(cells.tolist(), str(error)))
                if self._depends is not None:
                    constant = [node for node in cells.tolist() if self.graph.is_constant(node, self._depends)]
                    self.seen[constant] = self.results[constant] = self._given[constant]
                self._tapes.append(None)
                continue
            self.results[cells] = values
            kept = ~self.is_cut[cells]
            self.seen[cells[kept]] = values[kept]
            self._tapes.append((cells, nodes, kind.program, root, leaves))

    def adjoint_of(self, seeds: Mapping[int, float | Array]) -> Array:
        """The derivatives of a weighted sum of some nodes by every node, of shape (nodes, worlds)."""
        adjoint = np.zeros((self.graph.size, self.worlds))
        for node, weight in seeds.items():
            adjoint[node] = weight
        with np.errstate(all="ignore"):
            for tape in reversed(self._tapes):
                if tape is None:
                    continue
                cells, nodes, program, root, leaves = tape
                share = np.where(self.is_cut[cells][:, None], 0.0, adjoint[cells])
                if not share.any():
                    continue
                pulled = program.pull(root, leaves, share)
                pulled[~(share != 0).any(axis=1)] = 0.0
                pulled[nodes <= TEXT] = 0.0
                _scatter(adjoint, nodes, pulled)
        return adjoint


def _scatter(adjoint: Array, nodes: Identities, pulled: Array) -> None:
    """Add what the formulas hand back to the nodes that they read."""
    for slot in range(nodes.shape[1]):
        at = nodes[:, slot]
        if len(at) == 1 or len(np.unique(at)) == len(at):
            adjoint[at] += pulled[:, slot]
        else:
            np.add.at(adjoint, at, pulled[:, slot])
