"""Threads: how a parameter goes on from step to step, and where it goes on with what belongs to another."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

import numpy as np
from msgspec import Struct

from xlbackprop.checker.calculation.graph import BLANK, TEXT, Graph, skeleton
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.file.formula import Position

Move = tuple[int, int, int]
"""Sheets, rows and columns from a parameter to the same one in the next step."""


_MOST_REPEATING = 5
"""One in so many steps may repeat the one before it and be called a mistake."""


class Threads(Struct, frozen=True):
    """What follows from the places of the parameters."""

    before: dict[int, int]
    """The parameter from which each goes on, by its node."""
    crossed: dict[int, int]
    """Cells that take over another parameter's new value: the cell that they should take it from."""
    strayed: dict[int, int]
    """Updates, by their number, that start from another parameter: the one that they should start from."""
    others: tuple[int, ...]
    """What is no update, by its number: the same cell of the step before is none, nor what any starts from."""
    broken: tuple[tuple[int, int], ...]
    """Parameters with formulas that are no update, each with the parameter that it should go on from."""
    pasted: tuple[int, ...]
    """Typed numbers where all parameters beside them are updated."""
    usual_moves: dict[str, Move]
    """The move that most parameters of a sheet have, by the name of the sheet."""


def is_steps_away(here: Position, there: Position, move: Move) -> bool:
    """Whether a cell is the same as another one in some other step."""
    sheets, down, across = move
    rows, columns = there[1] - here[1], there[2] - here[2]
    if sheets:
        return rows == columns == 0
    if here[0] != there[0]:
        return False
    steps, rest = divmod(rows, down) if down else divmod(columns, across)
    return rest == 0 and (rows, columns) == (steps * down, steps * across)


def is_in_a_step(graph: Graph, here: Position, before: Position) -> bool:
    """Whether as many formulas stand beside a cell as beside the same one of a step; in a row of totals are fewer."""
    is_down = here[1] != before[1]
    lines = [graph.line(where[0], where[1] * is_down, where[2] * (not is_down)) for where in (here, before)]
    return 2 * len(lines[0]) > len(lines[1])


class Neighbours:
    """The cells of other steps that correspond to a cell; a blank where there is none."""

    def __init__(self, graph: Graph, moves: Mapping[str, Move]) -> None:
        self._graph = graph
        self._moves = moves
        self._names = [sheet.name for sheet in graph.book.sheets]
        self._order = {name: index for index, name in enumerate(self._names)}

    def before(self, node: int) -> int:
        """The same cell of the step before."""
        return self._at(node, 1)

    def after(self, node: int) -> int:
        """The same cell of the next step."""
        return self._at(node, -1)

    def _at(self, node: int, back: int) -> int:
        position = self._graph.positions[node]
        if position[0] not in self._moves:
            return BLANK
        sheets, rows, columns = self._moves[position[0]]
        move = (back * sheets, back * rows, back * columns)
        return self._graph.node(_moved(position, move, self._order, self._names))


def threads(graph: Graph, targets: Identities, parameters: Identities, passed: Mapping[int, int]) -> Threads:
    """Follow every parameter from step to step."""
    order = {sheet.name: index for index, sheet in enumerate(graph.book.sheets)}
    names = [sheet.name for sheet in graph.book.sheets]
    update_of = {int(parameter): index for index, parameter in enumerate(parameters)}
    number_of = {int(target): index for index, target in enumerate(targets)}
    before: dict[int, int] = {}
    taken_over: set[int] = set()
    for parameter in update_of:
        root = graph.link(parameter)
        while root in passed:
            root = graph.link(passed[root])
        if root in number_of:
            before[parameter] = int(parameters[number_of[root]])
            taken_over.add(root)
    for target, index in number_of.items():
        before.setdefault(target, int(parameters[index]))
    is_apart = number_of.keys().isdisjoint(update_of)
    votes: dict[tuple[object, ...], Counter[Move]] = defaultdict(Counter)
    for node, earlier in before.items():
        for voters in _voters(graph, node, earlier, not is_apart or node in update_of):
            votes[voters][_move(order, graph, earlier, node)] += 1
    moves: dict[int, Move] = {}
    crossed: dict[int, int] = {}
    strayed: dict[int, int] = {}
    others: set[int] = set()
    first_of: dict[int, int] = {}
    for node, earlier in before.items():
        here, everywhere = _voters(graph, node, earlier, not is_apart or node in update_of)
        counts = votes[here] if max(votes[here].values()) > 1 else votes[everywhere]
        usual = max(counts, key=lambda move: (counts[move], move.count(0)))  # straight on, where as many go either way
        if 2 * counts[usual] < counts.total() + (usual.count(0) < 2) or counts[usual] < 2:
            continue
        moves[node] = usual
        if _move(order, graph, earlier, node) == usual:
            continue
        expected = graph.node(_moved(graph.positions[node], usual, order, names))
        if expected == node or (expected <= TEXT and node not in number_of):
            continue
        if node in number_of:
            line = [expected]
            while line[-1] in number_of and line[-1] not in first_of:
                line.append(graph.node(_moved(graph.positions[line[-1]], usual, order, names)))
            first = first_of.get(line[-1], line[-1])
            first_of.update(dict.fromkeys(line, first))
            if expected in update_of or (first > TEXT and not graph.is_formula(first)):
                strayed[number_of[node]] = expected
            elif usual.count(0) == len(usual) - 1 and node not in taken_over:
                others.add(number_of[node])
        elif expected in update_of:
            crossed[node] = int(targets[update_of[expected]])
    pasted = _pasted(graph, update_of, number_of, before, moves, order, names)
    going_on = {node: move for node, move in moves.items() if node in update_of}  # not where new values stand apart
    by_sheet = _usual_moves(graph, moves) | _usual_moves(graph, going_on)
    usual_move = Counter(going_on.values()).most_common(1)
    if usual_move and usual_move[0][0][0]:  # the first sheet of a training goes on as the others do
        by_sheet |= dict.fromkeys(by_sheet.keys() - _usual_moves(graph, going_on).keys(), usual_move[0][0])
    broken = (
        *_not_updated(graph, number_of, by_sheet, order, names),
        *_repeating_starts(graph, before, update_of, by_sheet, order, names),
    )
    starts = Counter(parameters.tolist())
    for node, index in number_of.items():
        start = int(parameters[index])
        is_shared = starts[start] > 1 and not graph.is_formula(start)
        is_last = node not in update_of and node not in taken_over
        if is_shared and is_last and _move(order, graph, start, node) != by_sheet.get(graph.positions[node][0]):
            others.add(index)
    usual_builds = {skeleton(graph, node) for node, index in number_of.items() if index not in others}
    strange = tuple(sorted(index for index in others if skeleton(graph, int(targets[index])) not in usual_builds))
    return Threads(before, crossed, strayed, strange, broken, pasted, by_sheet)


def _not_updated(
    graph: Graph, targets: Collection[int], moves: Mapping[str, Move], order: dict[str, int], names: list[str]
) -> Iterator[tuple[int, int]]:
    """Formulas that are no update in a step in which as many others are, of parameters that are updated in most steps;
    each with the value that it should go on from."""
    grids: dict[tuple[str, Move], dict[int, dict[tuple[int, int], int]]] = defaultdict(lambda: defaultdict(dict))
    for target in targets:
        sheet, row, column = graph.positions[target]
        move = moves.get(sheet, (0, 0, 0))
        if any(move):
            along, far = (order[sheet], 1) if move[0] else (row, move[1]) if move[1] else (column, move[2])
            step, rest = divmod(along, far)
            thread = (row, column) if move[0] else (rest, column) if move[1] else (row, rest)
            grids["" if move[0] else sheet, move][step][thread] = target
    for (_, move), steps in grids.items():
        counts = Counter(thread for threads in steps.values() for thread in threads)
        lacking = []
        for (last, earlier), (step, updated) in pairwise(sorted(steps.items())):
            back = (move[0] * (last - step), move[1] * (last - step), move[2] * (last - step))
            for thread, node in earlier.items():
                is_usual = thread not in updated and 2 * counts[thread] > len(steps) - 1
                odd = graph.node(_moved(graph.positions[node], back, order, names)) if is_usual else BLANK
                if odd > TEXT and graph.is_formula(odd) and 2 * len(updated) >= len(counts):
                    lacking.append((odd, node))
                next_ = graph.node(_moved(graph.positions[node], (-move[0], -move[1], -move[2]), order, names))
                if step > last + 1 and graph.link(next_) == node != next_:  # a whole step that only repeats
                    lacking.append((next_, node))
        if _MOST_REPEATING * len(lacking) <= len(targets):
            yield from lacking


def _repeating_starts(
    graph: Graph,
    before: Mapping[int, int],
    parameters: Collection[int],
    moves: Mapping[str, Move],
    order: dict[str, int],
    names: list[str],
) -> Iterator[tuple[int, int]]:
    """Parameters that repeat the typed number of the step before, from which those beside them are updated."""
    for node in parameters:
        here = graph.positions[node]
        move = moves.get(here[0], (0, 0, 0))
        earlier = graph.node(_moved(here, move, order, names))
        if node in before or earlier <= TEXT or not graph.link(node) == earlier != node:
            continue
        for later, start in before.items():
            apart = _move(order, graph, node, later)
            is_in_step = all(abs(far) < abs(step) or not step for far, step in zip(apart, move, strict=True))
            if apart.count(0) == 2 and is_in_step and apart == _move(order, graph, earlier, start):
                yield node, earlier
                break


def _usual_moves(graph: Graph, moves: Mapping[int, Move]) -> dict[str, Move]:
    counts: dict[str, Counter[Move]] = defaultdict(Counter)
    for node, move in moves.items():
        counts[graph.positions[node][0]][move] += 1
    return {sheet: found.most_common(1)[0][0] for sheet, found in counts.items()}


def _voters(graph: Graph, node: int, earlier: int, is_parameter: bool) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """What a cell is alike in to others that go on as it does: its sheets, or at least whether it goes to another.

    New values apart from the old ones do not go on as cells do that take these over.
    """
    sheets = graph.positions[earlier][0], graph.positions[node][0]
    return (*sheets, is_parameter), (sheets[0] != sheets[1], is_parameter)


def _move(order: dict[str, int], graph: Graph, earlier: int, later: int) -> Move:
    sheet, row, column = graph.positions[earlier]
    other, other_row, other_column = graph.positions[later]
    return order[other] - order[sheet], other_row - row, other_column - column


def _moved(position: Position, move: Move, order: dict[str, int], names: list[str]) -> Position:
    """The place from which a usual move leads to this one."""
    sheet = order[position[0]] - move[0]
    name = names[sheet] if 0 <= sheet < len(names) else ""
    return name, position[1] - move[1], position[2] - move[2]


def _pasted(
    graph: Graph,
    update_of: dict[int, int],
    targets: Collection[int],
    before: dict[int, int],
    moves: dict[int, Move],
    order: dict[str, int],
    names: list[str],
) -> tuple[int, ...]:
    """Typed parameters in steps in which at least as many others are updated, though they have a predecessor."""
    usual = Counter(moves.values()).most_common(1)
    if not usual:
        return ()
    (move, _), *_ = usual
    lines: dict[tuple[str, int], list[int]] = defaultdict(list)
    for parameter in update_of:
        sheet, row, column = graph.positions[parameter]
        lines[sheet, row if move[1] else column].append(parameter)
    found = []
    for members in lines.values():
        typed = [node for node in members if not graph.is_formula(node)]
        updated = [node for node in members if node in before]
        if not typed or len(updated) < len(typed):
            continue
        for node in typed:
            earlier = graph.node(_moved(graph.positions[node], move, order, names))
            if earlier in update_of or earlier in targets:
                found.append(node)
    return tuple(found)


def restarts(graph: Graph, found: Threads, targets: Identities) -> dict[int, int]:
    """The typed numbers in the place of a next step that are those a training began with, each with that one.

    Only where all parameters of the step start anew, and there are several.
    """
    order = {sheet.name: index for index, sheet in enumerate(graph.book.sheets)}
    names = [sheet.name for sheet in graph.book.sheets]
    steps: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    goes_on: set[tuple[str, int]] = set()
    roots: dict[int, int] = {}
    for node in targets.tolist():
        sheet = graph.positions[node][0]
        move = found.usual_moves.get(sheet)
        if move is None or move == (0, 0, 0):
            continue
        back = (-move[0], -move[1], -move[2])
        later = graph.node(_moved(graph.positions[node], back, order, names))
        root = node
        while root in found.before:
            root = roots.get(root, found.before[root])
        roots[node] = root
        where = graph.positions[later]
        line = (where[0], 0 if move[0] else where[1] if move[1] else where[2])
        is_anew = later > TEXT and not graph.is_formula(later) and graph.numbers[later] == graph.numbers[root]
        if is_anew and not graph.is_formula(root) and later != root:
            steps[line][later] = root
        elif later > TEXT:
            goes_on.add(line)
    return {
        later: root
        for line, nodes in steps.items()
        if len(nodes) > 1 and line not in goes_on
        for later, root in nodes.items()
    }


def expected_parameters(parameters: Identities, strayed: dict[int, int]) -> Identities:
    """The parameters, those that updates should start from in place of the ones that they do."""
    corrected = parameters.copy()
    for index, node in strayed.items():
        corrected[index] = node
    return np.asarray(corrected)
