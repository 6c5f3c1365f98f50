"""The layout: which quantities have a column of their own in the iteration table, and at which address each stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.expression import Symbol
from xlbackprop.names import ITERATION, LEARNING_RATE, Names
from xlbackprop.readings import Formula

WALKTHROUGH = "Walkthrough"
"""The sheet on which the iteration table stands."""

LEARNING_RATE_COLUMN = "G"


def compact(derivation: Derivation) -> tuple[str, ...]:
    """The columns of the original sheet: what the network holds, the loss and the gradients of what it learns."""
    names = derivation.labels
    gradients = [gradient for layer in range(len(names.weights)) for gradient in derivation.gradients(layer)]
    return (*_forward(names), *gradients)


def full(derivation: Derivation) -> tuple[str, ...]:
    """Every quantity: the columns of the original sheet with every link of the chain rule before the gradients."""
    columns = compact(derivation)
    links = [name for name in derivation.quantities if name not in columns]
    gradients = [name for name in columns if derivation[name].role is Role.GRADIENT]
    return (*_forward(derivation.labels), *links, *gradients)


COLUMN_SETS: Mapping[str, Callable[[Derivation], tuple[str, ...]]] = {"compact": compact, "full": full}


class Table(Struct, frozen=True, dict=True):
    """The iteration table: one column a quantity, one row an iteration, the count of iterations in the last column."""

    derivation: Derivation
    quantities: tuple[str, ...]
    iterations: int
    header_row: int

    @property
    def first_row(self) -> int:
        return self.header_row + 1

    @property
    def learning_rate_cell(self) -> str:
        """The absolute address of η, just above the header."""
        return f"${LEARNING_RATE_COLUMN}${self.header_row - 1}"

    @property
    def columns(self) -> tuple[str, ...]:
        """What stands in the columns, left to right."""
        return (*self.quantities, ITERATION)

    @property
    def last_row(self) -> int:
        return self.first_row + self.iterations - 1

    def letter(self, name: str) -> str:
        """The column letter of a quantity."""
        return self._letters[name]

    def cell(self, name: str, iteration: int = 0) -> str:
        """The address of a quantity in one iteration, such as `J33`."""
        return f"{self._letters[name]}{self.first_row + iteration}"

    @property
    def headers(self) -> str:
        """The range of the column headers as other sheets write it."""
        return f"{WALKTHROUGH}!$A${self.header_row}:${column_letter(len(self.columns))}${self.header_row}"

    def area(self, iterations: int) -> str:
        """The range of all columns over the first iterations as other sheets write it."""
        last = f"${column_letter(len(self.columns))}${self.header_row + iterations}"
        return f"{WALKTHROUGH}!$A${self.first_row}:{last}"

    def reference(self, name: str) -> str:
        """The first cell of a quantity as other sheets write it: `Walkthrough!$W$33`."""
        return f"{WALKTHROUGH}!${self._letters[name]}${self.first_row}"

    def range(self, name: str) -> str:
        """The range of a quantity over all iterations as other sheets write it: `Walkthrough!$W$33:$W$100`."""
        letter = self._letters[name]
        return f"{WALKTHROUGH}!${letter}${self.first_row}:${letter}${self.last_row}"

    def first_formula(self, name: str) -> str | None:
        """The formula of a quantity in the first row, where `{row}` stands for the row; None for a given number."""
        if name == ITERATION or self.derivation[name].expression is None:
            return None
        return self._reading.read(self.derivation.expanded(name, self.quantities))

    def formula(self, name: str) -> str:
        """The formula of a quantity in every later row, where `{row}` and `{above}` stand for the rows."""
        letter = self._letters[name]
        if name == ITERATION:
            return f"{letter}{{above}}+1"
        update = self.derivation[name].update
        if update is not None:
            return self._reading.read(update)
        return self.first_formula(name) or f"{letter}${self.first_row}"

    @cached_property
    def _letters(self) -> dict[str, str]:
        return {name: column_letter(index) for index, name in enumerate(self.columns, 1)}

    @cached_property
    def _reading(self) -> Formula:
        return Formula(self._address)

    def _address(self, symbol: Symbol) -> str:
        if symbol.name == LEARNING_RATE:
            return self.learning_rate_cell
        return self._letters[symbol.name] + ("{above}" if symbol.previous else "{row}")


def column_letter(index: int) -> str:
    """The letters of a column, counted from 1: A, B … Z, AA."""
    letters = ""
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _forward(names: Names) -> tuple[str, ...]:
    columns = [*names.targets, *names.inputs]
    for layer, rows in enumerate(names.weights):
        columns += [weight for row in rows for weight in row]
        columns += names.biases[layer]
        pairs = zip(names.pre_activations[layer], names.activations[layer], strict=True)
        columns += [name for pair in pairs for name in pair]
    return (*columns, *names.losses, names.total_loss)
