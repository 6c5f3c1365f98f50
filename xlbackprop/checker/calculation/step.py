"""One step of a training by itself: its cells, their derivatives by one another, and trials with a changed formula."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xlbackprop.checker.calculation.graph import TEXT, skeleton
from xlbackprop.checker.calculation.model import Descent, Model
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.calculation.threads import is_steps_away
from xlbackprop.checker.calculation.worlds import FREE
from xlbackprop.checker.file.formula import Position, UnsupportedError
from xlbackprop.engine import Array

CLOSENESS = 1e-7
LARGEST_STEP = 4000
"""Cells; what is wrong in a larger step is told without looking further back than the update."""


class TooWideError(Exception):
    """A step with too many cells to be looked at one by one."""


def alike(one: Array, other: Array, *, worlds: slice = slice(FREE)) -> npt.NDArray[np.bool_]:
    """Whether numbers agree in some worlds, the free ones as a rule; along all but the last axis."""
    one, other = one[..., worlds], other[..., worlds]
    near = np.abs(one - other) <= CLOSENESS * np.maximum(np.abs(one), np.abs(other)) + 1e-14
    near &= np.isfinite(one)
    return np.asarray((near | (np.isnan(one) & np.isnan(other))).all(axis=-1) & np.isfinite(other).any(axis=-1))


def is_descent(model: Model, descent: Descent, index: int, step: Array, slope: Array) -> bool:
    """Whether a step is the derivative times the factor and one of the rates that right updates use."""
    return bool(descends(model, descent, index, step, slope))


def descends(model: Model, descent: Descent, index: int, steps: Array, slopes: Array) -> npt.NDArray[np.bool_]:
    """The same of several steps and derivatives, along all but the last axis."""
    found = np.zeros(np.broadcast_shapes(steps.shape, slopes.shape)[:-1], dtype=np.bool_)
    member, cells, link = int(descent.members[index]), model.graph.cells, model.graph.link
    worlds = slice(FREE, None) if descent.is_here_alone else slice(FREE)
    is_of_several = max(descent.known_rates, default=0) >= cells
    for rate in model.rate_choices[member].tolist():
        is_known = rate == 0 or rate in descent.known_rates or link(rate) in map(link, descent.known_rates)
        is_known |= is_of_several and rate >= cells
        if is_known and not found.all():
            pace = descent.factor * (model.evaluation.seen[rate] if rate > TEXT else 1.0)
            found |= alike(steps, -pace * slopes, worlds=worlds)
    return found


def calculated(program: Program, operands: Identities, numbers: Array) -> Array:
    """What a formula gives; no number where it cannot be followed."""
    try:
        values: Array = program.value(numbers[None], (operands > TEXT)[None])[0]
        return values
    except UnsupportedError:
        return np.full(numbers.shape[1], np.nan)


def slopes_of(program: Program, operands: Identities, numbers: Array) -> dict[int, Array]:
    """The derivatives of a formula by the cells that it reads; none where it cannot be followed."""
    slopes: dict[int, Array] = {}
    try:
        _, pulled = program.differentiated(numbers[None], (operands > TEXT)[None])
    except UnsupportedError:
        return slopes
    for operand, slope in zip(operands.tolist(), pulled[0], strict=True):
        if operand > TEXT:
            slopes[operand] = slopes[operand] + slope if operand in slopes else slope
    return slopes


def calculated_from(model: Model, target: int) -> dict[int, None]:
    """The formula cells of a step that an update is calculated from, itself among them, the nearest first."""
    found, ahead = {target: None}, [target]
    for node in ahead:
        for operand in model.graph.operands(node).tolist():
            if operand not in found and model.depends[operand] and not model.evaluation.is_cut[operand]:
                found[operand] = None
                ahead.append(operand)
    return found


class Step:
    """The cells of one step: those that its parameters change, and those that they are calculated with."""

    def __init__(self, model: Model, descent: Descent, parameter: int) -> None:
        self.model = model
        self.graph = model.graph
        self.descent = descent
        self.nodes = self._reached(parameter)
        """The formula cells, in the order of calculation, the updates among them."""
        held = set(self.nodes)
        self.given = list(
            dict.fromkeys(
                node
                for cell in self.nodes
                for node in self.graph.operands(cell).tolist()
                if node > TEXT and node not in held
            )
        )
        """What the formulas read beside one another: parameters and numbers."""
        self.values: dict[int, Array] = {
            node: model.evaluation.seen[node] for node in (*self.given, *self.nodes) if node > TEXT
        }
        targets = set(model.targets.tolist())
        self.updates = [node for node in self.nodes if node in targets]
        self._updated = frozenset(self.updates)
        for node in self.updates:
            self.values[node] = model.evaluation.results[node]
        self.loss = {node: slope for node, slope in descent.loss.slopes(model.evaluation.seen).items() if node in held}
        """The cells of the loss, with its derivatives by them."""
        self._slopes: dict[int, dict[int, Array]] = {}
        self.adjoints = self.derivatives(self.loss)
        self.forward = [node for node in self.nodes if node in self.adjoints]

    def _reached(self, parameter: int) -> list[int]:
        """The cells that depend on a parameter or on another one of the same forward pass, up to the updates.

        What is built like a cell of this forward pass and stands beside it in the same step belongs to it too, even
        where the loss does not depend on it: a sum that should read it may not.
        """
        model, graph = self.model, self.graph
        is_forward = (np.nan_to_num(self.descent.adjoint) != 0).any(axis=1)
        builds: dict[str, list[Position]] = defaultdict(list)
        given = {parameter}
        found: set[int] = set()
        ahead = [parameter]
        while ahead:
            node = ahead.pop()
            reached = [other for other in graph.readers(node).tolist() if other not in found]
            if node not in given and is_forward[node]:
                builds[skeleton(graph, node)].append(graph.positions[node])
            if node not in given and not model.evaluation.is_cut[node]:
                for other in graph.operands(node).tolist():
                    if not model.depends[other] or other in given or other in found:
                        continue
                    if not is_forward[node] and not self._is_in_line(other, builds.get(skeleton(graph, other), ())):
                        continue
                    if model.evaluation.is_cut[other] or not graph.is_formula(other):
                        given.add(other)
                        ahead.append(other)
                    else:
                        reached.append(other)
            for other in dict.fromkeys(reached):
                found.add(other)
                if not model.evaluation.is_cut[other]:
                    ahead.append(other)
            if len(found) > LARGEST_STEP:
                raise TooWideError
        found |= set(self._read_by_one(found))
        level = model.evaluation.order.level
        return sorted(found, key=lambda node: int(level[node]))

    def _is_in_line(self, node: int, places: Iterable[Position]) -> bool:
        """Whether a cell stands in a row or column with others, and is none of them in another step."""
        here = self.graph.positions[node]
        move = self.model.threads.usual_moves.get(here[0])
        is_near = False
        for place in places:
            if place[0] == here[0] and (place[1] == here[1] or place[2] == here[2]):
                if move is not None and is_steps_away(place, here, move):
                    return False
                is_near = True
        return is_near

    def _read_by_one(self, nodes: Iterable[int]) -> Iterator[int]:
        """The formula cells that only one update reads, such as a change that is made with another step's numbers."""
        is_cut, carried = self.model.evaluation.is_cut, {state.node for state in self.model.states}
        for node in nodes:
            for operand in self.graph.operands(node).tolist() if is_cut[node] else ():
                is_inner = self.model.depends[operand] and not is_cut[operand] and self.graph.is_formula(operand)
                if is_inner and operand not in carried and self.graph.readers(operand).tolist() == [node]:
                    yield operand

    def operands_of(self, node: int) -> Array:
        """The numbers that a formula reads, of shape (operands, worlds): a parameter is as before its update."""
        seen, updated, values = self.model.evaluation.seen, self._updated, self.values
        operands = self.graph.operands(node).tolist()
        found = [seen[n] if n in updated or n not in values else values[n] for n in operands]
        return np.array(found).reshape(len(found), self.model.evaluation.worlds)

    def program(self, node: int) -> Program:
        """The program of a formula cell of the step."""
        kind = self.graph.kind(node)
        assert kind is not None
        return kind.program

    def derivatives(self, seeds: Mapping[int, float | Array]) -> dict[int, Array]:
        """The derivatives of a weighted sum of cells, by their weights, by every cell that it depends on."""
        worlds = self.model.evaluation.worlds
        adjoint: dict[int, Array] = {node: np.broadcast_to(weight, worlds) for node, weight in seeds.items()}
        for node in reversed(self.nodes):
            above = adjoint.get(node)
            if above is None or (node in self._updated and node not in seeds):
                continue
            for operand, slope in self.slopes(node).items():
                share = above * slope
                adjoint[operand] = adjoint[operand] + share if operand in adjoint else share
        return adjoint

    def slopes(self, node: int) -> dict[int, Array]:
        """The derivatives of a formula by the cells that it reads, calculated once."""
        if node not in self._slopes:
            self._slopes[node] = slopes_of(self.program(node), self.graph.operands(node), self.operands_of(node))
        return self._slopes[node]

    def tried(self, node: int, operands: Array) -> Array:
        """The values of a formula for other operands, of shape (trials, operands, worlds)."""
        counted = np.broadcast_to(self.graph.operands(node) > TEXT, operands.shape[:2])
        try:
            return self.program(node).value(operands, counted)
        except UnsupportedError:
            return np.full((operands.shape[0], operands.shape[2]), np.nan)

    def replacing(self, node: int, slots: Sequence[int], values: Array) -> Array:
        """The values of a formula with each of several numbers in place of what some of its operands are."""
        operands = np.repeat(self.operands_of(node)[None], len(values), axis=0)
        operands[:, slots] = values[:, None]
        return self.tried(node, operands)

    def candidates(self) -> Iterator[int]:
        """All cells of the step with numbers that a formula may read."""
        yield from self.given
        yield from (node for node in self.nodes if node not in self.updates)
