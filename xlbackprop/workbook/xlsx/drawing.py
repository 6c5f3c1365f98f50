"""Drawings on a sheet: openpyxl's, extended by connecting lines and by alternative texts for charts."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from openpyxl.chart._chart import ChartBase
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.xml.constants import DRAWING_NS

from xlbackprop.workbook.xlsx.spelling import part, quoted

_FIRST_SHAPE_ID = 1001
"""openpyxl numbers the charts of a sheet from 1; two shapes with one number make Excel repair the file."""
_FLIPPED = ' flipV="1"'

EMU_A_POINT = 12700
"""English metric units, in which drawings are measured."""


class Point(Struct, frozen=True):
    """A place on a sheet: a row and column counted from 1, and how far into that cell, from 0 to 1."""

    row: int
    column: int
    down: float
    right: float


class CellSize(Struct, frozen=True):
    """The size of the cells that a drawing lies on, in English metric units (914,400 an inch)."""

    width: int
    height: int


class Drawing(SpreadsheetDrawing):
    """The drawing layer of one sheet."""

    __elements__ = SpreadsheetDrawing.__elements__

    def __init__(self) -> None:
        super().__init__()
        self._descriptions: dict[int, str] = {}
        self._arrows: list[str] = []
        self.relationship = ""
        """What the sheet calls its reference to this drawing; known once it is written."""

    def __bool__(self) -> bool:
        return bool(self._arrows) or super().__bool__()

    def connect(self, start: Point, end: Point, size: CellSize, colour: str, description: str) -> None:
        """Draw an arrow from one place to another that lies no further left, over cells of one size.

        Args:
            colour: six hexadecimal digits.
            description: what the arrow says, for readers who do not see it.
        """
        number = _FIRST_SHAPE_ID + len(self._arrows)
        upward = (end.row, end.down) < (start.row, start.down)
        top, bottom = (end, start) if upward else (start, end)
        left, high = _place(start.column, start.right, size.width), _place(top.row, top.down, size.height)
        right, low = _place(end.column, end.right, size.width), _place(bottom.row, bottom.down, size.height)
        line = (
            f'<a:ln w="12700"><a:solidFill><a:srgbClr val="{colour}"/></a:solidFill><a:prstDash val="solid"/>'
            '<a:tailEnd type="triangle" w="med" len="med"/></a:ln>'
        )
        shape = (
            f'<xdr:cNvPr id="{number}" name="Arrow {number}" descr="{quoted(description)}"/><xdr:cNvCxnSpPr/>'
            f"</xdr:nvCxnSpPr><xdr:spPr><a:xfrm{_FLIPPED * upward}>"
            f'<a:off x="{left}" y="{high}"/><a:ext cx="{right - left}" cy="{low - high}"/></a:xfrm>'
            f'<a:prstGeom prst="line"/>{line}</xdr:spPr>'
        )
        self._arrows.append(
            f"<xdr:twoCellAnchor><xdr:from>{_marker(top.row, start.column, top.down, start.right, size)}</xdr:from>"
            f"<xdr:to>{_marker(bottom.row, end.column, bottom.down, end.right, size)}</xdr:to>"
            f'<xdr:cxnSp macro=""><xdr:nvCxnSpPr>{shape}</xdr:cxnSp><xdr:clientData/></xdr:twoCellAnchor>'
        )

    def written(self) -> str:
        """The part of the file that the drawing of a sheet is."""
        before, root, after = part(self._write()).partition("<xdr:wsDr")
        names, end, charts = after.partition(">")
        if names.endswith("/"):  # no chart: the root is empty, and does not know the names that arrows use
            names, charts = f'{names[:-1]} xmlns:a="{DRAWING_NS}"', "</xdr:wsDr>"
        return "".join([before, root, names, end, *self._arrows, charts])

    def describe(self, chart: ChartBase, description: str) -> None:
        """Give a chart of this sheet its alternative text."""
        self._descriptions[id(chart)] = description

    def _chart_frame(self, idx: int) -> Any:
        frame = super()._chart_frame(idx)
        frame.nvGraphicFramePr.cNvPr.descr = self._descriptions.get(id(self.charts[idx - 1]))
        return frame


def _place(index: int, inside: float, size: int) -> int:
    return round((index - 1 + inside) * size)


def _marker(row: int, column: int, down: float, right: float, size: CellSize) -> str:
    return (
        f"<xdr:col>{column - 1}</xdr:col><xdr:colOff>{round(right * size.width)}</xdr:colOff>"
        f"<xdr:row>{row - 1}</xdr:row><xdr:rowOff>{round(down * size.height)}</xdr:rowOff>"
    )
