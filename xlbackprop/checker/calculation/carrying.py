"""Carrying: whether every state goes on from its own one before, keeps as much of it as the others, and is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

import numpy as np
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, pairs_of_operands, skeleton
from xlbackprop.checker.calculation.judgement import as_before
from xlbackprop.checker.calculation.model import Descent, Flags, Mistake, Model
from xlbackprop.checker.calculation.names import cells_of_sheets, named
from xlbackprop.checker.calculation.recognition import dependents
from xlbackprop.checker.calculation.repair import rewritten
from xlbackprop.checker.calculation.states import State
from xlbackprop.checker.calculation.step import alike, slopes_of
from xlbackprop.checker.calculation.threads import Neighbours
from xlbackprop.engine import Array

_SAME = 1e-9


def carrying_mistakes(model: Model, descents: list[Descent], known: Container[int]) -> Iterator[Mistake]:
    """The states that are carried on otherwise than most are, and the updates that use none where most do.

    Args:
        model: the calculation.
        descents: what its updates descend.
        known: the cells whose mistakes are known.
    """
    if not model.states:
        return
    found = [*_crossed(model), *_other_shares(model), *_not_ahead(model)]
    yield from found
    mistaken = {mistake.node for mistake in found}
    evaluation = model.evaluation
    carrying = dependents(evaluation, np.array([state.stand_in for state in model.states]))
    members = np.concatenate([descent.members for descent in descents])
    updated = set(model.targets.tolist())
    goes_on = np.array([model.graph.link(node) in updated for node in model.parameters[members].tolist()])
    for step in (goes_on, ~goes_on):  # in the first one there may be nothing yet to go on from
        targets = model.targets[members][step]
        uses = np.array([carrying[model.graph.operands(node)].any() for node in targets.tolist()], dtype=np.bool_)
        if 2 * uses.sum() > len(targets):
            for node in targets[~uses].tolist():
                if any(one in known or one in mistaken for one in (node, *model.graph.operands(node).tolist())):
                    continue
                words = "does not use what the other parameters carry from step to step"
                lacking, formula = _lacking(model, node, targets[uses].tolist(), carrying)
                yield Mistake(lacking, "missing_term", words, formula)


class _LookingAhead(Struct, frozen=True):
    """A cell that goes on from a parameter along what is carried, as Nesterov's momentum does."""

    node: int
    state: State
    parameter: int
    """The one that this state changes; 0 where there is none."""
    is_right: bool
    """Whether it goes on by as much as the parameter will by the part of the state that is kept."""


def _looking_ahead(model: Model) -> list[_LookingAhead]:
    graph, updated = model.graph, set(model.targets.tolist())
    found = []
    for state in model.states:
        parameter = next((one for one in graph.readers(state.before).tolist() if one in updated), 0)
        if not (parameter or len(graph.operands(state.before))):
            continue  # a first one that nothing has gone along yet
        for node, _ in state.ahead:
            slopes, is_right = _slopes(model, node), False
            if parameter in slopes:
                wanted = _slopes(model, state.node)[state.stand_in] * _slopes(model, parameter)[state.before]
                is_right = bool((slopes[parameter] == 1).all() and alike(slopes[state.stand_in], wanted))
            found.append(_LookingAhead(node, state, parameter, is_right))
    return found


def carrying_doubts(model: Model) -> Iterator[str]:
    """What looks ahead otherwise than by the share that is kept, in most of the cells that do, in words."""
    found = _looking_ahead(model)
    wrong = [one.node for one in found if not one.is_right]
    if 2 * len(wrong) > len(found):
        cells = cells_of_sheets(model.graph.positions[node] for node in wrong)
        yield f"{cells} looks ahead by another share of what is carried than is kept"
    used = {one.state for one in found if model.feeds[one.node]}
    left = [state for state in model.states if state not in used and len(model.graph.operands(state.before))]
    idle = [state.before for state in left if model.feeds[state.node]]
    if found and idle:
        yield f"nothing looks ahead along {cells_of_sheets(model.graph.positions[node] for node in idle)}"


def _not_ahead(model: Model) -> Iterator[Mistake]:
    graph, found = model.graph, _looking_ahead(model)
    right = [one for one in found if one.is_right]
    for one in found if 2 * len(right) >= len(found) else ():
        if not one.is_right:
            sheet, row, column = graph.positions[one.node]
            places = {other.node: graph.positions[other.node] for other in right}
            like = min(right, key=lambda it: abs(places[it.node][1] - row) + abs(places[it.node][2] - column))
            kind, operands = graph.kind(like.node), graph.operands(like.node).tolist()
            assert kind is not None
            own = {like.parameter: one.parameter, like.state.stand_in: one.state.before}
            slots = {n: own[operands[at.start]] for n, at in enumerate(kind.program.slots) if operands[at.start] in own}
            text = rewritten(graph, like.node, kind.program.tree, slots)
            words = f"does not look ahead by the share of {named(graph, one.state.before, sheet)} that is kept"
            is_own = one.parameter in graph.operands(one.node)
            yield Mistake(one.node, "wrong_formula", words, text if is_own else "")


def _slopes(model: Model, node: int) -> dict[int, Array]:
    kind, operands = model.graph.kind(node), model.graph.operands(node)
    assert kind is not None
    return slopes_of(kind.program, operands, model.evaluation.seen[operands])


def _lacking(model: Model, node: int, others: list[int], carrying: Flags) -> tuple[int, str]:
    """The cell of an update in which those beside it that are built alike use what is carried, and how they do."""
    graph = model.graph
    lines = {graph.positions[node][axis] for axis in (1, 2)}
    for other in others:
        if lines.isdisjoint(graph.positions[other][1:]):
            continue
        for own, usual in pairs_of_operands(graph, node, other):
            formula = graph.formulas[usual]
            if carrying[usual] and not carrying[own] and graph.is_formula(own) and formula is not None:
                return own, "=" + formula.written(*graph.positions[own][1:])
    return node, ""


def _crossed(model: Model) -> Iterator[Mistake]:
    graph = model.graph
    steps = Neighbours(graph, model.threads.usual_moves)
    states = {state.node for state in model.states}
    held = states | {graph.link(state.before) for state in model.states}
    seeds = {skeleton(graph, node) for node in held - states if graph.is_formula(node)}
    for state in model.states:
        sheet = graph.positions[state.node][0]
        right = steps.before(state.node)
        is_start = right > TEXT and (not graph.is_formula(right) or skeleton(graph, right) in seeds)
        if graph.link(state.before) not in (right, graph.link(right)) and (right in held or is_start):
            words = f"goes on from {named(graph, state.before, sheet)} where {named(graph, right, sheet)} belongs"
            yield Mistake(state.node, "wrong_cell", words, _reading(model, state, right))


def _reading(model: Model, state: State, right: int) -> str:
    """The formula of a state with another one before it."""
    kind = model.graph.kind(state.node)
    assert kind is not None
    numbers = [number for number, slot in enumerate(kind.program.slots) if slot.start == state.slot]
    return rewritten(model.graph, state.node, kind.program.tree, dict.fromkeys(numbers, right))


def _other_shares(model: Model) -> Iterator[Mistake]:
    shares = shares_of(model)
    counts = Counter(shares.values())
    usual = max(counts, key=lambda share: (counts[share], share != 1))  # what is kept whole is no momentum
    if 2 * counts[usual] < len(shares) + (1 not in counts):
        return
    for state in model.states:
        share = shares[state]
        if abs(share - usual) > _SAME * abs(usual):
            words = f"keeps {share:g} of its value before where the others keep {usual:g}"
            yield Mistake(state.node, "wrong_factor", words, as_before(model, state.node, state.before))


def shares_of(model: Model) -> dict[State, float]:
    """How much of its value before each state keeps, with the numbers of the sheet."""
    graph, seen = model.graph, model.evaluation.seen
    found = {}
    for state in model.states:
        kind = graph.kind(state.node)
        assert kind is not None
        _, slopes = kind.program.differentiated(seen[graph.operands(state.node)][None])
        found[state] = float(f"{slopes[0, state.slot, -1]:.9g}")
    return found
