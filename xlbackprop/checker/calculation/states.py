"""States: what updates carry from step to step beside their parameters, such as the velocities of momentum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.graph import BLANK, TEXT, Graph, skeleton
from xlbackprop.checker.calculation.threads import Move, Neighbours
from xlbackprop.checker.file.formula import UnsupportedError

Flags = npt.NDArray[np.bool_]

_NOT_NOTHING = 0.37
"""Added to the numbers of the step before: with 0 in their place anything would be right."""
_FARTHEST_AHEAD = 200
"""Cells of a step among which those that look ahead are looked for."""


class State(Struct, frozen=True):
    """One value that is carried on: the cell that holds it, the slot with the one before, and a stand-in for this."""

    node: int
    slot: int
    """Which operand of its formula is the value before."""
    before: int
    stand_in: int
    """The value before as a number of its own, which no formula calculates."""
    ahead: tuple[tuple[int, int], ...] = ()
    """Cells of the same step that read the value before too, as parameters that look ahead do: each with its slot."""


def with_states(
    graph: Graph, is_backward: Flags, depends: Flags, moves: Mapping[str, Move], updated: Container[int]
) -> tuple[Graph, tuple[State, ...]]:
    """A copy of a graph in which every state starts from a number, and the states.

    Args:
        graph: the cells.
        is_backward: those that updates are calculated from, parameters changing them.
        depends: all that parameters change.
        moves: from a step to the next one, by the name of the sheet.
        updated: the cells with new parameters.
    """
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, kind in enumerate(graph.kinds):
        if depends[kind.cells].any():
            for slot in _going_on(graph, number, depends, moves):
                alike[skeleton(graph, int(kind.cells[0])), slot].append(number)
    steps = Neighbours(graph, moves)
    slots: dict[int, int] = {}
    for (build, slot), numbers in alike.items():
        is_used = any(is_backward[graph.kinds[number].cells].any() for number in numbers)
        if is_used and _is_carried(graph, numbers, slot, build, steps):
            slots.update((node, slot) for number in numbers for node in graph.kinds[number].cells.tolist())
    slots |= _odd(graph, slots, is_backward, steps)
    ahead = {node: list(_ahead(graph, moves, node, slot, slots, updated)) for node, slot in slots.items()}
    changed = [*slots, *(other for several in ahead.values() for other, _ in several)]
    operands_of = {int(graph.kind_of[node]) for node in changed}
    kinds = [
        replace(kind, operands=kind.operands.copy()) if number in operands_of else kind
        for number, kind in enumerate(graph.kinds)
    ]
    states = []
    for stand_in, (node, slot) in enumerate(slots.items(), graph.size):
        before = int(graph.operands(node)[slot])
        states.append(State(node, slot, before, stand_in, tuple(ahead[node])))
        for reader, place in ((node, slot), *ahead[node]):
            kinds[graph.kind_of[reader]].operands[graph.place_of[reader], place] = stand_in
    held = [state.before if state.before > TEXT else state.node for state in states]
    looking = {(int(graph.kind_of[reader]), place) for several in ahead.values() for reader, place in several}
    for number, place in looking:  # in the last step nothing goes on from what they read
        for row, node in enumerate(kinds[number].operands[:, place].tolist()):
            if node in slots:
                kinds[number].operands[row, place] = graph.size + len(held)
                held.append(node)
    extended = graph.with_numbers([graph.positions[node] for node in held])
    extended.kinds = kinds
    return extended, tuple(states)


def with_context(graph: Graph, depends: Flags, is_cut: Flags, moves: Mapping[str, Move]) -> Graph | None:
    """A copy of a graph in which what a step takes from the one before is a number; None where it takes nothing.

    Args:
        graph: the cells.
        depends: all that parameters change.
        is_cut: parameters and their updates.
        moves: from a step to the next one, by the name of the sheet.
    """
    stand_ins: dict[int, int] = {}
    kinds = []
    for kind in graph.kinds:
        operands = kind.operands
        for slot in (one.start for one in kind.program.slots if one.size == 1 and depends[kind.cells].any()):
            for place, (node, cell) in enumerate(zip(operands[:, slot].tolist(), kind.cells.tolist(), strict=True)):
                is_inner = depends[node] and graph.is_formula(node) and not (is_cut[node] or is_cut[cell])
                if is_inner and _is_step_back(graph, moves, node, cell):
                    operands = operands.copy() if operands is kind.operands else operands
                    operands[place, slot] = stand_ins.setdefault(node, graph.size + len(stand_ins))
        taken, own = operands != kind.operands, depends[kind.operands]
        if kind.program.tree[0] != "slot" and (taken.any(axis=1) & ~(own & ~taken).any(axis=1)).any():
            return None  # what is made of the step before alone is a rule of its own, as w − η·g is
        kinds.append(replace(kind, operands=operands))
    if not stand_ins:
        return None
    extended = graph.with_numbers([graph.positions[node] for node in stand_ins])
    extended.numbers[graph.size :] = np.nan_to_num(graph.numbers[list(stand_ins)]) + _NOT_NOTHING
    extended.kinds = kinds
    return extended


def _ahead(
    graph: Graph, moves: Mapping[str, Move], node: int, slot: int, states: Container[int], updated: Container[int]
) -> Iterator[tuple[int, int]]:
    """What of a state's step, or of what it is calculated from, reads the value before too: the cells and the slots."""
    before = int(graph.operands(node)[slot])
    readers = set(graph.readers(before).tolist()) if before > TEXT and node not in updated else set[int]()
    is_velocity = len(readers) > 1 and not np.isclose(_share(graph, int(graph.kind_of[node]), slot), 1.0)
    seen = [node] if is_velocity else []  # what is kept whole is a parameter itself
    for cell in seen:
        seen += [
            one for one in graph.operands(cell).tolist() if one not in seen and one != before and one not in updated
        ]
        if len(seen) > _FARTHEST_AHEAD:
            break
    for reader in graph.readers(before).tolist() if readers else ():
        is_there = reader in seen or _is_step_back(graph, moves, graph.link(before), reader)
        if reader not in states and reader not in updated and is_there:
            yield from ((reader, place) for place in np.flatnonzero(graph.operands(reader) == before).tolist())


def _going_on(graph: Graph, number: int, depends: Flags, moves: Mapping[str, Move]) -> Iterator[int]:
    """Which operands of a kind of formula belong to the step before, a fixed share of them being kept.

    Something of the step itself, which parameters change, is added to it.
    """
    kind = graph.kinds[number]
    if any(slot.decides and depends[kind.operands[:, slot.start]].any() for slot in kind.program.slots):
        return  # a rate that is raised or lowered as the loss goes
    for slot in (slot.start for slot in kind.program.slots if not slot.is_range and slot.size == 1):
        if depends[np.delete(kind.operands, slot, axis=1)].any():
            pairs = zip(kind.operands[:, slot].tolist(), kind.cells.tolist(), strict=True)
            back = [_is_step_back(graph, moves, graph.link(one), other) for one, other in pairs if one > TEXT]
            if 2 * sum(back) > len(back) and _share(graph, number, slot):
                yield slot


def _is_carried(graph: Graph, numbers: Iterable[int], slot: int, build: str, steps: Neighbours) -> bool:
    """Whether an operand of formulas of one build is the same thing one step before."""
    operands = np.concatenate([graph.kinds[number].operands[:, slot] for number in numbers]).tolist()
    roots = [graph.link(node) if node > TEXT else BLANK for node in operands]
    carried = [graph.is_formula(root) and skeleton(graph, root) == build for root in roots]
    starts = [not graph.is_formula(root) or not graph.is_formula(steps.before(root)) for root in roots]
    return any(carried) and 2 * sum(one or other for one, other in zip(carried, starts, strict=True)) > len(roots)


def _is_step_back(graph: Graph, moves: Mapping[str, Move], earlier: int, later: int) -> bool:
    """Whether a cell belongs to the step before that of another one, as far as that is known."""
    (sheet, row, column), (other, down, across) = graph.positions[earlier], graph.positions[later]
    over, rows, columns = moves.get(other, (1, 0, 0))
    if not moves or over:
        return not moves or sheet != other
    return sheet == other and (down - row == rows if rows else across - column == columns)


def _odd(graph: Graph, slots: Mapping[int, int], is_backward: Flags, steps: Neighbours) -> dict[int, int]:
    """Cells of other formulas between states that read the one before them, each with the slot of this one."""
    found = {}
    for node in slots:
        later = steps.after(node)
        if later > TEXT and later not in slots and is_backward[later]:
            places = np.flatnonzero(graph.operands(later) == node)
            if len(places) == 1:
                found[later] = int(places[0])
    return found


def _share(graph: Graph, number: int, slot: int) -> float:
    """The slope of a kind of formula by an operand, where it does not change with that; 0 elsewhere."""
    kind = graph.kinds[number]
    generator = np.random.default_rng(3)
    nodes, first = np.unique(kind.operands[0], return_inverse=True)
    values = np.repeat(generator.uniform(0.2, 0.9, (len(nodes), 1)), 3, axis=1)
    values[first[slot]] = (0.3, 0.5, 0.8)
    try:
        _, slopes = kind.program.differentiated(values[first][None])
    except UnsupportedError:
        return 0.0
    own = slopes[0, first == first[slot]].sum(axis=0)
    return float(own[0]) if np.allclose(own, own[0]) else 0.0
