"""One sheet beside the Walkthrough: what it carries, and what everybody expects of a sheet's looks."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import openpyxl
from openpyxl.utils import range_boundaries
from openpyxl.utils.cell import get_column_letter

from tests import books, judges
from tests.books import build, opened
from tests.judges import Cells
from xlbackprop import Definition
from xlbackprop.workbook.panels import comparison

LAPTOP = 1366 - 98
"""Pixels across a laptop or projector, less what row numbers, a scroll bar and a side bar take."""
WIDEST_CHARACTER = 9.9
"""Pixels that a unit of a column's width takes in a font wider than the theme's."""


def filled(folder: Path, definition: Definition, name: str) -> Cells:
    """The values in `book.xlsx`, a workbook of the Walkthrough and one sheet."""
    return judges.stored(build(definition, folder / "book.xlsx", sheets=[name]))


@contextmanager
def beginning(module: ModuleType, **beginnings: object) -> Iterator[None]:
    """Let the sheets of a module begin otherwise: with what a reader types, or functions that give it."""
    with ExitStack() as stack:
        for name, value in beginnings.items():
            stack.enter_context(patch.object(module, name, value))
        books.forget()
        yield
    books.forget()


def small_below(threshold: float) -> AbstractContextManager[object]:
    """Let sheets that compare trainings call a loss small below another number than their own."""
    return beginning(comparison, small_loss=lambda _: threshold)


def shown(path: Path) -> list[str]:
    """The titles of the sheets that a reader sees."""
    return [
        sheet.title for sheet in openpyxl.load_workbook(judges.without_cells(path)) if sheet.sheet_state == "visible"
    ]


def assert_fits_a_laptop(folder: Path, title: str) -> None:
    """What the sheet prints, which is what a teacher looks at, fits without scrolling sideways as it opens."""
    sheet = opened(folder / "book.xlsx", title)[title]
    first, _, last, _ = range_boundaries(sheet.print_area.rpartition("!")[2].replace("$", ""))
    assert_seen_at_once(sheet, first, last)


def assert_seen_at_once(sheet: openpyxl.worksheet.worksheet.Worksheet, first: int, last: int) -> None:
    """Columns fit a laptop at the size at which the sheet opens, in a font as wide as DejaVu Sans."""
    scale = (sheet.sheet_view.zoomScale or 100) / 100
    assert scale >= 0.6
    assert sum(width_of(sheet, column) for column in range(first, last + 1)) * WIDEST_CHARACTER * scale <= LAPTOP


def assert_charts_are_told(folder: Path, title: str, count: int) -> None:
    """Every chart of the sheet has an alternative text, a title, and two axes that are there and named."""
    charts = opened(folder / "book.xlsx", title)[title]._charts
    assert len(charts) == count
    for chart in charts:
        assert chart.title
        for axis in (chart.x_axis, chart.y_axis):
            assert axis.title
            assert axis.delete is False
    with zipfile.ZipFile(folder / "book.xlsx") as archive:
        drawing = archive.read("xl/drawings/drawing2.xml").decode()
    frames = re.findall(r"<(?:xdr:)?graphicFrame.*?</(?:xdr:)?graphicFrame>", drawing, re.DOTALL)
    assert len(frames) == count
    assert all(re.search(r'descr="[^"]{20,}"', frame) for frame in frames)


def width_of(sheet: openpyxl.worksheet.worksheet.Worksheet, column: int) -> float:
    """The width of a column in characters; openpyxl keeps neighbours of one width under the first of them."""
    for dimension in sheet.column_dimensions.values():
        if (dimension.min or 0) <= column <= (dimension.max or 0):
            return float(dimension.width)
    return float(sheet.column_dimensions[get_column_letter(column)].width)
