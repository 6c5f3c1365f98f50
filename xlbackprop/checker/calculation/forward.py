"""The forward pass: the one cell in it that is wrong, told by its siblings and by gradients that come right."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

import numpy as np
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, Graph, skeleton
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import told
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.calculation.repair import repair, rewritten
from xlbackprop.checker.calculation.step import Step, TooWideError, alike, is_descent
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.checker.judgement.slip import Tries
from xlbackprop.engine import Array

_NUMBERS_A_CELL = 1_000
_MOST_OF_A_LINE = 0.75
"""Cells with one formula that make another one in their row or column a stranger."""


class Change(Struct, frozen=True, eq=False):
    """Another formula for a cell."""

    node: int
    program: Program
    operands: Identities
    text: str
    words: str
    """What is wrong with the present one; empty where that is still to be found out."""
    is_loss: bool = False
    """Whether the cell is the loss of its step then, which it is not now."""


def forward_mistake(model: Model, descent: Descent, index: int, trials: Tries) -> tuple[Mistake, set[int]] | None:
    """One cell of the forward pass with another formula, after which all gradients of the step are right.

    Only where something speaks for it: the same cell of most other steps has that formula, it reads the same thing
    twice where its siblings do not, or something is left unused.
    """
    if descent.loss.errors:
        return None
    parameter = int(model.parameters[descent.members[index]])
    try:
        step = Step(model, descent, parameter)
    except TooWideError:
        return None
    updates = set(step.updates)
    here = [place for place, member in enumerate(descent.members.tolist()) if int(model.targets[member]) in updates]
    wrong = {place for place in here if not descent.is_right[place]}
    for change in _changes(model, descent, step, here) if wrong else ():
        trials.spend(_NUMBERS_A_CELL * len(step.nodes))
        changed = _Changed(step, change)
        reached = [place for place in here if not change.is_loss or changed.reaches(descent, place)]
        if reached and all(changed.is_right(descent, place) for place in reached):
            return _told(step, change, changed.values[change.node], parameter), wrong.intersection(reached)
    return None


def _told(step: Step, change: Change, right: Array, parameter: int) -> Mistake:
    kind, words = "wrong_cell", change.words
    if not words:
        found = repair(step, change.node, right)
        kind, words = "wrong_formula", "differs from the same cell of the other steps"
        if found is not None:
            kind, words = found.kind, found.words
    return Mistake(change.node, kind, words, change.text, parameter, True)


def _changes(model: Model, descent: Descent, step: Step, here: list[int]) -> Iterator[Change]:
    graph, forward = model.graph, [node for node in step.forward if node in set(step.nodes)]
    for node in forward:
        text = _usual(graph, node)
        known = graph.read(text, node) if text else None
        if known is not None:
            yield Change(node, *known, text, "")
    for node in step.nodes if not step.loss else ():
        text = _usual(graph, node)
        known = graph.read(text, node) if text and _is_beside(graph, node, descent.loss.cells) else None
        if known is not None:
            yield Change(node, *known, text, "", True)
    unused = _unused(model, step, [int(model.parameters[descent.members[place]]) for place in here])
    level, is_cut = model.evaluation.order.level, model.evaluation.is_cut
    for node in forward:
        program, operands = step.program(node), graph.operands(node)
        for number, slot in enumerate(program.slots):
            if slot.size != 1:
                continue
            for other in dict.fromkeys([*unused, *_of_siblings(graph, forward, node, slot.start)]):
                if other == node or (level[other] >= level[node] and not is_cut[other]):
                    continue
                changed = operands.copy()
                changed[slot.start] = other
                sheet = graph.positions[node][0]
                used = told(graph, int(operands[slot.start]), sheet)
                words = f"uses {used} where {told(graph, other, sheet)} belongs"
                yield Change(node, program, changed, rewritten(graph, node, program.tree, {number: other}), words)


def strangers(model: Model, told_: Container[int]) -> Iterator[Mistake]:
    """Cells of the forward pass that no update is calculated from, between two with that of their column."""
    graph, evaluation = model.graph, model.evaluation
    sheets = {graph.positions[node][0] for node in model.targets.tolist()}
    free = model.depends & ~model.feeds & ~evaluation.is_cut & (graph.kind_of >= 0)
    for node in np.flatnonzero(free).tolist():
        sheet, row, column = graph.positions[node]
        if sheet not in sheets or node in told_:
            continue
        text = _usual(graph, node)
        beside = [graph.node((sheet, row - 1, column)), graph.node((sheet, row + 1, column))]
        known = graph.read(text, node) if text and graph.kind_of[beside[0]] == graph.kind_of[beside[1]] >= 0 else None
        if known is None:
            continue
        program, operands = known
        right, _ = _calculated(program, operands, evaluation.seen[operands])
        if not bool(alike(evaluation.seen[node], right)):
            words = "differs from the formula above and below it"
            yield Mistake(node, "wrong_formula", words, text, is_forward=True)


def _is_beside(graph: Graph, node: int, others: Iterable[int]) -> bool:
    """Whether a cell stands in a row or column of some others."""
    sheet, row, column = graph.positions[node]
    places = (graph.positions[other] for other in others)
    return any(where == sheet and (row == down or column == across) for where, down, across in places)


def _usual(graph: Graph, node: int) -> str:
    """The formula that most cells of a row or column have, and those next to this one, as it would be here."""
    sheet, row, column = graph.positions[node]
    for down, across in ((1, 0), (0, 1)):
        line = (sheet, row if across else 0, column if down else 0)
        kinds = graph.line(*line)
        usual, number = graph.usual_kind(*line)
        if usual == graph.kind_of[node] or number < _MOST_OF_A_LINE * len(kinds):
            continue
        places = sorted(place for place in kinds if kinds[place] == usual)
        here = row if down else column
        nearest = min(places, key=lambda place: abs(place - here))
        other = graph.node((sheet, nearest, column) if down else (sheet, row, nearest))
        formula = graph.formulas[other]
        if formula is not None:
            return "=" + formula.written(row, column)
    return ""


def _of_siblings(graph: Graph, forward: list[int], node: int, slot: int) -> Iterator[int]:
    """What formulas of the same build read, where this one reads one cell twice and they do not."""
    operands = graph.operands(node).tolist()
    if operands.count(operands[slot]) < 2:
        return
    build = skeleton(graph, node)
    for other in forward:
        read = graph.operands(other).tolist()
        if other != node and skeleton(graph, other) == build and len(set(read)) == len(read):
            yield from (cell for cell in read if cell > TEXT and cell not in operands)


def _unused(model: Model, step: Step, parameters: list[int]) -> list[int]:
    """What the forward pass of a step should read and does not."""
    graph = model.graph
    idle = [node for node in parameters if node not in step.adjoints]
    for node in step.nodes:
        if node not in step.adjoints and not len(graph.readers(node)) and not model.evaluation.is_cut[node]:
            idle.append(node)
    for node in step.given:
        if node not in step.adjoints and node not in idle and not graph.is_formula(node):
            near = graph.positions[node]
            beside = [
                graph.node((near[0], near[1] + down, near[2] + across))
                for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0))
            ]
            if any(other in step.adjoints for other in beside):
                idle.append(node)
    return idle


class _Changed:
    """A step in which one cell has another formula."""

    def __init__(self, step: Step, change: Change) -> None:
        self.step = step
        graph = step.graph
        values = dict(step.values)
        slopes: dict[int, dict[int, Array]] = {}
        dirty = {change.node}
        updates = set(step.updates)
        for cell in step.nodes:
            program, operands = step.program(cell), graph.operands(cell)
            if cell == change.node:
                program, operands = change.program, change.operands
            elif not any(operand in dirty and operand not in updates for operand in operands.tolist()):
                continue
            dirty.add(cell)
            numbers = np.array(
                [
                    step.model.evaluation.seen[n] if n in updates or n not in values else values[n]
                    for n in operands.tolist()
                ]
            )
            values[cell], slopes[cell] = _calculated(program, operands, numbers)
        self.values = values
        self._slopes = slopes
        self._adjoint = self._derivatives([*step.loss, *[change.node] * change.is_loss])

    def _derivatives(self, loss: list[int]) -> dict[int, Array]:
        step = self.step
        adjoint: dict[int, Array] = {node: np.ones(step.model.evaluation.worlds) for node in loss}
        updates = set(step.updates)
        for node in reversed(step.nodes):
            above = adjoint.get(node)
            if above is None or node in updates:
                continue
            for operand, slope in (self._slopes.get(node) or step.kept_slopes(node)).items():
                share = above * slope
                adjoint[operand] = adjoint[operand] + share if operand in adjoint else share
        return adjoint

    def reaches(self, descent: Descent, index: int) -> bool:
        """Whether the loss of the changed step depends on the parameter of an update, as far as the step goes."""
        return int(self.step.model.parameters[int(descent.members[index])]) in self._adjoint

    def is_right(self, descent: Descent, index: int) -> bool:
        """Whether an update of the changed step descends its loss."""
        model = self.step.model
        member = int(descent.members[index])
        target, parameter = int(model.targets[member]), int(model.parameters[member])
        moved = self.values[target] - self.step.values[target] + model.steps[member]
        slope = self._adjoint.get(parameter)
        if slope is None:
            return False
        return is_descent(model, descent, index, moved, slope)


def _calculated(program: Program, operands: Identities, numbers: Array) -> tuple[Array, dict[int, Array]]:
    """What a formula gives, and its derivatives by the cells that it reads."""
    counted = (operands > TEXT)[None]
    found: dict[int, Array] = {}
    try:
        with np.errstate(all="ignore"):
            root, leaves = program.run(numbers[None], counted)
            value = program.shown(root, numbers[None])[0]
            pulled = program.pull(root, leaves, np.ones((1, numbers.shape[1])))[0]
    except UnsupportedError:
        return np.full(numbers.shape[1], np.nan), found
    for operand, slope in zip(operands.tolist(), pulled, strict=True):
        if operand > TEXT:
            found[operand] = found[operand] + slope if operand in found else slope
    return value, found
