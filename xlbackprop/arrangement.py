"""The arrangement of the Walkthrough sheet: where the diagram, the boxes, the chart and the table stand on it."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.boxes import Box, boxes
from xlbackprop.derivation import Derivation
from xlbackprop.diagram import Diagram, diagram
from xlbackprop.layout import COLUMN_SETS, Table, column_letter, compact
from xlbackprop.limits import LEAST_HEADER_ROW

COLUMN_WIDTH = 12.0
"""Characters; every column of the sheet has this width."""

_TOP = 4
_LEFT, _RIGHT = 3, 10
"""The columns C and J, in which the boxes of the original begin."""
_ROWS_UNDER_THE_BOXES = 6
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

    @property
    def note_row(self) -> int:
        return self.table.header_row - _rows_under_the_boxes(self.table.derivation) + 2


def arrange(derivation: Derivation, iterations: int, column_set: str) -> Arrangement:
    """Arrange the sheet of a derivation, with the `compact` or the `full` set of columns in its table."""
    picture = diagram(derivation.labels)
    fits_beside = picture.last_column <= 9 and picture.last_row <= 16
    top = _TOP if fits_beside else picture.last_row + 2
    placed = _place(boxes(derivation, compact(derivation)), top, picture.last_row if fits_beside else top - 1)
    bottom = max(box.last_row for box in placed)
    header_row = max(LEAST_HEADER_ROW, bottom + _rows_under_the_boxes(derivation))
    table = Table(derivation, COLUMN_SETS[column_set](derivation), iterations, header_row)
    return Arrangement(picture, placed, table, _TOP, max(box.last_column for box in placed) + 1)


def _rows_under_the_boxes(derivation: Derivation) -> int:
    return _ROWS_UNDER_THE_BOXES + len(derivation.settings) - 1


def _place(contents: tuple[Box, ...], top: int, diagram_end: int) -> tuple[PlacedBox, ...]:
    """Let the boxes fall as on the original: 1 and 2 side by side, 3 under 2, 4 under both, the others on the left."""
    forward, links, gradients, *others = contents
    placed = [PlacedBox(forward, _RIGHT, top, max(3, _columns(forward)))]
    beside = placed[0].last_column + 1
    width = max(6, _columns(links), _columns(gradients))
    for box in (links, gradients):
        placed.append(_dropped(box, beside, width, top, placed))
    for index, box in enumerate(others):
        column, width = ((_RIGHT, 9), (_LEFT, 6), (_LEFT, 13))[index % 3]
        start = top if column == _RIGHT else diagram_end + 1
        placed.append(_dropped(box, column, max(width, _columns(box)), start, placed))
    return tuple(placed)


def _dropped(box: Box, column: int, columns: int, top: int, placed: list[PlacedBox]) -> PlacedBox:
    """The box in the first row, from `top` on, that is below everything already standing over its columns."""
    over = [other.last_row for other in placed if other.column < column + columns and column <= other.last_column]
    return PlacedBox(box, column, max([top, *(row + 1 for row in over)]), columns)


def _columns(box: Box) -> int:
    longest = max(map(len, (box.title, *box.lines)))
    return -(-longest // int(_CHARACTERS_A_COLUMN))


def address(row: int, column: int) -> str:
    """The address of a cell from its row and column, both counted from 1."""
    return f"{column_letter(column)}{row}"
