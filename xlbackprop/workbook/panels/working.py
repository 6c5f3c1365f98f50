"""Working areas: the calculations behind what a lesson sheet shows, row by row on the same sheet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from xlbackprop.derivation import Derivation
from xlbackprop.engine import Array, Trace
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import short_label
from xlbackprop.symbols import Formula, Old, Symbol, at_the_start, number_from
from xlbackprop.walkthrough import MOST_SYMBOLS, Lesson
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

_NAMED = Formula(lambda symbol: f"%({symbol.label})s")

Values = Trace | Mapping[str, Array]
"""The values of quantities, by their names."""


class Working(Struct, frozen=True, dict=True):
    """A table of calculations: one column a quantity, its rows one iteration each, or one setting of the weights."""

    derivation: Derivation
    columns: tuple[str, ...]
    first_column: int
    header_row: int
    rows: int
    references: Mapping[str, str]
    """What the formulas use that has no column: its address, or an expression, in which `{row}` is the row."""
    written: dict[tuple[str, str], str] = {}  # msgspec copies the default
    """Formulas with names for addresses, which workings share that differ only in where everything stands."""

    @property
    def first_row(self) -> int:
        return self.header_row + 1

    @property
    def last_row(self) -> int:
        return self.header_row + self.rows

    @property
    def next_column(self) -> int:
        """The first column to the right of the table."""
        return self.first_column + len(self.columns)

    def letter(self, name: str) -> str:
        """The column letter of a quantity."""
        return column_letter(self.first_column + self.columns.index(name))

    def cell(self, name: str, row: int = 0) -> str:
        """The address of a quantity in a row, counted from 0."""
        return f"{self.letter(name)}{self.first_row + row}"

    def range(self, name: str, rows: slice = slice(None)) -> str:
        """The absolute range of a quantity over all rows, or over some counted from 0: `$J$40:$J$107`."""
        chosen = range(self.first_row, self.last_row + 1)[rows]
        return column_range(self.letter(name), chosen[0], chosen[-1])

    def calculation(self, name: str, *, first: bool = False) -> str:
        """The formula of a quantity from its own row; a quantity that stands nowhere is written out in it.

        In the `first` row nothing is carried over from the row above.
        """
        key = name, "first" if first else "later"
        if key not in self.written:
            expression = self.derivation.expanded(name, self._known)
            self.written[key] = _NAMED.read(at_the_start(expression) if first else expression)
        return self.written[key] % self._addresses

    def update(self, name: str) -> str:
        """The formula of what is learned, from the row above."""
        key = name, "update"
        if key not in self.written:
            self.written[key] = _NAMED.read(self.derivation.updated(name, self._known))
        return (self.written[key] % self._addresses).replace("{row}", "{above}")

    def header(self, page: Page) -> None:
        """Put down the names above the columns."""
        for name in self.columns:
            role = self.derivation[name].role
            page.text(f"{self.letter(name)}{self.header_row}", short_label(name), Look(theme.LABEL, role))

    def put(self, page: Page, values: Values, formulas: Mapping[str, str] | None = None) -> None:
        """Put down names and rows: of every column its formula, or how it is calculated, and the values of all rows."""
        self.header(page)
        given = formulas or {}
        calculations = {name: self.calculation(name) for name in self.columns if name not in given}
        self.block(page, {**given, **calculations}, values, slice(None))

    def block(self, page: Page, formulas: Mapping[str, str], values: Values, rows: slice) -> None:
        """Put down some rows of all columns: their formulas, with `{row}` and `{above}`, and the values of all rows."""
        taken = range(self.first_row, self.last_row + 1)[rows]
        if taken:
            looks = (Look(theme.CALCULATION, self.derivation[name].role, theme.VALUE_FORMAT) for name in self.columns)
            cells = [
                page.column(look, formulas[name], values[name][rows])
                for look, name in zip(looks, self.columns, strict=True)
            ]
            page.block(taken[0], self.first_column, cells)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset((*self.columns, *self.references))

    @cached_property
    def _addresses(self) -> dict[str, str]:
        both = (symbol for name in self._known for symbol in (Symbol(name), Old(name)))
        return {symbol.label: self._address(symbol) for symbol in both}

    def _address(self, symbol: Symbol) -> str:
        if symbol.name in self.references:
            place = self.references[symbol.name]
            return place.replace("{row}", "{above}") if isinstance(symbol, Old) else place
        return self.letter(symbol.name) + ("{above}" if isinstance(symbol, Old) else "{row}")


def row_index(header_row: int, column: int) -> str:
    """The number of a row under a header, counted from 0, in a formula that survives when the reader inserts rows.

    The header holds no formula: a program may take even ROW of a cell for a use of its value, and see a circle.
    """
    return f"(ROW()-ROW({absolute(address(header_row, column))})-1)"


def put_columns(
    page: Page, derivation: Derivation, row: int, column: int, contents: Mapping[str, tuple[str, Array]]
) -> dict[str, str]:
    """Put down formulas and values side by side, names over them; give references, all with `{row}` in them."""
    columns, references = [], {}
    for index, (name, (formula, values)) in enumerate(contents.items(), column):
        letter, role = column_letter(index), derivation[name].role
        page.text(f"{letter}{row}", name, Look(theme.LABEL, role))
        look = Look(theme.CALCULATION, role, theme.number_format(role))
        columns.append(page.column(look, formula, values))
        references[name] = f"${letter}{{row}}"
    if columns:
        page.block(row + 1, column, columns)
    return references


def sampled_contents(lesson: Lesson, number: str, samples: NDArray[np.integer]) -> dict[str, tuple[str, Array]]:
    """Formula and values of every input and target, row by row of samples: `put_columns` takes them.

    Args:
        number: the formula of a row's sample, counted from 1.
        samples: the same in numbers, counted from 0.
    """
    given = np.array([(*sample.inputs, *sample.targets) for sample in lesson.definition.samples])
    return {
        name: (number_from(lesson.table.samples(name), number), given[samples, index])
        for index, name in enumerate(lesson.derivation.sampled)
    }


def forward_columns(derivation: Derivation, using: Collection[str]) -> tuple[str, ...]:
    """The columns of a forward pass: the activations, after the pre-activations where formulas were long without them.

    Args:
        using: what else is calculated from them, with formulas that have to stay short as well.
    """
    names = derivation.names
    activations = [name for layer in names.activations for name in layer]
    lengths = derivation.lengths({*activations, *using, *derivation.given})
    is_long = max(lengths[name] for name in (*activations, *using)) > MOST_SYMBOLS
    units = [name for layer in names.pre_activations for name in layer] if is_long else []
    return (*units, *activations)


def put_given(
    page: Page, lesson: Lesson, row: int, column: int = 1, *, iteration_cell: str = "", iteration: int = 0
) -> dict[str, str]:
    """Put down what stays the same in every row of a working, names over values, from the cell on.

    Args:
        iteration_cell: where the iteration stands whose sample is meant, if there are several samples.

    Returns:
        The absolute address of each number.
    """
    names = list(lesson.derivation.constants)
    if iteration_cell:
        names += [name for name in lesson.derivation.sampled if name not in names]
    if names:
        page.text(address(row + 1, column), "given:", Look(theme.TEXT, align="right"))
    places = {}
    for place, name in enumerate(names, column + 1):
        role = lesson.derivation[name].role
        cell = address(row + 1, place)
        formula = lesson.table.reference(name)
        if name not in lesson.derivation.constants:
            formula = number_from(lesson.table.range(name), f"{iteration_cell}+1")
        page.text(address(row, place), name, Look(theme.LABEL, role))
        value = float(lesson.trace[name][iteration])
        page.formula(cell, formula, value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT))
        places[name] = absolute(cell)
    return places


def put_choices(page: Page, choices: Sequence[tuple[str, str, Value]], row: int, column: int = 1) -> list[str]:
    """Put down the reader's choices as they are used, names over values, from the cell on.

    Args:
        choices: the name, the formula and the value of each.

    Returns:
        The absolute address of each value.
    """
    page.text(address(row + 1, column), "used:", Look(theme.TEXT, align="right"))
    cells = []
    for place, (name, formula, value) in enumerate(choices, column + 1):
        cell = address(row + 1, place)
        page.text(address(row, place), name, theme.COLUMN_HEAD)
        page.formula(cell, formula, value, theme.HELPER)
        cells.append(absolute(cell))
    return cells


def as_joined(value: float) -> str:
    """A number as a spreadsheet joins it to a text, for numbers of an everyday size."""
    return f"{value:.15g}"
