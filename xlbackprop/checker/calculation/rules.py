"""Rules: updates by the error of a unit, target minus output, on a sheet that has no cell for the loss they descend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, Graph, skeleton
from xlbackprop.checker.calculation.model import Flags, Loss, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.calculation.worlds import FREE
from xlbackprop.checker.file.formula import Node, parts
from xlbackprop.engine import Array

MOST_RULES = 40
"""Readings that are tried."""
_SAME = 1e-7
_FIRST = 8
"""Outputs that are looked at; the others are alike."""
_FARTHEST = 2
"""Cells between an output and the weighted sum that it is a function of."""
_WEIGHING = frozenset({"SUM", "SUMPRODUCT", "MMULT", "TRANSPOSE", "INDEX"})


def rules(model: Model, near: Flags) -> list[Loss]:
    """What the updates may descend, told by the differences of an output and a given number that they read."""
    graph = model.graph
    is_backward = model.feeds & model.depends
    is_backward[model.targets] = True
    found: dict[tuple[object, ...], dict[int, tuple[int, int]]] = defaultdict(dict)
    for kind in graph.kinds:
        places = np.flatnonzero(is_backward[kind.cells])
        beside = [place for place in places.tolist() if near[kind.cells[place]]]
        if not beside:
            continue
        for slots in _differences(kind.program.tree):
            at = [kind.program.slots[slot].start for slot in slots]
            one, other = kind.operands[beside[0], at].tolist()
            if min(one, other) <= TEXT or model.depends[one] == model.depends[other]:
                continue
            output, target = at if model.depends[one] else (at[1], at[0])
            outputs, targets = kind.operands[places, output].tolist(), kind.operands[places, target].tolist()
            for path in _inwards(model, int(kind.operands[beside[0], output])):
                for error in zip(outputs, targets, strict=True):
                    cell = _followed(graph, error[0], path)
                    if cell and model.depends[cell] and graph.is_formula(cell):
                        builds = (skeleton(graph, graph.link(node)) for node in (cell, *error))
                        found[kind.program.build, tuple(slot for _, slot in path), *builds].setdefault(cell, error)
    return [Loss(tuple(cells), tuple(cells.values())) for cells in found.values()][:MOST_RULES]


def _differences(node: Node) -> Iterator[tuple[int, int]]:
    """The slots of a formula one of which is subtracted from the other."""
    if node[0] == "-" and node[1][0] == node[2][0] == "slot":
        yield node[1][1], node[2][1]
    for part in parts(node):
        yield from _differences(part)


def _inwards(model: Model, output: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Ways from an output to the cells that it is calculated from: the kind of each formula, and an operand of it."""
    ahead: list[tuple[int, tuple[tuple[int, int], ...]]] = [(output, ())]
    for node, path in ahead:
        yield path
        if len(path) < _FARTHEST:
            number = int(model.graph.kind_of[node])
            for slot, operand in enumerate(model.graph.operands(node).tolist()):
                if model.depends[operand] and model.graph.is_formula(operand) and not model.evaluation.is_cut[operand]:
                    ahead.append((operand, (*path, (number, slot))))


def _followed(graph: Graph, node: int, path: tuple[tuple[int, int], ...]) -> int:
    for number, slot in path:
        if graph.kind_of[node] != number:
            return 0
        node = int(graph.operands(node)[slot])
    return node


def rule_doubts(model: Model, loss: Loss) -> Iterator[str]:
    """A loss of the outputs that has cells, though the updates descend another one that has none, in words."""
    graph, seen = model.graph, model.evaluation.seen
    for cell, (output, target) in list(zip(loss.cells, loss.errors, strict=False))[:_FIRST]:
        one, other = seen[output], seen[target]
        if np.isin(one[np.isfinite(one)], (-1.0, 0.0, 1.0)).all():
            return
        for node in np.intersect1d(graph.readers(output), graph.readers(target)).tolist():
            if set(graph.operands(node).tolist()) == {output, target} and _is_loss(seen[node], one, other):
                sheet = graph.positions[node][0]
                if (cell == output) != _is_square(seen[node], one, other):
                    shown = named(graph, node, sheet)
                    yield f"{sheet}: the updates go down {rule_words(model, loss)}, not by that of {shown}"
                    return


def _is_square(values: Array, output: Array, target: Array) -> bool:
    """Whether numbers are a square of the errors, or always the same share of it."""
    with np.errstate(all="ignore"):
        share = (values / (output - target) ** 2)[:FREE]
    return bool(np.allclose(share, share[0], rtol=_SAME, atol=0.0) and share[0] > 0)


def _is_loss(values: Array, output: Array, target: Array) -> bool:
    """Whether numbers are the squared error or a cross-entropy of outputs and targets."""
    with np.errstate(all="ignore"):
        hit = -target * np.log(output)
        entropies = (hit, hit - (1 - target) * np.log(1 - output))
    worlds = slice(0, FREE), slice(FREE, None)  # one of a class that is chosen by IF is one with its own target
    is_entropy = any(np.allclose(values[w], one[w], rtol=_SAME, atol=0.0) for one in entropies for w in worlds)
    return is_entropy or _is_square(values, output, target)


def rule_words(model: Model, loss: Loss) -> str:
    """The name of a rule."""
    (output, _), *_ = loss.errors
    if output == loss.cells[0]:
        kind = model.graph.kind(output)
        if kind is not None and kind.formula.functions <= _WEIGHING:
            return "by the delta rule of a linear unit (ADALINE), w + η·(t − y)·x"
        return "by the derivative of ½(t − y)², which has no cell of its own"
    values = model.evaluation.seen[[output for output, _ in loss.errors]]
    if np.isin(values[np.isfinite(values)], (-1.0, 0.0, 1.0)).all():
        return "by the perceptron rule, w + η·(t − y)·x"
    return "by (t − y)·x, the derivative of a cross-entropy, which has no cell of its own"
