"""Repair: the smallest change that makes a formula give the right numbers in every world."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np
from msgspec import Struct

from xlbackprop.checker.calculation.graph import TEXT, Graph
from xlbackprop.checker.calculation.names import named, place
from xlbackprop.checker.calculation.program import Program
from xlbackprop.checker.calculation.step import Step, alike, slopes_of
from xlbackprop.checker.file.formula import CellFormula, Node, UnsupportedError, parts, with_parts, written
from xlbackprop.checker.judgement.mutations import (
    bracketed,
    spoiled_factors,
    with_operators,
    with_other_powers,
    without_brackets,
    without_terms,
)
from xlbackprop.engine import Array
from xlbackprop.ground.grid import address

_TOTALS = {"SUM": "AVERAGE", "AVERAGE": "SUM"}
_FARTHEST_SHIFT = 16
_MOST_NEIGHBOURS = 12
"""Formulas of other cells that are tried in a cell."""


class Repair(Struct, frozen=True):
    """A changed formula, and what was wrong with the old one."""

    kind: str
    words: str
    formula: str
    """With its equals sign."""


def repair(step: Step, node: int, target: Array) -> Repair | None:
    """The change of one reference, bracket, operator or factor after which a cell has the right numbers."""
    for found in (_other_reference, _other_range, _other_line, _other_build, _neighbouring, _other_factor):
        result = found(step, node, target)
        if result is not None and _carries_as_much(step, node, result.formula):
            return result
    return None


def _carries_as_much(step: Step, node: int, text: str) -> bool:
    """Whether a state keeps as much of its value before with another formula; so does what is none."""
    state = next((one for one in step.model.states if one.node == node), None)
    if state is None:
        return True
    seen, known = (
        step.model.evaluation.seen,
        [(step.program(node), step.graph.operands(node)), step.model.read(text, node)],
    )
    nothing = np.zeros(step.model.evaluation.worlds)
    kept = [slopes_of(*one, seen[one[1]]).get(state.stand_in, nothing) for one in known if one is not None]
    return len(kept) > 1 and bool(alike(*kept))


def _other_reference(step: Step, node: int, target: Array) -> Repair | None:
    """One reference replaced by another; the nearest cell where several do."""
    graph = step.graph
    program = step.program(node)
    evaluation = step.model.evaluation
    level = evaluation.order.level
    is_first = evaluation.is_cut[node] or level[node] < 0
    after = {node}
    for other in step.nodes if not is_first else ():
        if not evaluation.is_cut[other] and not after.isdisjoint(graph.operands(other).tolist()):
            after.add(other)
    candidates = [other for other in step.candidates() if other < graph.cells and other not in after]
    if not candidates:
        return None
    values = np.array([step.values[other] for other in candidates])
    operands = graph.operands(node)
    single = [n for n, slot in enumerate(program.slots) if not (slot.is_range or slot.decides) and slot.size == 1]
    read = {number: int(operands[program.slots[number].start]) for number in single}
    several = [tuple(n for n in single if read[n] == cell) for cell in dict.fromkeys(read.values())]
    best: tuple[tuple[int, ...], tuple[int, ...], int] | None = None
    for numbers in dict.fromkeys((*((number,) for number in single), *several)):
        slots = [program.slots[number].start for number in numbers]
        hits = alike(step.replacing(node, slots, values), target)
        for index in np.flatnonzero(hits).tolist():
            rank = (len(numbers), *_distance(graph, node, read[numbers[0]], candidates[index]))
            if best is None or rank < best[0]:
                best = (rank, numbers, candidates[index])
    if best is None:
        return None
    _, numbers, other = best
    old = read[numbers[0]]
    sheet = graph.positions[node][0]
    text = rewritten(graph, node, program.tree, dict.fromkeys(numbers, other))
    used = named(graph, old, sheet) if old > TEXT else "an empty cell"
    return Repair("wrong_cell", f"uses {used} where {named(graph, other, sheet)} belongs", text)


def _distance(graph: Graph, node: int, old: int, new: int) -> tuple[int, ...]:
    """How far a replacement is fetched: from the cell that it replaces, then from the formula."""
    sheet, row, column = graph.positions[new]
    other_sheet, other_row, other_column = graph.positions[old if old > TEXT else node]
    here = graph.positions[node]
    same_line = (row == other_row) + (column == other_column)
    return (
        int(sheet != other_sheet),
        -same_line,
        abs(row - other_row) + abs(column - other_column),
        abs(row - here[1]) + abs(column - here[2]),
    )


def _other_range(step: Step, node: int, target: Array) -> Repair | None:
    """One range moved to other rows or columns."""
    graph = step.graph
    program = step.program(node)
    operands = graph.operands(node)
    seen = step.model.evaluation.seen
    original = step.operands_of(node)
    for number, slot in enumerate(program.slots):
        if not slot.is_range or slot.size < 2:
            continue
        sheet, row, column = graph.positions[int(operands[slot.start])]
        if not sheet:
            continue
        for down, across in _shifts():
            first = graph.node((sheet, row + down, column + across))
            moved = [
                graph.node((sheet, row + down + extra // slot.columns, column + across + extra % slot.columns))
                for extra in range(slot.size)
            ]
            if min(moved) <= TEXT:
                continue
            trial = original.copy()
            trial[slot.start : slot.start + slot.size] = seen[moved]
            if bool(alike(step.tried(node, trial[None]), target)[0]):
                ends = f"{place(graph, first)}:{place(graph, moved[-1])}"
                last = int(operands[slot.start + slot.size - 1])
                was = f"{place(graph, int(operands[slot.start]))}:{place(graph, last)}"
                corners = (graph.positions[first][1:], graph.positions[moved[-1]][1:])
                text = rewritten(graph, node, program.tree, {}, {number: range_text(graph, node, number, corners)})
                return Repair("wrong_cell", f"uses {was} where {ends} belongs", text)
    return None


def _other_line(step: Step, node: int, target: Array) -> Repair | None:
    """All references into one row or column moved to another."""
    graph = step.graph
    program = step.program(node)
    operands = graph.operands(node)
    original = step.operands_of(node)
    lines: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, slot in enumerate(program.slots):
        sheet, row, column = graph.positions[int(operands[slot.start])]
        if slot.size == 1 and sheet:
            lines["column", sheet, column].append(number)
            lines["row", sheet, row].append(number)
    for line, numbers in lines.items():
        cells = {number: int(operands[program.slots[number].start]) for number in numbers}
        if len(set(cells.values())) < 2:
            continue
        for far in (sign * distance for distance in range(1, _FARTHEST_SHIFT) for sign in (1, -1)):
            moved = {
                number: graph.node((where, row + far * (line[0] == "row"), column + far * (line[0] == "column")))
                for number, (where, row, column) in ((n, graph.positions[cell]) for n, cell in cells.items())
            }
            if min(moved.values()) <= TEXT or any(other not in step.values for other in moved.values()):
                continue
            trial = original.copy()
            for number, other in moved.items():
                trial[program.slots[number].start] = step.values[other]
            if bool(alike(step.tried(node, trial[None]), target)[0]):
                sheet = graph.positions[node][0]
                first, last = numbers[0], numbers[-1]
                used, right = (
                    f"{named(graph, which[first], sheet)} to {place(graph, which[last], sheet)}"
                    for which in (cells, moved)
                )
                text = rewritten(graph, node, program.tree, moved)
                return Repair("wrong_cell", f"uses {used} where {right} belong", text)
    return None


def _shifts() -> Iterator[tuple[int, int]]:
    for far in range(1, _FARTHEST_SHIFT):
        yield from ((0, far), (0, -far), (far, 0), (-far, 0))


def _other_build(step: Step, node: int, target: Array) -> Repair | None:
    """Other brackets, another operator, a factor or a term less."""
    operands = step.operands_of(node)[None]
    for changed, found in builds(step.graph, node):
        try:
            with np.errstate(all="ignore"):
                value = changed.value(operands)
        except UnsupportedError:
            continue
        if bool(alike(value, target)[0]):
            return found
    return None


def builds(graph: Graph, node: int) -> Iterator[tuple[Program, Repair]]:
    """What one slip with brackets, operators, factors, terms or squares may have made a formula of."""
    kind = graph.kind(node)
    assert kind is not None
    program = kind.program
    sheet = graph.positions[node][0]

    texts = {number: slot_text(graph, node, number) for number in range(len(program.slots))}

    def shown(tree: Node) -> str:
        return written(tree, lambda leaf: texts[leaf[1]])

    def leaf_name(tree: Node) -> str:
        if tree[0] == "slot" and program.slots[tree[1]].size == 1:
            operand = int(graph.operands(node)[program.slots[tree[1]].start])
            return named(graph, operand, sheet) if operand > TEXT else shown(tree)
        return shown(tree)

    for tree, slip, words in _builds(program.tree, leaf_name):
        changed = Program(tree, program.slots, program.width, program.element)
        yield changed, Repair(slip, words, rewritten(graph, node, tree, {}, texts))


def _builds(tree: Node, name: Callable[[Node], str]) -> Iterator[tuple[Node, str, str]]:
    for variant, old, new in with_operators(tree):
        if old == "neg":
            words = "has a sign turned round"
        elif new == "neg":
            words = "lacks the minus in the exponent"
        else:
            words = f"has {old} where {new} belongs"
        yield variant, "wrong_operator", words
    for variant, old, new in _with_totals(tree):
        yield variant, "wrong_operator", f"has {old} where {new} belongs"
    for variant in bracketed(tree):
        yield variant, "missing_brackets", "lacks a pair of brackets"
    for variant in without_brackets(tree):
        yield variant, "wrong_brackets", "has a pair of brackets too many"
    for variant, factor, kind in spoiled_factors(tree):
        if kind == "missing_factor":
            yield variant, "extra_factor", f"has the factor {name(factor)} too often"
        else:
            yield variant, "missing_factor", f"lacks the factor {name(factor)}"
    for variant, base, is_squared in with_other_powers(tree):
        kind, words = ("missing_factor", "lacks the square of") if is_squared else ("extra_factor", "has a square of")
        yield variant, kind, f"{words} {name(base)}{'' if is_squared else ' too much'}"
    for variant, term in without_terms(tree):
        yield variant, "extra_term", f"has the term {name(term)} too much"


def _with_totals(node: Node) -> Iterator[tuple[Node, str, str]]:
    """The tree with one SUM for an AVERAGE, or the other way round."""
    inner = parts(node)
    if node[0] == "call" and node[1] in _TOTALS:
        yield ("call", _TOTALS[node[1]], inner), node[1], _TOTALS[node[1]]
    for index, part in enumerate(inner):
        for variant, old, new in _with_totals(part):
            yield with_parts(node, (*inner[:index], variant, *inner[index + 1 :])), old, new


def _neighbouring(step: Step, node: int, target: Array) -> Repair | None:
    """The formula of a cell beside it in the same step, filled into this one."""
    graph, seen = step.graph, step.model.evaluation.seen
    sheet, row, column = graph.positions[node]
    kinds: dict[int, tuple[int, int]] = {}
    for other in step.nodes:
        where, down, across = graph.positions[other]
        if where == sheet and (down == row or across == column) and graph.kind_of[other] != graph.kind_of[node]:
            far = abs(down - row) + abs(across - column)
            kind = int(graph.kind_of[other])
            kinds[kind] = min(kinds.get(kind, (far, other)), (far, other))
    for _, other in sorted(kinds.values())[:_MOST_NEIGHBOURS]:
        formula = graph.formulas[other]
        text = "" if formula is None else "=" + formula.written(row, column)
        known = step.model.read(text, node) if text else None
        if known is None:
            continue
        program, operands = known
        numbers = np.array([step.values.get(operand, seen[operand]) for operand in operands.tolist()])
        try:
            with np.errstate(all="ignore"):
                value = program.value(numbers[None], operands[None] > TEXT)
        except UnsupportedError:
            continue
        if bool(alike(value, target)[0]):
            words = f"is built otherwise than {named(graph, other, sheet)} beside it"
            return Repair("wrong_formula", words, text)
    return None


def _step_of(step: Step, node: int) -> tuple[Array | None, Node]:
    """The parameter that an update adds a product to or subtracts it from, and what that is; None for another build."""
    tree, slots, operands = step.program(node).tree, step.program(node).slots, step.graph.operands(node)
    if tree[0] not in {"+", "-"} or tree[1][0] != "slot" or slots[tree[1][1]].size != 1 or tree[2][0] == "slot":
        return None, tree
    return step.values.get(int(operands[slots[tree[1][1]].start])), tree[2]


def _other_factor(step: Step, node: int, target: Array) -> Repair | None:
    """A factor that is missing altogether, or one too many: a cell, 1 − a cell, their product, or a number."""
    graph = step.graph
    value = step.values.get(node)
    sheet = graph.positions[node][0]
    program = step.program(node)
    tree, start = program.tree, ""
    if value is not None and node in step.updates:
        at, tree = _step_of(step, node)
        if at is None:
            return None
        value, target = value - at, target - at
        start = f"{written(program.tree[1], lambda leaf: slot_text(graph, node, leaf[1]))}{program.tree[0]}"
    if value is None:
        return None
    with np.errstate(all="ignore"):
        missing = target / value
    whole = rewritten(graph, node, tree, {})
    body = start + (whole[1:] if tree[0] in {"*", "/", "slot", "call", "^"} else f"({whole[1:]})")
    ones = np.ones_like(missing)
    steady = missing[np.isfinite(missing)]
    if len(steady) and steady[0] and bool(alike(missing, ones * steady[0])):
        number = float(f"{steady[0]:.9g}")
        words = "has the wrong sign" if number == -1 else f"is {1 / number:.6g} times what it should be"
        text = f"=-{body}" if number == -1 else f"={number:.9g}*{body}"
        return None if start else Repair("wrong_factor", words, text)
    for is_plain, other in product((True, False), step.candidates()):
        cell = step.values[other]
        where = place(graph, other, sheet)
        derived = (
            (cell * (1 - cell), f"{where}*(1-{where})"),
            (1 - cell, f"(1-{where})"),
            (1 - cell**2, f"(1-{where}^2)"),
        )
        for factor, text in ((cell, where),) if is_plain else derived:
            if bool(alike(missing, factor)):
                words = text if text != where else named(graph, other, sheet)
                return Repair("missing_factor", f"lacks the factor {words}", f"={body}*{text}")
            if text == where and bool(alike(missing * factor, ones)):
                return Repair(
                    "extra_factor", f"has the factor {named(graph, other, sheet)} too often", f"={body}/{where}"
                )
    return None


def rewritten(
    graph: Graph, node: int, tree: Node, replaced: dict[int, int], texts: dict[int, str] | None = None
) -> str:
    """The formula of a cell with another tree, or with other cells in some of its slots."""
    kind = graph.kind(node)
    assert kind is not None

    def slot(leaf: Node) -> str:
        number = leaf[1]
        if texts and number in texts:
            return texts[number]
        own = slot_text(graph, node, number)
        if number not in replaced:
            return own
        sheet = graph.positions[node][0]
        prefix, _, cell = place(graph, replaced[number], sheet).rpartition("!")
        dollars = "$A$1" if _is_fixed(graph, replaced[number]) else own.rpartition("!")[2]
        return (prefix + "!" if prefix else "") + _with_dollars(cell, dollars)

    return "=" + written(tree, slot)


def _is_fixed(graph: Graph, node: int) -> bool:
    """Whether the formulas that read a cell refer to it as to one that stays the same wherever they are copied."""
    for reader in graph.readers(node)[:1].tolist():
        formula = graph.formulas[reader]
        here = graph.positions[reader]
        read = () if formula is None else formula.references
        return any(one.row_fixed and one.column_fixed and one.at(*here) == graph.positions[node] for one in read)
    return False


def _with_dollars(cell: str, like: str) -> str:
    letters = "".join(sign for sign in cell if sign.isalpha())
    digits = cell[len(letters) :]
    return f"{'$' * like.startswith('$')}{letters}{'$' * ('$' in like[1:])}{digits}"


def range_text(graph: Graph, node: int, number: int, ends: Iterable[tuple[int, int]]) -> str:
    """A range with other ends in place of the one that a formula reads, fixed where that is."""
    prefix, mark, own = slot_text(graph, node, number).rpartition("!")
    shown = (_with_dollars(address(*end), like) for end, like in zip(ends, own.split(":"), strict=True))
    return prefix + mark + ":".join(shown)


def slot_text(graph: Graph, node: int, number: int) -> str:
    """What stands in a slot of a formula, as it is written there."""
    formula: CellFormula | None = graph.formulas[node]
    assert formula is not None
    leaf = formula.operands[number]
    _, row, column = graph.positions[node]
    if leaf[0] == "name":
        return str(leaf[1])
    first = formula.references[leaf[1]].written(row, column)
    return first if leaf[0] == "ref" else f"{first}:{formula.references[leaf[2]].written(row, column)}"
