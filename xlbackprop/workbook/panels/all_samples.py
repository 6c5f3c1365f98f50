"""The loss of all samples as live formulas: the weights at every point of a training, and every sample passed there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.engine import Array
from xlbackprop.ground.grid import address, column_letter, column_range
from xlbackprop.network import Definition, short_label
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Lesson, LossCurve
from xlbackprop.workbook.panels.working import Working, forward_columns, put_columns, row_index, sampled_contents
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_POINT, _SAMPLE = "point", "sample"
_MOST_SYMBOLS = 150
"""A loss of all outputs in one formula; the cells of longer ones have columns of their own."""


class ForwardPasses(Struct, frozen=True):
    """Where every sample is passed through a network at every point: one row each, sample by sample within a point."""

    curve: LossCurve
    header_row: int
    first_column: int
    places: Mapping[str, str]
    """The inputs and the targets, each with `{row}` in it."""

    @property
    def point(self) -> str:
        """The number of the point, from 0, with `{row}` in it."""
        return f"${column_letter(self.first_column)}{{row}}"

    @property
    def next_column(self) -> int:
        return self.first_column + 2 + len(self.places)

    @property
    def rows(self) -> int:
        return len(self.curve.made) * self.curve.samples

    @property
    def _points(self) -> str:
        return column_range(column_letter(self.first_column), self.header_row + 1, self.header_row + self.rows)

    def mean(self, losses: str, number: str) -> str:
        """The formula of the mean loss at a point, by its number, from the range of all losses."""
        return f"SUMIF({self._points},{number},{losses})/{self.curve.samples}"


def put_samples(page: Page, lesson: Lesson, curve: LossCurve, header_row: int, first_column: int) -> ForwardPasses:
    """Put down which sample is passed at which point, for every network that takes them."""
    number, samples, rows = row_index(header_row, first_column), curve.samples, len(curve.made) * curve.samples
    sample_cell = f"${column_letter(first_column + 1)}{{row}}"
    sampled = np.tile(np.arange(samples), len(curve.made))
    columns = [
        page.column(theme.COUNTED, f"INT({number}/{samples})", np.repeat(np.arange(float(len(curve.made))), samples)),
        page.column(theme.COUNTED, f"MOD({number},{samples})+1", (sampled + 1).astype(float)),
    ]
    page.heads(header_row, first_column, (_POINT, _SAMPLE))
    page.block(header_row + 1, first_column, columns)
    places = put_columns(
        page, lesson.derivation, header_row, first_column + 2, sampled_contents(lesson, sample_cell, sampled)
    )
    first, last = address(header_row + 1, first_column + 2), address(header_row + rows, first_column + 1 + len(places))
    page.show_extreme_numbers(f"{first}:{last}")
    return ForwardPasses(curve, header_row, first_column, places)


def loss_columns(derivation: Derivation) -> tuple[str, ...]:
    """What is calculated of a sample on the way to its loss."""
    total, losses = derivation.names.total_loss, derivation.names.losses
    forward = forward_columns(derivation, [total])
    if derivation.lengths({*forward, *derivation.given})[total] > _MOST_SYMBOLS:
        return (*forward_columns(derivation, losses), *losses, total)
    return (*forward, total)


def pass_columns(derivation: Derivation) -> tuple[str, ...]:
    """The columns of a pass: the weights at its point, and what is calculated with them."""
    return (*derivation.learned, *loss_columns(derivation))


def put_points(
    page: Page,
    definition: Definition,
    derivation: Derivation,
    forward: ForwardPasses,
    first_row: int,
    column: int,
    learned: Mapping[str, tuple[str, str, Array]],
    references: Mapping[str, str],
    *,
    loss_column: int,
    forward_column: int,
) -> Array:
    """Put down the weights at every point from `column` on, the passes there, and in `loss_column` the mean losses.

    Args:
        learned: for everything that is learned: its formula at a point, with `{row}` in it, the formula of the last
            point, at the end of the training, and its values at all of them.
        references: the addresses of what is given beside the samples.

    Returns:
        The mean loss of every point, shape (points,).
    """
    count = len(forward.curve.made)
    last_row = first_row + count - 1
    weights, columns = dict[str, str](), []
    for index, (name, (formula, last, values)) in enumerate(learned.items(), column):
        letter, look = column_letter(index), Look(theme.CALCULATION, derivation[name].role, theme.VALUE_FORMAT)
        page.text(f"{letter}{first_row - 1}", short_label(name), Look(theme.LABEL, derivation[name].role))
        columns.append(page.column(look, formula, values[:-1]))
        page.formula(f"{letter}{last_row}", last, float(values[-1]), look)
        weights[name] = number_from(column_range(letter, first_row, last_row), f"{forward.point}+1")
    page.block(first_row, column, columns)
    page.show_extreme_numbers(f"{address(first_row, column)}:{address(last_row, column + len(columns) - 1)}")
    passed, total = pass_columns(derivation), derivation.names.total_loss
    places = {**references, **forward.places}
    working = Working(derivation, passed, forward_column, forward.header_row, forward.rows, places)
    found = forward.curve.forward(definition, {name: values for name, (_, _, values) in learned.items()})
    working.put(page, found, weights)
    page.show_extreme_numbers(f"{working.cell(passed[0])}:{working.cell(passed[-1], forward.rows - 1)}")
    look, means = Look(theme.RESULT, derivation[total].role, theme.VALUE_FORMAT), forward.curve.means(found[total])
    formula = forward.mean(working.range(total), row_index(first_row - 1, loss_column))
    page.block(first_row, loss_column, [page.column(look, formula, means)])
    return means
