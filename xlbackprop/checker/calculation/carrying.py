"""Carrying: whether every state goes on from its own one before, keeps as much of it as the others, and is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

import numpy as np

from xlbackprop.checker.calculation.graph import TEXT, skeleton
from xlbackprop.checker.calculation.judgement import as_before
from xlbackprop.checker.calculation.model import Descent, Mistake, Model
from xlbackprop.checker.calculation.names import named
from xlbackprop.checker.calculation.recognition import dependents
from xlbackprop.checker.calculation.repair import rewritten
from xlbackprop.checker.calculation.states import State
from xlbackprop.checker.calculation.threads import Neighbours

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
    found = [*_crossed(model), *_other_shares(model)]
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
                yield Mistake(node, "missing_term", words, "")


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
