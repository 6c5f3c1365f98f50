"""The colours of a map: cells whose numbers are read as a picture, with a boundary and with marks on it."""

from __future__ import annotations

from collections.abc import Sequence

from xlbackprop.ground.grid import absolute, address, coordinates
from xlbackprop.symbols import number_from
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.styles import border, boxed, highlight

MARKS = ("○", "●", "◐")
"""Samples below the boundary, above it, and both in one place."""
HIGH = "5B9BD5"
_LOW, _MIDDLE = "FFF6E0", "CFE0EE"
_FIRST_FORMAT = 1000
"""The number of the first number format of the marks, beyond those of all cells."""


def paint(page: Page, corners: tuple[str, str], scale: Sequence[str], marks: str) -> None:
    """Let cells be a picture: the more colour the larger the number, marks, and lines where the boundary is crossed.

    Args:
        corners: the top left cell and the bottom right one, with a column before them and a row above.
        scale: the cells of the lowest number, the boundary and the highest one, in the same colours.
        marks: the range of what stands in each cell, row by row: 0 for nothing, or the number of a mark.
    """
    corner, end = corners
    cells, first = f"{corner}:{end}", absolute(corner)
    (row, column), (_, last_column) = map(coordinates, corners)
    here = f"(ROW()-ROW({first}))*{last_column - column + 1}+COLUMN()-COLUMN({first})+1"
    for kind, mark in enumerate(MARKS, 1):
        shown = _FIRST_FORMAT + kind, f'"{mark}";"{mark}";"{mark}"'
        look = highlight(bold=theme.INK, number_format=shown, border=boxed(theme.EDGE))
        page.format_where(cells, f"{number_from(marks, here, '1')}={kind}", look)
    ends = [absolute(cell) for cell in scale]
    left, above = address(row, column - 1), address(row - 1, column)
    crosses_left = f"AND(COLUMN()>COLUMN({first}),({corner}>={ends[1]})<>({left}>={ends[1]}))"
    crosses_above = f"AND(ROW()>ROW({first}),({corner}>={ends[1]})<>({above}>={ends[1]}))"
    for formula, sides in (
        (f"AND({crosses_left},{crosses_above})", ("left", "top")),
        (crosses_left, ("left",)),
        (crosses_above, ("top",)),
    ):
        page.format_where(cells, formula, highlight(border=border(dict.fromkeys(sides, theme.EDGE))))
    page.colour_scale((cells, f"{scale[0]}:{scale[-1]}"), ends, (_LOW, _MIDDLE, HIGH))
