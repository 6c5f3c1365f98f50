"""Names of cells for people: the text beside a cell or above its column."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from xlbackprop.checker.calculation.graph import TEXT, Graph
from xlbackprop.checker.file.formula import Position
from xlbackprop.checker.report.findings import shortened
from xlbackprop.ground.grid import Coordinates, address, quoted, ranges

_ADDRESS = re.compile(r"\b[A-Z]{1,3}\d+\b")
_IN_BRACKETS = re.compile(r"(?<= \()[A-Z]{1,3}\d+(?=\))")
_FARTHEST = 3000
_LONGEST = 24


def label(graph: Graph, node: int) -> str:
    """The text left of a cell, else the one at the head of its column; empty where there is none."""
    if node <= TEXT:
        return ""
    sheet, row, column = graph.positions[node]
    texts = graph.book.by_name[sheet]
    beside = texts.cells.get((row, column - 1))
    left = texts.text(row, column - 1).strip() if beside is not None and beside.formula is None else ""
    if left and len(left) <= _LONGEST:
        return left.rstrip("=: ")
    for above in range(row - 1, max(0, row - _FARTHEST), -1):
        cell = texts.cells.get((above, column))
        if cell is None:
            if above < row - 3:
                break
            continue
        if isinstance(cell.value, str) and cell.formula is None:
            text = cell.value.strip()
            return text.rstrip("=: ") if len(text) <= _LONGEST else ""
    return ""


def place(graph: Graph, node: int, sheet: str = "") -> str:
    """The address of a cell, with its sheet when that is another."""
    where, row, column = graph.positions[node]
    prefix = "" if where == sheet or not sheet else quoted(where) + "!"
    return prefix + address(row, column)


def named(graph: Graph, node: int, sheet: str = "") -> str:
    """A cell by its label and its address: `w6 (C10)`."""
    text = label(graph, node)
    where = place(graph, node, sheet)
    return f"{text} ({where})" if text else where


def moved(graph: Graph, words: str, start: int, end: int) -> str:
    """Words about the formula of one cell as they are about that of another one, into which it is filled."""
    addresses = _IN_BRACKETS if _IN_BRACKETS.search(words) else _ADDRESS
    return addresses.sub(lambda match: graph.filled(f"={match[0]}", start, end)[1:], words)


def cells_of_sheets(places: Iterable[Position]) -> str:
    """Cells as people read them, each sheet with its own."""
    by_sheet: dict[str, list[Coordinates]] = defaultdict(list)
    for where, row, column in places:
        by_sheet[where].append((row, column))
    return ", ".join(f"{where}!{shortened(ranges(sorted(at)))}" for where, at in by_sheet.items())
