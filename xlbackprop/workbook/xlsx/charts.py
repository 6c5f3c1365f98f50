"""Charts: openpyxl's line chart with visible titled axes, and with the numbers it shows stored in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from openpyxl.chart import LineChart, ScatterChart
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, StrData, StrRef, StrVal
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor

from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.rows import spelled

_MOST_STORED = 32_000
"""Points of a curve beyond which its numbers are not stored in the chart as well: spreadsheets once drew no more."""


class Curve(Struct, frozen=True):
    """One line of a chart: where its numbers stand, and the numbers."""

    label_reference: str
    label: str
    categories_reference: str
    categories: Sequence[float]
    values_reference: str
    values: Sequence[float]
    colour: str
    dash: str = "solid"
    """How the line is broken, in the words of DrawingML, so that colour does not have to tell curves apart."""
    marker: str = "none"
    """The mark at every point, in the words of DrawingML."""
    marker_size: int = 6
    """Points."""


def line_chart(
    title: str, x_title: str, y_title: str, curves: Sequence[Curve], *, logarithmic_from: float | None = None
) -> LineChart:
    """A line chart of one or more curves; `logarithmic_from` is the lower end of a logarithmic axis."""
    chart = LineChart()
    _dress(chart, title, x_title, y_title)
    if logarithmic_from is not None:
        chart.y_axis.scaling.logBase = 10
        chart.y_axis.scaling.min = logarithmic_from
        chart.x_axis.crossesAt, chart.x_axis.crosses = logarithmic_from, None
        chart.y_axis.number_format = theme.POWER_FORMAT
    points = len(curves[0].values)
    step = max(1, _round_step(points / 10))
    chart.x_axis.tickLblSkip = chart.x_axis.tickMarkSkip = step
    chart.x_axis.tickLblPos = "low"
    if len(curves) == 1:
        chart.legend = None
    for curve in curves:
        chart.append(_series(curve))
    return chart


def scatter_chart(title: str, x_title: str, y_title: str, curves: Sequence[Curve]) -> ScatterChart:
    """A chart of points in the plane, joined in their order; a curve's categories are its x values."""
    chart = ScatterChart()
    chart.scatterStyle, chart.varyColors = "lineMarker", False
    _dress(chart, title, x_title, y_title)
    for axis in (chart.x_axis, chart.y_axis):
        axis.tickLblPos = "low"
    if len(curves) == 1:
        chart.legend = None
    for curve in curves:
        chart.append(_series(curve, XYSeries, "xVal", "yVal"))
    return chart


def place(chart: ChartBase, row: int, column: int, last_row: int, last_column: int) -> None:
    """Let a chart cover the cells from its top left to its bottom right one (counted from 1)."""
    chart.anchor = TwoCellAnchor(
        editAs="oneCell",
        _from=AnchorMarker(col=column - 1, row=row - 1),
        to=AnchorMarker(col=last_column, row=last_row),
    )


def _dress(chart: LineChart | ScatterChart, title: str, x_title: str, y_title: str) -> None:
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
        if axis.majorGridlines:
            axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill="E0E0E0"))


def _series(curve: Curve, kind: type[Series] = Series, along: str = "cat", up: str = "val") -> Series:
    """A curve as a series of openpyxl's, whose numbers are called otherwise in charts of another kind."""
    label = StrRef(f=curve.label_reference, strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=curve.label)]))
    series = kind(tx=SeriesLabel(strRef=label))
    categories = NumRef(f=curve.categories_reference, numCache=_cache(curve.categories))
    setattr(series, along, AxDataSource(numRef=categories))
    setattr(series, up, NumDataSource(numRef=NumRef(f=curve.values_reference, numCache=_cache(curve.values))))
    series.smooth = False
    series.marker = Marker(symbol=curve.marker)
    if curve.marker != "none":
        series.marker.size = curve.marker_size
        series.marker.spPr = GraphicalProperties(solidFill=curve.colour, ln=LineProperties(solidFill=curve.colour))
    series.spPr = GraphicalProperties(
        ln=LineProperties(solidFill=curve.colour, w=28575, prstDash=None if curve.dash == "solid" else curve.dash)
    )
    return series


def unpacked(xml: str) -> str:
    """The XML of a chart in which every stored number has an element of its own; see `_cache`."""

    def points(match: re.Match[str]) -> str:
        stored = enumerate(match[1].split(";") if match[1] else ())
        values = "".join([f'<pt idx="{index}"><v>{value}</v></pt>' for index, value in stored])
        return f"</formatCode>{match[2]}{values}"

    return re.sub(r"\[(.*?)\]</formatCode>(<ptCount [^>]*/>)", points, xml)


def _cache(values: Sequence[float]) -> NumData:
    """The stored numbers of a curve, packed into its format: openpyxl takes 30 microseconds for an element of each."""
    stored = values if len(values) <= _MOST_STORED else ()
    return NumData(formatCode=f"{theme.PLAIN_FORMAT}[{';'.join(spelled(stored))}]", ptCount=len(values))


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
