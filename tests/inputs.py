"""The cells of a workbook that a reader may fill in, and what may be typed there, as the file itself says it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
from msgspec import Struct
from openpyxl.utils.cell import rows_from_range
from openpyxl.worksheet.datavalidation import DataValidation

from tests import judges
from tests.judges import Cells

Typed = float | str | None


class Input(Struct, frozen=True):
    """One cell, and the extremes of what may be typed into it; None empties it."""

    sheet: str
    cell: str
    extremes: tuple[Typed, ...]


def inputs(path: Path) -> list[Input]:
    """All cells of a workbook that have a validation."""
    values = judges.stored(path)
    return [
        Input(sheet.title, cell, _extremes(values, sheet.title, rule))
        for sheet in openpyxl.load_workbook(judges.without_cells(path))
        for rule in sheet.data_validations.dataValidation
        for block in str(rule.sqref).split()
        for cell in _some(block)
    ]


def _some(block: str) -> list[str]:
    """The corners of a range, whose cells are all alike."""
    rows = list(rows_from_range(block))
    return list(dict.fromkeys((rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1])))


def _extremes(values: Cells, sheet: str, rule: DataValidation) -> tuple[Typed, ...]:
    nothing = (None,) if rule.allow_blank else ()
    if rule.type == "list":
        choices = _choices(values, sheet, rule.formula1)
        return (choices[0], choices[-1], *nothing)
    assert rule.type in ("whole", "decimal"), rule.type
    assert rule.operator in (None, "between"), rule.operator
    low, high = float(rule.formula1), float(rule.formula2)
    zero = (0.0,) if low < 0 < high else ()
    return (low, high, *zero, *nothing)


def _choices(values: Cells, sheet: str, source: str) -> list[str]:
    if source.startswith('"'):
        return source.strip('"').split(",")
    title, _, block = source.rpartition("!")
    home = title.strip("'") or sheet
    cells = [(home, cell) for row in rows_from_range(block.replace("$", "")) for cell in row]
    return [str(values[cell]) for cell in cells if cell in values]
