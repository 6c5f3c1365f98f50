"""A matrix on a sheet: where its cells stand, and which row and which column of two matrices make a cell of a third."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from xlbackprop.ground.grid import address, column_letter


class Matrix(Struct, frozen=True):
    """The cells of a matrix, below a row and to the right of a column of labels; rows and columns count from 0."""

    label_row: int
    label_column: int
    rows: int
    columns: int

    @property
    def last_row(self) -> int:
        return self.label_row + self.rows

    @property
    def last_column(self) -> int:
        return self.label_column + self.columns

    def cell(self, row: int, column: int) -> str:
        """The address of a cell."""
        return address(self.label_row + 1 + row, self.label_column + 1 + column)

    def along_row(self, row: int, count: int) -> str:
        """The first cells of a row, such as `$B10:$D10`."""
        first, last = (column_letter(self.label_column + index) for index in (1, count))
        number = self.label_row + 1 + row
        return f"${first}{number}:${last}{number}"

    def down_column(self, column: int, count: int) -> str:
        """The first cells of a column, such as `F$5:F$7`."""
        letter = column_letter(self.label_column + 1 + column)
        return f"{letter}${self.label_row + 1}:{letter}${self.label_row + count}"

    def all_cells(self) -> str:
        """The range of all cells, with dollar signs."""
        first, last = (column_letter(self.label_column + index) for index in (1, self.columns))
        return f"${first}${self.label_row + 1}:${last}${self.last_row}"


def product(left: Matrix, row: int, right: Matrix, column: int, count: int) -> str:
    """The formula, without its equals sign, of one cell of a product, over the first `count` factors.

    The product is one number, and SUM takes it out of its matrix: of a function that gives a matrix, alone in a cell,
    Excel 365 shows an @ that nobody wrote, and an array formula would not go into every program.
    """
    return f"SUM(MMULT({left.along_row(row, count)},{right.down_column(column, count)}))"


def counted_product(left: Matrix, row: int, right: Matrix, column: int, counts: Sequence[int], counter: str) -> str:
    """The same where a cell counts the factors that are there, which are one of some counts in rising order.

    MMULT takes no cell that shows a text for a number, not even an empty one.
    """
    *fewer, most = counts
    formula = product(left, row, right, column, most)
    for count in reversed(fewer):
        formula = f"IF({counter}={count},{product(left, row, right, column, count)},{formula})"
    return formula
