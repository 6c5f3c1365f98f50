"""Arrows whose thickness follows a cell: charts of nothing but lines, one over every gap between columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from xlbackprop.ground.grid import column_letter, column_range
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.charts import Curve
from xlbackprop.workbook.xlsx.page import Page

COLUMNS = 6
"""That the points of the arrows over a gap take."""

_SPREAD = (-0.5, 0.5)
"""An arrow is a line, and as many more beside it, which spread as it grows thicker."""
_THICKEST, _STROKE = 5.2, 2.0
"""Pixels over which they spread at the most, and points that each is wide."""
_LANE = 4.6
"""Pixels from the middle of a row: forward above, backward below."""
_END = 2.0
"""Pixels that an arrow keeps from the edges: what a chart has beyond them makes LibreOffice shrink it."""
_HEAD_LENGTH, _HEAD_HALF = 8.0, 3.6
_HEAD = ((0, 0), (0, 1), (1, 0), (0, -1), (0, 0), (1, 0))
"""How the pen goes to fill a head: along the arrow from the neck to the tip, and to its side."""
_ROAD, _ROAD_END = 14.0, 10.0
"""The marking under a pair of arrows: how many points it is wide, and how many pixels it keeps from the edges."""
_OUT_OF_SIGHT = -100.0
"""A place left of every gap."""
_POINTS = 2 * len(_SPREAD) + 1 + len(_HEAD)
_ROWS = _POINTS + 1
"""Of a pair of arrows; an empty one ends its lines."""
_HEADS = ("lit x", "lit y", "forward x", "forward y", "backward x", "backward y")

_Point = tuple[tuple[float, float], tuple[float, float]]
"""Across and down: a place in pixels, and how far it moves as the strength goes from 0 to 1."""


class Strength(Struct, frozen=True):
    """A number from 0 to 1: the absolute address of its cell, and the number."""

    cell: str
    value: float


class Pair(Struct, frozen=True):
    """An arrow forward and one back, between the middles of two rows, in pixels from the top of the gap."""

    start: float
    end: float
    forward: Strength
    backward: Strength
    lit: Strength
    """1 if it is marked, 0 if not."""


class Area(Struct, frozen=True):
    """The cells that the arrows cross, and their size in pixels."""

    row: int
    last_row: int
    column: int
    width: float
    height: float


def put_arrows(page: Page, area: Area, pairs: Sequence[Pair], row: int, column: int, description: str) -> None:
    """Draw the arrows over a gap, with their points in a working whose header stands in a cell."""
    page.heads(row, column, _HEADS)
    values: list[list[float]] = [[] for _ in _HEADS]
    left, right_end = _END, area.width - _END
    for number, pair in enumerate(pairs):
        lines = (
            (_marking(pair, area.width), pair.lit),
            (_arrow((left, pair.start - _LANE), (right_end, pair.end - _LANE)), pair.forward),
            (_arrow((right_end, pair.end + _LANE), (left, pair.start + _LANE)), pair.backward),
        )
        for place, (points, strength) in enumerate(lines):
            cell = (row + 1 + number * _ROWS, column + 2 * place)
            _put_line(page, points, strength, *cell, values[2 * place : 2 * place + 2])
    colours = (
        (theme.LIT_ROAD, _ROAD, theme.LIT_OPACITY),
        (theme.FORWARD, _STROKE, 1.0),
        (theme.BACKWARD, _STROKE, 1.0),
    )
    rows = (row + 1, row + len(pairs) * _ROWS)
    curves = []
    for place, (colour, width, opacity) in zip((0, 2, 4), colours, strict=True):
        x, y = (column_letter(column + place + right) for right in (0, 1))
        across, down = (f"{page.title}!{column_range(letter, *rows)}" for letter in (x, y))
        name = f"{page.title}!${y}${row}"
        xs, ys = values[place : place + 2]
        curves.append(Curve((name, _HEADS[place + 1]), (across, xs), (down, ys), colour, width=width, opacity=opacity))
    chart = charts.lines_chart(curves, area.width, area.height)
    page.drawing.chart(chart, (area.row, area.column, area.last_row, area.column), description)


def _put_line(
    page: Page, points: Iterator[_Point], strength: Strength, row: int, column: int, values: Sequence[list[float]]
) -> None:
    """Put down the points of a line that is not interrupted, one under the other, and add them to all values."""
    letters = [column_letter(column + right) for right in (0, 1)]
    for index, point in enumerate(points, row):
        for letter, (place, move), known in zip(letters, point, values, strict=True):
            base, cell = round(place, 3), f"{letter}{index}"
            if move:
                live = round(move, 3)
                value = base + live * strength.value
                page.formula(cell, f"{base:g}+{live:g}*{strength.cell}", value, theme.HELPER)
            else:
                value = base
                page.number(cell, base, theme.HELPER)
            known.append(value)
    for known in values:
        known += [math.nan] * (_ROWS - len(known) % _ROWS)


def _marking(pair: Pair, width: float) -> Iterator[_Point]:
    """The points of the marking, which is out of sight where nothing is marked."""
    slope = (pair.end - pair.start) / width
    for across in (_ROAD_END, width - _ROAD_END):
        yield (_OUT_OF_SIGHT, across - _OUT_OF_SIGHT), (pair.start + slope * across, 0.0)


def _arrow(tail: tuple[float, float], tip: tuple[float, float]) -> Iterator[_Point]:
    """The points of an arrow that grows thicker with its strength, as a pen goes that is not lifted."""
    (x0, y0), (x1, y1) = tail, tip
    length = math.hypot(x1 - x0, y1 - y0)
    right, down = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - right * _HEAD_LENGTH, y1 - down * _HEAD_LENGTH)
    stretch = length / abs(x1 - x0)  # a steep arrow is as thick across as a level one
    for number, spread in enumerate(_SPREAD):
        for x, y in ((x0, y0), neck) if number % 2 == 0 else (neck, (x0, y0)):
            yield (x, 0.0), (y, spread * _THICKEST * stretch)
    yield (x0, 0.0), (y0, 0.0)
    for ahead, aside in _HEAD:
        far, off = ahead * _HEAD_LENGTH, aside * _HEAD_HALF
        yield (neck[0] + right * far - down * off, 0.0), (neck[1] + down * far + right * off, 0.0)
