"""Rates: whether the updates of one step, where it changes from step to step, and those of one unit take one rate."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, Graph
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, named
from xlbackprop.checker.calculation.repair import rewritten, slot_text
from xlbackprop.checker.calculation.step import alike
from xlbackprop.checker.calculation.threads import Neighbours
from xlbackprop.checker.file.formula import Node, parts

_MOST_REMOVED = 0.3
"""Of a parameter in one step; weight decays that people use take far less."""


def rate_mistakes(model: Model, descent: Descent) -> Iterator[Mistake]:
    """The right updates that take another step's learning rate than most beside them, or another one than most of the
    unit whose weights they are; a bias may have its own."""
    reported: set[int] = set()
    units, biases = _units(model, descent)
    groups = [*_steps(model, descent).values(), *units.values()]
    for index, rates in enumerate(groups):
        is_unit = index >= len(groups) - len(units)
        (own, count), *_ = Counter(rates.values()).most_common(1)
        for node, rate in rates.items() if 2 * count > len(rates) else ():
            is_odd = node not in biases if is_unit else _is_of_another_step(model, rate, own)
            if rate != own and is_odd and node not in reported:
                reported.add(node)
                neighbour = next(other for other, its in rates.items() if its == own)
                yield _mistake(model, node, rate, neighbour, own)


def rate_doubts(model: Model, descent: Descent) -> Iterator[str]:
    """Steps of which as many updates take one learning rate as another step's, and too large a decay, in words."""
    if descent.removed >= _MOST_REMOVED:
        yield f"every step takes away {descent.removed:.3g} of a parameter, more than weight decay does"
    graph, near = model.graph, Neighbours(model.graph, model.threads.usual_moves)
    for share in np.unique(np.round((descent.factors / descent.factor)[descent.paced], 9)).tolist():
        is_own = descent.paced & np.isclose(descent.factors / descent.factor, share)
        cells = cells_of_sheets(graph.positions[node] for node in model.targets[descent.members[is_own]].tolist())
        yield f"{cells} goes on by {share:.6g} times the rate of others"
    _, biases = _units(model, descent)
    for rates in _steps(model, descent).values():
        for node, rate in rates.items():
            paces = [model.evaluation.seen[other] for one, other in rates.items() if one != node]
            is_made = rate >= graph.cells or any(other >= graph.cells for other in rates.values())
            own, *lines = (graph.kind_of[one] for one in (node, near.before(node), near.after(node)))
            is_like = [bool(alike(model.evaluation.seen[rate], pace)) for pace in paces]
            is_odd = len(paces) > 1 and not any(is_like) and all(bool(alike(paces[0], pace)) for pace in paces[1:])
            if is_made and ((is_odd and node not in biases) or lines[0] == lines[1] not in (-1, own)):
                yield f"{named(graph, node, '')} goes on by another learning rate than those about it"
                return
        (one, count), *rest = Counter(rates.values()).most_common()
        if rest and 2 * count == len(rates) and _is_of_another_step(model, rest[0][0], one):
            sheet = model.graph.positions[next(iter(rates))][0]
            updates = " and ".join(named(model.graph, node, sheet) for node in rates)
            yield f"{sheet}: {updates} take learning rates of different steps"
            return


def _units(model: Model, descent: Descent) -> tuple[dict[int, dict[int, int]], set[int]]:
    """The rate of each right update that has one in a cell, by the first formula that reads its weight; the biases."""
    graph = model.graph
    is_descended = (np.nan_to_num(descent.adjoint) != 0).any(axis=1)
    found: dict[int, dict[int, int]] = defaultdict(dict)
    biases: set[int] = set()
    for index, member in enumerate(descent.members.tolist()):
        node, parameter, rate = int(model.targets[member]), int(model.parameters[member]), int(descent.rates[index])
        readers = [reader for reader in graph.readers(parameter).tolist() if is_descended[reader]]
        if descent.is_right[index] and rate > TEXT and readers and not is_descended[rate]:
            found[readers[0]][node] = rate
            kind, slots = graph.kind(readers[0]), _slots(graph, readers[0], parameter)
            if kind is not None and any(_is_added(kind.program.tree, slot) for slot in slots):
                biases.add(node)
    return found, biases


def _is_added(node: Node, slot: int) -> bool:
    """Whether an operand stands in a sum by itself."""
    inner = parts(node)
    return (node[0] in {"+", "-"} and ("slot", slot) in inner) or any(_is_added(part, slot) for part in inner)


def _steps(model: Model, descent: Descent) -> dict[tuple[str, int], dict[int, int]]:
    """The rate of each right update that has one in a cell, by the row or column of the updates of one step."""
    graph = model.graph
    is_descended = (np.nan_to_num(descent.adjoint) != 0).any(axis=1)
    moves = model.threads.usual_moves
    found: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for index, member in enumerate(descent.members.tolist()):
        node, rate = int(model.targets[member]), int(descent.rates[index])
        sheet, row, column = graph.positions[node]
        is_read = is_descended[rate]  # it is no rate then, but has the same number
        if descent.is_right[index] and rate > TEXT and sheet in moves and not is_read:
            found[sheet, row if moves[sheet][1] else column][node] = rate
    return found


def _is_of_another_step(model: Model, rate: int, own: int) -> bool:
    """Whether two learning rates stand in one line along the steps."""
    (sheet, row, column), (other, down, across) = (model.graph.positions[node] for node in (rate, own))
    move = model.threads.usual_moves.get(sheet)
    return move is not None and sheet == other and (column == across if move[1] else row == down)


def _mistake(model: Model, node: int, rate: int, neighbour: int, own: int) -> Mistake:
    """An update with another rate than one beside it, whose reference to its rate belongs here too."""
    graph, sheet = model.graph, model.graph.positions[node][0]
    kind = graph.kind(node)
    assert kind is not None
    texts = {
        number: slot_text(graph, neighbour, slot)
        for slot in _slots(graph, neighbour, own)
        for number in _slots(graph, node, rate)
    }
    words = f"uses the learning rate in {named(graph, rate, sheet)} where {named(graph, own, sheet)} belongs"
    return Mistake(node, "wrong_cell", words, rewritten(graph, node, kind.program.tree, {}, texts) if texts else "")


def _slots(graph: Graph, node: int, operand: int) -> list[int]:
    """Where a formula reads a cell by itself."""
    kind, operands = graph.kind(node), graph.operands(node)
    slots = () if kind is None else kind.program.slots
    return [number for number, slot in enumerate(slots) if slot.size == 1 and int(operands[slot.start]) == operand]
