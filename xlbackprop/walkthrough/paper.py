"""The arrangement on paper: diagram and boxes closer together than on the screen, so that print stays legible."""

from __future__ import annotations

import textwrap
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.network import short_label
from xlbackprop.walkthrough.arrangement import Arrangement, PlacedBox, stacked
from xlbackprop.walkthrough.boxes import Box
from xlbackprop.walkthrough.diagram import TOP_ROW, Diagram

PAPER_WIDTH = 143.0
"""Characters, over all columns: as many as a landscape page of A4 or Letter takes without print under 8 points, also in
a font as wide as DejaVu Sans."""
_GAP_WIDTH, _NARROWEST_GAP = 4.0, 2.4
"""Of a column of arrows, where the page is wide enough and at the least."""
_LETTER_WIDTH, _NARROWEST_LETTER, _NUMBER = 0.97, 0.88, len(" = −0.1234")
"""Of a node's text, likewise in a font as wide as DejaVu Sans, and the letters of its number."""
_TO_SPARE = 1.0
_WIDEST_SIDE_BY_SIDE = 0.68
"""A network that takes more than this share of the page has all boxes under it."""
_FILLER_WIDTH = 20.0
"""At the least, of a column that holds nothing but boxes."""
_CHARACTERS_A_UNIT = 1.15
"""Letters to a unit of width, for fonts that are wider than the theme's."""


_HELD = "_−_"
"""No line ends within a bracket such as (1 − a_o1)."""


class Paper(Struct, frozen=True):
    """Where the network and the boxes stand, in a part of the sheet of their own."""

    diagram: Diagram
    boxes: tuple[PlacedBox, ...]
    widths: tuple[float, ...]
    """Of the columns, in characters, from the first one on."""
    page_columns: int
    """How many of them fit the first page; the boxes stand on that."""
    last_row: int


def on_paper(arrangement: Arrangement, row: int) -> Paper:
    """Arrange the network and the boxes of a sheet once more, from a row on."""
    picture = arrangement.diagram
    columns, letters = range(1, picture.last_column + 1), dict[int, int]()
    for node in picture.nodes:
        letters[node.column] = max(letters.get(node.column, 0), len(short_label(node.name)) + _NUMBER)
    gaps, taken = picture.last_column - len(letters), sum(letters.values())
    gap = max(_NARROWEST_GAP, min(_GAP_WIDTH, (PAPER_WIDTH - _NARROWEST_LETTER * taken) / max(1, gaps)))
    letter = max(_NARROWEST_LETTER, min(_LETTER_WIDTH, (PAPER_WIDTH - gap * gaps) / taken))
    widths = [letter * letters[column] if column in letters else gap for column in columns]
    network = len(widths)
    is_side_by_side = sum(widths) <= _WIDEST_SIDE_BY_SIDE * PAPER_WIDTH
    free = PAPER_WIDTH - sum(widths)
    if fillers := max(0, int(free // _FILLER_WIDTH)):
        widths += [int(free / fillers * 10) / 10] * fillers
    moved = _moved(picture, row - TOP_ROW)
    under = max(node.row for node in moved.nodes) + 2
    split = network if is_side_by_side else sum(width <= PAPER_WIDTH / 2 for width in accumulate(widths))
    within = sum(width <= PAPER_WIDTH + _TO_SPARE for width in accumulate(widths))
    halves = (widths[:split], widths[split:within])
    stacks = ((1, split, under), (1 + split, within - split, row if is_side_by_side else under))
    placed: list[PlacedBox] = []
    for each in arrangement.boxes:
        boxes = [_wrapped(each.box, sum(half)) for half in halves]
        placed.append(stacked(zip(boxes, stacks, strict=True), placed))
    return Paper(moved, tuple(placed), tuple(widths), within, max([under - 1, *(box.last_row for box in placed)]))


def _moved(picture: Diagram, rows: int) -> Diagram:
    """A diagram that begins some rows further down."""
    nodes = {node: replace(node, row=node.row + rows) for node in picture.nodes}
    arrows = (replace(arrow, start=nodes[arrow.start], end=nodes[arrow.end]) for arrow in picture.arrows)
    return Diagram(picture.titles, tuple(nodes.values()), tuple(arrows))


def _wrapped(box: Box, width: float) -> Box:
    """A box whose lines fit a width."""
    longest = int(width * _CHARACTERS_A_UNIT) - 2
    lines: list[str] = []
    for line in box.lines:
        if len(line) <= longest:
            lines.append(line)
        else:
            parts = textwrap.wrap(line.replace(" − ", _HELD), longest, subsequent_indent=" " * 6)
            lines += (part.replace(_HELD, " − ") for part in parts)
    return replace(box, lines=tuple(lines))
