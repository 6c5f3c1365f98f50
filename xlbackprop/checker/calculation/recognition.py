"""Recognition: which cells are parameters, which is the loss they descend, and by what rate, told by derivatives."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from xlbackprop.checker.calculation.adaptive import plain_updates
from xlbackprop.checker.calculation.evaluation import Cut, Evaluation
from xlbackprop.checker.calculation.graph import BLANK, TEXT, Graph, Order, order_of, skeleton
from xlbackprop.checker.calculation.model import Descent, Flags, Loss, Model
from xlbackprop.checker.calculation.paces import paces
from xlbackprop.checker.calculation.pasted import pasted_formulas
from xlbackprop.checker.calculation.program import Identities, equalities
from xlbackprop.checker.calculation.rules import rules
from xlbackprop.checker.calculation.states import State, with_context, with_states
from xlbackprop.checker.calculation.threads import expected_parameters, threads
from xlbackprop.checker.calculation.updates import Updates, find_updates
from xlbackprop.checker.calculation.worlds import FREE, worlds_of
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import CellFormula, Position, leaves
from xlbackprop.engine import Array

CLOSENESS = 1e-7
"""Relative; a slip is off by far more with random numbers."""
MOST_LOSSES = 60
"""Sets of cells that are tried as the loss."""
_MOST_SCALED = 8
"""Losses that are tried for gradients that are divided by their length."""
_MOST_FULL = 4
"""Losses that explain all updates, of which the one with the fewest cells is taken, before no other is tried."""
_FIRST = 3
"""Cells of a loss that are looked at; the others are like them."""
_LARGEST_SHARE = 2.5
"""Below it lie the multiples of a weight decay in a cell that people take."""
_LARGEST_SAMPLE = 200
"""Updates that choose it."""
_MOST_RATES = 5
_LEAST_SHARE_AS_HERE = 0.95
LEAST_SHARE = 0.3
"""Updates that have to descend a loss before it is taken for the loss of a training."""
_LEAST_SHARE_EXPLAINED = 0.1
"""The same where mistakes with a remedy explain all others."""


def model_of(book: Book, others: Mapping[Position, CellFormula] = MappingProxyType({})) -> Model:
    """The calculation of a workbook.

    Args:
        book: the workbook.
        others: other formulas that cells are taken to have.

    Raises:
        TooLargeError: it has more formulas than can be judged in time.
    """
    graph = Graph(book, others)
    if pasted := pasted_formulas(graph):
        graph = Graph(book, {**pasted, **others})
    updates = _all_updates(graph)
    kept = _kept(graph, updates)
    model = _model(graph, updates, kept, {})
    may_wait = np.array(["IF(" in skeleton(graph, node) for node in model.targets.tolist()], dtype=np.bool_)
    standing = np.flatnonzero((model.steps == 0).all(axis=1) & may_wait)
    passed = {int(model.targets[index]): int(model.parameters[index]) for index in standing.tolist()}
    if passed:
        updates = _without(updates, standing)
        model = _model(graph, updates, kept, passed)
    return _without_others(graph, model, updates, kept, passed)


def waiting_model_of(model: Model) -> Model | None:
    """The same calculation when updates that make no step at present are left out with their losses, as where a sample
    is only looked at; None where all make one."""
    graph, made = model.graph, set(model.targets.tolist())
    updates = _all_updates(graph)
    waiting = np.array(
        [n not in made and "IF(" in skeleton(graph, n) for n in updates.targets.tolist()], dtype=np.bool_
    )
    if not waiting.any():
        return None
    return _model(graph, _without(updates, np.flatnonzero(waiting)), _kept(graph, updates), {})


def _without_others(graph: Graph, model: Model, updates: Updates, kept: Flags, passed: Mapping[int, int]) -> Model:
    """The same calculation without what turned out to be no update."""
    others = np.array(model.threads.others, dtype=np.int64)
    if not len(others):
        return model
    return _model(graph, _without(updates, others), kept, passed, model.states)


def _without(updates: Updates, some: Identities) -> Updates:
    return Updates(np.delete(updates.targets, some), np.delete(updates.parameters, some))


def stateful_model_of(model: Model) -> Model | None:
    """The same calculation when updates carry more than parameters from step to step; None where they do not."""
    is_backward = model.feeds & model.depends & ~model.evaluation.is_cut
    updated = frozenset(model.targets.tolist())
    for node in updated:  # a velocity that lacks its share is an update too, but one that no forward pass reads
        readers = model.graph.readers(node).tolist()
        is_backward[node] |= bool(readers) and updated.issuperset(readers)
    moves = model.threads.usual_moves
    graph, states = with_states(model.graph, is_backward, model.depends, moves, updated)
    return _anew(graph, states) if states else None


def truncated_model_of(model: Model) -> Model | None:
    """The same calculation when each step takes what the one before gave as a number, and its gradients end there; None
    where no forward pass takes anything."""
    graph = with_context(model.graph, model.depends, model.evaluation.is_cut, model.threads.usual_moves)
    if graph is None:
        return None
    changed = _anew(graph)
    changed.is_truncated = True
    return changed


def batched_model_of(model: Model) -> Model | None:
    """The same calculation when parameters that repeat others belong to the steps of these, as the samples of a batch
    do, each with the weights again; None where none does."""
    graph = model.graph
    broken = {node for node, _ in model.threads.broken}
    roots = {node: graph.link(node, broken) for node in model.parameters.tolist()}
    read = {root for root in roots.values() if any(graph.link(one) == one for one in graph.readers(root).tolist())}
    passed = {node: root for node, root in roots.items() if root != node and root in read}
    if not passed:
        return None
    updates = Updates(model.targets, model.parameters)
    return _model(graph, updates, _kept(graph, updates), passed)


def adaptive_model_of(model: Model) -> Model | None:
    """The same calculation with plain updates in place of those by an adaptive rule; None where there are none."""
    graph, updated = model.graph, set(model.targets.tolist())
    carried = {
        number
        for number in np.unique(graph.kind_of[model.targets]).tolist()
        if (read := {one for node in graph.kinds[number].cells.tolist() for one in graph.readers(node).tolist()})
        if read <= updated
    }  # sums of squares, which no forward pass reads
    others = np.flatnonzero(np.isin(graph.kind_of[model.targets], list(carried)))
    if len(others):
        kept = np.ones(graph.size, dtype=np.bool_)
        model = _model(graph, _without(Updates(model.targets, model.parameters), others), kept, {})
    known = plain_updates(model)
    if known is None:
        return None
    graph, adaptive = known
    changed = _anew(graph)
    changed.adaptive = adaptive
    return changed


def scaled(model: Model) -> Descent | None:
    """The loss down whose gradient all updates go, those of one step by the same number that is calculated from it, as
    where a gradient is divided by its length; None for none."""
    moves, lines = model.threads.usual_moves, defaultdict[object, list[int]](list)
    for index, node in enumerate(model.targets.tolist()):
        sheet, row, column = model.graph.positions[node]
        _, down, across = moves.get(sheet, (0, 0, 0))
        lines[sheet, row * bool(down), column * bool(across)].append(index)
    if not lines or min(map(len, lines.values())) < 2:
        return None
    near, _ = _near(model, _sample(model))
    every = np.arange(len(model.targets))
    for loss in loss_candidates(model, near)[:_MOST_SCALED]:
        one = _descent(model, loss, every, model.evaluation)
        with np.errstate(all="ignore"):
            paces = (-model.steps / one.adjoint[model.parameters])[:, :FREE]
        same = (np.allclose(paces[line], paces[line[0]], rtol=CLOSENESS, atol=0.0) for line in lines.values())
        if (paces > 0).all() and all(same):
            return replace(one, factor=1.0, is_right=np.ones(len(every), dtype=np.bool_))
    return None


def choices_of(model: Model) -> Iterator[tuple[int, float]]:
    """The typed cells that choose a part of formulas by being equal to a number, each with a number that it is not."""
    graph = model.graph
    for kind in graph.kinds:
        for number, other in equalities(kind.program.tree) if model.depends[kind.cells].any() else ():
            node, *more = np.unique(kind.operands[:, kind.program.slots[number].start]).tolist()
            is_typed = node > TEXT and not (more or model.depends[node] or graph.is_formula(node))
            if is_typed and graph.numbers[node] != other:
                yield node, other


def is_right_with(model: Model, descent: Descent, node: int, number: float) -> bool:
    """Whether all updates that descend a loss do so when a typed number is another one."""
    graph = copy.copy(model.graph)
    graph.numbers = graph.numbers.copy()
    graph.numbers[node] = number
    updates = Updates(model.targets, model.parameters)
    kept = np.ones(graph.size, dtype=np.bool_)
    changed = _model(graph, updates, kept, {}, model.states)
    other = _descent(changed, descent.loss, descent.members, changed.evaluation)
    return bool((other.is_right | ~descent.is_right).all())


def _shares(graph: Graph, states: tuple[State, ...]) -> list[int]:
    """The typed numbers that tell how much of their value before states keep."""
    found: set[int] = set()
    for state in {int(graph.kind_of[state.node]): state for state in states}.values():
        kind = graph.kinds[graph.kind_of[state.node]]
        nodes, first = np.unique(graph.operands(state.node), return_inverse=True)
        values = np.repeat(np.linspace(0.3, 0.8, len(nodes))[:, None], len(nodes) + 1, axis=1)
        values[np.arange(len(nodes)), np.arange(len(nodes))] += 0.1
        slopes = kind.program.differentiated(values[first][None])[1][0, first == first[state.slot]].sum(axis=0)
        changing = np.isin(first, np.flatnonzero(slopes[:-1] != slopes[-1]))
        found.update(np.unique(kind.operands[:, changing]).tolist())
    stand_ins = {state.stand_in for state in states}
    return [node for node in found if node > TEXT and node not in stand_ins and not graph.is_formula(node)]


def _all_updates(graph: Graph) -> Updates:
    return find_updates(graph, order_of(graph, np.zeros(graph.size, dtype=np.bool_)))


def _anew(graph: Graph, states: tuple[State, ...] = ()) -> Model:
    """The calculation of another graph of the same cells."""
    updates = _all_updates(graph)
    kept = _kept(graph, updates)
    return _without_others(graph, _model(graph, updates, kept, {}, states), updates, kept, {})


def _kept(graph: Graph, updates: Updates) -> Flags:
    """The cells on the sheets with updates, and what these are calculated from."""
    sheets = {graph.positions[node][0] for node in (*updates.targets.tolist(), *updates.parameters.tolist())}
    kept = np.array([position[0] in sheets for position in graph.positions], dtype=np.bool_)
    ahead = np.flatnonzero(kept & (graph.kind_of >= 0)).tolist()
    while ahead:
        for operand in graph.operands(ahead.pop()).tolist():
            if not kept[operand]:
                kept[operand] = True
                ahead.append(operand)
    return kept


def _model(
    graph: Graph, updates: Updates, kept: Flags, passed: Mapping[int, int], states: tuple[State, ...] = ()
) -> Model:
    """The calculation cut at its updates.

    Args:
        graph: the cells.
        updates: the updates that add something.
        kept: the cells that are calculated.
        passed: updates that only hand on their parameter, as those inside a batch do, with that parameter.
        states: what is carried from step to step beside the parameters; it starts from nothing.
    """
    targets = updates.targets
    starts = _roots(graph, targets, updates.parameters, passed)
    threaded = threads(graph, targets, starts, passed)
    parameters = expected_parameters(starts, threaded.strayed)
    is_cut: Cut = np.zeros(graph.size, dtype=np.bool_)
    is_cut[targets] = True
    is_cut[parameters] = graph.kind_of[parameters] >= 0
    is_cut[[node for node, _ in threaded.broken]] = True
    order = order_of(graph, is_cut, kept)
    depends = dependents_of(graph, order, is_cut, np.concatenate([parameters, targets]))
    feeds = ancestors_of(graph, order, is_cut, targets)
    given = worlds_of(graph, is_cut, parameters, depends, feeds)
    if states:
        given[[state.stand_in for state in states]] = 0.0
        shares = _shares(graph, states)
        given[shares] = graph.numbers[shares][:, None]
    evaluation = Evaluation(graph, given, is_cut, order, depends)
    steps = evaluation.results[targets] - evaluation.seen[starts]
    choices = _rate_choices(graph, targets, starts, depends)
    if found := paces(graph, evaluation.seen, targets, starts, depends):
        numbers = np.full(len(targets), BLANK)
        numbers[list(found)] = np.arange(graph.size, graph.size + len(found))
        graph = graph.with_numbers([graph.positions[int(targets[index])] for index in found])
        choices = np.column_stack([np.where(numbers[:, None] > TEXT, BLANK, choices), numbers])
        evaluation = evaluation.with_numbers(graph, np.array(list(found.values())))
        depends, feeds = (np.append(flags, np.zeros(len(found), dtype=np.bool_)) for flags in (depends, feeds))
    return Model(graph, targets, parameters, evaluation, depends, feeds, steps, threaded, choices, states)


def _roots(graph: Graph, targets: Identities, parameters: Identities, passed: Mapping[int, int]) -> Identities:
    """The parameters; where only the update reads a cell that repeats another, or hands it on, that other one."""
    readers = np.zeros(graph.size, dtype=np.int64)
    for kind in graph.kinds:
        np.add.at(readers, kind.operands.ravel(), 1)
    np.subtract.at(readers, parameters, 1)
    found = []
    for parameter in parameters.tolist():
        node = graph.link(parameter) if readers[parameter] <= 0 else parameter
        while node in passed:
            node = passed[node]
        found.append(node)
    return np.array(found, dtype=np.int64)


def dependents(evaluation: Evaluation, sources: Identities) -> Flags:
    """The nodes that are calculated from some nodes, up to where the graph is cut; these themselves among them."""
    return dependents_of(evaluation.graph, evaluation.order, evaluation.is_cut, sources)


def dependents_of(graph: Graph, order: Order, is_cut: Cut, sources: Identities) -> Flags:
    """The same before anything is evaluated."""
    depends = np.zeros(graph.size, dtype=np.bool_)
    depends[sources] = True
    for number, places in order.batches:
        kind = graph.kinds[number]
        cells = kind.cells[places]
        depends[cells] |= depends[kind.operands[places]].any(axis=1) & ~is_cut[cells]
    return depends


def ancestors(evaluation: Evaluation, targets: Identities) -> Flags:
    """The nodes that the formulas of some nodes are calculated from, up to where the graph is cut."""
    return ancestors_of(evaluation.graph, evaluation.order, evaluation.is_cut, targets)


def ancestors_of(graph: Graph, order: Order, is_cut: Cut, targets: Identities) -> Flags:
    """The same before anything is evaluated."""
    feeds = np.zeros(graph.size, dtype=np.bool_)
    starts = np.zeros(graph.size, dtype=np.bool_)
    starts[targets] = True
    for number, places in reversed(order.batches):
        kind = graph.kinds[number]
        cells = kind.cells[places]
        active = starts[cells] | (feeds[cells] & ~is_cut[cells])
        feeds[np.unique(kind.operands[places][active])] = True
    return feeds


def descents(model: Model) -> list[Descent]:
    """The losses that the updates descend, each with the updates that follow it.

    Where none is descended by enough of them, one that few descend: what is wrong with the others is to be explained.
    A few updates of each kind choose the loss; all of them are held to it then.
    """
    left = np.ones(len(model.targets), dtype=np.bool_)
    sample = _sample(model)
    if not len(sample):
        return []
    near, evaluation = _near(model, sample)
    losses = _tried(model, loss_candidates(model, near), sample, near, evaluation)
    found = list(_followed(model, losses, left, sample))
    if not found:
        found = list(
            _followed(
                model, [(_as_here(one), loss) for one, loss in losses], left, sample, _LEAST_SHARE_AS_HERE, _as_here
            )
        )
    descending = np.zeros(len(left), dtype=np.bool_)
    for one, _ in losses:
        descending[sample] |= one.is_right
    sheets = np.array([model.graph.positions[node][0] for node in model.targets.tolist()])
    left &= ~np.isin(sheets, sheets[~left | descending])
    if left.any():
        found += _followed(model, _tried(model, rules(model, near), sample, near, evaluation), left, sample)
    if not found:
        every = np.ones(len(model.targets), dtype=np.bool_)
        found = list(_followed(model, losses, every, sample, least=_LEAST_SHARE_EXPLAINED))
    return found


def supposed(model: Model) -> Iterator[Descent]:
    """Losses that nothing else is made of and that all parameters change, though no update descends them.

    One mistake may throw off all updates. Only with a learning rate in the one cell that all updates read.
    """
    graph, members = model.graph, np.arange(len(model.targets))
    read = [set(graph.operands(node).tolist()) for node in model.targets.tolist()]
    rates = [node for node in set.intersection(*read) if node > TEXT and not model.depends[node]] if read else []
    if len(rates) != 1:
        return
    near, _ = _near(model, _sample(model))
    nothing = np.zeros(len(members), dtype=np.bool_)
    for loss in loss_candidates(model, near):
        one = _descent(model, loss, members, model.evaluation)
        if one.reached.all() and not (one.is_decayed or any(len(graph.readers(cell)) for cell in loss.cells)):
            rate = np.full(len(members), rates[0], dtype=np.int64)
            yield replace(one, factor=1.0, is_right=nothing, is_right_here=nothing, rates=rate)


Trial = tuple[Descent, Loss]
"""What a few updates make of the part of a loss near them, and that loss."""


def _tried(
    model: Model, losses: Iterable[Loss], sample: Identities, near: Flags, evaluation: Evaluation
) -> list[Trial]:
    parts_: dict[Loss, Loss] = {}
    for loss in losses:
        parts_.setdefault(loss.within(near), loss)
    found: list[Trial] = []
    full = 0
    for part, loss in parts_.items():
        one = _descent(model, part, sample, evaluation)
        found.append((one, loss))
        full += bool((one.is_right & one.reached).all())
        if full == _MOST_FULL:
            break
    return found


def _as_here(one: Descent) -> Descent:
    """A descent whose updates are held to the numbers of the sheet alone, as where some are typed in twice.

    Where they go down a multiple of the loss, it has to be one that people use: 2 or ½.
    """
    is_convention = any(abs(one.factor - usual) < CLOSENESS for usual in (0.5, 1.0, 2.0))
    return replace(one, is_right=one.is_right | one.is_right_here, is_here_alone=True) if is_convention else one


def _followed(
    model: Model,
    trials: Iterable[Trial],
    left: Flags,
    sample: Identities,
    least: float = LEAST_SHARE,
    read: Callable[[Descent], Descent] = lambda descent: descent,
) -> Iterator[Descent]:
    """The losses that updates descend, best first; these updates are left no more."""
    candidates = list(trials)
    while left.any() and candidates:
        best = max(candidates, key=lambda one: _score(model, one[0], one[1], left, sample))
        if not (best[0].is_right & left[sample]).any():
            break
        candidates.remove(best)
        whole = _descent(model, best[1], np.arange(len(model.targets)), model.evaluation)
        whole = read(whole)
        members = left & _reached(model, whole)
        for one, loss in candidates if _is_last(model, best[1]) else ():
            is_apart = _is_last(model, loss) and set(loss.cells).isdisjoint(best[1].cells)
            if is_apart and (one.is_right & one.reached & ~best[0].is_right).any():
                other = _descent(model, loss, np.arange(len(model.targets)), model.evaluation)
                members &= ~(other.is_right & other.reached & ~whole.is_right)
        right = int((whole.is_right & members).sum())
        if right < 2 or right < least * members.sum():
            continue
        left &= ~members
        chosen = np.flatnonzero(members)
        yield whole.of(chosen)


def _sample(model: Model) -> Identities:
    """A few updates of each kind and parameter on each sheet."""
    groups: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    first: dict[int, int] = {}
    for index, (node, parameter) in enumerate(zip(model.targets.tolist(), model.parameters.tolist(), strict=True)):
        first[node] = first.get(model.graph.link(parameter), parameter)
        groups[model.graph.positions[node][0], int(model.graph.kind_of[node]), first[node]].append(index)
    chosen: list[int] = []
    lost = _lost(model)
    for every in groups.values():
        members = [index for index in every if int(model.parameters[index]) not in lost] or every
        chosen += [members[place] for place in sorted({0, len(members) // 2, len(members) - 1})]
    if len(chosen) > _LARGEST_SAMPLE:
        chosen = [chosen[place] for place in np.linspace(0, len(chosen) - 1, _LARGEST_SAMPLE).astype(int)]
    return np.array(sorted(set(chosen)), dtype=np.int64)


def _lost(model: Model) -> set[int]:
    """What leads to a formula that cannot be followed, so that its derivative is not known."""
    ahead = [other for node in model.evaluation.unknown for other in model.graph.named(node)]
    found = set(ahead)
    for node in ahead:
        if not model.evaluation.is_cut[node]:
            ahead += (more := set(model.graph.operands(node).tolist()) - found)
            found |= more
    return found


def _near(model: Model, sample: Identities) -> tuple[Flags, Evaluation]:
    """The cells that the parameters of some updates change within a step, and an evaluation of these alone."""
    graph, whole = model.graph, model.evaluation
    near = np.zeros(graph.size, dtype=np.bool_)
    ahead = model.parameters[sample].tolist()
    while ahead:
        for reader in graph.readers(ahead.pop()).tolist():
            if not near[reader] and whole.order.level[reader] > 0:
                near[reader] = True
                if not whole.is_cut[reader]:
                    ahead.append(reader)
    order = order_of(graph, whole.is_cut, near)
    return near, Evaluation(graph, whole.seen, whole.is_cut, order)


def _score(model: Model, one: Descent, loss: Loss, left: Flags, sample: Identities) -> tuple[int, bool, bool, int, int]:
    """How well a loss explains some updates; of two that explain as many, the one that nothing else is made of is
    better, and the one that all of them change."""
    right = int((one.is_right & left[sample]).sum())
    return right, abs(one.factor - 1) < CLOSENESS, _is_last(model, loss), int(one.reached.sum()), -len(loss.cells)


def _is_last(model: Model, loss: Loss) -> bool:
    """Whether nothing else is made of a loss."""
    return not any(len(model.graph.readers(cell)) for cell in loss.cells[:_FIRST])


def _reached(model: Model, one: Descent) -> Flags:
    """The updates of parameters that a loss depends on, those beside them that look alike, and those of idle ones."""
    reached = one.reached.copy()
    alike = {_place(model, int(index)) for index in np.flatnonzero(one.is_right)}
    sheets = {sheet for sheet, _ in alike}
    for index in np.flatnonzero(~reached).tolist():
        place = _place(model, index)
        is_idle = model.graph.readers(int(model.parameters[index])).tolist() == [int(model.targets[index])]
        reached[index] = place in alike or (is_idle and place[0] in sheets)
    return reached


def _place(model: Model, index: int) -> tuple[str, str]:
    """The sheet of an update, and the build of its formula."""
    node = int(model.targets[index])
    return model.graph.positions[node][0], skeleton(model.graph, node)


def loss_candidates(model: Model, near: Flags) -> list[Loss]:
    """Sets of cells that may be the loss in all steps: those of one kind, one column, one row or one build."""
    graph = model.graph
    is_free = model.depends & (graph.kind_of >= 0) & ~model.evaluation.is_cut & (model.evaluation.order.level > 0)
    is_last = is_free & ~model.feeds
    for kind in graph.kinds:  # where an update reads the loss in place of its gradient, it is the loss all the same
        is_last[kind.cells] |= is_free[kind.cells] & (2 * model.feeds[kind.cells].sum() < len(kind.cells))
    for allowed in (is_last, is_free):
        sets = dict.fromkeys(_sets(graph, np.flatnonzero(allowed), near))
        if sets:
            by_size = sorted(sets, key=lambda one: -int(near[list(one)].sum()))
            return [Loss(cells) for cells in by_size[:MOST_LOSSES]]
    return []


def _sets(graph: Graph, nodes: Identities, near: Flags) -> Iterator[tuple[int, ...]]:
    groups: dict[object, list[int]] = defaultdict(list)
    for node in nodes.tolist():
        number = int(graph.kind_of[node])
        build = skeleton(graph, node)
        sheet, row, column = graph.positions[node]
        everywhere = ("link", number) if graph.link(node) != node else ("build", build)
        read = ("read", number, skeleton(graph, int(graph.operands(node)[0])))
        for key in (("kind", number), read, ("column", column, build), ("row", sheet, row, build), everywhere):
            groups[key].append(node)
    for members in groups.values():
        if near[members].any():
            yield tuple(members)


def _descent(model: Model, loss: Loss, members: Identities, evaluation: Evaluation) -> Descent:
    adjoint = evaluation.adjoint_of(loss.slopes(model.evaluation.seen))
    reached = (np.nan_to_num(adjoint[model.parameters[members]]) != 0).any(axis=1)
    ratio = -model.steps[members] / adjoint[model.parameters[members]]
    rates, factors = _explained(model, ratio, members)
    decayed = _decay(model, adjoint, members, ~np.isnan(factors), reached)
    if decayed.any():
        adjoint[model.parameters[members]] += decayed
        ratio = -model.steps[members] / adjoint[model.parameters[members]]
        rates, factors = _explained(model, ratio, members)
    values = model.evaluation.seen[list(loss.cells)]
    factor = _commonest(factors, -1.0 if (values[np.isfinite(values)] <= 0).all() else 1.0)
    if np.isnan(factor):
        rates, factor = _explained_here_alone(model, ratio, members)
    is_right = _agreeing(model, adjoint, factor, members, rates)
    is_right &= ~(adjoint[rates] != 0).any(axis=1)  # a number that the loss is calculated from is no learning rate
    is_right &= ~_lacks_rate(model, members, rates, is_right)
    pace = np.where(rates > TEXT, model.evaluation.seen[rates, -1], 1.0)
    with np.errstate(all="ignore"):
        shares = factor * pace * decayed[:, -1] / model.evaluation.seen[model.parameters[members], -1]
    removed = float(np.nan_to_num(shares).max(initial=0.0))
    is_right_here = _explained_here(model, ratio, factor, members, _usual_rates(model, members, rates, is_right))
    paced = _paced(model, members, factors / factor, is_right)
    is_right |= paced
    is_decayed = bool(decayed.any())
    return Descent(
        loss, members, adjoint, reached, factor, is_right, is_right_here, rates, factors, is_decayed, paced, removed
    )


def _paced(model: Model, members: Identities, shares: Array, is_right: Flags) -> Flags:
    """The updates of several parameters whose formulas have a number that right ones have not, by which they are off.

    Args:
        model: the calculation.
        members: the updates.
        shares: of each what it is of a right one's step.
        is_right: those that are right as they are.
    """
    paced: Flags = np.zeros(len(members), dtype=np.bool_)
    builds: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(model.targets[members].tolist()):
        builds[skeleton(model.graph, node)].append(index)
    for indices in builds.values():
        share, first = shares[indices[0]], model.graph.kind(int(model.targets[members[indices[0]]]))
        if first is None or not is_right.any() or is_right[indices].any() or not np.allclose(shares[indices], share):
            continue
        numbers = [leaf[1] for leaf in leaves(first.program.tree) if leaf[0] == "n" and leaf[1] > 0]
        is_typed = any(np.allclose(share, (number, 1 / number)[turned]) for number in numbers for turned in (0, 1))
        places = [model.graph.positions[node] for node in model.targets[members[indices]].tolist()]
        _, down, across = model.threads.usual_moves.get(places[0][0], (0, 0, 0))
        lines = [(sheet, row * bool(down), column * bool(across)) for sheet, row, column in places]
        paced[indices] = is_typed and share > 0 and lines.count(lines[0]) > 1
    return paced


def _decay(model: Model, adjoint: Array, members: Identities, is_plain: Flags, is_reached: Flags) -> Array:
    """What weight decay adds to the gradients: a number, or a given cell, times the parameter; most often nothing.

    It is looked for where a multiple of the gradient alone does not explain all updates; that of a bias may be without.

    Args:
        model: the calculation.
        adjoint: the derivatives of the loss.
        members: the updates.
        is_plain: which of them a multiple of the gradient explains.
        is_reached: which of them have a gradient that is not 0.
    """
    nothing = np.zeros((len(members), adjoint.shape[1]))
    gradients = adjoint[model.parameters[members]]
    parameters = model.evaluation.seen[model.parameters[members]]
    steps = -model.steps[members]
    other = ~is_plain & is_reached
    if not other.any():
        return nothing
    is_kept = is_plain.copy()
    is_kept[is_plain] = ~_are_biases(model, adjoint, members[is_plain])
    columns = range(model.rate_choices.shape[1])
    paces = [_given(model, members, column) for column in columns]
    pairs = [(one, other) for one in columns for other in columns if one <= other and (other == 0 or one != other)]
    shares = np.array([paces[one] * paces[other] for one, other in pairs])
    best, best_count = nothing, int(is_kept.sum())
    for column, pace in zip(columns, paces, strict=True):
        slope, decay, fits = _two_terms(steps[other], (pace * gradients)[other], (shares * parameters)[:, other])
        counts = fits.sum(axis=1)
        chosen = int(counts.argmax())
        if counts[chosen] > best_count:
            with np.errstate(all="ignore"):
                usual = _commonest((decay / slope)[chosen, fits[chosen]])
                decays = _as_built(model, members, np.flatnonzero(other)[fits[chosen]]) | is_kept[:, None]
                found = np.where(decays, usual * shares[chosen] * parameters / pace, 0.0)
            choices = model.rate_choices[members[other][fits[chosen]]]
            if _is_meant(adjoint, choices[:, pairs[chosen]], choices[:, column], usual):
                best, best_count = found, int(counts[chosen])
    return best


def _is_meant(adjoint: Array, nodes: Identities, pace: Identities, share: float) -> bool:
    """Whether weight decay is as people make it: a small typed number, or a cell that the loss does not read itself."""
    cells = nodes[(nodes > TEXT) & (nodes != pace[:, None])]
    if not len(cells):
        return share < 1
    return share < _LARGEST_SHARE and not np.nan_to_num(adjoint[cells]).any()


def _are_biases(model: Model, adjoint: Array, members: Identities) -> Flags:
    """The updates of parameters that are added to something, multiplied by nothing."""
    nodes = model.parameters[members]
    is_cut, readers = model.evaluation.is_cut, [model.graph.readers(node) for node in nodes.tolist()]
    above = np.array([adjoint[some[~is_cut[some]], :FREE].sum(axis=0) for some in readers]).reshape(-1, FREE)
    same = np.isclose(adjoint[nodes, :FREE], above, rtol=CLOSENESS, atol=0.0, equal_nan=True)
    return np.asarray(same.all(axis=1))


def _as_built(model: Model, members: Identities, chosen: npt.NDArray[np.intp]) -> Flags:
    """The updates on the sheet of some chosen ones whose formulas are built like theirs, as a column."""
    places = [_place(model, index) for index in members.tolist()]
    wanted = {places[index] for index in chosen.tolist()}
    return np.array([[place in wanted] for place in places], dtype=np.bool_)


def _given(model: Model, members: Identities, column: int) -> Array:
    """The numbers of one of the cells that may hold each update's learning rate; 1 for none."""
    nodes = model.rate_choices[members, column]
    missing = 1.0 if column == 0 else np.nan
    return np.where((nodes > TEXT)[:, None], model.evaluation.seen[nodes], missing)


def _two_terms(steps: Array, gradients: Array, parameters: Array) -> tuple[Array, Array, Flags]:
    """For each update how often it takes its gradient and its parameter, and whether these two explain it.

    Args:
        steps: what is subtracted, of shape (updates, worlds).
        gradients: the same of the gradients.
        parameters: several shares of the parameters, of shape (shares, updates, worlds), as the results are.
    """
    gradients, parameters, steps = gradients[:, :FREE], parameters[..., :FREE], steps[:, :FREE]
    gg, pp, gp = (
        (one * other).sum(axis=-1)
        for one, other in ((gradients, gradients), (parameters, parameters), (gradients, parameters))
    )
    gs, ps = (gradients * steps).sum(axis=-1), (parameters * steps).sum(axis=-1)
    size = gg * pp - gp**2
    slope, decay = (gs * pp - ps * gp) / size, (ps * gg - gs * gp) / size
    off = np.abs(slope[..., None] * gradients + decay[..., None] * parameters - steps).max(axis=-1)
    fits = (off <= CLOSENESS * np.abs(steps).max(axis=-1)) & (slope > 0) & (decay > 0)
    return slope, decay, fits


def _lacks_rate(model: Model, members: Identities, rates: Identities, is_right: Flags) -> Flags:
    """The updates without a learning rate on sheets where most others read one from a cell, and those with a cell of
    their own in each step where most others read none: that is an input which no forward pass reads."""
    sheets = [model.graph.positions[node][0] for node in model.targets[members].tolist()]
    moves = (model.steps[members, :FREE] != 0).any(axis=1)
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for sheet, rate, counted in zip(sheets, rates.tolist(), (is_right & moves).tolist(), strict=True):
        counts[sheet][rate > TEXT] += counted
    most = np.array([counts[sheet][True] > counts[sheet][False] for sheet in sheets], dtype=np.bool_)
    uses = np.unique_inverse(rates).inverse_indices
    is_own = (rates > TEXT) & (np.bincount(uses)[uses] == 1) & (model.graph.kind_of[rates] < 0)
    is_own &= is_own.sum() > 1
    lacking: Flags = moves & np.where(most, rates <= TEXT, is_own)
    return lacking


def _agreeing(model: Model, adjoint: Array, factor: float, members: Identities, rates: Identities) -> Flags:
    """The updates that are the derivative times the factor and a rate in all worlds, no step where there is no slope.

    `rates` gets the rate of those that are not known by a slope in several worlds.
    """
    agreeing: Flags = np.zeros(len(members), dtype=np.bool_)
    steps = model.steps[members, :FREE]
    slopes = factor * adjoint[model.parameters[members], :FREE]
    for column in range(model.rate_choices.shape[1]):
        nodes = model.rate_choices[members, column]
        pace = np.where((nodes > TEXT)[:, None], model.evaluation.seen[nodes, :FREE], 1.0 if column == 0 else np.nan)
        wanted = -slopes * pace
        near = np.abs(steps - wanted) <= 10 * CLOSENESS * np.maximum(np.abs(steps), np.abs(wanted)) + 1e-15
        unknown = np.isnan(steps) & np.isnan(slopes)
        fits = (near | unknown).all(axis=1) & near.any(axis=1) & ~agreeing
        rates[fits] = np.where(nodes > TEXT, nodes, 0)[fits]
        agreeing |= fits
    return agreeing


def _commonest(factors: Array, meant: float = 1.0) -> float:
    """The factor of most; of those of as many the one that is meant, else one in its direction."""
    known = factors[np.isfinite(factors)]
    if not len(known):
        return np.nan
    counts = Counter(float(f"{factor:.6g}") for factor in known.tolist())
    rounded = max(counts, key=lambda factor: (counts[factor], factor == meant, factor * meant > 0))
    return float(known[np.argmin(np.abs(known - rounded))])


def _explained(model: Model, ratio: Array, members: Identities) -> tuple[Identities, Array]:
    """For each update the cell with the rate (0 for none) and the factor that together are its ratio in all worlds."""
    rates = np.zeros(len(ratio), dtype=np.int64)
    factors = np.full(len(ratio), np.nan)
    for nodes, quotient in _quotients(model, ratio, members):
        steady, factor = _steady(quotient[:, :FREE])
        chosen = steady & np.isnan(factors)
        rates[chosen] = nodes[chosen]
        factors[chosen] = factor[chosen]
    return rates, factors


def _explained_here_alone(model: Model, ratio: Array, members: Identities) -> tuple[Identities, float]:
    """For each update the cell with the rate, and the factor of most, by the numbers of the sheet alone.

    Any cell may be the rate then; it is taken to be the one with which least is left to explain.
    """
    rates = np.zeros(len(ratio), dtype=np.int64)
    factors = np.full(len(ratio), np.nan)
    for nodes, quotient in _quotients(model, ratio, members):
        steady, own = _steady(quotient[:, FREE:])
        with np.errstate(all="ignore"):
            nearer = ~(np.abs(np.log(np.abs(own))) > np.abs(np.log(np.abs(factors))))
        chosen = steady & nearer
        rates[chosen], factors[chosen] = nodes[chosen], own[chosen]
    return rates, _commonest(factors)


def _usual_rates(model: Model, members: Identities, rates: Identities, is_right: Flags) -> Array:
    """For each update the number that most right ones on its sheet have as their rate; 1 where they have none."""
    sheets = [model.graph.positions[node][0] for node in model.targets[members].tolist()]
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for sheet, rate, counted in zip(sheets, rates.tolist(), is_right.tolist(), strict=True):
        counts[sheet][rate] += counted
    usual = [counts[sheet].most_common(1)[0][0] for sheet in sheets]
    return np.array([model.graph.numbers[rate] if rate > TEXT else 1.0 for rate in usual])


def _explained_here(model: Model, ratio: Array, factor: float, members: Identities, usual: Array) -> Flags:
    """The updates that have the factor, with any of their rates, when the other numbers are those of the sheet."""
    steady, own = _steady(ratio[:, FREE:])
    found: Flags = steady & (np.abs(own - factor * usual) <= 10 * CLOSENESS * np.abs(factor * usual))
    for _, quotient in _quotients(model, ratio, members):
        steady, own = _steady(quotient[:, FREE:])
        found |= steady & (np.abs(own - factor) <= 10 * CLOSENESS * abs(factor))
    return found


def _quotients(model: Model, ratio: Array, members: Identities) -> Iterator[tuple[Identities, Array]]:
    """The ratios without a learning rate, for each cell that may hold it."""
    seen = model.evaluation.seen
    for column in range(model.rate_choices.shape[1]):
        nodes = model.rate_choices[members, column]
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
    nodes = dict.fromkeys(_single(graph, target))
    own = [node for node in nodes if not depends[node]]
    deeper = [inner for node in nodes if depends[node] for inner in _single(graph, node) if not depends[inner]]
    return dict.fromkeys(node for node in (*own, *deeper) if node > TEXT and node != parameter)


def _single(graph: Graph, node: int) -> Iterator[int]:
    """The cells that a formula reads, those of its ranges left out."""
    kind, operands = graph.kind(node), graph.operands(node)
    yield from (int(operands[slot.start]) for slot in (() if kind is None else kind.program.slots) if slot.size == 1)
