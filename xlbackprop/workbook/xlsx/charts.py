"""Charts: openpyxl's charts of points with visible titled axes, and with the numbers it shows stored in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct
from openpyxl.chart import ScatterChart
from openpyxl.chart._chart import ChartBase
from openpyxl.chart.axis import NumericAxis
from openpyxl.chart.data_source import StrData, StrRef, StrVal
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import CharacterProperties, ParagraphProperties
from openpyxl.xml.constants import CHART_NS, DRAWING_NS

from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.drawing import EMU_A_POINT
from xlbackprop.workbook.xlsx.rows import spelled
from xlbackprop.workbook.xlsx.spelling import DECLARATION, escaped, part

_MOST_STORED = 32_000
"""Points of a curve beyond which its numbers are not stored in the chart as well: spreadsheets once drew no more."""
_MOST_TICKS = 10
"""On an axis of iterations or epochs."""
_TITLE, _SMALL_TITLE = 1200, 900
"""Hundredths of a point."""


Stored = tuple[str, Sequence[float]]
"""The reference of some cells, and the numbers in them."""


class Curve(Struct, frozen=True):
    """One line of a chart: its label, its places and its values, each with where it stands."""

    label: tuple[str, str]
    x: Stored
    y: Stored
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


class CurveChart(ScatterChart):
    """openpyxl's chart, but for its curves: as text they take a third of the time that its objects take."""

    tagname = ScatterChart.tagname
    __elements__ = ScatterChart.__elements__
    curves: Sequence[Curve] = ()


CurveChart.__nested__ = ScatterChart.__nested__  # openpyxl gathers it from the body of a class alone


def curve_chart(
    title: str,
    x_title: str,
    y_title: str,
    curves: Sequence[Curve],
    *,
    logarithmic: bool = False,
    powers_across: bool = False,
    small: bool = False,
) -> CurveChart:
    """A chart of one or more curves over the same places, which begin at the left edge and end at the right one.

    Args:
        logarithmic: let every power of ten be as high as the next; the programs find from the data where to begin.
        powers_across: the same for the places.
        small: leave out what the axes are called, where there is hardly room for the curve.
    """
    chart = _points_chart(title, x_title, y_title, curves, small=small)
    chart.x_axis.majorGridlines = None
    if not powers_across:
        first, last = curves[0].x[1][0], curves[0].x[1][-1]
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


def scatter_chart(title: str, x_title: str, y_title: str, curves: Sequence[Curve]) -> CurveChart:
    """A chart of points in the plane, joined in their order."""
    return _points_chart(title, x_title, y_title, curves)


def _points_chart(
    title: str, x_title: str, y_title: str, curves: Sequence[Curve], *, small: bool = False
) -> CurveChart:
    chart = CurveChart()
    chart.scatterStyle, chart.varyColors = "lineMarker", False
    _dress(chart, title, x_title, y_title, small=small)
    for axis in (chart.x_axis, chart.y_axis):
        axis.tickLblPos = "low"
    if len(curves) == 1:
        chart.legend = None
    chart.curves = curves
    return chart


class LinesChart(ChartBase):
    """Nothing but lines over cells, spelled at once: openpyxl takes milliseconds for a chart with axes nobody sees."""

    def __init__(self, curves: Sequence[Curve], width: float, height: float) -> None:
        """Place 0, 0 is the top left corner of the chart, `width`, `height` the bottom right one."""
        self.curves = curves
        axes = _unseen_axis(1, 2, "minMax", width) + _unseen_axis(2, 1, "maxMin", height)
        places = "".join(f'<{side} val="{value}"/>' for side, value in (("x", 0), ("y", 0), ("w", 1), ("h", 1)))
        self.text = (
            f'{DECLARATION}<chartSpace xmlns="{CHART_NS}" xmlns:a="{DRAWING_NS}"><roundedCorners val="0"/><chart>'
            '<autoTitleDeleted val="1"/><plotArea><layout><manualLayout><layoutTarget val="inner"/>'
            f'<xMode val="edge"/><yMode val="edge"/>{places}</manualLayout></layout><scatterChart>'
            f'<scatterStyle val="lineMarker"/>{_BEFORE_CURVES}<axId val="1"/><axId val="2"/>'
            f'</scatterChart>{axes}{_NOTHING}</plotArea><plotVisOnly val="0"/><dispBlanksAs val="gap"/>'
            f"</chart>{_NOTHING}</chartSpace>"
        )
        """The part of the file that it is, without its curves."""


_BEFORE_CURVES = '<varyColors val="0"/>'
_NOTHING = "<spPr><a:noFill/><a:ln><a:noFill/></a:ln></spPr>"


def _unseen_axis(number: int, other: int, orientation: str, end: float) -> str:
    return (
        f'<valAx><axId val="{number}"/><scaling><orientation val="{orientation}"/><max val="{end:g}"/>'
        f'<min val="0"/></scaling><delete val="1"/><axPos val="{"bl"[number - 1]}"/><crossAx val="{other}"/>'
        "</valAx>"
    )


def name_axis(axis: NumericAxis, reference: str, text: str) -> None:
    """Let an axis be called what stands in a cell, and what it says now."""
    name = StrRef(f=reference, strCache=StrData(ptCount=1, pt=[StrVal(idx=0, v=text)]))
    axis.title = Title(tx=Text(strRef=name), overlay=False)


def _dress(chart: CurveChart, title: str, x_title: str, y_title: str, *, small: bool) -> None:
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


def written(chart: CurveChart | LinesChart) -> str:
    """The part of the file that a chart is."""
    text, joint = (chart.text, "<a:round/>") if isinstance(chart, LinesChart) else (part(chart._write()), "")
    before, curves, after = text.partition(_BEFORE_CURVES)
    return "".join([before, curves, *(_series(index, curve, joint) for index, curve in enumerate(chart.curves)), after])


def _series(number: int, curve: Curve, joint: str) -> str:
    """A curve as XML."""
    dash = f'<a:prstDash val="{curve.dash}"/>{joint}'
    opacity = f'<a:alpha val="{curve.opacity:.0%}"/>'.replace("%", "000") if curve.opacity < 1 else ""
    cap = ' cap="flat"' if joint else ""  # a line without a length is not to be seen
    line = f'<a:ln w="{round(curve.width * EMU_A_POINT)}"{cap}>{_filled(curve.colour, opacity)}{dash}</a:ln>'
    if not curve.joined:
        line = f"<a:ln><a:noFill/>{_SOLID}</a:ln>"
    marker = f"<spPr><a:ln>{_SOLID}</a:ln></spPr>"
    if curve.marker != "none":
        filled = _filled(curve.colour)
        marker = f'<size val="{curve.marker_size}"/><spPr>{filled}<a:ln>{filled}{_SOLID}</a:ln></spPr>'
    return (
        f'<ser><idx val="{number}"/><order val="{number}"/><tx><strRef><f>{escaped(curve.label[0])}</f>'
        f'<strCache><ptCount val="1"/><pt idx="0"><v>{escaped(curve.label[1])}</v></pt></strCache></strRef></tx>'
        f'<spPr>{line}</spPr><marker><symbol val="{curve.marker}"/>{marker}</marker>'
        f"<xVal>{_numbers(*curve.x)}</xVal>"
        f'<yVal>{_numbers(*curve.y)}</yVal><smooth val="0"/></ser>'
    )


_SOLID = '<a:prstDash val="solid"/>'


def _filled(colour: str, opacity: str = "") -> str:
    inside = f'<a:srgbClr val="{colour}">{opacity}</a:srgbClr>' if opacity else f'<a:srgbClr val="{colour}"/>'
    return f"<a:solidFill>{inside}</a:solidFill>"


def _numbers(reference: str, values: Sequence[float]) -> str:
    """The numbers of a curve as XML: where they stand, and what they are, where there are any."""
    stored = values if len(values) <= _MOST_STORED else ()
    texts = spelled([0.0 if math.isnan(value) else value for value in stored])
    points = "".join(
        [
            f'<pt idx="{index}"><v>{text}</v></pt>'
            for index, (value, text) in enumerate(zip(stored, texts, strict=True))
            if not math.isnan(value)
        ]
    )
    cache = f'<numCache><formatCode>{theme.PLAIN_FORMAT}</formatCode><ptCount val="{len(values)}"/>{points}</numCache>'
    return f"<numRef><f>{escaped(reference)}</f>{cache}</numRef>"


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
