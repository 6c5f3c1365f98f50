"""The replacement: the right formula of a quantity, written in a sheet's own cell references."""

from __future__ import annotations

import re
from functools import cached_property

from xlbackprop.checker.file.formula import Node
from xlbackprop.checker.judgement.tree_reading import to_tree
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.table.trees import Trees
from xlbackprop.grid import address, quoted
from xlbackprop.network import LEARNING_RATE
from xlbackprop.symbols import Expression, Formula, Mathematics, Number, Symbol, substitute


class UnplacedError(Exception):
    """A quantity that stands nowhere in the workbook, so that no reference to it can be written."""


class Replacement:
    """The right formulas of one table."""

    def __init__(self, trees: Trees, meaning: Meaning) -> None:
        self._table = trees.table
        self._trees = trees
        self._meaning = meaning
        self._label_of = {own: label for label, own in meaning.numbering.items()}
        self._cell_of = {name: position for position, name in meaning.cells.items()}
        self._typed = dict(meaning.literals)
        self._line_of = {name: line for line, name in meaning.lines.items() if not name.startswith("−")}
        self._core = {meaning.own(label) for label in trees.core}
        self.rate: float | None = None
        """The learning rate, where it stands in no cell."""

    def label(self, own: str) -> str:
        """What the sheet calls a quantity of the walkthrough."""
        return self._label_of.get(own, own)

    def expression(self, label: str, *, helpers: bool = False) -> Expression:
        """The definition of what the sheet calls so, over what has a line of its own.

        Args:
            label: the quantity.
            helpers: whether helper lines may be used.
        """
        negative = label.startswith("−")
        own = self._meaning.own(label.removeprefix("−"))
        derivation = self._meaning.derivation
        columns = self._core | (self._line_of.keys() - {own} if helpers else set())
        update = derivation[own].update
        if update is None:
            expression = derivation.expanded(own, columns)
            return -expression if negative else expression

        def earlier(symbol: Symbol) -> Expression:
            quantity = derivation.quantities.get(symbol.name)
            if not symbol.previous or symbol.name in columns or quantity is None or quantity.expression is None:
                return symbol
            inner = derivation.expanded(symbol.name, columns)
            return substitute(inner, lambda part: Symbol(part.name, previous=True))

        return substitute(update, earlier)

    def tree(self, label: str, *, helpers: bool = False) -> Node:
        """The same as a tree whose leaves are those of the sheet's own formulas."""
        return to_tree(self.expression(label, helpers=helpers), self._leaf)

    def formula(self, label: str, step: int, *, helpers: bool = False) -> str:
        """The formula that belongs in the cell of a quantity, with its equals sign; mathematics where there is none."""
        expression = substitute(self.expression(label, helpers=helpers), self._literal)
        try:
            return "=" + Formula(lambda symbol: self._address(symbol, step)).read(expression)
        except UnplacedError:
            return Mathematics().read(expression)

    @cached_property
    def learning_rate_line(self) -> int | None:
        """The line that holds a learning rate for every row, if there is one."""
        lines = self._table.lines
        return lines[LEARNING_RATE] if LEARNING_RATE in self._trees.core else self._line_of.get(LEARNING_RATE)

    def _leaf(self, symbol: Symbol) -> Node:
        name = symbol.name
        label = self.label(name)
        if label in self._trees.core:
            constant = label in self._trees.constant or name == LEARNING_RATE
            return ("q", label, -1 if symbol.previous and not constant else 0)
        if name in self._cell_of:
            return ("x", self._cell_of[name])
        if name in self._typed:
            return ("n", self._typed[name])
        if name in self._line_of:
            return ("line", self._line_of[name], -1 if symbol.previous else 0, -1)
        return ("q", label, -1 if symbol.previous else 0)

    def _literal(self, symbol: Symbol) -> Expression:
        name = symbol.name
        if name == LEARNING_RATE and self.rate is not None and self.learning_rate_line is None:
            return Number(self.rate)
        typed = name in self._typed and name not in self._cell_of and self.label(name) not in self._trees.core
        return Number(self._typed[name]) if typed else symbol

    def _address(self, symbol: Symbol, step: int) -> str:
        name, table = symbol.name, self._table
        label = self.label(name)
        at = step - 1 if symbol.previous and name != LEARNING_RATE else step
        line = table.lines[label] if label in self._trees.core else self._line_of.get(name)
        if line is not None:
            row, column = table.coordinates(line, max(at, 0))
            if (row, column) not in table.sheet.cells and re.fullmatch(r"[itb]\d+", name):
                row, column = table.coordinates(line, 0)
                return _fixed(address(row, column))
            return address(row, column)
        position = self._cell_of.get(name)
        if position is None:
            raise UnplacedError(name)
        sheet = "" if position[0] == table.sheet.name else quoted(position[0]) + "!"
        return sheet + _fixed(address(*position[1:]))


def _fixed(cell: str) -> str:
    return re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", cell)
