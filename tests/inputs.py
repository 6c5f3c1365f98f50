"""The cells of a workbook that a reader may fill in, and what may be typed there, as the file itself says it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
from msgspec import Struct
from openpyxl.utils.cell import rows_from_range
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

Typed = float | str | None


class Input(Struct, frozen=True):
    """One cell, and the extremes of what may be typed into it; None empties it."""

    sheet: str
    cell: str
    extremes: tuple[Typed, ...]


def inputs(path: Path) -> list[Input]:
    """All cells of a workbook that have a validation."""
    book = openpyxl.load_workbook(path)
    return [
        Input(sheet.title, cell, _extremes(book, sheet, rule))
        for sheet in book
        for rule in sheet.data_validations.dataValidation
        for block in str(rule.sqref).split()
        for cell in _some(block)
    ]


def _some(block: str) -> list[str]:
    """The corners of a range, whose cells are all alike."""
    rows = list(rows_from_range(block))
    return list(dict.fromkeys((rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1])))


def _extremes(book: Workbook, sheet: Worksheet, rule: DataValidation) -> tuple[Typed, ...]:
    nothing = (None,) if rule.allow_blank else ()
    if rule.type == "list":
        choices = _choices(book, sheet, rule.formula1)
        return (choices[0], choices[-1], *nothing)
    assert rule.type in ("whole", "decimal"), rule.type
    assert rule.operator in (None, "between"), rule.operator
    low, high = float(rule.formula1), float(rule.formula2)
    zero = (0.0,) if low < 0 < high else ()
    return (low, high, *zero, *nothing)


def _choices(book: Workbook, sheet: Worksheet, source: str) -> list[str]:
    if source.startswith('"'):
        return source.strip('"').split(",")
    title, _, block = source.rpartition("!")
    home = book[title.strip("'")] if title else sheet
    cells = [cell for row in rows_from_range(block.replace("$", "")) for cell in row]
    return [str(home[cell].value) for cell in cells if home[cell].value is not None]
