"""Recognition: which cells are parameters, which is the loss they descend, and by what rate, told by derivatives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.evaluation import Cut, Evaluation
from xlbackprop.checker.calculation.graph import TEXT, Graph, order_of
from xlbackprop.checker.calculation.program import Identities
from xlbackprop.checker.calculation.threads import Threads, expected_parameters, threads
from xlbackprop.checker.calculation.updates import find_updates
from xlbackprop.checker.calculation.worlds import FREE, worlds_of
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Node, parts
from xlbackprop.engine import Array

CLOSENESS = 1e-7
"""Relative; a slip is off by far more with random numbers."""
MOST_LOSSES = 60
"""Sets of cells that are tried as the loss."""
_MOST_RATES = 5
_LEAST_SHARE = 0.3
"""Updates that have to descend a loss before it is taken for the loss of a training."""

Flags = npt.NDArray[np.bool_]


class Model(Struct, eq=False):
    """A workbook's calculation, cut at its updates, in all worlds."""

    graph: Graph
    targets: Identities
    """The cells with new values."""
    parameters: Identities
    """The cells with the old ones, in the same order."""
    evaluation: Evaluation
    depends: Flags
    """Which nodes are calculated from parameters, within a step."""
    feeds: Flags
    """Which nodes the updates are calculated from, within a step."""
    steps: Array
    """What the updates add to their parameters, of shape (updates, worlds)."""
    threads: Threads
    rate_choices: Identities
    """For each update the cells that may hold its learning rate, the first column for none."""


class Descent(Struct, eq=False):
    """Updates that follow one loss; the arrays have an entry for each of its updates."""

    loss: tuple[int, ...]
    """The cells whose sum is the loss, in all steps."""
    members: Identities
    """Which updates of the model belong to it."""
    adjoint: Array
    """The derivatives of the loss by all nodes."""
    factor: float
    """What all gradients are multiplied by, beside the learning rate: a convention such as ½ or 2."""
    is_right: Flags
    is_right_here: Flags
    """Right at least with the numbers of the sheet."""
    rates: Identities
    """The cell with the learning rate; 0 where it is a number in the formula."""
    factors: Array
    """The factor of each update; nan where it descends nothing."""


def model_of(book: Book) -> Model:
    """The calculation of a workbook.

    Raises:
        TooLargeError: it has more formulas than can be judged in time.
    """
    graph = Graph(book)
    whole = order_of(graph, np.zeros(graph.size, dtype=np.bool_))
    updates = find_updates(graph, whole)
    targets, parameters = updates.targets, _roots(graph, updates.targets, updates.parameters)
    is_cut: Cut = np.zeros(graph.size, dtype=np.bool_)
    is_cut[targets] = True
    is_cut[parameters] = graph.kind_of[parameters] >= 0
    order = order_of(graph, is_cut)
    evaluation = Evaluation(graph, worlds_of(graph, is_cut, parameters), is_cut, order)
    depends = dependents(evaluation, np.concatenate([parameters, targets]))
    steps = evaluation.results[targets] - evaluation.seen[parameters]
    choices = _rate_choices(graph, targets, parameters, depends)
    feeds = ancestors(evaluation, targets)
    threaded = threads(graph, updates.targets, parameters)
    expected = expected_parameters(parameters, threaded.strayed)
    return Model(graph, targets, expected, evaluation, depends, feeds, steps, threaded, choices)


def _roots(graph: Graph, targets: Identities, parameters: Identities) -> Identities:
    """The parameters; where only the update reads a cell that repeats another, that other one."""
    readers = np.zeros(graph.size, dtype=np.int64)
    for kind in graph.kinds:
        np.add.at(readers, kind.operands.ravel(), 1)
    np.subtract.at(readers, parameters, 1)
    return np.array([graph.link(int(node)) if readers[node] <= 0 else int(node) for node in parameters], dtype=np.int64)


def dependents(evaluation: Evaluation, sources: Identities) -> Flags:
    graph = evaluation.graph
    depends = np.zeros(graph.size, dtype=np.bool_)
    depends[sources] = True
    given = evaluation.is_cut
    for number, places in evaluation.order.batches:
        kind = graph.kinds[number]
        cells = kind.cells[places]
        depends[cells] |= depends[kind.operands[places]].any(axis=1) & ~given[cells]
    return depends


def ancestors(evaluation: Evaluation, targets: Identities) -> Flags:
    """The nodes that the formulas of some nodes are calculated from, up to where the graph is cut."""
    graph = evaluation.graph
    feeds = np.zeros(graph.size, dtype=np.bool_)
    starts = np.zeros(graph.size, dtype=np.bool_)
    starts[targets] = True
    for number, places in reversed(evaluation.order.batches):
        kind = graph.kinds[number]
        cells = kind.cells[places]
        active = starts[cells] | (feeds[cells] & ~evaluation.is_cut[cells])
        feeds[np.unique(kind.operands[places][active])] = True
    return feeds


def descents(model: Model) -> list[Descent]:
    """The losses that the updates descend, each with the updates that follow it."""
    left = np.ones(len(model.targets), dtype=np.bool_)
    found: list[Descent] = []
    candidates = [_descent(model, loss) for loss in loss_candidates(model)]
    while left.any():
        best = max(candidates, key=lambda one: _score(one, left), default=None)
        if best is None or not (best.is_right & left).any():
            break
        members = left & _reached(model, best)
        right = int((best.is_right & members).sum())
        candidates.remove(best)
        if right < 2 or right < _LEAST_SHARE * members.sum():
            continue
        left &= ~members
        chosen = np.flatnonzero(members)
        found.append(
            Descent(
                best.loss,
                chosen,
                best.adjoint,
                best.factor,
                best.is_right[chosen],
                best.is_right_here[chosen],
                best.rates[chosen],
                best.factors[chosen],
            )
        )
    return found


def _score(one: Descent, left: Flags) -> tuple[int, bool, int]:
    return int((one.is_right & left).sum()), abs(one.factor - 1) < CLOSENESS, -len(one.loss)


def _reached(model: Model, one: Descent) -> Flags:
    """The updates of parameters that a loss depends on, and those beside them that look alike."""
    adjoint = one.adjoint[model.parameters]
    reached: Flags = (np.nan_to_num(adjoint) != 0).any(axis=1)
    alike = {_place(model, int(index)) for index in np.flatnonzero(one.is_right)}
    for index in np.flatnonzero(~reached):
        reached[index] = _place(model, int(index)) in alike
    return reached


def _place(model: Model, index: int) -> tuple[str, str]:
    """The sheet of an update, and the build of its formula."""
    node = int(model.targets[index])
    return model.graph.positions[node][0], skeleton(model.graph, node)


def skeleton(graph: Graph, node: int) -> str:
    """The build of a formula, whatever cells it reads."""
    kind = graph.kind(node)
    return "" if kind is None else _build(kind.program.tree)


def _build(node: Node) -> str:
    match node[0]:
        case "slot":
            return "x"
        case "n":
            return f"{node[1]:g}"
        case "call":
            return f"{node[1]}({','.join(map(_build, node[2]))})"
        case _:
            return f"({node[0]}{','.join(map(_build, parts(node)))})"


def loss_candidates(model: Model) -> list[tuple[int, ...]]:
    """Sets of cells that may be the loss in all steps: those of one kind, one column, one row or one build."""
    graph = model.graph
    is_free = model.depends & (graph.kind_of >= 0) & ~model.evaluation.is_cut
    for allowed in (is_free & ~model.feeds, is_free):
        sets = dict.fromkeys(_sets(graph, np.flatnonzero(allowed), is_free))
        if sets:
            return sorted(sets, key=len, reverse=True)[:MOST_LOSSES]
    return []


def _sets(graph: Graph, nodes: Identities, is_free: Flags) -> Iterator[tuple[int, ...]]:
    groups: dict[object, list[int]] = defaultdict(list)
    builds: dict[int, str] = {}
    for node in nodes.tolist():
        number = int(graph.kind_of[node])
        build = builds.get(number)
        if build is None:
            build = builds[number] = skeleton(graph, node)
        sheet, row, column = graph.positions[node]
        for key in (
            ("kind", number),
            ("column", column, build),
            ("row", sheet, row, build),
            ("build", build),
        ):
            groups[key].append(node)
    for members in groups.values():
        yield tuple(members)


def _descent(model: Model, loss: tuple[int, ...]) -> Descent:
    adjoint = model.evaluation.adjoint(loss)
    with np.errstate(all="ignore"):
        ratio = -model.steps / adjoint[model.parameters]
    rates, factors = _explained(model, ratio)
    factor = _commonest(factors)
    with np.errstate(all="ignore"):
        is_right = np.abs(factors - factor) <= 10 * CLOSENESS * abs(factor)
    is_right &= ~(adjoint[rates] != 0).any(axis=1)  # a number that the loss is calculated from is no learning rate
    is_right_here = _explained_here(model, ratio, factor)
    every = np.arange(len(model.targets))
    return Descent(loss, every, adjoint, factor, is_right, is_right_here, rates, factors)


def _commonest(factors: Array) -> float:
    known = factors[np.isfinite(factors)]
    if not len(known):
        return np.nan
    (rounded, _), *_ = Counter(float(f"{factor:.6g}") for factor in known.tolist()).most_common(1)
    return float(known[np.argmin(np.abs(known - rounded))])


def _explained(model: Model, ratio: Array) -> tuple[Identities, Array]:
    """For each update the cell with the rate (0 for none) and the factor that together are its ratio in all worlds."""
    rates = np.zeros(len(ratio), dtype=np.int64)
    factors = np.full(len(ratio), np.nan)
    for nodes, quotient in _quotients(model, ratio):
        steady, factor = _steady(quotient[:, :FREE])
        chosen = steady & np.isnan(factors)
        rates[chosen] = nodes[chosen]
        factors[chosen] = factor[chosen]
    return rates, factors


def _explained_here(model: Model, ratio: Array, factor: float) -> Flags:
    """The updates that have the factor, with any of their rates, when the other numbers are those of the sheet."""
    found = np.zeros(len(ratio), dtype=np.bool_)
    for _, quotient in _quotients(model, ratio):
        steady, own = _steady(quotient[:, FREE:])
        found |= steady & (np.abs(own - factor) <= 10 * CLOSENESS * abs(factor))
    return found


def _quotients(model: Model, ratio: Array) -> Iterator[tuple[Identities, Array]]:
    """The ratios without a learning rate, for each cell that may hold it."""
    seen = model.evaluation.seen
    for column in range(model.rate_choices.shape[1]):
        nodes = model.rate_choices[:, column]
        with np.errstate(all="ignore"):
            yield nodes, ratio / np.where((nodes > TEXT)[:, None], seen[nodes], 1.0 if column == 0 else np.nan)


def _steady(quotient: Array) -> tuple[Flags, Array]:
    """Whether the numbers of a row are equal, those that are none left out; and what they are."""
    finite = np.isfinite(quotient)
    count = finite.sum(axis=1)
    mean = np.where(finite, quotient, 0.0).sum(axis=1) / np.maximum(count, 1)
    off = np.where(finite, np.abs(quotient - mean[:, None]), 0.0).max(axis=1, initial=0.0)
    steady: Flags = (count >= 2) & (off <= CLOSENESS * np.abs(mean)) & (mean != 0)
    return steady, mean


def _rate_choices(graph: Graph, targets: Identities, parameters: Identities, depends: Flags) -> Identities:
    choices = np.zeros((len(targets), _MOST_RATES + 1), dtype=np.int64)
    for index, (target, parameter) in enumerate(zip(targets.tolist(), parameters.tolist(), strict=True)):
        for place, node in enumerate(list(_independent(graph, depends, target, parameter))[:_MOST_RATES]):
            choices[index, place + 1] = node
    used = int((choices > TEXT).any(axis=0).sum())
    return choices[:, : used + 1]


def _independent(graph: Graph, depends: Flags, target: int, parameter: int) -> dict[int, None]:
    """The cells in an update that no parameter changes; those of the cells that it reads after its own."""
    nodes = dict.fromkeys(graph.operands(target).tolist())
    own = [node for node in nodes if not depends[node]]
    deeper = [inner for node in nodes if depends[node] for inner in graph.operands(node).tolist() if not depends[inner]]
    return dict.fromkeys(node for node in (*own, *deeper) if node > TEXT and node != parameter)
