"""Array formulas: what each of their cells shows, as a formula of that cell alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from xlbackprop.checker.file.cells import Cell
from xlbackprop.checker.file.formula import (
    CellFormula,
    FormulaReader,
    Node,
    UnsupportedError,
    parts,
    with_parts,
    written,
)
from xlbackprop.ground.grid import Coordinates, column_number

MOST_CELLS_OF_AN_ARRAY = 2_500
_BLOCK = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6}):([A-Z]{1,3})([1-9]\d{0,6})")
_WIDEST_PRODUCT = 40
"""Terms of an element of a matrix product that are written out."""
_ELEMENTWISE = frozenset(["EXP", "LN", "LOG10", "LOG", "SQRT", "ABS", "SIGN", "TANH", "SINH", "COSH"]) | frozenset(
    ["SIN", "COS", "ATAN", "INT", "ROUND", "POWER", "MOD", "IF", "N", "IFERROR"]
)
"""Functions that give an array for an array."""
_ONE_NUMBER = frozenset(
    ["SUM", "AVERAGE", "MAX", "MIN", "MEDIAN", "PRODUCT", "COUNT", "SUMSQ", "SUMPRODUCT", "SUMXMY2", "SUMX2MY2", "PI"]
)
"""Functions that give one number for all of an array."""

Shape = tuple[int, int]


def elements(formulas: FormulaReader, text: str, block: str) -> Iterator[tuple[Coordinates, CellFormula]]:
    """The formula of each cell that an array formula fills, read as if it stood in that cell alone.

    None for a block of one cell, which is an ordinary formula, and for one too large to be followed.

    Args:
        formulas: what reads them.
        text: the array formula, without its equals sign.
        block: the cells that it fills, such as `A1:B2`.
    """
    corners = _BLOCK.fullmatch(block)
    if corners is None or not text:
        return
    first = int(corners[2]), column_number(corners[1])
    last = int(corners[4]), column_number(corners[3])
    rows, columns = last[0] - first[0] + 1, last[1] - first[1] + 1
    if rows < 1 or columns < 1 or not 1 < rows * columns <= MOST_CELLS_OF_AN_ARRAY:
        return
    text = formulas.unnamed(text)
    whole = formulas.read(text, *first)
    for down in range(rows):
        for across in range(columns):
            place = first[0] + down, first[1] + across
            try:
                if whole.tree is None:
                    raise UnsupportedError
                array = _Array(whole, first)
                own = written(array.element(whole.tree, down, across), array.leaf)
            except UnsupportedError:
                own = f"INDEX({text},{down + 1},{across + 1})"
            yield place, formulas.read(own, *place)


def fill(cells: dict[Coordinates, Cell], formulas: FormulaReader, arrays: Mapping[str, str]) -> dict[Coordinates, str]:
    """Give every cell that an array formula fills the formula of that cell alone; what stands in the filled ones.

    Args:
        cells: those of the sheet.
        formulas: what reads them.
        arrays: the array formulas by the cells that they fill; see `elements`.
    """
    filled: dict[Coordinates, str] = {}
    for block, text in arrays.items():
        for place, rule in elements(formulas, text, block):
            cells[place] = Cell(cells[place].value if place in cells else None, formula=rule)
            filled[place] = f"{{={text}}}"
    return filled


def has_array(node: Node, is_inside: bool = False) -> bool:
    """Whether a formula calculates with whole ranges, as SUMPRODUCT(A1:A3,LN(B1:B3)) does, not with their cells alone.

    Args:
        node: its tree, or a part of it.
        is_inside: whether the part stands in such a calculation.
    """
    if node[0] == "range":
        return is_inside
    is_inside = node[1] in _ELEMENTWISE if node[0] == "call" else bool(parts(node))
    return any(has_array(part, is_inside) for part in parts(node))


class _Array:
    """An array formula, element by element; a reference becomes `("cell", row, column)` of its range."""

    def __init__(self, formula: CellFormula, place: Coordinates) -> None:
        self._formula = formula
        self._place = place

    def _corner(self, index: int) -> Coordinates:
        _, row, column = self._formula.references[index].at("", *self._place)
        return row, column

    def _shape(self, node: Node) -> Shape:
        match node[0]:
            case "range":
                (top, left), (bottom, right) = self._corner(node[1]), self._corner(node[2])
                return bottom - top + 1, right - left + 1
            case "call" if node[1] == "TRANSPOSE" and len(node[2]) == 1:
                rows, columns = self._shape(node[2][0])
                return columns, rows
            case "call" if node[1] == "MMULT" and len(node[2]) == 2:
                return self._shape(node[2][0])[0], self._shape(node[2][1])[1]
            case "name":  # it stands for no cells
                raise UnsupportedError
            case "call" if node[1] in _ONE_NUMBER:
                return 1, 1
            case "call" if node[1] not in _ELEMENTWISE:
                raise UnsupportedError
            case _:
                shapes = [(1, 1), *map(self._shape, parts(node))]
                return max(rows for rows, _ in shapes), max(columns for _, columns in shapes)

    def element(self, node: Node, row: int, column: int) -> Node:
        """What an array is in one of its rows and columns, counted from 0.

        Raises:
            UnsupportedError: it cannot be written without the array.
        """
        rows, columns = self._shape(node)
        row, column = row if rows > 1 else 0, column if columns > 1 else 0
        if row >= rows or column >= columns:
            raise UnsupportedError
        match node[0]:
            case "range":
                return ("cell", node[1], row, column)
            case "call" if node[1] == "TRANSPOSE":
                return self.element(node[2][0], column, row)
            case "call" if node[1] == "MMULT":
                left, right = node[2]
                terms = self._shape(left)[1]
                if terms != self._shape(right)[0] or terms > _WIDEST_PRODUCT:
                    raise UnsupportedError
                total = None
                for index in range(terms):
                    term = ("*", self.element(left, row, index), self.element(right, index, column))
                    total = term if total is None else ("+", total, term)
                assert total is not None
                return total
            case "call" if node[1] in _ONE_NUMBER:
                return node
            case _:
                return with_parts(node, tuple(self.element(part, row, column) for part in parts(node)))

    def leaf(self, node: Node) -> str:
        """A reference as it is written in every cell of the array."""
        match node[0]:
            case "cell":
                first = self._formula.references[node[1]]
                moved = replace(first, row=first.row + node[2], column=first.column + node[3])
                return moved.written(*self._place)
            case "ref":
                return self._formula.references[node[1]].written(*self._place)
            case "range":
                ends = (self._formula.references[index].written(*self._place) for index in node[1:])
                return ":".join(ends)
            case _:
                return str(node[1])
