"""The sheet Matrices: one iteration as matrices, each product beside its left factor and below its right one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Role
from xlbackprop.engine import sample_order
from xlbackprop.ground.grid import absolute, address, column_letter
from xlbackprop.network import (
    BATCH_SIZE,
    IN_BATCH,
    ITERATION,
    LOSSES,
    MEAN_LOSS,
    OPTIMISERS,
    SAMPLE,
    WALKTHROUGH,
    derivative,
    state_name,
)
from xlbackprop.symbols import (
    Conditional,
    Expression,
    Formula,
    Mathematics,
    Symbol,
    Typesetter,
    matrix_mathematics,
    number_from,
    symbols,
)
from xlbackprop.walkthrough import UPDATE_HEADING, Lesson, updated_name
from xlbackprop.workbook.panels.iteration_choice import Choice, choose_iteration
from xlbackprop.workbook.panels.matrix import Matrix, counted_product, product
from xlbackprop.workbook.panels.matrix_page import Cells, MatrixPage
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

ITERATION_CELL = "B3"

_USED_CELL = "C3"
_FIRST_CELL, _LAST_CELL, _COUNT_CELL = "B4", "C4", "D4"
"""The first and the last iteration of the batch, and the number of its samples."""
_COUNT = absolute(_COUNT_CELL)

_LEAST_COLUMNS = 11
_LEAST_LEFT, _LEAST_RIGHT = 3, 5
"""Columns to the left and to the right of the samples, so that a caption has room there."""
_ROW_HEIGHT = 17.0
"""Points: high enough for the symbols."""

_Grid = Sequence[Sequence[str]]
"""What stands in every cell, by name, row by row; rows may be shorter than the first one."""


def matrices(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the trace gives the values that its formulas have."""
    page.text("A1", page.title, Look(theme.TITLE))
    page.heights(1, 1)
    page.text(
        "A2", "One iteration. Every product stands beside its left factor and below its right one: row times column."
    )
    page.text("A3", ITERATION, Look(theme.HEADING, align="right"))
    choice = choose_iteration(page, lesson, ITERATION_CELL, _USED_CELL)
    page.text("D3", f"← 0 to {choice.last}.  ⊙ multiplies cell by cell.", theme.PROSE)
    batch = _batch(lesson)
    header_row = 3
    if batch.is_shown:
        header_row = 4
        _put_batch(page, lesson, choice, batch)
    for row in range(3, header_row + 1):
        page.heights(row, 1)
    page.freeze(f"A{header_row + 1}")
    rows = _Matrices(page, lesson, choice, batch, header_row + 1)
    rows.forward()
    rows.backward()
    rows.update()
    sheet = rows.sheet
    last = column_letter(sheet.last_column)
    page.widths((column_letter(index) for index in range(1, sheet.last_column + 1)), sheet.column_width)
    for row in range(header_row + 1, sheet.row):
        page.height(row, _ROW_HEIGHT)
    page.show_extreme_numbers(f"A{header_row + 1}:{last}{sheet.row - 1}", largest=sheet.largest_shown)
    page.fit_screen(last)
    page.print_setup(lesson.definition.title, f"A1:{last}{sheet.row - 1}", f"1:{header_row}")
    page.frame.breaks += sheet.paper_beginnings()


class _Batch(Struct, frozen=True):
    """The batch to which the chosen iteration belongs; without batches, the iteration alone."""

    first: int
    count: int
    counts: tuple[int, ...]
    """How many samples the batches of this training have, in rising order; the largest has a column for each."""
    is_cut: bool
    """Whether the table ends within a batch."""
    is_shown: bool
    """Whether the training has batches, though the table may end after a single sample."""

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def columns(self) -> int:
        return self.counts[-1]


def _batch(lesson: Lesson) -> _Batch:
    order, iteration = sample_order(lesson.definition), lesson.iteration
    starts = np.arange(order.iterations) - order.in_batch + 1
    counts = np.minimum(order.size, order.iterations - starts)
    return _Batch(
        first=int(starts[iteration]),
        count=int(counts[iteration]),
        counts=tuple(sorted(set(counts.tolist()))),
        is_cut=bool((counts < order.size).any()),
        is_shown=order.batch_size > 1,
    )


def _put_batch(page: Page, lesson: Lesson, choice: Choice, batch: _Batch) -> None:
    page.text("A4", "its batch", Look(theme.HEADING, align="right"))
    page.formula(_FIRST_CELL, f"{choice.cell}-{choice.value(IN_BATCH)}+1", batch.first, theme.COUNTED)
    page.formula(_LAST_CELL, f"{_FIRST_CELL}+{_COUNT_CELL}-1", batch.last, theme.COUNTED)
    size = f"MIN({choice.value(BATCH_SIZE)},{lesson.table.iterations}-{_FIRST_CELL})"
    page.formula(_COUNT_CELL, size, batch.count, Look(theme.CALCULATION, number_format='"n = "0'))
    page.text("E4", "← its first and its last iteration, and n, the number of its samples", theme.PROSE)


class _Matrices:
    """The matrices, put down one under the other in three stretches of columns.

    In the middle a column is a sample, from the inputs down to the loss and on down through the derivatives; to its
    left stand the left factors of these products, to its right the gradients of the weights.
    """

    def __init__(self, page: Page, lesson: Lesson, choice: Choice, batch: _Batch, row: int) -> None:
        self._page = page
        self._lesson = lesson
        self._derivation = lesson.derivation
        self._names = lesson.derivation.names
        self._choice = choice
        self._batch = batch
        self._is_batched = batch.is_shown
        self._values = [lesson.trace.at(batch.first + index) for index in range(batch.count)]
        self._states = OPTIMISERS[lesson.definition.optimiser.name].states
        sizes = self._names.sizes
        self._layers = range(len(sizes) - 1)
        factors = [sizes[layer] + bool(self._names.biases[layer]) for layer in self._layers]
        self._middle = max(_LEAST_LEFT, 1 + max(factors), 1 + max(sizes[1:])) + 1
        self._right = self._middle + batch.columns + 1
        learned = (len(self._learned(layer)[0]) for layer in self._layers)
        last_column = max(_LEAST_COLUMNS, self._right + max(_LEAST_RIGHT, *learned))
        self._rows: dict[str, int] = {}
        """The row of everything that every sample has a value of."""
        self._places: dict[str, str] = {}
        """The cell of everything that has one value in the batch."""
        self._formula = Formula(lambda symbol: self._places[symbol.name])
        self._matrices = _matrix_names(lesson)
        letters = ("W", "Z", "A", "b", *(state.letter.upper() for state in self._states))
        names = (self._name(letter, layer) for letter in letters for layer in self._layers)
        typesetter = Typesetter((*self._derivation.typeset, *names))
        self.sheet = MatrixPage(page, typesetter, self._names.total_loss, row, last_column)

    def forward(self) -> None:
        """From the inputs to the loss."""
        self.sheet.heading("Forward: from the inputs to the loss ↓")
        names, last = self._names, self._layers[-1]
        before = self._samples("Inputs X", names.inputs, Role.INPUT, self._given)
        for layer in self._layers:
            role = Role.OUTPUT if layer == last else Role.HIDDEN
            before = self._weighted_sums(layer, before, role)
            outputs = names.activations[layer]
            before = self._samples(f"Activations {self._equation(outputs[0])}", outputs, role, self._defined)
        self._samples("Targets T", names.targets, Role.TARGET, self._given)
        caption = f"Loss {self._equation(names.losses[0])}; {names.total_loss} is the sum of a column"
        losses = self._samples(caption, (*names.losses, names.total_loss), Role.LOSS, self._defined)
        if self._is_batched:
            self._mean_loss(losses)

    def backward(self) -> None:
        """From the loss to the gradients of everything that is learned."""
        self.sheet.row += 1
        self.sheet.heading("Backward: from the loss to the gradients ↓")
        above: Matrix | None = None
        for layer in reversed(self._layers):
            by_output = self._by(self._names.activations[layer])
            row = self.sheet.row
            self.sheet.may_begin_a_page()
            if above is not None:
                above = self._passed_down(layer, by_output, above)
                row = above.label_row
            elif by_output[0] in self._derivation.quantities:
                row = self._samples(self._equation(by_output[0]), by_output, Role.GRADIENT, self._defined).label_row
            above = self._gradients(layer, self._turned_before(layer, row))

    def update(self) -> None:
        """What is learned, its gradients and the optimiser's memory, and what becomes of it."""
        self.sheet.row += 1
        self.sheet.heading(f"{UPDATE_HEADING} ↓")
        self._shared_numbers()
        if self._batch.is_cut:
            words = "The table ends within this batch: there is no update yet."
            is_cut = self._batch.count < self._values[0][BATCH_SIZE]
            formula = f'IF({_COUNT}<{self._choice.value(BATCH_SIZE)},"{words}","")'
            self._page.formula(f"A{self.sheet.row}", formula, words if is_cut else "", _REMARK)
            self.sheet.row += 1
        for layer in self._layers:
            self._updated(layer)

    def _weighted_sums(self, layer: int, before: Matrix, role: Role) -> Matrix:
        """The weights to the left, with the biases as a last column, and Z = W · A + b below A."""
        units, biases, sources = self._names.pre_activations[layer], self._names.biases[layer], self._sources(layer)
        weights, sums, bias = (self._name(letter, layer) for letter in "WZb")
        also = (f" + {bias}", f", {bias}") if biases else ("", "")
        self.sheet.may_begin_a_page()
        row = self.sheet.caption(
            self.sheet.row, self._middle, f"Pre-activations {sums} = {weights} · {self._before(layer)}{also[0]}"
        )
        parameters = [
            [*row, *([biases[unit % len(biases)]] if biases else ())]
            for unit, row in enumerate(self._names.weights[layer])
        ]
        shape = self._shape(len(units), len(sources))
        cells = [[(self._choice.value(name), self._values[0][name]) for name in each] for each in parameters]
        columns = (*sources, *(["b"] if biases else ()))
        left = self._left(row, f"Weights {weights}{also[1]}", shape, units, columns, cells)
        self._remember(left, parameters)

        def weighted_sum(name: str, column: int) -> str:
            unit = units.index(name)
            formula = product(left, unit, before, column, len(sources))
            return f"{formula}+${left.cell(unit, len(sources))}" if biases else formula

        return self._strip(row, units, role, weighted_sum)

    def _passed_down(self, layer: int, by_output: tuple[str, ...], above: Matrix) -> Matrix:
        """The weights of the layer above, turned, to the left, and ∂E/∂A = Wᵀ · ∂E/∂Z below ∂E/∂Z."""
        weights, units = self._name("W", layer + 1), self._names.pre_activations[layer + 1]
        outputs = self._names.activations[layer]
        by_above = self._matrices[self._by(units)[0]]
        row = self.sheet.caption(
            self.sheet.row, self._middle, f"{self._matrices[by_output[0]]} = {weights}ᵀ · {by_above}"
        )
        cells = self._again(list(zip(*self._names.weights[layer + 1], strict=True)))
        shape = self._shape(len(outputs), len(units))
        left = self._left(row, f"{weights} turned: {weights}ᵀ", shape, outputs, units, cells)
        return self._strip(
            row,
            by_output,
            Role.GRADIENT,
            lambda name, column: product(left, by_output.index(name), above, column, len(units)),
        )

    def _turned_before(self, layer: int, row: int) -> Matrix:
        """What came into a layer, turned so that a row is a sample, to the right."""
        sources, name = self._sources(layer), self._before(layer)
        self.sheet.text(row, self._right, f"{name} turned: {name}ᵀ")
        turned = Matrix(row + 1, self._right, self._batch.columns, len(sources))
        role = Role.HIDDEN if layer else Role.INPUT
        samples = range(self._batch.columns)
        cells = [
            [(self._sample_cell(source, sample), self._sample_value(source, sample)) for source in sources]
            for sample in samples
        ]
        self.sheet.put(turned, self._shape(None, len(sources)), (), sources, role, cells)
        for sample in samples:
            self._sample_label(turned.label_row + 1 + sample, self._right, sample)
        self.sheet.row = max(self.sheet.row, turned.last_row + 1)
        return turned

    def _gradients(self, layer: int, turned: Matrix) -> Matrix:
        """∂E/∂Z in the middle, and to its right ∂E/∂W = ∂E/∂Z · Aᵀ below Aᵀ, with ∂E/∂b as a last column."""
        units, sources, learned = self._names.pre_activations[layer], self._sources(layer), self._learned(layer)
        deltas = self._by(units)
        row = self.sheet.caption(self.sheet.row, self._middle, self._equation(deltas[0]))
        if layer == self._layers[-1] and LOSSES[self._lesson.definition.loss].goes_with:
            row = self.sheet.caption(row, self._middle, f"{deltas[0]}: {self._derivation[deltas[0]].reason}", _REMARK)
        self.sheet.text(row, self._right, self._gradients_equation(layer))
        slopes = self._strip(row + 1, deltas, Role.GRADIENT, self._defined)
        matrix = Matrix(row + 1, self._right, len(units), len(learned[0]))
        mean = f"/{_COUNT}" if self._is_batched else ""
        has_one_bias = len(self._names.biases[layer]) == 1

        def formula(unit: int, index: int) -> str:
            if index < len(sources):
                return counted_product(slopes, unit, turned, index, self._batch.counts, _COUNT) + mean
            summed = slopes.all_cells() if has_one_bias else slopes.along_row(unit, slopes.columns)
            return f"SUM({summed}){mean}"

        names = [list(map(self._gradient, row)) for row in learned]
        cells = [
            [(formula(unit, index), self._values[-1][name]) for index, name in enumerate(row)]
            for unit, row in enumerate(names)
        ]
        shape = self._shape(len(units), len(sources))
        self.sheet.put(matrix, shape, units, self._learned_columns(layer), Role.GRADIENT, cells)
        self._remember(matrix, names)
        return slopes

    def _gradients_equation(self, layer: int) -> str:
        """The one line over the gradients of what a layer learns."""
        by_weight = derivative(MEAN_LOSS if self._is_batched else "E", self._name("W", layer))
        slopes = self._matrices[self._by(self._names.pre_activations[layer])[0]]
        times = "1/n · " if self._is_batched else ""
        caption = f"{by_weight} = {times}{slopes} · {self._before(layer)}ᵀ"
        if not self._learns_bias(layer):
            return caption
        summed = "all rows" if len(self._names.biases[layer]) == 1 else "the row"
        return f"{caption}; b: {times}the sum of {summed}"

    def _shared_numbers(self) -> None:
        """What the updates of all weights have in common: names beside values."""
        column = 1
        own = {*self._derivation.learned, *self._places}
        own |= {state_name(state, name) for state in self._states for name in self._derivation.learned}
        for name in dict.fromkeys(
            symbol.name for symbol in symbols(self._derivation.update(self._derivation.learned[0]))
        ):
            if name in own:
                continue
            if column >= self.sheet.last_column:
                column, self.sheet.row = 1, self.sheet.row + 1
            setting = self._derivation.settings.get(name)
            if setting:
                role, number_format = Role.TARGET, theme.PLAIN_FORMAT
                formula, value = f"{WALKTHROUGH}!{self._lesson.table.setting_cell(name)}", setting.value
            else:
                role = self._derivation[name].role
                number_format = theme.number_format(role)
                formula, value = self._last(name), self._values[-1][name]
            cell = address(self.sheet.row, column + 1)
            self.sheet.symbol(self.sheet.row, column, "n" if name == BATCH_SIZE else name, role)
            self._page.formula(cell, formula, value, Look(theme.CALCULATION, role, number_format))
            self._places[name] = absolute(cell)
            column += 2
        self.sheet.row += 1

    def _updated(self, layer: int) -> None:
        """What is learned in a layer with all that its update needs, side by side as far as there is room."""
        learned, weights = self._learned(layer), self._name("W", layer)
        self.sheet.may_begin_a_page()
        also = f", {self._name('b', layer)}" if self._learns_bias(layer) else ""
        matrix_names = {learned[0][0]: weights}
        blocks: list[tuple[str, Role, _Grid]] = [(weights + also, Role.WEIGHT, learned)]
        gradients = [list(map(self._gradient, row)) for row in learned]
        matrix_names[gradients[0][0]] = derivative(MEAN_LOSS if self._is_batched else "E", weights)
        blocks.append((matrix_names[gradients[0][0]], Role.GRADIENT, gradients))
        for state in self._states:
            kept = [[state_name(state, name) for name in row] for row in learned]
            matrix_names[kept[0][0]] = self._name(state.letter.upper(), layer)
            blocks.append((matrix_names[kept[0][0]], Role.MEMORY, kept))
        formula = matrix_mathematics(_unconditional(self._derivation.update(learned[0][0])), matrix_names)
        in_the_same_way = f"; {self._name('b', layer)} in the same way" if also else ""
        self.sheet.row = self.sheet.caption(self.sheet.row, 1, f"{updated_name(weights)} = {formula}{in_the_same_way}")
        column = 1
        for caption, role, names in blocks:
            is_memory = role is Role.MEMORY
            cells = [[(self._last(name), self._values[-1][name]) for name in row] for row in names]
            matrix, column = self._on_the_right(
                layer, column, caption, role, cells if is_memory else self._again(names)
            )
            self._remember(matrix, names)
        after = [[self._lesson.trace.after(name, self._batch.last) for name in row] for row in learned]
        new = [
            [(self._formula.read(self._derivation.update(name)), value) for name, value in zip(*pair, strict=True)]
            for pair in zip(learned, after, strict=True)
        ]
        self._on_the_right(layer, column, updated_name(weights) + also, Role.WEIGHT, new, theme.RESULT)
        self.sheet.row += len(learned) + 2

    def _on_the_right(
        self, layer: int, column: int, caption: str, role: Role, cells: Cells, style: str = theme.CALCULATION
    ) -> tuple[Matrix, int]:
        """Put down one of several blocks side by side; give it, and the column after it."""
        units, columns = self._names.pre_activations[layer], self._learned_columns(layer)
        if column > 1 and column + len(columns) > self.sheet.last_column:
            column, self.sheet.row = 1, self.sheet.row + len(units) + 2
            self.sheet.may_begin_a_page()
        self.sheet.text(self.sheet.row, column, caption)
        matrix = Matrix(self.sheet.row + 1, column, len(units), len(columns))
        shape = self._shape(len(units), len(self._sources(layer)))
        self.sheet.put(matrix, shape, units, columns, role, cells, style)
        return matrix, matrix.last_column + 1

    def _mean_loss(self, losses: Matrix) -> None:
        """The mean of the batch, below the losses of its samples."""
        total = self._names.total_loss
        self.sheet.symbol(self.sheet.row, self._middle, MEAN_LOSS, Role.LOSS)
        value = sum(values[total] for values in self._values) / self._batch.count
        formula = f"SUM({losses.along_row(losses.rows - 1, losses.columns)})/{_COUNT}"
        cell = address(self.sheet.row, self._middle + 1)
        self._page.formula(cell, formula, value, Look(theme.RESULT, Role.LOSS, theme.VALUE_FORMAT))
        self.sheet.text(self.sheet.row, self._middle + 2, f"the mean of {total} over the batch", theme.PROSE)
        self.sheet.row += 1

    def _samples(self, caption: str, names: tuple[str, ...], role: Role, formula: Callable[[str, int], str]) -> Matrix:
        """A matrix with a column a sample, under its caption."""
        self.sheet.may_begin_a_page()
        return self._strip(self.sheet.caption(self.sheet.row, self._middle, caption), names, role, formula)

    def _strip(self, label_row: int, names: tuple[str, ...], role: Role, formula: Callable[[str, int], str]) -> Matrix:
        """A matrix with a column a sample: in each row a quantity, its formula by its name and the sample."""
        columns, total = self._batch.columns, self._names.total_loss
        matrix = Matrix(label_row, self._middle, len(names), columns)
        self._rows |= {name: label_row + 1 + index for index, name in enumerate(names)}
        cells = [
            [
                (self._if_there(sample, formula(name, sample)), self._sample_value(name, sample))
                for sample in range(columns)
            ]
            for name in names
        ]
        self.sheet.put(matrix, self._shape(len(names) - (total in names), None), names, (), role, cells)
        for sample in range(columns):
            self._sample_label(label_row, self._middle + 1 + sample, sample)
        self.sheet.row = matrix.last_row + 1
        return matrix

    def _left(
        self,
        label_row: int,
        caption: str,
        shape: tuple[str | None, str],
        rows: Sequence[str],
        columns: Sequence[str],
        cells: Cells,
    ) -> Matrix:
        """A left factor of weights, beside the matrix in the middle whose labels stand in a row."""
        matrix = Matrix(label_row, self._middle - 1 - len(columns), len(rows), len(columns))
        self.sheet.text(label_row - 1, matrix.label_column, caption)
        self.sheet.put(matrix, shape, rows, columns, Role.WEIGHT, cells)
        return matrix

    def _remember(self, matrix: Matrix, names: _Grid) -> None:
        """Let later formulas find here what stands in the cells of a matrix."""
        for row, each in enumerate(names):
            self._places |= {name: matrix.cell(row, column) for column, name in enumerate(each)}

    def _again(self, names: _Grid) -> Cells:
        """What stands on the sheet already, once more."""
        return [[(self._places[name], self._values[-1][name]) for name in row] for row in names]

    def _given(self, name: str, sample: int) -> str:
        first = absolute(_FIRST_CELL) if self._is_batched else self._choice.cell
        return number_from(self._lesson.table.range(name), f"{first}+{sample + 1}")

    def _last(self, name: str) -> str:
        """The formula for a quantity in the last iteration of the batch, after which the weights are updated."""
        last = absolute(_LAST_CELL) if self._is_batched else self._choice.cell
        return number_from(self._lesson.table.range(name), f"{last}+1")

    def _defined(self, name: str, sample: int) -> str:
        """The formula for a quantity of a sample from the cells above it."""
        reading = Formula(lambda symbol: self._sample_cell(symbol.name, sample))
        return reading.read(self._derivation.expanded(name, frozenset(self._rows)))

    def _if_there(self, sample: int, formula: str) -> str:
        """The formula in the column of a sample, which shows nothing where the batch has fewer."""
        return formula if sample < self._batch.counts[0] else f'IF({_COUNT}<{sample + 1},"",{formula})'

    def _sample_cell(self, name: str, sample: int) -> str:
        return address(self._rows[name], self._middle + 1 + sample)

    def _sample_value(self, name: str, sample: int) -> Value:
        return self._values[sample][name] if sample < self._batch.count else ""

    def _sample_label(self, row: int, column: int, sample: int) -> None:
        cell, look = address(row, column), Look(theme.SYMBOL, Role.ORDER)
        if self._derivation.samples == 1:
            self._page.text(cell, "sample 1", look)
            return
        number = self._sample_value(SAMPLE, sample)
        formula = self._if_there(sample, f'"sample "&{self._given(SAMPLE, sample)}')
        self._page.formula(cell, formula, f"sample {number:.0f}" if number != "" else "", look)

    def _shape(self, rows: int | None, columns: int | None) -> tuple[str | None, str]:
        """Rows and columns as a formula, if they can change, and as a text; None for the number of the samples."""
        words = " × ".join(f"{self._batch.count if each is None else each}" for each in (rows, columns))
        if len(self._batch.counts) == 1:
            return None, words
        if columns is None:
            return f'"{rows} × "&{_COUNT}', words
        return (f'{_COUNT}&" × {columns}"', words) if rows is None else (None, words)

    def _equation(self, name: str) -> str:
        """The one line over a matrix, from the name of its first quantity."""
        expression = self._derivation.expanded(name, frozenset(self._rows))
        matrix = self._matrices[name]
        if {symbol.name for symbol in symbols(expression)} <= self._matrices.keys():
            return f"{matrix} = {matrix_mathematics(expression, self._matrices)}"
        return f"{matrix}, such as {name} = {Mathematics().read(expression)}"

    def _gradient(self, parameter: str) -> str:
        return derivative(MEAN_LOSS if self._is_batched else self._names.total_loss, parameter)

    def _by(self, names: Iterable[str]) -> tuple[str, ...]:
        """The derivatives of the loss by some quantities."""
        return tuple(derivative(self._names.total_loss, name) for name in names)

    def _learned(self, layer: int) -> list[list[str]]:
        """What a layer learns, a unit a row; a bias that all units share stands in the first."""
        biases = self._names.biases[layer] if self._learns_bias(layer) else ()
        rows = self._names.weights[layer]
        return [[*row, *biases[unit : unit + 1]] for unit, row in enumerate(rows)]

    def _learns_bias(self, layer: int) -> bool:
        biases = self._names.biases[layer]
        return bool(biases) and biases[0] in self._derivation.learned

    def _learned_columns(self, layer: int) -> tuple[str, ...]:
        return (*self._sources(layer), *(["b"] if self._learns_bias(layer) else ()))

    def _sources(self, layer: int) -> tuple[str, ...]:
        """What comes into a layer."""
        return self._names.activations[layer - 1] if layer else self._names.inputs

    def _before(self, layer: int) -> str:
        """What the matrix of it is called."""
        return self._name("A", layer - 1) if layer else "X"

    def _name(self, letter: str, layer: int) -> str:
        return f"{letter}_{_suffix(layer, len(self._layers))}"


def _matrix_names(lesson: Lesson) -> dict[str, str]:
    """The matrix of which the first cell has a name, for all that every sample has a value of."""
    names = lesson.derivation.names
    matrices = {names.targets[0]: "T", names.losses[0]: "E"}
    for layer, (units, outputs) in enumerate(zip(names.pre_activations, names.activations, strict=True)):
        suffix = _suffix(layer, len(names.activations))
        matrices |= {units[0]: f"Z_{suffix}", outputs[0]: f"A_{suffix}"}
    by = {derivative(names.total_loss, name): matrix for name, matrix in matrices.items()}
    return matrices | {name: derivative(names.total_loss, matrix) for name, matrix in by.items()}


def _suffix(layer: int, layers: int) -> str:
    """How the matrices of a layer are told apart, as its units are: h, or h1, h2 …, and o for the last layer."""
    return "o" if layer == layers - 1 else "h" if layers == 2 else f"h{layer + 1}"


def _unconditional(update: Expression) -> Expression:
    """An update as it is at the end of a batch."""
    if isinstance(update, Conditional) and update.left == Symbol(IN_BATCH):
        return update.otherwise
    return update


_REMARK = Look()
