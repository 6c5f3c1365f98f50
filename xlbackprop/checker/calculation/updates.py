"""Updates: the cells that are another cell and a step, where the step depends on that other cell."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind, Order
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.file.formula import UnsupportedError
from xlbackprop.engine import Array

_TRIALS = 8
_MOST_LOOKED_AT = 8
"""Cells of one kind whose dependence is looked at; the others are like them."""
_FARTHEST = 8000
"""Cells that are looked at for it at most; a step of a training has fewer."""


class Updates(Struct, frozen=True):
    """The updates of a workbook, in two arrays of the same length."""

    targets: Identities
    """The cells that hold the new values."""
    parameters: Identities
    """The cells that hold the old ones."""


def find_updates(graph: Graph, order: Order) -> Updates:
    """All cells that are their parameter plus a step that depends on it."""
    targets: list[Identities] = []
    parameters: list[Identities] = []
    for kind in graph.kinds:
        slot = _parameter_slot(graph, kind, order)
        if slot is not None:
            held = kind.operands[:, slot] > TEXT
            targets.append(kind.cells[held])
            parameters.append(kind.operands[held, slot])
    updated = {node for kind in targets for node in kind.tolist()}
    kept = [
        index
        for index, kind in enumerate(parameters)
        if 2 * sum(_is_state(graph, node, updated) for node in kind.tolist()) > len(kind)
    ]
    if not kept:
        nothing = np.zeros(0, dtype=np.int64)
        return Updates(nothing, nothing)
    return Updates(
        np.concatenate([targets[index] for index in kept]), np.concatenate([parameters[index] for index in kept])
    )


def _is_state(graph: Graph, node: int, updated: Container[int]) -> bool:
    """Whether a cell is typed or updated, or repeats one that is; what is calculated otherwise is no parameter."""
    source = graph.link(node)
    return source > TEXT and (node in updated or source in updated or not graph.is_formula(source))


def _parameter_slot(graph: Graph, kind: Kind, order: Order) -> int | None:
    """Which operand of a kind of formula is a parameter that it updates."""
    program = kind.program
    single = [slot.start for slot in program.slots if not slot.is_range]
    if program.width < 2 or not single or kind.formula.tree is None:
        return None
    nodes, first = np.unique(kind.operands[0], return_inverse=True)
    generator = np.random.default_rng(7)
    values = generator.uniform(0.2, 0.9, (len(nodes), _TRIALS)) * generator.choice([-1, 1], (len(nodes), _TRIALS))
    operands = values[first][None]
    try:
        with np.errstate(all="ignore"):
            root, leaves = program.run(operands)
            program.shown(root, operands)
            slopes = program.pull(root, leaves, np.ones((1, _TRIALS)))[0]
    except UnsupportedError:
        return None
    ranged = [place for slot in program.slots if slot.is_range for place in range(slot.start, slot.start + slot.size)]
    in_ranges = set(first[ranged].tolist())
    candidates = [
        slot
        for slot in single
        if int(first[slot]) not in in_ranges
        and (
            np.allclose(slopes[first == first[slot]].sum(axis=0), 1.0, atol=1e-12)
            or _is_decayed(graph, kind, slot, values, first)
        )
    ]
    for slot in candidates:
        spread = np.unique(np.linspace(0, len(kind.cells) - 1, _MOST_LOOKED_AT).astype(int))
        if any(_step_depends(graph, order, kind.operands[place], slot) for place in spread):
            return slot
    return None


def _is_decayed(graph: Graph, kind: Kind, slot: int, values: Array, first: npt.NDArray[np.intp]) -> bool:
    """Whether an operand is kept whole where one of the given numbers is 0, such as the learning rate of a decay."""
    for other in np.unique(first):
        node = int(kind.operands[0][first == other][0])
        if other == first[slot] or node <= TEXT or graph.is_formula(node):
            continue
        changed = values.copy()
        changed[other] = 0.0
        operands = changed[first][None]
        with np.errstate(all="ignore"):
            root, leaves = kind.program.run(operands)
            slopes = kind.program.pull(root, leaves, np.ones((1, _TRIALS)))[0]
        if np.allclose(slopes[first == first[slot]].sum(axis=0), 1.0, atol=1e-12):
            return True
    return False


def _step_depends(graph: Graph, order: Order, operands: Identities, slot: int) -> bool:
    """Whether any other operand is calculated from the one in a slot."""
    parameter = int(operands[slot])
    if parameter <= TEXT:
        return False
    level = int(order.level[parameter])
    ahead = [int(node) for node in operands if node != parameter]
    seen: set[int] = set()
    while ahead and len(seen) < _FARTHEST:
        node = ahead.pop()
        if node == parameter:
            return True
        if node in seen or (level >= 0 and 0 <= order.level[node] <= level):
            continue
        seen.add(node)
        ahead += [operand for operand in graph.operands(node).tolist() if operand not in seen]
    return False
