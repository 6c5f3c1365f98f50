"""Readings of numbers: the activations and the loss of columns that hold numbers alone, or formulas nobody follows."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.judgement.right_formula import RightFormulas
from xlbackprop.checker.judgement.row_values import RowValues, is_off
from xlbackprop.checker.table.meaning import Meaning, number
from xlbackprop.checker.table.readings import readings
from xlbackprop.checker.table.trees import Trees
from xlbackprop.checker.table.understand import understood_as


def read_by_numbers(
    book: Book, trees: Trees, meaning: Meaning, numbers: RowValues
) -> tuple[Trees, Meaning, tuple[Meaning, ...]]:
    """A table as its numbers tell it, and what else they may mean.

    Args:
        book: the workbook.
        trees: the formulas of the table.
        meaning: what they mean, with the activations and the loss that they tell.
        numbers: those of the table.
    """
    table, names = trees.table, meaning.derivation.names
    forward = {*names.losses, names.total_loss}.union(*names.activations) & trees.core
    unexplained = [name for name in forward if name not in trees.typical or not trees.is_followed(trees.typical[name])]
    if not any(np.isfinite(numbers.of(name)).any() for name in unexplained):
        return trees, meaning, ()
    known = {place: value for place in meaning.cells if (value := number(book, place)) is not None}

    def rows_right(trial: Meaning, label: str) -> float:
        right, doubt = numbers.expected(RightFormulas(trees, trial).tree(label), known)
        compared = np.isfinite(right) & np.isfinite(numbers.of(label))
        return float(1 - is_off(numbers, label, right, doubt)[compared].mean()) if compared.any() else 0.0

    if all(rows_right(meaning, name) == 1.0 for name in unexplained):
        return trees, meaning, ()
    shape, *others = readings(book, trees, meaning, rows_right)
    if shape != meaning.shape:
        trees, meaning = understood_as(book, table, shape)
    return trees, meaning, tuple(replace(meaning, shape=other) for other in others)
