"""The colours of a map: cells whose numbers are read as a picture, with a boundary and with marks on it."""

from __future__ import annotations

from collections.abc import Sequence

from openpyxl.formatting.rule import Rule
from openpyxl.styles import Border, Font, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.styles.numbers import NumberFormat
from openpyxl.utils.cell import coordinate_to_tuple

from xlbackprop.ground.grid import absolute, address
from xlbackprop.symbols import number_from
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page

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
    formatting, (corner, end) = page.sheet.conditional_formatting, corners
    cells, first = f"{corner}:{end}", absolute(corner)
    (row, column), (_, last_column) = map(coordinate_to_tuple, corners)
    here = f"(ROW()-ROW({first}))*{last_column - column + 1}+COLUMN()-COLUMN({first})+1"
    thin = Side(style="thin", color=theme.INK)
    for kind, mark in enumerate(MARKS, 1):
        style = DifferentialStyle(
            font=Font(bold=True, color=theme.INK),
            numFmt=NumberFormat(numFmtId=_FIRST_FORMAT + kind, formatCode=f'"{mark}";"{mark}";"{mark}"'),
            border=Border(left=thin, right=thin, top=thin, bottom=thin),
        )
        formula = f"{number_from(marks, here, '1')}={kind}"
        formatting.add(cells, Rule(type="expression", dxf=style, formula=[formula]))
    ends = [absolute(cell) for cell in scale]
    left, above = address(row, column - 1), address(row - 1, column)
    crosses_left = f"AND(COLUMN()>COLUMN({first}),({corner}>={ends[1]})<>({left}>={ends[1]}))"
    crosses_above = f"AND(ROW()>ROW({first}),({corner}>={ends[1]})<>({above}>={ends[1]}))"
    for formula, border in (
        (f"AND({crosses_left},{crosses_above})", Border(left=thin, top=thin)),
        (crosses_left, Border(left=thin)),
        (crosses_above, Border(top=thin)),
    ):
        formatting.add(cells, Rule(type="expression", dxf=DifferentialStyle(border=border), formula=[formula]))
    page.colour_scale((cells, f"{scale[0]}:{scale[-1]}"), ends, (_LOW, _MIDDLE, HIGH))
