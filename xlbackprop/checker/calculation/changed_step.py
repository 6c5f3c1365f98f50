"""A step in which some cells have other formulas, in many ways at once: what it calculates, and whether it descends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT
from xlbackprop.checker.calculation.model import Descent, Flags
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.calculation.step import Step, descends
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.engine import Array


class Change(Struct, frozen=True, eq=False):
    """Another formula for a cell, and for those of the step that have the same one."""

    node: int
    program: Program
    operands: Identities
    text: str
    words: str
    """What is wrong with the present one; empty where that is still to be found out."""
    kind: str = "wrong_cell"
    is_loss: bool = False
    """Whether the cell is the loss of its step then, which it is not now."""
    others: tuple[Change, ...] = ()


class _Read(Struct, frozen=True, eq=False):
    """A formula of a cell as it is calculated in some of the ways."""

    ways: Identities
    program: Program
    operands: Identities
    """The cells that it reads, of shape (ways, operands)."""
    numbers: Array
    """What stands in them, of shape (ways, operands, worlds)."""
    is_changed: bool = False
    """Whether it is another than the cell has."""

    def parts(self, place: int) -> Iterator[tuple[int, Flags]]:
        """The cells that it reads in one of its places, each with those of the ways in which it does."""
        column = self.operands[:, place]
        for operand in dict.fromkeys(column.tolist()):
            yield operand, column == operand

    def values(self) -> Array:
        """What it gives, of shape (ways, worlds); no number where it cannot be followed."""
        try:
            return self.program.value(self.numbers, self.operands > TEXT)
        except UnsupportedError:
            return np.full((len(self.ways), self.numbers.shape[2]), np.nan)

    def slopes(self) -> Array | None:
        """Its derivatives by its operands; None where it cannot be followed."""
        try:
            return self.program.differentiated(self.numbers, self.operands > TEXT)[1]
        except UnsupportedError:
            return None


class ChangedStep:
    """A step in several ways, each with one of some changes: numbers are of shape (ways, worlds)."""

    def __init__(self, step: Step, changes: Sequence[Change]) -> None:
        self._step = step
        self._updates = frozenset(step.updates)
        self._shape = len(changes), step.model.evaluation.worlds
        self._values: dict[int, Array] = {}
        """What the cells hold that are another in some way."""
        self._is_other: dict[int, Flags] = {}
        """In which ways they are."""
        self._read: dict[int, list[_Read]] = {}
        self._adjoint: dict[int, Array] = {}
        self._reached: dict[int, Flags] = {}
        """In which ways the loss depends on a cell."""
        self._calculate(changes)
        self._differentiate(changes)

    def value(self, node: int, way: int) -> Array:
        """What a cell holds in one of the ways."""
        return self._values[node][way] if node in self._values else self._step.values[node]

    def reaches(self, descent: Descent, index: int) -> Flags:
        """In which ways the loss depends on the parameter of an update, as far as the step goes."""
        parameter = int(self._step.model.parameters[int(descent.members[index])])
        return self._reached.get(parameter, np.zeros(self._shape[0], dtype=np.bool_))

    def is_right(self, descent: Descent, index: int) -> Flags:
        """In which ways an update descends the loss."""
        step, model = self._step, self._step.model
        member = int(descent.members[index])
        target, parameter = int(model.targets[member]), int(model.parameters[member])
        slope = self._adjoint.get(parameter)
        if slope is None:
            return self.reaches(descent, index)
        moved = self._values.get(target, step.values[target]) - step.values[target] + model.steps[member]
        if descent.is_decayed and parameter in step.adjoints:
            slope = slope + descent.adjoint[parameter] - step.adjoints[parameter]
        return self.reaches(descent, index) & descends(model, descent, index, moved, slope)

    def _calculate(self, changes: Sequence[Change]) -> None:
        step = self._step
        changed: dict[int, dict[int, Change]] = defaultdict(dict)
        for way, change in enumerate(changes):
            for one in (change, *change.others):
                changed[one.node][way] = one
        for node in step.nodes:
            operands = step.graph.operands(node)
            own = changed.get(node, {})
            is_other = np.zeros(self._shape[0], dtype=np.bool_)
            for operand in operands.tolist():
                if operand in self._is_other and operand not in self._updates:
                    is_other |= self._is_other[operand]
            is_other[list(own)] = False
            read = list(self._changed(own))
            if is_other.any():
                ways = np.flatnonzero(is_other)
                every = np.broadcast_to(operands, (len(ways), len(operands)))
                numbers = [self._number(operand, ways) for operand in operands.tolist()]
                read.append(_Read(ways, step.program(node), every, np.stack(numbers, axis=1)))
            if read:
                is_other[list(own)] = True
                values = np.tile(step.values[node], (self._shape[0], 1))
                for formula in read:
                    values[formula.ways] = formula.values()
                self._values[node], self._is_other[node], self._read[node] = values, is_other, read

    def _changed(self, changes: Mapping[int, Change]) -> Iterator[_Read]:
        """The formulas of a cell that are others, those together that are built alike."""
        alike: dict[int, list[int]] = defaultdict(list)
        for way, change in changes.items():
            alike[id(change.program)].append(way)
        for some in alike.values():
            ways, operands = np.array(some), np.array([changes[way].operands for way in some])
            numbers = np.zeros((*operands.shape, self._shape[1]))
            read = _Read(ways, changes[some[0]].program, operands, numbers, is_changed=True)
            for place in range(operands.shape[1]):
                for operand, at in read.parts(place):
                    numbers[at, place] = self._number(operand, ways[at])
            yield read

    def _number(self, node: int, ways: Identities) -> Array:
        """What a formula reads in a cell in some of the ways: a parameter is as it was before its update."""
        step = self._step
        if node in self._updates or node not in step.values:
            number = step.model.evaluation.seen[node]
        elif node in self._values:
            return self._values[node][ways]
        else:
            number = step.values[node]
        return np.broadcast_to(number, (len(ways), self._shape[1]))

    def _differentiate(self, changes: Sequence[Change]) -> None:
        """The derivatives of the loss by every cell of the step that it depends on."""
        step, every = self._step, np.arange(self._shape[0])
        seeds = dict.fromkeys(step.loss, every)
        for way, change in enumerate(changes):
            if change.is_loss and change.node not in step.loss:
                seeds[change.node] = np.append(seeds.get(change.node, every[:0]), way)
        for node, ways in seeds.items():
            self._add(node, ways, np.ones((len(ways), self._shape[1])))
        level = step.model.evaluation.order.level
        for _, beside in groupby(reversed(step.nodes), key=lambda node: level[node]):
            nodes = list(beside)
            left = {node: np.ones(self._shape[0], dtype=np.bool_) for node in nodes}
            for node in self._updates.intersection(nodes):
                left[node][np.setdiff1d(every, seeds.get(node, every[:0]))] = False
            for is_changed in (True, False):  # a formula that is another may read a cell beside it
                for node in (one for one in nodes if one in self._adjoint):
                    for read in self._read.get(node, ()):
                        if read.is_changed == is_changed:
                            left[node][self._hand_back(node, read, left[node] & self._reached[node])] = False
            for node in (one for one in nodes if one in self._adjoint):
                ways = np.flatnonzero(left[node] & self._reached[node])
                for operand, slope in step.slopes(node).items() if len(ways) else ():
                    self._add(operand, ways, self._adjoint[node][ways] * slope)

    def _hand_back(self, node: int, read: _Read, ahead: Flags) -> Identities:
        """Hand the derivative by a cell back to what it reads; the ways in which it reads anything."""
        is_meant = ahead[read.ways]
        slopes = read.slopes() if is_meant.any() else None
        done: set[int] = set()
        if slopes is not None:
            above = self._adjoint[node][read.ways]
            for place in range(read.operands.shape[1]):
                for operand, at in read.parts(place):
                    if operand > TEXT and (meant := at & is_meant).any():
                        self._add(operand, read.ways[meant], above[meant] * slopes[meant, place])
                        done.update(read.ways[meant].tolist())
        return np.array(sorted(done), dtype=np.int64)

    def _add(self, node: int, ways: Identities, share: Array) -> None:
        """Add to the derivative by a cell in some of the ways."""
        if node not in self._adjoint:
            self._adjoint[node], self._reached[node] = np.zeros(self._shape), np.zeros(self._shape[0], dtype=np.bool_)
        self._adjoint[node][ways] += share
        self._reached[node][ways] = True
