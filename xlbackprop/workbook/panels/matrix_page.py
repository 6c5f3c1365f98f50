"""A page of matrices: captions, headings, and the cells of a matrix with its shape and its labels."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from xlbackprop.derivation import Role
from xlbackprop.ground.grid import address, column_letter
from xlbackprop.symbols import Typesetter
from xlbackprop.walkthrough import PAPER_WIDTH
from xlbackprop.workbook.panels.matrix import Matrix
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

_NARROWEST, _WIDEST = 8.9, 11.0
"""Characters, of a column."""

Cells = Sequence[Sequence[tuple[str, Value]]]
"""The formula and the value of every cell, row by row."""

_ROWS_OF_A_HEADING = 3
_ROWS_A_PAPER, _CHARACTERS_A_PAPER = 24, 144
"""What fits a page of A4 or Letter under the header; wider sheets are printed smaller."""
_BOLD_WIDTH, _EXACT_WIDTH = 10.5, 9.5
"""Characters, that numbers up to 100 take with six decimals and a sign in every font, in bold and not."""

_CAPTION = Look(theme.HEADING)
_SHAPE = Look(theme.TEXT, align="center")


class MatrixPage:
    """A page that is filled from top to bottom, up to a last column."""

    def __init__(self, page: Page, typesetter: Typesetter, result: str, row: int, last_column: int) -> None:
        """`result` is the name of the quantity to watch, whose row stands out."""
        self.page = page
        self.row = row
        """The next row that is free."""
        self.last_column = last_column
        self.column_width = min(_WIDEST, max(_NARROWEST, PAPER_WIDTH / last_column))
        """Characters."""
        self._typesetter = typesetter
        self._result = result
        self._beginnings: list[int] = []
        """The rows before which a page of paper may end."""

    def heading(self, text: str) -> None:
        """Put down a heading over the whole width, with which a page of paper may begin."""
        self._beginnings.append(self.row)
        self.page.section(self.row, [*map(column_letter, range(1, self.last_column + 1))], text)
        self.row += 1

    def caption(self, row: int, column: int, text: str, look: Look | None = None) -> int:
        """Put down a text in as many rows as it takes up to the last column; give the row below."""
        room = int((self.last_column - column + 1) * self.column_width)
        for line in textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False):
            self.text(row, column, line, look)
            row += 1
        return row

    def text(self, row: int, column: int, text: str, look: Look | None = None) -> None:
        """Put down a text with its subscripts, as a caption if no other look is given."""
        self.page.typeset(address(row, column), self._typesetter.set(text), look or _CAPTION)

    def symbol(self, row: int, column: int, name: str, role: Role) -> None:
        """Put down the name of a quantity."""
        self.text(row, column, name, Look(theme.SYMBOL, role))

    def put(
        self,
        matrix: Matrix,
        shape: tuple[str | None, str],
        rows: Sequence[str],
        columns: Sequence[str],
        role: Role,
        cells: Cells,
        style: str = theme.CALCULATION,
    ) -> None:
        """Put down the cells of a matrix, its shape in the corner, and the names of its rows and columns."""
        corner = address(matrix.label_row, matrix.label_column)
        formula, words = shape
        if formula is None:
            self.page.text(corner, words, _SHAPE)
        else:
            self.page.formula(corner, formula, words, _SHAPE)
        for index, name in enumerate(rows, 1):
            self.symbol(matrix.label_row + index, matrix.label_column, name, role)
        for index, name in enumerate(columns, 1):
            self.symbol(matrix.label_row, matrix.label_column + index, name, role)
        for row, each in enumerate(cells):
            kind = theme.RESULT if rows and rows[row] == self._result else style
            kind = kind if self.column_width >= _BOLD_WIDTH else theme.CALCULATION
            look = Look(kind, role, theme.VALUE_FORMAT)
            for column, (text, value) in enumerate(each):
                self.page.formula(matrix.cell(row, column), text, value, look)

    @property
    def largest_shown(self) -> float:
        """What is as large as this has no room in a column with all its decimals."""
        return 100 if self.column_width >= _EXACT_WIDTH else 10

    def may_begin_a_page(self) -> None:
        """Let a page of paper begin here, unless that would tear a heading from what it heads."""
        if self.row > self._beginnings[-1] + _ROWS_OF_A_HEADING:
            self._beginnings.append(self.row)

    def paper_beginnings(self) -> Iterator[int]:
        """The rows with which a new page of paper has to begin, so that no matrix is torn."""
        rows = int(_ROWS_A_PAPER * max(1, self.last_column * self.column_width / _CHARACTERS_A_PAPER))
        start = self._beginnings[0]
        for row, following in pairwise([*self._beginnings, self.row]):
            if following - start > rows and row > start:
                yield row
                start = row
