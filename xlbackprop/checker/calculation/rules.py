"""Rules: updates by the error of a unit, target minus output, on a sheet that has no cell for the loss they descend."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from itertools import pairwise

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, Graph, skeleton
from xlbackprop.checker.calculation.model import Flags, Loss, Mistake, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.calculation.repair import rewritten
from xlbackprop.checker.calculation.step import alike, slopes_of
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
ERROR = re.compile(r"\(\^.*,2\)|LN\(|SUMSQ|SUMXMY2|ABS\(|POWER\(")
"""What the build of a formula that shows an error has in it."""
_WEIGHING = frozenset({"SUM", "SUMPRODUCT", "MMULT", "TRANSPOSE", "INDEX"})


def rules(model: Model, near: Flags) -> list[Loss]:
    """What the updates may descend, told by the differences of an output and a given number that they read."""
    graph = model.graph
    is_backward = model.feeds & model.depends
    is_backward[model.targets] = True
    found: dict[tuple[object, ...], dict[int, tuple[int, int]]] = defaultdict(dict)
    for kind in graph.kinds:
        places = np.flatnonzero(is_backward[kind.cells])
        nearby = [place for place in places.tolist() if near[kind.cells[place]]]
        if not nearby:
            continue
        for slots in differences(kind.program.tree):
            at = [kind.program.slots[slot].start for slot in slots]
            one, other = kind.operands[nearby[0], at].tolist()
            if min(one, other) <= TEXT or model.depends[one] == model.depends[other]:
                continue
            output, target = at if model.depends[one] else (at[1], at[0])
            outputs, targets = kind.operands[places, output].tolist(), kind.operands[places, target].tolist()
            for path in _inwards(model, int(kind.operands[nearby[0], output])):
                for error in zip(outputs, targets, strict=True):
                    cell = _followed(graph, error[0], path)
                    if cell and model.depends[cell] and graph.is_formula(cell):
                        builds = (skeleton(graph, graph.link(node)) for node in (cell, *error))
                        found[kind.program.build, tuple(slot for _, slot in path), *builds].setdefault(cell, error)
    return [Loss(tuple(cells), tuple(cells.values())) for cells in found.values()][:MOST_RULES]


def differences(node: Node) -> Iterator[tuple[int, int]]:
    """The slots of a formula one of which is subtracted from the other."""
    if node[0] == "-" and node[1][0] == node[2][0] == "slot":
        yield node[1][1], node[2][1]
    for part in parts(node):
        yield from differences(part)


Path = tuple[tuple[str, int], ...]
"""A way from an output to a cell that it is calculated from: the build of each formula, and an operand of it."""


def _inwards(model: Model, output: int) -> Iterator[Path]:
    ahead: list[tuple[int, Path]] = [(output, ())]
    for node, path in ahead:
        yield path
        if len(path) < _FARTHEST:
            build = skeleton(model.graph, node)
            for slot, operand in enumerate(model.graph.operands(node).tolist()):
                if model.depends[operand] and model.graph.is_formula(operand) and not model.evaluation.is_cut[operand]:
                    ahead.append((operand, (*path, (build, slot))))


def _followed(graph: Graph, node: int, path: Path) -> int:
    for build, slot in path:
        if skeleton(graph, node) != build:
            return 0
        node = int(graph.operands(node)[slot])
    return node


def odd_targets(model: Model, loss: Loss) -> Iterator[Mistake]:
    """The errors with the target of another step, in a line of steps whose targets follow one another otherwise.

    With no loss to go by, no gradient tells it. After the last target the first one may follow again.
    """
    graph = model.graph
    places = [graph.positions[output] for output, _ in loss.errors]
    is_down = len({row for _, row, _ in places}) > len({column for _, _, column in places})
    lines: dict[tuple[str, int], list[tuple[int, int, int]]] = defaultdict(list)
    for (sheet, row, column), (output, target) in zip(places, loss.errors, strict=True):
        along, across = (row, column) if is_down else (column, row)
        lines[sheet, across].append((along, output, graph.link(target)))
    for line in map(sorted, lines.values()):
        targets = [target for _, _, target in line]
        counts = Counter(_between(graph, *pair) for pair in pairwise(targets))
        (usual, count), *_ = counts.most_common(1) or [((0, 0), 0)]
        for place in range(1, len(line) - 1) if 2 * count > len(targets) else ():
            before, here, after = targets[place - 1 : place + 2]
            sheet, row, column = graph.positions[before]
            right = graph.node((sheet, row + usual[0], column + usual[1]))
            is_odd = here not in (right, targets[0]) and right > TEXT and not graph.is_formula(right)
            if is_odd and (after == targets[0] or _between(graph, right, after) == usual):
                yield from with_target(model, line[place][1], here, right)


def _between(graph: Graph, one: int, other: int) -> tuple[int, int]:
    (_, row, column), (_, down, across) = graph.positions[one], graph.positions[other]
    return down - row, across - column


def with_target(model: Model, output: int, target: int, right: int) -> Iterator[Mistake]:
    """The cells that hold an output to a target, where another one belongs."""
    graph = model.graph
    for node in np.intersect1d(graph.readers(output), graph.readers(target)).tolist():
        kind = graph.kind(node)
        if kind is not None and model.feeds[node]:
            operands, sheet = graph.operands(node), graph.positions[node][0]
            slots = [
                number
                for number, slot in enumerate(kind.program.slots)
                if slot.size == 1 and operands[slot.start] == target
            ]
            words = f"uses {named(graph, target, sheet)} where {named(graph, right, sheet)} belongs"
            text = rewritten(graph, node, kind.program.tree, dict.fromkeys(slots, right)) if slots else ""
            yield Mistake(node, "wrong_cell", words, text)


def rule_doubts(model: Model, loss: Loss, descended: Container[int]) -> Iterator[str]:
    """Why updates descend no loss that is meant, in words: one of the outputs has cells, and they descend another one
    that has none; or none has their rule as its derivative.

    Args:
        model: the calculation.
        loss: what the updates are taken to descend.
        descended: the cells of losses that other updates descend.
    """
    graph, seen = model.graph, model.evaluation.seen
    for cell, (output, target) in list(zip(loss.cells, loss.errors, strict=False))[:_FIRST]:
        one, other = seen[output], seen[target]
        if np.isin(one[np.isfinite(one)], (-1.0, 0.0, 1.0)).all():
            return
        sheet = graph.positions[output][0]
        if cell != output and not bool(alike(slope_by(model, output, cell, {}), one * (1 - one))):
            shown = named(graph, output, sheet)
            yield f"{sheet}: the updates go by (t − y)·x, the derivative of no loss: {shown} is no sigmoid or softmax"
            return
        for node in np.intersect1d(graph.readers(output), graph.readers(target)).tolist():
            read = set(graph.operands(node).tolist())
            kind = graph.kind(node)
            is_read = kind is None or model.feeds[kind.cells].any() or np.isin(kind.cells, model.targets).any()
            is_regularised = not is_read and not read.isdisjoint(model.parameters.tolist())
            if is_regularised or (read == {output, target} and _is_loss(seen[node], one, other)):
                sheet = graph.positions[node][0]
                if is_regularised or (cell == output) != _is_square(seen[node], one, other):
                    shown = named(graph, node, sheet)
                    yield f"{sheet}: the updates go down {rule_words(model, loss)}, not by that of {shown}"
                    return
    outputs = list(dict.fromkeys(one for output, _ in loss.errors for one in (output, graph.link(output))))[:_FIRST]
    for node in _errors_shown(model):
        if any(_is_loss(seen[node], seen[output], seen[target]) for output, target in loss.errors[:_FIRST]):
            continue
        if node not in descended and any(np.nan_to_num(slope_by(model, node, output, {})).any() for output in outputs):
            sheet = graph.positions[node][0]
            yield f"{sheet}: the updates go down {rule_words(model, loss)}, not by that of {named(graph, node, sheet)}"
            return


def _errors_shown(model: Model) -> Iterator[int]:
    """The first cells of each kind that nothing is made of and that are an error by their build, never negative."""
    graph = model.graph
    for kind in graph.kinds:
        node = int(kind.cells[0])
        is_last = model.depends[node] and not (model.feeds[kind.cells].any() or model.evaluation.is_cut[node])
        values = model.evaluation.seen[node, :FREE]
        if is_last and not len(graph.readers(node)) and ERROR.search(kind.program.build) and (values >= 0).all():
            yield node


def slope_by(model: Model, output: int, cell: int, known: dict[int, Array]) -> Array:
    """The derivative of a cell by another one that it is calculated from."""
    if output not in known:
        graph, evaluation = model.graph, model.evaluation
        slope: Array = np.full(evaluation.worlds, float(output == cell))
        kind, operands = graph.kind(output), graph.operands(output)
        if kind is not None and output != cell and not evaluation.is_cut[output] and model.depends[output]:
            known[output] = np.zeros_like(slope)
            slopes = slopes_of(kind.program, operands, evaluation.seen[operands])
            slope = sum((one * slope_by(model, other, cell, known) for other, one in slopes.items()), slope)
        known[output] = slope
    return known[output]


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
