"""Regularity: wrong cells of the forward pass that the gradients on a sheet agree with."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind, skeleton
from xlbackprop.checker.calculation.model import Flags, Loss, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, label, moved, named, place
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.calculation.repair import Repair, builds, rewritten
from xlbackprop.checker.calculation.rules import differences, slope_by, with_target
from xlbackprop.checker.calculation.step import alike, calculated, calculated_from, slopes_of
from xlbackprop.checker.calculation.worlds import FREE
from xlbackprop.checker.file.formula import Node, parts, with_parts
from xlbackprop.engine import Array

_RATHER = re.compile(r"[-*/^]")
"""In a formula that is no sum, such as the root of one error."""
_HALVES = (("n", 0.5), ("/", ("n", 1.0), ("n", 2.0)))
_LOSS = re.compile(
    r"\b(?:loss|cost|error|entropy|Fehler|Verlust|Kosten|perte|erreur|coût|custo|erro|perda|costo)\b", re.I
)
_FEWEST_ALIKE = 3
"""Formulas in a line that make another one between them a stranger."""


def odd_losses(model: Model, loss: Loss) -> Iterator[Mistake]:
    """The losses that are shown beside updates which descend one without a cell, and are this one but for a slip.

    Args:
        model: the calculation.
        loss: what the updates descend, told by the errors that they read.
    """
    if not loss.errors:
        return
    graph, targets = model.graph, dict(loss.errors)
    slopes = _Slopes(model, loss)
    right: list[int] = []
    held = set(targets.values())
    for kind in graph.kinds:
        read = {node: set(graph.operands(node).tolist()) for node in kind.cells.tolist()}
        nodes = [node for node, own in read.items() if not (targets.keys().isdisjoint(own) and held.isdisjoint(own))]
        is_shown = model.depends[kind.cells].all() and not model.feeds[kind.cells].any()
        first = next((node for node in nodes if graph.operands(node).min() > TEXT), 0)
        if not (first and is_shown) or np.isin(kind.cells, model.targets).any():
            continue
        if slopes.are_right(kind.program, graph.operands(first)):
            right += nodes
            continue
        for program, operands, slip in _one_slip_away(model, first, targets):
            if not (slopes.are_right(program, operands) and slopes.are_none_without_errors(program, operands)):
                continue
            outputs = targets.keys() & set(operands.tolist())
            if len({targets[output] for output in outputs}) < len(outputs):
                yield from _errors_with_another_target(model, targets, kind)
            else:
                for node in nodes:
                    words = moved(graph, slip.words, first, node)
                    yield Mistake(node, slip.kind, words, graph.filled(slip.formula, first, node))
            break
    yield from sums_without_one(graph, right)


def turned_losses(model: Model, loss: Loss) -> Iterator[str]:
    """What is called a loss and grows as the updates descend, in words; a likelihood does."""
    graph, outputs = model.graph, {output for output, _ in loss.errors}
    slopes = _Slopes(model, loss)
    for kind in graph.kinds if outputs else ():
        first, is_shown = int(kind.cells[0]), model.depends[kind.cells].all() and not model.feeds[kind.cells].any()
        is_read = not outputs.isdisjoint(graph.operands(first).tolist()) and _LOSS.search(label(graph, first))
        if is_shown and is_read and slopes.are_right(kind.program, graph.operands(first), -1.0):
            yield f"{cells_of_sheets(graph.positions[n] for n in kind.cells.tolist())} grows as the updates descend"


def added_halves(model: Model) -> Iterator[Mistake]:
    """Squared errors to which ½ is added, where it belongs as a factor: their derivatives do not tell it."""
    graph = model.graph
    for kind in graph.kinds:
        tree = kind.program.tree
        is_half = tree[0] == "+" and tree[1] in _HALVES and tree[2][0] == "^" and tree[2][2] == ("n", 2.0)
        if is_half and model.depends[kind.cells].all() and not model.evaluation.is_cut[kind.cells].any():
            for node in kind.cells.tolist():
                text = rewritten(graph, node, ("*", *tree[1:]), {})
                yield Mistake(node, "wrong_operator", "has + where * belongs", text)


def _errors_with_another_target(model: Model, targets: Mapping[int, int], kind: Kind) -> Iterator[Mistake]:
    """The errors with the target of another output, where the losses that are shown subtract its own.

    Args:
        model: the calculation.
        targets: the target by which the updates go, by output.
        kind: the losses that are shown.
    """
    for one, other in differences(kind.program.tree):
        at = [kind.program.slots[slot].start for slot in (one, other)]
        for pair in kind.operands[:, at].tolist():
            for output, own in (pair, pair[::-1]):
                if output in targets and own != targets[output]:
                    yield from with_target(model, output, targets[output], own)


def sums_without_one(graph: Graph, losses: Sequence[int]) -> Iterator[Mistake]:
    """The cells that add up some of the losses of a step, or repeat one, and leave out one that nothing reads."""
    rows: dict[tuple[str, int], list[int]] = defaultdict(list)
    for node in losses:
        rows[graph.positions[node][:2]].append(node)
    for node in (one for one in losses if not len(graph.readers(one))):
        sheet, row, _ = graph.positions[node]
        build = skeleton(graph, node)
        beside = [other for other in rows[sheet, row] if other != node and skeleton(graph, other) == build]
        read = {reader for other in beside for reader in graph.readers(other).tolist()}
        sums = [reader for reader in read if graph.positions[reader][:2] == (sheet, row) and reader not in losses]
        for total in sums if beside and len(sums) == 1 else ():
            kind = graph.kind(total)
            is_sum = kind is not None and kind.formula.functions <= {"SUM"} and not _RATHER.search(kind.program.build)
            if kind is not None and is_sum and set(graph.operands(total).tolist()) <= set(beside):
                text = f"{rewritten(graph, total, kind.program.tree, {})}+{place(graph, node, sheet)}"
                yield Mistake(total, "missing_term", f"leaves out {named(graph, node, sheet)}", text)


def odd_outputs(model: Model, loss: Loss) -> Iterator[Mistake]:
    """The outputs that are no sigmoid, as updates by their errors need, and are one but for a slip.

    Args:
        model: the calculation.
        loss: what the updates descend, told by the errors that they read.
    """
    graph = model.graph
    known: set[int] = set()
    for cell, (output, _) in zip(loss.cells, loss.errors, strict=False):
        kind, operands = graph.kind(output), graph.operands(output)
        is_alone = operands.tolist() == [cell] * len(operands)  # an output of a softmax reads the sums of the others
        if kind is None or not is_alone or int(graph.kind_of[output]) in known:
            continue
        known.add(int(graph.kind_of[output]))
        for program, slip in () if _is_sigmoid(model, kind.program, operands) else builds(graph, output):
            if _is_sigmoid(model, program, operands):
                for node in kind.cells.tolist():
                    words = moved(graph, slip.words, output, node)
                    text = graph.filled(slip.formula, output, node)
                    yield Mistake(node, slip.kind, words, text, is_forward=True)
                break


def _is_sigmoid(model: Model, program: Program, operands: Identities) -> bool:
    """Whether a formula of one cell lies between 0 and 1 and has the derivative a·(1 − a)."""
    numbers = model.evaluation.seen[operands]
    value = calculated(program, operands, numbers)
    slope = slopes_of(program, operands, numbers).get(int(operands[0]))
    is_between = bool(((value > 0) & (value < 1))[:FREE].all())
    return is_between and slope is not None and bool(alike(slope, value * (1 - value)))


class _Slopes:
    """The derivatives of a loss by the outputs, told by the errors that updates read."""

    def __init__(self, model: Model, loss: Loss) -> None:
        self._model = model
        pairs = list(zip(loss.cells, loss.errors, strict=False))
        self._errors = {node: (cell, *error) for cell, error in pairs for node in (cell, error[0])}

    def are_right(self, program: Program, operands: Identities, sign: float = 1.0) -> bool:
        """Whether a formula has these derivatives, always multiplied by the same number above 0, or below it."""
        seen = self._model.evaluation.seen
        found = slopes_of(program, operands, seen[operands])
        read = [node for node in dict.fromkeys(operands.tolist()) if node in self._errors]
        targets = seen[[self._errors[node][2] for node in read], -1]
        worlds = [slice(0, FREE), slice(FREE, None)][: 1 + bool(len(read) > 1 and targets.sum() == 1)]  # one class
        return set(read) <= found.keys() and any(
            any(found[node][part].any() for node in read)
            and all(
                any(_is_multiple(found[node][part], sign * right[part]) for right in self._of(node)) for node in read
            )
            for part in worlds
        )

    def are_none_without_errors(self, program: Program, operands: Identities) -> bool:
        """Whether a formula is 0 where outputs are their targets; where it is a cross-entropy it need not be."""
        seen = self._model.evaluation.seen
        read = [self._errors.get(node, (0, 0, node)) for node in operands.tolist()]
        hit = calculated(program, operands, seen[[target for *_, target in read]])
        is_square = any(cell == output == node for (cell, output, _), node in zip(read, operands.tolist(), strict=True))
        return not is_square or bool(alike(hit, np.zeros_like(hit)))

    def _of(self, node: int) -> Iterator[Array]:
        seen = self._model.evaluation.seen
        cell, output, target = self._errors[node]
        error = seen[output] - seen[target]
        if node == cell:
            yield error
        else:
            yield error / slope_by(self._model, output, cell, {})
            yield -seen[target] / seen[output]


def _is_multiple(found: Array, right: Array) -> bool:
    """Whether numbers are those of a target times the same one above 0; where that is 0, as of a class, so are they."""
    if not (found.any() or right.any()):
        return True
    with np.errstate(all="ignore"):
        factor = found / right
    return bool(factor[0] > 0 and alike(factor, np.full_like(factor, factor[0])))


def _one_slip_away(model: Model, node: int, targets: Mapping[int, int]) -> Iterator[tuple[Program, Identities, Repair]]:
    """A formula with one slip less: with the target of its output, the output of its target, or built otherwise."""
    graph = model.graph
    kind, operands = graph.kind(node), graph.operands(node)
    assert kind is not None
    sheet, own = graph.positions[node][0], set(operands.tolist())
    right = dict.fromkeys(target for output, target in targets.items() if output in own and target not in own)
    missing = {output: calculated_from(model, output) for output, target in targets.items() if target in own}
    for number, slot in enumerate(kind.program.slots):
        read = int(operands[slot.start])
        for other in (*right, *missing) if slot.size == 1 and read not in targets and read > TEXT else ():
            if read in missing.get(other, (read,)) and other != read:
                changed = operands.copy()
                changed[slot.start] = other
                words = f"uses {named(graph, read, sheet)} where {named(graph, other, sheet)} belongs"
                text = rewritten(graph, node, kind.program.tree, {number: other})
                yield kind.program, changed, Repair("wrong_target" if other in right else "wrong_cell", words, text)
    for program, slip in builds(graph, node):
        yield program, operands, slip


def without_poles(model: Model, is_forward: Flags) -> Iterator[Mistake]:
    """Units with 1/(1 − EXP(x)): it has the derivative a·(1 − a) of a sigmoid too, and grows without end at 0.

    Args:
        model: the calculation.
        is_forward: the cells that the loss is calculated from.
    """
    graph = model.graph
    for kind in graph.kinds:
        nodes = kind.cells[is_forward[kind.cells] & model.depends[kind.cells]].tolist()
        for node in nodes[:1]:
            tree = _with_sum(graph, node, kind.program.tree)
            if tree != kind.program.tree:
                text = rewritten(graph, node, tree, {})
                for other in nodes:
                    words = "has - where + belongs"
                    yield Mistake(other, "wrong_operator", words, graph.filled(text, node, other), is_forward=True)


def _with_sum(graph: Graph, node: int, tree: Node) -> Node:
    """A formula with 1 + EXP(x) for every 1 − EXP(x) that it divides by, written out or in a cell of its own."""
    if tree[0] == "/" and tree[2][0] == "-" and tree[2][1] == ("n", 1.0) and _is_power(graph, node, tree[2][2]):
        return ("/", tree[1], ("+", *tree[2][1:]))
    inner = parts(tree)
    return with_parts(tree, tuple(_with_sum(graph, node, part) for part in inner)) if inner else tree


def _is_power(graph: Graph, node: int, tree: Node) -> bool:
    if tree[0] == "slot":
        kind = graph.kind(node)
        assert kind is not None
        operand = int(graph.operands(node)[kind.program.slots[tree[1]].start])
        read = graph.kind(operand)
        return read is not None and _is_power(graph, operand, read.program.tree)
    return bool(tree[:2] == ("call", "EXP"))


def odd_inputs(model: Model) -> Iterator[Mistake]:
    """The one cell of a line of calculated inputs or targets that has another formula than all others in it."""
    graph = model.graph
    nodes = np.flatnonzero(model.feeds & ~model.depends & ~model.evaluation.is_cut & (graph.kind_of >= 0))
    for node in nodes.tolist():
        sheet, row, column = graph.positions[node]
        for is_down in (True, False):
            run = graph.run(node, is_down=is_down)
            here = row if is_down else column
            sides = [run.kinds.get(here - 1), run.kinds.get(here + 1)]
            first = next(iter(run.kinds.values())) != run.usual  # what the others go on from
            is_alone = run.count == len(run.kinds) - 1 - first and run.count >= _FEWEST_ALIKE
            if run.usual == graph.kind_of[node] or not is_alone or sides != [run.usual, run.usual]:
                continue
            beside = graph.node((sheet, row - 1, column) if is_down else (sheet, row, column - 1))
            formula = graph.formulas[beside]
            text = "" if formula is None or model.depends[beside] else "=" + formula.written(row, column)
            if text and graph.read(text, node) is not None:
                words = "differs from the formulas on both sides of it"
                yield Mistake(node, "wrong_formula", words, text, is_forward=True)
                break
