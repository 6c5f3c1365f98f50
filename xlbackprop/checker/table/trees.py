"""Resolution: the formula in a table's cell as a tree over quantities, its helper cells written out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Cell
from xlbackprop.checker.file.formula import (
    WIDEST_RANGE,
    CellFormula,
    Node,
    Position,
    Reference,
    leaves,
    parts,
    with_parts,
)
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.worlds import ANOTHER_ROW, derivation_of
from xlbackprop.derivation import Role
from xlbackprop.network import LEARNING_RATE

DEEPEST_CHAIN = 25
"""Helper cells that are followed one behind the other."""
MOST_LEAVES = 2_000
"""Of a tree with all its helpers written out: helpers that read one another twice double it at every step."""


Key = int
"""The number of a tree: equal trees, such as those of one column's cells, have one number."""


class Trees:
    """The trees of one table's cells.

    Their leaves: `("q", name, distance)` a quantity with a line of its own, so many rows away;
    `("line", line, distance, key)` a helper in a line beside those; `("col", line, distance)` a number in such a line
    that differs from row to row; `("cell", key)` a formula elsewhere; `("x", position)` a number elsewhere;
    `("blank", position)` an empty cell; `("odd", why)` what gives no number; `("unknown", why)` what is not known.
    """

    def __init__(self, book: Book, table: IterationTable) -> None:
        self.table = table
        self._book = book
        self._index = {step: index for index, step in enumerate(table.steps)}
        self._first, self._last = table.steps[0], table.steps[-1]
        quantities = derivation_of(table.shape).quantities
        self.core = frozenset(
            name for name in table.lines if name == LEARNING_RATE or _is_core(name, quantities[name].role)
        )
        self._names = {line: name for name, line in table.lines.items() if name in self.core}
        self.constant = frozenset(
            name
            for name in self.core
            if name != LEARNING_RATE and quantities[name].role in (Role.INPUT, Role.TARGET) and self._is_constant(name)
        )
        self._keys: dict[tuple[CellFormula, tuple[Node, ...]], Key] = {}
        self._trees: list[Node] = []
        self._sizes: list[int] = []
        self._cells: dict[tuple[Position, int], Key] = {}
        self._open: list[tuple[Position, int]] = []
        straight = self._last - self._first == len(table.steps) - 1 and not table.transposed
        self._inner = len(table.steps) if straight else 0
        self._steady: dict[tuple[int, CellFormula], bool] = {}
        self._steady_keys: dict[tuple[int, CellFormula], Key] = {}
        self._keys_at: dict[tuple[int, int], Key] = {}
        self._copies: dict[Position, Node] = {}
        self._problems: dict[Key, str] = {}
        self._helpers: dict[Key, frozenset[int]] = {}
        self._written: dict[tuple[Key, frozenset[int]], Node] = {}
        self._same: dict[int, Position | None] = {}

    def key(self, name: str, step: int) -> Key | None:
        """The number of the tree of a quantity's cell; None where there is no formula."""
        return self.key_at(self.table.lines[name], step)

    def key_at(self, line: int, step: int) -> Key | None:
        """The same for any line of the table."""
        table = self.table
        along = table.steps[step]
        row, column = (line, along) if table.transposed else (along, line)
        cell = table.sheet.cells.get((row, column))
        if cell is None or cell.formula is None:
            return None
        inner = 0 < step < self._inner
        known = self._steady_keys.get((line, cell.formula)) if inner else None
        if known is not None:
            return known
        position = (self.table.sheet.name, row, column)
        if inner and self._is_steady(line, cell.formula):
            known = self._steady_keys[line, cell.formula] = self._cell_key(position, cell, step)
            return known
        if (line, step) not in self._keys_at:
            self._keys_at[line, step] = self._cell_key(position, cell, step)
        return self._keys_at[line, step]

    def keys_along(self, line: int) -> Iterator[tuple[range, Key]]:
        """The numbers of a line's trees, from the first step to the last, each for all steps together that share it."""
        for stretch in self.table.stretches:
            cell = self.table.on(line, stretch.start)
            if cell is None or cell.formula is None:
                continue
            steady = stretch.stop <= self._inner and self._is_steady(line, cell.formula)
            together = [range(max(stretch.start, 1), stretch.stop)] if steady else []
            for part in [range(step, step + 1) for step in stretch if not steady or not step] + together:
                if part and (key := self.key_at(line, part.start)) is not None:
                    yield part, key

    def _is_steady(self, line: int, formula: CellFormula) -> bool:
        """Whether a formula means the same in every inner row: then it is resolved once for all of them."""
        known = self._steady.get((line, formula))
        if known is None:
            known = self._steady[line, formula] = not formula.specials and all(
                self._is_steady_reference(reference, line) for reference in formula.references
            )
        return known

    def _is_steady_reference(self, reference: Reference, line: int) -> bool:
        if reference.sheet is not None:
            return False
        column = reference.column if reference.column_fixed else line + reference.column
        if reference.row_fixed:
            if reference.row in self._index and column in self._names:
                return self._names[column] in self.constant
            cell = self.table.sheet.cells.get((reference.row, column))
            outside = not self._first <= reference.row <= self._last
            return outside and cell is not None and cell.formula is None
        return column in self._names and reference.row in (-1, 0)

    @cached_property
    def typical(self) -> dict[str, Key]:
        """The commonest formula of every quantity, the first row of the table apart when there are others."""
        found = {}
        for name in self.table.lines:
            counts: dict[Key, int] = {}
            for stretch, key in self.keys_along(self.table.lines[name]):
                counts[key] = counts.get(key, 0) + len(stretch) - (not stretch.start)
            if counts:
                found[name] = max(counts, key=counts.__getitem__)  # the first of those that are as common
        return found

    def is_followed(self, key: Key) -> bool:
        """Whether a tree, with its helpers, uses only what is known."""
        return not self.problem(key)

    def problem(self, key: Key) -> str:
        """What in a tree, or in its helpers, is not known; empty when all is."""
        known = self._problems.get(key)
        if known is None:
            self._problems[key] = ""  # while it is looked for, a circle ends here
            known = self._problems[key] = self._problem_in(self._trees[key])
        return known

    def _problem_in(self, node: Node) -> str:
        match node:
            case ("unknown", why):
                return str(why)
            case ("cell", key) | ("line", _, _, key):
                return self.problem(key)
            case _:
                return next((problem for part in parts(node) if (problem := self._problem_in(part))), "")

    def tree(self, key: Key) -> Node:
        """The tree itself."""
        return self._trees[key]

    def size(self, key: Key) -> int:
        """How many leaves the tree has with every helper written out."""
        return self._sizes[key]

    def written_out(self, key: Key, is_named: Mapping[int, str]) -> Node:
        """The tree with every helper written out, but for those lines that have a name."""
        helpers = self._helpers_of(key)
        asked = (key, helpers.intersection(is_named))
        if asked not in self._written:
            self._written[asked] = self._written_out(self._trees[key], is_named) if helpers else self._trees[key]
        return self._written[asked]

    def _helpers_of(self, key: Key) -> frozenset[int]:
        """The lines of the helpers that a tree is calculated from; 0 among them where some have no line."""
        if key not in self._helpers:
            found: set[int] = set()
            for leaf in leaves(self._trees[key]):
                if leaf[0] == "cell":
                    found |= {0, *self._helpers_of(leaf[1])}
                elif leaf[0] == "line":
                    found |= {leaf[1], *self._helpers_of(leaf[3])}
            self._helpers[key] = frozenset(found)
        return self._helpers[key]

    def _written_out(self, node: Node, is_named: Mapping[int, str]) -> Node:
        match node[0]:
            case "cell":
                return self.written_out(node[1], is_named)
            case "line" if node[1] not in is_named:
                return self._moved(self.written_out(node[3], is_named), node[2])
            case _:
                inner = parts(node)
                return with_parts(node, tuple(self._written_out(part, is_named) for part in inner)) if inner else node

    def _moved(self, node: Node, distance: int) -> Node:
        """The tree of another row, told from this one."""
        if distance == 0:
            return node
        match node:
            case ("q", name, _) if name in self.constant or name == LEARNING_RATE:
                return node
            case ("q" | "line" | "col", what, own, *rest):
                return (
                    node[0],
                    what,
                    ANOTHER_ROW if ANOTHER_ROW in (own, distance) else _distance(own + distance),
                    *rest,
                )
            case _:
                inner = parts(node)
                return with_parts(node, tuple(self._moved(part, distance) for part in inner)) if inner else node

    def _cell_key(self, position: Position, cell: Cell, step: int) -> Key:
        asked = (position, step)
        known = self._cells.get(asked)
        if known is not None:
            return known
        formula = cell.formula
        assert formula is not None
        if asked in self._open or len(self._open) >= DEEPEST_CHAIN:
            return self._intern(formula, (("odd", "a chain of cells without an end"),), alone=True)
        self._open.append(asked)
        leaves = [self._leaf(reference.at(*position), step, reference.row_fixed) for reference in formula.references]
        self._open.pop()
        key = self._cells[asked] = self._intern(formula, tuple(leaves), position=position, step=step)
        return key

    def _intern(
        self,
        formula: CellFormula,
        leaves: tuple[Node, ...],
        *,
        alone: bool = False,
        position: Position = ("", 0, 0),
        step: int = 0,
    ) -> Key:
        tree = formula.tree
        special = tuple(self._special(node, formula, position, step) for node in formula.specials)
        known = self._keys.get((formula, leaves + special))
        if known is None:
            if alone:
                built: Node = leaves[0]
            elif tree is None or not formula.is_followed:
                built = ("unknown", formula.problem)
            else:
                built = _filled(tree, leaves, iter(special))
            size = self._size(built)
            if size > MOST_LEAVES:
                built, size = ("unknown", "helper cells that read one another too often"), 1
            known = self._keys[formula, leaves + special] = len(self._trees)
            self._trees.append(built)
            self._sizes.append(size)
        return known

    def _size(self, node: Node) -> int:
        """How many leaves a tree has when its helpers are written out."""
        match node:
            case ("cell", key) | ("line", _, _, key):
                return self._sizes[key]
            case _:
                return sum(map(self._size, inner)) if (inner := parts(node)) else 1

    def _leaf(self, position: Position, step: int, fixed: bool = False) -> Node:
        sheet, row, column = position
        table = self.table
        inside = None
        if sheet == table.sheet.name:
            line, along = (row, column) if table.transposed else (column, row)
            inside = self._index.get(along) if self._first <= along <= self._last else None
            name = self._names.get(line)
            if inside is not None and name is not None:
                constant = name in self.constant or name == LEARNING_RATE
                return ("q", name, 0 if constant else _distance(inside - step))
            cells: Mapping[tuple[int, int], Cell] = table.sheet.cells
        else:
            other = self._book.by_name.get(sheet)
            if other is None:
                return ("odd", "a sheet that is not there")
            cells = other.cells
        cell = cells.get((row, column))
        if cell is None:
            return ("blank", position)
        if cell.formula is not None:
            if cell.formula.tree == ("ref", 0):
                return self._copied(position, cell.formula, step)
            key = self._cell_key(position, cell, step if inside is None else inside)
            if inside is None:
                return ("x", position) if self._is_apart(self._trees[key]) else ("cell", key)
            return ("line", line, _distance(inside - step), key)
        if cell.number is None:
            return ("odd", "a cell with text")
        if inside is None or fixed:
            return ("x", position)
        same = self._same_number(line)
        return ("col", line, _distance(inside - step)) if same is None else ("x", same)

    def _is_apart(self, node: Node) -> bool:
        """Whether a tree beside the table uses nothing of it: then its cell holds one number for all rows."""
        inner = parts(node)
        return all(map(self._is_apart, inner)) if inner else node[0] in {"n", "x"}

    def _copied(self, position: Position, formula: CellFormula, step: int) -> Node:
        """What a cell that only repeats another one stands for."""
        known = self._copies.get(position)
        if known is None:
            mark = (position, step)
            if mark in self._open or len(self._open) >= DEEPEST_CHAIN:
                return ("odd", "a chain of cells without an end")
            self._open.append(mark)
            known = self._leaf(formula.references[0].at(*position), step)
            self._open.pop()
            if known[0] in {"x", "blank"}:
                self._copies[position] = known
        return known

    def _same_number(self, line: int) -> Position | None:
        """The first cell of a line beside the quantities, when all its numbers are equal."""
        if line not in self._same:
            numbers = self.table.numbers(line)
            steps = np.flatnonzero(~np.isnan(numbers))
            equal = len(steps) > 0 and bool((numbers[steps] == numbers[steps[0]]).all())
            first = self.table.coordinates(line, int(steps[0])) if equal else None
            self._same[line] = None if first is None else (self.table.sheet.name, *first)
        return self._same[line]

    def _special(self, node: Node, formula: CellFormula, position: Position, step: int) -> Node:
        """The leaf or leaves for a range or a defined name."""
        if node[0] == "name":
            corners = self._book.named_cells(node[1])
            if corners is None or corners[0] != corners[1]:
                return ("unknown", f"the name {node[1]}")
            return self._leaf(corners[0], step, True)
        sheet, top, left = formula.references[node[1]].at(*position)
        _, bottom, right = formula.references[node[2]].at(*position)
        if not 0 < (bottom - top + 1) * (right - left + 1) <= WIDEST_RANGE or bottom < top:
            return ("unknown", "a large range")
        return (
            "list",
            tuple(
                self._leaf((sheet, row, column), step)
                for row in range(top, bottom + 1)
                for column in range(left, right + 1)
            ),
        )

    def _is_constant(self, name: str) -> bool:
        numbers = self.table.numbers(self.table.lines[name])
        without = np.flatnonzero(np.isnan(numbers)).tolist()
        cells = [self.table.cell(name, step) for step in without]
        values: set[float | str | None] = {cell.value for cell in cells if cell is not None}
        values = (values | set(np.unique(numbers[~np.isnan(numbers)]).tolist())) - {None}
        if len(values) > 1:  # filling down leaves 0.0500000000000001 behind
            values = {float(f"{value:.12g}") if isinstance(value, float) else value for value in values}
        return len(values) <= 1


def _distance(rows: int) -> int:
    return rows if -1 <= rows <= 1 else ANOTHER_ROW


def _is_core(name: str, role: Role) -> bool:
    return role is not Role.GRADIENT or bool(re.fullmatch(r"∂E/∂[wb]\d+", name))


def _filled(node: Node, leaves: tuple[Node, ...], special: Iterator[Node]) -> Node:
    match node[0]:
        case "ref":
            return leaves[node[1]]
        case "range" | "name":
            return next(special)
        case _:
            inner = parts(node)
            return with_parts(node, tuple(_filled(part, leaves, special) for part in inner)) if inner else node
