"""The replacement: the right formula of a quantity, written in a sheet's own cell references."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property

from xlbackprop.checker.file.formula import Node
from xlbackprop.checker.judgement.tree_reading import to_tree
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.table.trees import Trees
from xlbackprop.ground.grid import address, quoted
from xlbackprop.network import LEARNING_RATE
from xlbackprop.symbols import Expression, Formula, Mathematics, Number, PlainFormula, Symbol, substitute, symbols


class UnplacedError(Exception):
    """A quantity that stands nowhere in the workbook, so that no reference to it can be written."""


class RightFormulas:
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

    def expression(
        self, label: str, *, helpers: bool = False, further: Collection[str] = (), is_deep: bool = False
    ) -> Expression:
        """The definition of what the sheet calls so, over what has a line of its own.

        Args:
            label: the quantity.
            helpers: whether helper lines may be used.
            further: quantities that may be used too.
            is_deep: whether what its definition uses is written out in turn.
        """
        negative = label.startswith("−")
        own = self._meaning.own(label.removeprefix("−"))
        derivation = self._meaning.derivation
        columns = self._core | (self._line_of.keys() - {own} if helpers else set()) | (set(further) - {own})
        if is_deep:
            columns -= {symbol.name for symbol in symbols(self.expression(label)) if self._is_calculated(symbol.name)}
        if self._is_learned(label):
            return derivation.updated(own, columns)
        expression = derivation.expanded(own, columns)
        return -expression if negative else expression

    def _is_learned(self, label: str) -> bool:
        """Whether a quantity comes from the row above."""
        return self._meaning.own(label.removeprefix("−")) in self._meaning.derivation.learned

    def _is_calculated(self, own: str) -> bool:
        quantity = self._meaning.derivation.quantities.get(own)
        return quantity is not None and quantity.expression is not None

    def tree(self, label: str, *, further: Collection[str] = (), is_deep: bool = False) -> Node:
        """The same as a tree whose leaves are those of the sheet's own formulas."""
        distance = -1 if self._is_learned(label) else 0
        expression = self.expression(label, further=further, is_deep=is_deep)
        return to_tree(expression, lambda symbol: self._leaf(symbol, distance))

    def formula(self, label: str, step: int, *, helpers: bool = False) -> str:
        """The formula that belongs in the cell of a quantity, with its equals sign; mathematics where there is none."""
        expression = substitute(self.expression(label, helpers=helpers), self._literal)
        above = step - 1 if self._is_learned(label) else step
        try:
            return "=" + self._formula(
                lambda symbol: self._address(symbol, step if symbol.name == LEARNING_RATE else above)
            ).read(expression)
        except UnplacedError:
            return Mathematics().read(expression)

    @cached_property
    def _formula(self) -> type[Formula]:
        """How formulas are written on the sheet: with limits against overflow only where it has some of its own."""
        return (
            Formula
            if any("MIN" in formula.functions for formula in self._table.sheet.distinct_formulas)
            else PlainFormula
        )

    @cached_property
    def learning_rate_line(self) -> int | None:
        """The line that holds a learning rate for every row, if there is one."""
        lines = self._table.lines
        return lines[LEARNING_RATE] if LEARNING_RATE in self._trees.core else self._line_of.get(LEARNING_RATE)

    def _leaf(self, symbol: Symbol, distance: int) -> Node:
        name = symbol.name
        if name == LEARNING_RATE:
            distance = 0
        label = self.label(name)
        if label in self._trees.core:
            return ("q", label, 0 if label in self._trees.constant else distance)
        if name in self._cell_of:
            return ("x", self._cell_of[name])
        if name in self._typed:
            return ("n", self._typed[name])
        if name in self._line_of:
            return ("line", self._line_of[name], distance, -1)
        return ("q", label, distance)

    def _literal(self, symbol: Symbol) -> Expression:
        name = symbol.name
        if name == LEARNING_RATE and self.rate is not None and self.learning_rate_line is None:
            return Number(self.rate)
        typed = name in self._typed and name not in self._cell_of and self.label(name) not in self._trees.core
        return Number(self._typed[name]) if typed else symbol

    def _address(self, symbol: Symbol, step: int) -> str:
        name, table = symbol.name, self._table
        label = self.label(name)
        line = table.lines[label] if label in self._trees.core else self._line_of.get(name)
        if line is not None:
            row, column = table.coordinates(line, max(step, 0))
            if (row, column) not in table.sheet.cells and re.fullmatch(rf"[itb]\d+|{LEARNING_RATE}", name):
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
