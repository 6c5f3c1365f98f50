"""A page: one sheet while it is being filled, where every formula is put down together with its value."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

from openpyxl.cell.cell import Cell
from openpyxl.styles.cell_style import StyleArray
from openpyxl.workbook.workbook import Workbook

from xlbackprop.workbook import theme
from xlbackprop.workbook.drawing import CellSize, Drawing
from xlbackprop.workbook.theme import Look
from xlbackprop.workbook.writer import Block, SheetContent, Value

ROW_HEIGHT = 15.0
"""Points."""

_TEXT = Look()
_INPUT = Look(theme.INPUT)

_EMU_A_POINT = 12700
_EMU_A_PIXEL = 9525


class Page:
    """One sheet of the workbook being made."""

    def __init__(self, workbook: Workbook, title: str) -> None:
        self.sheet = workbook.create_sheet(title)
        self.sheet.sheet_format.defaultRowHeight = ROW_HEIGHT
        self.sheet.sheet_format.customHeight = True
        self.sheet.sheet_view.showGridLines = False
        headers = self.sheet.HeaderFooter
        headers.evenHeader = headers.evenFooter = headers.firstHeader = headers.firstFooter = None
        self.drawing = Drawing()
        self._cached: dict[tuple[int, int], Value] = {}
        self._block: Block | None = None
        self._looks: dict[Look, StyleArray] = {}

    def text(self, address: str, text: str, look: Look = _TEXT) -> None:
        """Put down a text; it stays one whatever it begins with."""
        cell = self._cell(address, look)
        cell.value = text
        cell.data_type = "s"
        if text.startswith(("=", "+", "-", "@")):
            cell._style.quotePrefix = 1

    def number(self, address: str, value: float, look: Look = _INPUT) -> None:
        """Put down a number that the reader can change."""
        self._cell(address, look).value = value

    def formula(self, address: str, formula: str, value: Value, look: Look) -> None:
        """Put down a formula (without its equals sign) and the value it has now."""
        cell = self._cell(address, look)
        cell.value = f"={formula}"
        self._cached[cell.row, cell.column] = value

    def dress(self, address: str, look: Look) -> None:
        """Change how a cell looks, and nothing else of it."""
        self._cell(address, look)

    def block(self, block: Block) -> None:
        """Put down the page's one long run of rows."""
        self._block = block

    def style_number(self, look: Look) -> int:
        """The number under which the workbook keeps a look."""
        cell = Cell(self.sheet, row=1, column=1)
        self._dress(cell, look)
        return int(cell.style_id)

    def widths(self, letters: Iterable[str], width: float) -> None:
        """Set the width of columns, in characters."""
        for letter in letters:
            self.sheet.column_dimensions[letter].width = width

    def cell_size(self, width: float) -> CellSize:
        """The size of a cell in a column of a width in characters and a row of the normal height."""
        return CellSize(round(width * 7 + 5) * _EMU_A_PIXEL, round(ROW_HEIGHT * _EMU_A_POINT))

    def content(self) -> SheetContent:
        """What the writer has to know beside the sheet itself."""
        return SheetContent(self._cached, self.drawing, self._block)

    def _cell(self, address: str, look: Look) -> Cell:
        cell: Cell = self.sheet[address]
        self._dress(cell, look)
        return cell

    def _dress(self, cell: Cell, look: Look) -> None:
        known = self._looks.get(look)
        if known is None:
            theme.apply(look, cell)
            self._looks[look] = copy(cell._style)
        else:
            cell._style = copy(known)
