"""The ways of several trainings over two of their weights, each as far as the edge of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.derivation import Role
from xlbackprop.engine import Array
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.workbook.panels.comparison import CURVES, HIGHEST_SHOWN, LEAST_FIRST, Compared
from xlbackprop.workbook.panels.equal_loss import Extent
from xlbackprop.workbook.panels.working import put_choices
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.charts import Curve, Stored
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import BlockColumn, Value
from xlbackprop.workbook.xlsx.theme import Look

_MARGIN = 0.1
"""The picture reaches beyond the paths by this share of their extent."""


class Paths(Struct, frozen=True):
    """The paths as curves, how far the picture reaches in the direction of each weight, and the next free column."""

    curves: Sequence[Curve]
    extents: Sequence[Extent]
    next_column: int


def put_paths(page: Page, runs: Sequence[Compared], weights: tuple[str, str], header_row: int, column: int) -> Paths:
    """Put down how far the picture reaches, and every path, which ends where it leaves the picture.

    The picture reaches as far as those runs whose loss the linear chart shows whole, or as all, if there is none.
    """
    cells = [absolute(address(header_row - 1, column + 1 + place)) for place in range(len(runs) + 4 * len(weights))]
    stays = [run.losses.values.max() <= HIGHEST_SHOWN * max(LEAST_FIRST, run.losses.values[0]) for run in runs]
    choices: list[tuple[str, str, Value]] = []
    for run, is_seen in zip(runs, stays, strict=True):
        most = f"{HIGHEST_SHOWN:G}*MAX({LEAST_FIRST:G},{run.losses.cell(0)})"
        choices.append((f"{run.name} stays", f"IF(MAX({run.losses.range()})>{most},0,1)", int(is_seen)))
    nobody = f"MAX({cells[0]}:{cells[len(runs) - 1]})=0"
    extents, columns = list[Extent](), list[BlockColumn]()
    for name in weights:
        ends = cells[len(choices) : len(choices) + 4]
        bounds = list[float]()
        for function, end in ((np.min, "MIN"), (np.max, "MAX")):
            reached = [
                f"IF(OR({cell}=1,{nobody}),{end}({run.working.range(name)}),{run.working.cell(name)})"
                for cell, run in zip(cells, runs, strict=False)
            ]
            seen = [
                run.values[name] if is_seen or not any(stays) else run.values[name][:1]
                for run, is_seen in zip(runs, stays, strict=True)
            ]
            bounds.append(float(function([function(each) for each in seen])))
            choices.append((f"{name} {end.lower()}", f"{end}({','.join(reached)})", bounds[-1]))
        room = _MARGIN * (bounds[1] - bounds[0])
        low, high = bounds[0] - room, bounds[1] + room
        for text, end, sign, value in (("from", ends[0], "-", low), ("to", ends[1], "+", high)):
            choices.append((f"{name} {text}", f"{end}{sign}{_MARGIN}*({ends[1]}-{ends[0]})", value))
        extents.append(Extent(name, ends[2], ends[3], low, high))
    put_choices(page, choices, header_row - 2, column)
    look = Look(theme.CALCULATION, Role.WEIGHT, theme.VALUE_FORMAT)
    curves = list[Curve]()
    for run, (colour, dash) in zip(runs, CURVES, strict=False):
        ways, shown = list[Stored](), _shown(run, extents)
        for extent in extents:
            letter = column_letter(column + len(columns))
            page.text(f"{letter}{header_row}", f"{run.name}: {extent.weight}", theme.COLUMN_HEAD)
            formula = f"MAX({extent.low_cell},MIN({extent.high_cell},{run.working.letter(extent.weight)}{{row}}))"
            columns.append(page.column(look, formula, shown[extent.weight]))
            rows = column_range(letter, run.working.first_row, run.working.last_row)
            ways.append((page.place(rows), shown[extent.weight].tolist()))
        label = page.place(absolute(run.label or run.name_cell))
        curves.append(Curve((label, run.name), ways[0], ways[1], colour, dash=dash))
    first = [replace(each, values=each.values[:1]) for each in columns]
    page.block(header_row + 1, column, first)
    if len(columns[0].values) > 1:
        page.block(header_row + 2, column, _later(columns, runs, weights, column))
    last = address(runs[0].working.last_row, column + len(columns) - 1)
    page.show_extreme_numbers(f"{address(header_row + 1, column)}:{last}")
    return Paths(curves, extents, column + max(len(columns), len(choices) + 1) + 1)


def _shown(run: Compared, extents: Sequence[Extent]) -> dict[str, Array]:
    """A path up to where it leaves the picture, and that place again and again."""
    clipped = {extent.weight: np.clip(run.values[extent.weight], extent.low, extent.high) for extent in extents}
    outside = np.any([clipped[name] != run.values[name] for name in clipped], axis=0)
    last = int(np.argmax(outside)) if outside.any() else len(outside) - 1
    places = np.minimum(np.arange(len(outside)), last)
    return {name: values[places] for name, values in clipped.items()}


def _later(
    columns: Sequence[BlockColumn], runs: Sequence[Compared], weights: tuple[str, str], column: int
) -> list[BlockColumn]:
    """The same below the first row, where a path that has left stays."""
    found = []
    for place, each in enumerate(columns):
        run, letters = runs[place // 2], [column_letter(column + place // 2 * 2 + axis) for axis in (0, 1)]
        pairs = zip(letters, map(run.working.letter, weights), strict=True)
        has_left = ",".join(f"{shown}{{above}}<>{weight}{{above}}" for shown, weight in pairs)
        formula = f"IF(OR({has_left}),{letters[place % 2]}{{above}},{each.formula})"
        found.append(replace(each, formula=formula, values=each.values[1:]))
    return found
