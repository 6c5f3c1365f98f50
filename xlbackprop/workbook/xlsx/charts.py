"""Charts: openpyxl's charts of points with visible titled axes, and with the numbers it shows stored in it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from openpyxl.chart import ScatterChart
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.axis import NumericAxis
from openpyxl.chart.data_source import AxDataSource, NumData, NumDataSource, NumRef, StrData, StrRef, StrVal
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import Text
from openpyxl.chart.title import Title
from openpyxl.descriptors.nested import NestedValue
from openpyxl.drawing.colors import ColorChoice
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.xml.constants import DRAWING_NS
from openpyxl.xml.functions import SubElement

from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.rows import spelled

_MOST_STORED = 32_000
"""Points of a curve beyond which its numbers are not stored in the chart as well: spreadsheets once drew no more."""
_MOST_TICKS = 10
"""On an axis of iterations or epochs."""
_EMU_A_POINT = 12700
_TITLE, _SMALL_TITLE = 1200, 900
"""Hundredths of a point."""


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
    joined: bool = True
    """Whether a line goes from point to point."""
    width: float = 2.25
    """Points."""
    opacity: float = 1.0
    """From 0 to 1: how little of what lies under it is seen."""


class _Colour(ColorChoice):
    """A colour that lets something through: openpyxl's own knows that of the colours of a theme only."""

    srgbClr = NestedValue(expected_type=str)  # noqa: N815
    __elements__ = ("srgbClr",)

    def __init__(self, *, srgbClr: str, opacity: float) -> None:  # noqa: N803
        super().__init__(srgbClr=srgbClr)
        self._opacity = opacity

    def to_tree(self, tagname: str | None = None, idx: int | None = None, namespace: str | None = None) -> Any:
        tree = super().to_tree(tagname, idx, namespace)
        if self._opacity < 1:
            SubElement(tree[0], f"{{{DRAWING_NS}}}alpha", val=f"{self._opacity:.0%}".replace("%", "000"))
        return tree


def curve_chart(
    title: str,
    x_title: str,
    y_title: str,
    curves: Sequence[Curve],
    *,
    logarithmic: bool = False,
    powers_across: bool = False,
    small: bool = False,
) -> ScatterChart:
    """A chart of one or more curves over the same places, which begin at the left edge and end at the right one.

    Args:
        logarithmic: let every power of ten be as high as the next; the programs find from the data where to begin.
        powers_across: the same for the places.
        small: leave out what the axes are called, where there is hardly room for the curve.
    """
    chart = _points_chart(title, x_title, y_title, curves, small=small)
    chart.x_axis.majorGridlines = None
    if not powers_across:
        first, last = curves[0].categories[0], curves[0].categories[-1]
        chart.x_axis.scaling.min, chart.x_axis.scaling.max = first, max(last, first + 1)
        chart.x_axis.majorUnit = _round_step((last - first) / (_MOST_TICKS / 2 if small else _MOST_TICKS))
    if small:
        chart.x_axis.title = chart.y_axis.title = None
    for axis, other in (
        *([(chart.y_axis, chart.x_axis)] if logarithmic else []),
        *([(chart.x_axis, chart.y_axis)] if powers_across else []),
    ):
        axis.scaling.logBase = 10
        axis.number_format = theme.POWER_FORMAT
        other.crosses = "min"
    return chart


def scatter_chart(title: str, x_title: str, y_title: str, curves: Sequence[Curve]) -> ScatterChart:
    """A chart of points in the plane, joined in their order; a curve's categories are its x values."""
    return _points_chart(title, x_title, y_title, curves)


def _points_chart(
    title: str, x_title: str, y_title: str, curves: Sequence[Curve], *, small: bool = False
) -> ScatterChart:
    chart = ScatterChart()
    chart.scatterStyle, chart.varyColors = "lineMarker", False
    _dress(chart, title, x_title, y_title, small=small)
    for axis in (chart.x_axis, chart.y_axis):
        axis.tickLblPos = "low"
    if len(curves) == 1:
        chart.legend = None
    for curve in curves:
        chart.append(_series(curve))
    return chart


def lines_chart(curves: Sequence[Curve], width: float, height: float) -> ScatterChart:
    """Nothing but lines over cells: place 0, 0 is the top left corner, `width`, `height` the bottom right one."""
    chart = ScatterChart()
    chart.scatterStyle, chart.varyColors, chart.style, chart.roundedCorners = "lineMarker", False, 2, False
    chart.legend = None
    chart.layout = Layout(ManualLayout(layoutTarget="inner", xMode="edge", yMode="edge", x=0, y=0, w=1, h=1))
    nothing = GraphicalProperties(noFill=True, ln=LineProperties(noFill=True))
    chart.graphical_properties = chart.plot_area.spPr = nothing
    for axis, end in ((chart.x_axis, width), (chart.y_axis, height)):
        axis.delete, axis.majorGridlines = True, None
        axis.scaling.min, axis.scaling.max = 0, end
    chart.y_axis.scaling.orientation = "maxMin"
    for curve in curves:
        chart.append(_series(curve))
    return chart


def name_axis(axis: NumericAxis, reference: str, text: str) -> None:
    """Let an axis be called what stands in a cell, and what it says now."""
    name = StrRef(f=reference, strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=text)]))
    axis.title = Title(tx=Text(strRef=name), overlay=False)


def place(chart: ChartBase, row: int, column: int, last_row: int, last_column: int) -> None:
    """Let a chart cover the cells from its top left to its bottom right one (counted from 1)."""
    chart.anchor = TwoCellAnchor(
        editAs="oneCell",
        _from=AnchorMarker(col=column - 1, row=row - 1),
        to=AnchorMarker(col=last_column, row=last_row),
    )


def _dress(chart: ScatterChart, title: str, x_title: str, y_title: str, *, small: bool) -> None:
    chart.title = title
    chart.title.overlay = False
    size = _SMALL_TITLE if small else _TITLE
    for paragraph in chart.title.tx.rich.paragraphs:
        paragraph.pPr = ParagraphProperties(defRPr=CharacterProperties(sz=size, b=True))
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


def _series(curve: Curve) -> Series:
    label = StrRef(f=curve.label_reference, strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=curve.label)]))
    series = XYSeries(tx=SeriesLabel(strRef=label))
    series.xVal = AxDataSource(numRef=NumRef(f=curve.categories_reference, numCache=_cache(curve.categories)))
    series.yVal = NumDataSource(numRef=NumRef(f=curve.values_reference, numCache=_cache(curve.values)))
    series.smooth = False
    series.marker = Marker(symbol=curve.marker)
    if curve.marker != "none":
        series.marker.size = curve.marker_size
        series.marker.spPr = GraphicalProperties(solidFill=curve.colour, ln=LineProperties(solidFill=curve.colour))
    line = LineProperties(
        solidFill=_Colour(srgbClr=curve.colour, opacity=curve.opacity),
        w=round(curve.width * _EMU_A_POINT),
        round=True,
        prstDash=None if curve.dash == "solid" else curve.dash,
    )
    series.spPr = GraphicalProperties(ln=line if curve.joined else LineProperties(noFill=True))
    return series


def unpacked(xml: str) -> str:
    """The XML of a chart in which every stored number has an element of its own; see `_cache`."""

    def points(match: re.Match[str]) -> str:
        stored = enumerate(match[1].split(";") if match[1] else ())
        values = "".join([f'<pt idx="{index}"><v>{value}</v></pt>' for index, value in stored if value])
        return f"</formatCode>{match[2]}{values}"

    return re.sub(r"\[(.*?)\]</formatCode>(<ptCount [^>]*/>)", points, xml)


def _cache(values: Sequence[float]) -> NumData:
    """The stored numbers of a curve, packed into its format: openpyxl takes 30 microseconds for an element of each."""
    stored = values if len(values) <= _MOST_STORED else ()
    told = spelled([0.0 if math.isnan(value) else value for value in stored])
    texts = ("" if math.isnan(value) else text for value, text in zip(stored, told, strict=True))
    return NumData(formatCode=f"{theme.PLAIN_FORMAT}[{';'.join(texts)}]", ptCount=len(values))


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
