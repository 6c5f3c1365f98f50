"""Charts: openpyxl's line chart with visible titled axes, and with the numbers it shows stored in it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from openpyxl.chart import LineChart
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, NumVal, StrData, StrRef, StrVal
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor

from xlbackprop.workbook import theme


class Curve(Struct, frozen=True):
    """One line of a chart: where its numbers stand, and the numbers."""

    label_reference: str
    label: str
    categories_reference: str
    categories: Sequence[float]
    values_reference: str
    values: Sequence[float]
    colour: str


def line_chart(title: str, x_title: str, y_title: str, curves: Sequence[Curve]) -> LineChart:
    """A line chart of one or more curves."""
    chart = LineChart()
    chart.title = title
    chart.title.overlay = False
    chart.style = 2
    chart.roundedCorners = False  # left unsaid, Excel rounds them
    chart.x_axis.title, chart.y_axis.title = x_title, y_title
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False  # openpyxl leaves this unsaid, and recent Excel then hides the axis
        axis.title.overlay = False
        axis.majorTickMark = "out"
        axis.number_format = theme.PLAIN_FORMAT
        axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=theme.FAINT))
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill="E0E0E0"))
    points = len(curves[0].values)
    step = max(1, _round_step(points / 10))
    chart.x_axis.tickLblSkip = chart.x_axis.tickMarkSkip = step
    chart.x_axis.tickLblPos = "low"
    if len(curves) == 1:
        chart.legend = None
    for curve in curves:
        chart.append(_series(curve))
    return chart


def place(chart: LineChart, row: int, column: int, last_row: int, last_column: int) -> None:
    """Let a chart cover the cells from its top left to its bottom right one (counted from 1)."""
    chart.anchor = TwoCellAnchor(
        editAs="oneCell",
        _from=AnchorMarker(col=column - 1, row=row - 1),
        to=AnchorMarker(col=last_column, row=last_row),
    )


def _series(curve: Curve) -> Series:
    series = Series(
        val=NumDataSource(numRef=NumRef(f=curve.values_reference, numCache=_cache(curve.values))),
        cat=AxDataSource(numRef=NumRef(f=curve.categories_reference, numCache=_cache(curve.categories))),
        tx=SeriesLabel(
            strRef=StrRef(f=curve.label_reference, strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=curve.label)]))
        ),
    )
    series.smooth = False
    series.marker = Marker(symbol="none")
    series.spPr = GraphicalProperties(ln=LineProperties(solidFill=curve.colour, w=28575))
    return series


def _cache(values: Sequence[float]) -> NumData:
    points = [NumVal(idx=index, v=repr(value)) for index, value in enumerate(values)]
    return NumData(formatCode=theme.PLAIN_FORMAT, ptCount=len(points), pt=points)


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
