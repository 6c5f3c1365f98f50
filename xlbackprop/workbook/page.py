"""A page: one sheet while it is being filled, where every formula is put down together with its value."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from weakref import WeakKeyDictionary

from openpyxl.cell.cell import Cell
from openpyxl.styles.cell_style import StyleArray
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation

from xlbackprop.workbook import theme
from xlbackprop.workbook.drawing import CellSize, Drawing
from xlbackprop.workbook.theme import Look
from xlbackprop.workbook.writer import Block, SheetContent, Value

ROW_HEIGHT = 15.0
"""Points."""

_LOOKS: WeakKeyDictionary[Workbook, dict[Look, StyleArray]] = WeakKeyDictionary()
"""What each look comes to in a workbook; openpyxl takes a tenth of a millisecond to find it out."""

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
        self._blocks: list[Block] = []
        self._looks = _LOOKS.setdefault(workbook, {})

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
        """Put down a long run of rows."""
        self._blocks.append(block)

    def limit(
        self,
        address: str,
        title: str,
        prompt: str,
        low: float,
        high: float,
        *,
        whole: bool = False,
        optional: bool = False,
    ) -> None:
        """Let a cell take only a number from `low` to `high`, and say what it is for when it is selected."""
        limits = DataValidation(
            type="whole" if whole else "decimal",
            operator="between",
            formula1=f"{low:.15g}",
            formula2=f"{high:.15g}",
            allow_blank=optional,
        )
        limits.promptTitle, limits.prompt, limits.errorTitle = title, prompt, title
        limits.error = f"A {'whole ' if whole else ''}number from {low:,.15g} to {high:,.15g}, please."
        limits.add(address)
        self.sheet.add_data_validation(limits)

    def choice(self, address: str, text: str, choices: str, title: str, prompt: str) -> None:
        """Put down a text that the reader can exchange for another out of a range of cells."""
        self.text(address, text, _INPUT)
        limits = DataValidation(type="list", formula1=choices, allow_blank=False)
        limits.promptTitle, limits.prompt, limits.errorTitle, limits.error = title, prompt, title, prompt
        limits.add(address)
        self.sheet.add_data_validation(limits)

    def handout(self, title: str, area: str) -> None:
        """Print the cells of an area on one landscape page, and nothing else of the sheet."""
        sheet = self.sheet
        sheet.print_area = area
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
        sheet.page_setup.fitToHeight = 1
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.page_margins.left = sheet.page_margins.right = 0.4
        sheet.oddHeader.left.text = f"{title}: {sheet.title}".replace("&", "&&")
        sheet.oddFooter.center.text = "&P / &N"

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
        return SheetContent(self._cached, self.drawing, self._blocks)

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
