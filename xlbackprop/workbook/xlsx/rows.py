"""The rows of a sheet as XML: single cells, and long runs of rows out of a template."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby, islice

import numpy as np
from msgspec import Struct, json

from xlbackprop.engine import Array
from xlbackprop.ground.grid import column_letter
from xlbackprop.ground.progress import Listener
from xlbackprop.symbols import Piece
from xlbackprop.workbook.xlsx.drawing import Drawing
from xlbackprop.workbook.xlsx.frame import Frame
from xlbackprop.workbook.xlsx.spelling import escaped, literal, text_element

Value = float | str | bool

_ROWS_A_CHUNK = 512
_NO_NUMBER = "a number that is infinite, or none, cannot stand in a spreadsheet cell"
_SMALLEST = float(np.finfo(float).smallest_normal)
USUAL_WIDTH = 13.0
"""Characters."""
_HIDDEN = ' hidden="1"'
_ROW = "\0"
"""Stands for the number of the row in a template."""


class Style(Struct, frozen=True):
    """How a cell looks: the number under which the workbook keeps it, and its font as the pieces of a text have it."""

    number: int
    font: str
    subscript_font: str


class Calculation(Struct, frozen=True):
    """A formula (without its equals sign) and the value it has now."""

    formula: str
    value: Value


class Column(Struct):
    """How wide a column is, in characters, and whether it is hidden."""

    width: float = USUAL_WIDTH
    is_hidden: bool = False


class Cell(Struct):
    """One cell: how it looks and what is in it, where a text may be in pieces with subscripts."""

    address: str
    style: Style
    content: Value | tuple[Piece, ...] | Calculation | None = None


class BlockColumn(Struct, frozen=True):
    """One column of a block: the style number and the formula of its cells, with `{row}` and `{above}` in it.

    Without a formula its cells are the reader's to change.
    """

    style: int
    formula: str | None
    values: Array
    """Shape (rows,)."""


class Block(Struct, frozen=True):
    """Rows that differ in their row numbers and values only; single cells may stand beside them, not among them."""

    first_row: int
    columns: Sequence[BlockColumn]
    first_column: int

    @property
    def rows(self) -> range:
        """The numbers of the rows that it takes."""
        return range(self.first_row, self.first_row + len(self.columns[0].values))


class SheetContent(Struct, frozen=True):
    """A sheet as the writer takes it: its frame, its cells, its blocks of rows, its drawing."""

    frame: Frame
    cells: Mapping[tuple[int, int], Cell]
    """By row and column."""
    drawing: Drawing
    blocks: Sequence[Block]
    heights: Mapping[int, float]
    """Of the rows that are not as high as usual, in points."""
    columns: Mapping[int, Column]
    """Those that are not as usual."""
    table: tuple[str, str, Sequence[str]] | None
    """The name of a table in Excel's sense, its cells, and what its columns are called."""

    def numerals(self) -> list[str]:
        """The addresses of texts that Excel would mark as numbers in the wrong place."""
        return [
            cell.address for cell in self.cells.values() if isinstance(cell.content, str) and _is_numeral(cell.content)
        ]


def columns_of(columns: Mapping[int, Column]) -> str:
    """The columns of a sheet as XML."""
    content = "".join(
        [
            f'<col{_HIDDEN * each.is_hidden} width="{each.width:.15g}" customWidth="1" min="{index}" max="{index}"/>'
            for index, each in sorted(columns.items())
        ]
    )
    return f"<cols>{content}</cols>" if content else ""


def rows_of(content: SheetContent, listener: Listener) -> Iterator[bytes]:
    """The rows of a sheet as XML, many at a time: in each row its single cells and the cells of the blocks there.

    They are encoded one by one: most have no letter that takes more than a byte, and those are many times as fast.
    """
    singles: dict[int, list[tuple[int, Cell]]] = {row: [] for row in content.heights}
    for (row, column), cell in content.cells.items():
        singles.setdefault(row, []).append((column, cell))
    blocks, shared = [], 0
    for block in content.blocks:
        blocks.append((block.rows, block.first_column, _block_cells(block, shared)))
        shared += len(block.columns)
    numbers = (row for row, _ in groupby(merge(sorted(singles), *{block.rows for block in content.blocks})))
    last = max([*singles, *(block.rows[-1] for block in content.blocks)], default=0)
    while chunk := list(islice(numbers, _ROWS_A_CHUNK)):
        yield b"".join([_row(row, content.heights.get(row), singles.get(row, ()), blocks).encode() for row in chunk])
        listener(f"writing {content.frame.title}", chunk[-1], last)


def _is_numeral(text: str) -> bool:
    if text[-1:].isalpha():  # most texts; a failing float takes a microsecond
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _row(
    row: int,
    height: float | None,
    singles: Iterable[tuple[int, Cell]],
    blocks: Iterable[tuple[range, int, Iterator[str]]],
) -> str:
    pieces = [(column, _cell(cell)) for column, cell in singles]
    pieces += [(column, next(cells)) for rows, column, cells in blocks if row in rows]
    attributes = "" if height is None else f' ht="{height:.15g}" customHeight="1"'
    return f'<row r="{row}"{attributes}>{"".join([piece for _, piece in sorted(pieces)])}</row>'


def _cell(cell: Cell) -> str:
    start = f'<c r="{cell.address}" s="{cell.style.number}"'
    match cell.content:
        case None:
            return f"{start}/>"
        case Calculation(formula, value):
            kind, result = _typed(value)
            return f"{start}{kind}><f>{escaped(formula)}</f><v>{result}</v></c>"
        case str(text):
            return f'{start} t="inlineStr"><is>{text_element(text)}</is></c>'
        case tuple(pieces):
            return f'{start} t="inlineStr"><is>{"".join(_run(piece, cell.style) for piece in pieces)}</is></c>'
        case value:
            kind, result = _typed(value)
            return f"{start}{kind}><v>{result}</v></c>"


def _run(piece: Piece, style: Style) -> str:
    return f"<r>{style.subscript_font if piece.subscript else style.font}{text_element(piece.text)}</r>"


def _block_cells(block: Block, first_shared: int) -> Iterator[str]:
    """The cells of a block, row by row: formulas in the first, then a template filled with row numbers and values.

    A formula is written once, and all rows of its column share it, which halves the file and the time of writing it.
    The shared formulas of a sheet are counted; those of this block begin at `first_shared`.
    """
    first, others = [], []
    for index, column in enumerate(block.columns):
        letter = column_letter(block.first_column + index)
        opening, number = f'<c r="{letter}{_ROW}" s="{column.style}">', f'si="{first_shared + index}"'
        if column.formula is None:
            first.append(f"{opening}<v>%s</v></c>")
            others.append(first[-1])
            continue
        formula = escaped(column.formula.format(row=block.first_row, above=block.first_row - 1)).replace("%", "%%")
        reference = f"{letter}{block.rows[0]}:{letter}{block.rows[-1]}"
        first.append(f'{opening}<f t="shared" ref="{reference}" {number}>{formula}</f><v>%s</v></c>')
        others.append(f'{opening}<f t="shared" {number}/><v>%s</v></c>')
    template, others_template = "".join(first), "".join(others)
    for start in range(0, len(block.rows), _ROWS_A_CHUNK):
        columns = [column.values[start : start + _ROWS_A_CHUNK] for column in block.columns]
        numbers = spelled(np.column_stack(columns).ravel())
        for row, place in enumerate(range(0, len(numbers), len(columns)), block.first_row + start):
            yield template.replace(_ROW, str(row)) % tuple(numbers[place : place + len(columns)])
            template = others_template


def _typed(value: Value) -> tuple[str, str]:
    """The type attribute and the text of a value."""
    match value:
        case bool():
            return ' t="b"', str(int(value))
        case str():
            return ' t="str"', escaped(literal(value))
        case _:
            if not math.isfinite(value):
                raise ValueError(_NO_NUMBER)
            number = value.item() if isinstance(value, np.generic) else value
            return "", repr(number if abs(number) >= _SMALLEST else type(number)(0))


def spelled(values: Sequence[float] | Array) -> list[str]:
    """The texts of many numbers: each says exactly what Python's own would, and takes a quarter of the time.

    What has no bits of its own to say, minus zero and what is nearer to zero than a spreadsheet can tell, is 0.

    Raises:
        ValueError: one of them is infinite or no number, which cannot stand in a spreadsheet.
    """
    numbers = np.asarray(values, dtype=float)
    if not np.isfinite(numbers).all():
        raise ValueError(_NO_NUMBER)
    numbers = np.where(np.abs(numbers) < _SMALLEST, 0.0, numbers)
    return json.encode(numbers.tolist()).decode()[1:-1].split(",") if len(numbers) else []
