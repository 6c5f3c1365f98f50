"""The arrangement of the Walkthrough sheet: where the diagram, the boxes, the chart and the table stand on it."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.derivation import Derivation
from xlbackprop.walkthrough.boxes import Box, boxes
from xlbackprop.walkthrough.diagram import Diagram, diagram
from xlbackprop.walkthrough.table import COLUMN_SETS, Table, compact

LEAST_HEADER_ROW = 32
"""The header of the table never stands higher."""

COLUMN_WIDTH = 12.0
"""Characters; every column of the sheet has this width."""

_TOP = 4
_LEFT, _RIGHT = 3, 10
"""The columns C and J, in which the boxes of the original begin."""
FREE_ROWS = 4
_ROWS_UNDER_THE_BOXES = FREE_ROWS + 2
"""Also a row for η, and the header."""
_CHART_ROWS = 26
_LEAST_CHART_ROWS = 18
_SCREEN = 16
"""Columns; what stands further right than these is not seen at once."""
_CHARACTERS_A_COLUMN = 13.0
"""Letters are narrower on average than the digits in which widths are counted."""


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
        """The rows between the boxes and what the training is set by, for the note and a chart beside η."""
        end = self.table.header_row - len(self.table.derivation.settings)
        return range(end - FREE_ROWS, end)


def arrange(derivation: Derivation, iterations: int, column_set: str) -> Arrangement:
    """Arrange the sheet of a derivation, with the `compact` or the `full` set of columns in its table."""
    picture = diagram(derivation.names)
    contents = boxes(derivation, compact(derivation))
    chart_row, chart_column, chart_last_row = _TOP, picture.last_column + 1, _TOP + _CHART_ROWS
    if picture.last_column <= 9 and picture.last_row <= 16:
        placed = _beside(contents, picture.last_row + 1)
        chart_column = max(box.last_column for box in placed) + 1
    elif chart_column < _SCREEN:
        chart_last_row = min(chart_last_row, max(picture.last_row, _TOP + _LEAST_CHART_ROWS))
        placed = _below(contents, max(picture.last_row, chart_last_row) + 2)
    else:
        placed = _below(contents, picture.last_row + 2)
        chart_row, chart_column = placed[0].row, max(box.last_column for box in placed) + 1
        chart_last_row = chart_row + _LEAST_CHART_ROWS
    bottom = max(box.last_row for box in placed) + _rows_under_the_boxes(derivation)
    header_row = max(LEAST_HEADER_ROW, chart_last_row + 2, bottom)
    table = Table(derivation, COLUMN_SETS[column_set](derivation), iterations, header_row)
    return Arrangement(picture, placed, table, chart_row, chart_column, chart_last_row)


def _rows_under_the_boxes(derivation: Derivation) -> int:
    return _ROWS_UNDER_THE_BOXES + len(derivation.settings) - 1


def _beside(contents: tuple[Box, ...], left_top: int) -> tuple[PlacedBox, ...]:
    """Let the boxes fall as on the original: 1 and 2 side by side, 3 under 2, 4 under both, the others on the left."""
    forward, links, gradients, *others = contents
    placed = [PlacedBox(forward, _RIGHT, _TOP, max(3, _columns(forward)))]
    beside = placed[0].last_column + 1
    width = max(6, _columns(links), _columns(gradients))
    for box in (links, gradients):
        placed.append(_dropped(box, beside, width, _TOP, placed))
    for index, box in enumerate(others):
        column, width, top = ((_RIGHT, 9, _TOP), (_LEFT, 6, left_top), (_LEFT, 13, left_top))[index % 3]
        placed.append(_dropped(box, column, max(width, _columns(box)), top, placed))
    return tuple(placed)


def _below(contents: tuple[Box, ...], top: int) -> tuple[PlacedBox, ...]:
    """Let the boxes fall in two stacks under the diagram, each where there is room first, 2 beside 1 and 3 under 2."""
    forward, links, gradients, *others = contents
    left, right = (max(6, *map(_columns, (*stack, *others))) for stack in ((forward,), (links, gradients)))
    placed: list[PlacedBox] = []
    for box in contents:
        stacks = [(_LEFT, left), (_LEFT + left, right)]
        if box in (forward, links, gradients):
            stacks = stacks[:1] if box is forward else stacks[1:]
        choices = (_dropped(box, column, columns, top, placed) for column, columns in stacks)
        placed.append(min(choices, key=lambda choice: choice.row))
    return tuple(placed)


def _dropped(box: Box, column: int, columns: int, top: int, placed: list[PlacedBox]) -> PlacedBox:
    """The box in the first row, from `top` on, that is below everything already standing over its columns."""
    over = [other.last_row for other in placed if other.column < column + columns and column <= other.last_column]
    return PlacedBox(box, column, max([top, *(row + 1 for row in over)]), columns)


def _columns(box: Box) -> int:
    longest = max(map(len, (box.title, *box.lines)))
    return -(-longest // int(_CHARACTERS_A_COLUMN))
