"""Drawings on a sheet: openpyxl's, extended by connecting lines and by alternative texts for charts."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.descriptors import Typed
from openpyxl.drawing.connector import ConnectorNonVisual, ConnectorShape, NonVisualConnectorProperties
from openpyxl.drawing.geometry import Point2D, PositiveSize2D, PresetGeometry2D, Transform2D
from openpyxl.drawing.line import LineEndProperties, LineProperties
from openpyxl.drawing.properties import NonVisualDrawingProps
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, SpreadsheetDrawing, TwoCellAnchor

_FIRST_SHAPE_ID = 1001
"""openpyxl numbers the charts of a sheet from 1; two shapes with one number make Excel repair the file."""


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


class _ConnectorAnchor(TwoCellAnchor):
    """An anchor that takes a connector: openpyxl's own declares another type for it by mistake."""

    cxnSp = Typed(expected_type=ConnectorShape, allow_none=True)  # noqa: N815
    __elements__ = TwoCellAnchor.__elements__


class Drawing(SpreadsheetDrawing):
    """The drawing layer of one sheet."""

    __elements__ = SpreadsheetDrawing.__elements__

    def __init__(self) -> None:
        super().__init__()
        self._descriptions: dict[int, str] = {}
        self.relationship = ""
        """What the sheet calls its reference to this drawing; known once it is written."""

    def __bool__(self) -> bool:
        return bool(self.twoCellAnchor) or super().__bool__()

    def connect(self, start: Point, end: Point, size: CellSize, colour: str, description: str) -> None:
        """Draw an arrow from one place to another that lies no further left, over cells of one size.

        Args:
            colour: six hexadecimal digits.
            description: what the arrow says, for readers who do not see it.
        """
        number = _FIRST_SHAPE_ID + len(self.twoCellAnchor)
        upward = (end.row, end.down) < (start.row, start.down)
        top, bottom = (end, start) if upward else (start, end)
        left, high = _place(start.column, start.right, size.width), _place(top.row, top.down, size.height)
        right, low = _place(end.column, end.right, size.width), _place(bottom.row, bottom.down, size.height)
        transform = Transform2D(
            flipV=True if upward else None, off=Point2D(left, high), ext=PositiveSize2D(right - left, low - high)
        )
        line = LineProperties(w=12700, solidFill=colour, tailEnd=LineEndProperties(type="triangle", w="med", len="med"))
        properties = GraphicalProperties(xfrm=transform, ln=line)
        properties.prstGeom = PresetGeometry2D(prst="line")
        shape = ConnectorShape(
            nvCxnSpPr=ConnectorNonVisual(
                cNvPr=NonVisualDrawingProps(id=number, name=f"Arrow {number}", descr=description),
                cNvCxnSpPr=NonVisualConnectorProperties(),
            ),
            spPr=properties,
            macro="",
        )
        self.twoCellAnchor.append(
            _ConnectorAnchor(
                editAs="twoCell",
                _from=_marker(top.row, start.column, top.down, start.right, size),
                to=_marker(bottom.row, end.column, bottom.down, end.right, size),
                cxnSp=shape,
            )
        )

    def describe(self, chart: ChartBase, description: str) -> None:
        """Give a chart of this sheet its alternative text."""
        self._descriptions[id(chart)] = description

    def _chart_frame(self, idx: int) -> Any:
        frame = super()._chart_frame(idx)
        frame.nvGraphicFramePr.cNvPr.descr = self._descriptions.get(id(self.charts[idx - 1]))
        return frame


def _place(index: int, inside: float, size: int) -> int:
    return round((index - 1 + inside) * size)


def _marker(row: int, column: int, down: float, right: float, size: CellSize) -> AnchorMarker:
    return AnchorMarker(col=column - 1, colOff=round(right * size.width), row=row - 1, rowOff=round(down * size.height))
