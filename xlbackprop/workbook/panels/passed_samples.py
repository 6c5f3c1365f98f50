"""What layers and hidden units do with all samples: how large the gradient is in each, and which units are dead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Trace
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import derivative
from xlbackprop.workbook.panels.working import Working
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.charts import Curve
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_DEAD = "dead: always 0, no gradient"
_CHART_ROWS = 10
"""So that the chart ends on the first screen."""
_SMALLEST_DRAWN = 1e-16
"""A chart with powers of ten has no place for 0."""
_SIZE = theme.POWER_FORMAT


class Passed(Struct, frozen=True):
    """All samples passed through the network, forward and backward, a row each."""

    page: Page
    derivation: Derivation
    working: Working
    """Of every activation, every delta and every gradient."""
    values: Trace

    def largest(self, names: Sequence[str]) -> tuple[str, float]:
        """The formula and the value of the largest of some quantities over all samples, without its sign."""
        ranges = ",".join(map(self.working.range, names))
        values = np.array([self.values[name] for name in names])
        return f"MAX(MAX({ranges}),-MIN({ranges}))", float(np.abs(values).max())


def put_layers(
    passed: Passed, layers: Sequence[Sequence[str]], row: int, column: int, columns: int, helper_column: int
) -> int:
    """Put down how large the gradient is in every layer, with a chart; give the last row taken.

    Args:
        layers: the gradients of each.
        helper_column: where, out of sight, the numbers stand that the chart shows.
    """
    page, rows = passed.page, range(row + 2, row + 2 + len(layers))
    page.text(address(row, column), "How much of the gradient reaches each layer", Look(theme.HEADING))
    for place, text in ((column, "layer"), (column + 1, "∂E/∂w"), (helper_column, "in the chart")):
        page.text(address(row + 1, place), text, theme.COLUMN_HEAD)
    look, drawn = Look(theme.RESULT, Role.GRADIENT, _SIZE), []
    for number, (place, gradients) in enumerate(zip(rows, layers, strict=True), 1):
        formula, value = passed.largest(gradients)
        page.formula(address(place, column), str(number), number, theme.COUNTED)
        cell = address(place, column + 1)
        page.formula(cell, formula, value, look)
        drawn.append(max(value, _SMALLEST_DRAWN))
        page.formula(address(place, helper_column), f"MAX({_SMALLEST_DRAWN:G},{cell})", drawn[-1], look)
    numbers, sizes = (
        page.place(column_range(column_letter(place), rows[0], rows[-1])) for place in (column, helper_column)
    )
    label, x = page.place(absolute(address(row + 1, column + 1))), list(map(float, range(1, len(rows) + 1)))
    colour = theme.SHADES[Role.GRADIENT].dark
    curve = Curve((label, "∂E/∂w"), (numbers, x), (sizes, drawn), colour, marker="circle", marker_size=9)
    chart = charts.curve_chart("Largest gradient in each layer", "layer", "|∂E/∂w|", [curve], logarithmic=True)
    words = "Chart of the largest gradient of a weight in every layer, from first to last"
    page.drawing.chart(chart, (row + 1, column + 2, row + _CHART_ROWS, column + columns - 1), words)
    return max(row + _CHART_ROWS, rows[-1])


def put_units(passed: Passed, row: int, column: int) -> int:
    """Put down what every hidden unit says over all samples, and its gradient; give the last row taken."""
    page, names = passed.page, passed.derivation.names
    page.text(address(row, column), "The hidden units, over all samples", Look(theme.HEADING))
    page.heads(row + 1, column, ("unit", "least", "most", "∂E/∂w"))
    last = row + 1
    for layer, units in enumerate(names.activations[:-1]):
        for index, name in enumerate(units):
            last += 1
            _unit(passed, layer, index, name, last, column)
    page.text(address(last + 1, column), "∂E/∂w: the largest of its weights, without sign")
    return last + 1


def _unit(passed: Passed, layer: int, index: int, name: str, row: int, column: int) -> None:
    page, names, role = passed.page, passed.derivation.names, passed.derivation[name].role
    values, where = passed.values[name], passed.working.range(name)
    cells = [address(row, column + offset) for offset in (1, 2, 3)]
    page.text(address(row, column), name, Look(theme.LABEL, role))
    for cell, function, value in zip(cells[:2], ("MIN", "MAX"), (values.min(), values.max()), strict=True):
        page.formula(cell, f"{function}({where})", float(value), Look(theme.CALCULATION, role, "0.00"))
    weights = [derivative(names.total_loss, weight) for weight in names.weights[layer][index]]
    delta = derivative(names.total_loss, names.pre_activations[layer][index])
    formula, gradient = passed.largest(weights)
    page.formula(cells[2], formula, gradient, Look(theme.CALCULATION, Role.GRADIENT, _SIZE))
    slope, reaching = passed.largest([delta])  # what its bias would follow
    is_dead = values.min() == values.max() == gradient == reaching == 0
    condition = ",".join(f"{place}=0" for place in (*cells, slope))
    words = f'IF(AND({condition}),"{_DEAD}","")'
    page.formula(address(row, column + 4), words, _DEAD if is_dead else "", theme.PROSE)
