"""The layout: which quantities have a column of their own in the iteration table, and at which address each stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.ground.grid import column_letter, column_range
from xlbackprop.network import EPOCH, ITERATION, LEARNING_RATE, ORDER, TURN, WALKTHROUGH
from xlbackprop.symbols import Formula, Listed, Old, Symbol, at_the_start
from xlbackprop.walkthrough.loss_curve import LossCurve

DATA = "Data"
"""The sheet on which the samples stand, where there are several."""

FIRST_SAMPLE_ROW = 6

MOST_SYMBOLS = 30
"""How many symbols a formula may have and still be read; longer ones get columns for their parts."""

SETTING_COLUMN = "G"


def compact(derivation: Derivation) -> tuple[str, ...]:
    """The columns of the original sheet: what the network holds, the loss and the gradients of what it learns.

    The deltas come before the gradients where a gradient written out without them would be too long to read.
    """
    before, gradients, rest = _before(derivation), _gradients(derivation), _rest(derivation)
    lengths = derivation.lengths((*before, *gradients, *rest))
    longest = max(lengths[gradient] for gradient in gradients)
    deltas = derivation.deltas if longest > MOST_SYMBOLS else ()
    return (*before, *deltas, *gradients, *rest)


def full(derivation: Derivation) -> tuple[str, ...]:
    """Every quantity: the columns of the original sheet with every link of the chain rule before the gradients."""
    before, gradients, rest = _before(derivation), _gradients(derivation), _rest(derivation)
    taken = {*before, *gradients, *rest}
    links = [name for name in derivation.quantities if name not in taken]
    return (*before, *links, *gradients, *rest)


COLUMN_SETS: Mapping[str, Callable[[Derivation], tuple[str, ...]]] = {"compact": compact, "full": full}


class Table(Struct, frozen=True, dict=True):
    """The iteration table: one column a quantity, one row an iteration.

    The number of the iteration stands first, but for a single sample: there every column is where the class has it.
    """

    derivation: Derivation
    quantities: tuple[str, ...]
    iterations: int
    header_row: int
    settings_row: int
    """Of η; what else the training is set by stands over it."""

    @property
    def first_row(self) -> int:
        return self.header_row + 1

    @property
    def learning_rate_cell(self) -> str:
        """The absolute address of η."""
        return self.setting_cell(LEARNING_RATE)

    def setting_cell(self, name: str) -> str:
        """The absolute address of a setting: the learning rate, or one of the others above it."""
        above = list(self.derivation.settings).index(name)
        return f"${SETTING_COLUMN}${self.settings_row - above}"

    @property
    def columns(self) -> tuple[str, ...]:
        """What stands in the columns, left to right."""
        several = self.derivation.samples > 1
        return (ITERATION, *self.quantities) if several else (*self.quantities, ITERATION)

    @property
    def last_row(self) -> int:
        return self.first_row + self.iterations - 1

    def letter(self, name: str) -> str:
        """The column letter of a quantity."""
        return self._letters[name]

    def cell(self, name: str, iteration: int = 0) -> str:
        """The address of a quantity in one iteration, such as `J33`."""
        return f"{self._letters[name]}{self.first_row + iteration}"

    @cached_property
    def loss_curve(self) -> LossCurve:
        """The points of the training at which the loss of all samples is taken, where there are several."""
        return LossCurve(self.derivation.samples, self.iterations)

    @property
    def curve_unit(self) -> str:
        """What the losses by which the training is judged are counted in: iterations of one sample, or epochs."""
        return EPOCH if self.derivation.samples > 1 else ITERATION

    @property
    def curve_places(self) -> str:
        """The range in which those iterations or epochs stand, as other sheets write it."""
        return self._curve_range(0) if self.derivation.samples > 1 else self.range(ITERATION)

    @property
    def curve_losses(self) -> str:
        """The range of the losses there: of the one sample, or the mean of all, as other sheets write it."""
        return self._curve_range(1) if self.derivation.samples > 1 else self.range(self.derivation.names.total_loss)

    def _curve_range(self, index: int) -> str:
        letter = column_letter(curve_column(self.derivation) + index)
        return _data_range(letter, len(self.loss_curve.made))

    def last_update(self, name: str) -> str:
        """The formula of what is learned after the last iteration, as other sheets write it."""
        reading = Formula(lambda symbol: self._address_on_other_sheets(symbol, self.last_row))
        return reading.read(self.derivation.update(name))

    @property
    def headers(self) -> str:
        """The range of the column headers as other sheets write it."""
        return f"{WALKTHROUGH}!$A${self.header_row}:${column_letter(len(self.columns))}${self.header_row}"

    def area(self, iterations: int) -> str:
        """The range of all columns over the first iterations as other sheets write it."""
        last = f"${column_letter(len(self.columns))}${self.header_row + iterations}"
        return f"{WALKTHROUGH}!$A${self.first_row}:{last}"

    def sample_cell(self, name: str, sample: int) -> str:
        """Where an input or a target of one of several samples, counted from 0, stands, as other sheets write it."""
        first = samples_range(self.derivation, name, self.iterations).partition(":")[0]
        return first.removesuffix(str(FIRST_SAMPLE_ROW)) + str(FIRST_SAMPLE_ROW + sample)

    def samples(self, name: str) -> str:
        """Where an input or a target stands for all of several samples, as other sheets write it."""
        return samples_range(self.derivation, name, self.iterations)

    def reference(self, name: str) -> str:
        """The first cell of a quantity as other sheets write it: `Walkthrough!$W$33`."""
        return f"{WALKTHROUGH}!${self._letters[name]}${self.first_row}"

    def range(self, name: str) -> str:
        """The range of a quantity over all iterations as other sheets write it: `Walkthrough!$W$33:$W$100`."""
        return f"{WALKTHROUGH}!{column_range(self._letters[name], self.first_row, self.last_row)}"

    def first_formula(self, name: str) -> str | None:
        """The formula of a quantity in the first row, where `{row}` stands for the row; None for a given number."""
        if name == ITERATION:
            return "0"
        if self.derivation[name].expression is None:
            return None
        expression = self.derivation.expanded(name, self._known)
        return self._reading.read(at_the_start(expression) if name in self.derivation.carried else expression)

    def formula(self, name: str) -> str:
        """The formula of a quantity in every later row, where `{row}` and `{above}` stand for the rows."""
        return self._formulas[name]

    @cached_property
    def _formulas(self) -> dict[str, str]:
        return {name: self._formula(name) for name in self.columns}

    def _formula(self, name: str) -> str:
        letter = self._letters[name]
        if name == ITERATION:
            return f"{letter}{{above}}+1"
        quantity = self.derivation[name]
        if quantity.update is not None:
            return self._reading.read(quantity.update).replace("{row}", "{above}")
        if quantity.expression is None:
            return f"{letter}${self.first_row}"
        return self._reading.read(self.derivation.expanded(name, self._known))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.quantities)

    @cached_property
    def _letters(self) -> dict[str, str]:
        return {name: column_letter(index) for index, name in enumerate(self.columns, 1)}

    @cached_property
    def _reading(self) -> Formula:
        return Formula(self._address)

    def _address_on_other_sheets(self, symbol: Symbol, row: int) -> str:
        if symbol.name in self.derivation.settings:
            return f"{WALKTHROUGH}!{self.setting_cell(symbol.name)}"
        return f"{WALKTHROUGH}!${self._letters[symbol.name]}${row}"

    def _address(self, symbol: Symbol) -> str:
        if isinstance(symbol, Listed):
            return samples_range(self.derivation, symbol.name, self.iterations)
        if symbol.name in self.derivation.settings:
            return self.setting_cell(symbol.name)
        return self._letters[symbol.name] + ("{above}" if isinstance(symbol, Old) else "{row}")


def samples_range(derivation: Derivation, name: str, iterations: int) -> str:
    """Where all values of an input or a target, or the order of the samples, stand on the sheet of the data."""
    names = derivation.names
    columns = (*names.inputs, *names.targets, "", ORDER)
    letter = column_letter(2 + columns.index(name))
    count = iterations if name == ORDER else derivation.samples
    return _data_range(letter, count)


def _data_range(letter: str, count: int) -> str:
    return f"{DATA}!{column_range(letter, FIRST_SAMPLE_ROW, FIRST_SAMPLE_ROW + count - 1)}"


def curve_column(derivation: Derivation) -> int:
    """The column of the epochs on the sheet of the data, with the loss of all samples in the next one."""
    return 3 + len(derivation.sampled) + (2 if TURN in derivation.quantities else 0)


def _before(derivation: Derivation) -> tuple[str, ...]:
    """Where an iteration stands among the others, its sample, and the forward pass up to the loss."""
    names = derivation.names
    columns = [*derivation.of_role(Role.ORDER), *names.targets, *names.inputs]
    for layer, rows in enumerate(names.weights):
        columns += [weight for row in rows for weight in row]
        columns += names.biases[layer]
        pairs = zip(names.pre_activations[layer], names.activations[layer], strict=True)
        columns += [name for pair in pairs for name in pair]
    return (*columns, *names.losses, names.total_loss)


def _gradients(derivation: Derivation) -> tuple[str, ...]:
    layers = range(len(derivation.names.weights))
    return tuple(gradient for layer in layers for gradient in derivation.gradients(layer))


def _rest(derivation: Derivation) -> tuple[str, ...]:
    """What is carried from iteration to iteration."""
    means = [name for name in derivation.carried if derivation[name].role is Role.GRADIENT]
    return (*means, *derivation.of_role(Role.MEMORY))
