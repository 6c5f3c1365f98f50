"""Label doubts: labels that say something else than what stands below them is used as."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator

from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.table.labels import quantity
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.table.recognise import IterationTable, renamed, shaped
from xlbackprop.checker.table.understand import is_right_throughout, understand
from xlbackprop.checker.worlds import derivation_of
from xlbackprop.ground.grid import address

_SHOWN = re.compile(r"(i|t|w|b|h|a_h|o|a_o|E)\d+(_\d)?|E_total|∂E/∂[wb]\d+")
"""The quantities that tables have columns for."""
_NUMBERED = re.compile(r"[wb]\d")
"""Weights and biases, which people number in other ways."""
_MOST_TRIALS = 8


class LabelDoubt(Struct, frozen=True):
    """One label, and what stands below it."""

    cell: str
    text: str
    name: str


def label_doubts(book: Book, table: IterationTable, meaning: Meaning, is_doubted: bool) -> Iterator[LabelDoubt]:
    """The labels of a table that name something else than what their column is used as.

    Args:
        book: the workbook.
        table: the table.
        meaning: what stands in its columns.
        is_doubted: whether columns calculate something else than their labels say, and are right all the same.
    """
    table = replace(shaped(table, meaning.shape), are_activations_given=True, is_loss_given=True)
    said = {line: name for line in (*table.lines.values(), *table.unknown) if (name := quantity(_text(table, line)))}
    held = {line: name for name, line in table.lines.items()}
    held.update(meaning.lines)
    doubled = {name for name, count in Counter(said.values()).items() if count > 1}
    if is_doubted or doubled:
        found = _one_exchanged(book, table, said)
        if found is not None:
            yield _doubt(table, *found)
            return
    if not is_doubted:
        for line, name in sorted(said.items()):
            other = held.get(line, name)
            is_renumbered = name not in doubled and _NUMBERED.search(other)
            if other != name and not is_renumbered and line not in table.relabelled and _SHOWN.fullmatch(other):
                yield _doubt(table, line, other)


def _one_exchanged(book: Book, table: IterationTable, said: dict[int, str]) -> tuple[int, str] | None:
    """The one label with which, were it another, every column would be what its label says."""
    trials: list[tuple[int, int, str]] = []
    doubled = {name for name, count in Counter(said.values()).items() if count > 1}
    for line, name in said.items():
        rest = {other: at for at, other in said.items() if at != line}
        if len(rest) < len(said) - 1 or (doubled and name not in doubled):
            continue
        missing = _missing(renamed(table, rest))
        trials += [(len(missing) - 1, line, other) for other in missing if other != name]
        for other in {*_next(rest)} - {name, *rest, *missing}:  # with these it is a larger network
            trial = renamed(table, {**rest, other: line})
            if trial is not None and line in trial.lines.values():
                trials.append((len(_missing(trial)), line, other))
    for _, line, name in sorted(trials)[:_MOST_TRIALS]:
        trial = renamed(table, {**{other: at for at, other in said.items() if at != line}, name: line})
        if trial is None:
            continue
        trees, meaning = understand(book, trial)
        if not (trees.table.relabelled or meaning.numbering) and is_right_throughout(book, trees, meaning):
            return line, name
    return None


def _missing(table: IterationTable | None) -> list[str]:
    """The quantities of a table's network that have no line."""
    if table is None:
        return []
    return [
        name for name in derivation_of(table.shape).quantities if _SHOWN.fullmatch(name) and name not in table.lines
    ]


def _next(names: Container[str]) -> Iterator[str]:
    """The inputs, targets and units after the last ones."""
    for family in ("i", "t", "h", "a_h", "o", "a_o", "E"):
        yield next(f"{family}{number}" for number in range(1, 100) if f"{family}{number}" not in names)


def _doubt(table: IterationTable, line: int, name: str) -> LabelDoubt:
    place = (line, table.header) if table.transposed else (table.header, line)
    return LabelDoubt(address(*place), table.sheet.text(*place), name)


def _text(table: IterationTable, line: int) -> str:
    return table.sheet.text(*((line, table.header) if table.transposed else (table.header, line)))
