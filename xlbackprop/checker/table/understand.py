"""Understanding: everything that a table's formulas say about what its cells mean, put together."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import leaves
from xlbackprop.checker.table.given_cells import given_numbers, learning_rate, typed_learning_rate
from xlbackprop.checker.table.helper_columns import helpers_of
from xlbackprop.checker.table.meaning import Judge, Meaning
from xlbackprop.checker.table.readings import is_plain, readings
from xlbackprop.checker.table.recognise import IterationTable, shaped
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.table.weight_numbering import numbering_of
from xlbackprop.checker.worlds import Shape, close, derivation_of
from xlbackprop.derivation import Role
from xlbackprop.network import LEARNING_RATE


def understand(book: Book, table: IterationTable) -> tuple[Trees, Meaning]:
    """Find out what everything in a table means.

    The table's shape may gain biases that stand elsewhere, and labels that were exchanged change places.
    """
    if LEARNING_RATE in table.lines and not _is_rate_used(book, table):
        table = replace(table, lines={name: line for name, line in table.lines.items() if name != LEARNING_RATE})
    trees, meaning = _understood(book, table)
    held = {} if table.certain else _exchanged_labels(book, trees, meaning)
    if held:
        lines = table.lines | {label: table.lines[at] for at, label in held.items()}
        relabelled = {table.lines[at]: label for at, label in held.items()}
        other, other_meaning = _understood(book, replace(table, lines=lines, relabelled=relabelled))
        if _right_lines(book, other, other_meaning) > _right_lines(book, trees, meaning):
            return other, other_meaning
    return trees, meaning


def _is_rate_used(book: Book, table: IterationTable) -> bool:
    """Whether updates refer to the column that is labelled as η; without formulas there is no telling, so it is."""
    trees = Trees(book, table)
    updates = [key for name, key in trees.typical.items() if re.fullmatch(r"[wb]\d+", name)]
    used = any(leaf[:2] == ("q", LEARNING_RATE) for key in updates for leaf in leaves(trees.written_out(key, {})))
    return used or not updates


def _exchanged_labels(book: Book, trees: Trees, meaning: Meaning) -> dict[str, str]:
    """The labels whose columns hold one another's quantities: what each column holds, by its label."""
    judge = Judge(book, trees, meaning)
    held: dict[str, str] = {}
    for label, key in trees.typical.items():
        found = judge.value(key)
        if label not in trees.core or found is None or judge.is_right(label, key):
            continue
        for other in trees.core:
            right = judge.right(other)
            if right is not None and close(found, right):
                held[label] = other
    return held if held.keys() == set(held.values()) else {}


def _right_lines(book: Book, trees: Trees, meaning: Meaning) -> set[int]:
    judge = Judge(book, trees, meaning)
    return {trees.table.lines[name] for name, key in trees.typical.items() if judge.is_right(name, key)}


def is_right_throughout(book: Book, trees: Trees, meaning: Meaning) -> bool:
    """Whether the formulas of all lines calculate what the lines are named after."""
    return len(_right_lines(book, trees, meaning)) == len(trees.typical)


def _understood(book: Book, table: IterationTable) -> tuple[Trees, Meaning]:
    plain = table.shape
    options = [plain]
    if not any(plain.bias_counts) and not table.certain:
        units = len(plain.sizes) - 1
        options += [replace(plain, bias_counts=(1,) * units), replace(plain, bias_counts=plain.sizes[1:])]
    best: tuple[int, Trees, Meaning] | None = None
    for shape in options:
        trial = replace(table, shape=shape)
        trees = Trees(book, trial)
        typical = trees.typical
        meaning = _understand(book, trees, typical, shape)
        judge = Judge(book, trees, meaning)
        forward = [name for name in typical if re.fullmatch(r"(a_)?[ho]\d.*", name)]
        score = sum(judge.is_right(name, typical[name]) for name in forward)
        if best is None or score > best[0]:
            best = (score, trees, meaning)
        if score == len(forward):
            break
    assert best is not None
    _, trees, meaning = best
    table = trees.table
    is_given = table.are_activations_given and table.is_loss_given and not table.certain
    if is_given or is_plain(book, trees, meaning):
        return trees, meaning
    shape = readings(book, trees, meaning)[0]
    return (trees, meaning) if shape == meaning.shape else understood_as(book, table, shape)


def understood_as(book: Book, table: IterationTable, shape: Shape) -> tuple[Trees, Meaning]:
    """What everything in a table means whose shape is known."""
    trees = Trees(book, shaped(table, shape))
    return trees, _understand(book, trees, trees.typical, shape)


def _understand(book: Book, trees: Trees, typical: Mapping[str, Key], shape: Shape) -> Meaning:
    table = trees.table
    given = [
        name
        for name, quantity_ in derivation_of(shape).quantities.items()
        if quantity_.role in (Role.INPUT, Role.TARGET) and name in trees.core
    ]
    changing = any(name not in trees.constant for name in given)
    meaning = Meaning(shape, {}, {}, {}, (), changing)
    meaning = learning_rate(book, trees, meaning)
    meaning = given_numbers(book, trees, typical, meaning)
    meaning = numbering_of(book, trees, typical, meaning)
    meaning = typed_learning_rate(book, trees, typical, meaning)
    return helpers_of(book, trees, typical, meaning, table)
