"""Elsewhere: the learning rate, inputs, targets and biases that stand beside a table or are typed into its formulas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import permutations
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.formula import Node, Position, leaves
from xlbackprop.checker.table.labels import is_learning_rate, quantity
from xlbackprop.checker.table.meaning import Judge, Meaning, deep_leaves, number
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.table.weight_numbering import transposed_numbering
from xlbackprop.ground.grid import Coordinates
from xlbackprop.network import LEARNING_RATE
from xlbackprop.symbols import symbols

_LABEL_WEIGHT = 1_000_000
"""A label at the cell decides which one is η, before any number of references."""
_MOST_UNKNOWN = 4
_LONGEST_LABEL = 40


def learning_rate(book: Book, trees: Trees, meaning: Meaning) -> Meaning:
    """η is the labelled cell that updates refer to, else the one that most of them do."""
    table = trees.table
    votes: Counter[tuple[str, int | Position]] = Counter()
    seen: dict[Key, set[Node]] = {}
    for name in table.lines:
        if not re.fullmatch(r"[wb]\d+", name) or name not in trees.core:
            continue
        for stretch, key in trees.keys_along(table.lines[name]):
            if not stretch.start:
                continue
            if key not in seen:
                seen[key] = set(deep_leaves(trees, key))
            for leaf in seen[key]:
                if leaf[0] == "x":
                    votes["cell", leaf[1]] += len(stretch)
                elif leaf[0] == "col":
                    votes["line", leaf[1]] += len(stretch)
                elif leaf[0] == "q" and leaf[1] == LEARNING_RATE:
                    return meaning
    if not votes:
        unused = _unused_learning_rate(book, table)
        return replace(meaning, cells={unused: LEARNING_RATE}) if unused is not None else meaning
    for kind, place in list(votes):
        if kind == "cell" and isinstance(place, tuple):
            texts = neighbours(book.by_name[place[0]], place[1], place[2])
            if any(is_learning_rate(text) for text in texts):
                votes[kind, place] += _LABEL_WEIGHT
            elif quantity(book.by_name[place[0]].text(place[1], place[2] - 1)):
                votes[kind, place] -= _LABEL_WEIGHT
    (kind, place), score = votes.most_common(1)[0]
    if score < -_LABEL_WEIGHT // 2:
        return meaning
    if kind == "line" and isinstance(place, int):
        return replace(meaning, lines={place: LEARNING_RATE})
    return replace(meaning, cells={place: LEARNING_RATE})


def _unused_learning_rate(book: Book, table: IterationTable) -> Position | None:
    """The one cell of the sheet that is labelled as η; no formula refers to it."""
    found = labelled_rates(table.sheet)
    return (table.sheet.name, *next(iter(found))) if len(found) == 1 else None


_rates: WeakKeyDictionary[Sheet, dict[Coordinates, float]] = WeakKeyDictionary()
"""What was found on a sheet, for all its tables."""


def labelled_rates(sheet: Sheet) -> Mapping[Coordinates, float]:
    """The numbers on a sheet that are labelled as the learning rate, by cell."""
    if sheet not in _rates:
        _rates[sheet] = _labelled_rates(sheet)
    return _rates[sheet]


def _labelled_rates(sheet: Sheet) -> dict[Coordinates, float]:
    found = {}
    for (row, column), cell in sheet.texts:
        if isinstance(cell.value, str) and len(cell.value) < _LONGEST_LABEL and quantity(cell.value) == LEARNING_RATE:
            for place in ((row, column + 1), (row + 1, column)):
                other = sheet.cells.get(place)
                if other is not None and other.number is not None:
                    found[place] = other.number
                    break
    return found


def neighbours(sheet: Sheet, row: int, column: int) -> list[str]:
    """The texts at a cell: left of it, above, right, below; two cells to the left as well."""
    places = [(row, column - 1), (row - 1, column), (row, column + 1), (row + 1, column), (row, column - 2)]
    return [text for place in places if (text := sheet.text(*place).strip())]


def given_numbers(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """Inputs, targets and biases that have no line: the cells, or the typed numbers, that make the formulas right."""
    derivation = meaning.derivation
    missing = {
        name
        for name, item in derivation.quantities.items()
        if item.expression is None and name not in trees.core and not re.fullmatch(r"w\d+", name)
    }
    for name, key in typical.items():
        expression = derivation[name].expression if name in derivation.quantities else None
        if expression is None or name not in trees.core or not missing:
            continue
        needed = {symbol.name for symbol in symbols(derivation.expanded(name, trees.core))}
        wanted = sorted(item for item in needed & missing if not meaning.known(item))
        if not 0 < len(wanted) <= _MOST_UNKNOWN:
            continue
        tree = trees.written_out(key, meaning.lines)
        found = set(leaves(tree))
        loose = sorted(leaf[1] for leaf in found if leaf[0] == "x" and leaf[1] not in meaning.cells)
        numbers = sorted({leaf[1] for leaf in found if leaf[0] == "n"})
        for chosen in permutations([*loose, *numbers], len(wanted)):
            cells = {place: item for item, place in zip(wanted, chosen, strict=True) if isinstance(place, tuple)}
            typed = tuple(
                (item, float(place)) for item, place in zip(wanted, chosen, strict=True) if isinstance(place, float)
            )
            trial = replace(meaning, cells={**meaning.cells, **cells}, literals=meaning.literals + typed)
            if any(Judge(book, trees, _renumbered(trial, option)).is_right(name, key) for option in (False, True)):
                meaning = trial
                break
    labelled = {}
    for item in sorted(missing):
        if not meaning.known(item):
            position = _labelled_cell(trees, typical, item)
            if position is not None and position not in meaning.cells:
                labelled[position] = item
    return replace(meaning, cells={**meaning.cells, **labelled})


def _renumbered(meaning: Meaning, other: bool) -> Meaning:
    return replace(meaning, numbering=transposed_numbering(meaning, 0)) if other else meaning


def _labelled_cell(trees: Trees, typical: Mapping[str, Key], name: str) -> Position | None:
    """The cell that formulas of the table refer to, and that is labelled as this given number."""
    sheet = trees.table.sheet
    for key in typical.values():
        for leaf in deep_leaves(trees, key):
            if leaf[0] == "x" and leaf[1][0] == sheet.name:
                texts = neighbours(sheet, leaf[1][1], leaf[1][2])
                if any(quantity(text) == name for text in texts):
                    return leaf[1]  # type: ignore[no-any-return]
    return None


def typed_learning_rate(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """η as a number typed into the updates: the one that makes most of them right."""
    if LEARNING_RATE in trees.core or LEARNING_RATE in meaning.lines.values():
        return meaning
    rates = [place for place, name in meaning.cells.items() if name == LEARNING_RATE]
    without_rate = {place: name for place, name in meaning.cells.items() if name != LEARNING_RATE}
    in_cell = number(book, rates[0]) if rates else None
    updates = {name: key for name, key in typical.items() if re.fullmatch(r"[wb]\d+", name) and name in trees.core}
    numbers = Counter(
        leaf[1] for key in updates.values() for leaf in set(deep_leaves(trees, key)) if leaf[0] == "n" and leaf[1] > 0
    )
    if any(leaf == ("x", place) for key in updates.values() for leaf in deep_leaves(trees, key) for place in rates):
        return meaning
    best, best_score = meaning, 0
    for value in [number_ for number_, _ in numbers.most_common(_MOST_UNKNOWN)] + [1.0]:
        if in_cell is not None and value != in_cell:
            continue  # the sheet shows one learning rate and uses another
        trial = replace(meaning, cells=without_rate, literals=(*meaning.literals, (LEARNING_RATE, value)))
        judge = Judge(book, trees, trial)
        score = sum(judge.is_right(name, key) for name, key in updates.items())
        if score > best_score:
            best, best_score = trial, score
    return best
