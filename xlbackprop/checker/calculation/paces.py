"""Paces: learning rates that updates make of several given cells, such as one that falls from step to step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from xlbackprop.checker.calculation.evaluation import Cut
from xlbackprop.checker.calculation.graph import TEXT, Graph, Kind
from xlbackprop.checker.calculation.program import Identities, Program
from xlbackprop.checker.file.formula import Node, UnsupportedError, leaves
from xlbackprop.checker.judgement.mutations import factors_of
from xlbackprop.engine import Array


def paces(graph: Graph, seen: Array, targets: Identities, parameters: Identities, depends: Cut) -> dict[int, Array]:
    """What updates multiply their gradients by, in all worlds, by their number, on sheets where that is more than one
    cell in most of them.

    Args:
        graph: the cells.
        seen: their numbers.
        targets: the updates.
        parameters: what these start from.
        depends: what parameters change.
    """
    updated, found, trees = set(targets.tolist()), dict[int, Array](), dict[int, Node | None]()
    for index, (target, parameter) in enumerate(zip(targets.tolist(), parameters.tolist(), strict=True)):
        number = int(graph.kind_of[target])
        kind, operands = graph.kinds[number], graph.operands(target)
        if number not in trees:
            trees[number] = _pace(graph, kind, target, parameter, depends, updated)
        tree = trees[number]
        if tree is not None:
            try:
                program = Program(tree, kind.program.slots, kind.program.width)
                found[index] = program.value(seen[operands][None], (operands > TEXT)[None])[0]
            except UnsupportedError:
                continue
    every = Counter(graph.positions[node][0] for node in targets.tolist())
    usual = Counter(graph.positions[int(targets[index])][0] for index in found)
    return {
        index: pace
        for index, pace in found.items()
        if 2 * usual[sheet := graph.positions[int(targets[index])][0]] > every[sheet]
    }


def _pace(graph: Graph, kind: Kind, target: int, parameter: int, depends: Cut, updated: Container[int]) -> Node | None:
    """The factors of what a formula adds to its parameter that belong to nothing but updates; None for one cell."""
    operands, slots = graph.operands(target), kind.program.slots

    def cells_of(node: Node) -> list[int]:
        read = [slots[leaf[1]] for leaf in leaves(node) if leaf[0] == "slot"]
        return [cell for slot in read for cell in operands[slot.start : slot.start + slot.size].tolist()]

    def is_pace(factor: Node) -> bool:
        readers = [reader for cell in cells_of(factor) for reader in graph.readers(cell).tolist()]
        return not (depends[cells_of(factor)].any() or any(depends[one] and one not in updated for one in readers))

    added = [term for term in _terms(kind.program.tree) if term[0] != "slot" or cells_of(term) != [parameter]]
    factors = [one for one in factors_of(added[0]) if is_pace(one[1])] if len(added) == 1 else []
    pace: Node = ("n", 1.0)
    for operator, factor in factors:
        pace = (operator, pace, factor)
    cells = [cell for _, factor in factors if factor[0] == "slot" for cell in cells_of(factor)]
    is_one = len(cells_of(pace)) < 2 and all(factor[0] in {"slot", "n"} for _, factor in factors)
    return None if is_one or len(set(cells)) < len(cells) else pace  # what stands there twice is a slip


def _terms(node: Node) -> Iterator[Node]:
    """What a formula adds up and subtracts."""
    if node[0] in {"+", "-"}:
        yield from (*_terms(node[1]), *_terms(node[2]))
    else:
        yield node
