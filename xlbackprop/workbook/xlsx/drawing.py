"""The drawing layer of a sheet as text: charts and arrows over its cells, each told in words as well."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.workbook.xlsx.spelling import (
    CHART,
    DECLARATION,
    DRAWING,
    REFERENCES,
    SHEET_DRAWING,
    SOLID,
    filled,
    in_attribute,
)

_FIRST_ARROW = 1001
"""The charts of a sheet are numbered from 1; two shapes with one number make Excel repair the file."""
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


class Drawing:
    """The drawing layer of one sheet."""

    def __init__(self) -> None:
        self.charts: list[str] = []
        """The parts of the file that its charts are."""
        self._frames: list[str] = []
        self._arrows: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._frames or self._arrows)

    def chart(self, chart: str, place: tuple[int, int, int, int], description: str) -> None:
        """Let a chart cover the cells from its top left to its bottom right one.

        Args:
            place: the row and the column of the first cell, then of the last one.
            description: what it shows, for readers who do not see it.
        """
        self.charts.append(chart)
        number = len(self.charts)
        row, column, last_row, last_column = place
        self._frames.append(
            f'<xdr:twoCellAnchor editAs="oneCell"><xdr:from>{_marker(column - 1, 0, row - 1, 0)}</xdr:from>'
            f"<xdr:to>{_marker(last_column, 0, last_row, 0)}</xdr:to><xdr:graphicFrame><xdr:nvGraphicFramePr>"
            f'<xdr:cNvPr id="{number}" name="Chart {number}" descr="{in_attribute(description)}"/>'
            f'<xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm/><a:graphic><a:graphicData uri="{CHART}">'
            f'<c:chart r:id="rId{number}"/></a:graphicData></a:graphic></xdr:graphicFrame><xdr:clientData/>'
            "</xdr:twoCellAnchor>"
        )

    def connect(self, start: Point, end: Point, size: CellSize, colour: str, description: str) -> None:
        """Draw an arrow from one place to another that lies no further left, over cells of one size.

        Args:
            colour: six hexadecimal digits.
            description: what the arrow says, for readers who do not see it.
        """
        number = _FIRST_ARROW + len(self._arrows)
        upward = (end.row, end.down) < (start.row, start.down)
        top, bottom = (end, start) if upward else (start, end)
        left, high = _place(start.column, start.right, size.width), _place(top.row, top.down, size.height)
        right, low = _place(end.column, end.right, size.width), _place(bottom.row, bottom.down, size.height)
        line = f'<a:ln w="12700">{filled(colour)}{SOLID}<a:tailEnd type="triangle" w="med" len="med"/></a:ln>'
        shape = (
            f'<xdr:cNvPr id="{number}" name="Arrow {number}" descr="{in_attribute(description)}"/><xdr:cNvCxnSpPr/>'
            f"</xdr:nvCxnSpPr><xdr:spPr><a:xfrm{_FLIPPED * upward}>"
            f'<a:off x="{left}" y="{high}"/><a:ext cx="{right - left}" cy="{low - high}"/></a:xfrm>'
            f'<a:prstGeom prst="line"/>{line}</xdr:spPr>'
        )
        self._arrows.append(
            f"<xdr:twoCellAnchor><xdr:from>{_within(start.column, start.right, top.row, top.down, size)}</xdr:from>"
            f"<xdr:to>{_within(end.column, end.right, bottom.row, bottom.down, size)}</xdr:to>"
            f'<xdr:cxnSp macro=""><xdr:nvCxnSpPr>{shape}</xdr:cxnSp><xdr:clientData/></xdr:twoCellAnchor>'
        )

    def written(self) -> str:
        """The part of the file that it is; it refers to its charts in their order."""
        return "".join([_OPENS, *self._arrows, *self._frames, "</xdr:wsDr>"])


_OPENS = (
    f'{DECLARATION}<xdr:wsDr xmlns:c="{CHART}" xmlns:a="{DRAWING}" xmlns:xdr="{SHEET_DRAWING}" xmlns:r="{REFERENCES}">'
)


def _place(index: int, inside: float, size: int) -> int:
    return round((index - 1 + inside) * size)


def _marker(column: int, right: int, row: int, down: int) -> str:
    """A corner of a shape: the cell, counted from 0, and how far into it."""
    return (
        f"<xdr:col>{column}</xdr:col><xdr:colOff>{right}</xdr:colOff>"
        f"<xdr:row>{row}</xdr:row><xdr:rowOff>{down}</xdr:rowOff>"
    )


def _within(column: int, right: float, row: int, down: float, size: CellSize) -> str:
    return _marker(column - 1, round(right * size.width), row - 1, round(down * size.height))
