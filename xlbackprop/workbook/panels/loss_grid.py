"""The loss over a grid of two weights, as live formulas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Array, evaluate
from xlbackprop.ground.grid import address
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.working import Working, forward_columns
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

STEPS = 21
"""Points of the grid each way; odd, so that the centre is one of them."""


def point_columns(derivation: Derivation) -> tuple[str, ...]:
    """What is calculated for a point of the grid and one sample."""
    total = derivation.names.total_loss
    return (*forward_columns(derivation, [total]), total)


def put_losses(
    page: Page,
    lesson: Lesson,
    references: Mapping[str, str],
    changes: Mapping[str, Array],
    header_row: int,
    column: int,
) -> tuple[int, Array]:
    """A forward pass for every point and every sample; give the column of the loss, and the losses.

    With several samples they stand side by side, and the loss is their mean.

    Args:
        references: the places of all that a forward pass needs but the samples, with `{row}` for a point's own row.
        changes: what is learned, at every point.
    """
    derivation = lesson.derivation
    total = derivation.names.total_loss
    columns = point_columns(derivation)
    first, losses, cells = column, [], []
    for sample in range(derivation.samples):
        places = {**references, **_sample(lesson, sample)}
        working = Working(derivation, columns, column, header_row, STEPS * STEPS, places)
        values = evaluate(lesson.definition, dict(changes), sample)
        working.put(page, values)
        column = working.next_column
        losses.append(values[total])
        cells.append(f"{working.letter(total)}{{row}}")
    last = column - (derivation.samples == 1)
    page.show_extreme_numbers(f"{address(header_row + 1, first)}:{address(header_row + STEPS * STEPS, last)}")
    if derivation.samples == 1:
        return last, losses[0]
    look = Look(theme.RESULT, Role.LOSS, theme.VALUE_FORMAT)
    page.text(address(header_row, column), "mean loss", theme.COLUMN_HEAD)
    mean = np.mean(losses, axis=0)
    formula = f"({'+'.join(cells)})/{derivation.samples}"
    page.block(header_row + 1, column, [page.column(look, formula, mean)])
    return column, mean


def _sample(lesson: Lesson, sample: int) -> dict[str, str]:
    """Where the numbers of one of several samples stand on the sheet of the data."""
    if lesson.derivation.samples == 1:
        return {}
    return {name: lesson.table.sample_cell(name, sample) for name in lesson.derivation.sampled}
