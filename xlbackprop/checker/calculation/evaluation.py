"""Evaluation: all cells of a workbook in several worlds at once, and derivatives by reverse accumulation in these."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, Graph, Order, order_of
from xlbackprop.checker.calculation.operations import Term
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.engine import Array

Cut = npt.NDArray[np.bool_]


class _Tape(Struct, eq=False, dict=True):
    """What was calculated for cells of one kind at once, to be gone through backwards."""

    cells: Identities
    nodes: Identities
    """Those that the cells read, of shape (cells, operands)."""
    program: Program
    root: Term
    leaves: list[Term]

    @cached_property
    def without_number(self) -> Cut:
        """Which of the nodes that are read hold no number."""
        return self.nodes <= TEXT

    @cached_property
    def is_read_once(self) -> list[bool]:
        """For each operand, whether no two cells read the same node."""
        return [len(set(at)) == len(at) for at in self.nodes.T.tolist()]


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
        self._tapes: list[_Tape] = []
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
                continue
            self.results[cells] = values
            kept = ~self.is_cut[cells]
            self.seen[cells[kept]] = values[kept]
            self._tapes.append(_Tape(cells, nodes, kind.program, root, leaves))

    def with_numbers(self, graph: Graph, numbers: Array) -> Evaluation:
        """The same with more given numbers, which no formula reads, in a graph that has them."""
        changed = copy.copy(self)
        changed.graph = graph
        nothing = np.zeros(len(numbers), dtype=np.int64)
        changed.is_cut = np.append(self.is_cut, nothing.astype(np.bool_))
        changed.order = Order(self.order.batches, np.append(self.order.level, nothing))
        changed.seen, changed.results = (np.vstack([rows, numbers]) for rows in (self.seen, self.results))
        return changed

    @cached_property
    def _tape_of(self) -> Identities:
        """The number of the tape on which a node was calculated, one more than the last for all others."""
        numbers = np.full(self.graph.size, len(self._tapes), dtype=np.int64)
        for number, tape in enumerate(self._tapes):
            numbers[tape.cells[~self.is_cut[tape.cells]]] = number
        return numbers

    def adjoint_of(self, seeds: Mapping[int, float | Array]) -> Array:
        """The derivatives of a weighted sum of some nodes by every node, of shape (nodes, worlds).

        They are nan for what a formula names that cannot be followed, and for what leads there; nodes on sheets where
        none has a number only count for what the others do not depend on.
        """
        adjoint = self._partly_known(seeds)
        sheet_of = {node: self.graph.positions[node][0] for node in seeds}
        counted = {sheet for node, sheet in sheet_of.items() if not np.isnan(self.seen[node]).all()}
        if counted and not counted.issuperset(sheet_of.values()):
            nearer = self._partly_known({node: weight for node, weight in seeds.items() if sheet_of[node] in counted})
            adjoint = np.where(nearer != 0, nearer, adjoint)
        return adjoint

    def _partly_known(self, seeds: Mapping[int, float | Array]) -> Array:
        adjoint = self._adjoint_of(seeds)
        lost: dict[int, float] = {}
        while unknown := [node for node in self.unknown if node not in lost and adjoint[node].any()]:
            for node in unknown:
                lost |= dict.fromkeys((node, *(other for other in self.graph.named(node) if other > TEXT)), np.nan)
            adjoint = self._adjoint_of({**seeds, **lost})
        return adjoint

    @cached_property
    def unknown(self) -> list[int]:
        """The formulas that cannot be followed, though what they give is read, and not only to choose a cell."""
        is_read = np.zeros(self.graph.size, dtype=np.bool_)
        for kind in self.graph.kinds:
            for slot in kind.program.slots:
                if not slot.selects:
                    is_read[kind.operands[:, slot.start : slot.start + slot.size]] = True
        problems = {**self.graph.problems, **self.problems}
        found = [node for node in problems if is_read[node] and not self.is_cut[node]]
        return [node for node in found if np.isnan(self.seen[node]).all()]

    def _adjoint_of(self, seeds: Mapping[int, float | Array]) -> Array:
        adjoint = np.zeros((self.graph.size, self.worlds))
        is_reached = np.zeros(len(self._tapes) + 1, dtype=np.bool_)
        for node, weight in seeds.items():
            adjoint[node] = weight
            is_reached[self._tape_of[node]] = True
        with np.errstate(all="ignore"):
            for number in range(len(self._tapes) - 1, -1, -1):
                if not is_reached[number]:
                    continue
                tape = self._tapes[number]
                share = np.where(self.is_cut[tape.cells][:, None], 0.0, adjoint[tape.cells])
                is_changed = (share != 0).any(axis=1)
                if not is_changed.any():
                    continue
                pulled = tape.program.pull(tape.root, tape.leaves, share)
                pulled[~is_changed] = 0.0
                pulled[tape.without_number] = 0.0
                _scatter(adjoint, tape, pulled)
                is_reached[self._tape_of[tape.nodes[is_changed]]] = True
        return adjoint


def _scatter(adjoint: Array, tape: _Tape, pulled: Array) -> None:
    """Add what the formulas hand back to the nodes that they read."""
    for slot, is_read_once in enumerate(tape.is_read_once):
        at = tape.nodes[:, slot]
        if is_read_once:
            adjoint[at] += pulled[:, slot]
        else:
            np.add.at(adjoint, at, pulled[:, slot])
