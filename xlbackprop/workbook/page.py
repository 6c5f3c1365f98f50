"""A page: one sheet while it is being filled, where every formula is put down together with its value."""

from __future__ import annotations

from collections.abc import Iterable

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role
from xlbackprop.workbook import theme
from xlbackprop.workbook.drawing import CellSize, Drawing
from xlbackprop.workbook.writer import Block, SheetContent, Value

ROW_HEIGHT = 15.0
"""Points."""

_EMU_A_POINT = 12700
_EMU_A_PIXEL = 9525


class Page:
    """One sheet of the workbook being made."""

    def __init__(self, workbook: Workbook, title: str) -> None:
        self.sheet = workbook.create_sheet(title)
        self.sheet.sheet_format.defaultRowHeight = ROW_HEIGHT
        self.sheet.sheet_format.customHeight = True
        self.sheet.sheet_view.showGridLines = False
        self.drawing = Drawing()
        self._cached: dict[tuple[int, int], Value] = {}
        self._block: Block | None = None

    def text(self, address: str, text: str, style: str = theme.TEXT) -> Cell:
        """Put down a text; it stays one whatever it begins with."""
        cell = self._styled(address, style)
        cell.value = text
        cell.data_type = "s"
        if text.startswith(("=", "+", "-", "@")):
            cell._style.quotePrefix = 1
        return cell

    def number(self, address: str, value: float, style: str = theme.INPUT, number_format: str = "General") -> Cell:
        """Put down a number that the reader can change."""
        cell = self._styled(address, style)
        cell.value = value
        cell.number_format = number_format
        return cell

    def formula(
        self, address: str, formula: str, value: Value, style: str = theme.CALCULATION, number_format: str = "General"
    ) -> Cell:
        """Put down a formula (without its equals sign) and the value it has now."""
        cell = self._styled(address, style)
        cell.value = f"={formula}"
        cell.number_format = number_format
        self._cached[cell.row, cell.column] = value
        return cell

    def block(self, block: Block) -> None:
        """Put down the page's one long run of rows."""
        self._block = block

    def style_number(self, like: Cell) -> int:
        """The number under which the workbook keeps the style of a cell."""
        return int(like.style_id)

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

    def _styled(self, address: str, style: str) -> Cell:
        cell: Cell = self.sheet[address]
        cell.style = style
        return cell


def tint(cell: Cell, role: Role) -> Cell:
    """Colour a cell by its role: light, behind a number."""
    cell.fill = theme.solid(theme.SHADES[role].light)
    return cell


def label(cell: Cell, role: Role) -> Cell:
    """Colour a cell by its role: dark, white bold text in the middle, as a header."""
    cell.fill = theme.solid(theme.SHADES[role].dark)
    cell.font = Font(name=theme.FONT, size=11, bold=True, color=theme.PAPER)
    cell.alignment = Alignment(horizontal="center", vertical="center")
    return cell
