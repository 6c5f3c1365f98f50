"""Rates: whether the updates of one step take one learning rate, where it changes from step to step."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from xlbackprop.checker.calculation.graph import TEXT
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.calculation.repair import rewritten


def rate_mistakes(model: Model, descent: Descent) -> Iterator[Mistake]:
    """The right updates that take another step's learning rate than most beside them."""
    steps = _steps(model, descent)
    for rates in steps.values():
        (own, count), *_ = Counter(rates.values()).most_common(1)
        for node, rate in rates.items() if 2 * count > len(rates) else ():
            if rate != own and _is_of_another_step(model, rate, own):
                yield _mistake(model, node, rate, own)


def rate_doubts(model: Model, descent: Descent) -> Iterator[str]:
    """Steps of which as many updates take one learning rate as another step's, in words."""
    for rates in _steps(model, descent).values():
        (one, count), *rest = Counter(rates.values()).most_common()
        if rest and 2 * count == len(rates) and _is_of_another_step(model, rest[0][0], one):
            sheet = model.graph.positions[next(iter(rates))][0]
            updates = " and ".join(named(model.graph, node, sheet) for node in rates)
            yield f"{sheet}: {updates} take learning rates of different steps"
            return


def _steps(model: Model, descent: Descent) -> dict[tuple[str, int], dict[int, int]]:
    """The rate of each right update that has one in a cell, by the row or column of the updates of one step."""
    graph = model.graph
    moves = model.threads.usual_moves
    found: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for index, member in enumerate(descent.members.tolist()):
        node, rate = int(model.targets[member]), int(descent.rates[index])
        sheet, row, column = graph.positions[node]
        if descent.is_right[index] and rate > TEXT and sheet in moves:
            found[sheet, row if moves[sheet][1] else column][node] = rate
    return found


def _is_of_another_step(model: Model, rate: int, own: int) -> bool:
    """Whether two learning rates stand in one line along the steps."""
    (sheet, row, column), (other, down, across) = (model.graph.positions[node] for node in (rate, own))
    move = model.threads.usual_moves.get(sheet)
    return move is not None and sheet == other and (column == across if move[1] else row == down)


def _mistake(model: Model, node: int, rate: int, own: int) -> Mistake:
    graph = model.graph
    kind, sheet = graph.kind(node), graph.positions[node][0]
    assert kind is not None
    slots = {
        number: own
        for number, slot in enumerate(kind.program.slots)
        if slot.size == 1 and int(graph.operands(node)[slot.start]) == rate
    }
    words = f"uses the learning rate in {named(graph, rate, sheet)} where {named(graph, own, sheet)} belongs"
    return Mistake(node, "wrong_cell", words, rewritten(graph, node, kind.program.tree, slots) if slots else "")
