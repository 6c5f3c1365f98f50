"""Updates: the cells that are another cell and a step, where the step depends on that other cell."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind, Order, skeleton
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.file.formula import Node, UnsupportedError
from xlbackprop.engine import Array

_TRIALS = 8
_MOST_LOOKED_AT = 8
"""Cells of one kind whose dependence is looked at; the others are like them."""
_MOST_GIVEN = 32
"""Numbers in a formula of which one may be the learning rate of a decay."""
_CLOSE_TO_WHOLE = 1e-5
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
    other: list[tuple[Kind, list[int]]] = []
    for kind in graph.kinds:
        slots = _chained(kind, _parameter_slots(graph, kind))
        slot = next((slot for slot in slots if _any_step_depends(graph, order, kind, slot)), None)
        slot = next((slot for slot in slots if _holds_its_gradient(graph, kind, slot)), None) if slot is None else slot
        if slot is not None:
            held = kind.operands[:, slot] > TEXT
            targets.append(kind.cells[held])
            parameters.append(kind.operands[held, slot])
        elif slots:
            other.append((kind, slots))
    for kind, slots in other if targets else ():
        slot = _slot_like(graph, kind, slots, np.concatenate(targets), np.concatenate(parameters))
        if slot is not None:
            targets.append(kind.cells)
            parameters.append(kind.operands[:, slot])
    updated = {node for kind in targets for node in kind.tolist()}
    kept = [
        index
        for index, kind in enumerate(parameters)
        if 2 * sum(_is_state(graph, node, updated) for node in kind.tolist()) >= len(kind)
        and not _is_read_as_step(graph, targets[index], kind, updated)
    ]
    if not kept:
        nothing = np.zeros(0, dtype=np.int64)
        return Updates(nothing, nothing)
    return Updates(
        np.concatenate([targets[index] for index in kept]), np.concatenate([parameters[index] for index in kept])
    )


def _chained(kind: Kind, slots: list[int]) -> list[int]:
    """Those of the slots in which the cells of a kind read one another, as w − η does; all where none is one."""
    read = [slot for slot in slots if 2 * np.isin(kind.operands[:, slot], kind.cells).sum() >= len(kind.cells) > 1]
    return read or slots


def _is_state(graph: Graph, node: int, updated: Container[int]) -> bool:
    """Whether a cell is typed or updated, or repeats one that is; what is calculated otherwise is no parameter."""
    source = graph.link(node)
    return source > TEXT and (node in updated or source in updated or not graph.is_formula(source))


def _is_read_as_step(graph: Graph, targets: Identities, parameters: Identities, updated: Container[int]) -> bool:
    """Whether formulas add something to what is never updated, and only updates of something else read them."""
    readers = [reader for node in targets.tolist() for reader in graph.readers(node).tolist()]
    is_typed = not any(node in updated or graph.link(node) in updated for node in parameters.tolist())
    return is_typed and bool(readers) and all(reader in updated for reader in readers)


def _slot_like(graph: Graph, kind: Kind, slots: list[int], targets: Identities, parameters: Identities) -> int | None:
    """Which operand is updated by a kind whose step does not depend on it, though beside it others are built as it is.

    It lies where theirs do or is one of theirs, and what reads the new value is built as what reads theirs; or nothing
    reads it.
    """
    first = int(kind.cells[0])
    if kind.operands.min() <= TEXT:
        return None  # what reads an empty cell is told so
    if (beside := _slot_beside(graph, kind, slots, targets, parameters)) is not None:
        return beside
    moves = {slot: _move(graph, int(kind.operands[0, slot]), first) for slot in slots}
    siblings = [
        (target, parameter)
        for target, parameter in zip(targets.tolist(), parameters.tolist(), strict=True)
        if graph.positions[target][0] == graph.positions[first][0] and skeleton(graph, target) == skeleton(graph, first)
    ]
    known = {node for pair in siblings for node in pair}
    for slot, move in moves.items():
        is_alike = siblings and all(_move(graph, parameter, target) == move for target, parameter in siblings)
        if move == (False, 0, 0) or not (is_alike or known.issuperset(kind.operands[:, slot].tolist())):
            continue
        own = {reader for node in kind.cells.tolist() for reader in graph.readers(node).tolist()}
        builds = {
            skeleton(graph, reader) for node in known for reader in graph.readers(node).tolist() if reader not in known
        }
        left = own - known - set(kind.cells.tolist())
        if not left or any(skeleton(graph, reader) in builds for reader in left):
            return slot
    return None


def _slot_beside(graph: Graph, kind: Kind, slots: list[int], targets: Identities, parameters: Identities) -> int | None:
    """Which operand is updated by a kind that reads what the updates beside it read in common: nothing else, or all of
    that and nothing that none of them reads, where nothing else reads it."""
    first, (sheet, row, column) = int(kind.cells[0]), graph.positions[int(kind.cells[0])]
    cells = set(kind.cells.tolist())
    is_idle = all(cells.issuperset(graph.readers(node).tolist()) for node in cells)
    for slot in slots:
        move = _move(graph, int(kind.operands[0, slot]), first)
        siblings = [
            set(graph.operands(target).tolist()) - {parameter}
            for target, parameter in zip(targets.tolist(), parameters.tolist(), strict=True)
            if _move(graph, parameter, target) == move and move != (False, 0, 0)
            if graph.positions[target][0] == sheet
            and graph.positions[target][1 if move[1] else 2] == (row if move[1] else column)
        ]
        own = set(graph.operands(first).tolist()) - {int(kind.operands[0, slot])}
        common = set.intersection(*siblings) if siblings else set()
        if own and common and (own <= common or (is_idle and common <= own <= set.union(*siblings))):
            return slot
    return None


def _move(graph: Graph, earlier: int, later: int) -> tuple[bool, int, int]:
    """Whether it leads to another sheet, and over how many rows and columns."""
    one, other = graph.positions[earlier], graph.positions[later]
    return one[0] != other[0], other[1] - one[1], other[2] - one[2]


def _parameter_slots(graph: Graph, kind: Kind) -> list[int]:
    """Which operands of a kind of formula it may be an update of: it adds something to them."""
    program = kind.program
    single = [slot.start for slot in program.slots if not slot.is_range]
    if program.width < 2 or not single or kind.formula.tree is None:
        return []
    nodes, first = np.unique(kind.operands[0], return_inverse=True)
    generator = np.random.default_rng(7)
    values = generator.uniform(0.2, 0.9, (len(nodes), _TRIALS)) * generator.choice([-1, 1], (len(nodes), _TRIALS))
    try:
        _, slopes = program.differentiated(values[first][None])
    except UnsupportedError:
        return []
    ranged = [place for slot in program.slots if slot.is_range for place in range(slot.start, slot.start + slot.size)]
    in_ranges = set(first[ranged].tolist())
    possible = [slot for slot in single if int(first[slot]) not in in_ranges]
    kept = {slot for slot in possible if _is_kept_whole(slopes, first == first[slot]).all()}
    if len(kept) < len(possible):
        kept |= _decayed(graph, kind, [slot for slot in possible if slot not in kept], values, first)
        numbers = {slot.start: number for number, slot in enumerate(program.slots)}
        kept |= {slot for slot in possible if _is_added(program.tree, numbers[slot])}
    return [slot for slot in possible if slot in kept]


def _any_step_depends(graph: Graph, order: Order, kind: Kind, slot: int) -> bool:
    """Whether what is added in some of the cells of a kind is calculated from the parameter in a slot."""
    spread = np.unique(np.linspace(0, len(kind.cells) - 1, _MOST_LOOKED_AT).astype(int))
    return any(_step_depends(graph, order, kind.operands[place], slot) for place in spread)


def _holds_its_gradient(graph: Graph, kind: Kind, slot: int) -> bool:
    """Whether a formula calculates its step itself, from its parameter and more: no share of it, as a rate that falls.

    Something else reads the parameter too, as a forward pass does. The gradient of a bias, a sum of it and more, keeps
    no less than all of it.
    """
    parameters = kind.operands[:, slot]
    nodes, first = np.unique(kind.operands[0], return_inverse=True)
    own, values = first[slot], np.repeat(np.linspace(0.3, 0.8, len(nodes))[:, None], 3, axis=1)
    values[own] = (0.0, 0.4, 0.5)
    try:
        given, slopes = kind.program.differentiated(values[first][None])
    except UnsupportedError:
        return False
    is_apart = slopes[0, first == own].sum(axis=0).max() < 1.0 - _CLOSE_TO_WHOLE and given[0, 0] != 0
    readers = {reader for node in parameters.tolist() for reader in graph.readers(node).tolist()}
    return bool(is_apart) and not readers <= set(kind.cells.tolist())


def _decayed(graph: Graph, kind: Kind, slots: list[int], values: Array, first: npt.NDArray[np.intp]) -> set[int]:
    """Which operands are kept whole where one of the given numbers is 0, such as the learning rate of a decay."""
    nodes = np.unique(kind.operands[0]).tolist()
    named = dict.fromkeys(int(first[one.start]) for one in kind.program.slots if not one.is_range)
    given = [i for i in named if nodes[i] > TEXT and not graph.is_formula(nodes[i])][: _MOST_GIVEN + 1]
    if not given:
        return set()
    changed = np.repeat(values[None], len(given), axis=0)
    changed[np.arange(len(given)), given] = 0.0
    _, slopes = kind.program.differentiated(changed[:, first])
    return {
        slot
        for slot in slots
        if _is_kept_whole(slopes[np.array(given) != first[slot]][:_MOST_GIVEN], first == first[slot]).any()
    }


def _is_added(node: Node, slot: int) -> bool:
    """Whether a formula is an operand by itself, and something that it adds or subtracts."""
    return node == ("slot", slot) or (
        node[0] in {"+", "-"} and (_is_added(node[1], slot) or (node[0] == "+" and _is_added(node[2], slot)))
    )


def _is_kept_whole(slopes: Array, is_own: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether an operand adds itself to a formula, in each of several mixtures of numbers."""
    return np.asarray((np.abs(slopes[:, is_own].sum(axis=1) - 1.0) <= _CLOSE_TO_WHOLE).all(axis=-1))


def _step_depends(graph: Graph, order: Order, operands: Identities, slot: int) -> bool:
    """Whether any other operand is calculated from the one in a slot, or from what that one repeats."""
    parameter, root = int(operands[slot]), graph.link(int(operands[slot]))
    if parameter <= TEXT:
        return False
    level = int(order.level[root])
    ahead = [int(node) for node in operands if node != parameter]
    seen: set[int] = set()
    while ahead and len(seen) < _FARTHEST:
        node = ahead.pop()
        if node in (parameter, root):
            return True
        if node in seen or (level >= 0 and 0 <= order.level[node] <= level):
            continue
        seen.add(node)
        ahead += [operand for operand in graph.operands(node).tolist() if operand not in seen]
    return False
