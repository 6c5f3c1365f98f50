"""Charts as text: points and the curves through them, with visible titled axes, and with the numbers stored in them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.drawing import EMU_A_POINT
from xlbackprop.workbook.xlsx.rows import spelled
from xlbackprop.workbook.xlsx.spelling import CHART, DECLARATION, DRAWING, SOLID, escaped, filled

_MOST_STORED = 32_000
"""Points of a curve beyond which its numbers are not stored in the chart as well: spreadsheets once drew no more."""
_MOST_TICKS = 10
"""On an axis of iterations or epochs."""
_FAR_BELOW = 1e6
_TITLE, _SMALL_TITLE, _LETTERING = 1200, 900, 1100
"""Hundredths of a point; what is printed is lettered as large as cells are."""

Label = tuple[str, str]
"""The reference of a cell with a text, and the text."""

Stored = tuple[str, Sequence[float]]
"""The reference of some cells, and the numbers in them."""


class Curve(Struct, frozen=True):
    """One line of a chart: its label, its places and its values, each with where it stands."""

    label: Label
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


def curve_chart(
    title: str,
    x_title: str,
    y_title: str,
    curves: Sequence[Curve],
    *,
    logarithmic: bool = False,
    powers_across: bool = False,
    small: bool = False,
    legend: str = "r",
) -> str:
    """A chart of one or more curves over the same places, which begin at the left edge and end at the right one.

    Args:
        logarithmic: let every power of ten be as high as the next; the programs find from the data where to begin.
        powers_across: the same for the places.
        small: leave out what the axes are called, where there is hardly room for the curve.
        legend: the side on which several curves are named, or nothing.
    """
    ends, step = "", ""
    if not powers_across:
        first, last = curves[0].x[1][0], curves[0].x[1][-1]
        ends = f'<max val="{max(last, first + 1):.16g}"/><min val="{first:.16g}"/>'
        step = f'<majorUnit val="{_round_step((last - first) / (_MOST_TICKS / 2 if small else _MOST_TICKS))}"/>'
    at_least = '<crosses val="min"/>'
    across, up = ("", "") if small else (x_title, y_title)
    x_axis = _axis(0, across, curves, "", powers=powers_across, ends=ends, after=at_least * logarithmic + step)
    y_axis = _axis(1, up, curves, _GRID, powers=logarithmic, after=at_least * powers_across)
    return _points_chart(title, x_axis + y_axis, curves, legend, size=_SMALL_TITLE if small else _TITLE)


def scatter_chart(
    title: str,
    x_title: str | Label,
    y_title: str | Label,
    curves: Sequence[Curve],
    *,
    legend: str = "r",
    unnamed: int | None = None,
) -> str:
    """A chart of points in the plane, joined in their order.

    Args:
        legend: the side on which several curves are named.
        unnamed: the index of a curve that the legend leaves out.
    """
    axes = _axis(0, x_title, curves, _GRID) + _axis(1, y_title, curves, _GRID)
    return _points_chart(title, axes, curves, legend, unnamed=unnamed)


def lines_chart(curves: Sequence[Curve], width: float, height: float) -> str:
    """Nothing but lines over cells: place 0, 0 is the top left corner, `width`, `height` the bottom right one."""
    places = "".join(f'<{side} val="{value}"/>' for side, value in (("x", 0), ("y", 0), ("w", 1), ("h", 1)))
    layout = (
        '<autoTitleDeleted val="1"/><plotArea><layout><manualLayout><layoutTarget val="inner"/>'
        f'<xMode val="edge"/><yMode val="edge"/>{places}</manualLayout></layout>'
    )
    axes = _unseen_axis(0, "minMax", width) + _unseen_axis(1, "maxMin", height)
    end = f'{_NOTHING}</plotArea><plotVisOnly val="0"/><dispBlanksAs val="gap"/></chart>{_NOTHING}'
    return _chart(f"<chart>{layout}", curves, axes + end, joint="<a:round/>")


def _points_chart(
    title: str, axes: str, curves: Sequence[Curve], legend: str, *, size: int = _TITLE, unnamed: int | None = None
) -> str:
    left_out = f'<legendEntry><idx val="{unnamed}"/><delete val="1"/></legendEntry>' if unnamed is not None else ""
    named = f'<legend><legendPos val="{legend}"/>{left_out}</legend>' if legend and len(curves) > 1 else ""
    head = _title(title, f' sz="{size}" b="1"')
    return _chart(
        f'<style val="2"/><chart>{head}<plotArea>',
        curves,
        f'{axes}</plotArea>{named}<plotVisOnly val="1"/><dispBlanksAs val="gap"/></chart>{_TEXT * (size == _TITLE)}',
    )


def _chart(before: str, curves: Sequence[Curve], after: str, joint: str = "") -> str:
    """The part of the file that a chart is: its corners are not round, which Excel makes them where it is not told."""
    return "".join(
        [
            f'{DECLARATION}<chartSpace xmlns="{CHART}" xmlns:a="{DRAWING}"><roundedCorners val="0"/>{before}',
            '<scatterChart><scatterStyle val="lineMarker"/><varyColors val="0"/>',
            *(_series(index, curve, joint) for index, curve in enumerate(curves)),
            f'<axId val="{_AXES[0]}"/><axId val="{_AXES[1]}"/></scatterChart>{after}</chartSpace>',
        ]
    )


_AXES = 10, 20
"""The numbers of the axis across and of the one that goes up."""


def _axis(
    index: int,
    title: str | Label,
    curves: Sequence[Curve],
    lines: str,
    *,
    powers: bool = False,
    ends: str = "",
    after: str = "",
) -> str:
    """An axis that is seen: left unsaid, recent Excel hides it."""
    lowest = min(min((curve.x, curve.y)[index][1]) for curve in curves)
    base, form = "", theme.FAR_BELOW_FORMAT if lowest <= -_FAR_BELOW else theme.AXIS_FORMAT
    if powers:
        base, form = '<logBase val="10"/>', theme.POWER_FORMAT
    return (
        f'<valAx><axId val="{_AXES[index]}"/><scaling>{base}<orientation val="minMax"/>{ends}</scaling>'
        f'<delete val="0"/><axPos val="l"/>{lines}{_title(title) if title else ""}'
        f'<numFmt formatCode="{form}" sourceLinked="0"/><majorTickMark val="out"/><minorTickMark val="none"/>'
        f'<tickLblPos val="low"/><spPr><a:ln>{filled(theme.FAINT)}{SOLID}</a:ln></spPr>'
        f'<crossAx val="{_AXES[1 - index]}"/>{after}</valAx>'
    )


def _unseen_axis(index: int, orientation: str, end: float) -> str:
    return (
        f'<valAx><axId val="{_AXES[index]}"/><scaling><orientation val="{orientation}"/><max val="{end:g}"/>'
        f'<min val="0"/></scaling><delete val="1"/><axPos val="{"bl"[index]}"/><crossAx val="{_AXES[1 - index]}"/>'
        "</valAx>"
    )


def _title(title: str | Label, look: str = "") -> str:
    """What a chart or an axis is called: words, or what a cell says."""
    if isinstance(title, str):
        text = (
            f"<rich><a:bodyPr/><a:p><a:pPr><a:defRPr{look}/></a:pPr><a:r><a:t>{escaped(title)}</a:t></a:r></a:p></rich>"
        )
    else:
        text = _reference(title)
    return f'<title><tx>{text}</tx><overlay val="0"/></title>'


def _reference(label: Label) -> str:
    """What stands in a cell, and what it says now."""
    cell, text = map(escaped, label)
    return f'<strRef><f>{cell}</f><strCache><ptCount val="1"/><pt idx="0"><v>{text}</v></pt></strCache></strRef>'


def _series(number: int, curve: Curve, joint: str) -> str:
    """A curve as XML."""
    dash = f'<a:prstDash val="{curve.dash}"/>{joint}'
    opacity = f'<a:alpha val="{curve.opacity:.0%}"/>'.replace("%", "000") if curve.opacity < 1 else ""
    cap = ' cap="flat"' if joint else ""  # a line without a length is not to be seen
    line = f'<a:ln w="{round(curve.width * EMU_A_POINT)}"{cap}>{filled(curve.colour, opacity)}{dash}</a:ln>'
    if not curve.joined:
        line = f"<a:ln><a:noFill/>{SOLID}</a:ln>"
    marker, symbol = f"<spPr><a:ln>{SOLID}</a:ln></spPr>", curve.marker
    if symbol == "none" and len(curve.x[1]) == 1:
        symbol = "circle"  # a line of one point is not to be seen
    if symbol != "none":
        fill = filled(curve.colour)
        marker = f'<size val="{curve.marker_size}"/><spPr>{fill}<a:ln>{fill}{SOLID}</a:ln></spPr>'
    return (
        f'<ser><idx val="{number}"/><order val="{number}"/><tx>{_reference(curve.label)}</tx>'
        f'<spPr>{line}</spPr><marker><symbol val="{symbol}"/>{marker}</marker>'
        f"<xVal>{_numbers(*curve.x)}</xVal>"
        f'<yVal>{_numbers(*curve.y)}</yVal><smooth val="0"/></ser>'
    )


_TEXT = f'<txPr><a:bodyPr/><a:p><a:pPr><a:defRPr sz="{_LETTERING}"/></a:pPr><a:endParaRPr lang="en"/></a:p></txPr>'
"""How all is lettered that does not say it of itself."""
_NOTHING = "<spPr><a:noFill/><a:ln><a:noFill/></a:ln></spPr>"


_GRID = f"<majorGridlines><spPr><a:ln>{filled('E0E0E0')}{SOLID}</a:ln></spPr></majorGridlines>"
"""The lines that go on from the ticks of an axis."""


def _numbers(reference: str, values: Sequence[float]) -> str:
    """The numbers of a curve as XML: where they stand, and what they are, where there are any."""
    stored = values if len(values) <= _MOST_STORED else ()
    known = [index for index, value in enumerate(stored) if not math.isnan(value)]
    texts = spelled([stored[index] for index in known])
    points = "".join([f'<pt idx="{index}"><v>{text}</v></pt>' for index, text in zip(known, texts, strict=True)])
    cache = f'<numCache><formatCode>{theme.PLAIN_FORMAT}</formatCode><ptCount val="{len(values)}"/>{points}</numCache>'
    return f"<numRef><f>{escaped(reference)}</f>{cache}</numRef>"


def _round_step(distance: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 … that is no smaller than a distance."""
    step = 1
    while step < distance:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step
