"""The model of a workbook's training: its calculation cut at the updates, and what these descend."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.evaluation import Evaluation
from xlbackprop.checker.calculation.graph import Graph
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.calculation.states import State
from xlbackprop.checker.calculation.threads import Threads
from xlbackprop.engine import Array

Flags = npt.NDArray[np.bool_]


class Loss(Struct, frozen=True):
    """What updates descend: the sum of some cells, or what is not written down but has known derivatives by these."""

    cells: tuple[int, ...]
    """In all steps."""
    errors: tuple[tuple[int, int], ...] = ()
    """For each cell an output and its target, where their difference is the derivative by the cell."""

    def slopes(self, seen: Array) -> dict[int, Array]:
        """The derivatives by the cells, in all worlds."""
        if not self.errors:
            return dict.fromkeys(self.cells, np.ones(seen.shape[1]))
        pairs = zip(self.cells, self.errors, strict=True)
        return {cell: seen[output] - seen[target] for cell, (output, target) in pairs}

    def within(self, flags: Flags) -> Loss:
        """The part of it in some of the cells."""
        kept = [index for index, cell in enumerate(self.cells) if flags[cell]]
        return Loss(tuple(self.cells[i] for i in kept), tuple(self.errors[i] for i in kept if self.errors))


class Adaptive(Struct, frozen=True):
    """What is known of updates by an adaptive rule, in whose place a model has plain ones."""

    words: str
    mistakes: tuple[Mistake, ...]
    doubts: tuple[str, ...]
    targets: frozenset[int]
    proven: frozenset[int]
    """The cells between right updates and their gradients, these updates among them."""


class Model(Struct, eq=False):
    """A workbook's calculation, cut at its updates, in all worlds."""

    graph: Graph
    targets: Identities
    """The cells with new values."""
    parameters: Identities
    """The cells with the old ones, in the same order."""
    evaluation: Evaluation
    depends: Flags
    """Which nodes are calculated from parameters, within a step."""
    feeds: Flags
    """Which nodes the updates are calculated from, within a step."""
    steps: Array
    """What the updates add to their parameters, of shape (updates, worlds)."""
    threads: Threads
    rate_choices: Identities
    """For each update the cells that may hold its learning rate, the first column for none."""
    states: tuple[State, ...] = ()
    adaptive: Adaptive | None = None
    is_truncated: bool = False
    """Whether each step takes what the one before gave as a number."""

    def read(self, text: str, node: int) -> tuple[Program, Identities] | None:
        """A formula as if it stood in a cell, as for the graph; a state reads what stands in for the one before it."""
        known = self.graph.read(text, node)
        state = next((one for one in self.states if one.node == node), None)
        if known is None or state is None:
            return known
        program, operands = known
        return program, np.where(operands == state.before, state.stand_in, operands)


class Descent(Struct, eq=False, dict=True):
    """Updates that follow one loss; the arrays have an entry for each of its updates."""

    loss: Loss
    members: Identities
    """Which updates of the model belong to it."""
    adjoint: Array
    """The derivatives of the loss by all nodes."""
    reached: Flags
    """Whether the loss depends on the parameter."""
    factor: float
    """What all gradients are multiplied by, beside the learning rate: a convention such as ½ or 2."""
    is_right: Flags
    is_right_here: Flags
    """Right at least with the numbers of the sheet."""
    rates: Identities
    """The cell with the learning rate; 0 where it is a number in the formula."""
    factors: Array
    """The factor of each update; nan where it descends nothing."""
    is_decayed: bool
    """Whether the gradients have a share of the parameters added: weight decay."""
    paced: Flags
    """Right but for a number in their formula, which others lack: a rate of a layer's own."""
    removed: float = 0.0
    """The most of a parameter that it takes away in one step."""
    is_here_alone: bool = False
    """Whether its updates are held to the numbers of the sheet, which may be typed in twice."""

    def of(self, places: npt.NDArray[np.intp]) -> Descent:
        """The same loss with some of its updates, by their places among these."""
        return Descent(
            self.loss,
            self.members[places],
            self.adjoint,
            self.reached[places],
            self.factor,
            self.is_right[places],
            self.is_right_here[places],
            self.rates[places],
            self.factors[places],
            self.is_decayed,
            self.paced[places],
            self.removed,
            self.is_here_alone,
        )

    @cached_property
    def known_rates(self) -> frozenset[int]:
        """The cells with the learning rates of its right updates, or of all; 0 for a number in the formula."""
        return frozenset((self.rates[self.is_right] if self.is_right.any() else self.rates).tolist())


class Mistake(Struct, frozen=True):
    """One cell that is wrong: what is wrong with it, and what belongs there."""

    node: int
    kind: str
    words: str
    formula: str
    """With its equals sign; empty where none is known."""
    parameter: int = 0
    """The parameter whose update it spoils; 0 where it is none of one."""
    is_forward: bool = False
    """Whether it is a cell of the forward pass that throws off what is calculated after it."""
