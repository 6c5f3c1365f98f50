"""How large the workbook of a walkthrough gets, and what of it no sheet can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from xlbackprop.derivation import derive
from xlbackprop.ground.errors import Problem, UserError, at_most, one_of, shown
from xlbackprop.ground.grid import MOST_CHARACTERS, MOST_COLUMNS, MOST_ROWS, formula_problem
from xlbackprop.network import ACTIVATIONS, LOSSES, OPTIMISERS, SOFTMAX, Definition, Outputs
from xlbackprop.symbols import Expression, Symbol, symbols
from xlbackprop.walkthrough.arrangement import Arrangement, arrange
from xlbackprop.walkthrough.table import COLUMN_SETS, DATA, FIRST_SAMPLE_ROW, MOST_SYMBOLS, Table

_LEAST_CHARACTERS_A_SOURCE = 8
"""`A33*B33+`"""
_LEAST_CHARACTERS_A_POWER = 4
"""`A33,`"""


def fit(definition: Definition, column_set: str) -> Arrangement:
    """The walkthrough as it is arranged for sheets that can hold it.

    Args:
        column_set: which quantities have a column, a key of `COLUMN_SETS`.

    Raises:
        UserError: no sheet can; the message has every limit that is passed, and by how much.
    """
    if not isinstance(column_set, str) or column_set not in COLUMN_SETS:
        raise UserError(f"columns: found {shown(column_set)}, expected {one_of(COLUMN_SETS, column_set)}")
    _require(definition, _size_problems(definition))  # before anything is written out that is too long by far
    arrangement = arrange(derive(definition), definition.iterations, column_set)
    _require(definition, _table_problems(arrangement.table))
    return arrangement


def _require(definition: Definition, problems: Iterable[Problem]) -> None:
    found = tuple(problems)
    if found:
        lines = "".join(f"\n  {problem}" for problem in found)
        raise UserError(f"{definition.title}: too large for a sheet{lines}")


def _size_problems(definition: Definition) -> Iterator[Problem]:
    """Which limits a definition passes for sure, as its shape alone says."""
    columns = least_columns(definition)
    if columns > MOST_COLUMNS:
        found = f"a table of at least {columns:,} columns"
        yield Problem("layers", found, at_most(columns, MOST_COLUMNS, "the columns of a sheet"))
    for index, characters, what in _least_characters(definition):
        if characters > MOST_CHARACTERS:
            found = f"{what}: formulas of at least {characters:,} characters"
            yield Problem(
                f"layers[{index}]", found, at_most(characters, MOST_CHARACTERS, "the characters of a formula")
            )


def least_columns(definition: Definition) -> int:
    """How many columns the table of a definition has at the least, in its compact form."""
    sizes = definition.sizes
    inputs, *units, outputs = sizes[0], *sizes[1:], sizes[-1]
    weights = sum(sources * count for sources, count in pairwise(sizes))
    biases = sum(len(layer.biases) for layer in definition.layers)
    learned = weights + (biases if definition.train_biases else 0)
    samples, batch = len(definition.samples), definition.samples_a_batch
    states = OPTIMISERS[definition.optimiser.name].states
    network = inputs + 2 * outputs + weights + biases + 2 * sum(units) + 1
    deltas = sum(units) if _longest_gradient(definition) > MOST_SYMBOLS else 0
    gradients = learned * (1 + len(states) + (batch > 1)) + sum(state.correction is not None for state in states)
    order = (2 + (definition.order == "shuffled") + 3 * (batch > 1)) if samples > 1 else 0
    rate = definition.schedule.name != "constant"
    return network + deltas + gradients + order + rate + 1


def _longest_gradient(definition: Definition) -> int:
    """How many symbols the longest gradient has when it is written out over weights, units and activations."""
    loss, (*hidden, last) = LOSSES[definition.loss], definition.layers
    target, unit, activation = Symbol("t"), Symbol("x"), Symbol("a")
    outputs = Outputs((target,) * last.units, (unit,) * last.units, (activation,) * last.units)

    def count(expression: Expression) -> int:
        return sum(1 for _ in symbols(expression))

    def slope(name: str) -> int:
        return count(ACTIVATIONS[name].local_derivative(unit, activation))

    delta = count(loss.slope_expression(outputs, 0))
    if loss.goes_with is None:
        delta = last.units * (delta + 2) if last.activation == SOFTMAX else delta + slope(last.activation)
    deltas = [delta]
    for above, layer in pairwise((last, *reversed(hidden))):
        deltas.append(above.units * (deltas[-1] + 1) + slope(layer.activation))
    longest = max(deltas) + 1
    if definition.train_biases:
        shared = (layer.units if len(layer.biases) == 1 else 1 for layer in (last, *reversed(hidden)))
        longest = max(longest, *(units * delta for units, delta in zip(shared, deltas, strict=True)))
    return longest


def _least_characters(definition: Definition) -> Iterator[tuple[int, int, str]]:
    """For every layer, counted from 1: how long its longest formula is at the least, and why."""
    sizes = definition.sizes
    for index, sources in enumerate(sizes[:-1], 1):
        yield index, _LEAST_CHARACTERS_A_SOURCE * sources, f"{sources:,} sources a unit"
    if definition.is_softmax:
        outputs = sizes[-1]
        powers = outputs * (outputs + 1)  # each less the largest of all
        yield len(sizes) - 1, _LEAST_CHARACTERS_A_POWER * powers, f"a softmax of {outputs:,} units"


def _table_problems(table: Table) -> Iterator[Problem]:
    columns, rows = len(table.columns), table.last_row
    if columns > MOST_COLUMNS:
        yield Problem("columns", f"{columns:,} in the table", at_most(columns, MOST_COLUMNS, "the columns of a sheet"))
    if rows > MOST_ROWS:
        found = f"{rows:,} rows, with the header of the table in row {table.header_row:,}"
        yield Problem("iterations", found, at_most(rows, MOST_ROWS, "the rows of a sheet"))
    rows = FIRST_SAMPLE_ROW + table.derivation.samples - 1
    if rows > MOST_ROWS:
        found = f"{rows:,} rows on the sheet {DATA}, with the header in row {FIRST_SAMPLE_ROW - 1}"
        yield Problem("samples", found, at_most(rows, MOST_ROWS, "the rows of a sheet"))
    written = {name: table.formula(name).format(row=table.last_row, above=table.last_row - 1) for name in table.columns}
    by_length = sorted(written, key=lambda name: len(written[name]), reverse=True)
    problems = (formula_problem(f"the formula of {name}", written[name]) for name in by_length)
    yield from islice(filter(None, problems), 1)
