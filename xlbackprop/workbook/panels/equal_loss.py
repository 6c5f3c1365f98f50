"""The dots of equal loss around some paths over two weights, which a chart shows behind these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Role
from xlbackprop.ground.grid import absolute, address, column_letter
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.loss_grid import STEPS, put_losses
from xlbackprop.workbook.panels.working import put_choices, put_columns, row_index
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.charts import Curve, Stored
from xlbackprop.workbook.xlsx.page import Page

_LEVELS = 7
"""How many losses the dots stand for."""
_LEAST_SPREAD = 1e-9
"""Where the losses differ by less, or by a smaller share, they differ by roundings, and pass no level."""
_SMALLEST_EXTENT = 0.01
_EQUAL, _LOWEST = "dots: equal loss", "lowest loss here"


class Extent(Struct, frozen=True):
    """From where to where a grid reaches in the direction of one weight: the cells of its ends, and their numbers."""

    weight: str
    low_cell: str
    high_cell: str
    low: float
    high: float

    @property
    def step(self) -> tuple[str, str, float]:
        """How far the points of the grid are apart: name, formula and value."""
        formula = f"MAX({_SMALLEST_EXTENT},{self.high_cell}-{self.low_cell})/{STEPS - 1}"
        return f"{self.weight} step", formula, max(_SMALLEST_EXTENT, self.high - self.low) / (STEPS - 1)


def put_dots(
    page: Page, lesson: Lesson, references: Mapping[str, str], extents: Sequence[Extent], header_row: int, column: int
) -> list[Curve]:
    """Put down the losses around some paths over the only two weights, and where between two points they pass a level.

    Args:
        references: see `put_losses`.
        extents: of the weight across, and of the one upwards.

    Returns:
        The dots, from column to column of the grid and from row to row, and the lowest point.
    """
    number = row_index(header_row, column)
    cells = [absolute(address(header_row - 1, column + 1 + place)) for place in range(2 + 2 + _LEVELS)]
    steps = [extent.step for extent in extents]
    widths = [value for _, _, value in steps]
    down, across = np.divmod(np.arange(float(STEPS * STEPS)), STEPS)
    xs, ys = extents[0].low + widths[0] * across, extents[1].low + widths[1] * down
    names = [extent.weight for extent in extents]
    columns = {
        names[0]: (f"{extents[0].low_cell}+{cells[0]}*MOD({number},{STEPS})", xs),
        names[1]: (f"{extents[1].low_cell}+{cells[1]}*INT({number}/{STEPS})", ys),
    }
    places = put_columns(page, lesson.derivation, header_row, column, columns)
    changes = dict(zip(names, (xs, ys), strict=True))
    loss_column, losses = put_losses(page, lesson, {**references, **places}, changes, header_row, column + 2)
    page.show_extreme_numbers(f"{address(header_row + 1, column)}:{address(header_row + STEPS * STEPS, column + 1)}")
    rows = f"${{0}}${header_row + 1}:${{0}}${header_row + STEPS * STEPS}"
    loss, band = column_letter(loss_column), column_letter(loss_column + 1)
    x_letter, y_letter = column_letter(column), column_letter(column + 1)
    all_losses, bands = rows.format(loss), rows.format(band)

    low, high, lowest = float(losses.min()), float(losses.max()), int(np.argmin(losses))
    shares = [(level / _LEVELS) ** 2 for level in range(_LEVELS)]
    spread = max(high - low, _LEAST_SPREAD * high, _LEAST_SPREAD)
    levels = np.array([low + spread * share for share in shares])
    least, most, where = f"MIN({all_losses})", f"MAX({all_losses})", f"MATCH(MIN({all_losses}),{all_losses},0)"
    rises = f"MAX({most}-{least},{_LEAST_SPREAD:G}*{most},{_LEAST_SPREAD:G})"
    choices: list[tuple[str, str, float]] = [
        *steps,
        (_LOWEST, number_from(rows.format(x_letter), where), float(xs[lowest])),
        (_LOWEST, number_from(rows.format(y_letter), where), float(ys[lowest])),
        *(
            (f"level {number}", f"{least}+{rises}*{share:.15G}", float(value))
            for number, (share, value) in enumerate(zip(shares, levels, strict=True))
        ),
    ]
    put_choices(page, choices, header_row - 2, column)
    level_cells = f"{cells[4]}:{cells[-1]}"
    banded = np.searchsorted(levels, losses, side="right")
    page.text(address(header_row, loss_column + 1), "level", theme.COLUMN_HEAD)
    formula = f"MATCH(${loss}{{row}},{level_cells},1)"
    page.block(header_row + 1, loss_column + 1, [page.column(theme.HELPER, formula, banded.astype(float))])

    curves = []
    above = f"MAX(1,{number}-{STEPS - 1})"
    sides = (
        (1, f"MOD({number},{STEPS})>0", across > 0, (f"${loss}{{above}}", f"${band}{{above}}")),
        (STEPS, f"{number}>={STEPS}", down > 0, (number_from(all_losses, above), number_from(bands, above))),
    )
    for place, (back, is_there, there, (other, other_band)) in enumerate(sides):
        first = loss_column + 2 + 3 * place
        letters = [column_letter(first + offset) for offset in range(3)]
        before = np.maximum(np.arange(STEPS * STEPS) - back, 0)
        crosses = there & (banded != banded[before])
        level = number_from(level_cells, "1", f"MAX(${band}{{row}},{other_band})")
        share_formula = f"({level}-${loss}{{row}})/({other}-${loss}{{row}})"
        passed = levels[np.maximum(banded, banded[before]) - 1] - losses
        share = np.where(crosses, passed / np.where(crosses, losses[before] - losses, 1.0), -1.0)
        contents = [(f"IF({is_there},IF(${band}{{row}}={other_band},-1,{share_formula}),-1)", share)]
        for axis, (letter, numbers) in enumerate(((x_letter, xs), (y_letter, ys))):
            is_moved = axis == place
            step = f"-{cells[axis]}*${letters[0]}{{row}}" if is_moved else ""
            value = numbers - is_moved * widths[axis] * share
            dot = f"IF(${letters[0]}{{row}}<0,{cells[2 + axis]},${letter}{{row}}{step})"
            contents.append((dot, np.where(share < 0, numbers[lowest], value)))
        page.block(header_row + 1, first, [page.column(theme.HELPER, *each) for each in contents])
        page.heads(header_row, first, ("share", _EQUAL, names[1]))
        x, y = (
            (page.place(rows.format(letter)), numbers.tolist())
            for letter, (_, numbers) in zip(letters[1:], contents[1:], strict=True)
        )
        curves.append(_dots((page.place(f"${letters[1]}${header_row}"), _EQUAL), x, y, "circle", 2))
    label = page.place(absolute(address(header_row - 2, column + 3)))
    x, y = ((page.place(cells[2 + axis]), [float(numbers[lowest])]) for axis, numbers in enumerate((xs, ys)))
    return [*curves, _dots((label, _LOWEST), x, y, "diamond", 10)]


def _dots(label: tuple[str, str], x: Stored, y: Stored, marker: str, size: int) -> Curve:
    return Curve(label, x, y, theme.SHADES[Role.LOSS].dark, marker=marker, marker_size=size, joined=False)
