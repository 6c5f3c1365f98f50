"""The arrangement of the Walkthrough sheet: where the diagram, the boxes, the chart and the table stand on it."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.boxes import Box, boxes
from xlbackprop.derivation import Derivation
from xlbackprop.diagram import Diagram, diagram
from xlbackprop.layout import COLUMN_SETS, Table, column_letter, compact

COLUMN_WIDTH = 12.0
"""Characters; every column of the sheet has this width."""

_TOP = 4
_CLASSIC_HEADER_ROW = 32
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
        return self.table.header_row - _ROWS_UNDER_THE_BOXES + 2


def arrange(derivation: Derivation, iterations: int, column_set: str) -> Arrangement:
    """Arrange the sheet of a derivation, with the `compact` or the `full` set of columns in its table."""
    picture = diagram(derivation.labels)
    fits_beside = picture.last_column <= 9 and picture.last_row <= 16
    top = _TOP if fits_beside else picture.last_row + 2
    placed = _place(boxes(derivation, compact(derivation)), top, picture.last_row if fits_beside else top - 1)
    bottom = max(box.last_row for box in placed)
    header_row = max(_CLASSIC_HEADER_ROW, bottom + _ROWS_UNDER_THE_BOXES)
    table = Table(derivation, COLUMN_SETS[column_set](derivation), iterations, header_row)
    return Arrangement(picture, placed, table, _TOP, max(box.last_column for box in placed) + 1)


def _place(contents: tuple[Box, ...], top: int, diagram_end: int) -> tuple[PlacedBox, ...]:
    """Let the boxes flow as on the original: 1 and 2 side by side, 3 under 2, 4 under both, the others on the left."""
    forward, links, gradients, *others = contents
    first = PlacedBox(forward, 10, top, max(3, _columns(forward)))
    right = first.last_column + 1
    second = PlacedBox(links, right, top, 6)
    third = PlacedBox(gradients, right, second.last_row + 1, 6)
    width = max(6, _columns(links), _columns(gradients))
    placed = [first, *(PlacedBox(box.box, box.column, box.row, width) for box in (second, third))]
    below = max(box.last_row for box in placed)
    left_end = diagram_end
    for index, box in enumerate(others):
        if index % 3 == 0:
            needed = max(9, _columns(box))
            placed.append(PlacedBox(box, 10, max(below, left_end if index else 0) + 1, needed))
            below = placed[-1].last_row
        else:
            last = index % 3 == 2
            row = max(left_end, below if last else 0) + 1
            placed.append(PlacedBox(box, 3, row, max(13 if last else 6, _columns(box))))
            left_end = placed[-1].last_row
    return tuple(placed)


def _columns(box: Box) -> int:
    longest = max(map(len, (box.title, *box.lines)))
    return -(-longest // int(_CHARACTERS_A_COLUMN))


def address(row: int, column: int) -> str:
    """The address of a cell from its row and column, both counted from 1."""
    return f"{column_letter(column)}{row}"
