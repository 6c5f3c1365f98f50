"""The arrangement of the Walkthrough sheet: where the diagram, the boxes, the chart and the table stand on it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.walkthrough.boxes import Box, boxes
from xlbackprop.walkthrough.diagram import Diagram, diagram
from xlbackprop.walkthrough.table import COLUMN_SETS, Table, compact

LEAST_HEADER_ROW = 32
"""The header of the table never stands higher."""

COLUMN_WIDTH = 11.4
"""Characters; every column of the sheet has this width."""

_TOP = 4
_LEFT, _RIGHT = 3, 10
"""The columns C and J, in which the boxes of the original begin."""
FREE_ROWS = 4
_LAST_ROW_OF_BOXES = LEAST_HEADER_ROW - FREE_ROWS - 2
"""Over the free rows and η, if the header stands as high as it can."""
_CHART_ROWS = 26
_LEAST_CHART_ROWS, _LEAST_CHART_COLUMNS = 18, 5
_MOST_ON_A_SCREEN = 36
"""The lowest header over which network, boxes and η are one screen, if everything is shown somewhat smaller."""
SCREEN = 16.5
"""Columns; what stands further right than these is not seen at once."""
_TO_SPARE = 0.5
_SURELY_SEEN = 14
"""Columns that are seen at once even where the sheet opens no smaller for its boxes."""
_CHARACTERS_A_COLUMN = 14.0
"""Letters are narrower on average than the digits in which widths are counted, even in a wide font."""


class PlacedBox(Struct, frozen=True):
    """A box and the cells it takes: from its top left one, over as many columns and rows as its text needs."""

    box: Box
    column: int
    row: int
    columns: int

    @property
    def last_row(self) -> int:
        return self.row + len(self.box.lines)

    @property
    def last_column(self) -> int:
        return self.column + self.columns - 1

    @property
    def width(self) -> float:
        """How many columns of the sheet it takes to read it, in whatever font."""
        return self.column - 1 + (_longest(self.box) + 1) / _CHARACTERS_A_COLUMN


class Arrangement(Struct, frozen=True):
    """The whole of the sheet, in addresses. For a 2-2-2 network they are those of the original."""

    diagram: Diagram
    boxes: tuple[PlacedBox, ...]
    table: Table
    chart_row: int
    chart_column: int
    chart_last_row: int

    @property
    def free_rows(self) -> range:
        """The rows over what the training is set by, for the note and a chart beside η."""
        end = self.table.settings_row + 1 - len(self.table.derivation.settings)
        return range(end - FREE_ROWS, end)

    @property
    def width(self) -> float:
        """How many columns of the sheet it takes to read the network and its boxes, in whatever font."""
        return max(self.diagram.last_column, *(box.width for box in self.boxes))

    @property
    def shows_the_loss(self) -> bool:
        """Whether the chart stands on the first screen, beside the network."""
        return self.chart_row == _TOP and self.chart_column + _LEAST_CHART_COLUMNS <= _SURELY_SEEN


def arrange(derivation: Derivation, iterations: int, column_set: str) -> Arrangement:
    """Arrange the sheet of a derivation, with the `compact` or the `full` set of columns in its table.

    The boxes stand around a small network, over η and the table. Those of others take more than a screen: there η comes
    first, under the network.
    """
    picture = diagram(derivation.names)
    contents = boxes(derivation, compact(derivation))

    def arranged(
        placed: tuple[PlacedBox, ...], chart: tuple[int, int, int], header_row: int, settings_row: int
    ) -> Arrangement:
        columns = COLUMN_SETS[column_set](derivation)
        return Arrangement(picture, placed, Table(derivation, columns, iterations, header_row, settings_row), *chart)

    if picture.last_column <= 9 and picture.last_row <= 16:
        top = picture.last_row + 1
        loose, tight = (_around(contents, top, is_tight=is_tight) for is_tight in (False, True))
        choices = [
            (placed, header_row)
            for placed, most in (
                (loose, LEAST_HEADER_ROW),
                (_side_by_side(contents, top), _MOST_ON_A_SCREEN),
                (tight, _MOST_ON_A_SCREEN),
            )
            if (header_row := max(LEAST_HEADER_ROW, _bottom(placed) + FREE_ROWS + len(derivation.settings) + 1)) <= most
        ]
        seen = (choice for choice in choices if _fits_a_screen(choice[0]))
        if choice := next(seen, None):
            placed, header_row = choice
            chart = (_TOP, max(box.last_column for box in placed) + 1, _TOP + _CHART_ROWS)
            return arranged(placed, chart, header_row, header_row - 1)
    chart_column, chart_last_row = picture.last_column + 1, max(picture.last_row, _TOP + _LEAST_CHART_ROWS)
    has_room = chart_column + _LEAST_CHART_COLUMNS <= _SURELY_SEEN
    top = chart_last_row if has_room else picture.last_row
    settings_row = top + FREE_ROWS + len(derivation.settings)
    placed = _below(contents, settings_row + 2)
    chart = (_TOP, chart_column, chart_last_row)
    if not has_room:
        chart = (placed[0].row, max(box.last_column for box in placed) + 1, placed[0].row + _LEAST_CHART_ROWS)
    header_row = max(LEAST_HEADER_ROW, chart[2] + 2, _bottom(placed) + 2)
    return arranged(placed, chart, header_row, settings_row)


def _fits_a_screen(placed: tuple[PlacedBox, ...]) -> bool:
    return max(box.width for box in placed) <= SCREEN


def _is_far_right(box: PlacedBox) -> bool:
    """Whether a box that could stand elsewhere ends so near the edge of a screen that wide letters would be cut off."""
    return box.width > SCREEN - _TO_SPARE


def _bottom(placed: tuple[PlacedBox, ...]) -> int:
    return max(box.last_row for box in placed)


def _around(contents: tuple[Box, ...], left_top: int, *, is_tight: bool) -> tuple[PlacedBox, ...]:
    """Let the boxes fall as on the original: 1 and 2 side by side, 3 under 2, 4 under both, the others on the left.

    Args:
        is_tight: let the others fall on the right, too, where they would end too low on the left.
    """
    forward, links, gradients, *others = contents
    placed = [PlacedBox(forward, _RIGHT, _TOP, max(3, _columns(forward)))]
    second = placed[0].last_column + 1
    width = max(6, _columns(links), _columns(gradients))
    for box in (links, gradients):
        placed.append(_dropped(box, second, width, _TOP, placed))
    right, left, wide = (_RIGHT, 9, _TOP), (_LEFT, 6, left_top), (_LEFT, 13, left_top)
    for index, box in enumerate(others):
        places = (left, right) if is_tight and index else ((right, left, wide)[index % 3],)
        choices = [_dropped(box, column, max(width, _columns(box)), top, placed) for column, width, top in places]
        above = (choice for choice in choices if choice.last_row <= _LAST_ROW_OF_BOXES)
        placed.append(next(above, min(choices, key=lambda choice: (choice.width > SCREEN, choice.row))))
    return tuple(placed)


def _side_by_side(contents: tuple[Box, ...], left_top: int) -> tuple[PlacedBox, ...]:
    """Let the boxes fall in two stacks: 1 to 3 beside the diagram, the others there or under it."""
    left, right = (_LEFT, _RIGHT - _LEFT, left_top), (_RIGHT, max(6, *map(_columns, contents[:3])), _TOP)
    placed: list[PlacedBox] = []
    for index, box in enumerate(contents):
        stacks = [right] if index < 3 else [left, right]
        placed.append(stacked([(box, (at, max(wide, _columns(box)), top)) for at, wide, top in stacks], placed))
    return tuple(placed)


def _below(contents: tuple[Box, ...], top: int) -> tuple[PlacedBox, ...]:
    """Let the boxes fall in two stacks under the diagram, each where there is room first, 2 beside 1 and 3 under 2.

    Stacks as wide as their widest boxes, if a screen shows both; else as wide as box 1 and as boxes 2 and 3, over which
    wider ones lie across; or one stack, if no screen shows even these.
    """
    forward, others = contents[0], contents[3:]
    wide = _stacked(contents, top, max(6, *map(_columns, (forward, *others))))
    narrow = _stacked(contents, top, max(6, _columns(forward)))
    alone = _stacked(contents, top, 0)
    return next((placed for placed in (wide, narrow) if not any(map(_is_far_right, placed))), alone)


def _stacked(contents: tuple[Box, ...], top: int, left: int) -> tuple[PlacedBox, ...]:
    """Boxes in two stacks under a diagram, of which the first is so many columns wide, or in one if it has none."""
    first, second = (_LEFT, left, top), (_LEFT + left, 6, top)
    placed: list[PlacedBox] = []
    for index, box in enumerate(contents):
        stacks = [first] if index == 0 else [second] if index < 3 else [first, second]
        choices = [_dropped(box, at, max(width, _columns(box)), top, placed) for at, width, top in stacks]
        placed.append(min(choices, key=lambda choice: (_is_far_right(choice), choice.last_row)))
    return tuple(placed)


Stack = tuple[int, int, int]
"""Where boxes stand one under the other: the first column, how many columns, and the first row."""


def stacked(choices: Iterable[tuple[Box, Stack]], placed: list[PlacedBox]) -> PlacedBox:
    """A box in that stack in which it ends highest, as it is written there."""
    return min((_dropped(box, *stack, placed) for box, stack in choices), key=lambda box: box.last_row)


def _dropped(box: Box, column: int, columns: int, top: int, placed: list[PlacedBox]) -> PlacedBox:
    """The box in the first row, from `top` on, that is below everything already standing over its columns."""
    over = [other.last_row for other in placed if other.column < column + columns and column <= other.last_column]
    return PlacedBox(box, column, max([top, *(row + 1 for row in over)]), columns)


def _columns(box: Box) -> int:
    return math.ceil(_longest(box) / _CHARACTERS_A_COLUMN)


def _longest(box: Box) -> int:
    return max(map(len, (box.title, *box.lines)))
