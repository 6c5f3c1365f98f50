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
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import Series, SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.xml.constants import CHART_NS, DRAWING_NS
from openpyxl.xml.functions import fromstring

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
    """Points, of a line over cells."""
    opacity: float = 1.0
    """From 0 to 1: how little of what lies under it is seen."""


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


class LinesChart(ChartBase):
    """Nothing but lines over cells, spelled at once: openpyxl takes milliseconds for a chart with axes nobody sees."""

    def __init__(self, curves: Sequence[Curve], width: float, height: float) -> None:
        """Place 0, 0 is the top left corner of the chart, `width`, `height` the bottom right one."""
        series = "".join(_line(index, curve) for index, curve in enumerate(curves))
        axes = _unseen_axis(1, 2, "minMax", width) + _unseen_axis(2, 1, "maxMin", height)
        places = "".join(f'<{side} val="{value}"/>' for side, value in (("x", 0), ("y", 0), ("w", 1), ("h", 1)))
        self._xml = (
            f'<chartSpace xmlns:a="{DRAWING_NS}"><roundedCorners val="0"/><chart>'
            '<autoTitleDeleted val="1"/><plotArea><layout><manualLayout><layoutTarget val="inner"/>'
            f'<xMode val="edge"/><yMode val="edge"/>{places}</manualLayout></layout><scatterChart>'
            f'<scatterStyle val="lineMarker"/><varyColors val="0"/>{series}<axId val="1"/><axId val="2"/>'
            f'</scatterChart>{axes}{_NOTHING}</plotArea><plotVisOnly val="0"/><dispBlanksAs val="gap"/>'
            f"</chart>{_NOTHING}</chartSpace>"
        )

    def _write(self) -> Any:
        tree = fromstring(self._xml)
        tree.set("xmlns", CHART_NS)
        return tree


_NOTHING = "<spPr><a:noFill/><a:ln><a:noFill/></a:ln></spPr>"


def _unseen_axis(number: int, other: int, orientation: str, end: float) -> str:
    return (
        f'<valAx><axId val="{number}"/><scaling><orientation val="{orientation}"/><max val="{end:g}"/>'
        f'<min val="0"/></scaling><delete val="1"/><axPos val="{"bl"[number - 1]}"/><crossAx val="{other}"/>'
        "</valAx>"
    )


def _line(index: int, curve: Curve) -> str:
    """One curve without marks; what is not opaque lets through what lies under it."""
    numbers = "".join(
        f"<{axis}Val><numRef><f>{reference}</f><numCache><formatCode>{_packed(values)}</formatCode>"
        f'<ptCount val="{len(values)}"/></numCache></numRef></{axis}Val>'
        for axis, reference, values in (
            ("x", curve.categories_reference, curve.categories),
            ("y", curve.values_reference, curve.values),
        )
    )
    return (
        f'<ser><idx val="{index}"/><order val="{index}"/><tx><strRef><f>{curve.label_reference}</f>'
        f'<strCache><ptCount val="1"/><pt idx="0"><v>{curve.label}</v></pt></strCache></strRef></tx>'
        f'<spPr><a:ln w="{round(curve.width * _EMU_A_POINT)}"><a:solidFill><a:srgbClr val="{curve.colour}">'
        f'<a:alpha val="{round(curve.opacity * 100_000)}"/></a:srgbClr></a:solidFill><a:round/></a:ln></spPr>'
        f'<marker><symbol val="none"/></marker>{numbers}<smooth val="0"/></ser>'
    )


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
    line = LineProperties(solidFill=curve.colour, w=28575, prstDash=None if curve.dash == "solid" else curve.dash)
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
    return NumData(formatCode=_packed(values), ptCount=len(values))


def _packed(values: Sequence[float]) -> str:
    """A format with stored numbers in it, see `unpacked`; what is no number has no cell either, and ends a line."""
    stored = values if len(values) <= _MOST_STORED else ()
    told = spelled([0.0 if math.isnan(value) else value for value in stored])
    texts = ("" if math.isnan(value) else text for value, text in zip(stored, told, strict=True))
    return f"{theme.PLAIN_FORMAT}[{';'.join(texts)}]"


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
