"""Adaptive updates: those that divide by the root of a carried square, as Adam and RMSProp do, held to these."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind
from xlbackprop.checker.calculation.model import Adaptive, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, named
from xlbackprop.checker.calculation.program import Identities, Program, Slot
from xlbackprop.checker.calculation.repair import rewritten
from xlbackprop.checker.calculation.step import CLOSENESS, calculated
from xlbackprop.checker.calculation.threads import Neighbours
from xlbackprop.checker.file.formula import Node, leaves
from xlbackprop.engine import Array

_TRIALS = 6
_CUTTING = frozenset({"MIN", "MAX", "MEDIAN", "SIGN", "IF"})
"""Functions by which a gradient may be cut off."""
_GRADIENTS = np.array((-30.0, -1.0, -0.01, 0.01, 1.0, 30.0))
_MOST = 2_000
"""Updates; each is looked at by itself."""
_MOST_CELLS = 12
"""Between a gradient and its update."""
_WHOLE = "1"
"""The share that AdaGrad keeps of the squares before: all, to which it adds the next one whole."""
_MOST_SEARCHED = 30
"""Updates among which one by a known rule is looked for."""
_ROOTS: Mapping[str, Callable[[Array, Array], Array]] = {
    "√v + ε": lambda square, tiny: np.sqrt(square) + tiny,
    "√(v + ε)": lambda square, tiny: np.sqrt(square + tiny),
}

Formulas = Mapping[int, tuple[Program, Identities]]


class _Update(Struct, frozen=True):
    """One update down to its gradient: the cells between these, and what two of them carry on from the step before."""

    target: int
    parameter: int
    gradient: int
    cells: tuple[int, ...]
    """In the order of calculation, the target last."""
    before: Mapping[int, int]
    """The value before of each state among the cells."""
    velocity: int = 0
    """The cell that carries on the gradient; 0 for none."""
    square: int = 0
    """The cell that carries on its square."""


Number = int | str
"""A cell, or what is typed into formulas."""


class _Rule(Struct, frozen=True):
    """What the updates are."""

    rate: Number
    kept: Number
    """How much of the gradients before is kept; empty where they are not carried on."""
    kept_square: Number
    tiny: Number
    root: str


def plain_updates(model: Model) -> tuple[Graph, Adaptive] | None:
    """The graph with w − η·gradient in place of updates by an adaptive rule, and what is wrong in these; None for none.

    What is wrong with their gradients is seen in that graph as with those of plain descent.
    """
    graph, targets = model.graph, model.targets.tolist()
    if not 1 < len(targets) <= _MOST:
        return None
    steps = Neighbours(graph, model.threads.usual_moves)
    feeding = (graph.kind(node) for node in (*targets, *np.flatnonzero(model.feeds & model.depends).tolist()))
    may_cut = any(kind is not None and not _CUTTING.isdisjoint(kind.formula.functions) for kind in feeding)
    if not (may_cut or any(_may_carry(model, steps, target) for target in targets)):
        return None
    pairs = zip(targets, model.parameters.tolist(), strict=True)
    read = {target: list(_readings(model, steps, target, parameter)) for target, parameter in pairs}
    searched = [one for several in read.values() for one in several if one.square]
    found = (_rule(model, one) for one in searched[:: max(1, len(searched) // _MOST_SEARCHED)])
    rule = next((one for one in found if one is not None), None)
    if rule is None:
        return _cut_off(model, read)
    right = {target: one for target in targets for one in reversed(read[target]) if _is_by(model, rule, one)}
    if 2 * len(right) < len(targets):
        return None
    plain, mistakes, other = list(right.values()), [], []
    for target in (target for target in targets if target not in right):
        mended = [found for one in read[target] for found in _mended(model, rule, one, right.values())]
        if len(mended) == 1:
            plain.append(mended[0][0])
            mistakes.append(mended[0][1])
        else:
            other.append(target)
    doubts = [*_doubts(model, rule)]
    if other:
        doubts.append(
            f"{cells_of_sheets(graph.positions[node] for node in other)} goes on by another rule than most do"
        )
    name = "Adam" if rule.kept else "AdaGrad" if rule.kept_square == _WHOLE else "RMSProp"
    proven = frozenset(cell for one in right.values() for cell in one.cells)
    return _plain(graph, rule, plain), Adaptive(
        f"by {name}", tuple(mistakes), tuple(doubts), frozenset(targets), proven
    )


def _cut_off(model: Model, read: Mapping[int, list[_Update]]) -> tuple[Graph, Adaptive] | None:
    """The same for updates by a gradient that is cut off, or by its sign: by the same function of each."""
    alike: dict[tuple[float, ...], dict[int, _Update]] = defaultdict(dict)
    for target, several in read.items():
        for one in several:
            if shape := () if one.before else _shape(model, one):
                alike[shape].setdefault(target, one)
    found = max(alike.values(), key=len, default={})
    if 2 * len(found) < len(read) or len(found) < 2:
        return None
    rest = cells_of_sheets(model.graph.positions[node] for node in read if node not in found)
    doubts = (f"{rest} goes on by another rule than most do",) if rest else ()
    proven = frozenset(cell for one in found.values() for cell in one.cells)
    words = "by a gradient that is cut off, or its sign"
    plain = _plain(model.graph, _Rule("1", "", "", "0", ""), list(found.values()))
    return plain, Adaptive(words, (), doubts, frozenset(read), proven)


def _shape(model: Model, one: _Update) -> tuple[float, ...]:
    """What an update makes of several gradients, where that turns with their sign and grows with them, but not as they
    do; nothing where it does not."""
    still = {
        node: np.full(_TRIALS, number[0]) for node, number in _numbers(model, one).items() if isinstance(node, int)
    }
    still[one.parameter] = np.full(_TRIALS, _random(one.parameter)[0])
    step = still[one.parameter] - _values(model, one, {**still, one.gradient: _GRADIENTS})[one.target]
    is_turned = np.allclose(step, -step[::-1], atol=0.0) and (np.sign(step) == np.sign(_GRADIENTS)).all()
    is_meant = (
        is_turned
        and (np.diff(step) >= -CLOSENESS).all()
        and not np.allclose(step / step[-1], _GRADIENTS / _GRADIENTS[-1])
    )
    return tuple(float(f"{number:.9g}") for number in step.tolist()) if is_meant else ()


def _readings(model: Model, steps: Neighbours, target: int, parameter: int) -> Iterator[_Update]:
    """What may be the gradient of an update: the cells that all on which it depends goes through, the nearest first."""
    graph, is_cut = model.graph, model.evaluation.is_cut
    for gradient in _inwards(model, steps, target, target)[0] if graph.kind(target) is not None else ():
        if gradient in (target, parameter) or is_cut[gradient] or not graph.is_formula(gradient):
            continue
        found, before = _inwards(model, steps, target, target, gradient)
        cells = [node for node in found if node == target or (graph.kind(node) is not None and not is_cut[node])]
        is_alone = {node for node in found if node not in cells} <= {parameter}
        if is_alone and not _inwards(model, steps, target, gradient)[1]:
            level = model.evaluation.order.level
            cells.sort(key=lambda node: (node == target, int(level[node])))
            yield _with_states(model, _Update(target, parameter, gradient, tuple(cells), before))


def _may_carry(model: Model, steps: Neighbours, target: int) -> bool:
    """Whether an update may be calculated from what is carried from step to step, without which no rule is adaptive."""
    found, before = _inwards(model, steps, target, target)
    return bool(before) or len(found) > _MOST_CELLS


def _inwards(
    model: Model, steps: Neighbours, target: int, start: int, stop: int = 0
) -> tuple[dict[int, None], dict[int, int]]:
    """What a cell of an update is calculated from without going through another, and the cells that carry on others."""
    graph, is_cut, depends = model.graph, model.evaluation.is_cut, model.depends
    ahead, found, before = [start], {start: None}, {}
    for node in ahead:
        last = steps.before(node) if node != target else 0
        for operand in graph.operands(node).tolist():
            if operand > TEXT and operand == last:
                before[node] = operand
            elif depends[operand] and operand not in found and operand != stop and len(found) <= _MOST_CELLS:
                found[operand] = None
                ahead += [] if is_cut[operand] else [operand]
    return found, before


def _with_states(model: Model, one: _Update) -> _Update:
    """An update with the states that carry on its gradient, and the square of that, told by their signs."""
    up, down = (_values(model, one, {one.gradient: sign * _random(one.gradient)}) for sign in (1, -1))
    for node in one.before:
        if np.allclose(up[node], down[node], rtol=CLOSENESS):
            one = replace(one, square=node)
        elif np.allclose(up[node], -down[node], rtol=CLOSENESS):
            one = replace(one, velocity=node)
    return one


@lru_cache(maxsize=4096)
def _random(node: int) -> Array:
    return np.random.default_rng(node).uniform(0.2, 0.9, _TRIALS)


def _values(
    model: Model, one: _Update, given: Mapping[int, Array], formulas: Formulas = MappingProxyType({})
) -> dict[int, Array]:
    """The cells of an update, when what they read is at random; what they carry from the step before starts at 0.

    Args:
        model: the calculation.
        one: the update.
        given: other numbers for what is read.
        formulas: other formulas for cells.
    """
    graph = model.graph
    values = {**dict.fromkeys(one.before.values(), np.zeros(_TRIALS)), **given}
    for node in one.cells:
        kind = graph.kind(node)
        assert kind is not None
        program, operands = formulas.get(node, (kind.program, graph.operands(node)))
        numbers = [
            values.get(other, _random(other) if other > TEXT else np.zeros(_TRIALS)) for other in operands.tolist()
        ]
        values[node] = calculated(program, operands, np.array(numbers).reshape(len(numbers), _TRIALS))
    return values


def _numbers(model: Model, one: _Update, formulas: Formulas = MappingProxyType({})) -> dict[Number, Array]:
    """What may be a number of the rule: the given cells that an update reads, and the numbers in its formulas."""
    found: dict[Number, Array] = {}
    for cell in one.cells:
        kind = model.graph.kind(cell)
        assert kind is not None
        program, operands = formulas.get(cell, (kind.program, model.graph.operands(cell)))
        typed = {leaf[1] for leaf in leaves(program.tree) if leaf[0] == "n"}
        found |= {repr(number): np.full(_TRIALS, number) for number in typed}
        cells = (node for node in operands.tolist() if node > TEXT and not model.depends[node])
        found |= {node: _random(node) for node in cells if node not in one.before.values()}
    return found


def _rule(model: Model, one: _Update) -> _Rule | None:
    """The rule of an update; None for none that is known."""
    numbers = _numbers(model, one)
    kept_square = _share(model, one, one.square, numbers)
    kept = _share(model, one, one.velocity, numbers) if one.velocity else ""
    if kept is None or kept_square is None:
        return None
    roots = list(_ROOTS)[: 1 if one.velocity else 2]
    every = (_Rule(rate, kept, kept_square, tiny, root) for rate, tiny, root in product(numbers, numbers, roots))
    trial = _tried(model, one)
    return next((rule for rule in every if _follows(model, rule, one, numbers, trial)), None)


def _share(model: Model, one: _Update, state: int, numbers: Mapping[Number, Array]) -> Number | None:
    """How much of its value before a state keeps; None for no number that it reads."""
    before = np.ones(_TRIALS)
    kept = _values(model, one, {one.before[state]: before})[state] - _values(model, one, {})[state]
    every = {**numbers, _WHOLE: before}
    return next((number for number, values in every.items() if np.allclose(kept, values, rtol=CLOSENESS)), None)


def _is_by(model: Model, rule: _Rule, one: _Update, formulas: Formulas = MappingProxyType({})) -> bool:
    """Whether an update follows a rule."""
    return _follows(model, rule, one, _numbers(model, one, formulas), _tried(model, one, formulas))


def _tried(model: Model, one: _Update, formulas: Formulas = MappingProxyType({})) -> tuple[Mapping[int, Array], Array]:
    """Random numbers for the gradient of an update and what is carried on to it, and what it gives with them."""
    signs = np.resize((1.0, -1.0), _TRIALS)
    given = {node: _random(node) for node in one.before.values()} | {one.gradient: signs * _random(one.gradient)}
    return given, _values(model, one, given, formulas)[one.target]


def _follows(
    model: Model, rule: _Rule, one: _Update, numbers: Mapping[Number, Array], trial: tuple[Mapping[int, Array], Array]
) -> bool:
    """Whether an update gave what a rule does; in the first step nothing is carried on yet."""
    count, node = 1, one.parameter
    while node in model.threads.before and count <= len(model.targets):
        count, node = count + 1, model.threads.before[node]
    if count > 1 and not (one.square and bool(one.velocity) == bool(rule.kept)):
        return False
    given, new = trial
    rate, kept, kept_square, tiny = map(_number, (rule.rate, rule.kept, rule.kept_square, rule.tiny))
    gradient = given[one.gradient]
    mean = kept * given.get(one.before.get(one.velocity, 0), np.zeros(_TRIALS)) + (1 - kept) * gradient
    added = 1.0 if rule.kept_square == _WHOLE else 1 - kept_square
    square = kept_square * given.get(one.before.get(one.square, 0), np.zeros(_TRIALS)) + added * gradient**2
    shares = [[np.ones(_TRIALS)]] * 2
    if rule.kept:
        shares = [list(_kept_in_all(model, share, numbers, count)) for share in (rule.kept, rule.kept_square)]
    right = (
        _random(one.parameter) - rate * (mean / m) / _ROOTS[rule.root](square / v, tiny) for m, v in product(*shares)
    )
    return any(np.allclose(new, value, rtol=CLOSENESS, atol=0.0) for value in right)


def _kept_in_all(model: Model, share: Number, numbers: Mapping[Number, Array], count: int) -> Iterator[Array]:
    """1 − β^t, by which a mean is corrected: from a cell with the number of the step, with it, or with β^t."""
    kept, here = _number(share), _on_sheet(model, share)
    for node, number in numbers.items():
        own = _on_sheet(model, node)
        if own in (count, count - 1):
            yield 1 - kept ** (number + count - own)
        if math.isclose(own, here**count, rel_tol=CLOSENESS):
            yield 1 - number
        if math.isclose(own, 1 - here**count, rel_tol=CLOSENESS):
            yield number


def _number(number: Number) -> Array:
    return _random(number) if isinstance(number, int) else np.full(_TRIALS, float(number or 0.0))


def _on_sheet(model: Model, number: Number) -> float:
    return float(model.evaluation.seen[number, -1]) if isinstance(number, int) else float(number or 0.0)


def _doubts(model: Model, rule: _Rule) -> Iterator[str]:
    """What nobody means by a rule, in words."""
    rate, kept, kept_square, tiny = (
        _on_sheet(model, one) for one in (rule.rate, rule.kept, rule.kept_square, rule.tiny)
    )
    if kept > kept_square:
        yield f"the updates keep {kept:g} of the gradients before and {kept_square:g} of their squares, less of these"
    if tiny >= rate:
        yield f"the updates add {tiny:g} to the root, no less than their learning rate {rate:g}"


def _mended(model: Model, rule: _Rule, one: _Update, right: Iterable[_Update]) -> Iterator[tuple[_Update, Mistake]]:
    """The cells of an update with which it follows the rule when they are built as in the nearest right one."""
    graph = model.graph
    _, row, column = graph.positions[one.target]
    far = {
        abs(graph.positions[other.target][1] - row) + abs(graph.positions[other.target][2] - column): other
        for other in right
        if len(other.cells) == len(one.cells)
        if (bool(other.velocity), bool(other.square)) == (bool(one.velocity), bool(one.square))
    }
    if not far:
        return
    like = far[min(far)]
    own = {like.parameter: one.parameter, like.gradient: one.gradient}
    own |= {like.before[a]: one.before[b] for a, b in ((like.velocity, one.velocity), (like.square, one.square)) if a}
    pairs = {like.target: one.target, like.velocity: one.velocity, like.square: one.square}
    for node in (ahead := [like.target]):
        for a, b in zip(graph.operands(node).tolist(), graph.operands(pairs[node]).tolist(), strict=False):
            if a in like.cells and b in one.cells and a not in pairs:
                pairs[a] = b
                ahead.append(a)
    own |= pairs
    for a, b in pairs.items():
        kind = graph.kind(a)
        if kind is None:
            continue
        slots = {
            n: own[at] for n, slot in enumerate(kind.program.slots) if (at := int(graph.operands(a)[slot.start])) in own
        }
        known = graph.read(text := rewritten(graph, a, kind.program.tree, slots), b)
        if known is not None and _is_by(model, rule, one, {b: known}):
            words = f"is built otherwise than {named(graph, a, graph.positions[b][0])}"
            yield one, Mistake(b, "wrong_formula", words, text, one.parameter)


def _plain(graph: Graph, rule: _Rule, updates: list[_Update]) -> Graph:
    """The graph with w − η·gradient in place of some updates."""
    slot = [Slot(place, 1, 1, is_range=False) for place in range(3)]
    is_typed = not isinstance(rule.rate, int)
    rate: Node = ("n", float(rule.rate)) if is_typed else ("slot", 2)
    program = Program(("-", ("slot", 0), ("*", rate, ("slot", 1))), tuple(slot[: 3 - is_typed]), 3 - is_typed)
    cells = np.array([one.target for one in updates], dtype=np.int64)
    operands = np.array([(one.parameter, one.gradient, rule.rate)[: 3 - is_typed] for one in updates], dtype=np.int64)
    first = graph.kind(updates[0].target)
    assert first is not None
    left = [~np.isin(kind.cells, cells) for kind in graph.kinds]
    pairs = zip(graph.kinds, left, strict=True)
    kinds = [replace(kind, cells=kind.cells[kept], operands=kind.operands[kept]) for kind, kept in pairs if kept.any()]
    return graph.with_kinds([*kinds, Kind(first.formula, program, cells, operands)])
