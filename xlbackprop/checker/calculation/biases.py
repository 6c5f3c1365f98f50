"""Biases that stay as they are: whether the units of a layer add the same one, or each its own.

No gradient tells it, since nothing is trained by them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT
from xlbackprop.checker.calculation.model import Flags, Mistake, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.calculation.repair import rewritten
from xlbackprop.checker.file.formula import UnsupportedError

_TRAINED = -1
"""In place of an operand: the unit adds a parameter."""

Layer = tuple[object, ...]
"""A sheet, a step, and what the units of a layer read."""


def odd_biases(model: Model, is_forward: Flags) -> Iterator[Mistake]:
    """The units that add another bias than the others of their layer do, and one that another layer adds.

    Args:
        model: the calculation.
        is_forward: the cells that the loss is calculated from.
    """
    slots = _bias_slots(model, is_forward)
    if all(slot == _TRAINED for slot in slots.values()):
        return
    layers = _layers(model, is_forward, slots)
    users: dict[tuple[object, ...], set[Layer]] = defaultdict(set)
    for layer, units in layers.items():
        for bias in units.values():
            users[(*layer[:2], bias)].add(layer)
    for layer, units in layers.items():
        counts = Counter(units.values())
        foreign = [bias for bias in counts if bias <= TEXT or len(users[(*layer[:2], bias)]) > 1]
        own = [bias for bias in counts if bias not in foreign]
        if len(own) == 1 and foreign:
            for node, bias in units.items():
                if bias in foreign:
                    yield _mistake(model, node, bias, own[0], slots)


def _bias_slots(model: Model, is_forward: Flags) -> dict[int, int]:
    """The operand of each kind of formula that is a given number, added as it is, or `_TRAINED`; where there is one."""
    graph, seen = model.graph, model.evaluation.seen
    parameters = np.zeros(graph.size, dtype=np.bool_)
    parameters[model.parameters] = True
    found: dict[int, int] = {}
    for number, kind in enumerate(graph.kinds):
        forward = kind.cells[is_forward[kind.cells] & model.depends[kind.cells]]
        if not len(forward) or kind.program.width < 2:
            continue
        operands = kind.operands[graph.place_of[forward[0]]]
        single = [slot.start for slot in kind.program.slots if slot.size == 1 and operands[slot.start] > TEXT]
        if all(model.depends[operands[slot]] for slot in single):
            continue
        try:
            _, slopes = kind.program.differentiated(seen[operands][None], (operands > TEXT)[None])
        except UnsupportedError:
            continue
        added = [slot for slot in single if (slopes[0, slot] == 1).all()]
        if any(parameters[operands[slot]] for slot in added):
            found[number] = _TRAINED
        elif len(added) == 1 and not model.depends[operands[added[0]]]:
            found[number] = added[0]
    return found


def _layers(model: Model, is_forward: Flags, slots: dict[int, int]) -> dict[Layer, dict[int, int]]:
    """The bias that each unit adds, by its node, 0 for none, by layer."""
    graph, moves = model.graph, model.threads.usual_moves
    parameters = set(model.parameters.tolist())
    places = [graph.positions[node] for node in np.flatnonzero(is_forward & model.depends).tolist()]
    start: dict[str, list[int]] = {}
    for sheet, row, column in places:
        first = start.setdefault(sheet, [row, column])
        first[:] = min(first[0], row), min(first[1], column)
    found: dict[Layer, dict[int, int]] = defaultdict(dict)
    for number, kind in enumerate(graph.kinds):
        slot = slots.get(number)
        units = kind.cells[is_forward[kind.cells] & model.depends[kind.cells]].tolist()
        for node in units if slot != _TRAINED else ():
            sheet, row, column = graph.positions[node]
            _, rows, columns = moves.get(sheet, (1, 0, 0))
            step = (row - start[sheet][0]) // rows if rows else (column - start[sheet][1]) // columns if columns else 0
            operands = graph.operands(node).tolist()
            bias = 0 if slot is None else operands[slot]
            read = frozenset(
                graph.link(one) for one in operands if one > TEXT and one not in parameters and one != bias
            )
            weighs = any(one in parameters for one in operands)
            if read and weighs:
                found[sheet, step, read][node] = graph.link(bias) if bias else 0
    return {layer: units for layer, units in found.items() if len(units) > 1}


def _mistake(model: Model, node: int, bias: int, own: int, slots: dict[int, int]) -> Mistake:
    graph, sheet = model.graph, model.graph.positions[node][0]
    kind = graph.kind(node)
    assert kind is not None
    if not bias:
        words = f"does not add {named(graph, own, sheet)}, as the other units of its layer do"
        return Mistake(node, "missing_term", words, "", is_forward=True)
    added = slots[int(graph.kind_of[node])]
    changed = {number: own for number, slot in enumerate(kind.program.slots) if slot.start == added}
    words = f"uses {named(graph, bias, sheet)} where {named(graph, own, sheet)} belongs"
    return Mistake(node, "wrong_cell", words, rewritten(graph, node, kind.program.tree, changed), is_forward=True)
